/* SPDX-License-Identifier: ISC */
/* Tests of udp_batch: datagrams by the dozen over loopback, and what cannot be sent. */
#include "config.h"

#include <check.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "udp_batch.h"

static struct relay relay;
static uint64_t count[UDP_COUNTS];
static struct udp_outbox out;
static struct udp_inbox *in;
static int from, to[2];
static struct addr at[2];

static int
open_socket(struct addr *bound)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert(addr_from_text(bound, "127.0.0.1", 0));
	ck_assert_int_eq(bind(fd, &bound->u.sa, bound->len), 0);
	ck_assert_int_eq(net_local(fd, bound), 0);
	return fd;
}

static void
set_up(void)
{
	struct addr ignored;

	from = open_socket(&ignored);
	to[0] = open_socket(&at[0]);
	to[1] = open_socket(&at[1]);
	ck_assert_int_eq(relay_init(&relay, -1), 0);
	in = malloc(sizeof(*in));
	ck_assert(in != NULL);
	out = (struct udp_outbox){
		.relay = &relay, .from = TARGET, .sent = UDP_DOWN, .count = count
	};
}

static void
tear_down(void)
{
	free(in);
	relay_destroy(&relay);
	close(from);
	close(to[0]);
	close(to[1]);
}

static void
put(int i, const char *text)
{
	udp_put(&out, from, &at[i], (const uint8_t *)text, strlen(text));
}

/* Takes n datagrams, as many calls as it takes; each must be one byte that counts up. */
static void
check_counting(int fd, int n)
{
	struct pollfd p = { fd, POLLIN, 0 };

	for (int have = 0; have < n;) {
		ck_assert_int_eq(poll(&p, 1, 30000), 1);
		ck_assert_int_eq(udp_receive(fd, in), 1);
		for (struct udp_datagram d; udp_next(in, &d); have++) {
			ck_assert_uint_eq(d.size, 1);
			ck_assert_uint_eq(*d.data, have);
		}
	}
}

/* Takes one that is at fd already. */
static struct udp_datagram
take(int fd)
{
	struct udp_datagram d;

	if (!udp_next(in, &d)) {
		ck_assert_int_eq(udp_receive(fd, in), 1);
		ck_assert(udp_next(in, &d));
	}
	return d;
}

START_TEST(more_than_a_batch_arrives_whole_and_in_order)
{
	static uint8_t bytes[3 * UDP_OUT + 1];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)i;
		udp_put(&out, from, &at[0], &bytes[i], 1);
	}
	udp_flush(&out);
	check_counting(to[0], sizeof(bytes));
	ck_assert_uint_eq(count[UDP_DOWN], sizeof(bytes));
	ck_assert_uint_eq(relay.bytes[TARGET], sizeof(bytes));
	ck_assert_int_eq(udp_receive(to[0], in), 0);
}
END_TEST

START_TEST(each_goes_to_its_own_address)
{
	put(0, "aa");
	put(1, "bc");
	put(0, "");
	udp_flush(&out);
	ck_assert_uint_eq(take(to[0]).size, 2);
	ck_assert_uint_eq(take(to[0]).size, 0);
	ck_assert_mem_eq(take(to[1]).data, "bc", 2);
	ck_assert_uint_eq(count[UDP_DOWN], 3);
}
END_TEST

START_TEST(the_source_is_told)
{
	struct addr want;

	put(0, "x");
	udp_flush(&out);
	ck_assert_int_eq(net_local(from, &want), 0);
	ck_assert(addr_equal(take(to[0]).from, &want));
}
END_TEST

START_TEST(each_leaves_by_its_own_socket)
{
	put(0, "a");
	udp_put(&out, to[1], &at[0], (const uint8_t *)"b", 1);
	udp_flush(&out);
	ck_assert(!addr_equal(take(to[0]).from, &at[1]));
	ck_assert(addr_equal(take(to[0]).from, &at[1]));
}
END_TEST

