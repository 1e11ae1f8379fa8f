/* SPDX-License-Identifier: ISC */
/* Text of the log: what is escaped, how dates and times look, which names there are. */
#include "config.h"
#include "log_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

START_TEST(escape_leaves_only_plain_text)
{
	static const struct {
		const char *text;
		size_t len;
		const char *expected;
	} rows[] = {
		{ "", 0, "" },
		{ "www.example.com:80", 18, "www.example.com:80" },
		{ "a b", 3, "a\\x20b" },
		{ "a\nb\r", 4, "a\\x0ab\\x0d" },
		{ "\"'\\", 3, "\\x22\\x27\\x5c" },
		{ "a\0b", 3, "a\\x00b" },
		{ "\x7f\x80\xff~!", 5, "\\x7f\\x80\\xff~!" },
		{ "%s%n=", 5, "%s%n=" },
		{ "\x1b[31m", 5, "\\x1b[31m" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[64];

		ck_assert_ptr_eq(
			log_escape(out, sizeof(out), rows[i].text, rows[i].len), out);
		ck_assert_str_eq(out, rows[i].expected);
	}
}
END_TEST

START_TEST(escape_cuts_between_characters)
{
	char out[8];

	ck_assert_str_eq(log_escape(out, 1, "abc", 3), "");
	ck_assert_str_eq(log_escape(out, 3, "abc", 3), "ab");
	ck_assert_str_eq(log_escape(out, 5, "\n\n", 2), "\\x0a");
	ck_assert_str_eq(log_escape(out, 4, "\n\n", 2), "");
	ck_assert_str_eq(log_escape(out, 6, "a\n", 2), "a\\x0a");
	ck_assert_str_eq(log_escape(out, 5, "a\nb", 3), "a");
}
END_TEST

START_TEST(control_bytes_become_spaces)
{
	char text[] = "one\ntwo\0\x7f\x1b\xc3\xa4 \"";

	log_flatten(text, sizeof(text) - 1);
	ck_assert_str_eq(text, "one two   \xc3\xa4 \"");
}
END_TEST

START_TEST(time_is_in_seconds_with_three_digits)
{
	char out[LOG_SECONDS];

	ck_assert_str_eq(log_seconds(out, 0), "0.000");
	ck_assert_str_eq(log_seconds(out, 3201), "3.201");
	ck_assert_str_eq(log_seconds(out, 86400012), "86400.012");
	ck_assert_str_eq(log_seconds(out, -1), "-");
	ck_assert_str_eq(log_seconds(out, INT64_MAX), "9223372036854775.807");
}
END_TEST

/* Zones without a file, so that none need be there; POSIX has their signs turned. */
static void
set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

START_TEST(date_has_milliseconds_and_the_zone)
{
	static const struct {
		const char *zone;
		int64_t at_ms;
		const char *expected;
	} rows[] = {
		{ "UTC0", 0, "1970-01-01T00:00:00.000+00:00" },
		{ "CET-1", 1795533428123, "2026-11-24T16:17:08.123+01:00" },
		{ "NST3:30", 1795533428007, "2026-11-24T11:47:08.007-03:30" },
		{ "IST-5:30", 1795533428999, "2026-11-24T20:47:08.999+05:30" },
		{ "EST5", 0, "1969-12-31T19:00:00.000-05:00" },
		{ "UTC0", 4102444800000, "2100-01-01T00:00:00.000+00:00" },
		{ "UTC0", -1, "-" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[LOG_DATE];

		set_zone(rows[i].zone);
		ck_assert_ptr_eq(log_date_iso(out, rows[i].at_ms), out);
		ck_assert_str_eq(out, rows[i].expected);
	}
}
END_TEST

START_TEST(date_for_syslog_is_as_old_as_that)
{
	char out[LOG_DATE];

	set_zone("CET-1");
	ck_assert_str_eq(log_date_syslog(out, 1795533428123), "Nov 24 16:17:08");
	ck_assert_str_eq(log_date_syslog(out, 0), "Jan  1 01:00:00");
	ck_assert_str_eq(log_date_syslog(out, -1), "-");
}
END_TEST

START_TEST(names_of_a_configuration_are_known)
{
	ck_assert_int_eq(log_facility("daemon"), LOG_DAEMON);
	ck_assert_int_eq(log_facility("local0"), LOG_LOCAL0);
	ck_assert_int_eq(log_facility("local7"), LOG_LOCAL7);
	ck_assert_int_eq(log_facility("local8"), -1);
	ck_assert_int_eq(log_facility("daemo"), -1);
	ck_assert_int_eq(log_facility(""), -1);
	ck_assert_int_eq(log_level("error"), LOG_L_ERROR);
	ck_assert_int_eq(log_level("warning"), LOG_L_WARNING);
	ck_assert_int_eq(log_level("notice"), LOG_L_NOTICE);
	ck_assert_int_eq(log_level("info"), LOG_L_INFO);
	ck_assert_int_eq(log_level("debug"), LOG_L_DEBUG);
	ck_assert_int_eq(log_level("Debug"), -1);
	ck_assert_int_eq(log_level(""), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_text");
	TCase *tc = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, escape_leaves_only_plain_text);
	tcase_add_test(tc, escape_cuts_between_characters);
	tcase_add_test(tc, control_bytes_become_spaces);
	tcase_add_test(tc, time_is_in_seconds_with_three_digits);
	tcase_add_test(tc, date_has_milliseconds_and_the_zone);
	tcase_add_test(tc, date_for_syslog_is_as_old_as_that);
	tcase_add_test(tc, names_of_a_configuration_are_known);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
