/* SPDX-License-Identifier: ISC */
/*
 * The log to syslog: what it gets, and what comes of the lines when it hangs, is gone, or
 * comes back. The logger is the test itself, in mounts of its own in which /dev is empty:
 * that needs root, unshare(1), and a sandbox that lets them be.
 */
#include "config.h"
#include "log.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "io.h"

#define LONG_ENOUGH 30000 /* ms; for what is to happen at once */
#define QUIT	    (-1)  /* of recv_line: there is nothing */

/* A case fails by its line number, which is told; it runs in a process of its own. */
#define MUST(what)                                                                       \
	do {                                                                             \
		if (!(what)) {                                                           \
			fprintf(stderr, "line %d: not %s\n", __LINE__, #what);           \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

static const char *program; /* argv[0] */

/* A logger that listens; one that was there before has left its name, as daemons do. */
static int
start_logger(int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, type, 0);

	(void)unlink(sun.sun_path);
	MUST(fd != -1);
	MUST(bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	return fd;
}

static void
open_log(void)
{
	setenv("TZ", "CET-1", 1);
	log_open("t", LOG_DAEMON, LOG_L_INFO, false);
}

static void
start_log(void)
{
	open_log();
	MUST(log_start() == 0);
}

/* Numbered lines of all lengths up to 400 bytes; 200 on average. */
static void
write_numbered(int from, int to)
{
	for (int i = from; i < to; i++)
		log_msg(LOG_L_INFO, "line=%d %0*d", i, i * 37 % 389 + 1, 0);
}

/* What the log has said next, of which line n is expected; how many that stands for. */
static int
recv_line(int fd, int n, int flags, int *lost)
{
	char packet[4096], tag[64];
	ssize_t len = recv(fd, packet, sizeof(packet) - 1, flags);
	const char *said;
	int number;

	if (len == -1)
		return QUIT;
	packet[len] = '\0';
	snprintf(tag, sizeof(tag), "t[%ld]: ", (long)getpid());
	said = strstr(packet, tag);
	MUST(said);
	said += strlen(tag);
	if (sscanf(said, "log: %d messages lost", &number) == 1) {
		*lost += number;
		return number;
	}
	MUST(sscanf(said, "line=%d ", &number) == 1);
	MUST(number == n);
	MUST((int)strlen(strchr(said, ' ')) == n * 37 % 389 + 2);
	return 1;
}

/* Receives lines until all are accounted for, in order. Returns how many were lost. */
static int
drain(int fd, int from, int to)
{
	int lost = 0;

	while (from < to) {
		int n = recv_line(fd, from, 0, &lost);

		MUST(n != QUIT);
		from += n;
	}
	MUST(from == to);
	return lost;
}

/* Receives what is there. Returns the number of the line after it. */
static int
drain_now(int fd, int from)
{
	int lost = 0, n;

	while ((n = recv_line(fd, from, MSG_DONTWAIT, &lost)) != QUIT)
		from += n;
	MUST(lost == 0);
	return from;
}

static void
line_is_as_syslog_wants_it(void)
{
	int fd = start_logger(SOCK_DGRAM), len = 0;
	char packet[256], expected[64];
	ssize_t n;

	setenv("TZ", "CET-1", 1);
	log_open("t", LOG_LOCAL3, LOG_L_DEBUG, false);
	log_msg(LOG_L_ERROR, "early");
	MUST(log_start() == 0);
	log_msg(LOG_L_DEBUG, "a 50%% \xc3\xa4");
	log_stop(LONG_ENOUGH);
	n = recv(fd, packet, sizeof(packet) - 1, 0);
	MUST(n > 0);
	packet[n] = '\0';
	snprintf(expected, sizeof(expected), "t[%ld]: early", (long)getpid());
	sscanf(packet, "<155>%*3[A-Za-z] %*d %*2d:%*2d:%*2d %n", &len);
	MUST(len > 0);
	MUST(packet[8] == ' ' && packet[11] == ' '); /* "<155>Nov  4 12:" */
	MUST(strcmp(packet + len, expected) == 0);
	n = recv(fd, packet, sizeof(packet) - 1, 0);
	MUST(n > 0);
	packet[n] = '\0';
	MUST(strncmp(packet, "<159>", 5) == 0);
	MUST(strstr(packet, "]: a 50% \xc3\xa4"));
	MUST(packet[n - 1] != '\n');
}

static void
hung_logger_stops_no_caller_and_the_lost_are_told(void)
{
	int fd = start_logger(SOCK_DGRAM);
	int64_t before;

	start_log();
	write_numbered(0, 5000);
	before = io_now_ms();
	log_stop(50);
	MUST(io_now_ms() - before >=
		45); /* else it did not hang, and this tests nothing */
	MUST(drain(fd, 0, 5000) > 0);
	log_stop(LONG_ENOUGH);
}

static void
hung_logger_that_goes_on_gets_what_fits_the_queue(void)
{
	int fd = start_logger(SOCK_DGRAM);

	start_log();
	write_numbered(0, 1000);
	log_stop(1500); /* longer than a line is tried */
	MUST(drain(fd, 0, 1000) == 0);
	log_stop(LONG_ENOUGH);
}

/* What the hung one has taken is its own; the rest waits for the new one. */
static void
successor_of_a_hung_logger_gets_the_rest(void)
{
	int hung = start_logger(SOCK_DGRAM), fd, first;

	start_log();
	write_numbered(0, 1000);
	MUST(poll(&(struct pollfd){ hung, POLLIN, 0 }, 1, LONG_ENOUGH) == 1);
	log_stop(50);
	fd = start_logger(SOCK_DGRAM);
	/* The first that does not fit the one is the first of the other. */
	MUST(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, LONG_ENOUGH) == 1);
	first = drain_now(hung, 0);
	MUST(first > 0 && first < 1000);
	MUST(drain(fd, first, 1000) == 0);
	log_stop(LONG_ENOUGH);
}

static void
logger_that_is_killed_while_it_hangs_loses_only_what_it_had(void)
{
	int hung = start_logger(SOCK_DGRAM), fd, first;
	char packet[4096];
	const char *line;

	start_log();
	write_numbered(0, 1000);
	MUST(poll(&(struct pollfd){ hung, POLLIN, 0 }, 1, LONG_ENOUGH) == 1);
	log_stop(50);
	close(hung);
	fd = start_logger(SOCK_DGRAM);
	MUST(recv(fd, packet, sizeof(packet), MSG_PEEK) > 0);
	line = strstr(packet, "line=");
	MUST(line);
	first = (int)strtol(line + 5, NULL, 10);
	MUST(first > 0 && first < 1000);
	MUST(drain(fd, first, 1000) == 0);
	log_stop(LONG_ENOUGH);
}

static void
restarted_logger_gets_every_line(void)
{
	int fd = start_logger(SOCK_DGRAM);

	start_log();
	write_numbered(0, 10);
	MUST(drain(fd, 0, 10) == 0);
	for (int i = 1; i <= 3; i++) {
		close(fd);
		write_numbered(10 * i, 10 * i + 5);
		fd = start_logger(SOCK_DGRAM);
		write_numbered(10 * i + 5, 10 * i + 10);
		MUST(drain(fd, 10 * i, 10 * i + 10) == 0);
	}
	log_stop(LONG_ENOUGH);
}

static void
logger_that_starts_late_gets_every_line(void)
{
	int fd;

	start_log();
	write_numbered(0, 100);
	fd = start_logger(SOCK_DGRAM);
	MUST(drain(fd, 0, 100) == 0);
	log_stop(LONG_ENOUGH);
}

static void
lines_that_do_not_fit_while_it_is_gone_are_counted(void)
{
	int64_t before = io_now_ms();
	int fd;

	start_log();
	write_numbered(0, 5000);
	MUST(io_now_ms() - before < LONG_ENOUGH);
	fd = start_logger(SOCK_DGRAM);
	MUST(drain(fd, 0, 5000) > 0);
	log_stop(LONG_ENOUGH);
}

static void
end_does_not_wait_for_a_logger_that_is_gone(void)
{
	int64_t before;
	int fd, lost = 0;

	start_log();
	write_numbered(0, 100);
	before = io_now_ms();
	log_stop(LONG_ENOUGH);
	MUST(io_now_ms() - before < LONG_ENOUGH);
	/* Those that were given up are not forgotten. */
	fd = start_logger(SOCK_DGRAM);
	start_log();
	write_numbered(100, 101);
	log_stop(LONG_ENOUGH);
	MUST(recv_line(fd, 100, 0, &lost) == 1);
	MUST(recv_line(fd, 101, 0, &lost) == 100);
}

/* No thread tries for long then, and the caller must not. */
static void
message_before_the_start_does_not_wait_for_ever(void)
{
	int fd = start_logger(SOCK_DGRAM), n = 0;
	int64_t before;

	open_log();
	dup2(open("/dev/nothing", O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
	do {
		before = io_now_ms();
		write_numbered(n, n + 1);
		n++;
	} while (io_now_ms() - before < 900);
	MUST(io_now_ms() - before < LONG_ENOUGH);
	/* The last was given up: it hung. */
	MUST(drain_now(fd, 0) == n - 1);
	write_numbered(n - 1, n);
	MUST(drain_now(fd, n - 1) == n);
}

/* Some old loggers have a stream; then it is left to the C library, if that can do it. */
static void
logger_of_another_kind_is_left_to_the_library(void)
{
	int fd = start_logger(SOCK_STREAM), s;
	struct pollfd p = { fd, POLLIN, 0 };
	char text[256];
	ssize_t n;

	MUST(listen(fd, 5) == 0);
	syslog(LOG_INFO, "can it?");
	if (poll(&p, 1, 0) != 1)
		return;
	close(accept(fd, NULL, NULL));
	closelog();
	start_log();
	log_msg(LOG_L_INFO, "hello");
	log_stop(LONG_ENOUGH);
	s = accept(fd, NULL, NULL);
	MUST(s != -1);
	n = recv(s, text, sizeof(text) - 1, 0);
	MUST(n > 0);
	text[n] = '\0';
	MUST(strstr(text, "]: hello"));
	MUST(strncmp(text, "<30>", 4) == 0);
}

#define CASE(name)                                                                       \
	{                                                                                \
#name, name                                                              \
	}

static const struct row {
	const char *name;
	void (*run)(void);
} cases[] = {
	CASE(line_is_as_syslog_wants_it),
	CASE(hung_logger_stops_no_caller_and_the_lost_are_told),
	CASE(hung_logger_that_goes_on_gets_what_fits_the_queue),
	CASE(successor_of_a_hung_logger_gets_the_rest),
	CASE(logger_that_is_killed_while_it_hangs_loses_only_what_it_had),
	CASE(restarted_logger_gets_every_line),
	CASE(logger_that_starts_late_gets_every_line),
	CASE(lines_that_do_not_fit_while_it_is_gone_are_counted),
	CASE(end_does_not_wait_for_a_logger_that_is_gone),
	CASE(message_before_the_start_does_not_wait_for_ever),
	CASE(logger_of_another_kind_is_left_to_the_library),
};

#define CASES (int)(sizeof(cases) / sizeof(cases[0]))

START_TEST(case_passes_in_mounts_of_its_own)
{
	char command[4096];
	int status;

	snprintf(command, sizeof(command),
		"unshare -m sh -c 'mount -t tmpfs none /dev && exec \"$0\" %s' '%s'",
		cases[_i].name, program);
	status = system(command);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %x",
		cases[_i].name, (unsigned)status);
}
END_TEST

static int
run_case(const char *name)
{
	for (int i = 0; i < CASES; i++)
		if (strcmp(cases[i].name, name) == 0) {
			cases[i].run();
			return EXIT_SUCCESS;
		}
	return 2;
}

static bool
may_mount(void)
{
	return system("unshare -m mount -t tmpfs none /tmp 2>/dev/null") == 0;
}

int
main(int argc, char **argv)
{
	Suite *suite;
	TCase *tc;
	SRunner *runner;
	int failed;

	if (argc == 2)
		return run_case(argv[1]);
	program = argv[0];
	if (!may_mount()) {
		puts("skipped: mounts of its own are not permitted");
		return 77;
	}
	suite = suite_create("log_syslog");
	tc = tcase_create("syslog");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, case_passes_in_mounts_of_its_own, 0, CASES);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