START_TEST(only_the_payload_counts_as_bytes)
{
	put(0, "data");
	udp_put_header(&out, (const uint8_t *)"header", 6);
	udp_flush(&out);
	ck_assert_uint_eq(relay.bytes[TARGET], 4);
	ck_assert_mem_eq(take(to[0]).data, "headerdata", 10);
}
END_TEST

START_TEST(one_that_is_too_large_is_dropped_and_the_others_flow)
{
	static const uint8_t large[SOCKS_UDP_PAYLOAD + 1];

	put(0, "a");
	udp_put(&out, from, &at[0], large, sizeof(large));
	udp_put(&out, from, &at[0], large, sizeof(large) - 1);
	put(1, "b");
	udp_flush(&out);
	ck_assert_uint_eq(count[UDP_SIZE], 1);
	ck_assert_uint_eq(count[UDP_DOWN], 3);
	ck_assert_uint_eq(count[UDP_SEND], 0);
	ck_assert_int_eq(udp_receive(to[1], in), 1);
}
END_TEST

START_TEST(one_that_cannot_be_sent_is_counted_and_the_others_flow)
{
	struct addr nowhere;

	ck_assert(addr_from_text(&nowhere, "255.255.255.255", 9));
	udp_put(&out, from, &nowhere, (const uint8_t *)"x", 1);
	put(0, "a");
	udp_flush(&out);
	ck_assert_uint_eq(count[UDP_SEND], 1);
	ck_assert_uint_eq(count[UDP_DOWN], 1);
	ck_assert_int_eq(udp_receive(to[0], in), 1);
}
END_TEST

/* A connected socket is told of ICMP errors, as all are on some systems. */
START_TEST(an_error_of_an_earlier_datagram_costs_neither_this_nor_the_next)
{
	struct pollfd p = { from, POLLIN, 0 };
	struct addr dead = at[1];

	close(to[1]);
	ck_assert_int_eq(connect(from, &dead.u.sa, dead.len), 0);
	ck_assert_int_eq(send(from, "x", 1, 0), 1);
	ck_assert_int_eq(poll(&p, 1, 30000), 1);
	put(0, "a");
	udp_flush(&out);
	ck_assert_uint_eq(count[UDP_DOWN], 1);
	ck_assert_int_eq(udp_receive(to[0], in), 1);
	ck_assert_int_eq(send(from, "x", 1, 0), 1);
	ck_assert_int_eq(poll(&p, 1, 30000), 1);
	ck_assert_int_eq(udp_receive(from, in), 0);
	to[1] = open_socket(&at[1]);
}
END_TEST

START_TEST(a_connected_socket_needs_no_address)
{
	ck_assert_int_eq(connect(from, &at[1].u.sa, at[1].len), 0);
	udp_put(&out, from, NULL, (const uint8_t *)"a", 1);
	udp_put(&out, from, NULL, (const uint8_t *)"", 0);
	udp_flush(&out);
	ck_assert_uint_eq(count[UDP_DOWN], 2);
	ck_assert_mem_eq(take(to[1]).data, "a", 1);
	ck_assert_uint_eq(take(to[1]).size, 0);
}
END_TEST

/* Some that may be joined, and some behind which they may not. */
static void
put_some(void)
{
	static const uint8_t zeros[2000], header[7] = "header";
	static const size_t sizes[] = { 90, 90, 90, 60, 90, 90, 0, 0, 90, 2000, 2000,
		90 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		udp_put(&out, from, &at[0], zeros, sizes[i]);
		if (i == 4 || i == 9)
			udp_put_header(&out, header, sizeof(header));
	}
	put(1, "a");
	put(0, "z");
}

