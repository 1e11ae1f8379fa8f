/* SPDX-License-Identifier: ISC */
/* Tests of net: listening, look-ups, dialling over several addresses, the last message.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "tcp.h"

static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_from_text(&a, text, port));
	return a;
}

/* An address of loopback where nobody listens. */
static struct addr
dead_address(void)
{
	int fd = tcp_listen(AF_INET);
	struct addr a;

	ck_assert_int_eq(net_local(fd, &a), 0);
	close(fd);
	return a;
}

static struct io_limit
in_ms(int ms)
{
	return (struct io_limit){ io_now_ms() + ms, -1 };
}

static int
int_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void
check_options(int fd)
{
	ck_assert_int_eq(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(int_option(fd, SOL_SOCKET, SO_OOBINLINE), 1);
}

START_TEST(both_legs_have_nodelay_keepalive_and_inline_urgent_data)
{
	struct addr any = address("127.0.0.1", 0), at, used;
	struct io_limit limit = in_ms(30000);
	int listening = net_listen(&any), dialled, accepted;

	ck_assert_int_ne(listening, -1);
	ck_assert_int_eq(net_local(listening, &at), 0);
	dialled = net_dial(&at, 1, NULL, &limit, &used);
	ck_assert_int_ne(dialled, -1);
	ck_assert(addr_equal(&at, &used));
	accepted = accept(listening, NULL, NULL);
	ck_assert_int_ne(accepted, -1);
	check_options(dialled);
	check_options(accepted);
	close(dialled);
	close(accepted);
	close(listening);
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
	struct addr at = address("127.0.0.1", 0);
	int first = net_listen(&at);

	ck_assert_int_eq(net_local(first, &at), 0);
	ck_assert_int_eq(net_listen(&at), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(first);
}
END_TEST

START_TEST(numeric_text_needs_no_lookup)
{
	struct hostport hp = { "192.0.2.7", 80 };
	struct addr list[NET_ADDRS], want = address("192.0.2.7", 80);

	ck_assert_int_eq(net_resolve(&hp, list, NET_ADDRS), 1);
	ck_assert(addr_equal(&list[0], &want));
}
END_TEST

START_TEST(localhost_is_found_with_its_port)
{
	struct hostport hp = { "localhost", 4711 };
	struct addr list[NET_ADDRS];
	int n = net_resolve(&hp, list, NET_ADDRS);

	ck_assert_int_ge(n, 1);
	for (int i = 0; i < n; i++) {
		ck_assert(addr_is_loopback(&list[i]));
		ck_assert_int_eq(addr_port(&list[i]), 4711);
	}
}
END_TEST

START_TEST(the_list_of_addresses_is_not_overrun)
{
	struct hostport hp = { "localhost", 1 };
	struct addr list[1];

	ck_assert_int_eq(net_resolve(&hp, list, 1), 1);
}
END_TEST

START_TEST(a_refused_address_gives_way_to_the_next)
{
	int listening = tcp_listen(AF_INET), fd;
	struct addr list[3] = { dead_address(), dead_address() }, used;
	struct io_limit limit = in_ms(30000);

	ck_assert_int_eq(net_local(listening, &list[2]), 0);
	fd = net_dial(list, 3, NULL, &limit, &used);
	ck_assert_int_ne(fd, -1);
	ck_assert(addr_equal(&used, &list[2]));
	close(fd);
	close(listening);
}
END_TEST

START_TEST(refused_by_all_is_refused)
{
	struct addr list[2] = { dead_address(), dead_address() }, used;
	struct io_limit limit = in_ms(30000);

	ck_assert_int_eq(net_dial(list, 2, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}
END_TEST

/*
 * A listening socket whose queue is full drops what comes: its address does not answer.
 * fill must hold it full; both are to be closed.
 */
static void
mute_address(struct addr *at, int *listening, int fill[8])
{
	*listening = socket(AF_INET, SOCK_STREAM, 0);
	*at = address("127.0.0.1", 0);
	ck_assert_int_eq(bind(*listening, &at->u.sa, at->len), 0);
	ck_assert_int_eq(listen(*listening, 0), 0);
	ck_assert_int_eq(net_local(*listening, at), 0);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], &at->u.sa, at->len);
	}
}

static void
close_mute(int listening, const int fill[8])
{
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(listening);
}

START_TEST(an_address_that_does_not_answer_costs_only_the_attempt_delay)
{
	int mute, fill[8], listening = tcp_listen(AF_INET), fd;
	struct addr list[2], used;
	struct io_limit limit = in_ms(60000);
	int64_t begin;

	mute_address(&list[0], &mute, fill);
	ck_assert_int_eq(net_local(listening, &list[1]), 0);
	begin = io_now_ms();
	fd = net_dial(list, 2, NULL, &limit, &used);
	ck_assert_int_ne(fd, -1);
	ck_assert(addr_equal(&used, &list[1]));
	ck_assert_int_ge(io_now_ms() - begin, 240);
	close(fd);
	close(listening);
	close_mute(mute, fill);
}
END_TEST

START_TEST(the_deadline_ends_a_dial)
{
	int mute, fill[8];
	struct addr at, used;
	struct io_limit limit;

	mute_address(&at, &mute, fill);
	limit = in_ms(100);
	ck_assert_int_eq(net_dial(&at, 1, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	close_mute(mute, fill);
}
END_TEST

START_TEST(a_client_that_is_reset_ends_a_dial)
{
	int mute, fill[8], client[2];
	struct addr at, used;
	struct io_limit limit = in_ms(60000);

	mute_address(&at, &mute, fill);
	tcp_pair(client);
	limit.watch = client[0];
	tcp_reset(client[1]);
	ck_assert_int_eq(net_dial(&at, 1, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ECANCELED);
	close(client[0]);
	close_mute(mute, fill);
}
END_TEST

/* Tries free ports of the ephemeral range until the system connects one to itself. */
START_TEST(a_socket_connected_to_itself_counts_as_refused)
{
	for (int i = 0; i < 40000; i++) {
		struct addr at = dead_address(), used;
		struct io_limit limit = in_ms(30000);
		int fd = net_dial(&at, 1, NULL, &limit, &used);

		ck_assert_int_eq(fd, -1);
		ck_assert_int_eq(errno, ECONNREFUSED);
	}
}
END_TEST

static void *
send_much(void *arg)
{
	static const char buf[32 * 1024];
	struct io_limit limit = in_ms(30000);

	(void)io_write(*(int *)arg, buf, sizeof(buf), &limit);
	return NULL;
}

START_TEST(the_last_message_reaches_a_peer_that_is_still_sending)
{
	struct io_limit limit = in_ms(30000);
	char buf[8];
	pthread_t sender;
	int end[2];

	tcp_pair(end);
	pthread_create(&sender, NULL, send_much, &end[0]);
	ck_assert_int_eq(io_write(end[1], "no", 2, &limit), 0);
	pthread_join(sender, NULL);
	net_finish(end[1], 200);
	close(end[1]);
	ck_assert_int_eq(io_read(end[0], buf, sizeof(buf), &limit), 2);
	ck_assert_mem_eq(buf, "no", 2);
	close(end[0]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("net");
	TCase *tc = tcase_create("net");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, both_legs_have_nodelay_keepalive_and_inline_urgent_data);
	tcase_add_test(tc, a_port_in_use_is_refused);
	tcase_add_test(tc, numeric_text_needs_no_lookup);
	tcase_add_test(tc, localhost_is_found_with_its_port);
	tcase_add_test(tc, the_list_of_addresses_is_not_overrun);
	tcase_add_test(tc, a_refused_address_gives_way_to_the_next);
	tcase_add_test(tc, refused_by_all_is_refused);
	tcase_add_test(tc, an_address_that_does_not_answer_costs_only_the_attempt_delay);
	tcase_add_test(tc, the_deadline_ends_a_dial);
	tcase_add_test(tc, a_client_that_is_reset_ends_a_dial);
	tcase_add_test(tc, a_socket_connected_to_itself_counts_as_refused);
	tcase_add_test(tc, the_last_message_reaches_a_peer_that_is_still_sending);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
