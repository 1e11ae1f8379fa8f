/* SPDX-License-Identifier: ISC */
/* What the program was started as: by a path, by PATH, and with files of those names. */
#include "config.h"
#include "self.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void
put_file(const char *name, mode_t mode)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	fclose(file);
	ck_assert_int_eq(chmod(name, mode), 0);
}

/* bin/prog is a program; data/prog is none, dir/prog is a folder. */
static void
make_folder(void)
{
	char template[] = "/tmp/test_self.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	ck_assert_int_eq(chdir(template), 0);
	ck_assert_ptr_nonnull(getcwd(folder, sizeof(folder)));
	mkdir("bin", 0755);
	mkdir("data", 0755);
	mkdir("dir", 0755);
	mkdir("dir/prog", 0755);
	put_file("bin/prog", 0755);
	put_file("data/prog", 0644);
}

static void
remove_folder(void)
{
	ck_assert_int_eq(chdir(folder), 0);
	unlink("bin/prog");
	unlink("data/prog");
	rmdir("dir/prog");
	rmdir("bin");
	rmdir("data");
	rmdir("dir");
	ck_assert_int_eq(rmdir(folder), 0);
}

/* Each test is a process, so that it notes once. */
static void
expect_found(const char *arg, const char *wanted)
{
	char text[256], name[64];
	char *argv[] = { name, NULL };

	snprintf(name, sizeof(name), "%s", arg);
	snprintf(text, sizeof(text), "%s%s", wanted[0] == '/' ? "" : folder, wanted);
	if (wanted[0] != '/')
		snprintf(text, sizeof(text), "%s/%s", folder, wanted);
	ck_assert_int_eq(self_note(1, argv), 0);
	ck_assert_str_eq(self_path(), text);
}

START_TEST(an_absolute_path_is_it)
{
	expect_found("/no/such/file", "/no/such/file");
}
END_TEST

START_TEST(a_path_is_relative_to_the_folder)
{
	expect_found("./bin/prog", "./bin/prog");
}
END_TEST

START_TEST(a_name_is_the_first_program_of_path)
{
	char text[512];

	snprintf(text, sizeof(text), "/no:%s/data:%s/dir:%s/bin:/bin", folder, folder,
		folder);
	setenv("PATH", text, 1);
	expect_found("prog", "bin/prog");
}
END_TEST

START_TEST(a_part_of_path_may_be_relative)
{
	setenv("PATH", "/no:bin", 1);
	expect_found("prog", "bin/prog");
}
END_TEST

START_TEST(an_empty_part_of_path_is_the_folder)
{
	ck_assert_int_eq(chdir("bin"), 0);
	strcat(folder, "/bin");
	setenv("PATH", "/no:", 1);
	expect_found("prog", "prog");
	folder[strlen(folder) - 4] = '\0';
}
END_TEST

static void
expect_unknown(int argc, char **argv, int error)
{
	ck_assert_int_eq(self_note(argc, argv), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_ptr_null(self_path());
	ck_assert_str_eq(self_cwd(), folder);
	ck_assert_ptr_nonnull(self_argv());
}

START_TEST(a_name_that_is_nowhere_is_unknown)
{
	char name[] = "prog", *argv[] = { name, NULL };

	setenv("PATH", "data:dir:/no", 1);
	expect_unknown(1, argv, ENOENT);
	ck_assert_str_eq(self_argv()[0], "prog");
}
END_TEST

START_TEST(without_path_a_name_is_unknown)
{
	char name[] = "prog", *argv[] = { name, NULL };

	unsetenv("PATH");
	expect_unknown(1, argv, ENOENT);
}
END_TEST

START_TEST(without_arguments_it_is_unknown)
{
	char *argv[] = { NULL };

	expect_unknown(0, argv, EINVAL);
	ck_assert_ptr_null(self_argv()[0]);
}
END_TEST

START_TEST(arguments_and_folder_are_kept_whatever_becomes_of_them)
{
	char prog[] = "bin/prog", option[] = "-c", file[] = "d.conf";
	char *argv[] = { prog, option, file, NULL };

	ck_assert_int_eq(self_note(3, argv), 0);
	ck_assert_int_eq(chdir("/"), 0);
	file[0] = 'X';
	argv[1] = NULL;
	ck_assert_str_eq(self_argv()[0], self_path());
	ck_assert_str_eq(self_argv()[1], "-c");
	ck_assert_str_eq(self_argv()[2], "d.conf");
	ck_assert_ptr_null(self_argv()[3]);
	ck_assert_str_eq(self_cwd(), folder);
}
END_TEST

START_TEST(a_folder_that_is_gone_is_unknown)
{
	char relative[] = "./prog", *argv[] = { relative, NULL };

	mkdir("gone", 0755);
	ck_assert_int_eq(chdir("gone"), 0);
	ck_assert_int_eq(rmdir("../gone"), 0);
	ck_assert_int_eq(self_note(1, argv), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(self_cwd());
	ck_assert_ptr_null(self_path());
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("self");
	TCase *tc = tcase_create("self");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_add_test(tc, an_absolute_path_is_it);
	tcase_add_test(tc, a_path_is_relative_to_the_folder);
	tcase_add_test(tc, a_name_is_the_first_program_of_path);
	tcase_add_test(tc, a_part_of_path_may_be_relative);
	tcase_add_test(tc, an_empty_part_of_path_is_the_folder);
	tcase_add_test(tc, a_name_that_is_nowhere_is_unknown);
	tcase_add_test(tc, without_path_a_name_is_unknown);
	tcase_add_test(tc, without_arguments_it_is_unknown);
	tcase_add_test(tc, arguments_and_folder_are_kept_whatever_becomes_of_them);
	tcase_add_test(tc, a_folder_that_is_gone_is_unknown);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
