/* SPDX-License-Identifier: ISC */
/*
 * Tests of relay and carry, with whatever carrier was built in. A tunnel has a peer on
 * each side: peer[CLIENT] <-> r.fd[CLIENT], r.fd[TARGET] <-> peer[TARGET].
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"
#include "net.h"
#include "relay.h"
#include "tcp.h"

#define MIB (1024 * 1024)

static struct relay relay;
static int peer[2];
static pthread_t thread[2];

static const struct io_limit patient = { IO_FOREVER, -1 };

static bool second_runs; /* only of the first thread, until that is over */

static void *
run_second(void *arg)
{
	(void)arg;
	relay_second(&relay);
	return NULL;
}

static void
start_second(void *arg)
{
	ck_assert_ptr_eq(arg, &relay);
	ck_assert(!second_runs);
	second_runs = true;
	ck_assert_int_eq(pthread_create(&thread[1], NULL, run_second, NULL), 0);
}

static void *
run_first(void *arg)
{
	(void)arg;
	relay_first(&relay, start_second, &relay);
	return NULL;
}

static void
run(void)
{
	second_runs = false;
	ck_assert_int_eq(pthread_create(&thread[0], NULL, run_first, NULL), 0);
}

/* Waits until both directions are over. */
static void
join(void)
{
	pthread_join(thread[0], NULL);
	if (second_runs)
		pthread_join(thread[1], NULL);
}

/* A peer, end[0], and a socket with the options of net.h, end[1]. */
static void
net_pair(int end[2])
{
	struct addr at;
	int listener;

	ck_assert(addr_from_text(&at, "127.0.0.1", 0));
	listener = net_listen(&at);
	ck_assert_int_ne(listener, -1);
	end[0] = tcp_connect(listener);
	end[1] = accept(listener, NULL, NULL);
	ck_assert_int_ne(end[1], -1);
	close(listener);
}

/* Makes a tunnel with these limits. */
static void
prepare(int64_t idle_ms, int64_t half_closed_ms)
{
	int client[2], target[2];

	signal(SIGPIPE, SIG_IGN);
	net_pair(client);
	net_pair(target);
	peer[CLIENT] = client[0];
	peer[TARGET] = target[0];
	ck_assert_int_eq(relay_init(&relay, client[1]), 0);
	relay_attach(&relay, target[1], idle_ms, half_closed_ms);
}

/* Starts one. */
static void
start(int64_t idle_ms, int64_t half_closed_ms)
{
	prepare(idle_ms, half_closed_ms);
	run();
}

/* Waits for the end, and checks its reason. */
static void
finish(enum end end)
{
	join();
	ck_assert_str_eq(end_word(relay_end(&relay)), end_word(end));
	relay_close(&relay);
	relay_destroy(&relay);
}

static void
send_text(enum side side, const char *text)
{
	ck_assert_int_eq(io_write(peer[side], text, strlen(text), &patient), 0);
}

