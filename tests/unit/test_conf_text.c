/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of conf_text: what it makes of a file and its includes, and every error it
 * tells, with file and line. Each test has a folder of its own for its files; messages
 * are compared without that folder's name.
 */
#include "config.h"
#include "conf_text.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char dir[] = "/tmp/test_conf_text.XXXXXX"; /* of all tests, one after the other */

/* What was complained of, one a line, without the folder. */
static char told[8192];
static struct conf_text *text;

static void
make_dir(void)
{
	if (mkdtemp(dir) == NULL)
		abort();
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
remove_dir(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
free_text(void)
{
	conf_text_free(text);
	text = NULL;
}

/* The path of a file of the test. Returns the same buffer every time. */
static const char *
path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
write_bytes(const char *name, const char *bytes, size_t size)
{
	FILE *f = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
	ck_assert_int_eq(fclose(f), 0);
}

static void
write_file(const char *name, const char *content)
{
	write_bytes(name, content, strlen(content));
}

static void
keep(void *arg, const char *message)
{
	const char *at;
	size_t len = strlen(told), n = strlen(dir) + 1;

	ck_assert_ptr_eq(arg, told);
	while ((at = strstr(message, dir)) != NULL) {
		len += (size_t)snprintf(told + len, sizeof(told) - len, "%.*s",
			(int)(at - message), message);
		message = at + n;
	}
	snprintf(told + len, sizeof(told) - len, "%s\n", message);
}

static void
read_file(const char *name)
{
	told[0] = '\0';
	conf_text_free(text);
	text = conf_text_read(path_of(name), keep, told);
}

/* The content is accepted, and becomes expected. */
static void
becomes(const char *content, const char *expected)
{
	write_file("x.conf", content);
	read_file("x.conf");
	ck_assert_str_eq(told, "");
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(conf_text_string(text), expected);
}

/* The content of x.conf is refused with these messages. */
static void
refused_bytes(const char *content, size_t size, const char *messages)
{
	write_bytes("x.conf", content, size);
	read_file("x.conf");
	ck_assert_str_eq(told, messages);
	ck_assert_ptr_null(text);
}

static void
refused(const char *content, const char *messages)
{
	refused_bytes(content, strlen(content), messages);
}

static void
comes_from(unsigned line, const char *name, unsigned file_line)
{
	unsigned got;
	const char *file = conf_text_origin(text, line, &got);

	ck_assert_str_eq(file + strlen(dir) + 1, name);
	ck_assert_uint_eq(got, file_line);
}

START_TEST(a_plain_file_is_its_own_text)
{
	becomes("", "");
	comes_from(1, "x.conf", 1);
	becomes("a = 1;\nb : { c = true; };\n", "a = 1;\nb : { c = true; };\n");
	comes_from(2, "x.conf", 2);
	becomes("a = 1;", "a = 1;\n");
}
END_TEST

START_TEST(a_line_behind_the_end_counts_as_the_last)
{
	becomes("a = 1;\nb =\n", "a = 1;\nb =\n");
	comes_from(3, "x.conf", 2);
	comes_from(99, "x.conf", 2);
}
END_TEST

START_TEST(comments_are_left_out_and_lines_stay)
{
	becomes("a = 1; # one\n// \"two\nb /* x\n /* # */ = 2;\n",
		"a = 1; \n\nb \n  = 2;\n");
	becomes("a/**/b", "a b\n");
	becomes("# @include \"/nonexistent\"", "");
	becomes("/* \n@include \"/nonexistent\"\n*/", "\n\n \n");
}
END_TEST

START_TEST(what_looks_like_a_comment_in_a_string_is_kept)
{
	becomes("a=\"# // /* \\\" \\\\\";", "a=\"# // /* \\\" \\\\\" ;\n");
}
END_TEST

START_TEST(crlf_is_accepted)
{
	becomes("a = 1; // x\r\nb = \"y\";\r\n", "a = 1; \nb = \"y\" ;\r\n");
}
END_TEST

START_TEST(missing_file_is_told)
{
	read_file("none.conf");
	ck_assert_str_eq(told, "none.conf: No such file or directory\n");
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(directory_is_told)
{
	ck_assert_int_eq(mkdir(path_of("folder"), 0700), 0);
	read_file("folder");
	ck_assert_str_eq(told, "folder: Is a directory\n");
}
END_TEST

START_TEST(unreadable_file_is_told)
{
	write_file("secret", "");
	ck_assert_int_eq(chmod(path_of("secret"), 0), 0);
	if (access(path_of("secret"), R_OK) == 0)
		return; /* root reads everything */
	read_file("secret");
	ck_assert_str_eq(told, "secret: Permission denied\n");
}
END_TEST

START_TEST(fifo_is_told_and_not_waited_for)
{
	ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
	read_file("fifo");
	ck_assert_str_eq(told, "fifo: not a regular file\n");
}
END_TEST

START_TEST(files_of_more_than_1_mib_in_all_are_refused)
{
	enum { LIMIT = 1024 * 1024 };
	static const char include[] = "@include \"big\"\n";
	static char big[LIMIT + 1];

	memset(big, '\n', sizeof(big));
	write_bytes("big", big, LIMIT);
	read_file("big");
	ck_assert_str_eq(told, "");
	ck_assert_uint_eq(strlen(conf_text_string(text)), LIMIT);
	write_bytes("big", big, LIMIT + 1);
	read_file("big");
	ck_assert_str_eq(told, "big: more than 1 MiB of configuration\n");
	big[LIMIT - sizeof(include) + 1] = '\0';
	write_file("big", big);
	big[LIMIT - sizeof(include) + 1] = '\n'; /* that of the include's line */
	big[LIMIT - sizeof(include) + 2] = '\0';
	becomes(include, big);
	write_file("big", big);
	refused(include, "x.conf:1: big: more than 1 MiB of configuration\n");
}
END_TEST

START_TEST(text_that_grows_the_most_has_room)
{
	static const char string[] = "\"\"", number[] = "0x80000000 ";
	static char content[900000];

	for (size_t i = 0; i < 400000; i += 2)
		memcpy(content + i, string, 2);
	for (size_t i = 400000; i + 11 < sizeof(content); i += 11)
		memcpy(content + i, number, 12);
	write_file("x.conf", content);
	read_file("x.conf");
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_gt(strlen(conf_text_string(text)), strlen(content));
}
END_TEST

START_TEST(endless_comment_is_told_where_it_begins)
{
	refused("port=1081;\n/* x\nauth=\"user\";\n",
		"x.conf:2: the comment that begins here has no end\n");
	refused("a=1; /*/", "x.conf:1: the comment that begins here has no end\n");
}
END_TEST

START_TEST(endless_string_is_told_where_it_begins)
{
	static const char message[] =
		"x.conf:2: the string that begins here does not end on its line\n";

	refused("a=1;\nb=\"x;\nc=\"y\";\n", message);
	refused("a=1;\nb=\"x", message);
	refused("a=1;\nb=\"x\\", message);
	refused("a=1;\nb=\"x\\\"", message);
	refused("a=1;\nb=\"x\\\n;", message);
}
END_TEST

START_TEST(nul_byte_is_told)
{
	static const char raw[] = "a=1;\nb=\"x\0y\";\n", late[] = "a=1;\n/* \0";

	refused_bytes(raw, sizeof(raw) - 1, "x.conf:2: a NUL byte\n");
	refused_bytes(late, sizeof(late) - 1, "x.conf:2: a NUL byte\n");
	refused("a=1;\nb=\"x\\x00y\";", "x.conf:2: a NUL byte in a string\n");
	becomes("b=\"x\\\\x00y\\x0\";", "b=\"x\\\\x00y\\x0\" ;\n");
}
END_TEST

START_TEST(byte_order_mark_is_told)
{
	static const char message[] =
		"x.conf:1: a byte order mark (BOM) at the start of the file\n";

	refused("\xEF\xBB\xBF"
		"a=1;\n",
		message);
	refused("\xEF\xBB\xBF", message);
}
END_TEST

START_TEST(all_errors_are_told_in_order)
{
	refused("\xEF\xBB\xBF"
		"a=\"x\nb=\"\\x00\";\n@include \"none\"\n@\n/*",
		"x.conf:1: a byte order mark (BOM) at the start of the file\n"
		"x.conf:1: the string that begins here does not end on its line\n"
		"x.conf:2: a NUL byte in a string\n"
		"x.conf:3: none: No such file or directory\n"
		"x.conf:4: syntax error: @include \"FILE\" wants a line to itself\n"
		"x.conf:5: the comment that begins here has no end\n");
}
END_TEST

START_TEST(integers_that_do_not_fit_have_an_l_and_no_others_do)
{
	static const char *const rows[][2] = {
		{ "2147483647", "2147483647" },
		{ "2147483648", "2147483648L" },
		{ "-2147483648", "-2147483648" },
		{ "-2147483649", "-2147483649L" },
		{ "+4294967297;", "4294967297L;" },
		{ "4294968377", "4294968377L" },
		{ "4294968377L", "4294968377L" },
		{ "99999999999999999999", "9223372036854775807L" },
		{ "-99999999999999999999LL", "-9223372036854775808L" },
		{ "1081L", "1081 " },
		{ "1081LL,", "1081 ," },
		{ "1L5", "1 5" },
		{ "12l", "12l" },
		{ "0xFFL", "0xFF " },
		{ "0x7FFFFFFF", "0x7FFFFFFF" },
		{ "0XffffffffL", "4294967295L" },
		{ "0x100000439", "4294968377L" },
		{ "0xFFFFFFFFFFFFFFFFFFFF", "9223372036854775807L" },
		{ "0x", "0x" },
		{ "4294968377user=1", "4294968377Luser=1" },
		{ "4294968377e", "4294968377Le" },
		{ "4294968377.5", "4294968377.5" },
		{ "4294968377.", "4294968377." },
		{ ".4294968377", ".4294968377" },
		{ "-.4294968377e10", "-.4294968377e10" },
		{ "4294968377e-10", "4294968377e-10" },
		{ "1.5e4294968377,4294968377", "1.5e4294968377,4294968377L" },
		{ "1-4294968377", "1-4294968377L" },
		{ "port4294968377", "port4294968377" },
		{ "a-4294968377", "a-4294968377" },
		{ "*4294968377", "*4294968377" },
		{ "\"4294968377\"", "\"4294968377\" " },
		{ "-", "-" },
		{ "010", "010" },
	};
	char expected[64];

	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(expected, sizeof(expected), "%s\n", rows[i][1]);
		becomes(rows[i][0], expected);
	}
}
END_TEST

START_TEST(what_ends_a_list_of_strings_is_moved_up_behind_the_last)
{
	becomes("a=[\"x\"\n,\n\"y\" // z\n]\n;", "a=[\"x\",\n \n\"y\"] \n \n;\n");
	becomes("a=(\"x\"\n\"y\"\n)", "a=(\"x\" \n\"y\")\n \n");
	becomes("a=(\"x\", 1\n)", "a=(\"x\",  1\n)\n");
	becomes("a=\"x\"\n;b=(1\n)", "a=\"x\" \n;b=(1\n)\n");
}
END_TEST

START_TEST(include_is_replaced_by_its_file)
{
	write_file("b.conf", "b=2;\nbb=3;\n");
	write_file("c.conf", "\nc=4;");
	becomes("a=1;\n@include \"b.conf\"\nd=5;\n \t@include\t\"c.conf\" # x\ne=6;\n",
		"a=1;\nb=2;\nbb=3;\n\nd=5;\n \t\nc=4;\n \ne=6;\n");
	comes_from(1, "x.conf", 1);
	comes_from(2, "b.conf", 1);
	comes_from(3, "b.conf", 2);
	comes_from(4, "x.conf", 2);
	comes_from(5, "x.conf", 3);
	comes_from(6, "c.conf", 1);
	comes_from(7, "c.conf", 2);
	comes_from(8, "x.conf", 4);
	comes_from(9, "x.conf", 5);
	comes_from(99, "x.conf", 5);
}
END_TEST

START_TEST(include_on_the_first_line_counts_for_its_own_file)
{
	write_file("b.conf", "b=2;\n");
	becomes("@include \"b.conf\"", "b=2;\n");
	comes_from(1, "b.conf", 1);
}
END_TEST

START_TEST(include_of_an_empty_file_is_nothing)
{
	write_file("b.conf", "");
	becomes("@include \"b.conf\"\na=1;", "\na=1;\n");
	comes_from(1, "x.conf", 1);
	comes_from(2, "x.conf", 2);
}
END_TEST

START_TEST(include_may_stand_twice_but_not_in_itself)
{
	write_file("b.conf", "1,");
	becomes("@include \"b.conf\"\n@include \"b.conf\"\n", "1,\n\n1,\n\n");
}
END_TEST

START_TEST(relative_include_is_in_the_folder_of_its_file)
{
	char content[128];

	ck_assert_int_eq(mkdir(path_of("sub"), 0700), 0);
	write_file("sub/b.conf", "@include \"c.conf\"\n");
	write_file("sub/c.conf", "c=1;");
	becomes("@include \"sub/b.conf\"", "c=1;\n\n");
	snprintf(content, sizeof(content), "@include \"%s/sub/c.conf\"", dir);
	becomes(content, "c=1;\n");
}
END_TEST

START_TEST(backslash_in_the_name_of_an_include_quotes)
{
	write_file("b\"\\.conf", "b=1;");
	becomes("@include \"b\\\"\\\\.conf\"", "b=1;\n");
}
END_TEST

START_TEST(included_directory_is_told_where_it_is_included)
{
	refused("a=1;\n@include \".\"\n", "x.conf:2: .: Is a directory\n");
	refused("a=1;\n@include \"\"\n", "x.conf:2: : Is a directory\n");
	refused("@include \"/dev/null\"\n", "x.conf:1: /dev/null: not a regular file\n");
}
END_TEST

START_TEST(missing_include_is_told_where_it_is_included)
{
	write_file("b.conf", "\n@include \"none\"\n");
	refused("@include \"b.conf\"\n@include \"nil\"\n",
		"b.conf:2: none: No such file or directory\n"
		"x.conf:2: nil: No such file or directory\n");
}
END_TEST

START_TEST(loop_of_includes_is_told_where_it_closes)
{
	refused("\n@include \"x.conf\"\n", "x.conf:2: x.conf: includes itself\n");
	write_file("b.conf", "\n\n@include \"./x.conf\"\n");
	refused("@include \"b.conf\"\n", "b.conf:3: ./x.conf: includes itself\n");
}
END_TEST

START_TEST(includes_nest_10_deep_and_no_deeper)
{
	char name[16], content[32];

	for (int i = 1; i <= 11; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(content, sizeof(content), "@include \"%d\"", i + 1);
		write_file(name, i < 11 ? content : "a=1;");
	}
	becomes("@include \"2\"", "a=1;\n");
	refused("@include \"1\"", "10:1: 11: includes nested too deep\n");
}
END_TEST

START_TEST(errors_of_an_included_file_bear_its_name_and_line)
{
	write_file("b.conf", "b=1;\n");
	write_file("c.conf", "\n/* \n");
	refused("@include \"b.conf\"\n@include \"c.conf\"\n\"\n",
		"c.conf:2: the comment that begins here has no end\n"
		"x.conf:3: the string that begins here does not end on its line\n");
}
END_TEST

START_TEST(no_include_is_left_for_libconfig)
{
	static const char message[] =
		"x.conf:1: syntax error: @include \"FILE\" wants a line to itself\n";

	refused("@include \"x\n", message);
	refused("@include x\n", message);
	refused("@include", message);
	refused("@INCLUDE \"b.conf\"", message);
	refused("a=1; @include \"b.conf\"", message);
	refused("@@include \"b.conf\"", message);
	write_file("b.conf", "");
	refused("@include \"b.conf\" @include \"b.conf\"", message);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("conf_text");
	TCase *t = tcase_create("conf_text");

	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(t, make_dir, remove_dir);
	tcase_add_checked_fixture(t, NULL, free_text);
	tcase_add_test(t, a_plain_file_is_its_own_text);
	tcase_add_test(t, a_line_behind_the_end_counts_as_the_last);
	tcase_add_test(t, comments_are_left_out_and_lines_stay);
	tcase_add_test(t, what_looks_like_a_comment_in_a_string_is_kept);
	tcase_add_test(t, crlf_is_accepted);
	tcase_add_test(t, missing_file_is_told);
	tcase_add_test(t, directory_is_told);
	tcase_add_test(t, unreadable_file_is_told);
	tcase_add_test(t, fifo_is_told_and_not_waited_for);
	tcase_add_test(t, files_of_more_than_1_mib_in_all_are_refused);
	tcase_add_test(t, text_that_grows_the_most_has_room);
	tcase_add_test(t, endless_comment_is_told_where_it_begins);
	tcase_add_test(t, endless_string_is_told_where_it_begins);
	tcase_add_test(t, nul_byte_is_told);
	tcase_add_test(t, byte_order_mark_is_told);
	tcase_add_test(t, all_errors_are_told_in_order);
	tcase_add_test(t, integers_that_do_not_fit_have_an_l_and_no_others_do);
	tcase_add_test(t, what_ends_a_list_of_strings_is_moved_up_behind_the_last);
	tcase_add_test(t, include_is_replaced_by_its_file);
	tcase_add_test(t, include_on_the_first_line_counts_for_its_own_file);
	tcase_add_test(t, include_of_an_empty_file_is_nothing);
	tcase_add_test(t, include_may_stand_twice_but_not_in_itself);
	tcase_add_test(t, relative_include_is_in_the_folder_of_its_file);
	tcase_add_test(t, backslash_in_the_name_of_an_include_quotes);
	tcase_add_test(t, included_directory_is_told_where_it_is_included);
	tcase_add_test(t, missing_include_is_told_where_it_is_included);
	tcase_add_test(t, loop_of_includes_is_told_where_it_closes);
	tcase_add_test(t, includes_nest_10_deep_and_no_deeper);
	tcase_add_test(t, errors_of_an_included_file_bear_its_name_and_line);
	tcase_add_test(t, no_include_is_left_for_libconfig);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
