/* SPDX-License-Identifier: ISC */
/* The pidfile: who gets the lock, what is refused, and what is left behind. */
#include "config.h"
#include "pidfile.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static const char *program; /* argv[0] */
static char folder[64], path[128], other[128];
static struct pidfile held;
static pid_t holder;

static void
make_folder(void)
{
	strcpy(folder, "/tmp/test_pidfile.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/d.pid", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	holder = 99;
}

static void
remove_folder(void)
{
	unlink(path);
	rmdir(path);
	unlink(other);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void
put_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static void
expect_content(const char *name, const char *expected)
{
	char text[256];
	FILE *file = fopen(name, "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(text, expected);
}

static void
expect_own_pid(void)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
	expect_content(path, expected);
}

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

static void
expect_refused(const char *name, int error)
{
	errno = 0;
	ck_assert_int_eq(pidfile_hold(&held, name, &holder), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_int_eq(holder, 0);
	ck_assert_int_eq(held.fd, -1);
	ck_assert_int_eq(held.dir_fd, -1);
	ck_assert_ptr_null(held.name);
}

static int
status_of(pid_t child)
{
	int status;

	ck_assert_int_ne(child, -1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(pid_is_written_and_the_file_goes_with_drop)
{
	struct stat st;

	umask(022);
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	ck_assert_int_eq(holder, 0);
	expect_own_pid();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert(fcntl(held.fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(held.dir_fd, F_GETFD) & FD_CLOEXEC);
	pidfile_drop(&held);
	ck_assert(!exists(path));
	ck_assert_int_eq(held.fd, -1);
	pidfile_drop(&held);
}
END_TEST

START_TEST(name_without_a_slash_is_in_the_current_folder)
{
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(pidfile_hold(&held, "d.pid", &holder), 0);
	ck_assert_int_eq(chdir("/"), 0);
	expect_own_pid();
	pidfile_drop(&held);
	ck_assert(!exists(path));
}
END_TEST

/* A child that holds the lock until go is closed; ready gets a byte when it does. */
static pid_t
start_holder(int go[2])
{
	int ready[2];
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		close(go[1]);
		if (pidfile_hold(&held, path, &holder) == -1)
			_exit(2);
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 0)
			_exit(3);
		_exit(0); /* no drop: as if killed */
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(go[0]);
	return child;
}

START_TEST(second_holder_is_told_the_pid_of_the_first)
{
	int go[2];
	pid_t child = start_holder(go);
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", (long)child);
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(holder, child);
	ck_assert_int_eq(held.fd, -1);
	expect_content(path, text);
	close(go[1]);
	ck_assert_int_eq(status_of(child), 0);
}
END_TEST

START_TEST(lock_ends_with_its_process)
{
	int go[2];
	pid_t child = start_holder(go);

	close(go[1]);
	ck_assert_int_eq(status_of(child), 0);
	ck_assert(exists(path));
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	expect_own_pid();
	pidfile_drop(&held);
}
END_TEST

START_TEST(holder_that_cannot_be_read_is_unknown)
{
	static const char *const texts[] = { "", "text\n", "-5\n", "12", "12x\n",
		"99999999999999999999\n" };
	struct pidfile second;

	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put_file(path, texts[i]);
		holder = 99;
		ck_assert_int_eq(pidfile_hold(&second, path, &holder), -1);
		ck_assert_int_eq(errno, EEXIST);
		ck_assert_int_eq(holder, 0);
	}
	pidfile_drop(&held);
}
END_TEST

START_TEST(stale_file_is_taken_whatever_its_number)
{
	static const char *const texts[] = { "1\n", "", "999999999\nand more text\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put_file(path, texts[i]);
		ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
		expect_own_pid();
		pidfile_drop(&held);
		ck_assert(!exists(path));
	}
}
END_TEST

START_TEST(symbolic_link_is_refused_and_its_target_untouched)
{
	put_file(other, "precious\n");
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), -1);
	ck_assert(errno == ELOOP || errno == EMLINK);
	expect_content(other, "precious\n");
	unlink(other);
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), -1);
	ck_assert(!exists(other));
}
END_TEST

START_TEST(fifo_is_refused_without_waiting)
{
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	expect_refused(path, EPERM);
	ck_assert(exists(path));
}
END_TEST

START_TEST(folder_is_refused)
{
	ck_assert_int_eq(mkdir(path, 0755), 0);
	expect_refused(path, EISDIR);
	ck_assert(exists(path));
	strcat(path, "/");
	expect_refused(path, EISDIR);
	strcat(path, "..");
	expect_refused(path, EISDIR);
	snprintf(path, sizeof(path), "%s/d.pid", folder);
}
END_TEST

START_TEST(file_with_a_second_name_is_refused_and_untouched)
{
	put_file(other, "precious\n");
	ck_assert_int_eq(link(other, path), 0);
	expect_refused(path, EPERM);
	expect_content(other, "precious\n");
}
END_TEST

