/* SPDX-License-Identifier: ISC */
/*
 * Tests of spares: how many there are, which are handed out, and how often a server that
 * fails is tried. The spares of a test are one end of a socket pair; the maker of the
 * test has the other, as the server would.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cond.h"
#include "io.h"
#include "spares.h"
#include "tcp.h"

#define MADE_MAX    4096
#define DEADLINE_MS 30000
#define NEVER_MS    3600000
#define TAKERS	    8
#define TAKES	    25

enum how { GOOD, FAILS, CLOSES, SPEAKS };

static struct maker {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum how how;
	int failures; /* so many opens fail before it is as how says */
	bool hold;    /* opens wait until it is false */
	int opens;    /* that have begun */
	int made;
	int spare[MADE_MAX], server[MADE_MAX]; /* the two ends of each */
} maker = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* One more, as how says. With the maker's lock. */
static int
make(struct maker *m)
{
	int end[2];

	if (m->failures > 0 || m->how == FAILS) {
		m->failures--;
		return -1;
	}
	ck_assert_int_lt(m->made, MADE_MAX);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
	m->spare[m->made] = end[0];
	if (m->how == SPEAKS)
		ck_assert_int_eq(write(end[1], "!", 1), 1);
	if (m->how == CLOSES)
		io_close(&end[1]);
	m->server[m->made++] = end[1];
	return end[0];
}

static int
maker_open(void *arg)
{
	struct maker *m = arg;
	int fd;

	pthread_mutex_lock(&m->lock);
	m->opens++;
	while (m->hold)
		cond_wait(&m->changed, &m->lock, IO_FOREVER);
	fd = make(m);
	pthread_mutex_unlock(&m->lock);
	return fd;
}

static void
maker_set(enum how how, bool hold)
{
	pthread_mutex_lock(&maker.lock);
	maker.how = how;
	maker.hold = hold;
	pthread_cond_broadcast(&maker.changed);
	pthread_mutex_unlock(&maker.lock);
}

static int
maker_opens(void)
{
	int n;

	pthread_mutex_lock(&maker.lock);
	n = maker.opens;
	pthread_mutex_unlock(&maker.lock);
	return n;
}

static int
maker_made(void)
{
	int n;

	pthread_mutex_lock(&maker.lock);
	n = maker.made;
	pthread_mutex_unlock(&maker.lock);
	return n;
}

/* The number of the spare with that fd; an fd may have been that of others before. */
static int
maker_number(int fd)
{
	int i;

	pthread_mutex_lock(&maker.lock);
	i = maker.made - 1;
	while (i >= 0 && maker.spare[i] != fd)
		i--;
	pthread_mutex_unlock(&maker.lock);
	ck_assert_int_ge(i, 0);
	return i;
}

static int
maker_server(int i)
{
	int fd;

	pthread_mutex_lock(&maker.lock);
	fd = maker.server[i];
	pthread_mutex_unlock(&maker.lock);
	return fd;
}

static void
maker_close(int i)
{
	pthread_mutex_lock(&maker.lock);
	io_close(&maker.server[i]);
	pthread_mutex_unlock(&maker.lock);
}

static void
maker_finish(void)
{
	for (int i = 0; i < maker.made; i++)
		io_close(&maker.server[i]);
	pthread_cond_destroy(&maker.changed);
}

/* Each test is a process of its own, where the maker is as it was initialised. */
static struct spares *
begin(int n, int64_t age_ms, int64_t pause_ms)
{
	struct spares_plan plan = {
		.n = n,
		.age_ms = age_ms,
		.pause = { pause_ms, NEVER_MS },
		.open = maker_open,
		.arg = &maker,
	};
	struct spares *s = spares_new(&plan);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(cond_init(&maker.changed), 0);
	ck_assert_int_eq(spares_start(s), 0);
	return s;
}

