/* SPDX-License-Identifier: ISC */
/*
 * Handing over to a new program: this one again, with "--new HOW", HOW being what becomes
 * of it. A new one serves one client and ends, so that none is left over.
 */
#include "config.h"
#include "upgrade.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "daemon.h"
#include "inherit.h"
#include "io.h"
#include "net.h"
#include "self.h"

#define PATIENT_MS 30000
#define MANY	   200

static char program[4096]; /* argv[0] */
static char text[4096];	   /* what the new one printed, each line with "|" behind */
static char why[128];
static struct upgrade upgrade = UPGRADE_NONE;
static struct addr at;
static int listener = -1;

static void
keep(void *arg, const char *line)
{
	strcat(arg, line);
	strcat(arg, "|");
}

static int
start_with(const char *how, const struct upgrade_fd *fds, size_t n)
{
	char option[] = "--new", copy[16], *argv[] = { program, option, copy, NULL };

	text[0] = '\0';
	strcpy(copy, how);
	return upgrade_start(&upgrade, program, argv, fds, n);
}

/* Hands over the listening socket and another fd. Returns as upgrade_wait. */
static int
hand_over(const char *how, int timeout_ms)
{
	struct upgrade_fd fds[2] = { { -1, INHERIT_PIDFILE }, { listener, NULL } };
	int result;

	fds[0].fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	result = start_with(how, fds, 2);
	close(fds[0].fd);
	if (result == -1)
		return -1;
	return upgrade_wait(&upgrade, timeout_ms, keep, text, why, sizeof(why));
}

static void
open_listener(void)
{
	ck_assert(addr_from_text(&at, "127.0.0.1", 0));
	listener = net_listen(&at);
	ck_assert_int_ne(listener, -1);
	ck_assert_int_eq(net_local(listener, &at), 0);
}

/* A client. Returns the pid that the one who serves it tells. */
static long
ask(void)
{
	char pid[32] = "";
	int fd = compat_socket(AF_INET, SOCK_STREAM);
	struct io_limit limit = { io_now_ms() + PATIENT_MS, -1 };

	ck_assert_int_eq(connect(fd, &at.u.sa, at.len), 0);
	ck_assert_int_gt(io_read(fd, pid, sizeof(pid) - 1, &limit), 0);
	close(fd);
	return strtol(pid, NULL, 10);
}

static void
expect_no_child(void)
{
	ck_assert_int_eq(upgrade.child.pid, -1);
	ck_assert_int_eq(upgrade.child.out, -1);
	ck_assert_int_eq(upgrade.report, -1);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static void
expect_ended(int wanted)
{
	int status;

	while (!child_ended(&upgrade.child, &status))
		ck_assert_int_eq(poll(NULL, 0, 5), 0);
	ck_assert_int_eq(status, wanted);
	expect_no_child();
}

/* The new process: a fault in it is told as its status. */
static void
need(bool right, int status)
{
	if (right)
		return;
	fprintf(stderr, "fault %d: %s\n", status, strerror(errno));
	exit(status);
}

/* Serves one client, with its pid. */
static void
serve_one(int fd)
{
	char pid[32];
	int client, len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	need(io_wait(fd, POLLIN, &(struct io_limit){ io_now_ms() + PATIENT_MS, -1 }) == 0,
		40);
	client = accept(fd, NULL, NULL);
	need(client != -1 && write(client, pid, (size_t)len) == len, 41);
	close(client);
}

static int
take_listener(void)
{
	struct addr any;

	for (int fd = INHERIT_FIRST; fd < inherit_end(); fd++)
		if (net_local(fd, &any) == 0)
			return inherit_socket(&any, SOCK_STREAM);
	return -1;
}

static void
live(void)
{
	int fd = take_listener(), pidfile = inherit_named(INHERIT_PIDFILE);

	need(fd != -1 && pidfile != -1, 30);
	need(inherit_count() == 0, 31);
	need(!getenv("UPGRADE_FD") && !getenv("LISTEN_FDS"), 32);
	for (int i = 3; i < 64; i++)
		need(fcntl(i, F_GETFD) == -1 || fcntl(i, F_GETFD) == FD_CLOEXEC, 33);
	printf("starting\n");
	fprintf(stderr, "still starting\n");
	fflush(stdout);
	upgrade_ready();
	need(!upgrade_in_progress(), 34);
	for (int i = 3; i < 64; i++)
		need(i == fd || i == pidfile || fcntl(i, F_GETFD) == -1, 35);
	printf("out\n");
	fflush(stdout);
	fprintf(stderr, "err\n");
	serve_one(fd);
	upgrade_ready();
}

/* Is an old process to a third one, which serves. */
static void
hand_on(void)
{
	listener = take_listener();
	upgrade_ready();
	need(hand_over("live", PATIENT_MS) == 0, 50);
	need(waitpid(upgrade.child.pid, NULL, 0) == upgrade.child.pid, 51);
}

static void
take_many(void)
{
	char name[16];

	need(inherit_count() == MANY, 60);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		need(inherit_named(name) == INHERIT_FIRST + i, 61);
	}
	upgrade_ready();
}

