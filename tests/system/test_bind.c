/* SPDX-License-Identifier: ISC */
/*
 * The command BIND: what is told, who may come, both replies in every case, what becomes
 * of the listening socket, and the log. Peers are told apart by loopback addresses.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

#define ANYBODY "0.0.0.0"
#define SOON_MS 200 /* nothing happened for so long: it will not */

/* A client that has asked for BIND. */
static int
bind_ask(struct daemon *d, const char *dst)
{
	uint8_t buf[REQUEST_SIZE];
	size_t len = request_ip(buf, dst, 0);
	int fd = socks_dial(d);

	buf[1] = 2;
	mustsend(fd, buf, len);
	return fd;
}

static int
bind_ask_name(struct daemon *d, const char *name)
{
	uint8_t buf[REQUEST_SIZE];
	size_t len = request_name(buf, name, strlen(name), 21);
	int fd = socks_dial(d);

	buf[1] = 2;
	mustsend(fd, buf, len);
	return fd;
}

/* The first reply: that address of 4 bytes, and a port, which is returned. */
static uint16_t
expect_told_at(int fd, const char *ip)
{
	uint16_t port = 0;

	expect_bytes(fd, "\5\0\0\1", 4);
	expect_bytes(fd, ip, 4);
	ck_assert_int_eq(recv(fd, &port, sizeof(port), MSG_WAITALL), 2);
	ck_assert_int_ne(port, 0);
	return ntohs(port);
}
#define expect_told(fd)	       AT(expect_told_at(fd, "\x7f\0\0\1"))
#define expect_told_as(fd, ip) AT(expect_told_at(fd, ip))

static uint16_t
bind_open(struct daemon *d, const char *dst, int *fd)
{
	*fd = bind_ask(d, dst);
	return expect_told_at(*fd, "\x7f\0\0\1");
}
#define bind_open(...) AT(bind_open(__VA_ARGS__))

/* A peer that comes from that address of loopback; -1 with errno: it cannot connect. */
static int
try_dial_from(const char *from, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;

	ck_assert_int_eq(inet_pton(AF_INET, from, &in.sin_addr), 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1)
		fail_test("%s: %s", from, strerror(errno));
	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	in.sin_port = htons(port);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static int
dial_from(const char *from, uint16_t port)
{
	int fd = try_dial_from(from, port);

	if (fd == -1)
		fail_test("connect to what was told: %s", strerror(errno));
	return fd;
}
#define dial_from(...) AT(dial_from(__VA_ARGS__))

/* A peer that is reset, perhaps before it knows that it is connected. */
static void
expect_turned_away(const char *from, uint16_t port)
{
	int fd = try_dial_from(from, port);

	if (fd != -1) {
		expect_reset(fd);
		close(fd);
	} else if (errno != ECONNRESET) {
		fail_test("connect to what was told: %s", strerror(errno));
	}
}
#define expect_turned_away(...) AT(expect_turned_away(__VA_ARGS__))

/* The second reply: BND is the peer's address. */
static void
expect_peer(int fd, int peer)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	ck_assert_int_eq(getsockname(peer, (struct sockaddr *)&in, &len), 0);
	expect_bytes(fd, "\5\0\0\1", 4);
	expect_bytes(fd, &in.sin_addr, 4);
	expect_bytes(fd, &in.sin_port, 2);
}
#define expect_peer(...) AT(expect_peer(__VA_ARGS__))

/* The peer is there, bytes go through, and all is closed. */
static void
finish(int fd, int peer)
{
	const int ends[2] = { fd, peer };

	expect_peer(fd, peer);
	tunnel_check(ends);
	close(fd);
	expect_eof(peer);
	close(peer);
}
#define finish(...) AT(finish(__VA_ARGS__))

