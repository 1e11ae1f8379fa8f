/* SPDX-License-Identifier: ISC */
/*
 * A pool of 1 MiB pipes (a 64 KiB pipe loses half of what splice(2) gains), shared by all
 * tunnels under one mutex. It is bounded, because a daemon without privileges may fill
 * 64 MiB of pipe buffers (fs.pipe-user-pages-soft) and no more; beyond that a pipe comes
 * out too small to be worth it, and the caller copies instead.
 */
#include "config.h"
#include "pipes.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "compat.h"
#include "io.h"

#define PIPE_BYTES (1024 * 1024)
#define PIPES_MAX  64
#define RETRY_MS   1000 /* after a pipe could not be made */

static struct {
	pthread_mutex_t lock;
	int made; /* pipes there are, pooled or taken */
	int pooled;
	bool disabled;
	int64_t retry_ms; /* none is made before */
	int pipe[PIPES_MAX][2];
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Makes a pipe of full size. Returns 0, or -1 and nothing is left. */
static int
make(int pipe[2])
{
	if (compat_pipe(pipe) == -1)
		return -1;
	if (fcntl(pipe[0], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES)
		return 0;
	io_close(&pipe[0]);
	io_close(&pipe[1]);
	return -1;
}

/* Whether the caller may make one; it is then counted already. */
static bool
may_make(void)
{
	if (pool.disabled || pool.made == PIPES_MAX ||
		(pool.retry_ms && io_now_ms() < pool.retry_ms))
		return false;
	pool.made++;
	return true;
}

int
pipes_take(int pipe[2])
{
	bool making = false;

	pthread_mutex_lock(&pool.lock);
	pipe[0] = pipe[1] = -1;
	if (pool.pooled > 0 && !pool.disabled) {
		pool.pooled--;
		pipe[0] = pool.pipe[pool.pooled][0];
		pipe[1] = pool.pipe[pool.pooled][1];
	} else {
		making = may_make();
	}
	pthread_mutex_unlock(&pool.lock);
	if (making && make(pipe) == -1) {
		pthread_mutex_lock(&pool.lock);
		pool.made--;
		pool.retry_ms = io_now_ms() + RETRY_MS;
		pthread_mutex_unlock(&pool.lock);
	}
	return pipe[0] == -1 ? -1 : 0;
}

void
pipes_give(int pipe[2])
{
	pthread_mutex_lock(&pool.lock);
	pool.pipe[pool.pooled][0] = pipe[0];
	pool.pipe[pool.pooled][1] = pipe[1];
	pool.pooled++;
	pthread_mutex_unlock(&pool.lock);
	pipe[0] = pipe[1] = -1;
}

void
pipes_discard(int pipe[2])
{
	io_close(&pipe[0]);
	io_close(&pipe[1]);
	pthread_mutex_lock(&pool.lock);
	pool.made--;
	pthread_mutex_unlock(&pool.lock);
}

void
pipes_disable(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.disabled = true;
	pthread_mutex_unlock(&pool.lock);
}

ssize_t
pipes_fill(const int pipe[2], int src)
{
	return splice(src, NULL, pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE);
}

ssize_t
pipes_empty(const int pipe[2], int dst, size_t size)
{
	return splice(pipe[0], NULL, dst, NULL, size, SPLICE_F_MOVE);
}
