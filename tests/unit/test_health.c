/* SPDX-License-Identifier: ISC */
/* Tests of health: when something that has failed is tried again, and by how many. */
#include "config.h"

#include <check.h>
#include <limits.h>

#include "health.h"

/* Any number, and the two at the ends. */
static const uint32_t chances[] = { 0, 1, 7, 250, 1000, 123456789, UINT32_MAX - 1,
	UINT32_MAX };
#define CHANCES (sizeof(chances) / sizeof(chances[0]))

static const struct hold_off hold_off = { .first_ms = 1000, .most_ms = 60000 };

/* It fails, for somebody who was sent to try it. Returns how long it is held off. */
static int64_t
breaks(struct health *h, int64_t now_ms)
{
	if (h->failures > 0)
		health_try(h, &hold_off, now_ms);
	(void)health_failed(h, &hold_off, now_ms, 0);
	return h->until_ms - now_ms;
}

START_TEST(one_that_never_failed_is_well)
{
	struct health h = { 0 };

	ck_assert(health_ready(&h, 0));
	health_try(&h, &hold_off, 5000);
	ck_assert(health_ready(&h, 5000));
	ck_assert_int_eq(h.until_ms, 0);
	ck_assert(!h.on_trial);
	ck_assert_int_eq(health_passed(&h), HEALTH_SAME);
}
END_TEST

START_TEST(the_first_failure_makes_it_sick_until_the_hold_off_is_over)
{
	struct health h = { 0 };

	ck_assert_int_eq(health_failed(&h, &hold_off, 5000, 0), HEALTH_SICK);
	ck_assert(!health_ready(&h, 5000));
	ck_assert(!health_ready(&h, 5999));
	ck_assert(health_ready(&h, 6000));
}
END_TEST

START_TEST(the_hold_off_doubles_up_to_the_most)
{
	static const int64_t expected[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000,
		60000, 60000 };
	struct health h = { 0 };
	int64_t now = 5000;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		ck_assert_int_eq(breaks(&h, now), expected[i]);
		ck_assert_uint_eq(h.failures, i + 1);
		now = h.until_ms;
	}
}
END_TEST

START_TEST(a_first_that_is_the_most_never_grows)
{
	const struct hold_off same = { .first_ms = 700, .most_ms = 700 };
	struct health h = { 0 };

	for (int64_t now = 0; now < 70000; now += 700) {
		(void)health_failed(&h, &same, now, 0);
		ck_assert_int_eq(h.until_ms, now + 700);
	}
	ck_assert_uint_eq(h.failures, 100);
}
END_TEST

START_TEST(ten_thousand_failures_hold_off_for_the_most)
{
	struct health h = { 0 };

	for (int i = 0; i < 10000; i++) {
		int64_t held = breaks(&h, h.until_ms);

		if (held != (i < 6 ? INT64_C(1000) << i : 60000))
			ck_abort_msg("failure %d: %d ms", i + 1, (int)held);
	}
	ck_assert_uint_eq(h.failures, 10000);
}
END_TEST

START_TEST(a_most_without_bounds_does_not_overflow)
{
	const struct hold_off vast = { .first_ms = 1, .most_ms = INT64_MAX };
	struct health h = { 0 };

	for (int i = 0; i < 100; i++) {
		h.on_trial = true;
		(void)health_failed(&h, &vast, 0, 0);
		ck_assert_int_eq(h.until_ms, i < 63 ? INT64_C(1) << i : INT64_MAX);
	}
}
END_TEST

START_TEST(the_count_of_failures_stays_at_its_most)
{
	struct health h = { .failures = UINT_MAX };

	ck_assert_int_eq(health_failed(&h, &hold_off, 5000, 0), HEALTH_SAME);
	ck_assert_uint_eq(h.failures, UINT_MAX);
	ck_assert_int_eq(h.until_ms, 65000);
}
END_TEST

START_TEST(chance_takes_off_a_quarter_at_most)
{
	for (unsigned failures = 0; failures < 10; failures++)
		for (size_t i = 0; i < CHANCES; i++) {
			struct health full = { .failures = failures }, h = full;

			(void)health_failed(&full, &hold_off, 5000, 0);
			(void)health_failed(&h, &hold_off, 5000, chances[i]);
			ck_assert_int_le(h.until_ms, full.until_ms);
			ck_assert_int_ge(
				h.until_ms - 5000, (full.until_ms - 5000) * 3 / 4);
		}
}
END_TEST

START_TEST(chance_spreads_over_all_of_the_quarter)
{
	bool seen[1001] = { false };

	for (uint32_t chance = 0; chance < 1000; chance++) {
		struct health h = { 0 };

		(void)health_failed(&h, &hold_off, 0, chance);
		seen[h.until_ms] = true;
	}
	for (int i = 0; i <= 1000; i++)
		ck_assert_int_eq(seen[i], i >= 750);
}
END_TEST

START_TEST(a_hold_off_too_short_for_a_quarter_is_kept)
{
	const struct hold_off shortest = { .first_ms = 1, .most_ms = 1 };

	for (size_t i = 0; i < CHANCES; i++) {
		struct health h = { 0 };

		(void)health_failed(&h, &shortest, 5000, chances[i]);
		ck_assert_int_eq(h.until_ms, 5001);
	}
}
END_TEST

