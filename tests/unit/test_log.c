/* SPDX-License-Identifier: ISC */
/* The log: what is written, by whom, what is lost and told, and that no caller waits. */
#include "config.h"
#include "log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "io.h"

#define THREADS	    4
#define LINES	    500
#define LONG_ENOUGH 30000 /* ms; for what is to happen at once */

static int saved_stderr;

static void
save_stderr(void)
{
	saved_stderr = dup(STDERR_FILENO);
}

static void
restore_stderr(void)
{
	log_stop(LONG_ENOUGH);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

static void
move_to_stderr(int fd)
{
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

/* A file without a name as stderr; returns it. */
static FILE *
stderr_to_file(void)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	move_to_stderr(dup(fileno(file)));
	return file;
}

/* A pipe as stderr; returns its reading end. */
static int
stderr_to_pipe(void)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	move_to_stderr(fd[1]);
	return fd[0];
}

static char text[1 << 20];

static const char *
read_file(FILE *file)
{
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
open_log(void)
{
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
}

static void
start_log(void)
{
	open_log();
	ck_assert_int_eq(log_start(), 0);
}

START_TEST(message_before_start_is_written_at_once)
{
	FILE *file = stderr_to_file();

	open_log();
	log_msg(LOG_L_ERROR, "no %s: %d", "file", 7);
	ck_assert_str_eq(read_file(file), "t: no file: 7\n");
}
END_TEST

START_TEST(message_after_start_has_the_pid)
{
	FILE *file = stderr_to_file();
	char expected[64];

	start_log();
	log_msg(LOG_L_INFO, "hello");
	log_stop(LONG_ENOUGH);
	snprintf(expected, sizeof(expected), "t[%ld]: hello\n", (long)getpid());
	ck_assert_str_eq(read_file(file), expected);
}
END_TEST

/* Right after a line the thread naps, and is not woken: it must come by itself. */
START_TEST(lines_that_follow_each_other_need_no_further_line_to_be_written)
{
	int fd = stderr_to_pipe();
	char line[64];

	start_log();
	for (int i = 0; i < 50; i++) {
		log_msg(LOG_L_INFO, "line");
		ck_assert_int_gt(read(fd, line, sizeof(line)), 0);
	}
	log_stop(LONG_ENOUGH);
}
END_TEST

START_TEST(message_after_stop_is_written_at_once)
{
	FILE *file = stderr_to_file();

	start_log();
	log_stop(LONG_ENOUGH);
	log_msg(LOG_L_INFO, "late");
	ck_assert_ptr_nonnull(strstr(read_file(file), "]: late\n"));
}
END_TEST

START_TEST(log_can_be_started_again)
{
	FILE *file = stderr_to_file();

	for (int i = 0; i < 3; i++) {
		start_log();
		log_msg(LOG_L_INFO, "run %d", i);
		log_stop(LONG_ENOUGH);
	}
	log_stop(0);
	read_file(file);
	ck_assert_ptr_nonnull(strstr(text, "]: run 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "]: run 2\n"));
}
END_TEST

START_TEST(level_that_is_not_wanted_is_not_written)
{
	FILE *file = stderr_to_file();

	open_log();
	ck_assert(log_wants(LOG_L_ERROR));
	ck_assert(log_wants(LOG_L_INFO));
	ck_assert(!log_wants(LOG_L_DEBUG));
	log_msg(LOG_L_DEBUG, "detail");
	log_msg(LOG_L_INFO, "news");
	ck_assert_str_eq(read_file(file), "t: news\n");
}
END_TEST

START_TEST(level_can_be_changed_at_any_time)
{
	FILE *file = stderr_to_file();

	start_log();
	log_msg(LOG_L_DEBUG, "one");
	log_set_level(LOG_L_DEBUG);
	ck_assert(log_wants(LOG_L_DEBUG));
	log_msg(LOG_L_DEBUG, "two");
	log_set_level(LOG_L_ERROR);
	ck_assert(!log_wants(LOG_L_WARNING));
	ck_assert(log_wants(LOG_L_ERROR));
	log_msg(LOG_L_WARNING, "three");
	log_stop(LONG_ENOUGH);
	read_file(file);
	ck_assert_ptr_null(strstr(text, "one"));
	ck_assert_ptr_nonnull(strstr(text, "]: two\n"));
	ck_assert_ptr_null(strstr(text, "three"));
}
END_TEST

static void *
change_level(void *arg)
{
	(void)arg;
	for (int i = 0; i < LINES; i++)
		log_set_level(i % 2 ? LOG_L_INFO : LOG_L_DEBUG);
	return NULL;
}

START_TEST(level_is_changed_while_others_log)
{
	FILE *file = stderr_to_file();
	pthread_t changer;

	start_log();
	ck_assert_int_eq(pthread_create(&changer, NULL, change_level, NULL), 0);
	for (int i = 0; i < LINES; i++)
		log_msg(LOG_L_INFO, "line %d", i);
	pthread_join(changer, NULL);
	log_stop(LONG_ENOUGH);
	ck_assert_ptr_nonnull(strstr(read_file(file), "]: line 499\n"));
}
END_TEST

START_TEST(log_that_is_no_file_needs_no_reopening)
{
	FILE *file = stderr_to_file();

	open_log();
	ck_assert_int_eq(log_reopen(), 0);
	ck_assert_int_eq(log_start(), 0);
	ck_assert_int_eq(log_reopen(), 0);
	log_msg(LOG_L_INFO, "on");
	log_stop(LONG_ENOUGH);
	ck_assert_ptr_nonnull(strstr(read_file(file), "]: on\n"));
}
END_TEST

START_TEST(errno_is_kept_even_when_writing_fails)
{
	open_log();
	close(STDERR_FILENO);
	errno = ENOTDIR;
	log_msg(LOG_L_INFO, "text");
	ck_assert_int_eq(errno, ENOTDIR);
	log_msg(LOG_L_DEBUG, "text");
	ck_assert_int_eq(errno, ENOTDIR);
	ck_assert_int_eq(log_start(), 0);
	errno = ENOTDIR;
	log_msg(LOG_L_INFO, "text");
	ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

START_TEST(long_line_is_cut)
{
	FILE *file = stderr_to_file();
	char *line = malloc(LOG_LINE + 2);

	ck_assert_ptr_nonnull(line);
	memset(line, 'x', LOG_LINE + 1);
	line[LOG_LINE + 1] = '\0';
	open_log();
	log_msg(LOG_L_INFO, "%s", line);
	line[LOG_LINE] = '\0';
	log_msg(LOG_L_INFO, "%s", line);
	line[LOG_LINE - 1] = '\0';
	log_msg(LOG_L_INFO, "%s", line);
	free(line);
	ck_assert_uint_eq(strlen(read_file(file)), 3 * (3 + LOG_LINE + 1) - 1);
}
END_TEST

START_TEST(control_bytes_do_not_make_another_line)
{
	FILE *file = stderr_to_file();

	open_log();
	log_msg(LOG_L_INFO, "one\ntwo\r\x1b\x7f%c%s", 0, "\xc3\xa4");
	ck_assert_str_eq(read_file(file), "t: one two    \xc3\xa4\n");
}
END_TEST

/* Its number is *arg. */
static void *
write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_msg(LOG_L_INFO, "thread=%d line=%d end", *(int *)arg, i);
	return NULL;
}

START_TEST(lines_of_many_threads_come_whole_and_in_order)
{
	FILE *file = stderr_to_file();
	pthread_t threads[THREADS];
	int number[THREADS], next[THREADS] = { 0 };
	char *at = text, *line;

	start_log();
	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, write_lines, &number[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop(LONG_ENOUGH);
	read_file(file);
	while ((line = strtok_r(at, "\n", &at))) {
		long pid;
		int thread, n, len = 0;

		ck_assert_int_eq(sscanf(line, "t[%ld]: thread=%d line=%d end%n", &pid,
					 &thread, &n, &len),
			3);
		ck_assert_int_eq(len, strlen(line));
		ck_assert_int_eq(n, next[thread]);
		next[thread]++;
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(next[i], LINES);
}
END_TEST

/* Numbered lines of all lengths up to 400 bytes; 200 on average. */
static void
write_numbered(int n)
{
	for (int i = 0; i < n; i++)
		log_msg(LOG_L_INFO, "line=%d %0*d", i, i * 37 % 389 + 1, 0);
}

/* Reads until n messages are accounted for, in order; returns how many were lost. */
static int
account_for(FILE *from, int n)
{
	char line[512];
	int seen = 0, lost = 0;

	while (seen < n && fgets(line, sizeof(line), from)) {
		char *said = strstr(line, "]: ");
		int number;

		ck_assert_ptr_nonnull(said);
		if (sscanf(said, "]: line=%d ", &number) == 1) {
			ck_assert_int_eq(number, seen);
			seen++;
		} else {
			ck_assert_int_eq(
				sscanf(said, "]: log: %d messages lost\n", &number), 1);
			ck_assert_int_gt(number, 0);
			seen += number;
			lost += number;
		}
	}
	ck_assert_int_eq(seen, n);
	return lost;
}

START_TEST(stderr_that_nobody_reads_stops_no_caller)
{
	FILE *reader = fdopen(stderr_to_pipe(), "r");
	char line[64];
	int64_t before;

	start_log();
	log_stop(LONG_ENOUGH);
	start_log();
	log_msg(LOG_L_INFO, "first");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), reader));
	ck_assert_ptr_nonnull(strstr(line, "]: first\n"));
	write_numbered(5000); /* more than queue and pipe hold */
	before = io_now_ms();
	log_stop(50);
	ck_assert_int_ge(io_now_ms() - before, 45);
	/* The thread is still there, and a caller still does not wait. */
	log_msg(LOG_L_INFO, "line=5000 ");
	ck_assert_int_gt(account_for(reader, 5001), 0);
	fclose(reader);
}
END_TEST

static void *
read_all_lines(void *arg)
{
	FILE *from = fdopen(*(int *)arg, "r");

	ck_assert_int_eq(account_for(from, 1000), 0);
	fclose(from);
	return NULL;
}

START_TEST(nonblocking_stderr_gets_every_line)
{
	int fd = stderr_to_pipe();
	pthread_t reader;

	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
	start_log();
	write_numbered(1000); /* more than a pipe, less than the queue */
	ck_assert_int_eq(pthread_create(&reader, NULL, read_all_lines, &fd), 0);
	pthread_join(reader, NULL);
}
END_TEST

/* Three messages to a stderr that takes none, then one to a file. */
static void
expect_three_lost(void)
{
	FILE *file;

	signal(SIGPIPE, SIG_IGN);
	start_log();
	for (int i = 0; i < 3; i++)
		log_msg(LOG_L_INFO, "gone");
	log_stop(LONG_ENOUGH);
	file = stderr_to_file();
	start_log();
	log_msg(LOG_L_INFO, "back");
	log_stop(LONG_ENOUGH);
	read_file(file);
	ck_assert_ptr_nonnull(strstr(text, "]: back\n"));
	ck_assert_ptr_nonnull(strstr(text, "]: log: 3 messages lost\n"));
	ck_assert_ptr_null(strstr(text, "gone"));
}

START_TEST(full_device_is_ignored_and_counted)
{
	move_to_stderr(open("/dev/full", O_WRONLY));
	expect_three_lost();
}
END_TEST

START_TEST(broken_pipe_is_ignored_and_counted)
{
	close(stderr_to_pipe());
	expect_three_lost();
}
END_TEST

START_TEST(closed_stderr_is_ignored_and_counted)
{
	close(STDERR_FILENO);
	expect_three_lost();
}
END_TEST

#define FULL_SIZE 50000

/* So that the thread has met it. No assertion: Check writes a file with each. */
static void
wait_until_full(FILE *file)
{
	struct stat st;

	while (fstat(fileno(file), &st) == 0 && st.st_size < FULL_SIZE)
		poll(NULL, 0, 1);
}

START_TEST(stderr_that_works_again_gets_what_has_waited)
{
	const struct rlimit full = { FULL_SIZE, RLIM_INFINITY };
	const struct rlimit roomy = { RLIM_INFINITY, RLIM_INFINITY };
	FILE *file = stderr_to_file();

	start_log();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	write_numbered(1000);
	wait_until_full(file);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &roomy), 0);
	log_stop(LONG_ENOUGH);
	rewind(file);
	ck_assert_int_eq(account_for(file, 1000), 0);
	fclose(file);
}
END_TEST