START_TEST(missing_folder_is_an_error)
{
	strcpy(path, folder);
	strcat(path, "/no/d.pid");
	expect_refused(path, ENOENT);
}
END_TEST

START_TEST(file_of_another_owner_is_refused_and_untouched)
{
	put_file(path, "1\n");
	ck_assert_int_eq(chown(path, NOBODY, NOBODY), 0);
	expect_refused(path, EPERM);
	expect_content(path, "1\n");
}
END_TEST

/* As after an upgrade of a daemon that has dropped its privileges. */
START_TEST(file_of_root_is_adopted_by_another_user)
{
	pid_t child;
	int fd;

	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	child = fork();
	if (child == 0) {
		struct pidfile p;

		fd = dup(held.fd);
		if (setuid(NOBODY) == -1 || pidfile_adopt(&p, path, &fd) == -1)
			_exit(2);
		if (pidfile_write(&p) == -1)
			_exit(3);
		expect_own_pid();
		_exit(0);
	}
	ck_assert_int_eq(status_of(child), 0);
	pidfile_drop(&held);
}
END_TEST

START_TEST(drop_leaves_what_another_has_put_there)
{
	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	ck_assert_int_eq(unlink(path), 0);
	put_file(path, "1\n");
	pidfile_drop(&held);
	expect_content(path, "1\n");
}
END_TEST

START_TEST(drop_empties_the_file_where_it_may_not_be_removed)
{
	pid_t child;

	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	ck_assert_int_eq(chmod(folder, 0555), 0);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setuid(NOBODY) == -1)
			_exit(2);
		pidfile_drop(&held);
		_exit(0);
	}
	ck_assert_int_eq(status_of(child), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	expect_content(path, "");
	pidfile_drop(&held);
}
END_TEST

/* Another process of the same daemon: it has the fd, by fork or by exec. */
static int
adopt_and_write(int *fd)
{
	struct pidfile p;

	if (pidfile_adopt(&p, path, fd) == -1 || *fd != -1)
		return 2;
	if (!(fcntl(p.fd, F_GETFD) & FD_CLOEXEC))
		return 3;
	if (pidfile_write(&p) == -1)
		return 4;
	expect_own_pid();
	pidfile_drop(&p);
	return exists(path) ? 5 : 0;
}

START_TEST(who_adopts_it_writes_its_pid_and_removes_it)
{
	pid_t child;
	int fd;

	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	fd = dup(held.fd);
	child = fork();
	if (child == 0)
		_exit(adopt_and_write(&fd));
	ck_assert_int_eq(status_of(child), 0);
	close(fd);
	pidfile_forget(&held);
}
END_TEST

START_TEST(adopting_does_not_change_the_text)
{
	struct pidfile p, second;
	int fd;

	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	put_file(path, "1\n");
	fd = dup(held.fd);
	ck_assert_int_eq(pidfile_adopt(&p, path, &fd), 0);
	expect_content(path, "1\n");
	pidfile_forget(&held);
	ck_assert_int_eq(held.fd, -1);
	ck_assert_ptr_null(held.name);
	/* File and lock are with the other one now. */
	expect_content(path, "1\n");
	ck_assert_int_eq(pidfile_hold(&second, path, &holder), -1);
	ck_assert_int_eq(errno, EEXIST);
	pidfile_drop(&p);
	ck_assert(!exists(path));
}
END_TEST

static void
expect_not_adopted(int fd, const char *name, int error)
{
	struct pidfile p;
	int before = fd;

	ck_assert_int_eq(pidfile_adopt(&p, name, &fd), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_int_eq(fd, before);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(p.fd, -1);
	ck_assert_int_eq(p.dir_fd, -1);
	ck_assert_ptr_null(p.name);
}

START_TEST(what_is_not_the_locked_file_is_not_adopted)
{
	int fd, null = open("/dev/null", O_RDWR);

	ck_assert_int_eq(pidfile_hold(&held, path, &holder), 0);
	expect_not_adopted(held.fd, "/no/such/folder/d.pid", ENOENT);
	expect_not_adopted(held.fd, other, ESTALE);
	expect_not_adopted(null, path, ESTALE);
	fd = open(path, O_RDWR);
	expect_not_adopted(fd, path, EEXIST);
	ck_assert_int_eq(unlink(path), 0);
	put_file(path, "1\n");
	expect_not_adopted(held.fd, path, ESTALE);
	close(null);
	close(fd);
	pidfile_drop(&held);
	expect_content(path, "1\n");
}
END_TEST

START_TEST(without_a_pidfile_nothing_is_written_or_forgotten)
{
	struct pidfile p = PIDFILE_NONE;

	ck_assert_int_eq(pidfile_write(&p), 0);
	pidfile_forget(&p);
	pidfile_drop(&p);
}
END_TEST

/* Exit status: 0 when the file could not be written and nothing is left. */
static int
hold_without_room(const char *name, int error)
{
	if (pidfile_hold(&held, name, &holder) == 0)
		return 2;
	if (errno != error)
		return 3;
	return exists(name) || held.fd != -1 ? 4 : 0;
}

/* A file may have no bytes at all: portable, and as good as a full disk. */
static int
hold_with_size_limit(void)
{
	struct rlimit limit = { 0, 0 };

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) == -1)
		return 5;
	return hold_without_room(path, EFBIG);
}

