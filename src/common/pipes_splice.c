/* SPDX-License-Identifier: ISC */
/*
 * Pipes of 1 MiB (a 64 KiB pipe loses half of what splice(2) gains), taken from a pool
 * for one piece of data at a time. It is bounded, because a daemon without privileges may
 * fill 64 MiB of pipe buffers (fs.pipe-user-pages-soft) and no more; beyond that a pipe
 * comes out too small to be worth it, and the caller copies instead.
 */
#include "config.h"
#include "pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"
#include "pool.h"

#define PIPE_BYTES (1024 * 1024)
#define RETRY_MS   1000 /* after a pipe could not be made */

struct pipe_pair {
	bool made;
	int fd[2];
};

static struct pool pool;
static struct pipe_pair pairs[POOL_MAX];
static atomic_bool disabled;
static _Atomic int64_t retry_ms; /* none is made before; 0: there was no failure */

/* Makes a pipe of full size. Returns 0, or -1 and nothing is left. */
static int
open_pair(int fd[2])
{
	if (compat_pipe(fd) == -1)
		return -1;
	if (fcntl(fd[0], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES)
		return 0;
	io_close(&fd[0]);
	io_close(&fd[1]);
	return -1;
}

/* The pipe of a pair that was taken; makes it if need be. False: it cannot be now. */
static bool
make(struct pipe_pair *pair)
{
	int64_t not_before_ms = atomic_load(&retry_ms);

	if (pair->made)
		return true;
	if (not_before_ms != 0 && io_now_ms() < not_before_ms)
		return false;
	pair->made = open_pair(pair->fd) == 0;
	if (!pair->made)
		atomic_store(&retry_ms, io_now_ms() + RETRY_MS);
	return pair->made;
}

struct pipe_pair *
pipes_take(void)
{
	int number = atomic_load(&disabled) ? -1 : pool_take(&pool);

	if (number == -1)
		return NULL;
	if (make(&pairs[number]))
		return &pairs[number];
	pool_give(&pool, number);
	return NULL;
}

void
pipes_give(struct pipe_pair *pair)
{
	pool_give(&pool, (int)(pair - pairs));
}

void
pipes_discard(struct pipe_pair *pair)
{
	io_close(&pair->fd[0]);
	io_close(&pair->fd[1]);
	pair->made = false;
	pipes_give(pair);
}

bool
pipes_are_useless(void)
{
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	atomic_store(&disabled, true);
	return true;
}

ssize_t
pipes_fill(const struct pipe_pair *pair, int src, size_t most)
{
	return splice(src, NULL, pair->fd[1], NULL, most, SPLICE_F_MOVE);
}

ssize_t
pipes_empty(const struct pipe_pair *pair, int dst, size_t size)
{
	return splice(pair->fd[0], NULL, dst, NULL, size, SPLICE_F_MOVE);
}

/* So little fits whole, and at once. */
int
pipes_put(const struct pipe_pair *pair, const void *buf, size_t size)
{
	return write(pair->fd[1], buf, size) == (ssize_t)size ? 0 : -1;
}