static int
be_new(const char *how)
{
	need(daemon_clean_start() == 0, 20);
	upgrade_take();
	need(inherit_take(why, sizeof(why)) >= 0, 21);
	need(upgrade_in_progress(), 22);
	if (strcmp(how, "live") == 0)
		live();
	else if (strcmp(how, "handon") == 0)
		hand_on();
	else if (strcmp(how, "many") == 0)
		take_many();
	else if (strcmp(how, "fail") == 0)
		fprintf(stderr, "no such key\n");
	else if (strcmp(how, "crash") == 0)
		raise(SIGKILL);
	else if (strcmp(how, "deaf") == 0)
		compat_close_from(INHERIT_FIRST);
	if (strcmp(how, "hang") == 0 || strcmp(how, "deaf") == 0)
		pause();
	return strcmp(how, "fail") == 0 ? 78 : 0;
}

START_TEST(the_new_one_serves_where_the_old_one_did)
{
	ck_assert_int_eq(hand_over("live", PATIENT_MS), 0);
	ck_assert_str_eq(text, "still starting|starting|");
	close(listener);
	ck_assert_int_eq(ask(), upgrade.child.pid);
	expect_ended(0);
}
END_TEST

START_TEST(who_waits_in_the_queue_is_served_by_the_new_one)
{
	int fd = compat_socket(AF_INET, SOCK_STREAM);
	char pid[32] = "";

	ck_assert_int_eq(connect(fd, &at.u.sa, at.len), 0);
	ck_assert_int_eq(hand_over("live", PATIENT_MS), 0);
	close(listener);
	ck_assert_int_gt(read(fd, pid, sizeof(pid) - 1), 0);
	ck_assert_int_eq(strtol(pid, NULL, 10), upgrade.child.pid);
	close(fd);
	expect_ended(0);
}
END_TEST

/* Our stdout and stderr are files here. */
START_TEST(a_ready_one_has_the_outputs_of_the_old_one)
{
	static const char *const wanted[] = { "out\n", "err\n" };
	int saved[2], pipes[2][2];
	char got[64];

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(compat_pipe(pipes[i]), 0);
		saved[i] = dup(STDOUT_FILENO + i);
		dup2(pipes[i][1], STDOUT_FILENO + i);
	}
	ck_assert_int_eq(hand_over("live", PATIENT_MS), 0);
	ask();
	expect_ended(0);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], STDOUT_FILENO + i);
		ck_assert_int_eq(read(pipes[i][0], got, sizeof(got)), 4);
		ck_assert_int_eq(memcmp(got, wanted[i], 4), 0);
	}
}
END_TEST

START_TEST(one_that_fails_is_told_with_its_status_and_lines)
{
	ck_assert_int_eq(hand_over("fail", PATIENT_MS), -1);
	ck_assert_str_eq(why, "ended with status 78");
	ck_assert_str_eq(text, "no such key|");
	expect_no_child();
}
END_TEST

START_TEST(one_that_crashes_is_told_with_its_signal)
{
	ck_assert_int_eq(hand_over("crash", PATIENT_MS), -1);
	ck_assert_str_eq(why, "ended by signal 9");
	expect_no_child();
}
END_TEST

START_TEST(one_that_ends_well_but_was_never_ready_has_failed)
{
	ck_assert_int_eq(hand_over("nothing", PATIENT_MS), -1);
	ck_assert_str_eq(why, "ended with status 0");
	expect_no_child();
}
END_TEST

START_TEST(one_that_hangs_is_killed)
{
	ck_assert_int_eq(hand_over("hang", 300), -1);
	ck_assert_str_eq(why, "was not ready in time");
	expect_no_child();
}
END_TEST

START_TEST(one_that_knows_nothing_of_this_is_not_waited_for_long)
{
	int64_t begin = io_now_ms();

	ck_assert_int_eq(hand_over("deaf", PATIENT_MS), -1);
	ck_assert_int_lt(io_now_ms() - begin, PATIENT_MS / 2);
	ck_assert_str_eq(why, "was not ready in time");
	expect_no_child();
}
END_TEST

