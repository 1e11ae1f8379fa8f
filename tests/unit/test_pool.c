/* SPDX-License-Identifier: ISC */
/* Tests of pool: one owner at a time, the same one again, and an end. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "pool.h"

START_TEST(each_is_taken_once_and_then_there_is_none)
{
	static struct pool pool;
	bool taken[POOL_MAX] = { false };

	for (int i = 0; i < POOL_MAX; i++) {
		int number = pool_take(&pool);

		ck_assert_int_ge(number, 0);
		ck_assert_int_lt(number, POOL_MAX);
		ck_assert(!taken[number]);
		taken[number] = true;
	}
	ck_assert_int_eq(pool_take(&pool), -1);
	pool_give(&pool, 17);
	ck_assert_int_eq(pool_take(&pool), 17);
	ck_assert_int_eq(pool_take(&pool), -1);
}
END_TEST

START_TEST(a_thread_gets_again_what_it_had_last)
{
	static struct pool pool;
	int first = pool_take(&pool), second = pool_take(&pool);

	ck_assert_int_ne(first, second);
	pool_give(&pool, first);
	pool_give(&pool, second);
	ck_assert_int_eq(pool_take(&pool), second);
	ck_assert_int_eq(pool_take(&pool), first);
}
END_TEST

#define THREADS 8
#define FREE	2 /* for which they all fight */
#define ROUNDS	100000

static struct pool shared;
static int owned[POOL_MAX]; /* not atomic: only the owner may touch its own */

static void *
take_and_give(void *arg)
{
	int rounds = 0;

	while (rounds < ROUNDS) {
		int number = pool_take(&shared);

		if (number == -1) {
			sched_yield();
			continue;
		}
		owned[number]++;
		rounds++;
		pool_give(&shared, number);
	}
	return arg;
}

START_TEST(one_owner_at_a_time)
{
	pthread_t thread[THREADS];
	int sum = 0;

	for (int i = 0; i < POOL_MAX - FREE; i++)
		ck_assert_int_ne(pool_take(&shared), -1);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, take_and_give, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < POOL_MAX; i++)
		sum += owned[i];
	ck_assert_int_eq(sum, THREADS * ROUNDS);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tc = tcase_create("pool");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_is_taken_once_and_then_there_is_none);
	tcase_add_test(tc, a_thread_gets_again_what_it_had_last);
	tcase_add_test(tc, one_owner_at_a_time);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
