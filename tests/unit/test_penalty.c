/* SPDX-License-Identifier: ISC */
/* Tests of penalty, under a clock of their own, and of source. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "penalty.h"
#include "source.h"

static _Atomic int64_t clock_ms;

static int64_t
now_ms(void)
{
	return clock_ms;
}

static struct penalty_conf conf;
static struct penalty *p;

static void
set_up(void)
{
	penalty_conf_init(&conf);
	clock_ms = 5000;
	p = penalty_new(now_ms);
	ck_assert_ptr_nonnull(p);
}

static void
tear_down(void)
{
	penalty_free(p);
	penalty_conf_free(&conf);
}

static struct addr
address(const char *ip)
{
	struct addr a;

	ck_assert(addr_from_text(&a, ip, 5555));
	return a;
}

/* The last of n failures. */
static struct penalty_result
fails(const char *ip, int n)
{
	struct addr a = address(ip);
	struct penalty_result result = { 0, 0, false };

	while (n-- > 0)
		result = penalty_failed(p, &conf, &a);
	return result;
}

static bool
refuses(const char *ip)
{
	struct addr a = address(ip);
	const char *why = NULL;
	bool refused = penalty_refuses(p, &conf, &a, &why);

	ck_assert(!refused || why);
	return refused;
}

START_TEST(the_fifth_failure_is_refused_for_a_second)
{
	struct penalty_result r = fails("192.0.2.1", 4);

	ck_assert_int_eq(r.failures, 4);
	ck_assert_int_eq(r.refused_ms, 0);
	ck_assert(!r.begins);
	ck_assert(!refuses("192.0.2.1"));
	r = fails("192.0.2.1", 1);
	ck_assert_int_eq(r.failures, 5);
	ck_assert_int_eq(r.refused_ms, 1000);
	ck_assert(r.begins);
	ck_assert(refuses("192.0.2.1"));
	clock_ms += 999;
	ck_assert(refuses("192.0.2.1"));
	clock_ms += 1;
	ck_assert(!refuses("192.0.2.1"));
}
END_TEST

START_TEST(the_time_doubles_up_to_the_most)
{
	int64_t expected = 1000;

	(void)fails("192.0.2.1", 4);
	for (int i = 0; i < 40; i++) {
		struct penalty_result r = fails("192.0.2.1", 1);

		ck_assert_int_eq(r.refused_ms, expected);
		ck_assert(r.begins);
		clock_ms += expected - 1;
		ck_assert(refuses("192.0.2.1"));
		clock_ms += 1;
		ck_assert(!refuses("192.0.2.1"));
		expected = expected * 2 < 300000 ? expected * 2 : 300000;
	}
}
END_TEST

START_TEST(a_refusal_begins_once_however_many_fail_meanwhile)
{
	struct penalty_result r = fails("192.0.2.1", 5);

	ck_assert(r.begins);
	r = fails("192.0.2.1", 1);
	ck_assert(!r.begins);
	ck_assert_int_eq(r.refused_ms, 2000);
	clock_ms += 2000;
	ck_assert(!refuses("192.0.2.1"));
	ck_assert(fails("192.0.2.1", 1).begins);
}
END_TEST

START_TEST(failures_are_forgotten_after_a_quiet_time)
{
	(void)fails("192.0.2.1", 4);
	clock_ms += 600 * 1000 - 1;
	ck_assert_int_eq(fails("192.0.2.1", 1).failures, 5);
	clock_ms += 600 * 1000;
	ck_assert_int_eq(fails("192.0.2.1", 1).failures, 1);
	ck_assert(!refuses("192.0.2.1"));
}
END_TEST

START_TEST(a_refusal_longer_than_the_memory_is_served_to_its_end)
{
	conf.first_ms = conf.most_ms = 900 * 1000;
	(void)fails("192.0.2.1", 5);
	clock_ms += 899 * 1000;
	ck_assert(refuses("192.0.2.1"));
	clock_ms += 1000;
	ck_assert(!refuses("192.0.2.1"));
	ck_assert_int_eq(fails("192.0.2.1", 1).failures, 1);
}
END_TEST

START_TEST(one_that_passes_starts_anew)
{
	struct addr a = address("192.0.2.1");

	(void)fails("192.0.2.1", 4);
	penalty_passed(p, &a);
	ck_assert_int_eq(fails("192.0.2.1", 1).failures, 1);
	(void)fails("192.0.2.1", 10);
	penalty_passed(p, &a);
	ck_assert(!refuses("192.0.2.1"));
}
END_TEST

