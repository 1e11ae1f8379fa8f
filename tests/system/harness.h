/* SPDX-License-Identifier: ISC */
/*
 * harness: the system tests start the real daemons with it and watch their logs. Every
 * wait has the deadline WAIT_MS and fails the test when it is over; a failure names the
 * line of the test and shows the logs of its daemons. Check runs each test in a process
 * of its own and kills what that process leaves behind.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <check.h>
#include <stdint.h>
#include <sys/types.h>

#define WAIT_MS 30000 /* longer than anything that works takes */
#define TEST_S	60    /* Check's limit for one test */

/* The programs are $DCSD and $PPPD_SOCKS, else ./dcsd and ./pppd-socks. */
enum program { DCSD, PPPD_SOCKS };

struct daemon;

/*
 * Starts a daemon with the configuration that the printf arguments make; it is in a file
 * only until the daemon is ready, or gone. Daemons are freed by expect_exit.
 */
struct daemon *daemon_spawn(enum program program, const char *config, ...)
	__attribute__((format(printf, 2, 3)));
void daemon_await_ready(struct daemon *d);

/*
 * Has it read another configuration, by SIGHUP, and waits for what it tells of that, as
 * "done": a piece of text behind "reload: ". It begins with daemon_mark.
 */
void daemon_reload(struct daemon *d, const char *result, const char *config, ...)
	__attribute__((format(printf, 3, 4)));

/* dcsd, ready, on a port of 127.0.0.1 that the system picks, and with more keys. */
struct daemon *start_dcsd(const char *more, ...) __attribute__((format(printf, 1, 2)));

/* Port nth of those it listens on, in the order of its log. */
uint16_t daemon_port(const struct daemon *d, int nth);
pid_t daemon_pid(const struct daemon *d);

/* Waits for its end: with this status, or 256 + the signal that ended it. Frees it. */
void expect_exit(struct daemon *d, int status);
void stop_daemon(struct daemon *d); /* SIGTERM, and it exits with 0 */

/*
 * daemon_mark takes what fds (but pipes: it may pool those) and threads it has now;
 * expect_baseline waits until it has no more than that, and the threads it may park.
 */
#define PARKED_THREADS (2 * 256) /* server.c keeps so many crews of two */
void daemon_mark(struct daemon *d);
void expect_baseline(struct daemon *d);

/*
 * Wait for a piece of text, or for a line by an extended regular expression. They look at
 * what came after the last daemon_mark, or at all.
 */
void expect_log(struct daemon *d, const char *text, ...)
	__attribute__((format(printf, 2, 3)));
void expect_log_line(struct daemon *d, const char *regex, ...)
	__attribute__((format(printf, 2, 3)));
int log_count(struct daemon *d, const char *text); /* how often it is there */
/* The word behind a piece of text that is there, up to a space or the end of the line. */
void log_word(struct daemon *d, const char *text, char *out, size_t size);

/* Runs the tests of one test case by CK_ENV. Returns the exit status of main. */
int harness_run(const char *name, TCase *tc);

/* Fails the test, with the line of the test that AT() noted, and the row of its table. */
_Noreturn void fail_test(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern _Thread_local int harness_line;
extern const char *harness_row;
#define AT(call) (harness_line = __LINE__, call)

#define daemon_reload(...)   AT(daemon_reload(__VA_ARGS__))
#define expect_exit(...)     AT(expect_exit(__VA_ARGS__))
#define stop_daemon(d)	     AT(stop_daemon(d))
#define expect_baseline(d)   AT(expect_baseline(d))
#define expect_log(...)	     AT(expect_log(__VA_ARGS__))
#define expect_log_line(...) AT(expect_log_line(__VA_ARGS__))

#endif
