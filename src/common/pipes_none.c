/* SPDX-License-Identifier: ISC */
/* The twin of pipes_splice.c for systems without splice(2): there are no pipes. */
#include "config.h"
#include "pipes.h"

#include <errno.h>

struct pipe_pair *
pipes_take(void)
{
	return NULL;
}

void
pipes_give(struct pipe_pair *pair)
{
	(void)pair;
}

void
pipes_discard(struct pipe_pair *pair)
{
	(void)pair;
}

bool
pipes_are_useless(void)
{
	return true;
}

ssize_t
pipes_fill(const struct pipe_pair *pair, int src, size_t most)
{
	(void)pair;
	(void)src;
	(void)most;
	errno = ENOSYS;
	return -1;
}

ssize_t
pipes_empty(const struct pipe_pair *pair, int dst, size_t size)
{
	(void)pair;
	(void)dst;
	(void)size;
	errno = ENOSYS;
	return -1;
}

int
pipes_put(const struct pipe_pair *pair, const void *buf, size_t size)
{
	(void)pair;
	(void)buf;
	(void)size;
	errno = ENOSYS;
	return -1;
}
