/* SPDX-License-Identifier: ISC */
/*
 * One piece of data from socket to socket. Runs on the two threads of every tunnel, on
 * blocking sockets, and is the whole data path: a splice(2) in and out, or recv(2) and
 * send(2) through a buffer of a pool shared by all tunnels. Does not log.
 */
#include "config.h"
#include "carry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "pipes.h"

#define BUF_BYTES   (256 * 1024)
#define BUFS_POOLED 32	 /* free buffers that are kept */
#define SMALL_BYTES 4096 /* on the stack, when there is no memory for a buffer */

/* A free buffer; the list is linked through the buffers themselves. */
struct free_buf {
	struct free_buf *next;
};

static struct {
	pthread_mutex_t lock;
	int pooled;
	struct free_buf *first;
} bufs = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *
buf_take(void)
{
	struct free_buf *buf;

	pthread_mutex_lock(&bufs.lock);
	buf = bufs.first;
	if (buf) {
		bufs.first = buf->next;
		bufs.pooled--;
	}
	pthread_mutex_unlock(&bufs.lock);
	return buf ? buf : malloc(BUF_BYTES);
}

static void
buf_give(void *mem)
{
	struct free_buf *buf = mem;

	pthread_mutex_lock(&bufs.lock);
	if (bufs.pooled < BUFS_POOLED) {
		buf->next = bufs.first;
		bufs.first = buf;
		bufs.pooled++;
		buf = NULL;
	}
	pthread_mutex_unlock(&bufs.lock);
	free(buf);
}

static void
hold(struct carrier *c)
{
	if (pipes_take(c->pipe) == -1)
		c->buf = buf_take();
	c->held = true;
}

void
carry_release(struct carrier *c)
{
	if (c->pipe[0] != -1)
		pipes_give(c->pipe);
	if (c->buf)
		buf_give(c->buf);
	c->buf = NULL;
	c->held = false;
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
splice_all(const struct carry *carry, const int pipe[2], size_t size)
{
	while (size > 0) {
		ssize_t n = pipes_empty(pipe, carry->dst, size);

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

static ssize_t
splice_piece(struct carrier *c, const struct carry *carry, int *failed)
{
	ssize_t n;

	*failed = carry->src;
	do
		n = pipes_fill(c->pipe, carry->src);
	while (n == -1 && errno == EINTR);
	/* A sandbox, or a kernel without it: then this once, and for good, without. */
	if (n == -1 && (errno == EINVAL || errno == ENOSYS)) {
		pipes_give(c->pipe);
		pipes_disable();
		c->buf = buf_take();
		return copy_small_piece(carry, failed);
	}
	/* splice stops before an urgent byte as if it were the end: recv knows. */
	if (n == 0)
		return copy_small_piece(carry, failed);
	if (n > 0 && splice_all(carry, c->pipe, (size_t)n) == -1) {
		int error = errno;

		*failed = carry->dst;
		pipes_discard(c->pipe);
		errno = error;
		return -1;
	}
	return n;
}

ssize_t
carry_piece(struct carrier *c, const struct carry *carry, int *failed)
{
	if (!c->held)
		hold(c);
	if (c->pipe[0] != -1)
		return splice_piece(c, carry, failed);
	if (c->buf)
		return copy_piece(c->buf, BUF_BYTES, carry, failed);
	return copy_small_piece(carry, failed);
}