START_TEST(write_error_leaves_no_file)
{
	pid_t child;

	for (int stale = 0; stale < 2; stale++) {
		if (stale)
			put_file(path, "1\n");
		child = fork();
		if (child == 0)
			_exit(hold_with_size_limit());
		ck_assert_int_eq(status_of(child), 0);
		ck_assert(!exists(path));
	}
}
END_TEST

START_TEST(full_disk_leaves_no_file)
{
	char command[4096];
	int status;

	snprintf(command, sizeof(command),
		"unshare -m sh -c 'mount -t tmpfs -o size=4k none \"$1\" && "
		"head -c 4096 /dev/zero >\"$1/fill\" && exec \"$0\" --full \"$1/d.pid\"' "
		"'%s' '%s'",
		program, folder);
	status = system(command);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* Holds and drops often; the marker shows when another holds at the same time. */
static int
compete(void)
{
	for (int won = 0; won < 200;) {
		int fd;

		if (pidfile_hold(&held, path, &holder) == -1) {
			if (errno != EEXIST && errno != EBUSY)
				return 2;
			continue;
		}
		fd = open(other, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd == -1)
			return 3;
		close(fd);
		unlink(other);
		pidfile_drop(&held);
		won++;
	}
	return 0;
}

START_TEST(only_one_holds_while_the_file_comes_and_goes)
{
	pid_t children[4];

	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(compete());
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(status_of(children[i]), 0);
}
END_TEST

/* Mounts of one's own need root, unshare(1), and a sandbox that lets them be. */
static bool
may_mount(void)
{
	return system("unshare -m mount -t tmpfs none /tmp 2>/dev/null") == 0;
}

static Suite *
make_suite(bool root, bool mounts)
{
	Suite *suite = suite_create("pidfile");
	TCase *tc = tcase_create("pidfile");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_add_test(tc, pid_is_written_and_the_file_goes_with_drop);
	tcase_add_test(tc, name_without_a_slash_is_in_the_current_folder);
	tcase_add_test(tc, second_holder_is_told_the_pid_of_the_first);
	tcase_add_test(tc, lock_ends_with_its_process);
	tcase_add_test(tc, holder_that_cannot_be_read_is_unknown);
	tcase_add_test(tc, stale_file_is_taken_whatever_its_number);
	tcase_add_test(tc, symbolic_link_is_refused_and_its_target_untouched);
	tcase_add_test(tc, fifo_is_refused_without_waiting);
	tcase_add_test(tc, folder_is_refused);
	tcase_add_test(tc, file_with_a_second_name_is_refused_and_untouched);
	tcase_add_test(tc, missing_folder_is_an_error);
	tcase_add_test(tc, drop_leaves_what_another_has_put_there);
	tcase_add_test(tc, drop_empties_the_file_where_it_may_not_be_removed);
	tcase_add_test(tc, who_adopts_it_writes_its_pid_and_removes_it);
	tcase_add_test(tc, adopting_does_not_change_the_text);
	tcase_add_test(tc, what_is_not_the_locked_file_is_not_adopted);
	tcase_add_test(tc, without_a_pidfile_nothing_is_written_or_forgotten);
	tcase_add_test(tc, write_error_leaves_no_file);
	tcase_add_test(tc, only_one_holds_while_the_file_comes_and_goes);
	if (root) {
		tcase_add_test(tc, file_of_another_owner_is_refused_and_untouched);
		tcase_add_test(tc, file_of_root_is_adopted_by_another_user);
	} else {
		puts("skipped, as this is not root: file_of_another_owner_*, "
		     "file_of_root_*");
	}
	if (mounts)
		tcase_add_test(tc, full_disk_leaves_no_file);
	else
		puts("skipped, as mounts are not permitted: full_disk_*");
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(int argc, char **argv)
{
	SRunner *runner;
	bool root = geteuid() == 0, mounts;
	int failed;

	if (argc == 3 && strcmp(argv[1], "--full") == 0)
		return hold_without_room(argv[2], ENOSPC);
	program = argv[0];
	mounts = may_mount();
	runner = srunner_create(make_suite(root, mounts));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed)
		return EXIT_FAILURE;
	return root && mounts ? EXIT_SUCCESS : 77;
}
