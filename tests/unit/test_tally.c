/* SPDX-License-Identifier: ISC */
/* Tests of tally: counting by key, limits, many keys, many threads. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "tally.h"

START_TEST(each_key_has_its_own_count_and_limit)
{
	struct tally *t = tally_new();

	ck_assert(tally_take(t, "a", 1, 2));
	ck_assert(tally_take(t, "a", 1, 2));
	errno = 0;
	ck_assert(!tally_take(t, "a", 1, 2));
	ck_assert_int_eq(errno, EUSERS);
	ck_assert(tally_take(t, "b", 1, 2));
	ck_assert_uint_eq(tally_count(t, "a", 1), 2);
	ck_assert_uint_eq(tally_count(t, "b", 1), 1);
	tally_give(t, "a", 1);
	ck_assert(tally_take(t, "a", 1, 2));
	tally_free(t);
}
END_TEST

START_TEST(keys_with_nothing_left_vanish)
{
	struct tally *t = tally_new();

	ck_assert(tally_take(t, "a", 1, 0));
	ck_assert(tally_take(t, "a", 1, 0));
	ck_assert(tally_take(t, "b", 1, 0));
	ck_assert_uint_eq(tally_keys(t), 2);
	tally_give(t, "a", 1);
	ck_assert_uint_eq(tally_keys(t), 2);
	tally_give(t, "a", 1);
	tally_give(t, "b", 1);
	ck_assert_uint_eq(tally_keys(t), 0);
	ck_assert_uint_eq(tally_count(t, "a", 1), 0);
	tally_free(t);
}
END_TEST

START_TEST(keys_are_bytes_and_their_length_counts)
{
	struct tally *t = tally_new();

	ck_assert(tally_take(t, "a\0b", 3, 1));
	ck_assert(tally_take(t, "a\0c", 3, 1));
	ck_assert(tally_take(t, "a", 1, 1));
	ck_assert(tally_take(t, "", 0, 1));
	ck_assert(tally_take(t, "\0\0\0\0", 4, 1));
	ck_assert(tally_take(t, "\0\0\0\0\0\0\0\0", 8, 1));
	ck_assert(!tally_take(t, "\0\0\0\0", 4, 1));
	ck_assert_uint_eq(tally_keys(t), 6);
	tally_free(t);
}
END_TEST

START_TEST(a_key_is_not_taken_for_the_beginning_of_another)
{
	static const char zeros[1000];
	struct tally *t = tally_new();

	/* Some of them share a chain. */
	for (size_t len = 0; len <= sizeof(zeros); len++)
		ck_assert(tally_take(t, zeros, len, 1));
	for (size_t len = sizeof(zeros) + 1; len-- > 0;)
		ck_assert(!tally_take(t, zeros, len, 1));
	ck_assert_uint_eq(tally_keys(t), sizeof(zeros) + 1);
	tally_free(t);
}
END_TEST

START_TEST(a_limit_of_0_is_none_and_what_it_took_counts)
{
	struct tally *t = tally_new();

	for (int i = 0; i < 1000; i++)
		ck_assert(tally_take(t, "a", 1, 0));
	ck_assert(!tally_take(t, "a", 1, 1000));
	ck_assert(tally_take(t, "a", 1, 1001));
	tally_free(t);
}
END_TEST

START_TEST(more_keys_than_chains_are_all_kept_apart)
{
	struct tally *t = tally_new();

	for (uint32_t i = 0; i < 30000; i++)
		ck_assert(tally_take(t, &i, sizeof(i), 1));
	ck_assert_uint_eq(tally_keys(t), 30000);
	for (uint32_t i = 0; i < 30000; i += 2)
		tally_give(t, &i, sizeof(i));
	for (uint32_t i = 0; i < 30000; i++)
		ck_assert_uint_eq(tally_count(t, &i, sizeof(i)), i % 2);
	tally_free(t);
}
END_TEST

#define THREADS 4
#define MOST	2

static _Atomic int inside;
static _Atomic bool too_many;

static void *
take_and_give(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		if (!tally_take(arg, "one", 3, MOST))
			continue;
		if (++inside > MOST)
			too_many = true;
		inside--;
		tally_give(arg, "one", 3);
	}
	return NULL;
}

START_TEST(threads_never_have_more_than_the_limit)
{
	struct tally *t = tally_new();
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, t), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert(!too_many);
	ck_assert_uint_eq(tally_keys(t), 0);
	tally_free(t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tc = tcase_create("tally");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_key_has_its_own_count_and_limit);
	tcase_add_test(tc, keys_with_nothing_left_vanish);
	tcase_add_test(tc, keys_are_bytes_and_their_length_counts);
	tcase_add_test(tc, a_key_is_not_taken_for_the_beginning_of_another);
	tcase_add_test(tc, a_limit_of_0_is_none_and_what_it_took_counts);
	tcase_add_test(tc, more_keys_than_chains_are_all_kept_apart);
	tcase_add_test(tc, threads_never_have_more_than_the_limit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
