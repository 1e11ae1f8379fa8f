/* SPDX-License-Identifier: ISC */
/*
 * dcsd's clocks, limits and log lines, how it starts, and how it ends: by SIGTERM with
 * and without tunnels, twice, and by SIGQUIT.
 */
#include "config.h"

#include <sys/socket.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "peer.h"

START_TEST(full_backlog_is_rep_6_at_the_connect_timeout)
{
	struct daemon *d = start_warm("timeouts: { connect = 0.5; };");
	uint16_t port;
	int64_t start = now_ms();
	int listener = full_port(&port), fd;

	if (listener >= 0) {
		fd = socks_dial(d);
		socks_ask(fd, "127.0.0.1", port);
		expect_failure(fd, 6);
		ck_assert_int_ge(now_ms() - start, 500);
		expect_log(d, "end=connect-failed rep=6 error=\"");
		close(fd);
		expect_baseline(d);
	}
	stop_daemon(d);
}
END_TEST

START_TEST(reset_of_the_client_ends_a_connect)
{
	struct daemon *d = start_warm("timeouts: { connect = 3600; };");
	uint16_t port;
	int listener = full_port(&port), fd;

	if (listener >= 0) {
		fd = socks_dial(d);
		socks_ask(fd, "127.0.0.1", port);
		expect_silence(fd, 100);
		reset(fd);
		expect_baseline(d);
		expect_log(d, "end=client-reset");
	}
	stop_daemon(d);
}
END_TEST

START_TEST(silent_handshake_ends_at_its_deadline)
{
	struct daemon *d = start_warm("timeouts: { handshake = 0.5; };");
	int64_t start = now_ms();
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, BYTES("\5"));
	expect_end(fd);
	ck_assert_int_ge(now_ms() - start, 490);
	close(fd);
	expect_log(d, "end=handshake-timeout");
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* Dribbles what may go on for long behind the first bytes; fd has begun to speak. */
static void
dribble(struct daemon *d, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t start = now_ms();

	do
		try_send(fd, "\x80", 1);
	while (poll(&pfd, 1, 100) == 0 && now_ms() - start < WAIT_MS);
	expect_end(fd);
	ck_assert_int_ge(now_ms() - start, 500); /* some of the second is past */
	ck_assert_int_lt(now_ms() - start, 6000);
	close(fd);
	expect_log(d, "end=handshake-timeout");
	stop_daemon(d);
}

START_TEST(dribbled_greeting_ends_at_the_same_deadline)
{
	struct daemon *d = start_dcsd("timeouts: { handshake = 1; };");
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, BYTES("\5\xff"));
	dribble(d, fd);
}
END_TEST

START_TEST(dribbled_request_ends_at_the_same_deadline)
{
	struct daemon *d = start_dcsd("timeouts: { handshake = 1; };");
	int fd = socks_dial(d);

	mustsend(fd, BYTES("\5\1\0\3\xff"));
	dribble(d, fd);
}
END_TEST

START_TEST(client_may_park_before_its_request)
{
	struct daemon *d = start_dcsd("timeouts: { handshake = 0.3; parked = 60; };");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd[2] = { socks_dial(d) };

	expect_silence(fd[CLIENT], 700);
	socks_ask(fd[CLIENT], "127.0.0.1", port);
	fd[TARGET] = mustaccept(listener);
	expect_success(fd[CLIENT], fd[TARGET]);
	tunnel_check(fd);
	tunnel_close(fd);
	stop_daemon(d);
}
END_TEST

