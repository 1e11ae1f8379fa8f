/* SPDX-License-Identifier: ISC */
/* The queue of the log: what goes in comes out whole and in order, or does not go in. */
#include "config.h"
#include "log_queue.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct log_queue q;

/* Some text that is another for each n, of that length. */
static void
fill(char text[LOG_LINE], int n, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (n + (int)i) % 26);
}

static bool
put(int n, size_t len)
{
	const struct log_record r = { 1000 + n, (uint64_t)n, LOG_L_NOTICE, len };
	char text[LOG_LINE];

	fill(text, n, len);
	return log_queue_put(&q, &r, text);
}

static void
expect(int n, size_t len)
{
	char text[LOG_LINE], expected[LOG_LINE];
	struct log_record r;

	ck_assert(log_queue_take(&q, &r, text));
	ck_assert_int_eq(r.at_ms, 1000 + n);
	ck_assert_uint_eq(r.messages, (uint64_t)n);
	ck_assert_int_eq(r.level, LOG_L_NOTICE);
	ck_assert_uint_eq(r.len, len);
	fill(expected, n, len);
	ck_assert_mem_eq(text, expected, len);
}

START_TEST(new_queue_is_idle)
{
	char text[LOG_LINE];
	struct log_record r;

	ck_assert(log_queue_idle(&q));
	ck_assert_uint_eq(log_queue_free(&q), LOG_QUEUE);
	ck_assert(!log_queue_take(&q, &r, text));
}
END_TEST

START_TEST(lines_come_out_in_order)
{
	ck_assert(put(1, 10));
	ck_assert(put(2, 0));
	ck_assert(put(3, LOG_LINE));
	ck_assert(!log_queue_idle(&q));
	expect(1, 10);
	expect(2, 0);
	expect(3, LOG_LINE);
	ck_assert(log_queue_idle(&q));
	ck_assert_uint_eq(log_queue_free(&q), LOG_QUEUE);
}
END_TEST

START_TEST(full_queue_takes_no_more_and_keeps_what_it_has)
{
	int n = 0;
	size_t left;

	while (put(n, 100))
		n++;
	left = log_queue_free(&q);
	ck_assert_uint_lt(left, 100 + sizeof(struct log_record));
	ck_assert(!put(n, left - sizeof(struct log_record) + 1));
	ck_assert(put(n, left - sizeof(struct log_record)));
	ck_assert_uint_eq(log_queue_free(&q), 0);
	for (int i = 0; i < n; i++)
		expect(i, 100);
	expect(n, left - sizeof(struct log_record));
	ck_assert(log_queue_idle(&q));
}
END_TEST

/* Lengths that have nothing in common with the size, so that every split is met. */
START_TEST(lines_go_over_the_end_of_the_ring)
{
	int in = 0, out = 0;

	while (out < 20000) {
		while (put(in, (size_t)(in * 37 % 389)))
			in++;
		for (int i = 0; i < 50; i++, out++)
			expect(out, (size_t)(out * 37 % 389));
	}
	for (; out < in; out++)
		expect(out, (size_t)(out * 37 % 389));
	ck_assert(log_queue_idle(&q));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_queue");
	TCase *tc = tcase_create("queue");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, new_queue_is_idle);
	tcase_add_test(tc, lines_come_out_in_order);
	tcase_add_test(tc, full_queue_takes_no_more_and_keeps_what_it_has);
	tcase_add_test(tc, lines_go_over_the_end_of_the_ring);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
