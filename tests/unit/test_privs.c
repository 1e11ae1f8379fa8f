/* SPDX-License-Identifier: ISC */
/*
 * Giving up root: looked at from within a child that has done it, which tells by its
 * exit status, 0 for "as it should be". Only root can do it: for others, a skip.
 */
#include "config.h"
#include "privs.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBER 54321 /* of nobody */

static const char *program; /* argv[0] */
static struct privs privs;

static int
status_of(void run(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ne(child, -1);
	if (child == 0) {
		run();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In a child: ends it with this status if something is not as it should be. */
static void
need(bool right, int status)
{
	if (!right)
		_exit(status);
}

static bool
says(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

START_TEST(user_by_name_has_its_own_group)
{
	const struct passwd *pw = getpwnam("nobody");

	ck_assert_ptr_nonnull(pw);
	ck_assert_ptr_null(privs_lookup(&privs, "nobody", NULL));
	ck_assert(privs.change);
	ck_assert_uint_eq(privs.uid, pw->pw_uid);
	ck_assert_uint_eq(privs.gid, pw->pw_gid);
	ck_assert_str_eq(privs.name, "nobody");
}
END_TEST

START_TEST(user_by_number_is_the_same_user)
{
	const struct passwd *pw = getpwnam("nobody");
	char number[16];

	ck_assert_ptr_nonnull(pw);
	snprintf(number, sizeof(number), "%lu", (unsigned long)pw->pw_uid);
	ck_assert_ptr_null(privs_lookup(&privs, number, NULL));
	ck_assert_uint_eq(privs.uid, getpwnam("nobody")->pw_uid);
	ck_assert_str_eq(privs.name, "nobody");
}
END_TEST

START_TEST(group_may_be_a_name_or_a_number)
{
	const struct group *gr = getgrgid(1);

	ck_assert_ptr_nonnull(gr);
	ck_assert_ptr_null(privs_lookup(&privs, "nobody", gr->gr_name));
	ck_assert_uint_eq(privs.gid, 1);
	ck_assert_ptr_null(privs_lookup(&privs, "nobody", "54322"));
	ck_assert_uint_eq(privs.gid, 54322);
}
END_TEST

START_TEST(number_without_an_entry_needs_a_group)
{
	ck_assert_ptr_nonnull(privs_lookup(&privs, "54321", NULL));
	ck_assert_ptr_null(privs_lookup(&privs, "54321", "54322"));
	ck_assert_uint_eq(privs.uid, NUMBER);
	ck_assert_uint_eq(privs.gid, 54322);
	ck_assert_str_eq(privs.name, "");
}
END_TEST

START_TEST(no_user_is_no_change)
{
	ck_assert_ptr_null(privs_lookup(&privs, NULL, NULL));
	ck_assert(!privs.change);
	ck_assert_str_eq(privs_lookup(&privs, NULL, "nogroup"), "a group needs a user");
}
END_TEST

START_TEST(unknown_names_and_odd_numbers_are_refused)
{
	static const char *const odd[] = { "", "no-such-name", "-1", "+1", " 1", "1 ",
		"0x10", "4294967295", "4294967296", "18446744073709551616" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		ck_assert_str_eq(privs_lookup(&privs, odd[i], "1"), "no such user");
		ck_assert_str_eq(privs_lookup(&privs, "nobody", odd[i]), "no such group");
	}
}
END_TEST

START_TEST(root_as_the_user_is_refused)
{
	ck_assert_ptr_nonnull(privs_lookup(&privs, "root", NULL));
	ck_assert_ptr_nonnull(privs_lookup(&privs, "0", "1"));
}
END_TEST

static void
have_groups_of_root(void)
{
	const gid_t groups[] = { 0, 1, 4 };

	need(setgroups(3, groups) == 0, 90);
}

static void
drop_to_nobody(void)
{
	gid_t groups[64];
	int n;

	have_groups_of_root();
	need(!privs_lookup(&privs, "nobody", NULL), 1);
	need(!privs_drop(&privs, NULL), 2);
	need(getuid() == privs.uid && geteuid() == privs.uid, 3);
	need(getgid() == privs.gid && getegid() == privs.gid, 4);
	n = getgroups(64, groups);
	need(n >= 0, 5);
	for (int i = 0; i < n; i++)
		need(groups[i] == privs.gid, 6);
	need(setuid(0) == -1 && seteuid(0) == -1 && setgid(0) == -1, 7);
	need(setgroups(0, NULL) == -1, 8);
}

START_TEST(nothing_of_root_is_left)
{
	ck_assert_int_eq(status_of(drop_to_nobody), 0);
}
END_TEST

static void
drop_to_number(void)
{
	gid_t group;

	have_groups_of_root();
	need(!privs_lookup(&privs, "54321", "54322"), 1);
	need(!privs_drop(&privs, NULL), 2);
	need(getuid() == NUMBER && geteuid() == NUMBER, 3);
	need(getgid() == 54322 && getegid() == 54322, 4);
	need(getgroups(1, &group) == 1 && group == 54322, 5);
}

START_TEST(number_without_an_entry_gets_its_group_only)
{
	ck_assert_int_eq(status_of(drop_to_number), 0);
}
END_TEST

static char folder[64];

static void
drop_into_chroot(void)
{
	struct stat outside, inside, here;

	need(!privs_lookup(&privs, "nobody", NULL), 1);
	need(stat(folder, &outside) == 0 && chdir("/tmp") == 0, 2);
	need(!privs_drop(&privs, folder), 3);
	need(stat("/", &inside) == 0 && stat(".", &here) == 0, 4);
	need(outside.st_ino == inside.st_ino && outside.st_dev == inside.st_dev, 5);
	need(outside.st_ino == here.st_ino && outside.st_dev == here.st_dev, 6);
	need(getuid() == privs.uid && setuid(0) == -1, 7);
}

START_TEST(chroot_is_entered)
{
	strcpy(folder, "/tmp/test_privs.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(status_of(drop_into_chroot), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static void
drop_into_nowhere(void)
{
	need(!privs_lookup(&privs, "nobody", NULL), 1);
	need(says(privs_drop(&privs, "/tmp/no-such-folder"), "chroot"), 2);
	need(errno == ENOENT, 3);
}

START_TEST(chroot_that_is_missing_is_an_error)
{
	ck_assert_int_eq(status_of(drop_into_nowhere), 0);
}
END_TEST

static void
drop_nothing(void)
{
	need(!privs_lookup(&privs, NULL, NULL), 1);
	need(!privs_drop(&privs, NULL), 2);
	need(getuid() == 0 && geteuid() == 0, 3);
}

START_TEST(no_user_stays_root)
{
	ck_assert_int_eq(status_of(drop_nothing), 0);
}
END_TEST

static void
drop_as_another_user(void)
{
	need(!privs_lookup(&privs, "nobody", NULL), 1);
	need(setgroups(0, NULL) == 0 && setgid(NUMBER) == 0 && setuid(NUMBER) == 0, 2);
	need(says(privs_drop(&privs, NULL), "initgroups"), 3);
	need(errno == EPERM, 4);
}

START_TEST(who_is_not_root_cannot_change)
{
	ck_assert_int_eq(status_of(drop_as_another_user), 0);
}
END_TEST

static void
drop_as_that_user(void)
{
	need(!privs_lookup(&privs, "54321", "54322"), 1);
	need(setgroups(0, NULL) == 0 && setgid(54322) == 0 && setuid(NUMBER) == 0, 2);
	need(!privs_drop(&privs, NULL), 3);
}

START_TEST(who_is_that_user_already_may_stay)
{
	ck_assert_int_eq(status_of(drop_as_that_user), 0);
}
END_TEST

static void
drop_with_groups_left(void)
{
	need(!privs_lookup(&privs, "54321", "54322"), 1);
	have_groups_of_root();
	need(setgid(54322) == 0 && setuid(NUMBER) == 0, 2);
	need(says(privs_drop(&privs, NULL), "a supplementary group of root is left"), 3);
	need(errno == EPERM, 4);
}

START_TEST(group_of_root_that_is_left_is_noticed)
{
	ck_assert_int_eq(status_of(drop_with_groups_left), 0);
}
END_TEST

/* Run with a capability to change ids again, which setpriv(1) has given. */
static int
drop_with_capability(void)
{
	if (privs_lookup(&privs, "54321", "54322"))
		return 2;
	return says(privs_drop(&privs, NULL), "root can be taken again") ? 0 : 3;
}

#define SETPRIV                                                                          \
	"setpriv --reuid 54321 --regid 54322 --clear-groups "                            \
	"--inh-caps +setuid --ambient-caps +setuid "

START_TEST(root_that_can_be_taken_again_is_noticed)
{
	char command[4096];
	int status;

	snprintf(command, sizeof(command), SETPRIV "'%s' --capability", program);
	status = system(command);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* The program itself may lie where that user cannot go. */
static bool
may_use_setpriv(void)
{
	char command[4096];

	snprintf(command, sizeof(command),
		SETPRIV "sh -c 'test -x \"$0\"' '%s' 2>/dev/null", program);
	return system(command) == 0;
}

static TCase *
lookup_tests(void)
{
	TCase *tc = tcase_create("lookup");

	tcase_add_test(tc, user_by_name_has_its_own_group);
	tcase_add_test(tc, user_by_number_is_the_same_user);
	tcase_add_test(tc, group_may_be_a_name_or_a_number);
	tcase_add_test(tc, number_without_an_entry_needs_a_group);
	tcase_add_test(tc, no_user_is_no_change);
	tcase_add_test(tc, unknown_names_and_odd_numbers_are_refused);
	tcase_add_test(tc, root_as_the_user_is_refused);
	return tc;
}

static TCase *
drop_tests(bool capabilities)
{
	TCase *tc = tcase_create("drop");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nothing_of_root_is_left);
	tcase_add_test(tc, number_without_an_entry_gets_its_group_only);
	tcase_add_test(tc, chroot_is_entered);
	tcase_add_test(tc, chroot_that_is_missing_is_an_error);
	tcase_add_test(tc, no_user_stays_root);
	tcase_add_test(tc, who_is_not_root_cannot_change);
	tcase_add_test(tc, who_is_that_user_already_may_stay);
	tcase_add_test(tc, group_of_root_that_is_left_is_noticed);
	if (capabilities)
		tcase_add_test(tc, root_that_can_be_taken_again_is_noticed);
	return tc;
}

int
main(int argc, char **argv)
{
	bool root = geteuid() == 0, capabilities;
	Suite *suite;
	SRunner *runner;
	int failed;

	if (argc == 2 && strcmp(argv[1], "--capability") == 0)
		return drop_with_capability();
	program = argv[0];
	capabilities = root && may_use_setpriv();
	suite = suite_create("privs");
	suite_add_tcase(suite, lookup_tests());
	if (root)
		suite_add_tcase(suite, drop_tests(capabilities));
	else
		puts("skipped, as this is not root: all that drops privileges");
	if (root && !capabilities)
		puts("skipped, as setpriv does not work: root_that_can_be_taken_again_*");
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed)
		return EXIT_FAILURE;
	return root && capabilities ? EXIT_SUCCESS : 77;
}
