/* SPDX-License-Identifier: ISC */
/* The twin of pipes_splice.c for systems without splice(2): there are no pipes. */
#include "config.h"
#include "pipes.h"

#include <errno.h>

int
pipes_take(int pipe[2])
{
	pipe[0] = pipe[1] = -1;
	errno = ENOSYS;
	return -1;
}

void
pipes_give(int pipe[2])
{
	(void)pipe;
}

void
pipes_discard(int pipe[2])
{
	(void)pipe;
}

void
pipes_disable(void)
{
}

ssize_t
pipes_fill(const int pipe[2], int src)
{
	(void)pipe;
	(void)src;
	errno = ENOSYS;
	return -1;
}

ssize_t
pipes_empty(const int pipe[2], int dst, size_t size)
{
	(void)pipe;
	(void)dst;
	(void)size;
	errno = ENOSYS;
	return -1;
}