static void
expect_text(enum side side, const char *text)
{
	size_t size = strlen(text), got = 0;
	char buf[64];

	while (got < size) {
		ssize_t n = io_read(peer[side], buf + got, size - got, &patient);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_mem_eq(buf, text, size);
}

static void
expect_eof(enum side side)
{
	char c;

	ck_assert_int_eq(io_read(peer[side], &c, 1, &patient), 0);
	io_close(&peer[side]);
}

static void
expect_reset(enum side side)
{
	char c;

	ck_assert_int_eq(io_read(peer[side], &c, 1, &patient), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	io_close(&peer[side]);
}

/* A byte that depends on its place, so that any loss or reordering shows. */
static char
pattern(size_t at)
{
	return (char)((at * 2654435761U) >> 13);
}

struct bulk {
	enum side side;
	size_t size;
};

static void *
send_bulk(void *arg)
{
	const struct bulk *bulk = arg;
	char buf[8192];
	size_t sent = 0;

	while (sent < bulk->size) {
		size_t n =
			bulk->size - sent < sizeof(buf) ? bulk->size - sent : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(sent + i);
		if (io_write(peer[bulk->side], buf, n, &patient) == -1)
			break;
		sent += n;
	}
	shutdown(peer[bulk->side], SHUT_WR);
	return NULL;
}

/* Reads until EOF. Returns bulk when all of it came as it was sent, else NULL. */
static void *
read_bulk(void *arg)
{
	const struct bulk *bulk = arg;
	char buf[8192];
	size_t got = 0, wrong = 0;
	ssize_t n;

	while ((n = io_read(peer[bulk->side], buf, sizeof(buf), &patient)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += buf[i] != pattern(got + (size_t)i);
		got += (size_t)n;
	}
	return n == 0 && got == bulk->size && wrong == 0 ? arg : NULL;
}

START_TEST(bulk_goes_both_ways_at_once_and_is_counted)
{
	struct bulk up[2] = { { CLIENT, 24 * MIB }, { TARGET, 24 * MIB } };
	struct bulk down[2] = { { TARGET, 16 * MIB }, { CLIENT, 16 * MIB } };
	pthread_t t[4];

	start(0, 60000);
	pthread_create(&t[0], NULL, send_bulk, &up[0]);
	pthread_create(&t[1], NULL, send_bulk, &down[0]);
	pthread_create(&t[2], NULL, read_bulk, &up[1]);
	pthread_create(&t[3], NULL, read_bulk, &down[1]);
	join();
	ck_assert_uint_eq(atomic_load(&relay.bytes[CLIENT]), 24 * MIB);
	ck_assert_uint_eq(atomic_load(&relay.bytes[TARGET]), 16 * MIB);
	/* The last one to end is told so by this. */
	relay_close(&relay);
	relay_destroy(&relay);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(t[i], &result);
		ck_assert(i < 2 || result);
	}
}
END_TEST

/* _i: which side ends first. */
START_TEST(an_eof_is_passed_on_and_the_other_direction_goes_on)
{
	enum side first = _i, second = !first;

	start(0, 60000);
	send_text(first, "last words");
	shutdown(peer[first], SHUT_WR);
	expect_text(second, "last words");
	ck_assert_int_eq(recv(peer[second], &(char){ 0 }, 1, 0), 0);
	send_text(second, "the answer");
	expect_text(first, "the answer");
	io_close(&peer[second]);
	finish(first == CLIENT ? END_CLIENT_EOF : END_TARGET_EOF);
	expect_eof(first);
}
END_TEST

/* A request and its answer, and the ends in any order: _i says which side goes first. */
START_TEST(a_short_tunnel_needs_one_thread)
{
	enum side first = _i, second = !first;

	start(0, 60000);
	send_text(first, "a question");
	expect_text(second, "a question");
	send_text(second, "an answer");
	expect_text(first, "an answer");
	io_close(&peer[second]);
	expect_eof(first);
	finish(second == CLIENT ? END_CLIENT_EOF : END_TARGET_EOF);
	ck_assert(!second_runs);
}
END_TEST

START_TEST(a_tunnel_with_more_to_say_has_two_threads)
{
	enum side talks = _i;

	start(0, 60000);
	send_text(talks, "one");
	expect_text(!talks, "one");
	send_text(talks, "two");
	expect_text(!talks, "two");
	send_text(!talks, "three");
	expect_text(talks, "three");
	io_close(&peer[CLIENT]);
	expect_eof(TARGET);
	finish(END_CLIENT_EOF);
	ck_assert(second_runs);
}
END_TEST

/*
 * The first piece does not get through, as its receiver waits for the other side to be
 * read: it takes the second thread to go on.
 */
START_TEST(a_first_piece_that_blocks_holds_up_nobody)
{
	enum side first = _i, second = !first;
	static char piece[16 * 1024];

	prepare(0, 60000);
	tcp_fill(relay.fd[second]);
	ck_assert_int_eq(io_write(peer[first], piece, sizeof(piece), &patient), 0);
	run();
	poll(NULL, 0, 50);
	send_text(second, "but I am heard");
	expect_text(first, "but I am heard");
	relay_cut(&relay, END_DRAINED);
	finish(END_DRAINED);
	ck_assert(second_runs);
	io_close(&peer[CLIENT]);
	io_close(&peer[TARGET]);
}
END_TEST

START_TEST(a_reset_is_passed_on_after_the_data_before_it)
{
	enum side from = _i, to = !from;

	start(0, 60000);
	send_text(from, "half a sent");
	expect_text(to, "half a sent");
	tcp_reset(peer[from]);
	join();
	ck_assert_int_eq(
		relay_end(&relay), from == CLIENT ? END_CLIENT_RESET : END_TARGET_RESET);
	relay_close(&relay);
	relay_destroy(&relay);
	expect_reset(to);
}
END_TEST

static void *
close_relay(void *arg)
{
	join();
	relay_close(arg);
	return NULL;
}

START_TEST(a_reset_drops_nothing_that_was_accepted)
{
	static char buf[MIB];
	enum side from = _i, to = !from;
	pthread_t closer;
	size_t got = 0;
	ssize_t n = 0;

	start(0, 60000);
	ck_assert_int_eq(io_write(peer[from], buf, sizeof(buf), &patient), 0);
	/* All of it is with the tunnel's sockets, or beyond, when the reset comes. */
	while (atomic_load(&relay.bytes[from]) < sizeof(buf)) {
		n = recv(peer[to], buf, 4096, MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	tcp_reset(peer[from]);
	pthread_create(&closer, NULL, close_relay, &relay);
	while ((n = io_read(peer[to], buf, sizeof(buf), &patient)) > 0)
		got += (size_t)n;
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_uint_eq(got, sizeof(buf));
	pthread_join(closer, NULL);
	relay_destroy(&relay);
}
END_TEST

START_TEST(an_idle_tunnel_is_reset_at_its_limit)
{
	int64_t begin = io_now_ms();

	start(200, 60000);
	finish(END_IDLE);
	ck_assert_int_ge(io_now_ms() - begin, 200);
	expect_reset(CLIENT);
	expect_reset(TARGET);
}
END_TEST

START_TEST(traffic_in_one_direction_keeps_the_tunnel)
{
	start(400, 60000);
	for (int64_t until = io_now_ms() + 1200; io_now_ms() < until;) {
		send_text(TARGET, "x");
		expect_text(CLIENT, "x");
		poll(NULL, 0, 20);
	}
	ck_assert_int_eq(relay_end(&relay), END_NONE);
	io_close(&peer[TARGET]);
	expect_eof(CLIENT);
	finish(END_TARGET_EOF);
}
END_TEST

START_TEST(a_half_closed_tunnel_is_reset_at_its_own_limit)
{
	start(0, 200);
	shutdown(peer[CLIENT], SHUT_WR);
	finish(END_HALF_CLOSED);
	expect_reset(CLIENT);
}
END_TEST

START_TEST(half_closed_0_ends_all_with_the_first_eof)
{
	start(0, 0);
	send_text(TARGET, "bye");
	shutdown(peer[TARGET], SHUT_WR);
	finish(END_TARGET_EOF);
	expect_text(CLIENT, "bye");
	expect_eof(CLIENT);
	expect_eof(TARGET);
}
END_TEST

/* A peer that takes nothing: the writer sits in a write, nobody reads from the other. */
START_TEST(a_peer_that_takes_nothing_ends_idle)
{
	struct bulk bulk = { CLIENT, 64 * MIB };
	pthread_t t;

	start(700, 60000);
	pthread_create(&t, NULL, send_bulk, &bulk);
	finish(END_IDLE);
	pthread_join(t, NULL);
}
END_TEST

START_TEST(a_cut_ends_a_tunnel_in_any_state)
{
	struct bulk bulk[2] = { { CLIENT, 64 * MIB }, { TARGET, 64 * MIB } };
	pthread_t t[2];

	start(0, 60000);
	for (int i = 0; i < _i; i++)
		pthread_create(&t[i], NULL, send_bulk, &bulk[i]);
	if (_i > 0)
		poll(NULL, 0, 50);
	relay_cut(&relay, END_DRAINED);
	finish(END_DRAINED);
	for (int i = 0; i < _i; i++)
		pthread_join(t[i], NULL);
	if (_i == 0)
		expect_reset(CLIENT);
}
END_TEST

START_TEST(a_cut_before_there_is_a_target_holds)
{
	int client[2], target[2];

	net_pair(client);
	net_pair(target);
	ck_assert_int_eq(relay_init(&relay, client[1]), 0);
	relay_cut(&relay, END_SHUTDOWN);
	relay_attach(&relay, target[1], 0, 60000);
	run();
	finish(END_SHUTDOWN);
	close(client[0]);
	close(target[0]);
}
END_TEST

/* A client of datagrams: what is cut is its target's socket alone. */
START_TEST(a_client_without_a_socket_is_cut_by_its_target)
{
	int target[2];
	char c;

	net_pair(target);
	ck_assert_int_eq(relay_init(&relay, -1), 0);
	if (_i == 0)
		relay_cut(&relay, END_DRAINED);
	ck_assert_int_eq(atomic_load(&relay.stopped), _i == 0);
	relay_attach(&relay, target[1], 0, 0);
	if (_i == 1)
		relay_cut(&relay, END_DRAINED);
	ck_assert_int_eq(io_read(relay.fd[TARGET], &c, 1, &patient), 0);
	ck_assert(atomic_load(&relay.stopped));
	ck_assert_int_eq(relay_end(&relay), END_DRAINED);
	relay_close(&relay);
	relay_destroy(&relay);
	peer[TARGET] = target[0];
	expect_reset(TARGET);
}
END_TEST

/* As on_failure = "close" has it. */
START_TEST(a_client_can_be_told_fin_though_nobody_read_what_it_sent)
{
	int client[2];

	net_pair(client);
	peer[CLIENT] = client[0];
	ck_assert_int_eq(relay_init(&relay, client[1]), 0);
	send_text(CLIENT, "hello?");
	relay_note(&relay, END_CONNECT_FAILED);
	net_finish(relay.fd[CLIENT], 100);
	ck_assert_int_eq(relay_end(&relay), END_CONNECT_FAILED);
	relay_close(&relay);
	relay_destroy(&relay);
	expect_eof(CLIENT);
}
END_TEST

START_TEST(an_urgent_byte_arrives_in_line)
{
	int one = 1;

	start(0, 60000);
	setsockopt(relay.fd[CLIENT], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	send_text(CLIENT, "ab");
	expect_text(TARGET, "ab");
	ck_assert_int_eq(send(peer[CLIENT], "!", 1, MSG_OOB), 1);
	send_text(CLIENT, "cd");
	expect_text(TARGET, "!cd");
	io_close(&peer[CLIENT]);
	expect_eof(TARGET);
	finish(END_CLIENT_EOF);
}
END_TEST

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* One tunnel with data both ways, ended by a reset while more is on its way. */
static void
run_one_broken(void)
{
	static char buf[MIB];

	start(0, 60000);
	send_text(CLIENT, "up");
	expect_text(TARGET, "up");
	send_text(TARGET, "down");
	expect_text(CLIENT, "down");
	(void)send(peer[TARGET], buf, sizeof(buf), MSG_DONTWAIT);
	tcp_reset(peer[CLIENT]);
	finish(END_CLIENT_RESET);
	io_close(&peer[TARGET]);
}

START_TEST(broken_tunnels_leave_no_fd_behind)
{
	int before;

	for (int i = 0; i < 10; i++)
		run_one_broken();
	before = count_fds();
	for (int i = 0; i < 200; i++)
		run_one_broken();
	ck_assert_int_le(count_fds(), before + 4); /* two pipes, if fewer were made */
}
END_TEST

START_TEST(the_first_reason_stays_but_outdoes_an_eof)
{
	int client[2];

	net_pair(client);
	ck_assert_int_eq(relay_init(&relay, client[1]), 0);
	relay_note(&relay, END_CLIENT_EOF);
	relay_note(&relay, END_TARGET_RESET);
	relay_note(&relay, END_IDLE);
	relay_note(&relay, END_CLIENT_EOF);
	ck_assert_int_eq(relay_end(&relay), END_TARGET_RESET);
	relay_close(&relay);
	relay_destroy(&relay);
	close(client[0]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("relay");
	TCase *tc = tcase_create("relay");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, bulk_goes_both_ways_at_once_and_is_counted);
	tcase_add_loop_test(
		tc, an_eof_is_passed_on_and_the_other_direction_goes_on, 0, 2);
	tcase_add_loop_test(tc, a_short_tunnel_needs_one_thread, 0, 2);
	tcase_add_loop_test(tc, a_tunnel_with_more_to_say_has_two_threads, 0, 2);
	tcase_add_loop_test(tc, a_first_piece_that_blocks_holds_up_nobody, 0, 2);
	tcase_add_loop_test(tc, a_reset_is_passed_on_after_the_data_before_it, 0, 2);
	tcase_add_loop_test(tc, a_reset_drops_nothing_that_was_accepted, 0, 2);
	tcase_add_test(tc, an_idle_tunnel_is_reset_at_its_limit);
	tcase_add_test(tc, traffic_in_one_direction_keeps_the_tunnel);
	tcase_add_test(tc, a_half_closed_tunnel_is_reset_at_its_own_limit);
	tcase_add_test(tc, half_closed_0_ends_all_with_the_first_eof);
	tcase_add_test(tc, a_peer_that_takes_nothing_ends_idle);
	tcase_add_loop_test(tc, a_cut_ends_a_tunnel_in_any_state, 0, 3);
	tcase_add_test(tc, a_cut_before_there_is_a_target_holds);
	tcase_add_loop_test(tc, a_client_without_a_socket_is_cut_by_its_target, 0, 2);
	tcase_add_test(tc, a_client_can_be_told_fin_though_nobody_read_what_it_sent);
	tcase_add_test(tc, an_urgent_byte_arrives_in_line);
	tcase_add_test(tc, broken_tunnels_leave_no_fd_behind);
	tcase_add_test(tc, the_first_reason_stays_but_outdoes_an_eof);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