static void
check_some(void)
{
	static const size_t sizes[] = { 90, 90, 90, 60, 97, 90, 0, 0, 90, 2007, 2000, 90,
		1 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct udp_datagram d = take(to[0]);

		ck_assert_uint_eq(d.size, sizes[i]);
		if (d.size % 10 == 7)
			ck_assert_mem_eq(d.data, "header", 7);
	}
	ck_assert_uint_eq(take(to[1]).size, 1);
	ck_assert_int_eq(udp_receive(to[0], in), 0);
	ck_assert_uint_eq(count[UDP_DOWN], 14);
	ck_assert_uint_eq(relay.bytes[TARGET], 4692);
}

START_TEST(one_that_was_sent_joined_comes_by_itself)
{
	put_some();
	udp_flush(&out);
	check_some();
}
END_TEST

START_TEST(one_that_comes_joined_is_taken_by_itself)
{
	compat_join_received(to[0]);
	put_some();
	udp_flush(&out);
	check_some();
}
END_TEST

START_TEST(no_more_are_joined_than_a_datagram_holds)
{
	static const uint8_t large[20000];

	for (int i = 0; i < 7; i++)
		udp_put(&out, from, &at[0], large, sizeof(large));
	udp_flush(&out);
	ck_assert_uint_eq(count[UDP_DOWN], 7);
	ck_assert_uint_eq(out.apart, 0);
}
END_TEST

#if defined(UDP_SEGMENT) && defined(SO_NO_CHECK)
static bool
can_join(void)
{
	int size;
	socklen_t len = sizeof(size);

	return getsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &size, &len) == 0;
}

START_TEST(one_size_to_one_address_is_joined)
{
	if (!can_join())
		return;
	compat_join_received(to[0]);
	for (int i = 0; i < 5; i++)
		put(0, "abc");
	put(0, "ab");
	udp_flush(&out);
	ck_assert_int_eq(udp_receive(to[0], in), 1);
	ck_assert_int_eq(in->n, 1);
	ck_assert_uint_eq(in->list[0].size, 17);
}
END_TEST

/* Linux joins nothing that has no checksum. */
START_TEST(what_cannot_be_joined_goes_alone_from_then_on)
{
	int one = 1;

	if (!can_join())
		return;
	ck_assert_int_eq(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &one, sizeof(one)), 0);
	put_some();
	udp_flush(&out);
	check_some();
	ck_assert_uint_eq(out.apart, 90);
	/* But smaller ones may be. */
	one = 0;
	ck_assert_int_eq(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &one, sizeof(one)), 0);
	compat_join_received(to[1]);
	put(1, "abc");
	put(1, "def");
	udp_flush(&out);
	ck_assert_int_eq(udp_receive(to[1], in), 1);
	ck_assert_uint_eq(in->list[0].size, 6);
	out.apart = 3;
	put(1, "abc");
	put(1, "def");
	udp_flush(&out);
	ck_assert_int_eq(udp_receive(to[1], in), 1);
	ck_assert_uint_eq(in->list[0].size, 3);
}
END_TEST
#endif

/* A socket at every address, there and back by ip; who answers is the one asked. */
static void
check_local(const char *any, const char *ip)
{
	struct addr all, asked, mine, local;
	int family, fd, client;

	ck_assert(addr_from_text(&all, any, 0));
	family = addr_family(&all);
	fd = socket(family, SOCK_DGRAM, 0);
	client = socket(family, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(fd, &all.u.sa, all.len), 0);
	ck_assert_int_eq(net_local(fd, &all), 0);
	compat_tell_local(fd, family);
	ck_assert(addr_from_text(&asked, ip, addr_port(&all)));
	ck_assert_int_eq(connect(client, &asked.u.sa, asked.len), 0);
	ck_assert_int_eq(net_local(client, &mine), 0);

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(send(client, "ab", 2, 0), 2);
	for (int i = 0; i < 2; i++) {
		const struct compat_local *told = take(fd).local;

		ck_assert_int_eq(told->family, family);
		addr_from_bytes(&local, family, told->ip, addr_port(&all));
		ck_assert(addr_equal(&local, &asked));
	}

	/* Connected, it hears nobody else. */
	out.local = &in->local[0];
	for (int i = 0; i < 2; i++)
		udp_put(&out, fd, &mine, (const uint8_t *)"xyz", 3);
	udp_flush(&out);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(recv(client, in->bytes, UDP_ROOM, MSG_DONTWAIT), 3);
	close(fd);
	close(client);
}

