/* SPDX-License-Identifier: ISC */
/* Tests of admit and proxy: who is let in, and as whom, on real connections. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admit.h"
#include "io.h"
#include "log.h"
#include "proxy.h"
#include "tcp.h"

static const struct io_limit patient = { IO_FOREVER, -1 };

static struct dcsd_conf conf;
static struct admit admit;
static struct generation *generation;
static struct conns *conns;
static struct inbox in;
static enum end end;
static const char *why;

static enum gate_answer
enter(void *config, const struct addr *peer, const char **reason)
{
	return admit_enter(config, peer, reason);
}

static void
leave(void *config, const struct addr *client)
{
	admit_leave(config, client);
}

static void
free_nothing(void *config)
{
	(void)config;
}

static void
set_up(void)
{
	const struct gate gate = { enter, leave, false };

	log_open("test", 0, LOG_L_ERROR, true);
	memset(&conf, 0, sizeof(conf));
	auth_conf_init(&conf.auth);
	/* No test lives as long as that. */
	conf.auth.penalties.first_ms = conf.auth.penalties.most_ms = 3600 * 1000;
	conf.auth.penalties.after = 2;
	in.len = 0;
	end = END_NONE;
	why = NULL;
	admit = (struct admit){ &conf, standing_new() };
	ck_assert_ptr_nonnull(admit.standing);
	generation = generation_new(&admit, free_nothing);
	ck_assert_ptr_nonnull(generation);
	conns = conns_new(0, &gate, 0);
	ck_assert_ptr_nonnull(conns);
}

static void
tear_down(void)
{
	conns_free(conns);
	generation_release(generation);
	standing_release(admit.standing);
	auth_conf_free(&conf.auth);
	cidrs_free(&conf.proxies);
}

static void
trust(const char *network)
{
	struct cidr cidr;

	ck_assert_int_eq(cidr_parse(&cidr, network, &why), 0);
	ck_assert_int_eq(cidrs_add(&conf.proxies, &cidr), 0);
}

static struct addr
address(const char *ip)
{
	struct addr a;

	ck_assert(addr_from_text(&a, ip, 5555));
	return a;
}

/* A connection that seems to come from there, or NULL; *other is its other end. */
static struct conn *
come_from(const char *ip, int *other)
{
	struct addr peer = address(ip);
	struct conn *conn;
	int ends[2];

	tcp_pair(ends);
	*other = ends[1];
	conn = conns_add(conns, generation, &ends[0], &peer, NULL, &why);
	if (!conn) {
		close(ends[0]);
		close(ends[1]);
		*other = -1;
	}
	return conn;
}

static void
go(struct conn *conn, int other)
{
	conn_end(conn);
	close(other);
}

/* A connection of the trusted proxy that sends these bytes; *result is what came of it.
 */
static struct conn *
proxied(const void *bytes, size_t size, int *other, int *result)
{
	struct conn *conn = come_from("10.0.0.1", other);

	ck_assert_ptr_nonnull(conn);
	ck_assert_int_eq(io_write(*other, bytes, size, &patient), 0);
	in.len = 0;
	*result = admit_proxied(&admit, conn, &in, &patient, &end, &why);
	return conn;
}

static struct conn *
proxied_for(const char *ip, int *other, int *result)
{
	struct addr src = address(ip), dst = address("198.51.100.1");
	uint8_t buf[PROXY_MESSAGE];

	return proxied(buf, proxy_build_v1(buf, &src, &dst), other, result);
}

static void
expect_client(const struct conn *conn, const char *expected)
{
	char text[ADDR_TEXT];

	ck_assert_str_eq(addr_text(&conn->client, text), expected);
}

START_TEST(per_client_bounds_each_source_until_one_goes)
{
	struct conn *conn[3];
	int other[3], none;

	conf.per_client = 2;
	conn[0] = come_from("192.0.2.1", &other[0]);
	conn[1] = come_from("192.0.2.1", &other[1]);
	ck_assert(conn[0] && conn[1]);
	ck_assert_ptr_null(come_from("192.0.2.1", &none));
	ck_assert_int_eq(errno, EACCES);
	ck_assert_str_eq(why, "limits.per_client is reached");
	conn[2] = come_from("192.0.2.2", &other[2]);
	ck_assert_ptr_nonnull(conn[2]);
	go(conn[0], other[0]);
	conn[0] = come_from("192.0.2.1", &other[0]);
	ck_assert_ptr_nonnull(conn[0]);
	for (int i = 0; i < 3; i++)
		go(conn[i], other[i]);
}
END_TEST

START_TEST(a_64_of_ipv6_is_one_client)
{
	struct conn *conn;
	int other, none;

	conf.per_client = 1;
	conn = come_from("2001:db8::1", &other);
	ck_assert_ptr_nonnull(conn);
	ck_assert_ptr_null(come_from("2001:db8::2", &none));
	go(conn, other);
}
END_TEST