START_TEST(thread_takes_no_signals)
{
	FILE *file = stderr_to_file();
	sigset_t usr1, pending;
	int sig;

	start_log();
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	/* Were it not blocked there, too, this would end the process. */
	kill(getpid(), SIGUSR1);
	log_msg(LOG_L_INFO, "alive");
	log_stop(LONG_ENOUGH);
	sigpending(&pending);
	ck_assert(sigismember(&pending, SIGUSR1));
	sigwait(&usr1, &sig);
	ck_assert_ptr_nonnull(strstr(read_file(file), "alive"));
}
END_TEST

START_TEST(repeated_error_is_due_once_and_tells_the_rest)
{
	struct log_rate rate = { 0 };
	unsigned held = 99;

	ck_assert(log_due(&rate, 3600000, &held));
	ck_assert_uint_eq(held, 0);
	for (int i = 0; i < 3; i++)
		ck_assert(!log_due(&rate, 3600000, &held));
	atomic_store(&rate.next_ms, io_now_ms());
	ck_assert(log_due(&rate, 3600000, &held));
	ck_assert_uint_eq(held, 3);
	ck_assert(!log_due(&rate, 3600000, &held));
}
END_TEST

static struct log_rate rates[100000];
#define RATES (int)(sizeof(rates) / sizeof(rates[0]))
static atomic_uint told, held_back;

