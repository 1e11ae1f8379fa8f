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

START_TEST(client_beyond_the_limit_gets_rep_1_and_others_stay)
{
	struct daemon *d = start_dcsd("limits: { tunnels = 2; };");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), one[2], two[2], fd;

	tunnel_open(d, listener, one);
	tunnel_open(d, listener, two);
	for (int i = 0; i < 2; i++) {
		fd = socks_dial(d);
		socks_ask(fd, "127.0.0.1", port);
		expect_failure(fd, 1);
		close(fd);
	}
	expect_log(d,
		"limit of 2 tunnels reached, half_closed_cut=0 refused=1, "
		"most tunnels: 127.0.0.1 3\n");
	ck_assert_int_eq(log_count(d, "limit of 2 tunnels"), 1);
	tunnel_check(one);
	tunnel_check(two);
	tunnel_close(one);
	tunnel_open(d, listener, one);
	tunnel_close(one);
	tunnel_close(two);
	stop_daemon(d);
}
END_TEST

/* At the limit of one tunnel. Whether the client that waited got its place. */
static bool
place_is_handed_on(struct daemon *d, int listener, uint16_t port)
{
	int tunnel[2], fd;
	bool served;

	tunnel_open(d, listener, tunnel);
	fd = mustdial(daemon_port(d, 0));
	mustsend(fd, BYTES(GREETING));
	expect_silence(fd, 100);
	tunnel_close(tunnel);
	expect_bytes(fd, BYTES("\5\0"));
	socks_ask(fd, "127.0.0.1", port);
	served = recv(fd, (char[4]){ 0 }, 2, MSG_WAITALL | MSG_PEEK) == 2;
	if (served) {
		char reply[2];

		ck_assert_int_eq(recv(fd, reply, 2, MSG_PEEK), 2);
		served = reply[1] == 0;
	}
	if (served)
		close(mustaccept(listener));
	close(fd);
	return served;
}

START_TEST(client_at_the_limit_waits_for_a_place)
{
	struct daemon *d = start_dcsd("limits: { tunnels = 1; };");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), tries = 0;

	/* It waits for a second: on a busy machine that may be over at once. */
	while (!place_is_handed_on(d, listener, port))
		ck_assert_int_lt(++tries, 10);
	stop_daemon(d);
}
END_TEST

START_TEST(half_closed_tunnel_makes_room_at_the_limit)
{
	struct daemon *d = start_dcsd("limits: { tunnels = 2; };");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), half[2], whole[2], more[2];

	tunnel_open(d, listener, half);
	tunnel_open(d, listener, whole);
	half_close(half[CLIENT]);
	expect_eof(half[TARGET]);
	tunnel_open(d, listener, more);
	expect_reset(half[CLIENT]);
	expect_log_line(d, "tunnel id=.* end=limit");
	expect_log(d, "limit of 2 tunnels reached, half_closed_cut=1 refused=0, ");
	tunnel_check(whole);
	tunnel_check(more);
	tunnel_close(more);
	tunnel_close(whole);
	close(half[TARGET]);
	close(half[CLIENT]);
	stop_daemon(d);
}
END_TEST

START_TEST(clients_that_give_up_at_the_limit_cost_nothing)
{
	struct daemon *d = start_dcsd("limits: { tunnels = 1; };");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), tunnel[2];

	tunnel_open(d, listener, tunnel);
	daemon_mark(d);
	for (int i = 0; i < 100; i++)
		reset(mustdial(daemon_port(d, 0)));
	expect_baseline(d);
	tunnel_check(tunnel);
	tunnel_close(tunnel);
	tunnel_open(d, listener, tunnel);
	tunnel_close(tunnel);
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
	/* As HAProxy does it: a reset, behind the answer to its greeting. */
	for (int i = 0; i < 100; i++)
		reset(socks_dial(d));
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
	tcase_add_test(tc, client_beyond_the_limit_gets_rep_1_and_others_stay);
	tcase_add_test(tc, client_at_the_limit_waits_for_a_place);
	tcase_add_test(tc, half_closed_tunnel_makes_room_at_the_limit);
	tcase_add_test(tc, clients_that_give_up_at_the_limit_cost_nothing);
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
