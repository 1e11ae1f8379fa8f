/* SPDX-License-Identifier: ISC */
/* tunnelctl: lines of tunnels, filters, order, rates, and which socket is the default. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "rows.h"
#include "sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(a_value_is_found_by_its_whole_key)
{
	static const char line[] = "tunnel id=5f-1 upstream=x up=7 empty= e=a=b";
	struct value value;

	ck_assert(row_value(line, "up", &value));
	ck_assert_uint_eq(value.len, 1);
	ck_assert_int_eq(*value.at, '7');
	ck_assert(row_value(line, "empty", &value));
	ck_assert_uint_eq(value.len, 0);
	ck_assert(row_value(line, "e", &value));
	ck_assert_int_eq(strncmp(value.at, "a=b", value.len), 0);
	ck_assert_uint_eq(value.len, 3);
	ck_assert(!row_value(line, "p", &value));
	ck_assert(!row_value(line, "tunnel", &value));
	ck_assert(!row_value(line, "upstrea", &value));
	ck_assert(!row_value("", "up", &value));
}
END_TEST

START_TEST(a_number_is_digits_and_a_fraction)
{
	ck_assert_double_eq(row_number("t n=12", "n"), 12);
	ck_assert_double_eq(row_number("t n=0.25", "n"), 0.25);
	ck_assert_double_eq(row_number("t n=1e3", "n"), 0);
	ck_assert_double_eq(row_number("t n=-1", "n"), 0);
	ck_assert_double_eq(row_number("t n=-", "n"), 0);
	ck_assert_double_eq(row_number("t n=.5", "n"), 0);
	ck_assert_double_eq(row_number("t n=1.2.3", "n"), 0);
	ck_assert_double_eq(row_number("t n=", "n"), 0);
	ck_assert_double_eq(row_number("t m=1", "n"), 0);
}
END_TEST

static const struct {
	const char *filter, *value;
	bool wanted;
} likes[] = {
	{ "k=ann", "ann", true },
	{ "k=ann", "anna", false },
	{ "k=ann", "an", false },
	{ "k=Ann", "ann", false },
	{ "k=-", "-", true },
	{ "k=*", "ann", true },
	{ "k=*", "", true },
	{ "k=a*", "ann", true },
	{ "k=a*", "bann", false },
	{ "k=*n", "ann", true },
	{ "k=*b", "ann", false },
	{ "k=a*n*a", "anna", true },
	{ "k=*ab", "aab", true },
	{ "k=*aab*", "aaab", true },
	{ "k=a*b*c", "acb", false },
	{ "k=a**", "a", true },
	{ "k=example.com", "example.com:80", true },
	{ "k=example.com:80", "example.com:80", true },
	{ "k=example.com:8", "example.com:80", false },
	{ "k=*.example.com", "www.example.com:80", true },
	{ "k=*.example.com", "example.com:80", false },
	{ "k=*:80", "example.com:80", true },
	{ "k=10.0.0.0/8", "10.1.2.3:4711", true },
	{ "k=10.0.0.0/8", "10.1.2.3", true },
	{ "k=10.0.0.0/8", "11.1.2.3:4711", false },
	{ "k=10.0.0.0/8", "10.example.com:80", false },
	{ "k=10.1.2.3", "10.1.2.3:4711", true },
	{ "k=10.1.2.3", "10.1.2.30:4711", false },
	{ "k=10.1.2.3:4711", "10.1.2.3:4711", true },
	{ "k=2001:db8::/32", "[2001:db8::1]:80", true },
	{ "k=2001:db8::/32", "[2001:db9::1]:80", false },
	{ "k=2001:db8::/32", "2001:db8::1", true },
	{ "k=2001:db8::1", "[2001:db8::1]:80", true },
	{ "k=2001:db8:0::1", "[2001:db8::1]:80", true },
	{ "k=[2001:db8::1]:80", "[2001:db8::1]:80", true },
	{ "k=::ffff:10.1.2.3", "10.1.2.3:80", true },
	{ "k=a/b", "a/b", true },
	{ "j=a", "a", false },
};

START_TEST(a_filter_wants_what_it_says)
{
	char word[64], text[80];
	struct filter filter;
	struct rows rows;

	strcpy(word, likes[_i].filter);
	snprintf(text, sizeof(text), "tunnel k=%s z=1\n", likes[_i].value);
	ck_assert_ptr_null(filter_parse(&filter, word));
	ck_assert_int_eq(rows_split(&rows, text), 0);
	rows_sift(&rows, &filter, 1);
	ck_assert_msg(
		rows.n == likes[_i].wanted, "%s: %s", likes[_i].filter, likes[_i].value);
	rows_free(&rows);
}
END_TEST

START_TEST(what_is_no_filter_is_told)
{
	static const char *const wrong[] = { "", "ann", "=ann", "user=", "c=10.0.0.0/33",
		"c=10.0.0.1/8", "c=10.0.0/8", "c=2001:db8::1/32" };
	struct filter filter;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		char word[64];

		strcpy(word, wrong[i]);
		ck_assert_msg(filter_parse(&filter, word) != NULL, "%s", wrong[i]);
	}
}
END_TEST

/* The ids of the lines, one letter each. */
static const char *
letters(const struct rows *rows)
{
	static char text[32];

	for (size_t i = 0; i < rows->n; i++)
		text[i] = rows->line[i][strlen("tunnel id=")];
	text[rows->n] = '\0';
	return text;
}