START_TEST(parked_client_ends_at_its_limit)
{
	struct daemon *d = start_warm("timeouts: { handshake = 0.2; parked = 0.8; };");
	int64_t start = now_ms();
	int fd = socks_dial(d);

	expect_end(fd);
	ck_assert_int_ge(now_ms() - start, 790);
	close(fd);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* Dials until the daemon has noticed that a tunnel is gone, and there is room again. */
static void
expect_room(struct daemon *d)
{
	char method[2];
	ssize_t n = 0;
	int fd;

	for (int tries = WAIT_MS / 10; n != sizeof(method) && tries > 0; tries--) {
		fd = mustdial(daemon_port(d, 0));
		try_send(fd, BYTES(GREETING));
		n = recv(fd, method, sizeof(method), MSG_WAITALL);
		close(fd);
		poll(NULL, 0, 10);
	}
	ck_assert_int_eq(n, sizeof(method));
}

START_TEST(client_over_the_limit_is_reset_and_others_stay)
{
	struct daemon *d = start_dcsd("limits: { tunnels = 2; };");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), one[2], two[2];

	tunnel_open(d, listener, one);
	tunnel_open(d, listener, two);
	expect_no_service(daemon_port(d, 0));
	tunnel_check(one);
	tunnel_check(two);
	tunnel_close(one);
	expect_room(d);
	tunnel_check(two);
	tunnel_close(two);
	stop_daemon(d);
}
END_TEST

#define SECONDS "[0-9]+\\.[0-9]{3}"

START_TEST(log_line_has_every_field_in_its_order)
{
	struct daemon *d = start_dcsd("%s", "");
	uint8_t buf[REQUEST_SIZE];
	uint16_t port, client;
	int listener = mustlisten("127.0.0.1", &port), fd[2];

	fd[CLIENT] = socks_dial(d);
	client = local_port(fd[CLIENT]);
	mustsend(fd[CLIENT], buf, request_name(buf, BYTES("localhost"), port));
	fd[TARGET] = mustaccept(listener);
	expect_success(fd[CLIENT], fd[TARGET]);
	tunnel_check(fd);
	half_close(fd[TARGET]);
	expect_eof(fd[CLIENT]);
	tunnel_close(fd);
	expect_log_line(d,
		"^dcsd\\[%d\\]: tunnel id=[0-9a-f]+-[0-9a-f]+ client=127\\.0\\.0\\.1:%d"
		" user=- rule=- cmd=connect target=localhost:%d addr=127\\.0\\.0\\.1:%d"
		" up=8 down=6 dns=" SECONDS " dial=" SECONDS " time=" SECONDS
		" end=target-eof$",
		(int)daemon_pid(d), client, port, port);
	stop_daemon(d);
}
END_TEST

START_TEST(connect_and_close_a_thousand_times_leaves_nothing)
{
	struct daemon *d = start_warm("");

	for (int i = 0; i < 1000; i++)
		close(mustdial(daemon_port(d, 0)));
	expect_baseline(d);
	/* A health checker must not fill the log. */
	ck_assert_int_lt(log_count(d, "\n"), 50);
	stop_daemon(d);
}
END_TEST

START_TEST(unknown_key_is_exit_78_with_file_and_line)
{
	struct daemon *d = daemon_spawn(DCSD, "listen = 1081;\nnonsense: { };\n");

	expect_log_line(d, "/conf:2: .*nonsense");
	expect_exit(d, 78);
}
END_TEST

START_TEST(taken_port_is_exit_1_with_its_name)
{
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port);
	struct daemon *d = daemon_spawn(DCSD, "listen = \"127.0.0.1:%d\";", port);

	expect_log(d, "127.0.0.1:%d: Address already in use", port);
	expect_exit(d, 1);
	close(listener);
}
END_TEST

START_TEST(sigterm_lets_a_tunnel_finish)
{
	struct daemon *d = start_dcsd("timeouts: { drain = 60; };");
	uint16_t port = daemon_port(d, 0), target;
	int fd[2];

	tunnel_open(d, mustlisten("127.0.0.1", &target), fd);
	kill(daemon_pid(d), SIGTERM);
	expect_refused(port);
	tunnel_check(fd);
	half_close(fd[CLIENT]);
	expect_eof(fd[TARGET]);
	mustsend(fd[TARGET], BYTES("last words"));
	close(fd[TARGET]);
	expect_bytes(fd[CLIENT], BYTES("last words"));
	expect_eof(fd[CLIENT]);
	expect_log(d, " up=8 down=16 ");
	expect_log(d, " end=client-eof\n");
	expect_exit(d, 0);
}
END_TEST

