/* SPDX-License-Identifier: ISC */
/*
 * Children: what they print, how they end, and what they do not inherit. Some are this
 * program again, with "--look", which tells of its fds and signals.
 */
#include "config.h"
#include "child.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"

#define HIGH_FD	   700
#define PATIENT_MS 30000
#define LOT	   4096

static char program[4096]; /* argv[0] */
static char text[1 << 17]; /* the lines that came, each with "|" behind */
static size_t lines;

static void
keep(void *arg, const char *line)
{
	size_t len = strlen(text);

	ck_assert_ptr_eq(arg, &lines);
	ck_assert_uint_lt(strlen(line), CHILD_LINE);
	snprintf(text + len, sizeof(text) - len, "%s|", line);
	lines++;
}

/* Returns as child_run. */
static int
run_args(char *const argv[], char *const envp[], int timeout_ms, int *status)
{
	const struct child_plan plan = { .path = argv[0], .argv = argv, .envp = envp };

	return child_run(&plan, keep, &lines, timeout_ms, status);
}

/* Runs a script of the shell. */
static int
run_for(const char *script, int timeout_ms, int *status)
{
	char shell[] = "/bin/sh", option[] = "-c", copy[LOT];
	char *argv[] = { shell, option, copy, NULL };

	text[0] = '\0';
	lines = 0;
	snprintf(copy, sizeof(copy), "%s", script);
	return run_args(argv, NULL, timeout_ms, status);
}

static int
run(const char *script)
{
	int status;

	ck_assert_int_eq(run_for(script, PATIENT_MS, &status), 0);
	return status;
}