START_TEST(of_one_key_any_filter_will_do_of_others_each_must)
{
	char text[] = "tunnel id=a user=ann rule=x\ntunnel id=b user=bob rule=x\n"
		      "tunnel id=c user=bob rule=y\ntunnel id=d user=cid rule=y\n";
	char words[][16] = { "user=ann", "rule=x", "user=bob" };
	struct filter filters[3];
	struct rows rows;

	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_null(filter_parse(&filters[i], words[i]));
	ck_assert_int_eq(rows_split(&rows, text), 0);
	ck_assert_uint_eq(rows.n, 4);
	rows_sift(&rows, filters, 0);
	ck_assert_str_eq(letters(&rows), "abcd");
	rows_sift(&rows, filters, 3);
	ck_assert_str_eq(letters(&rows), "ab");
	rows_free(&rows);
}
END_TEST

START_TEST(numbers_come_first_and_the_largest_of_them)
{
	char text[] = "tunnel id=a k=9\ntunnel id=b k=-\ntunnel id=c k=10\n"
		      "tunnel id=d k=y\ntunnel id=e\ntunnel id=f k=10.5\n"
		      "tunnel id=g k=x\ntunnel id=h k=9\ntunnel id=i k=xx\n";
	struct rows rows;

	ck_assert_int_eq(rows_split(&rows, text), 0);
	ck_assert(rows_have(&rows, "k"));
	ck_assert(!rows_have(&rows, "j"));
	ck_assert_int_eq(rows_sort(&rows, "k"), 0);
	ck_assert_str_eq(letters(&rows), "fcahgidbe");
	rows_free(&rows);
}
END_TEST

START_TEST(no_lines_are_no_rows)
{
	char text[] = "";
	struct rows rows;

	ck_assert_int_eq(rows_split(&rows, text), 0);
	ck_assert_uint_eq(rows.n, 0);
	ck_assert_int_eq(rows_sort(&rows, "k"), 0);
	rows_sift(&rows, NULL, 0);
	ck_assert_uint_eq(rows.n, 0);
	rows_free(&rows);
}
END_TEST

/* A sample of two tunnels at most, as sample_take makes them. */
static void
set_items(struct sample *s, int64_t at_ms, struct item *items, size_t n)
{
	*s = (struct sample){ .items = items, .n = n, .at_ms = at_ms };
	for (size_t i = 0; i < n; i++) {
		items[i].bytes[UP] = row_number(items[i].line, "up");
		items[i].bytes[DOWN] = row_number(items[i].line, "down");
		ck_assert(row_value(items[i].line, "id", &items[i].id));
	}
}