static void *
ask_once_each(void *arg)
{
	unsigned held;

	(void)arg;
	for (int i = 0; i < RATES; i++)
		if (log_due(&rates[i], 3600000, &held)) {
			atomic_fetch_add(&told, 1);
			atomic_fetch_add(&held_back, held);
		}
	return NULL;
}

START_TEST(one_thread_of_many_is_told_that_it_is_due)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, ask_once_each, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < RATES; i++)
		atomic_fetch_add(&held_back, atomic_load(&rates[i].held));
	ck_assert_uint_eq(atomic_load(&told), RATES);
	ck_assert_uint_eq(atomic_load(&held_back), (THREADS - 1) * RATES);
}
END_TEST

static TCase *
stderr_tests(void)
{
	TCase *tc = tcase_create("stderr");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, save_stderr, restore_stderr);
	tcase_add_test(tc, message_before_start_is_written_at_once);
	tcase_add_test(tc, message_after_start_has_the_pid);
	tcase_add_test(
		tc, lines_that_follow_each_other_need_no_further_line_to_be_written);
	tcase_add_test(tc, message_after_stop_is_written_at_once);
	tcase_add_test(tc, log_can_be_started_again);
	tcase_add_test(tc, level_that_is_not_wanted_is_not_written);
	tcase_add_test(tc, level_can_be_changed_at_any_time);
	tcase_add_test(tc, level_is_changed_while_others_log);
	tcase_add_test(tc, log_that_is_no_file_needs_no_reopening);
	tcase_add_test(tc, errno_is_kept_even_when_writing_fails);
	tcase_add_test(tc, long_line_is_cut);
	tcase_add_test(tc, control_bytes_do_not_make_another_line);
	tcase_add_test(tc, lines_of_many_threads_come_whole_and_in_order);
	tcase_add_test(tc, stderr_that_nobody_reads_stops_no_caller);
	tcase_add_test(tc, nonblocking_stderr_gets_every_line);
	tcase_add_test(tc, full_device_is_ignored_and_counted);
	tcase_add_test(tc, broken_pipe_is_ignored_and_counted);
	tcase_add_test(tc, closed_stderr_is_ignored_and_counted);
	tcase_add_test(tc, stderr_that_works_again_gets_what_has_waited);
	tcase_add_test(tc, thread_takes_no_signals);
	return tc;
}

static TCase *
caller_tests(void)
{
	TCase *tc = tcase_create("callers");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, repeated_error_is_due_once_and_tells_the_rest);
	tcase_add_test(tc, one_thread_of_many_is_told_that_it_is_due);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("log");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, stderr_tests());
	suite_add_tcase(suite, caller_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
