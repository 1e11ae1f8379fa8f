/* SPDX-License-Identifier: ISC */
/*
 * Tests of udp_lookup: its threads and what outlives whom. The resolver is the test's own
 * net_resolve, which a test can hold back.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "udp_lookup.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held;
static int busy, most, asked;

/* "fail..." fails, all others are 192.0.2.1; none answers while held. */
int
net_resolve(const struct hostport *hp, struct addr *list, int size)
{
	ck_assert_int_eq(size, NET_ADDRS);
	ck_assert_int_eq(hp->port, 0);
	pthread_mutex_lock(&lock);
	asked++;
	busy++;
	if (busy > most)
		most = busy;
	pthread_cond_broadcast(&changed);
	while (held)
		pthread_cond_wait(&changed, &lock);
	busy--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	if (strncmp(hp->host, "fail", 4) == 0) {
		errno = ENOENT;
		return -1;
	}
	ck_assert(addr_from_text(&list[0], "192.0.2.1", 0));
	return 1;
}

static void
hold(bool yes)
{
	pthread_mutex_lock(&lock);
	held = yes;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void
await_busy(int n)
{
	pthread_mutex_lock(&lock);
	while (busy != n)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static struct lookup *
wait_for_one(struct lookups *l)
{
	struct pollfd p = { lookups_fd(l), POLLIN, 0 };

	ck_assert_int_eq(poll(&p, 1, 30000), 1);
	return lookups_take(l);
}

static bool
is_readable(const struct lookups *l)
{
	struct pollfd p = { lookups_fd(l), POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

START_TEST(a_name_is_looked_up)
{
	struct lookups *l = lookups_new();
	struct lookup *one;

	ck_assert(l != NULL);
	ck_assert(lookups_take(l) == NULL);
	ck_assert_int_eq(lookups_start(l, "a.example"), 0);
	one = wait_for_one(l);
	ck_assert_str_eq(one->host, "a.example");
	ck_assert_int_eq(one->n, 1);
	free(one);
	ck_assert(lookups_take(l) == NULL);
	ck_assert(!is_readable(l));
	lookups_free(l);
}
END_TEST

START_TEST(a_failure_is_told)
{
	struct lookups *l = lookups_new();
	struct lookup *one;

	ck_assert_int_eq(lookups_start(l, "fail.example"), 0);
	one = wait_for_one(l);
	ck_assert_int_eq(one->n, -1);
	free(one);
	lookups_free(l);
}
END_TEST

START_TEST(many_come_back_each_once)
{
	struct lookups *l = lookups_new();
	char host[16];
	int got[200] = { 0 };

	for (int sent = 0, back = 0; back < 200;) {
		struct lookup *one;

		for (; sent < 200; sent++) {
			snprintf(host, sizeof(host), "h%d", sent);
			if (lookups_start(l, host) == -1)
				break;
		}
		one = wait_for_one(l);
		ck_assert(one != NULL);
		got[atoi(one->host + 1)]++;
		back++;
		free(one);
	}
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(got[i], 1);
	ck_assert(!is_readable(l));
	lookups_free(l);
}
END_TEST

START_TEST(one_association_has_no_more_than_its_share)
{
	struct lookups *l = lookups_new();

	hold(true);
	for (int i = 0; i < UDP_LOOKUPS; i++)
		ck_assert_int_eq(lookups_start(l, "slow.example"), 0);
	ck_assert_int_eq(lookups_start(l, "one more"), -1);
	ck_assert_int_eq(errno, EAGAIN);
	hold(false);
	free(wait_for_one(l));
	ck_assert_int_eq(lookups_start(l, "one more"), 0);
	lookups_free(l);
	await_busy(0);
}
END_TEST

START_TEST(what_is_under_way_outlives_who_asked)
{
	struct lookups *l = lookups_new(), *other = lookups_new();

	hold(true);
	ck_assert_int_eq(lookups_start(l, "slow.example"), 0);
	await_busy(1);
	lookups_free(l);
	ck_assert_int_eq(lookups_start(other, "b.example"), 0);
	hold(false);
	free(wait_for_one(other));
	lookups_free(other);
	await_busy(0);
}
END_TEST

START_TEST(threads_are_bounded_and_all_get_their_turn)
{
	struct lookups *l[10];

	hold(true);
	for (int i = 0; i < 10; i++) {
		l[i] = lookups_new();
		for (int j = 0; j < UDP_LOOKUPS; j++)
			ck_assert_int_eq(lookups_start(l[i], "slow.example"), 0);
	}
	await_busy(UDP_LOOKUP_THREADS);
	hold(false);
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < UDP_LOOKUPS; j++)
			free(wait_for_one(l[i]));
		lookups_free(l[i]);
	}
	ck_assert_int_eq(most, UDP_LOOKUP_THREADS);
}
END_TEST

START_TEST(what_nobody_waits_for_any_more_is_not_begun)
{
	struct lookups *l[10], *last = lookups_new();

	hold(true);
	for (int i = 0; i < 10; i++) {
		l[i] = lookups_new();
		for (int j = 0; j < UDP_LOOKUPS; j++)
			ck_assert_int_eq(lookups_start(l[i], "slow.example"), 0);
	}
	await_busy(UDP_LOOKUP_THREADS);
	for (int i = 0; i < 10; i++)
		lookups_free(l[i]);
	ck_assert_int_eq(lookups_start(last, "last.example"), 0);
	hold(false);
	free(wait_for_one(last));
	lookups_free(last);
	ck_assert_int_eq(asked, UDP_LOOKUP_THREADS + 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp_lookup");
	TCase *tc = tcase_create("udp_lookup");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_name_is_looked_up);
	tcase_add_test(tc, a_failure_is_told);
	tcase_add_test(tc, many_come_back_each_once);
	tcase_add_test(tc, one_association_has_no_more_than_its_share);
	tcase_add_test(tc, what_is_under_way_outlives_who_asked);
	tcase_add_test(tc, threads_are_bounded_and_all_get_their_turn);
	tcase_add_test(tc, what_nobody_waits_for_any_more_is_not_begun);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