START_TEST(drain_deadline_cuts_a_tunnel_with_a_reset)
{
	struct daemon *d = start_dcsd("timeouts: { drain = 0.5; };");
	int64_t start = now_ms();
	uint16_t target;
	int fd[2];

	tunnel_open(d, mustlisten("127.0.0.1", &target), fd);
	kill(daemon_pid(d), SIGTERM);
	expect_reset(fd[CLIENT]);
	expect_reset(fd[TARGET]);
	ck_assert_int_ge(now_ms() - start, 490);
	expect_log(d, " end=drained\n");
	expect_exit(d, 0);
}
END_TEST

START_TEST(sigterm_ends_a_handshake_within_the_drain_time)
{
	struct daemon *d = start_dcsd("timeouts: { drain = 0.2; parked = 3600; };");
	int fd = socks_dial(d);

	kill(daemon_pid(d), SIGTERM);
	expect_end(fd);
	expect_exit(d, 0);
}
END_TEST

START_TEST(sigterm_ends_a_connect_within_the_drain_time)
{
	struct daemon *d = start_dcsd("timeouts: { drain = 0.2; connect = 3600; };");
	uint16_t port;
	int fd = socks_dial(d);

	if (full_port(&port) >= 0)
		socks_ask(fd, "127.0.0.1", port);
	kill(daemon_pid(d), SIGTERM);
	expect_exit(d, 0);
}
END_TEST

/* Two signals while a tunnel is there; the first may be none. */
static void
end_at_once(int first, int second)
{
	struct daemon *d = start_dcsd("timeouts: { drain = 3600; };");
	uint16_t port = daemon_port(d, 0), target;
	int fd[2];

	tunnel_open(d, mustlisten("127.0.0.1", &target), fd);
	if (first != 0) {
		kill(daemon_pid(d), first);
		expect_refused(port);
		tunnel_check(fd);
	}
	kill(daemon_pid(d), second);
	expect_reset(fd[CLIENT]);
	expect_reset(fd[TARGET]);
	expect_log(d, " end=shutdown\n");
	expect_exit(d, 0);
}

START_TEST(second_sigterm_ends_at_once)
{
	end_at_once(SIGTERM, SIGTERM);
}
END_TEST

START_TEST(sigint_behind_sigterm_ends_at_once)
{
	end_at_once(SIGTERM, SIGINT);
}
END_TEST

START_TEST(sigquit_ends_at_once)
{
	end_at_once(0, SIGQUIT);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("life");

	tcase_add_test(tc, full_backlog_is_rep_6_at_the_connect_timeout);
	tcase_add_test(tc, reset_of_the_client_ends_a_connect);
	tcase_add_test(tc, silent_handshake_ends_at_its_deadline);
	tcase_add_test(tc, dribbled_greeting_ends_at_the_same_deadline);
	tcase_add_test(tc, dribbled_request_ends_at_the_same_deadline);
	tcase_add_test(tc, client_may_park_before_its_request);
	tcase_add_test(tc, parked_client_ends_at_its_limit);
	tcase_add_test(tc, client_over_the_limit_is_reset_and_others_stay);
	tcase_add_test(tc, log_line_has_every_field_in_its_order);
	tcase_add_test(tc, connect_and_close_a_thousand_times_leaves_nothing);
	tcase_add_test(tc, unknown_key_is_exit_78_with_file_and_line);
	tcase_add_test(tc, taken_port_is_exit_1_with_its_name);
	tcase_add_test(tc, sigterm_lets_a_tunnel_finish);
	tcase_add_test(tc, drain_deadline_cuts_a_tunnel_with_a_reset);
	tcase_add_test(tc, sigterm_ends_a_handshake_within_the_drain_time);
	tcase_add_test(tc, sigterm_ends_a_connect_within_the_drain_time);
	tcase_add_test(tc, second_sigterm_ends_at_once);
	tcase_add_test(tc, sigint_behind_sigterm_ends_at_once);
	tcase_add_test(tc, sigquit_ends_at_once);
	return harness_run("life", tc);
}
