/* SPDX-License-Identifier: ISC */
/* Tests of cidr: networks and port ranges. */
#include "config.h"

#include <check.h>

#include "cidr.h"

static const struct {
	const char *text, *printed, *in, *out;
} networks[] = {
	{ "10.0.0.0/8", "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
	{ "192.0.2.0/25", "192.0.2.0/25", "192.0.2.127", "192.0.2.128" },
	{ "192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6" },
	{ "0.0.0.0/0", "0.0.0.0/0", "255.1.2.3", "::1" },
	{ "::/0", "::/0", "2001:db8::1", "10.0.0.1" },
	{ "2001:db8::/33", "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "::1", "::1", "::1", "::2" },
	{ "::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3", "11.0.0.0" },
	{ "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2" },
};

START_TEST(a_network_holds_what_begins_like_it_and_nothing_else)
{
	struct cidr c;
	struct addr in, out;
	const char *why;
	char text[CIDR_TEXT];

	ck_assert_int_eq(cidr_parse(&c, networks[_i].text, &why), 0);
	ck_assert_str_eq(cidr_text(&c, text), networks[_i].printed);
	ck_assert(addr_from_text(&in, networks[_i].in, 1));
	ck_assert(addr_from_text(&out, networks[_i].out, 1));
	ck_assert(cidr_holds(&c, &in));
	ck_assert(!cidr_holds(&c, &out));
}
END_TEST

static const char *const bad_networks[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33",
	"10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/08000", "10.0.0.1/8", "192.0.2.1/31",
	"10.0/8", "2001:db8::/129", "2001:db8::1/64", "[::1]", "example.com",
	"::ffff:10.0.0.0/8", "10.0.0.0 /8", "1.2.3.4/ 8" };

START_TEST(a_text_that_is_no_network_is_refused)
{
	struct cidr c;
	const char *why = NULL;

	ck_assert_int_eq(cidr_parse(&c, bad_networks[_i], &why), -1);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(port_ranges_are_read_with_both_ends)
{
	struct port_range r;
	const char *why;

	ck_assert_int_eq(port_range_parse(&r, "80", &why), 0);
	ck_assert(r.first == 80 && r.last == 80);
	ck_assert_int_eq(port_range_parse(&r, "8000-8999", &why), 0);
	ck_assert(r.first == 8000 && r.last == 8999);
	ck_assert_int_eq(port_range_parse(&r, "1-65535", &why), 0);
	ck_assert(r.first == 1 && r.last == 65535);
}
END_TEST

static const char *const bad_ranges[] = { "", "-", "80-", "-80", "0", "0-80", "80-65536",
	"9-8", "80-81-82", "a", "80 -81", "123456789-1" };

START_TEST(a_text_that_is_no_range_is_refused)
{
	struct port_range r;
	const char *why = NULL;

	ck_assert_int_eq(port_range_parse(&r, bad_ranges[_i], &why), -1);
	ck_assert_ptr_nonnull(why);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int
main(void)
{
	Suite *suite = suite_create("cidr");
	TCase *tc = tcase_create("cidr");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, a_network_holds_what_begins_like_it_and_nothing_else, 0,
		COUNT(networks));
	tcase_add_loop_test(
		tc, a_text_that_is_no_network_is_refused, 0, COUNT(bad_networks));
	tcase_add_test(tc, port_ranges_are_read_with_both_ends);
	tcase_add_loop_test(tc, a_text_that_is_no_range_is_refused, 0, COUNT(bad_ranges));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
