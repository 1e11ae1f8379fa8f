/* SPDX-License-Identifier: ISC */
/*
 * What goes through dcsd's tunnels: data of every amount and pace, half-closes, resets,
 * urgent bytes; the idle limits; many tunnels at once.
 */
#include "config.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define MIB	(1024 * 1024)
#define TUNNELS 200

/* One daemon and one tunnel: what most tests here begin with. */
static struct daemon *d;
static int listener, fd[2];

static void
begin(const char *more)
{
	uint16_t port;

	d = start_warm(more);
	listener = mustlisten("127.0.0.1", &port);
	tunnel_open(d, listener, fd);
}

/* After the ends are closed: nothing of the tunnel is left, and the next one works. */
static void
finish(void)
{
	expect_baseline(d);
	tunnel_open(d, listener, fd);
	tunnel_check(fd);
	tunnel_close(fd);
	stop_daemon(d);
}

START_TEST(half_closed_upload_gets_its_whole_answer)
{
	begin("");
	for (int from = CLIENT; from <= TARGET; from++) {
		int to = from == CLIENT ? TARGET : CLIENT;
		struct flow *up[2], *down[2];

		up[0] = send_pattern(fd[from], 8 * MIB, THEN_EOF);
		up[1] = recv_pattern(fd[to], 8 * MIB, THEN_EOF);
		flow_wait(up[0]);
		flow_wait(up[1]);
		down[0] = send_pattern(fd[to], MIB, THEN_EOF);
		down[1] = recv_pattern(fd[from], MIB, THEN_EOF);
		flow_wait(down[0]);
		flow_wait(down[1]);
		expect_log(d, "up=%d down=%d ", from == CLIENT ? 8 * MIB : MIB,
			from == CLIENT ? MIB : 8 * MIB);
		expect_log(d, "end=%s-eof", from == CLIENT ? "client" : "target");
		tunnel_close(fd);
		tunnel_open(d, listener, fd);
	}
	tunnel_close(fd);
	finish();
}
END_TEST

START_TEST(both_directions_flow_at_once)
{
	struct flow *flow[4];

	begin("");
	for (int end = CLIENT; end <= TARGET; end++) {
		flow[end] = send_pattern(fd[end], 32 * MIB, THEN_EOF);
		flow[2 + end] = recv_pattern(fd[end], 32 * MIB, THEN_EOF);
	}
	for (int i = 0; i < 4; i++)
		flow_wait(flow[i]);
	tunnel_close(fd);
	finish();
}
END_TEST

START_TEST(early_payload_of_a_megabyte_arrives_in_order)
{
	struct flow *flow[2];
	uint8_t buf[REQUEST_SIZE];

	begin("");
	tunnel_close(fd);
	fd[CLIENT] = mustdial(daemon_port(d, 0));
	mustsend(fd[CLIENT], BYTES(GREETING));
	mustsend(fd[CLIENT], buf, request_ip(buf, "127.0.0.1", local_port(listener)));
	flow[0] = send_pattern(fd[CLIENT], MIB, THEN_EOF);
	fd[TARGET] = mustaccept(listener);
	flow[1] = recv_pattern(fd[TARGET], MIB, THEN_EOF);
	flow_wait(flow[0]);
	flow_wait(flow[1]);
	expect_bytes(fd[CLIENT], BYTES(METHOD_NONE));
	expect_success(fd[CLIENT], fd[TARGET]);
	tunnel_close(fd);
	finish();
}
END_TEST

START_TEST(slow_reader_gets_all_of_four_million_bytes_and_the_end)
{
	struct flow *flow[2];

	begin("");
	flow[0] = send_pattern(fd[TARGET], 4000000, THEN_EOF);
	poll(NULL, 0, 300); /* a client that does not read for a while */
	flow[1] = recv_pattern(fd[CLIENT], 4000000, THEN_EOF);
	flow_wait(flow[0]);
	close(fd[TARGET]);
	flow_wait(flow[1]);
	close(fd[CLIENT]);
	finish();
}
END_TEST

START_TEST(target_that_closes_at_once_is_success_and_the_end)
{
	begin("");
	tunnel_close(fd);
	fd[CLIENT] = socks_dial(d);
	socks_ask(fd[CLIENT], "127.0.0.1", local_port(listener));
	fd[TARGET] = mustaccept(listener);
	half_close(fd[TARGET]);
	expect_success(fd[CLIENT], fd[TARGET]);
	expect_eof(fd[CLIENT]);
	tunnel_close(fd);
	expect_log(d, "end=target-eof");
	finish();
}
END_TEST

