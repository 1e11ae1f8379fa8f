/* SPDX-License-Identifier: ISC */
/*
 * carry: moves bytes from one connected stream socket to another: through a pipe by
 * splice(2) where pipes.h has one, else by copying through a buffer.
 */
#ifndef CARRY_H
#define CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The two sockets, and who is told of the progress. */
struct carry {
	int src, dst;
	size_t most;				/* in one piece */
	void (*delivered)(void *arg, size_t n); /* n more bytes are with dst */
	bool (*give_up)(void *arg); /* asked when dst took nothing for its SO_SNDTIMEO */
	void *arg;
};

#define CARRY_MOST (1024 * 1024) /* more than this is never carried in one piece */

/*
 * Delivers one piece of what src has to dst; src should be readable, dst may block.
 * Returns the bytes taken from src, 0 at its end of file. Or -1 with errno and *failed,
 * the fd that the error is of: EAGAIN, src has nothing after all; ECANCELED, give_up
 * said so; what was taken and not delivered is then lost.
 */
ssize_t carry_piece(const struct carry *carry, int *failed);

#endif
