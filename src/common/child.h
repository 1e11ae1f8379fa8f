/* SPDX-License-Identifier: ISC */
/*
 * child: another program as a child, what it prints, and how it ends. Fit for a process
 * with threads: between fork and exec the child does only what POSIX permits there. No
 * other child is ever waited for.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_LINE  512 /* bytes of a line with its NUL; a longer one is cut */
#define CHILD_LINES 100 /* lines of one child; those after it are read and dropped */

/* Takes a line of stdout or stderr, without its newline. As it came: log_escape it. */
typedef void child_line(void *arg, const char *line);

/* What to run. Zero initialised but for path and argv. */
struct child_plan {
	const char *path; /* of the program; absolute, or relative to cwd */
	char *const *argv, *const *envp; /* envp NULL: our own environment */
	const char *cwd; /* its folder, if it can be entered; NULL: ours */
	const int *fds;	 /* n of ours that are 3, 4, ... there */
	size_t n;
	char *pid_text; /* in envp, CHILD_PID_ROOM zeros: there, the digits of its pid */
};

#define CHILD_PID_ROOM 24

/* Starts as CHILD_NONE. */
struct child {
	pid_t pid; /* -1: none, or it was waited for */
	int out;   /* of its stdout and stderr; -1: they are at their end */
	size_t len, lines;
	char line[CHILD_LINE]; /* what has come of the next line */
};

#define CHILD_NONE                                                                       \
	{                                                                                \
		.pid = -1, .out = -1                                                     \
	}

/*
 * Starts the program, with our stdin, with stdout and stderr in c->out, no other fds but
 * those of the plan, all signals at their defaults and none blocked. Blocks until it is
 * executed. Returns 0; or -1 with errno, why it cannot be, and there is no child.
 */
int child_start(struct child *c, const struct child_plan *plan);

/*
 * Reads once, without waiting, and gives whole lines to line (may be NULL); at the end of
 * file also one without a newline. Returns whether something was there.
 */
bool child_read(struct child *c, child_line *line, void *arg);

/* Whether it has ended, without waiting; if so, it is reaped, and *status is waitpid's.
 */
bool child_ended(struct child *c, int *status);

/*
 * Waits for something to read from the child or at the fd other (-1: none), or the end of
 * the child, at most until until_ms; for a short while only, as its end makes no noise.
 */
void child_poll(const struct child *c, int other, int64_t until_ms);

/* Kills it unless it has ended, reaps it, closes c->out. *c becomes CHILD_NONE. */
void child_kill(struct child *c);

/*
 * Runs it, and blocks until it has ended. Returns 0 and its *status as of waitpid(2); or
 * -1 with errno: why it cannot be run, or ETIMEDOUT, and then it was killed.
 */
int child_run(const struct child_plan *plan, child_line *line, void *arg, int timeout_ms,
	int *status);

/* "with status 78", "by signal 11": how it ended. Returns out. */
#define CHILD_STATUS_TEXT 32
char *child_status_text(int status, char out[CHILD_STATUS_TEXT]);

#endif