START_TEST(failed_sources_are_refused_and_others_are_not)
{
	struct addr bad = address("192.0.2.1");
	struct conn *conn;
	int other;

	admit_failed(&admit, &bad, "ann", 3, "wrong password");
	conn = come_from("192.0.2.1", &other);
	ck_assert_ptr_nonnull(conn);
	go(conn, other);
	admit_failed(&admit, &bad, "ann", 3, "wrong password");
	ck_assert_ptr_null(come_from("192.0.2.1", &other));
	ck_assert_int_eq(errno, EACCES);
	conn = come_from("192.0.2.2", &other);
	ck_assert_ptr_nonnull(conn);
	go(conn, other);
	admit_passed(&admit, &bad);
	conn = come_from("192.0.2.1", &other);
	ck_assert_ptr_nonnull(conn);
	go(conn, other);
}
END_TEST

START_TEST(a_peer_that_is_not_trusted_is_not_asked_for_a_header)
{
	struct conn *conn;
	int other;

	trust("10.0.0.0/8");
	conn = come_from("192.0.2.1", &other);
	/* It would wait for ever. */
	ck_assert_int_eq(admit_proxied(&admit, conn, &in, &patient, &end, &why), 0);
	expect_client(conn, "192.0.2.1:5555");
	go(conn, other);
}
END_TEST

START_TEST(a_header_gives_client_and_id_and_leaves_what_follows)
{
	struct addr src = address("192.0.2.1"), dst = address("198.51.100.1");
	const struct proxy_extras extras = { "a b\"\n", 5, "dcs.example.com" };
	uint8_t buf[PROXY_MESSAGE + 3];
	size_t n = proxy_build_v2(buf, &src, &dst, &extras);
	struct conn *conn;
	int other, result;

	trust("10.0.0.0/8");
	memcpy(buf + n, "\5\1\0", 3);
	conn = proxied(buf, n + 3, &other, &result);
	ck_assert_int_eq(result, 0);
	expect_client(conn, "192.0.2.1:5555");
	ck_assert_str_eq(conn->id, "a\\x20b\\x22\\x0a");
	ck_assert_uint_eq(in.len, 3);
	ck_assert_mem_eq(in.data, "\5\1\0", 3);
	go(conn, other);
}
END_TEST

START_TEST(without_an_id_the_own_one_stays)
{
	struct conn *conn;
	char id[CONN_ID];
	int other;

	trust("10.0.0.0/8");
	conn = come_from("10.0.0.1", &other);
	memcpy(id, conn->id, sizeof(id));
	ck_assert_int_eq(io_write(other, "PROXY UNKNOWN\r\n", 15, &patient), 0);
	ck_assert_int_eq(admit_proxied(&admit, conn, &in, &patient, &end, &why), 0);
	ck_assert_str_eq(conn->id, id);
	expect_client(conn, "10.0.0.1:5555");
	go(conn, other);
}
END_TEST

START_TEST(per_client_holds_for_whom_the_header_names)
{
	struct conn *conn[3];
	int other[3], result;

	conf.per_client = 1;
	trust("10.0.0.0/8");
	conn[0] = proxied_for("192.0.2.1", &other[0], &result);
	ck_assert_int_eq(result, 0);
	conn[1] = proxied_for("192.0.2.2", &other[1], &result);
	ck_assert_int_eq(result, 0);
	conn[2] = proxied_for("192.0.2.1", &other[2], &result);
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(end, END_LIMIT);
	ck_assert_str_eq(why, "limits.per_client is reached");
	expect_client(conn[2], "192.0.2.1:5555");
	go(conn[2], other[2]);
	/* What was refused was not counted, so it gives nothing back. */
	conn[2] = proxied_for("192.0.2.1", &other[2], &result);
	ck_assert_int_eq(result, -1);
	go(conn[0], other[0]);
	go(conn[2], other[2]);
	conn[0] = proxied_for("192.0.2.1", &other[0], &result);
	ck_assert_int_eq(result, 0);
	go(conn[0], other[0]);
	go(conn[1], other[1]);
}
END_TEST

START_TEST(a_client_is_the_same_one_directly_and_behind_a_proxy)
{
	struct conn *conn, *second;
	int other, others, result;

	conf.per_client = 1;
	trust("10.0.0.0/8");
	conn = come_from("192.0.2.1", &other);
	second = proxied_for("192.0.2.1", &others, &result);
	ck_assert_int_eq(result, -1);
	go(second, others);
	go(conn, other);
	second = proxied_for("192.0.2.1", &others, &result);
	ck_assert_int_eq(result, 0);
	ck_assert_ptr_null(come_from("192.0.2.1", &other));
	go(second, others);
}
END_TEST

START_TEST(penalties_hold_for_whom_the_header_names)
{
	struct addr bad = address("192.0.2.1");
	struct conn *conn;
	int other, result;

	trust("10.0.0.0/8");
	admit_failed(&admit, &bad, "ann", 3, "wrong password");
	admit_failed(&admit, &bad, "ann", 3, "wrong password");
	conn = proxied_for("192.0.2.1", &other, &result);
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(end, END_DENIED);
	go(conn, other);
	conn = proxied_for("192.0.2.2", &other, &result);
	ck_assert_int_eq(result, 0);
	go(conn, other);
}
END_TEST

