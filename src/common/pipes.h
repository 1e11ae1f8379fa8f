/* SPDX-License-Identifier: ISC */
/*
 * pipes: large pipes for splice(2), which all tunnels share. Two files implement it,
 * chosen by configure: pipes_splice.c, and pipes_none.c for systems without splice, which
 * never has a pipe, so that everything is copied.
 */
#ifndef PIPES_H
#define PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pipe_pair;

/*
 * An empty pipe, until it is given back; it is made when there is none yet. NULL: none is
 * to be had now. Never blocks. Any thread.
 */
struct pipe_pair *pipes_take(void);

/* Gives back an empty pipe. */
void pipes_give(struct pipe_pair *pair);

/* Gives back one that has something left in it, which is lost. Keeps errno. */
void pipes_discard(struct pipe_pair *pair);

/*
 * After a failure, by errno: whether it is splice(2) that does not work on this system, a
 * sandbox or an old kernel. Then no pipe is to be had from now on. Keeps errno.
 */
bool pipes_are_useless(void);

/*
 * splice(2) from a socket into the empty pipe, and from the pipe to a socket, as much as
 * one call moves. Return the bytes, 0 for nothing (end of file, or urgent data is next),
 * or -1 with errno. SIGPIPE has to be ignored.
 */
ssize_t pipes_fill(const struct pipe_pair *pair, int src, size_t most);
ssize_t pipes_empty(const struct pipe_pair *pair, int dst, size_t size);

/* Puts size bytes, PIPES_PUT_MAX at most, into the empty pipe. Returns 0, or -1 with
 * errno. */
#define PIPES_PUT_MAX 4096
int pipes_put(const struct pipe_pair *pair, const void *buf, size_t size);

#endif
