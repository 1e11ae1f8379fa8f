/* SPDX-License-Identifier: ISC */
/*
 * A message goes through a pipe to its socket, if there are pipes: that takes a call more
 * and a page for as long as it is on its way. Blocks the thread that sends. Does not log.
 */
#include "config.h"
#include "message.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipes.h"

/* After the socket took nothing: whether to try on. */
static bool
try_again(int fd, const struct io_limit *limit)
{
	if (errno == EINTR)
		return true;
	return (errno == EAGAIN || errno == EWOULDBLOCK) &&
		io_wait(fd, POLLOUT, limit) == 0;
}

/* Sends what was put into the pipe. Returns how much of it is left; then errno says why.
 */
static size_t
empty(const struct pipe_pair *pair, int fd, size_t size, const struct io_limit *limit)
{
	while (size > 0) {
		ssize_t n = pipes_empty(pair, fd, size);

		if (n == -1 && !try_again(fd, limit))
			break;
		if (n > 0)
			size -= (size_t)n;
	}
	return size;
}

int
message_send(int fd, const void *buf, size_t size, const struct io_limit *limit)
{
	struct pipe_pair *pair = size <= PIPES_PUT_MAX ? pipes_take() : NULL;
	size_t left = size;
	bool put;

	if (!pair)
		return io_write(fd, buf, size, limit);
	put = pipes_put(pair, buf, size) == 0;
	if (put)
		left = empty(pair, fd, size, limit);
	if (left == 0) {
		pipes_give(pair);
		return 0;
	}
	pipes_discard(pair);
	if (put && !pipes_are_useless())
		return -1;
	return io_write(fd, (const uint8_t *)buf + (size - left), left, limit);
}
