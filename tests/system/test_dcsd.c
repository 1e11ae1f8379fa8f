/* SPDX-License-Identifier: ISC */
/*
 * What dcsd answers: the messages of RFC 1928 well formed, cut, split, merged and
 * hostile, the reply for every cause, limits, and the log lines of all that. What flows
 * through tunnels is in test_tunnel.c.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define NETWORK_80 "\0\x50" /* port 80 */

/* A request that is refused; port 80 where any would do. */
struct refusal {
	const char *what;
	const char *request;
	size_t len;
	int rep;
};

#define NAME_80(len, name) BYTES("\5\1\0\3" len name NETWORK_80)
#define IPV4_80(ip)	   BYTES("\5\1\0\1" ip NETWORK_80)
#define IPV6_80(ip)	   BYTES("\5\1\0\4" ip NETWORK_80)

static const struct refusal refusals[] = {
	{ "VER 4", BYTES("\4\1\0\1\x7f\0\0\1\0\x50"), 1 },
	{ "VER 0", BYTES("\0\1\0\1\x7f\0\0\1\0\x50"), 1 },
	{ "CMD 0", BYTES("\5\0\0\1\x7f\0\0\1\0\x50"), 7 },
	{ "CMD 4", BYTES("\5\4\0\1\x7f\0\0\1\0\x50"), 7 },
	{ "CMD f0", BYTES("\5\xf0\0\1\x7f\0\0\1\0\x50"), 7 },
	{ "CMD ff", BYTES("\5\xff\0\1\x7f\0\0\1\0\x50"), 7 },
	{ "ATYP 0", BYTES("\5\1\0\0\x7f\0\0\1\0\x50"), 8 },
	{ "ATYP 2", BYTES("\5\1\0\2\x7f\0\0\1\0\x50"), 8 },
	{ "ATYP 5", BYTES("\5\1\0\5\x7f\0\0\1\0\x50"), 8 },
	{ "ATYP 255", BYTES("\5\1\0\xff\x7f\0\0\1\0\x50"), 8 },
	{ "empty name", NAME_80("\0", ""), 1 },
	{ "name with NUL", NAME_80("\13", "localhost\0x"), 1 },
	{ "name that is NUL", NAME_80("\1", "\0"), 1 },
	{ "name with newline", NAME_80("\13", "local\nhost."), 1 },
	{ "name with DEL", NAME_80("\12", "localhost\x7f"), 1 },
	{ "port 0 of an address", BYTES("\5\1\0\1\x7f\0\0\1\0\0"), 1 },
	{ "port 0 of a name", BYTES("\5\1\0\3\11localhost\0\0"), 1 },
	{ "0.0.0.0", IPV4_80("\0\0\0\0"), 2 },
	{ "0.0.0.1", IPV4_80("\0\0\0\1"), 2 },
	{ "::", IPV6_80("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 2 },
	{ "::ffff:0.0.0.0", IPV6_80("\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0"), 2 },
	{ "224.0.0.1", IPV4_80("\xe0\0\0\1"), 2 },
	{ "239.255.255.250", IPV4_80("\xef\xff\xff\xfa"), 2 },
	{ "ff02::1", IPV6_80("\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), 2 },
	{ "240.0.0.1", IPV4_80("\xf0\0\0\1"), 2 },
	{ "255.255.255.255", IPV4_80("\xff\xff\xff\xff"), 2 },
	{ "0.0.0.0 as a name", NAME_80("\7", "0.0.0.0"), 2 },
	{ "0 as a name", NAME_80("\1", "0"), 2 },
	{ ":: as a name", NAME_80("\2", "::"), 2 },
	{ "224.0.0.1 as a name", NAME_80("\11", "224.0.0.1"), 2 },
};

START_TEST(bad_requests_get_their_reply_and_the_end)
{
	struct daemon *d = start_warm("");

	for (size_t i = 0; i < COUNT(refusals); i++) {
		int fd = socks_dial(d);

		harness_row = refusals[i].what;
		mustsend(fd, refusals[i].request, refusals[i].len);
		expect_failure(fd, refusals[i].rep);
		close(fd);
	}
	harness_row = NULL;
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(greeting_cut_by_the_end_gets_no_reply)
{
	struct daemon *d = start_warm("");

	for (size_t len = 0; len < 3; len++) {
		int fd = mustdial(daemon_port(d, 0));

		mustsend(fd, GREETING, len);
		half_close(fd);
		expect_eof(fd);
		close(fd);
	}
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(request_cut_by_the_end_gets_no_reply)
{
	static const char request[] = "\5\1\0\3\11localhost\0\x50";
	struct daemon *d = start_warm("");

	for (size_t len = 0; len < sizeof(request) - 1; len++) {
		int fd = socks_dial(d);

		mustsend(fd, request, len);
		half_close(fd);
		expect_eof(fd);
		close(fd);
	}
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* Sends in two segments, or each byte in its own; the pauses only make that likely. */
static void
send_split(int fd, const uint8_t *data, size_t len, size_t at)
{
	mustsend(fd, data, at);
	poll(NULL, 0, 2);
	mustsend(fd, data + at, len - at);
}

static void
send_dribble(int fd, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		mustsend(fd, data + i, 1);
		poll(NULL, 0, 1);
	}
}

/* A whole exchange, merged: greeting, request and payload. Returns its size. */
static size_t
merged(uint8_t *buf, uint16_t port)
{
	size_t len = sizeof(GREETING) - 1;

	memcpy(buf, GREETING, len);
	len += request_name(buf + len, BYTES("localhost"), port);
	memcpy(buf + len, "payload", 7);
	return len + 7;
}

static void
expect_merged(int fd, int listener)
{
	int target = mustaccept(listener);

	expect_bytes(fd, BYTES(METHOD_NONE));
	expect_success(fd, target);
	expect_bytes(target, BYTES("payload"));
	mustsend(target, BYTES("answer"));
	close(target);
	expect_bytes(fd, BYTES("answer"));
	expect_eof(fd);
	close(fd);
}

START_TEST(messages_may_be_split_anywhere)
{
	struct daemon *d = start_warm("");
	uint8_t buf[REQUEST_SIZE + 16];
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port);
	size_t len = merged(buf, port);

	for (size_t at = 0; at <= len; at++) {
		int fd = mustdial(daemon_port(d, 0));

		send_split(fd, buf, len, at);
		expect_merged(fd, listener);
	}
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(messages_may_come_byte_by_byte)
{
	struct daemon *d = start_dcsd("%s", "");
	uint8_t buf[REQUEST_SIZE + 16];
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port);
	int fd = mustdial(daemon_port(d, 0));

	send_dribble(fd, buf, merged(buf, port));
	expect_merged(fd, listener);
	stop_daemon(d);
}
END_TEST

struct stranger {
	const char *what;
	const char *first;
	size_t len;
	const char *guess;
};

static const struct stranger strangers[] = {
	{ "HTTP", BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP" },
	{ "HTTP proxy", BYTES("CONNECT x:80 HTTP/1.1\r\n\r\n"), "HTTP" },
	{ "TLS", BYTES("\x16\3\1\2\0\1\0\1\xfc\3\3"), "TLS" },
	{ "SOCKS4", BYTES("\4\1\0\x50\x7f\0\0\1\0"), "SOCKS4" },
	{ "zero", BYTES("\0\0\0"), "bad-request" },
};

START_TEST(other_protocols_get_no_reply_and_are_named_in_the_log)
{
	for (size_t i = 0; i < COUNT(strangers); i++) {
		struct daemon *d = start_dcsd("log: { level = \"debug\"; };");
		int fd = mustdial(daemon_port(d, 0));

		harness_row = strangers[i].what;
		mustsend(fd, strangers[i].first, strangers[i].len);
		expect_end(fd);
		close(fd);
		expect_log(d, "%s", strangers[i].guess);
		stop_daemon(d);
	}
}
END_TEST

START_TEST(greeting_without_our_method_is_answered_ff)
{
	static const struct refusal greetings[] = {
		{ "no method", BYTES("\5\0"), 0 },
		{ "unknown ones", BYTES("\5\3\3\x80\xfe"), 0 },
		{ "ff is no method", BYTES("\5\1\xff"), 0 },
	};
	struct daemon *d = start_dcsd("%s", "");

	for (size_t i = 0; i < COUNT(greetings); i++) {
		int fd = mustdial(daemon_port(d, 0));

		harness_row = greetings[i].what;
		mustsend(fd, greetings[i].request, greetings[i].len);
		expect_bytes(fd, BYTES("\5\xff"));
		expect_eof(fd);
		close(fd);
	}
	stop_daemon(d);
}
END_TEST

START_TEST(method_none_is_found_as_the_last_of_255)
{
	struct daemon *d = start_dcsd("%s", "");
	uint8_t greeting[257] = { 5, 255 };
	int fd = mustdial(daemon_port(d, 0));

	memset(greeting + 2, 0x80, 254);
	mustsend(fd, greeting, sizeof(greeting));
	expect_bytes(fd, BYTES(METHOD_NONE));
	close(fd);
	stop_daemon(d);
}
END_TEST

START_TEST(rsv_of_a_request_is_not_looked_at)
{
	struct daemon *d = start_dcsd("%s", "");
	uint8_t buf[REQUEST_SIZE];
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port);
	size_t len = request_ip(buf, "127.0.0.1", port);
	int fd[2] = { socks_dial(d) };

	buf[2] = 0xff;
	mustsend(fd[CLIENT], buf, len);
	fd[TARGET] = mustaccept(listener);
	expect_success(fd[CLIENT], fd[TARGET]);
	tunnel_close(fd);
	stop_daemon(d);
}
END_TEST

START_TEST(reply_survives_garbage_behind_a_bad_request)
{
	static const char garbage[32768] = "\5\1\0\1\x7f\0\0\1\0";
	struct daemon *d = start_warm("");
	int fd = socks_dial(d);

	mustsend(fd, garbage, sizeof(garbage));
	expect_failure(fd, 1); /* port 0 */
	close(fd);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(megabyte_of_garbage_ends_only_its_connection)
{
	static const char garbage[1 << 20];
	struct daemon *d = start_warm("");
	int fd = mustdial(daemon_port(d, 0));

	try_send(fd, garbage, sizeof(garbage));
	close(fd);
	expect_baseline(d);
	close(socks_dial(d));
	stop_daemon(d);
}
END_TEST

/* A target by what the client sends: an address when len is 0, else a name. */
struct way {
	const char *what;
	const char *name;
	size_t len;
	const char *listen;
};

static const struct way ways[] = {
	{ "IPv4", "127.0.0.1", 0, "127.0.0.1" },
	{ "IPv4-mapped", "::ffff:127.0.0.1", 0, "127.0.0.1" },
	{ "another loopback", "127.0.0.2", 0, "127.0.0.2" },
	{ "localhost", BYTES("localhost"), "127.0.0.1" },
	{ "IPv4 as a name", BYTES("127.0.0.1"), "127.0.0.1" },
	{ "short IPv4", BYTES("127.1"), "127.0.0.1" },
	{ "mapped as a name", BYTES("::ffff:127.0.0.1"), "127.0.0.1" },
	{ "IPv6", "::1", 0, "::1" },
	{ "IPv6 as a name", BYTES("::1"), "::1" },
};

static size_t
request_way(uint8_t *buf, const struct way *way, uint16_t port)
{
	return way->len == 0 ? request_ip(buf, way->name, port)
			     : request_name(buf, way->name, way->len, port);
}

START_TEST(target_is_reached_and_bnd_is_the_real_local_address)
{
	struct daemon *d = start_dcsd("%s", "");

	for (size_t i = 0; i < COUNT(ways); i++) {
		uint8_t buf[REQUEST_SIZE];
		uint16_t port;
		int listener, fd[2];

		harness_row = ways[i].what;
		if (strcmp(ways[i].listen, "::1") == 0 && !has_ipv6())
			continue;
		listener = mustlisten(ways[i].listen, &port);
		fd[CLIENT] = socks_dial(d);
		mustsend(fd[CLIENT], buf, request_way(buf, &ways[i], port));
		fd[TARGET] = mustaccept(listener);
		expect_success(fd[CLIENT], fd[TARGET]);
		tunnel_check(fd);
		tunnel_close(fd);
		close(listener);
	}
	stop_daemon(d);
}
END_TEST

START_TEST(its_own_listening_sockets_are_refused)
{
	bool ipv6 = has_ipv6();
	struct daemon *d = daemon_spawn(
		DCSD, "listen = [ \"127.0.0.1:0\"%s ];", ipv6 ? ", \"[::1]:0\"" : "");

	daemon_await_ready(d);
	for (size_t i = 0; i < COUNT(ways); i++) {
		bool v6 = strcmp(ways[i].listen, "::1") == 0;
		uint8_t buf[REQUEST_SIZE];
		int fd;

		harness_row = ways[i].what;
		if ((v6 && !ipv6) || strcmp(ways[i].listen, "127.0.0.2") == 0)
			continue;
		fd = socks_dial(d);
		mustsend(fd, buf, request_way(buf, &ways[i], daemon_port(d, v6)));
		expect_failure(fd, 2);
		close(fd);
	}
	stop_daemon(d);
}
END_TEST

START_TEST(refused_connection_is_rep_5)
{
	struct daemon *d = start_warm("");
	uint16_t port;
	int hold = closed_port(&port), fd = socks_dial(d);

	socks_ask(fd, "127.0.0.1", port);
	expect_failure(fd, 5);
	expect_log_line(d,
		"cmd=connect target=127\\.0\\.0\\.1:%d .*"
		" end=connect-failed rep=5 error=\"Connection refused\"$",
		port);
	close(fd);
	close(hold);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* Reads the ten bytes of a failure reply. Returns its REP. */
static int
any_failure(int fd)
{
	char rep = 0;

	expect_bytes(fd, BYTES("\5"));
	ck_assert(read(fd, &rep, 1) == 1);
	expect_bytes(fd, BYTES("\0\1\0\0\0\0\0\0"));
	expect_eof(fd);
	return rep;
}

/* REP 4, where there is a resolver; 1 or 6 without one that answers. */
static void
expect_not_found(struct daemon *d, const char *name, size_t len)
{
	uint8_t buf[REQUEST_SIZE];
	int fd = socks_dial(d), rep;

	mustsend(fd, buf, request_name(buf, name, len, 80));
	rep = any_failure(fd);
	ck_assert_msg(rep == 4 || rep == 1 || rep == 6, "REP %d", rep);
	close(fd);
}

START_TEST(unknown_name_is_rep_4)
{
	struct daemon *d = start_dcsd("%s", "");

	expect_not_found(d, BYTES("no-such-host.invalid"));
	expect_log_line(d,
		"target=no-such-host\\.invalid:80 addr=- .*"
		" end=connect-failed rep=[146] error=\".+\"$");
	stop_daemon(d);
}
END_TEST

START_TEST(hostile_names_are_escaped_in_the_log)
{
	struct daemon *d = start_dcsd("%s", "");
	char longest[255];
	int fd;

	memset(longest, 'x', sizeof(longest));
	expect_not_found(d, longest, sizeof(longest));
	expect_not_found(d, BYTES("[::1]"));
	expect_not_found(d, BYTES("a\"b\\c d\xff%s%n"));
	expect_log(d, " target=a\\x22b\\x5cc\\x20d\\xff%%s%%n:80 ");
	fd = socks_dial(d);
	mustsend(fd, NAME_80("\14", "x\ntunnel id="));
	expect_failure(fd, 1);
	expect_log(d, "end=bad-request");
	ck_assert_int_eq(log_count(d, "\ntunnel"), 0);
	stop_daemon(d);
}
END_TEST

START_TEST(client_that_half_closes_before_the_reply_gets_all)
{
	struct daemon *d = start_dcsd("%s", "");
	uint8_t buf[REQUEST_SIZE + 16];
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), target;
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, buf, merged(buf, port));
	half_close(fd);
	target = mustaccept(listener);
	expect_bytes(fd, BYTES(METHOD_NONE));
	expect_success(fd, target);
	expect_bytes(target, BYTES("payload"));
	expect_eof(target);
	mustsend(target, BYTES("late answer"));
	close(target);
	expect_bytes(fd, BYTES("late answer"));
	expect_eof(fd);
	stop_daemon(d);
}
END_TEST

START_TEST(second_request_on_a_tunnel_is_payload)
{
	struct daemon *d = start_dcsd("%s", "");
	uint16_t port;
	int fd[2];

	tunnel_open(d, mustlisten("127.0.0.1", &port), fd);
	socks_ask(fd[CLIENT], "127.0.0.1", 80);
	expect_bytes(fd[TARGET], BYTES("\5\1\0\1\x7f\0\0\1\0\x50"));
	tunnel_check(fd);
	tunnel_close(fd);
	stop_daemon(d);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("dcsd");

	tcase_add_test(tc, bad_requests_get_their_reply_and_the_end);
	tcase_add_test(tc, greeting_cut_by_the_end_gets_no_reply);
	tcase_add_test(tc, request_cut_by_the_end_gets_no_reply);
	tcase_add_test(tc, messages_may_be_split_anywhere);
	tcase_add_test(tc, messages_may_come_byte_by_byte);
	tcase_add_test(tc, other_protocols_get_no_reply_and_are_named_in_the_log);
	tcase_add_test(tc, greeting_without_our_method_is_answered_ff);
	tcase_add_test(tc, method_none_is_found_as_the_last_of_255);
	tcase_add_test(tc, rsv_of_a_request_is_not_looked_at);
	tcase_add_test(tc, reply_survives_garbage_behind_a_bad_request);
	tcase_add_test(tc, megabyte_of_garbage_ends_only_its_connection);
	tcase_add_test(tc, target_is_reached_and_bnd_is_the_real_local_address);
	tcase_add_test(tc, its_own_listening_sockets_are_refused);
	tcase_add_test(tc, refused_connection_is_rep_5);
	tcase_add_test(tc, unknown_name_is_rep_4);
	tcase_add_test(tc, hostile_names_are_escaped_in_the_log);
	tcase_add_test(tc, client_that_half_closes_before_the_reply_gets_all);
	tcase_add_test(tc, second_request_on_a_tunnel_is_payload);
	return harness_run("dcsd", tc);
}