START_TEST(a_rate_is_the_difference_of_two_samples)
{
	struct item old[] = { { .line = "t id=a up=100 down=0 time=50" },
		{ .line = "t id=b up=5 down=5 time=50" } };
	struct item new[] = { { .line = "t id=a up=300 down=50 time=52" },
		{ .line = "t id=ab up=800 down=80 time=8" },
		{ .line = "t id=b up=5 down=5 time=52" },
		{ .line = "t id=c up=10 down=4 time=0.001" } };
	struct sample before, now;

	set_items(&before, 1000, old, 2);
	set_items(&now, 3000, new, 4);
	sample_set_rates(&now, &before);
	ck_assert_double_eq(new[0].rate[UP], 100);
	ck_assert_double_eq(new[0].rate[DOWN], 25);
	/* One that is new: its mean; but of a second at least. */
	ck_assert_double_eq(new[1].rate[UP], 100);
	ck_assert_double_eq(new[1].rate[DOWN], 10);
	ck_assert_double_eq(new[2].rate[UP], 0);
	ck_assert_double_eq(new[3].rate[UP], 10);
	sample_sort(&now);
	ck_assert_str_eq(new[0].line, "t id=a up=300 down=50 time=52");
	ck_assert_str_eq(new[1].line, "t id=ab up=800 down=80 time=8");
	ck_assert_str_eq(new[3].line, "t id=b up=5 down=5 time=52");
}
END_TEST

START_TEST(an_id_that_is_another_tunnel_now_has_its_mean)
{
	struct item old[] = { { .line = "t id=a up=100 down=100 time=50" } };
	struct item new[] = { { .line = "t id=a up=8 down=8 time=2" } };
	struct sample before, now;

	set_items(&before, 1000, old, 1);
	set_items(&now, 3000, new, 1);
	sample_set_rates(&now, &before);
	ck_assert_double_eq(new[0].rate[UP], 4);
	ck_assert_double_eq(new[0].rate[DOWN], 4);
}
END_TEST

static void
touch(const char *path)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
}

START_TEST(the_default_socket_is_the_one_that_is_there)
{
	char folder[] = "/tmp/test_tunnelctl.XXXXXX", dcsd[64], ppp[64], found[64];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(dcsd, sizeof(dcsd), "%s/dcsd.ctl", folder);
	snprintf(ppp, sizeof(ppp), "%s/pppd-socks.ctl", folder);
	ck_assert_int_eq(ask_default(found, sizeof(found), folder), 0);
	touch(dcsd);
	ck_assert_int_eq(ask_default(found, sizeof(found), folder), 1);
	ck_assert_str_eq(found, dcsd);
	touch(ppp);
	ck_assert_int_eq(ask_default(found, sizeof(found), folder), 2);
	unlink(dcsd);
	ck_assert_int_eq(ask_default(found, sizeof(found), folder), 1);
	ck_assert_str_eq(found, ppp);
	unlink(ppp);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(the_default_socket_may_be_in_a_folder_of_the_daemon)
{
	static const char *const names[] = { "dcsd", "pppd-socks" };
	char folder[] = "/tmp/test_tunnelctl.XXXXXX", own[64], path[128], found[128];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(own, sizeof(own), "%s/%s", folder, names[i]);
		snprintf(path, sizeof(path), "%s/%s.ctl", own, names[i]);
		ck_assert_int_eq(mkdir(own, 0755), 0);
		ck_assert_int_eq(ask_default(found, sizeof(found), folder), 0);
		touch(path);
		ck_assert_int_eq(ask_default(found, sizeof(found), folder), 1);
		ck_assert_str_eq(found, path);
		unlink(path);
		ck_assert_int_eq(rmdir(own), 0);
	}
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tunnelctl");
	TCase *tc = tcase_create("tunnelctl");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, a_value_is_found_by_its_whole_key);
	tcase_add_test(tc, a_number_is_digits_and_a_fraction);
	tcase_add_loop_test(tc, a_filter_wants_what_it_says, 0, COUNT(likes));
	tcase_add_test(tc, what_is_no_filter_is_told);
	tcase_add_test(tc, of_one_key_any_filter_will_do_of_others_each_must);
	tcase_add_test(tc, numbers_come_first_and_the_largest_of_them);
	tcase_add_test(tc, no_lines_are_no_rows);
	tcase_add_test(tc, a_rate_is_the_difference_of_two_samples);
	tcase_add_test(tc, an_id_that_is_another_tunnel_now_has_its_mean);
	tcase_add_test(tc, the_default_socket_is_the_one_that_is_there);
	tcase_add_test(tc, the_default_socket_may_be_in_a_folder_of_the_daemon);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