static void
finish(struct spares *s)
{
	ck_assert_int_eq(spares_stop(s, DEADLINE_MS), 0);
	spares_free(s);
	maker_finish();
}

static void
wait_ready(struct spares *s, size_t n)
{
	int64_t until = io_now_ms() + DEADLINE_MS;

	while (spares_ready(s) != n && io_now_ms() < until)
		sched_yield();
	ck_assert_uint_eq(spares_ready(s), n);
}

/* Waits until that many have been begun at least. */
static void
wait_opens(int n)
{
	int64_t until = io_now_ms() + DEADLINE_MS;

	while (maker_opens() < n && io_now_ms() < until)
		sched_yield();
	ck_assert_int_ge(maker_opens(), n);
}

/* Waits until the server of spare i sees its end. */
static void
wait_closed(int i)
{
	struct io_limit limit = { io_now_ms() + DEADLINE_MS, -1 };
	char byte;
	ssize_t n = io_read(maker_server(i), &byte, 1, &limit);

	ck_assert(n == 0 || (n == -1 && errno == ECONNRESET));
}

static int
must_take(struct spares *s)
{
	int64_t until = io_now_ms() + DEADLINE_MS;
	int fd = spares_take(s);

	while (fd == -1 && io_now_ms() < until) {
		sched_yield();
		fd = spares_take(s);
	}
	ck_assert_int_ne(fd, -1);
	return fd;
}