START_TEST(one_that_cannot_be_executed_is_an_error)
{
	char name[] = "/no/such/program", *argv[] = { name, NULL };

	ck_assert_int_eq(upgrade_start(&upgrade, name, argv, NULL, 0), -1);
	ck_assert_int_eq(errno, ENOENT);
	expect_no_child();
}
END_TEST

START_TEST(one_that_is_cancelled_is_gone)
{
	ck_assert_int_eq(start_with("hang", NULL, 0), 0);
	ck_assert_int_ne(upgrade.child.pid, -1);
	upgrade_cancel(&upgrade);
	expect_no_child();
	upgrade_cancel(&upgrade);
}
END_TEST

/* The second one is told of as our child; the third one serves. */
START_TEST(a_new_one_may_be_followed_by_a_newer_one)
{
	long pid;

	ck_assert_int_eq(hand_over("handon", PATIENT_MS), 0);
	close(listener);
	pid = ask();
	ck_assert_int_ne(pid, upgrade.child.pid);
	expect_ended(0);
}
END_TEST

START_TEST(many_fds_come_in_their_order)
{
	struct upgrade_fd fds[MANY];
	char names[MANY][16];

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		fds[MANY - 1 - i].fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		fds[i].name = names[i];
	}
	ck_assert_int_eq(start_with("many", fds, MANY), 0);
	ck_assert_int_eq(
		upgrade_wait(&upgrade, PATIENT_MS, keep, text, why, sizeof(why)), 0);
	expect_ended(0);
	for (int i = 0; i < MANY; i++)
		close(fds[i].fd);
}
END_TEST

/* An old process that ends at once leaves the new one at work. */
START_TEST(the_new_one_outlives_the_old_one)
{
	pid_t old = fork();
	int status;

	if (old == 0)
		_exit(hand_over("live", PATIENT_MS) == 0 ? 0 : 1);
	close(listener);
	ck_assert_int_eq(waitpid(old, &status, 0), old);
	ck_assert_int_eq(status, 0);
	ck_assert_int_ne(ask(), old);
}
END_TEST

/* A name that a foreign process put there means nothing, whatever its number. */
START_TEST(a_variable_that_does_not_fit_is_ignored)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("UPGRADE_FD", "3", 1);
	ck_assert_int_eq(upgrade_end(), INHERIT_FIRST);
	setenv("LISTEN_PID", "1", 1);
	ck_assert_int_eq(upgrade_end(), INHERIT_FIRST);
	setenv("LISTEN_PID", pid, 1);
	setenv("UPGRADE_FD", "4", 1);
	ck_assert_int_eq(upgrade_end(), INHERIT_FIRST);
	upgrade_take();
	ck_assert(!upgrade_in_progress());
	ck_assert_ptr_null(getenv("UPGRADE_FD"));
	upgrade_ready();
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("upgrade");
	TCase *tc = tcase_create("upgrade");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, open_listener, NULL);
	tcase_add_test(tc, the_new_one_serves_where_the_old_one_did);
	tcase_add_test(tc, who_waits_in_the_queue_is_served_by_the_new_one);
	tcase_add_test(tc, a_ready_one_has_the_outputs_of_the_old_one);
	tcase_add_test(tc, one_that_fails_is_told_with_its_status_and_lines);
	tcase_add_test(tc, one_that_crashes_is_told_with_its_signal);
	tcase_add_test(tc, one_that_ends_well_but_was_never_ready_has_failed);
	tcase_add_test(tc, one_that_hangs_is_killed);
	tcase_add_test(tc, one_that_knows_nothing_of_this_is_not_waited_for_long);
	tcase_add_test(tc, one_that_cannot_be_executed_is_an_error);
	tcase_add_test(tc, one_that_is_cancelled_is_gone);
	tcase_add_test(tc, a_new_one_may_be_followed_by_a_newer_one);
	tcase_add_test(tc, many_fds_come_in_their_order);
	tcase_add_test(tc, the_new_one_outlives_the_old_one);
	tcase_add_test(tc, a_variable_that_does_not_fit_is_ignored);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(int argc, char **argv)
{
	SRunner *runner;
	int failed;

	if (self_note(argc, argv) == -1 || !realpath(self_path(), program))
		return EXIT_FAILURE;
	if (argc == 3 && strcmp(argv[1], "--new") == 0)
		return be_new(argv[2]);
	runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
