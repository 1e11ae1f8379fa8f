/* SPDX-License-Identifier: ISC */
/*
 * upgrade: another program, a newer one, that takes over the sockets of this process. It
 * is a child, gets them as inherit tells, and says when it serves: by a byte in a pipe
 * whose fd stands in UPGRADE_FD. Until then what it prints comes to us. Does not log.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include "child.h"

struct upgrade_fd {
	int fd;		  /* stays open here, and ours */
	const char *name; /* see inherit_named; NULL: found by its address */
};

/* Starts as UPGRADE_NONE. */
struct upgrade {
	struct child child;
	int report; /* the read end of the pipe, or -1 */
};

#define UPGRADE_NONE                                                                     \
	{                                                                                \
		.child = CHILD_NONE, .report = -1                                        \
	}

/*
 * The old process: starts the program at path in self_cwd. It has our stdin; as soon as
 * it is ready, our stdout and stderr as well. Blocks until it is executed. Returns 0, or
 * -1 with errno, and *u is UPGRADE_NONE.
 */
int upgrade_start(struct upgrade *u, const char *path, char *const argv[],
	const struct upgrade_fd *fds, size_t n);

/*
 * Blocks until it is ready, and gives what it prints to line (may be NULL) meanwhile.
 * Returns 0, and it lives on by itself, u->child.pid is its pid. Returns -1 when it
 * ended, said that it failed, timeout_ms passed, or TERM, INT or QUIT is pending, which
 * this process must have blocked: it is no more then, *u is UPGRADE_NONE, and why tells,
 * after the name of the program: "ended with status 78".
 */
int upgrade_wait(struct upgrade *u, int timeout_ms, child_line *line, void *arg,
	char *why, size_t size);

/* Ends it, as when this process is told to end itself. Nothing for UPGRADE_NONE. */
void upgrade_cancel(struct upgrade *u);

/*
 * The new process. First in main, before daemon_clean_start would close it: the lowest fd
 * above those of inherit and of this. Same as inherit_end when there is no upgrade.
 */
int upgrade_end(void);

/* Takes the pipe and removes the variable. Before inherit_take. */
void upgrade_take(void);

/* Whether this process was started so, and has not said yet that it is ready. It must not
 * detach: the old one waits for its very pid. */
bool upgrade_in_progress(void);

/* Says that it serves; stdout and stderr are those of the old one from now on. Nothing
 * in a process that was not started so. An exit without it is a failure. */
void upgrade_ready(void);

#endif