/* Looks on for a while that no more than that many are begun. */
static void
look_on(int opens)
{
	int64_t until = io_now_ms() + 100;

	while (maker_opens() <= opens && io_now_ms() < until)
		sched_yield();
	ck_assert_int_le(maker_opens(), opens);
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 2 * MADE_MAX; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

START_TEST(as_many_are_made_as_planned)
{
	struct spares *s = begin(7, NEVER_MS, NEVER_MS);

	wait_ready(s, 7);
	ck_assert_int_eq(maker_opens(), 7);
	finish(s);
	ck_assert_int_eq(maker.opens, 7);
}
END_TEST

START_TEST(the_most_there_may_be_are_made)
{
	struct spares *s = begin(SPARES_MAX, NEVER_MS, NEVER_MS);

	wait_ready(s, SPARES_MAX);
	finish(s);
	ck_assert_int_eq(maker.opens, SPARES_MAX);
}
END_TEST

START_TEST(taking_one_makes_another)
{
	struct spares *s = begin(2, NEVER_MS, NEVER_MS);

	for (int round = 0; round < 100; round++) {
		int fd;

		wait_ready(s, 2);
		fd = spares_take(s);
		ck_assert_int_ne(fd, -1);
		wait_opens(3 + round);
		ck_assert_int_eq(write(maker_server(maker_number(fd)), "!", 1), 1);
		io_close(&fd);
	}
	wait_ready(s, 2);
	finish(s);
	ck_assert_int_eq(maker.opens, 102);
}
END_TEST

START_TEST(the_youngest_is_taken_first)
{
	struct spares *s = begin(2, NEVER_MS, NEVER_MS);
	int fd[2];

	wait_ready(s, 2);
	fd[0] = spares_take(s);
	wait_opens(3);
	wait_ready(s, 2);
	fd[1] = spares_take(s);
	ck_assert_int_eq(maker_number(fd[1]), 2);
	io_close(&fd[0]);
	io_close(&fd[1]);
	finish(s);
}
END_TEST

START_TEST(with_none_there_take_does_not_wait)
{
	struct spares *s;

	maker.hold = true;
	s = begin(3, NEVER_MS, NEVER_MS);
	wait_opens(3);
	ck_assert_int_eq(spares_take(s), -1);
	maker_set(GOOD, false);
	finish(s);
}
END_TEST

START_TEST(one_that_the_server_closes_is_replaced)
{
	struct spares *s = begin(3, NEVER_MS, 1);

	wait_ready(s, 3);
	maker_close(1);
	wait_opens(4);
	wait_ready(s, 3);
	finish(s);
}
END_TEST

START_TEST(one_with_bytes_on_it_is_replaced)
{
	struct spares *s = begin(3, NEVER_MS, 1);

	wait_ready(s, 3);
	ck_assert_int_eq(write(maker_server(1), "!", 1), 1);
	wait_closed(1);
	wait_opens(4);
	wait_ready(s, 3);
	finish(s);
}
END_TEST

/* Takes at the very moment when something has happened to the only one there is. */
static void
take_after(bool close)
{
	struct spares *s = begin(1, NEVER_MS, 1);

	for (int round = 0; round < 30; round++) {
		int fd = must_take(s), last;

		io_close(&fd);
		wait_ready(s, 1);
		last = maker.made - 1;
		if (close)
			maker_close(last);
		else
			ck_assert_int_eq(write(maker_server(last), "!", 1), 1);
		fd = spares_take(s);
		ck_assert(fd == -1 || maker_number(fd) > last);
		io_close(&fd);
	}
	finish(s);
}

START_TEST(a_dead_one_is_not_handed_out)
{
	take_after(true);
}
END_TEST

START_TEST(one_with_bytes_on_it_is_not_handed_out)
{
	take_after(false);
}
END_TEST

static int reset_peer = -1;

static int
open_tcp(void *arg)
{
	int end[2];

	(void)arg;
	if (reset_peer != -1)
		return -1;
	tcp_pair(end);
	reset_peer = end[1];
	return end[0];
}

START_TEST(one_that_was_reset_is_not_handed_out)
{
	struct spares_plan plan = { 1, NEVER_MS, { NEVER_MS, NEVER_MS }, open_tcp, NULL };
	struct spares *s = spares_new(&plan);

	ck_assert_int_eq(spares_start(s), 0);
	wait_ready(s, 1);
	tcp_reset(reset_peer);
	ck_assert_int_eq(spares_take(s), -1);
	ck_assert_int_eq(spares_stop(s, DEADLINE_MS), 0);
	spares_free(s);
}
END_TEST

START_TEST(an_old_one_is_replaced)
{
	struct spares *s = begin(2, 50, NEVER_MS);

	wait_opens(8);
	for (int i = 0; i < 6; i++)
		wait_closed(i);
	finish(s);
}
END_TEST

START_TEST(a_failure_is_followed_by_a_pause)
{
	struct spares *s;

	maker.how = FAILS;
	s = begin(8, NEVER_MS, NEVER_MS);
	wait_opens(1);
	/* One by each thread, if all had begun before the first one failed. */
	look_on(4);
	spares_distrust(s);
	look_on(4);
	ck_assert_uint_eq(spares_ready(s), 0);
	finish(s);
}
END_TEST

START_TEST(after_the_pause_it_is_tried_again)
{
	struct spares *s;

	maker.failures = 3;
	s = begin(1, NEVER_MS, 5);
	wait_ready(s, 1);
	finish(s);
	ck_assert_int_eq(maker.opens, 4);
}
END_TEST

START_TEST(when_one_lives_all_are_made_again)
{
	struct spares *s;

	/* One after each pause would take minutes. */
	maker.failures = 1;
	s = begin(SPARES_MAX, NEVER_MS, 500);
	wait_ready(s, SPARES_MAX);
	finish(s);
}
END_TEST

START_TEST(when_one_is_taken_all_are_made_again)
{
	struct spares *s;
	int fd;

	maker.failures = 1;
	s = begin(SPARES_MAX, NEVER_MS, 500);
	fd = must_take(s);
	wait_ready(s, SPARES_MAX);
	io_close(&fd);
	finish(s);
}
END_TEST

static void
no_loop(enum how how)
{
	struct spares *s;

	maker.how = how;
	s = begin(4, NEVER_MS, NEVER_MS);
	wait_opens(1);
	look_on(4);
	wait_ready(s, 0);
	finish(s);
}

START_TEST(a_server_that_closes_at_once_is_no_loop)
{
	no_loop(CLOSES);
}
END_TEST

START_TEST(a_server_that_speaks_at_once_is_no_loop)
{
	no_loop(SPEAKS);
}
END_TEST

START_TEST(a_server_that_closes_at_once_is_left_alone_ever_longer)
{
	int64_t began = io_now_ms();
	struct spares *s;

	maker.how = CLOSES;
	s = begin(1, NEVER_MS, 1);
	wait_opens(10);
	/* 1, 2, 4 ... 256 ms, each up to a quarter less. */
	ck_assert_int_ge(io_now_ms() - began, 383);
	finish(s);
}
END_TEST

START_TEST(distrust_closes_all_and_they_are_made_anew)
{
	struct spares *s = begin(4, NEVER_MS, 1);

	wait_ready(s, 4);
	spares_distrust(s);
	for (int i = 0; i < 4; i++)
		wait_closed(i);
	wait_ready(s, 4);
	ck_assert_int_ge(maker_opens(), 8);
	finish(s);
}
END_TEST

START_TEST(one_that_was_taken_ends_when_it_is_closed)
{
	struct spares *s = begin(1, NEVER_MS, NEVER_MS);
	int fd;

	/* With no other one coming, only the take can wake the watch, which waits by
	 * then. */
	wait_ready(s, 1);
	maker_set(GOOD, true);
	look_on(1);
	fd = spares_take(s);
	ck_assert_int_ne(fd, -1);
	io_close(&fd);
	wait_closed(0);
	maker_set(GOOD, false);
	finish(s);
}
END_TEST

START_TEST(free_does_not_wait_for_ever_for_a_busy_open)
{
	struct spares *s;

	maker.hold = true;
	s = begin(3, NEVER_MS, NEVER_MS);
	wait_opens(3);
	ck_assert_int_eq(spares_stop(s, 20), -1);
	ck_assert_uint_eq(spares_ready(s), 0);
	ck_assert_int_eq(spares_stop(s, 0), -1);
	maker_set(GOOD, false);
	ck_assert_int_eq(spares_stop(s, DEADLINE_MS), 0);
	spares_free(s);
	for (int i = 0; i < maker.made; i++)
		wait_closed(i);
	maker_finish();
	ck_assert_int_eq(maker.opens, 3);
}
END_TEST

START_TEST(free_of_idle_ones_needs_no_time)
{
	struct spares *s = begin(5, NEVER_MS, NEVER_MS);

	wait_ready(s, 5);
	ck_assert_int_eq(spares_stop(s, 0), 0);
	spares_free(s);
	for (int i = 0; i < 5; i++)
		wait_closed(i);
	maker_finish();
}
END_TEST

START_TEST(free_of_what_was_not_started_works)
{
	struct spares_plan plan = { 1, NEVER_MS, { 1, 1 }, maker_open, &maker };
	int before = count_fds();

	spares_free(NULL);
	spares_free(spares_new(&plan));
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

struct taker {
	struct spares *s;
	pthread_t thread;
	int fd[TAKES];
};

static void *
take_many(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < TAKES; i++)
		t->fd[i] = must_take(t->s);
	return NULL;
}

START_TEST(many_takers_get_a_different_one_each)
{
	static bool seen[2 * MADE_MAX];
	static struct taker taker[TAKERS];
	int before = count_fds();
	struct spares *s = begin(16, NEVER_MS, NEVER_MS);

	for (int i = 0; i < TAKERS; i++) {
		taker[i].s = s;
		ck_assert_int_eq(
			pthread_create(&taker[i].thread, NULL, take_many, &taker[i]), 0);
	}
	for (int i = 0; i < TAKERS; i++)
		pthread_join(taker[i].thread, NULL);
	wait_ready(s, 16);
	for (int i = 0; i < TAKERS * TAKES; i++) {
		int *fd = &taker[i / TAKES].fd[i % TAKES];

		ck_assert(!seen[*fd]);
		seen[*fd] = true;
	}
	for (int i = 0; i < TAKERS * TAKES; i++)
		io_close(&taker[i / TAKES].fd[i % TAKES]);
	finish(s);
	ck_assert_int_eq(maker.opens, TAKERS * TAKES + 16);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

START_TEST(no_fd_is_left)
{
	int before = count_fds(), fd;
	struct spares *s = begin(8, 200, 1);

	wait_ready(s, 8);
	maker_close(2);
	ck_assert_int_eq(write(maker_server(3), "!", 1), 1);
	fd = must_take(s);
	io_close(&fd);
	wait_opens(20);
	spares_distrust(s);
	wait_opens(24);
	finish(s);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

START_TEST(in_a_pause_all_are_closed_and_none_is_made)
{
	struct spares *s = begin(3, NEVER_MS, NEVER_MS);

	wait_ready(s, 3);
	spares_pause(s, true);
	ck_assert_uint_eq(spares_ready(s), 0);
	for (int i = 0; i < 3; i++)
		wait_closed(i);
	ck_assert_int_eq(spares_take(s), -1);
	look_on(3);
	spares_pause(s, false);
	wait_ready(s, 3);
	ck_assert_int_eq(maker_opens(), 6);
	finish(s);
}
END_TEST

START_TEST(what_comes_back_in_a_pause_is_closed)
{
	struct spares *s;

	maker_set(GOOD, true);
	s = begin(1, NEVER_MS, NEVER_MS);
	wait_opens(1);
	spares_pause(s, true);
	maker_set(GOOD, false);
	while (maker_made() == 0)
		sched_yield();
	wait_closed(0);
	ck_assert_uint_eq(spares_ready(s), 0);
	look_on(1);
	finish(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spares");
	TCase *tc = tcase_create("spares");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, as_many_are_made_as_planned);
	tcase_add_test(tc, the_most_there_may_be_are_made);
	tcase_add_test(tc, taking_one_makes_another);
	tcase_add_test(tc, the_youngest_is_taken_first);
	tcase_add_test(tc, with_none_there_take_does_not_wait);
	tcase_add_test(tc, one_that_the_server_closes_is_replaced);
	tcase_add_test(tc, one_with_bytes_on_it_is_replaced);
	tcase_add_test(tc, a_dead_one_is_not_handed_out);
	tcase_add_test(tc, one_with_bytes_on_it_is_not_handed_out);
	tcase_add_test(tc, one_that_was_reset_is_not_handed_out);
	tcase_add_test(tc, an_old_one_is_replaced);
	tcase_add_test(tc, a_failure_is_followed_by_a_pause);
	tcase_add_test(tc, after_the_pause_it_is_tried_again);
	tcase_add_test(tc, when_one_lives_all_are_made_again);
	tcase_add_test(tc, when_one_is_taken_all_are_made_again);
	tcase_add_test(tc, a_server_that_closes_at_once_is_no_loop);
	tcase_add_test(tc, a_server_that_speaks_at_once_is_no_loop);
	tcase_add_test(tc, a_server_that_closes_at_once_is_left_alone_ever_longer);
	tcase_add_test(tc, distrust_closes_all_and_they_are_made_anew);
	tcase_add_test(tc, in_a_pause_all_are_closed_and_none_is_made);
	tcase_add_test(tc, what_comes_back_in_a_pause_is_closed);
	tcase_add_test(tc, one_that_was_taken_ends_when_it_is_closed);
	tcase_add_test(tc, free_does_not_wait_for_ever_for_a_busy_open);
	tcase_add_test(tc, free_of_idle_ones_needs_no_time);
	tcase_add_test(tc, free_of_what_was_not_started_works);
	tcase_add_test(tc, many_takers_get_a_different_one_each);
	tcase_add_test(tc, no_fd_is_left);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