START_TEST(a_proxy_itself_is_neither_counted_nor_refused)
{
	struct addr proxy = address("10.0.0.1");
	struct conn *conn[4];
	int other[4], result;

	conf.per_client = 1;
	trust("10.0.0.0/8");
	admit_failed(&admit, &proxy, "ann", 3, "wrong password");
	admit_failed(&admit, &proxy, "ann", 3, "wrong password");
	for (int i = 0; i < 4; i++) {
		conn[i] = proxied("PROXY UNKNOWN\r\n", 15, &other[i], &result);
		ck_assert_int_eq(result, 0);
	}
	for (int i = 0; i < 4; i++)
		go(conn[i], other[i]);
}
END_TEST

START_TEST(a_client_inside_a_trusted_network_counts_when_it_is_named)
{
	struct conn *conn, *second;
	int other, others, result;

	conf.per_client = 1;
	trust("10.0.0.0/8");
	conn = proxied_for("10.1.2.3", &other, &result);
	ck_assert_int_eq(result, 0);
	second = proxied_for("10.1.2.3", &others, &result);
	ck_assert_int_eq(result, -1);
	go(second, others);
	go(conn, other);
}
END_TEST

static const struct failure {
	const char *bytes;
	size_t size;
	enum end end;
	const char *why;
} failures[] = {
	{ "\5\1\0", 3, END_BAD_REQUEST, "no PROXY header" },
	{ "PROXY TCP4 1.2.3.4\r\n", 20, END_BAD_REQUEST,
		"malformed PROXY header, version 1" },
	{ "PROXY TCP4 1.2.3.4", 18, END_CLIENT_EOF,
		"the connection ended before its PROXY header" },
	{ "", 0, END_CLIENT_EOF, "the connection ended before its PROXY header" },
};

START_TEST(a_trusted_peer_must_send_a_header)
{
	const struct failure *f = &failures[_i];
	struct conn *conn;
	int other;

	trust("10.0.0.0/8");
	conn = come_from("10.0.0.1", &other);
	ck_assert_int_eq(io_write(other, f->bytes, f->size, &patient), 0);
	shutdown(other, SHUT_WR);
	ck_assert_int_eq(admit_proxied(&admit, conn, &in, &patient, &end, &why), -1);
	ck_assert_int_eq(end, f->end);
	ck_assert_str_eq(why, f->why);
	go(conn, other);
}
END_TEST

START_TEST(a_header_that_does_not_come_in_time_ends_it)
{
	struct io_limit limit = { io_now_ms() + 50, -1 };
	struct conn *conn;
	int other;

	trust("10.0.0.0/8");
	conn = come_from("10.0.0.1", &other);
	ck_assert_int_eq(io_write(other, "PROXY ", 6, &patient), 0);
	ck_assert_int_eq(admit_proxied(&admit, conn, &in, &limit, &end, &why), -1);
	ck_assert_int_eq(end, END_HANDSHAKE_TIMEOUT);
	ck_assert_str_eq(why, "no PROXY header in time");
	go(conn, other);
}
END_TEST

START_TEST(a_header_that_fills_the_inbox_is_read)
{
	static uint8_t bytes[PROXY_HEADER_MAX + 1] =
		"\r\n\r\n\0\r\nQUIT\n\x21\x11\3\xf0\xc0\0\2\1\xc6\x33\x64\2\x15\xb3\4\x38"
		"\x20\3\xe1";
	struct conn *conn;
	int other, result;

	trust("10.0.0.0/8");
	bytes[PROXY_HEADER_MAX] = 5;
	conn = proxied(bytes, sizeof(bytes), &other, &result);
	ck_assert_int_eq(result, 0);
	expect_client(conn, "192.0.2.1:5555");
	go(conn, other);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("admit");
	TCase *tc = tcase_create("admit");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, per_client_bounds_each_source_until_one_goes);
	tcase_add_test(tc, a_64_of_ipv6_is_one_client);
	tcase_add_test(tc, failed_sources_are_refused_and_others_are_not);
	tcase_add_test(tc, a_peer_that_is_not_trusted_is_not_asked_for_a_header);
	tcase_add_test(tc, a_header_gives_client_and_id_and_leaves_what_follows);
	tcase_add_test(tc, without_an_id_the_own_one_stays);
	tcase_add_test(tc, per_client_holds_for_whom_the_header_names);
	tcase_add_test(tc, a_client_is_the_same_one_directly_and_behind_a_proxy);
	tcase_add_test(tc, penalties_hold_for_whom_the_header_names);
	tcase_add_test(tc, a_proxy_itself_is_neither_counted_nor_refused);
	tcase_add_test(tc, a_client_inside_a_trusted_network_counts_when_it_is_named);
	tcase_add_loop_test(tc, a_trusted_peer_must_send_a_header, 0,
		(int)(sizeof(failures) / sizeof(failures[0])));
	tcase_add_test(tc, a_header_that_does_not_come_in_time_ends_it);
	tcase_add_test(tc, a_header_that_fills_the_inbox_is_read);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