START_TEST(sources_do_not_answer_for_each_other)
{
	(void)fails("192.0.2.1", 5);
	(void)fails("2001:db8:0:1::1", 5);
	ck_assert(!refuses("192.0.2.2"));
	ck_assert(!refuses("2001:db8:0:2::1"));
	ck_assert(!refuses("2001:db8:1:1::1"));
	ck_assert(refuses("192.0.2.1"));
	ck_assert(refuses("2001:db8:0:1::1"));
}
END_TEST

START_TEST(a_64_of_ipv6_is_one_source_and_a_mapped_address_ipv4)
{
	(void)fails("2001:db8::1", 2);
	(void)fails("2001:db8::ffff:1:2:3", 3);
	ck_assert(refuses("2001:db8::abcd"));
	(void)fails("192.0.2.1", 4);
	(void)fails("::ffff:192.0.2.1", 1);
	ck_assert(refuses("192.0.2.1"));
}
END_TEST

START_TEST(link_local_hosts_are_sources_of_their_own)
{
	(void)fails("fe80::1", 5);
	ck_assert(refuses("fe80::1"));
	ck_assert(!refuses("fe80::2"));
}
END_TEST

START_TEST(exempt_networks_have_no_penalties)
{
	struct cidr net;
	const char *why;

	ck_assert_int_eq(cidr_parse(&net, "192.0.2.0/24", &why), 0);
	ck_assert_int_eq(cidrs_add(&conf.exempt, &net), 0);
	ck_assert_int_eq(fails("192.0.2.1", 50).failures, 0);
	ck_assert(!refuses("192.0.2.1"));
	(void)fails("192.0.3.1", 5);
	ck_assert(refuses("192.0.3.1"));
}
END_TEST

START_TEST(after_0_switches_penalties_off)
{
	conf.after = 0;
	ck_assert_int_eq(fails("192.0.2.1", 50).failures, 0);
	ck_assert(!refuses("192.0.2.1"));
}
END_TEST

START_TEST(a_first_beyond_the_most_is_the_most)
{
	conf.first_ms = 20000;
	conf.most_ms = 10000;
	ck_assert_int_eq(fails("192.0.2.1", 5).refused_ms, 10000);
	ck_assert_int_eq(fails("192.0.2.1", 1).refused_ms, 10000);
}
END_TEST

START_TEST(another_configuration_takes_over_what_has_failed)
{
	struct penalty_conf next;
	struct addr a = address("192.0.2.1");
	const char *why;

	penalty_conf_init(&next);
	next.after = 3;
	next.forget_ms = 10 * 1000;
	(void)fails("192.0.2.1", 2);
	ck_assert_int_eq(penalty_failed(p, &next, &a).refused_ms, 1000);
	ck_assert(penalty_refuses(p, &next, &a, &why));
	next.after = 0;
	ck_assert(!penalty_refuses(p, &next, &a, &why));
	next.after = 5;
	ck_assert(penalty_refuses(p, &next, &a, &why));
	clock_ms += 10 * 1000;
	ck_assert_int_eq(penalty_failed(p, &next, &a).failures, 1);
	penalty_conf_free(&next);
}
END_TEST

