/* SPDX-License-Identifier: ISC */
/*
 * pipes: a pool of large pipes for splice(2). Two files implement it, chosen by
 * configure: pipes_splice.c, and pipes_none.c for systems without splice, which never
 * has a pipe, so that everything is copied.
 */
#ifndef PIPES_H
#define PIPES_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Takes an empty pipe out of the pool, or makes one as long as there are few. Returns 0,
 * or -1: none is to be had now. Never blocks.
 */
int pipes_take(int pipe[2]);

/* Gives back an empty pipe. */
void pipes_give(int pipe[2]);

/* Closes a pipe that has something left in it. */
void pipes_discard(int pipe[2]);

/* splice(2) does not work on this system after all: from now on no pipe is to be had. */
void pipes_disable(void);

/*
 * splice(2) from a socket into the empty pipe, and from the pipe to a socket, as much as
 * one call moves. Return the bytes, 0 for nothing (end of file, or urgent data is next),
 * or -1 with errno.
 */
ssize_t pipes_fill(const int pipe[2], int src);
ssize_t pipes_empty(const int pipe[2], int dst, size_t size);

#endif