/* A reset at one end, behind data; the other gets the data, then a reset. */
static void
reset_passes(enum end_of from, const char *end)
{
	enum end_of to = from == CLIENT ? TARGET : CLIENT;

	begin("");
	mustsend(fd[from], BYTES("truncated"));
	expect_bytes(fd[to], BYTES("truncated"));
	reset(fd[from]);
	expect_reset(fd[to]);
	close(fd[to]);
	expect_log(d, "end=%s\n", end);
	finish();
}

START_TEST(reset_of_the_client_reaches_the_target)
{
	reset_passes(CLIENT, "client-reset");
}
END_TEST

START_TEST(reset_of_the_target_reaches_the_client)
{
	reset_passes(TARGET, "target-reset");
}
END_TEST

START_TEST(data_right_before_a_reset_is_delivered)
{
	begin("");
	for (int from = CLIENT; from <= TARGET; from++) {
		int to = from == CLIENT ? TARGET : CLIENT;

		mustsend(fd[from], BYTES("last words"));
		reset(fd[from]);
		expect_bytes(fd[to], BYTES("last words"));
		expect_reset(fd[to]);
		close(fd[to]);
		tunnel_open(d, listener, fd);
	}
	tunnel_close(fd);
	finish();
}
END_TEST

/* Waits until the peer's system has all that was sent. False: not to be known here. */
static bool
taken(int from)
{
	int left = 1;

	for (int tries = WAIT_MS / 10; left > 0 && tries > 0; tries--) {
		if (ioctl(from, TIOCOUTQ, &left) < 0)
			return false;
		poll(NULL, 0, 10);
	}
	return left == 0;
}

START_TEST(slow_reader_gets_what_was_accepted_before_a_reset)
{
	const size_t len =
		300000; /* more than the window of a reader that does not read */

	begin("");
	for (int from = CLIENT; from <= TARGET; from++) {
		int to = from == CLIENT ? TARGET : CLIENT;

		flow_wait(send_pattern(fd[from], len, THEN_NOTHING));
		if (taken(fd[from])) {
			reset(fd[from]);
			poll(NULL, 0, 100); /* that is how slow it is */
			flow_wait(recv_pattern(fd[to], len, THEN_NOTHING));
			expect_reset(fd[to]);
		} else
			close(fd[from]);
		close(fd[to]);
		tunnel_open(d, listener, fd);
	}
	tunnel_close(fd);
	finish();
}
END_TEST

START_TEST(reset_behind_a_half_close_is_still_a_reset)
{
	begin("");
	half_close(fd[CLIENT]);
	expect_eof(fd[TARGET]);
	mustsend(fd[TARGET], BYTES("part of an ans"));
	expect_bytes(fd[CLIENT], BYTES("part of an ans"));
	reset(fd[TARGET]);
	expect_reset(fd[CLIENT]);
	close(fd[CLIENT]);
	expect_log(d, "end=target-reset");
	finish();
}
END_TEST

/* Sends until nobody takes it for a while, or it fails. */
static void
stuff(int to)
{
	static const char zeros[65536];
	struct pollfd pfd = { .fd = to, .events = POLLOUT };

	while (poll(&pfd, 1, 200) == 1)
		if (send(to, zeros, sizeof(zeros), MSG_DONTWAIT) < 0)
			return;
}

/* What was on its way to the client can no more be delivered, and is not waited for. */
START_TEST(reset_of_a_client_that_does_not_read_reaches_the_target_soon)
{
	int64_t start;

	begin("");
	stuff(fd[TARGET]);
	start = now_ms();
	reset(fd[CLIENT]);
	expect_reset(fd[TARGET]);
	ck_assert_int_lt(now_ms() - start, 5000);
	close(fd[TARGET]);
	expect_log(d, "end=client-reset");
	finish();
}
END_TEST

START_TEST(urgent_byte_arrives_in_line)
{
	begin("");
	for (int from = CLIENT; from <= TARGET; from++) {
		mustsend(fd[from], BYTES("ab"));
		ck_assert(send(fd[from], "c", 1, MSG_OOB) == 1);
		mustsend(fd[from], BYTES("de"));
		expect_bytes(fd[from == CLIENT ? TARGET : CLIENT], BYTES("abcde"));
	}
	tunnel_check(fd);
	tunnel_close(fd);
	finish();
}
END_TEST

