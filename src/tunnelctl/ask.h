/* SPDX-License-Identifier: ISC */
/* ask: one command to a daemon's control socket, and its answer. Blocks. */
#ifndef ASK_H
#define ASK_H

#include <stddef.h>
#include <stdint.h>

#define ASK_LINE    1024  /* bytes of a command with its newline, at most */
#define ASK_WAIT_MS 60000 /* long enough for a reload, and for others before us */

/* The exit statuses: the daemon said ERROR, there is no answer, the usage is wrong. */
enum { EXIT_REFUSED = 1, EXIT_UNREACHED = 2, EXIT_WRONG_USAGE = 64 };

struct answer {
	char *text;	   /* the lines of data, each with its newline; answer_free's */
	const char *error; /* what the daemon says behind ERROR; NULL: it said OK */
};

/*
 * Sends the command, which has no newline, to the socket at path, and waits for the whole
 * answer, at most wait_ms. Returns NULL and the answer, or a text of what is wrong, until
 * the next one; then *a is empty.
 */
const char *ask(struct answer *a, const char *path, const char *command, int64_t wait_ms);

void answer_free(struct answer *a);

/*
 * The control socket of this machine's daemon, in path: NAME.ctl or NAME/NAME.ctl in
 * folder, for dcsd or pppd-socks, whichever is there. Returns how many are there: 1, or
 * path is of no use.
 */
int ask_default(char *path, size_t size, const char *folder);

#endif