START_TEST(the_local_address_is_told_and_can_be_answered_from)
{
	struct addr ipv6;

	check_local("0.0.0.0", "127.0.0.1");
	check_local("0.0.0.0", "127.0.0.2");
	ck_assert(addr_from_text(&ipv6, "::1", 0));
	if (net_is_local(&ipv6))
		check_local("::", "::1");
}
END_TEST

START_TEST(the_local_address_is_not_known_unless_asked_for)
{
	put(0, "a");
	udp_flush(&out);
	in->local[0].family = AF_INET;
	ck_assert_int_eq(udp_receive(to[0], in), 1);
	ck_assert_int_eq(in->local[0].family, AF_UNSPEC);
	/* And can be left to the system. */
	out.local = &in->local[0];
	put(1, "b");
	udp_flush(&out);
	ck_assert_int_eq(udp_receive(to[1], in), 1);
}
END_TEST

START_TEST(what_was_counted_is_told_in_words)
{
	uint64_t counts[2][UDP_COUNTS] = { { 0 } };
	char text[UDP_COUNTS_TEXT];

	ck_assert_str_eq(udp_counts_text(counts, text, sizeof(text)),
		" dgrams_up=0 dgrams_down=0");
	counts[0][UDP_UP] = 2;
	counts[1][UDP_UP] = 1;
	counts[0][UDP_SIZE] = 4;
	counts[1][UDP_EARLY] = 5;
	ck_assert_str_eq(udp_counts_text(counts, text, sizeof(text)),
		" dgrams_up=3 dgrams_down=0 drop_size=4 drop_early=5");
	for (int i = 0; i < UDP_COUNTS; i++)
		counts[0][i] = UINT64_MAX;
	memset(counts[1], 0, sizeof(counts[1]));
	ck_assert(strstr(udp_counts_text(counts, text, sizeof(text)),
		" drop_early=18446744073709551615"));
	ck_assert_str_eq(
		udp_counts_text(counts, text, 40), " dgrams_up=18446744073709551615");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp_batch");
	TCase *tc = tcase_create("udp_batch");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, more_than_a_batch_arrives_whole_and_in_order);
	tcase_add_test(tc, each_goes_to_its_own_address);
	tcase_add_test(tc, the_source_is_told);
	tcase_add_test(tc, each_leaves_by_its_own_socket);
	tcase_add_test(tc, only_the_payload_counts_as_bytes);
	tcase_add_test(tc, one_that_is_too_large_is_dropped_and_the_others_flow);
	tcase_add_test(tc, one_that_cannot_be_sent_is_counted_and_the_others_flow);
	tcase_add_test(
		tc, an_error_of_an_earlier_datagram_costs_neither_this_nor_the_next);
	tcase_add_test(tc, a_connected_socket_needs_no_address);
	tcase_add_test(tc, one_that_was_sent_joined_comes_by_itself);
	tcase_add_test(tc, one_that_comes_joined_is_taken_by_itself);
	tcase_add_test(tc, no_more_are_joined_than_a_datagram_holds);
#if defined(UDP_SEGMENT) && defined(SO_NO_CHECK)
	tcase_add_test(tc, one_size_to_one_address_is_joined);
	tcase_add_test(tc, what_cannot_be_joined_goes_alone_from_then_on);
#endif
	tcase_add_test(tc, the_local_address_is_told_and_can_be_answered_from);
	tcase_add_test(tc, the_local_address_is_not_known_unless_asked_for);
	tcase_add_test(tc, what_was_counted_is_told_in_words);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