/* The i-th of many sources. */
static struct addr
nth(unsigned i)
{
	const uint8_t ip[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
	struct addr a;

	addr_from_bytes(&a, AF_INET, ip, 1);
	return a;
}

START_TEST(of_too_many_sources_the_quiet_ones_are_forgotten)
{
	struct addr a;

	(void)fails("192.0.2.1", 5);
	(void)fails("192.0.2.2", 5);
	conf.first_ms = conf.most_ms = 300000;
	for (unsigned i = 0; i < 10 * PENALTY_SOURCES; i++) {
		a = nth(i);
		(void)penalty_failed(p, &conf, &a);
		if (i % 64 == 0) {
			clock_ms++;
			(void)fails("192.0.2.2", 1);
		}
	}
	ck_assert_int_eq(fails("192.0.2.1", 1).failures, 1);
	ck_assert(refuses("192.0.2.2"));
	ck_assert_int_eq(penalty_failed(p, &conf, &a).failures, 2);
}
END_TEST

START_TEST(a_table_that_is_half_full_forgets_nobody_or_hardly)
{
	unsigned forgotten = 0;
	struct addr a;

	for (unsigned i = 0; i < PENALTY_SOURCES / 2; i++) {
		a = nth(i);
		(void)penalty_failed(p, &conf, &a);
	}
	for (unsigned i = 0; i < PENALTY_SOURCES / 2; i++) {
		a = nth(i);
		if (penalty_failed(p, &conf, &a).failures != 2)
			forgotten++;
	}
	ck_assert_uint_le(forgotten, PENALTY_SOURCES / 50);
}
END_TEST

static void *
fail_often(void *arg)
{
	const char *ip = arg, *why;
	struct addr a = address(ip), shared = address("198.51.100.1");

	for (int i = 0; i < 5000; i++) {
		(void)penalty_failed(p, &conf, &a);
		(void)penalty_failed(p, &conf, &shared);
		(void)penalty_refuses(p, &conf, &shared, &why);
	}
	return NULL;
}

START_TEST(no_failure_is_lost_between_threads)
{
	static char ips[4][16] = { "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4" };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, fail_often, ips[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(fails("198.51.100.1", 1).failures, 20001);
	ck_assert_int_eq(fails("192.0.2.1", 1).failures, 5001);
}
END_TEST

static void
expect_line(const char *ip, const void *user, size_t len, const char *expected)
{
	struct addr a = address(ip);
	char line[PENALTY_LINE];

	ck_assert_str_eq(penalty_line(line, &a, user, len, "wrong password"), expected);
}

START_TEST(the_line_of_a_failure_is_as_fail2ban_expects)
{
	expect_line("192.0.2.1", "ann", 3,
		"auth-failed client=192.0.2.1:5555 user=ann reason=\"wrong password\"");
	expect_line("2001:db8::1", "ann", 3,
		"auth-failed client=[2001:db8::1]:5555 user=ann "
		"reason=\"wrong password\"");
	expect_line("192.0.2.1", "", 0,
		"auth-failed client=192.0.2.1:5555 user=- reason=\"wrong password\"");
}
END_TEST

START_TEST(a_user_cannot_forge_a_line)
{
	expect_line("192.0.2.1", "a\nb \"c\0d", 8,
		"auth-failed client=192.0.2.1:5555 user=a\\x0ab\\x20\\x22c\\x00d "
		"reason=\"wrong password\"");
}
END_TEST

START_TEST(the_longest_user_leaves_the_line_whole)
{
	struct addr a = address("2001:db8:1111:2222:3333:4444:5555:6666");
	char user[255], line[PENALTY_LINE];
	const char *end;

	memset(user, '\n', sizeof(user));
	penalty_line(line, &a, user, sizeof(user), "wrong password");
	end = strstr(line, "\\x0a reason=\"wrong password\"");
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(end - strstr(line, "user=\\x0a"), 5 + 4 * 254);
	ck_assert_uint_lt(strlen(line), LOG_LINE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("penalty");
	TCase *tc = tcase_create("penalty");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, the_fifth_failure_is_refused_for_a_second);
	tcase_add_test(tc, the_time_doubles_up_to_the_most);
	tcase_add_test(tc, a_refusal_begins_once_however_many_fail_meanwhile);
	tcase_add_test(tc, failures_are_forgotten_after_a_quiet_time);
	tcase_add_test(tc, a_refusal_longer_than_the_memory_is_served_to_its_end);
	tcase_add_test(tc, one_that_passes_starts_anew);
	tcase_add_test(tc, sources_do_not_answer_for_each_other);
	tcase_add_test(tc, a_64_of_ipv6_is_one_source_and_a_mapped_address_ipv4);
	tcase_add_test(tc, link_local_hosts_are_sources_of_their_own);
	tcase_add_test(tc, exempt_networks_have_no_penalties);
	tcase_add_test(tc, after_0_switches_penalties_off);
	tcase_add_test(tc, a_first_beyond_the_most_is_the_most);
	tcase_add_test(tc, another_configuration_takes_over_what_has_failed);
	tcase_add_test(tc, of_too_many_sources_the_quiet_ones_are_forgotten);
	tcase_add_test(tc, a_table_that_is_half_full_forgets_nobody_or_hardly);
	tcase_add_test(tc, no_failure_is_lost_between_threads);
	tcase_add_test(tc, the_line_of_a_failure_is_as_fail2ban_expects);
	tcase_add_test(tc, a_user_cannot_forge_a_line);
	tcase_add_test(tc, the_longest_user_leaves_the_line_whole);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