START_TEST(failures_of_those_who_had_begun_earlier_do_not_count)
{
	struct health h = { 0 };

	(void)health_failed(&h, &hold_off, 5000, 0);
	for (int64_t now = 5000; now < 6000; now += 100)
		ck_assert_int_eq(health_failed(&h, &hold_off, now, 0), HEALTH_SAME);
	ck_assert_uint_eq(h.failures, 1);
	ck_assert_int_eq(h.until_ms, 6000);
}
END_TEST

START_TEST(a_failure_after_the_hold_off_counts_without_a_trial)
{
	struct health h = { 0 };

	(void)health_failed(&h, &hold_off, 5000, 0);
	ck_assert_int_eq(health_failed(&h, &hold_off, 6000, 0), HEALTH_SAME);
	ck_assert_uint_eq(h.failures, 2);
	ck_assert_int_eq(h.until_ms, 8000);
}
END_TEST

START_TEST(the_trial_is_for_one_client_only)
{
	struct health h = { 0 };

	(void)breaks(&h, 1000);
	(void)breaks(&h, 2000);
	ck_assert(health_ready(&h, 4000));
	health_try(&h, &hold_off, 4000);
	ck_assert(!health_ready(&h, 4000));
	ck_assert(!health_ready(&h, 5999));
	ck_assert_uint_eq(h.failures, 2);
}
END_TEST

START_TEST(a_trial_without_an_end_is_followed_by_another)
{
	struct health h = { 0 };

	(void)breaks(&h, 5000);
	health_try(&h, &hold_off, 6000);
	ck_assert(health_ready(&h, 7000));
	health_try(&h, &hold_off, 7000);
	ck_assert(!health_ready(&h, 7999));
	ck_assert_uint_eq(h.failures, 1);
}
END_TEST

START_TEST(a_trial_that_fails_counts_although_its_hold_off_runs)
{
	struct health h = { 0 };

	(void)breaks(&h, 5000);
	health_try(&h, &hold_off, 6000);
	ck_assert_int_eq(health_failed(&h, &hold_off, 6500, 0), HEALTH_SAME);
	ck_assert_uint_eq(h.failures, 2);
	ck_assert_int_eq(h.until_ms, 8500);
	/* The next one who had begun earlier is late again. */
	ck_assert_int_eq(health_failed(&h, &hold_off, 6600, 0), HEALTH_SAME);
	ck_assert_uint_eq(h.failures, 2);
	ck_assert_int_eq(h.until_ms, 8500);
}
END_TEST

START_TEST(one_that_is_tried_as_a_last_resort_is_not_on_trial)
{
	struct health h = { 0 };

	(void)breaks(&h, 5000);
	health_try(&h, &hold_off, 5500);
	ck_assert(!h.on_trial);
	ck_assert_int_eq(h.until_ms, 6000);
	ck_assert_int_eq(health_failed(&h, &hold_off, 5600, 0), HEALTH_SAME);
	ck_assert_uint_eq(h.failures, 1);
	ck_assert_int_eq(h.until_ms, 6000);
}
END_TEST

START_TEST(one_that_works_is_well_and_all_is_forgotten)
{
	struct health h = { 0 };

	for (int i = 0; i < 5; i++)
		(void)breaks(&h, h.until_ms);
	health_try(&h, &hold_off, h.until_ms);
	ck_assert_int_eq(health_passed(&h), HEALTH_WELL);
	ck_assert_uint_eq(h.failures, 0);
	ck_assert_int_eq(h.until_ms, 0);
	ck_assert(!h.on_trial);
	ck_assert_int_eq(health_passed(&h), HEALTH_SAME);
	ck_assert_int_eq(health_failed(&h, &hold_off, 5000, 0), HEALTH_SICK);
	ck_assert_int_eq(h.until_ms, 6000);
}
END_TEST

START_TEST(one_that_works_as_a_last_resort_is_well_at_once)
{
	struct health h = { 0 };

	(void)breaks(&h, 5000);
	ck_assert(!health_ready(&h, 5500));
	ck_assert_int_eq(health_passed(&h), HEALTH_WELL);
	ck_assert(health_ready(&h, 5500));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("health");
	TCase *tc = tcase_create("health");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, one_that_never_failed_is_well);
	tcase_add_test(tc, the_first_failure_makes_it_sick_until_the_hold_off_is_over);
	tcase_add_test(tc, the_hold_off_doubles_up_to_the_most);
	tcase_add_test(tc, a_first_that_is_the_most_never_grows);
	tcase_add_test(tc, ten_thousand_failures_hold_off_for_the_most);
	tcase_add_test(tc, a_most_without_bounds_does_not_overflow);
	tcase_add_test(tc, the_count_of_failures_stays_at_its_most);
	tcase_add_test(tc, chance_takes_off_a_quarter_at_most);
	tcase_add_test(tc, chance_spreads_over_all_of_the_quarter);
	tcase_add_test(tc, a_hold_off_too_short_for_a_quarter_is_kept);
	tcase_add_test(tc, failures_of_those_who_had_begun_earlier_do_not_count);
	tcase_add_test(tc, a_failure_after_the_hold_off_counts_without_a_trial);
	tcase_add_test(tc, the_trial_is_for_one_client_only);
	tcase_add_test(tc, a_trial_without_an_end_is_followed_by_another);
	tcase_add_test(tc, a_trial_that_fails_counts_although_its_hold_off_runs);
	tcase_add_test(tc, one_that_is_tried_as_a_last_resort_is_not_on_trial);
	tcase_add_test(tc, one_that_works_is_well_and_all_is_forgotten);
	tcase_add_test(tc, one_that_works_as_a_last_resort_is_well_at_once);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
