/* SPDX-License-Identifier: ISC */
/*
 * Start and background. What is to be seen is a process of its own each time: it tells
 * by its exit status, 0 for "as it should be", or on a pipe that it has as stdout.
 */
#include "config.h"
#include "daemon.h"

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

#define HIGH_FD 700

/* What stdout got, up to the end of all that had it. */
static char said[4096];
static int from_child;

static pid_t
start(void run(void))
{
	int fd[2];
	pid_t child;

	ck_assert_int_eq(pipe(fd), 0);
	child = fork();
	ck_assert_int_ne(child, -1);
	if (child == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		run();
		_exit(0);
	}
	close(fd[1]);
	from_child = fd[0];
	return child;
}

/* Returns the exit status of child, or -1 when a signal ended it. */
static int
finish(pid_t child)
{
	size_t len = 0;
	ssize_t n;
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	while ((n = read(from_child, said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(from_child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
status_of(void run(void))
{
	return finish(start(run));
}

/* In a child: ends it with this status if something is not as it should be. */
static void
need(bool right, int status)
{
	if (!right)
		_exit(status);
}

static void
say(const char *text)
{
	need(write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text), 99);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static bool
is_null(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 &&
		S_ISCHR(st.st_mode) && st.st_rdev == null.st_rdev;
}

static void
start_without_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	need(daemon_clean_start() == 0, 1);
	need(is_null(0) && is_null(1) && is_null(2), 2);
	need(!is_open(3), 3);
}

START_TEST(closed_standard_fds_are_opened)
{
	ck_assert_int_eq(status_of(start_without_standard_fds), 0);
}
END_TEST

static void
start_without_stdout(void)
{
	struct stat before, after;

	close(1);
	need(fstat(2, &before) == 0, 1);
	need(daemon_clean_start() == 0, 2);
	need(is_null(1), 3);
	need(fstat(2, &after) == 0 && after.st_ino == before.st_ino, 4);
}

START_TEST(open_standard_fds_stay_as_they_are)
{
	ck_assert_int_eq(status_of(start_without_stdout), 0);
}
END_TEST

static void
start_with_more_fds(void)
{
	struct rlimit limit = { 64, 64 };

	need(dup2(0, 3) == 3 && dup2(0, 9) == 9 && dup2(0, HIGH_FD) == HIGH_FD, 1);
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, 2);
	need(daemon_clean_start() == 0, 3);
	need(is_open(0) && is_open(1) && is_open(2), 4);
	need(!is_open(3) && !is_open(9) && !is_open(HIGH_FD), 5);
}

START_TEST(inherited_fds_are_closed_even_above_the_limit)
{
	ck_assert_int_eq(status_of(start_with_more_fds), 0);
}
END_TEST

/* Two fds of LISTEN_FDS and three of an upgrade, or none; others close by. */
static void
start_with_fds_of(pid_t pid, int end)
{
	char text[32];

	for (int fd = 3; fd < 20; fd++)
		need(dup2(0, fd) == fd, 1);
	snprintf(text, sizeof(text), "%ld", (long)pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "2", 1);
	need(daemon_clean_start() == 0, 2);
	for (int fd = 0; fd < 20; fd++)
		need(is_open(fd) == (fd < end), 3);
}

static void
start_with_inherited_fds(void)
{
	start_with_fds_of(getpid(), 5);
}

static void
start_as_an_upgrade(void)
{
	setenv("UPGRADE_FD", "5", 1);
	start_with_fds_of(getpid(), 8);
}

static void
start_with_fds_of_another(void)
{
	setenv("UPGRADE_FD", "5", 1);
	start_with_fds_of(getppid(), 3);
}

START_TEST(fds_that_were_handed_to_us_stay)
{
	ck_assert_int_eq(status_of(start_with_inherited_fds), 0);
	ck_assert_int_eq(status_of(start_as_an_upgrade), 0);
	ck_assert_int_eq(status_of(start_with_fds_of_another), 0);
}
END_TEST

static bool
has_handler(int sig, void (*handler)(int))
{
	struct sigaction action;

	return sigaction(sig, NULL, &action) == 0 && action.sa_handler == handler;
}

static void
start_with_odd_signals(void)
{
	static const int sigs[] = { SIGTERM, SIGHUP, SIGCHLD, SIGINT, SIGUSR2 };
	sigset_t set;

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		signal(sigs[i], SIG_IGN);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	need(daemon_clean_start() == 0, 1);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		need(has_handler(sigs[i], SIG_DFL), 2);
	need(has_handler(SIGPIPE, SIG_IGN), 3);
	sigprocmask(SIG_SETMASK, NULL, &set);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		need(!sigismember(&set, sigs[i]), 4);
	need(!sigismember(&set, SIGPIPE), 5);
}

START_TEST(signals_are_at_their_defaults)
{
	ck_assert_int_eq(status_of(start_with_odd_signals), 0);
}
END_TEST

static void
start_with_odd_umask(void)
{
	umask(0);
	need(daemon_clean_start() == 0, 1);
	need(umask(0) == 022, 2);
}

START_TEST(umask_is_022)
{
	ck_assert_int_eq(status_of(start_with_odd_umask), 0);
}
END_TEST

static int gate[2]; /* the daemon goes on when the test closes it */

static void
detach_and_be_ready_late(void)
{
	char byte;

	close(gate[1]);
	need(daemon_detach() == 0, 90);
	say("started ");
	need(read(gate[0], &byte, 1) == 0, 91);
	say("ready");
	daemon_ready(0);
}

START_TEST(parent_returns_when_the_daemon_is_ready)
{
	char text[16] = "";
	pid_t child;

	ck_assert_int_eq(pipe(gate), 0);
	child = start(detach_and_be_ready_late);
	close(gate[0]);
	ck_assert_int_eq(read(from_child, text, 8), 8);
	ck_assert_str_eq(text, "started ");
	ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
	close(gate[1]);
	ck_assert_int_eq(finish(child), 0);
	ck_assert_str_eq(said, "ready");
}
END_TEST

static void
detach_and_fail(void)
{
	need(daemon_detach() == 0, 90);
	need(!is_null(STDOUT_FILENO), 91);
	daemon_ready(78);
	say(is_null(STDOUT_FILENO) ? "null" : "still stdout");
}

START_TEST(error_status_is_passed_on)
{
	ck_assert_int_eq(status_of(detach_and_fail), 78);
	ck_assert_str_eq(said, "still stdout");
}
END_TEST

static void
detach_and_exit(void)
{
	need(daemon_detach() == 0, 90);
	say("daemon");
	_exit(0);
}

START_TEST(daemon_that_ends_silently_gives_status_1)
{
	ck_assert_int_eq(status_of(detach_and_exit), 1);
	ck_assert_str_eq(said, "daemon");
}
END_TEST

static void
detach_and_be_killed(void)
{
	need(daemon_detach() == 0, 90);
	say("daemon");
	raise(SIGKILL);
}

START_TEST(daemon_that_is_killed_gives_status_1)
{
	ck_assert_int_eq(status_of(detach_and_be_killed), 1);
	ck_assert_str_eq(said, "daemon");
}
END_TEST

static void
detach_and_look_around(void)
{
	pid_t parent = getpid(), session = getsid(0);
	char cwd[64];

	need(chdir("/tmp") == 0, 90);
	need(daemon_detach() == 0, 91);
	if (getpid() == parent)
		daemon_ready(2);
	if (getsid(0) == session || getsid(0) == getpid() || getpgrp() == getpid())
		daemon_ready(3);
	if (!getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/") != 0)
		daemon_ready(4);
	daemon_ready(0);
}

START_TEST(daemon_is_in_a_session_without_leader_and_in_the_root_folder)
{
	ck_assert_int_eq(status_of(detach_and_look_around), 0);
}
END_TEST

static void
detach_and_look_at_fds(void)
{
	int keep;

	need(daemon_clean_start() == 0, 89);
	keep = dup2(STDOUT_FILENO, HIGH_FD);
	need(daemon_detach() == 0, 90);
	for (int fd = 3; fd < HIGH_FD; fd++)
		if (is_open(fd) && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			daemon_ready(91);
	daemon_ready(0);
	for (int fd = 0; fd <= 2; fd++)
		if (!is_null(fd))
			need(write(keep, "not null ", 9) == 9, 99);
	for (int fd = 3; fd < HIGH_FD; fd++)
		if (is_open(fd))
			need(write(keep, "left over ", 10) == 10, 99);
	need(write(keep, "seen", 4) == 4, 99);
}

START_TEST(ready_daemon_has_null_for_standard_fds_and_no_others)
{
	ck_assert_int_eq(status_of(detach_and_look_at_fds), 0);
	ck_assert_str_eq(said, "seen");
}
END_TEST

static void
detach_with_text_in_a_buffer(void)
{
	printf("once");
	need(daemon_detach() == 0, 90);
	fflush(stdout);
	daemon_ready(0);
}

START_TEST(text_in_a_buffer_is_written_once)
{
	ck_assert_int_eq(status_of(detach_with_text_in_a_buffer), 0);
	ck_assert_str_eq(said, "once");
}
END_TEST

static void
be_ready_without_detach(void)
{
	daemon_ready(0);
	daemon_ready(1);
	say(is_null(STDOUT_FILENO) ? "null" : "still stdout");
}

START_TEST(ready_without_detach_changes_nothing)
{
	ck_assert_int_eq(status_of(be_ready_without_detach), 0);
	ck_assert_str_eq(said, "still stdout");
}
END_TEST

static void
detach_without_fds(void)
{
	need(daemon_clean_start() == 0, 1);
	/* Room for none; then for /dev/null, and half of a pipe. */
	for (rlim_t n = 3; n <= 5; n++) {
		struct rlimit limit = { n, 5 };

		need(setrlimit(RLIMIT_NOFILE, &limit) == 0, 2);
		need(daemon_detach() == -1 && errno == EMFILE, 3);
		need(!is_open(3) && !is_open(4), 4);
	}
}

START_TEST(detach_that_fails_returns_in_the_caller_and_leaves_nothing)
{
	ck_assert_int_eq(status_of(detach_without_fds), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tc = tcase_create("daemon");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, closed_standard_fds_are_opened);
	tcase_add_test(tc, open_standard_fds_stay_as_they_are);
	tcase_add_test(tc, inherited_fds_are_closed_even_above_the_limit);
	tcase_add_test(tc, fds_that_were_handed_to_us_stay);
	tcase_add_test(tc, signals_are_at_their_defaults);
	tcase_add_test(tc, umask_is_022);
	tcase_add_test(tc, parent_returns_when_the_daemon_is_ready);
	tcase_add_test(tc, error_status_is_passed_on);
	tcase_add_test(tc, daemon_that_ends_silently_gives_status_1);
	tcase_add_test(tc, daemon_that_is_killed_gives_status_1);
	tcase_add_test(tc, daemon_is_in_a_session_without_leader_and_in_the_root_folder);
	tcase_add_test(tc, ready_daemon_has_null_for_standard_fds_and_no_others);
	tcase_add_test(tc, text_in_a_buffer_is_written_once);
	tcase_add_test(tc, ready_without_detach_changes_nothing);
	tcase_add_test(tc, detach_that_fails_returns_in_the_caller_and_leaves_nothing);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
