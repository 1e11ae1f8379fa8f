/* SPDX-License-Identifier: ISC */
/*
 * Reads and writes with a deadline on blocking sockets: poll(2) waits, MSG_DONTWAIT
 * transfers. Used while a connection is set up, by whatever thread owns the fd; data of
 * a running tunnel does not pass here. Does not log.
 */
#include "config.h"
#include "io.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t
io_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
io_left_ms(int64_t until_ms)
{
	int64_t left;

	if (until_ms == IO_FOREVER)
		return -1;
	left = until_ms - io_now_ms();
	if (left < 0)
		return 0;
	return left > 1000000000 ? 1000000000 : (int)left;
}

int
io_wait(int fd, short events, const struct io_limit *limit)
{
	/* poll ignores a negative fd; POLLERR and POLLHUP are told unasked. */
	struct pollfd p[2] = { { fd, events, 0 }, { limit->watch, 0, 0 } };

	for (;;) {
		int n = poll(p, 2, io_left_ms(limit->until_ms));

		if (n == 0 && io_left_ms(limit->until_ms) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0 && p[1].revents) {
			errno = ECANCELED;
			return -1;
		}
		if (n > 0)
			return 0;
	}
}

/* Whether a transfer that failed is to be tried again after io_wait. */
static bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK;
}

ssize_t
io_read(int fd, void *buf, size_t size, const struct io_limit *limit)
{
	for (;;) {
		ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (!would_block() || io_wait(fd, POLLIN, limit) == -1)
			return -1;
	}
}

int
io_write(int fd, const void *buf, size_t size, const struct io_limit *limit)
{
	const char *at = buf;

	while (size > 0) {
		ssize_t n = send(fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			at += n;
			size -= (size_t)n;
		} else if (errno == EINTR) {
			continue;
		} else if (!would_block() || io_wait(fd, POLLOUT, limit) == -1) {
			return -1;
		}
	}
	return 0;
}

void
io_close(int *fd)
{
	int keep = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = keep;
}

int
inbox_fill(struct inbox *in, int fd, const struct io_limit *limit)
{
	ssize_t n;

	if (in->len == sizeof(in->data)) {
		errno = ENOBUFS;
		return -1;
	}
	n = io_read(fd, in->data + in->len, sizeof(in->data) - in->len, limit);
	if (n == 0)
		errno = EPIPE;
	if (n <= 0)
		return -1;
	in->len += (size_t)n;
	return 0;
}

void
inbox_consume(struct inbox *in, size_t n)
{
	assert(n <= in->len);
	in->len -= n;
	memmove(in->data, in->data + n, in->len);
}