START_TEST(the_peer_gets_a_tunnel_and_both_replies_tell_addresses)
{
	struct daemon *d = start_warm("");
	int fd, peer;
	uint16_t port = bind_open(d, ANYBODY, &fd), peer_port;

	peer = dial_from("127.0.0.1", port);
	peer_port = local_port(peer);
	finish(fd, peer);
	expect_log_line(d,
		" user=- rule=- cmd=bind target=0\\.0\\.0\\.0:0 addr=127\\.0\\.0\\.1:%d "
		"up=8 down=6 dns=- dial=[0-9.]+ time=[0-9.]+ end=client-eof$",
		(int)peer_port);
	expect_refused(port);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(four_megabytes_go_both_ways_at_once)
{
	struct daemon *d = start_warm("");
	size_t size = 4 << 20;
	int fd, peer;
	struct flow *flow[4];

	peer = dial_from("127.0.0.1", bind_open(d, ANYBODY, &fd));
	expect_peer(fd, peer);
	flow[0] = send_pattern(fd, size, THEN_EOF);
	flow[1] = recv_pattern(peer, size, THEN_EOF);
	flow[2] = send_pattern(peer, size, THEN_EOF);
	flow[3] = recv_pattern(fd, size, THEN_EOF);
	for (int i = 0; i < 4; i++)
		flow_wait(flow[i]);
	close(fd);
	close(peer);
	expect_log(d, "up=4194304 down=4194304");
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* FAULTS B1 */
START_TEST(nobody_comes_and_the_second_reply_is_6)
{
	struct daemon *d = start_warm("bind: { timeout = 0.3; };");
	int64_t begin = now_ms();
	int fd;
	uint16_t port = bind_open(d, ANYBODY, &fd);

	expect_failure(fd, 6);
	ck_assert_int_ge(now_ms() - begin, 290);
	expect_refused(port);
	expect_log(d, "end=connect-failed rep=6 error=\"no peer came in time\"");
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* FAULTS B2 */
START_TEST(the_wrong_peer_is_reset_and_the_waiting_goes_on)
{
	struct daemon *d = start_warm("log: { level = \"debug\"; };");
	int fd;
	uint16_t port = bind_open(d, "127.0.0.1", &fd);

	for (int i = 0; i < 3; i++) {
		expect_turned_away("127.0.0.3", port);
	}
	expect_silence(fd, SOON_MS);
	finish(fd, dial_from("127.0.0.1", port));
	expect_log(d, "turned away addr=127.0.0.3:");
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(wrong_peers_do_not_move_the_deadline)
{
	struct daemon *d = start_warm("bind: { timeout = 0.5; };");
	int fd, tries = 0;
	uint16_t port = bind_open(d, "127.0.0.1", &fd);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	/* They come more often than it takes to time out. */
	while (poll(&pfd, 1, 50) == 0) {
		int wrong = try_dial_from("127.0.0.3", port);

		if (wrong != -1)
			close(wrong);
		ck_assert_int_lt(++tries, 200);
	}
	expect_failure(fd, 6);
	close(fd);
	stop_daemon(d);
}
END_TEST

/* FAULTS B3 */
enum leave { LEAVE_HALF, LEAVE_CLOSE, LEAVE_RESET, LEAVE_EARLY, LEAVE_END };

START_TEST(a_client_that_leaves_takes_the_listener_with_it)
{
	for (enum leave how = LEAVE_HALF; how < LEAVE_END; how++) {
		struct daemon *d = start_warm("");
		int fd;
		/* Nobody who may come: expect_refused is not to be the peer. */
		uint16_t port = bind_open(d, "127.0.0.9", &fd);

		if (how == LEAVE_EARLY)
			mustsend(fd, BYTES("early"));
		if (how == LEAVE_HALF) {
			half_close(fd);
			expect_failure(fd, 1);
		}
		if (how == LEAVE_RESET)
			reset(fd);
		else
			close(fd);
		expect_refused(port);
		expect_log(d, how == LEAVE_RESET ? "end=client-reset" : "end=client-eof");
		expect_baseline(d);
		stop_daemon(d);
	}
}
END_TEST

/* FAULTS B4 */
START_TEST(of_two_peers_one_gets_the_tunnel_and_the_other_is_reset)
{
	struct daemon *d = start_warm("");

	for (int i = 0; i < 50; i++) {
		int fd, peer[2];
		uint16_t port = bind_open(d, ANYBODY, &fd);

		/* Both are there before the daemon sees either. */
		kill(daemon_pid(d), SIGSTOP);
		ck_assert_int_eq(waitpid(daemon_pid(d), NULL, WUNTRACED), daemon_pid(d));
		peer[0] = dial_from("127.0.0.1", port);
		peer[1] = dial_from("127.0.0.1", port);
		kill(daemon_pid(d), SIGCONT);
		finish(fd, peer[0]);
		expect_reset(peer[1]);
		close(peer[1]);
	}
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* FAULTS B5 */
START_TEST(a_port_in_use_is_rep_1)
{
	uint16_t port;
	int held = mustlisten("127.0.0.1", &port), fd, peer;
	char more[64];
	struct daemon *d;

	snprintf(more, sizeof(more), "bind: { ports = %d; };", (int)port);
	d = start_warm(more);
	fd = bind_ask(d, ANYBODY);
	expect_failure(fd, 1);
	close(fd);
	expect_log(d, "end=connect-failed rep=1 error=\"Address already in use\"");
	close(held);
	peer = dial_from("127.0.0.1", bind_open(d, ANYBODY, &fd));
	finish(fd, peer);
	stop_daemon(d);
}
END_TEST

START_TEST(a_range_in_use_is_rep_1_until_a_port_is_free)
{
	uint16_t port;
	int held = closed_port(&port), fd[2], peer;
	struct daemon *d = start_dcsd("bind: { ports = %d; };", (int)port);

	close(held);
	ck_assert_int_eq(bind_open(d, ANYBODY, &fd[0]), port);
	fd[1] = bind_ask(d, ANYBODY);
	expect_failure(fd[1], 1);
	close(fd[1]);
	/* The tunnel does not keep the port that it began at. */
	peer = dial_from("127.0.0.1", port);
	expect_peer(fd[0], peer);
	ck_assert_int_eq(bind_open(d, ANYBODY, &fd[1]), port);
	finish(fd[1], dial_from("127.0.0.1", port));
	close(fd[0]);
	close(peer);
	stop_daemon(d);
}
END_TEST

START_TEST(a_privileged_port_is_rep_2)
{
	struct daemon *d = start_dcsd(
		"bind: { ports = 1; };%s", geteuid() == 0 ? "user = \"nobody\";" : "");
	int fd = bind_ask(d, ANYBODY);
	uint8_t reply[10];

	ck_assert_int_eq(recv(fd, reply, sizeof(reply), MSG_WAITALL), sizeof(reply));
	if (reply[1] == 0)
		fprintf(stderr, "port 1 is free for all here: nothing to see\n");
	else
		ck_assert_mem_eq(reply, "\5\2\0\1\0\0\0\0\0\0", sizeof(reply));
	close(fd);
	stop_daemon(d);
}
END_TEST

/* How many files the daemon may open from now on. False: this system has no prlimit(1).
 */
static bool
limit_files(const struct daemon *d, int most)
{
	char command[80];

	snprintf(command, sizeof(command), "prlimit --pid %d --nofile=%d: 2>/dev/null",
		(int)daemon_pid(d), most);
	return system(command) == 0;
}
#define FILES_NONE 3
#define FILES_MANY 256

START_TEST(without_a_free_fd_it_is_rep_1)
{
	struct daemon *d = start_warm("");
	uint8_t buf[REQUEST_SIZE];
	size_t len = request_ip(buf, ANYBODY, 0);
	int fd = socks_dial(d), peer;

	buf[1] = 2;
	if (!limit_files(d, FILES_NONE))
		return;
	mustsend(fd, buf, len);
	expect_failure(fd, 1);
	ck_assert(limit_files(d, FILES_MANY));
	close(fd);
	peer = dial_from("127.0.0.1", bind_open(d, ANYBODY, &fd));
	finish(fd, peer);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* The processor time that the daemon has used. */
static int64_t
used_ms(const struct daemon *d)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(daemon_pid(d), &clock) == 0)
		clock_gettime(clock, &used);
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

START_TEST(a_peer_that_finds_no_fd_waits_for_one)
{
	struct daemon *d = start_warm("");
	int64_t before_ms;
	int fd, peer;
	uint16_t port = bind_open(d, ANYBODY, &fd);

	if (!limit_files(d, FILES_NONE))
		return;
	peer = dial_from("127.0.0.1", port);
	before_ms = used_ms(d);
	expect_silence(fd, SOON_MS);
	ck_assert_int_lt(used_ms(d) - before_ms, SOON_MS / 2);
	ck_assert(limit_files(d, FILES_MANY));
	finish(fd, peer);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(data_sent_early_is_kept_for_the_peer)
{
	static const size_t sizes[] = { 5, 1024, 1025, 1 << 20 };
	struct daemon *d = start_warm("");

	for (size_t i = 0; i < COUNT(sizes); i++) {
		int fd, peer;
		uint16_t port = bind_open(d, ANYBODY, &fd);
		struct flow *flow[2];

		flow[0] = send_pattern(fd, sizes[i], THEN_NOTHING);
		expect_silence(fd, SOON_MS / 4);
		peer = dial_from("127.0.0.1", port);
		expect_peer(fd, peer);
		flow[1] = recv_pattern(peer, sizes[i], THEN_NOTHING);
		flow_wait(flow[0]);
		flow_wait(flow[1]);
		mustsend(peer, BYTES("answer"));
		expect_bytes(fd, BYTES("answer"));
		close(fd);
		expect_eof(peer);
		close(peer);
	}
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(data_in_one_segment_with_the_request_is_kept)
{
	struct daemon *d = start_warm("");
	uint8_t buf[REQUEST_SIZE + 8];
	size_t len = request_ip(buf, ANYBODY, 0);
	int fd = socks_dial(d), peer;

	buf[1] = 2;
	memcpy(buf + len, "payload", 7);
	mustsend(fd, buf, len + 7);
	peer = dial_from("127.0.0.1", expect_told(fd));
	expect_peer(fd, peer);
	expect_bytes(peer, BYTES("payload"));
	close(fd);
	close(peer);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(the_advertised_address_is_told_and_the_real_one_listens)
{
	struct daemon *d = start_warm("bind: { advertise = \"203.0.113.5\"; };");
	int fd = bind_ask(d, ANYBODY);

	finish(fd, dial_from("127.0.0.1", expect_told_as(fd, "\xcb\0\x71\5")));
	stop_daemon(d);
}
END_TEST

START_TEST(zeros_as_a_name_let_anybody_come)
{
	static const char *const names[] = { "0.0.0.0", "0", "::" };
	struct daemon *d = start_warm("");

	for (size_t i = 0; i < COUNT(names); i++) {
		int fd = bind_ask_name(d, names[i]);

		harness_row = names[i];
		finish(fd, dial_from("127.0.0.3", expect_told(fd)));
	}
	harness_row = NULL;
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(a_name_lets_its_addresses_come_and_no_others)
{
	struct daemon *d = start_warm("");
	int fd = bind_ask_name(d, "localhost");
	uint16_t port = expect_told(fd);

	expect_turned_away("127.0.0.3", port);
	finish(fd, dial_from("127.0.0.1", port));
	expect_log_line(d, "cmd=bind target=localhost:21 addr=127.* dns=[0-9.]+ ");
	stop_daemon(d);
}
END_TEST

START_TEST(a_name_without_an_address_is_rep_4)
{
	struct daemon *d = start_warm("");
	int fd = bind_ask_name(d, "no-such-name.invalid");
	uint8_t reply[10];

	/* Without network, the resolver may have failed rather than said no. */
	ck_assert_int_eq(recv(fd, reply, sizeof(reply), MSG_WAITALL), sizeof(reply));
	ck_assert(reply[1] == 4 || reply[1] == 1 || reply[1] == 6);
	expect_eof(fd);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* Special addresses, and who it is that may come. */
START_TEST(an_address_that_cannot_come_is_refused_at_once)
{
	static const struct {
		const char *dst;
		int rep;
	} rows[] = { { "224.0.0.1", 2 }, { "255.255.255.255", 2 }, { "::1", 8 },
		{ "2001:db8::1", 8 }, { "ff02::1", 2 } };
	struct daemon *d = start_warm("");

	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = bind_ask(d, rows[i].dst);

		harness_row = rows[i].dst;
		expect_failure(fd, rows[i].rep);
		close(fd);
	}
	harness_row = NULL;
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

#define RULES(text) "log: { level = \"debug\"; }; rules = (" text ");"

START_TEST(rules_without_bind_refuse_it)
{
	struct daemon *d =
		start_dcsd(RULES("{ name = \"c\"; action = \"allow\"; commands = "
				 "[ \"connect\", \"udp\" ]; }"));
	int fd = bind_ask(d, ANYBODY);

	expect_failure(fd, 2);
	close(fd);
	expect_log(d, "cmd=bind target=0.0.0.0:0 addr=- up=0 down=0 dns=- dial=- time=");
	expect_log(d, "end=denied rep=2 error=\"no rule matches\"");
	stop_daemon(d);
}
END_TEST

START_TEST(rules_are_asked_again_for_the_peer)
{
	struct daemon *d =
		start_dcsd(RULES("{ name = \"near\"; action = \"allow\"; commands = "
				 "\"bind\"; targets = \"127.0.0.1\"; }"));
	int fd;
	uint16_t port = bind_open(d, ANYBODY, &fd);

	expect_turned_away("127.0.0.3", port);
	expect_log_line(d, "turned away addr=127.0.0.3:[0-9]+: no rule matches$");
	finish(fd, dial_from("127.0.0.1", port));
	expect_log_line(d, "rule=near cmd=bind .* end=client-eof$");
	stop_daemon(d);
}
END_TEST

START_TEST(rules_that_will_not_let_the_named_peer_come_refuse_at_once)
{
	struct daemon *d = start_dcsd(
		RULES("{ name = \"not3\"; action = \"deny\"; targets = \"127.0.0.3\"; },"
		      "{ name = \"near\"; action = \"allow\"; targets = "
		      "\"127.0.0.0/8\"; }"));
	int fd = bind_ask(d, "127.0.0.3"), peer;

	expect_failure(fd, 2);
	close(fd);
	expect_log_line(d,
		"rule=not3 cmd=bind .* end=denied rep=2 "
		"error=\"denied by this rule\"$");
	fd = bind_ask(d, "192.0.2.1");
	expect_failure(fd, 2);
	close(fd);
	expect_log_line(d,
		"rule=- cmd=bind .* end=denied rep=2 "
		"error=\"no rule matches\"$");
	peer = dial_from("127.0.0.1", bind_open(d, "127.0.0.1", &fd));
	finish(fd, peer);
	stop_daemon(d);
}
END_TEST

/* DST's port is not the peer's: a rule for ports has nothing to say yet. */
START_TEST(a_denied_port_in_dst_does_not_matter)
{
	struct daemon *d = start_dcsd(
		RULES("{ action = \"deny\"; ports = 21; }, { action = \"allow\"; }"));
	uint8_t buf[REQUEST_SIZE];
	size_t len = request_ip(buf, "127.0.0.1", 21);
	int fd = socks_dial(d);

	buf[1] = 2;
	mustsend(fd, buf, len);
	finish(fd, dial_from("127.0.0.1", expect_told(fd)));
	stop_daemon(d);
}
END_TEST

START_TEST(the_limit_is_that_of_the_rule_that_lets_the_peer_in)
{
	struct daemon *d = start_dcsd(RULES(
		"{ name = \"one\"; action = \"allow\"; targets = \"127.0.0.1\"; limit = "
		"1; },"
		"{ name = \"rest\"; action = \"allow\"; targets = \"127.0.0.0/8\"; }"));
	int fd[3], peer, full;
	uint16_t port = bind_open(d, ANYBODY, &fd[0]);

	/* The request has taken the one place of "one"; its peer gives it back. */
	fd[1] = bind_ask(d, "127.0.0.1");
	expect_failure(fd[1], 2);
	close(fd[1]);
	expect_log(d, "end=limit rep=2 error=\"the rule's limit is reached\"");
	peer = dial_from("127.0.0.3", port);
	expect_peer(fd[0], peer);
	port = bind_open(d, "127.0.0.3", &fd[1]);
	bind_open(d, "127.0.0.1", &fd[2]);
	close(fd[0]);
	close(peer);
	expect_log_line(d, "rule=rest cmd=bind .*addr=127.0.0.3:[0-9]+ ");
	finish(fd[1], dial_from("127.0.0.3", port));
	full = bind_ask(d, "127.0.0.1");
	expect_failure(full, 2);
	close(full);
	close(fd[2]);
	stop_daemon(d);
}
END_TEST

START_TEST(a_peer_whose_rule_is_full_is_turned_away)
{
	struct daemon *d = start_dcsd(RULES(
		"{ name = \"near\"; action = \"allow\"; targets = \"127.0.0.1\"; },"
		"{ name = \"one\"; action = \"allow\"; targets = \"127.0.0.3\"; limit = "
		"1; }"));
	int held, fd;
	uint16_t port;

	bind_open(d, "127.0.0.3", &held);
	port = bind_open(d, ANYBODY, &fd);
	expect_turned_away("127.0.0.3", port);
	finish(fd, dial_from("127.0.0.1", port));
	close(held);
	stop_daemon(d);
}
END_TEST

START_TEST(a_client_over_ipv6_is_told_an_address_of_ipv6)
{
	struct daemon *d;
	uint8_t buf[REQUEST_SIZE];
	size_t len = request_ip(buf, "::", 0);
	uint16_t port;
	int fd, peer;

	if (!has_ipv6())
		return;
	d = daemon_spawn(DCSD, "listen = \"[::1]:0\";");
	daemon_await_ready(d);
	fd = mustdial_ip("::1", daemon_port(d, 0));
	mustsend(fd, BYTES(GREETING));
	expect_bytes(fd, BYTES(METHOD_NONE));
	buf[1] = 2;
	mustsend(fd, buf, len);
	expect_bytes(fd, "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 20);
	ck_assert_int_eq(recv(fd, &port, sizeof(port), MSG_WAITALL), 2);
	peer = mustdial_ip("::1", ntohs(port));
	port = htons(local_port(peer));
	expect_bytes(fd, "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 20);
	expect_bytes(fd, &port, sizeof(port));
	mustsend(peer, BYTES("hello"));
	expect_bytes(fd, BYTES("hello"));
	close(fd);
	close(peer);
	stop_daemon(d);
}
END_TEST

START_TEST(a_drain_that_is_over_ends_the_waiting)
{
	struct daemon *d = start_dcsd("%s", "timeouts: { drain = 0.1; };");
	int fd;
	int64_t begin = now_ms();

	bind_open(d, ANYBODY, &fd);
	kill(daemon_pid(d), SIGTERM);
	expect_end(fd);
	expect_exit(d, 0);
	ck_assert_int_lt(now_ms() - begin, 10000);
	close(fd);
}
END_TEST

START_TEST(a_hundred_wait_at_once_and_each_gets_its_own_peer)
{
	struct daemon *d = start_warm("");
	int fd[100];
	uint16_t port[100];

	for (int i = 0; i < 100; i++)
		port[i] = bind_open(d, ANYBODY, &fd[i]);
	for (int i = 99; i >= 0; i--)
		finish(fd[i], dial_from("127.0.0.1", port[i]));
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("bind");

	tcase_add_test(tc, the_peer_gets_a_tunnel_and_both_replies_tell_addresses);
	tcase_add_test(tc, four_megabytes_go_both_ways_at_once);
	tcase_add_test(tc, nobody_comes_and_the_second_reply_is_6);
	tcase_add_test(tc, the_wrong_peer_is_reset_and_the_waiting_goes_on);
	tcase_add_test(tc, wrong_peers_do_not_move_the_deadline);
	tcase_add_test(tc, a_client_that_leaves_takes_the_listener_with_it);
	tcase_add_test(tc, of_two_peers_one_gets_the_tunnel_and_the_other_is_reset);
	tcase_add_test(tc, a_port_in_use_is_rep_1);
	tcase_add_test(tc, a_range_in_use_is_rep_1_until_a_port_is_free);
	tcase_add_test(tc, a_privileged_port_is_rep_2);
	tcase_add_test(tc, without_a_free_fd_it_is_rep_1);
	tcase_add_test(tc, a_peer_that_finds_no_fd_waits_for_one);
	tcase_add_test(tc, data_sent_early_is_kept_for_the_peer);
	tcase_add_test(tc, data_in_one_segment_with_the_request_is_kept);
	tcase_add_test(tc, the_advertised_address_is_told_and_the_real_one_listens);
	tcase_add_test(tc, zeros_as_a_name_let_anybody_come);
	tcase_add_test(tc, a_name_lets_its_addresses_come_and_no_others);
	tcase_add_test(tc, a_name_without_an_address_is_rep_4);
	tcase_add_test(tc, an_address_that_cannot_come_is_refused_at_once);
	tcase_add_test(tc, rules_without_bind_refuse_it);
	tcase_add_test(tc, rules_are_asked_again_for_the_peer);
	tcase_add_test(tc, rules_that_will_not_let_the_named_peer_come_refuse_at_once);
	tcase_add_test(tc, a_denied_port_in_dst_does_not_matter);
	tcase_add_test(tc, the_limit_is_that_of_the_rule_that_lets_the_peer_in);
	tcase_add_test(tc, a_peer_whose_rule_is_full_is_turned_away);
	tcase_add_test(tc, a_client_over_ipv6_is_told_an_address_of_ipv6);
	tcase_add_test(tc, a_drain_that_is_over_ends_the_waiting);
	tcase_add_test(tc, a_hundred_wait_at_once_and_each_gets_its_own_peer);
	return harness_run("bind", tc);
}