START_TEST(idle_tunnel_is_reset_at_its_limit)
{
	int64_t start;

	begin("timeouts: { idle = 1; };");
	for (int i = 0; i < 15; i++) {
		mustsend(fd[TARGET], BYTES("."));
		expect_bytes(fd[CLIENT], BYTES("."));
		poll(NULL, 0, 100); /* traffic one way only keeps it up */
	}
	start = now_ms();
	tunnel_check(fd);
	expect_reset(fd[CLIENT]);
	expect_reset(fd[TARGET]);
	ck_assert_int_ge(now_ms() - start, 990);
	tunnel_close(fd);
	expect_log(d, "end=idle");
	finish();
}
END_TEST

START_TEST(client_that_never_reads_is_idle)
{
	begin("timeouts: { idle = 1; };");
	stuff(fd[TARGET]);
	expect_reset(fd[TARGET]);
	tunnel_close(fd);
	expect_log(d, "end=idle");
	finish();
}
END_TEST

START_TEST(half_closed_tunnel_is_reset_at_its_limit)
{
	int64_t start;

	begin("timeouts: { half_closed = 0.5; };");
	start = now_ms();
	half_close(fd[CLIENT]);
	expect_eof(fd[TARGET]);
	expect_reset(fd[CLIENT]);
	ck_assert_int_ge(now_ms() - start, 490);
	tunnel_close(fd);
	expect_log(d, "end=half-closed");
	finish();
}
END_TEST

START_TEST(half_closed_zero_ends_the_tunnel_with_the_first_end)
{
	begin("timeouts: { half_closed = 0; };");
	for (int from = CLIENT; from <= TARGET; from++) {
		int to = from == CLIENT ? TARGET : CLIENT;

		mustsend(fd[from], BYTES("last words"));
		half_close(fd[from]);
		expect_bytes(fd[to], BYTES("last words"));
		expect_eof(fd[to]);
		expect_end(fd[from]);
		expect_log(d, "end=%s-eof", from == CLIENT ? "client" : "target");
		tunnel_close(fd);
		tunnel_open(d, listener, fd);
	}
	tunnel_close(fd);
	finish();
}
END_TEST

START_TEST(two_hundred_tunnels_at_once_leave_nothing)
{
	int client[TUNNELS];
	char text[32];

	begin("");
	tunnel_close(fd);
	close(listener);
	listener = mustlisten("127.0.0.1", &(uint16_t){ 0 });
	echo_serve(listener);
	for (int i = 0; i < TUNNELS; i++) {
		client[i] = socks_dial(d);
		socks_ask(client[i], "127.0.0.1", local_port(listener));
	}
	for (int i = 0; i < TUNNELS; i++) {
		snprintf(text, sizeof(text), "I am client %d.", i);
		expect_bytes(client[i], BYTES("\5\0\0\1\x7f\0\0\1"));
		ck_assert(recv(client[i], &(uint16_t){ 0 }, 2, MSG_WAITALL) == 2);
		mustsend(client[i], text, strlen(text));
	}
	for (int i = 0; i < TUNNELS; i++) {
		snprintf(text, sizeof(text), "I am client %d.", i);
		expect_bytes(client[i], text, strlen(text));
		half_close(client[i]);
		expect_eof(client[i]);
		close(client[i]);
	}
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("tunnel");

	tcase_add_test(tc, half_closed_upload_gets_its_whole_answer);
	tcase_add_test(tc, both_directions_flow_at_once);
	tcase_add_test(tc, early_payload_of_a_megabyte_arrives_in_order);
	tcase_add_test(tc, slow_reader_gets_all_of_four_million_bytes_and_the_end);
	tcase_add_test(tc, target_that_closes_at_once_is_success_and_the_end);
	tcase_add_test(tc, reset_of_the_client_reaches_the_target);
	tcase_add_test(tc, reset_of_the_target_reaches_the_client);
	tcase_add_test(tc, data_right_before_a_reset_is_delivered);
	tcase_add_test(tc, slow_reader_gets_what_was_accepted_before_a_reset);
	tcase_add_test(tc, reset_behind_a_half_close_is_still_a_reset);
	tcase_add_test(tc, reset_of_a_client_that_does_not_read_reaches_the_target_soon);
	tcase_add_test(tc, urgent_byte_arrives_in_line);
	tcase_add_test(tc, idle_tunnel_is_reset_at_its_limit);
	tcase_add_test(tc, client_that_never_reads_is_idle);
	tcase_add_test(tc, half_closed_tunnel_is_reset_at_its_limit);
	tcase_add_test(tc, half_closed_zero_ends_the_tunnel_with_the_first_end);
	tcase_add_test(tc, two_hundred_tunnels_at_once_leave_nothing);
	return harness_run("tunnel", tc);
}
