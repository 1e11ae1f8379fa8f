/* SPDX-License-Identifier: ISC */
/*
 * One piece of data from socket to socket. Runs on the two threads of every tunnel, on
 * blocking sockets, and is the whole data path: a splice(2) in and out, or recv(2) and
 * send(2) through a buffer. Pipes and buffers are of pools that all tunnels share, and
 * are taken for one piece, so that a quiet tunnel has neither. Does not log.
 */
#include "config.h"
#include "carry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "pipes.h"
#include "pool.h"

#define BUF_BYTES   (256 * 1024)
#define SMALL_BYTES 4096 /* on the stack, when there is no memory for a buffer */

/* Buffers that are kept, by number; NULL: not made yet. */
static struct pool pool;
static void *bufs[POOL_MAX];

/* One of the pool, with its number, or one made for the occasion, -1; NULL: no memory. */
static void *
buf_take(int *number)
{
	*number = pool_take(&pool);
	if (*number == -1)
		return malloc(BUF_BYTES);
	if (!bufs[*number])
		bufs[*number] = malloc(BUF_BYTES);
	return bufs[*number];
}

static void
buf_give(void *buf, int number)
{
	if (number == -1)
		free(buf);
	else
		pool_give(&pool, number);
}

/* After dst took nothing: whether to try on. */
static bool
try_again(const struct carry *carry)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	if (!carry->give_up(carry->arg))
		return true;
	errno = ECANCELED;
	return false;
}

static int
send_all(const struct carry *carry, const char *at, size_t size)
{
	while (size > 0) {
		ssize_t n = send(carry->dst, at, size, MSG_NOSIGNAL);

		if (n == -1 && !try_again(carry))
			return -1;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
			carry->delivered(carry->arg, (size_t)n);
		}
	}
	return 0;
}

static int
splice_all(const struct carry *carry, const struct pipe_pair *pair, size_t size)
{
	while (size > 0) {
		ssize_t n = pipes_empty(pair, carry->dst, size);

		if (n == -1 && !try_again(carry))
			return -1;
		if (n > 0) {
			size -= (size_t)n;
			carry->delivered(carry->arg, (size_t)n);
		}
	}
	return 0;
}

static ssize_t
copy_piece(char *buf, size_t size, const struct carry *carry, int *failed)
{
	ssize_t n;

	*failed = carry->src;
	if (size > carry->most)
		size = carry->most;
	do
		n = recv(carry->src, buf, size, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n > 0 && send_all(carry, buf, (size_t)n) == -1) {
		*failed = carry->dst;
		return -1;
	}
	return n;
}

/* Copies with a little memory of its own; apart, so that only its users pay the stack. */
static __attribute__((noinline)) ssize_t
copy_small_piece(const struct carry *carry, int *failed)
{
	char small[SMALL_BYTES];

	return copy_piece(small, sizeof(small), carry, failed);
}

/* Copies with as much memory as there is. */
static ssize_t
copy_large_piece(const struct carry *carry, int *failed)
{
	int number, error;
	void *buf = buf_take(&number);
	ssize_t n = buf ? copy_piece(buf, BUF_BYTES, carry, failed)
			: copy_small_piece(carry, failed);

	error = errno;
	buf_give(buf, number);
	errno = error;
	return n;
}

/* From src into the empty pipe. Returns as splice(2), with errno and *failed. */
static ssize_t
fill(const struct pipe_pair *pair, const struct carry *carry, int *failed)
{
	ssize_t n;

	*failed = carry->src;
	do
		n = pipes_fill(pair, carry->src, carry->most);
	while (n == -1 && errno == EINTR);
	return n;
}

/* Carries a piece through the pipe, and gives the pipe back. */
static ssize_t
splice_piece(struct pipe_pair *pair, const struct carry *carry, int *failed)
{
	ssize_t n = fill(pair, carry, failed);

	if (n > 0 && splice_all(carry, pair, (size_t)n) == -1) {
		*failed = carry->dst;
		pipes_discard(pair);
		return -1;
	}
	pipes_give(pair);
	/* splice stops before an urgent byte as if it were the end: recv knows. */
	if (n == 0 || (n == -1 && pipes_are_useless()))
		return copy_small_piece(carry, failed);
	return n;
}

ssize_t
carry_piece(const struct carry *carry, int *failed)
{
	struct pipe_pair *pair = pipes_take();

	return pair ? splice_piece(pair, carry, failed) : copy_large_piece(carry, failed);
}