START_TEST(what_it_prints_comes_in_lines)
{
	ck_assert_int_eq(run("echo one; echo two >&2; echo; printf three"), 0);
	ck_assert_str_eq(text, "one|two||three|");
	ck_assert_int_eq(run(":"), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(how_it_ended_is_told)
{
	char out[CHILD_STATUS_TEXT];

	ck_assert_str_eq(child_status_text(run("exit 78"), out), "with status 78");
	ck_assert_str_eq(child_status_text(run("kill -9 $$"), out), "by signal 9");
}
END_TEST

static void
expect_no_run(const char *path, int error)
{
	char name[128], *argv[] = { name, NULL };
	int status;

	snprintf(name, sizeof(name), "%s", path);
	ck_assert_int_eq(run_args(argv, NULL, PATIENT_MS, &status), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

START_TEST(what_cannot_be_run_is_an_error_and_no_child)
{
	expect_no_run("/no/such/program", ENOENT);
	expect_no_run("/dev/null", EACCES);
	expect_no_run("/", EACCES);
}
END_TEST

START_TEST(lines_are_cut_and_counted)
{
	char wanted[CHILD_LINE + 8];

	ck_assert_int_eq(run("printf '%0600d\\n%0511d\\n' 1 2"), 0);
	snprintf(wanted, sizeof(wanted), "%0511d|", 0);
	ck_assert_int_eq(strncmp(text, wanted, strlen(wanted)), 0);
	snprintf(wanted, sizeof(wanted), "%0511d|", 2);
	ck_assert_str_eq(text + CHILD_LINE, wanted);
	ck_assert_int_eq(
		run("i=0; while [ $i -lt 9999 ]; do echo $i; i=$((i+1)); done"), 0);
	ck_assert_uint_eq(lines, CHILD_LINES);
	ck_assert_str_eq(text + strlen(text) - 6, "98|99|");
}
END_TEST

/* A slow machine may need longer for the line. */
START_TEST(one_that_hangs_is_killed_and_reaped)
{
	int status, timeout_ms = 150;
	long pid;

	do {
		timeout_ms *= 2;
		ck_assert_int_eq(
			run_for("echo $$; exec sleep 1000", timeout_ms, &status), -1);
		ck_assert_int_eq(errno, ETIMEDOUT);
	} while (sscanf(text, "%ld|", &pid) != 1);
	ck_assert_int_eq(kill((pid_t)pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

START_TEST(one_that_hangs_without_output_is_killed_too)
{
	int status;

	ck_assert_int_eq(run_for("exec sleep 1000 >&- 2>&-", 300, &status), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(no_other_child_is_reaped)
{
	pid_t other = fork();
	int status;

	if (other == 0)
		_exit(5);
	/* It has ended, and waits to be reaped. */
	ck_assert_int_eq(
		waitid(P_PID, (id_t)other, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(run(":"), 0);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert_int_eq(WEXITSTATUS(status), 5);
}
END_TEST

START_TEST(who_holds_its_output_is_not_waited_for)
{
	int64_t begin = io_now_ms();
	long pid;

	ck_assert_int_eq(run("sleep 1000 & echo $!"), 0);
	ck_assert_int_lt(io_now_ms() - begin, PATIENT_MS / 2);
	ck_assert_int_eq(sscanf(text, "%ld|", &pid), 1);
	ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
}
END_TEST

START_TEST(it_gets_the_environment_that_is_given)
{
	char shell[] = "/bin/sh", option[] = "-c", script[] = "echo \"$ONE,$TWO\"";
	char one[] = "ONE=1", *argv[] = { shell, option, script, NULL };
	char *envp[] = { one, NULL };
	int status;

	setenv("TWO", "2", 1);
	ck_assert_int_eq(run_args(argv, envp, PATIENT_MS, &status), 0);
	ck_assert_int_eq(run_args(argv, NULL, PATIENT_MS, &status), 0);
	ck_assert_str_eq(text, "1,|,2|");
}
END_TEST

/* "--look": an fd and the file it means; signals that are not as they should be. */
static int
look(void)
{
	struct sigaction action;
	struct stat st;
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	for (int fd = 3; fd <= HIGH_FD + 1; fd++)
		if (fstat(fd, &st) == 0)
			printf("fd %d %llu\n", fd, (unsigned long long)st.st_ino);
	for (int sig = 1; sig < 32; sig++) {
		if (sigismember(&set, sig))
			printf("blocked %d\n", sig);
		if (sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			printf("ignored %d\n", sig);
	}
	return 0;
}

/* Starts it as planned, and waits for it. */
static void
look_with(struct child_plan *plan)
{
	static char option[] = "--look", *argv[] = { program, option, NULL };
	struct child c;
	int status;

	plan->path = program;
	plan->argv = argv;
	text[0] = '\0';
	ck_assert_int_eq(child_start(&c, plan), 0);
	while (c.out != -1) {
		child_poll(&c, -1, IO_FOREVER);
		child_read(&c, keep, &lines);
	}
	while (!child_ended(&c, &status))
		child_poll(&c, -1, IO_FOREVER);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(c.pid, -1);
}

static unsigned long long
inode(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (unsigned long long)st.st_ino;
}

/* Whatever the order: fds are swapped, moved, doubled, and taken from 1 and 2. */
START_TEST(it_has_the_planned_fds_and_no_others)
{
	int pipes[6], order[8];
	char wanted[512] = "";

	for (int i = 0; i < 6; i += 2)
		ck_assert_int_eq(pipe(pipes + i), 0);
	ck_assert_int_eq(dup2(pipes[0], HIGH_FD), HIGH_FD);
	order[0] = pipes[4];
	order[1] = HIGH_FD;
	order[2] = pipes[2];
	order[3] = pipes[2];
	order[4] = STDERR_FILENO;
	order[5] = 3;
	order[6] = 4;
	order[7] = STDOUT_FILENO;
	for (size_t i = 0; i < 8; i++)
		snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted),
			"fd %zu %llu|", 3 + i, inode(order[i]));
	fcntl(pipes[4], F_SETFD, FD_CLOEXEC);
	look_with(&(struct child_plan){ .fds = order, .n = 8 });
	ck_assert_str_eq(text, wanted);
	look_with(&(struct child_plan){ .n = 0 });
	ck_assert_str_eq(text, "");
}
END_TEST

static void
on_signal(int sig)
{
	(void)sig;
}

START_TEST(its_signals_are_at_their_defaults)
{
	sigset_t set, after;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	look_with(&(struct child_plan){ .n = 0 });
	ck_assert_str_eq(text, "");
	sigprocmask(SIG_SETMASK, NULL, &after);
	ck_assert(sigismember(&after, SIGTERM) && sigismember(&after, SIGUSR1));
	ck_assert(!sigismember(&after, SIGHUP) && !sigismember(&after, SIGINT));
}
END_TEST

/* Starts a script in a folder, with PID in its environment. */
static void
start_script(const char *script, const char *folder)
{
	char shell[] = "/bin/sh", option[] = "-c", copy[256];
	char *argv[] = { shell, option, copy, NULL };
	char pid[4 + CHILD_PID_ROOM] = "PID=", *envp[] = { pid, NULL };
	struct child_plan plan = { .path = shell, .argv = argv, .envp = envp };
	struct child c;

	plan.pid_text = pid + 4;
	plan.cwd = folder;
	text[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", script);
	ck_assert_int_eq(child_start(&c, &plan), 0);
	while (c.out != -1) {
		child_poll(&c, -1, IO_FOREVER);
		child_read(&c, keep, &lines);
	}
	child_kill(&c);
	ck_assert_str_eq(pid, "PID=");
}

START_TEST(its_pid_stands_in_its_environment)
{
	start_script("test \"$PID\" = $$ && echo yes", NULL);
	ck_assert_str_eq(text, "yes|");
}
END_TEST

START_TEST(it_is_in_its_folder_if_that_can_be)
{
	ck_assert_int_eq(chdir("/tmp"), 0);
	start_script("pwd -P", "/");
	ck_assert_str_eq(text, "/|");
	start_script("test . -ef /tmp && echo yes", "/no/such/folder");
	ck_assert_str_eq(text, "yes|");
}
END_TEST

START_TEST(a_kill_ends_and_reaps_it)
{
	char sleeper[] = "/bin/sleep", time[] = "1000";
	char *argv[] = { sleeper, time, NULL };
	struct child c;
	pid_t pid;
	int status;

	ck_assert_int_eq(
		child_start(&c, &(struct child_plan){ .path = sleeper, .argv = argv }),
		0);
	pid = c.pid;
	ck_assert(!child_ended(&c, &status));
	child_kill(&c);
	ck_assert_int_eq(c.pid, -1);
	ck_assert_int_eq(c.out, -1);
	ck_assert_int_eq(kill(pid, 0), -1);
	child_kill(&c);
}
END_TEST

static atomic_bool enough;

static void *
use_memory(void *arg)
{
	while (!enough)
		free(malloc(64 + (size_t)rand() % 100000));
	return arg;
}

/* A child that took a lock would hang for good: a thread has it at the fork. */
START_TEST(it_starts_while_threads_are_busy)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use_memory, NULL), 0);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(run("echo ok"), 0);
		ck_assert_str_eq(text, "ok|");
	}
	enough = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

static void *
run_some(void *arg)
{
	char shell[] = "/bin/sh", option[] = "-c", script[] = "exit 7";
	char *argv[] = { shell, option, script, NULL };
	const struct child_plan plan = { .path = shell, .argv = argv };
	int status;

	for (int i = 0; i < 20; i++)
		if (child_run(&plan, NULL, NULL, PATIENT_MS, &status) == -1 ||
			WEXITSTATUS(status) != 7)
			return arg;
	return NULL;
}

START_TEST(threads_may_run_children_at_the_same_time)
{
	pthread_t threads[4];
	void *failed;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_some, threads), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite;
	TCase *tc;
	SRunner *runner;
	int failed;

	if (argc == 2 && strcmp(argv[1], "--look") == 0)
		return look();
	if (!realpath(argv[0], program))
		return EXIT_FAILURE;
	suite = suite_create("child");
	tc = tcase_create("child");
	runner = srunner_create(suite);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_it_prints_comes_in_lines);
	tcase_add_test(tc, how_it_ended_is_told);
	tcase_add_test(tc, what_cannot_be_run_is_an_error_and_no_child);
	tcase_add_test(tc, lines_are_cut_and_counted);
	tcase_add_test(tc, one_that_hangs_is_killed_and_reaped);
	tcase_add_test(tc, one_that_hangs_without_output_is_killed_too);
	tcase_add_test(tc, no_other_child_is_reaped);
	tcase_add_test(tc, who_holds_its_output_is_not_waited_for);
	tcase_add_test(tc, it_gets_the_environment_that_is_given);
	tcase_add_test(tc, it_has_the_planned_fds_and_no_others);
	tcase_add_test(tc, its_signals_are_at_their_defaults);
	tcase_add_test(tc, its_pid_stands_in_its_environment);
	tcase_add_test(tc, it_is_in_its_folder_if_that_can_be);
	tcase_add_test(tc, a_kill_ends_and_reaps_it);
	tcase_add_test(tc, it_starts_while_threads_are_busy);
	tcase_add_test(tc, threads_may_run_children_at_the_same_time);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
