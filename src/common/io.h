/* SPDX-License-Identifier: ISC */
/*
 * io: reads and writes on blocking sockets with a deadline. EINTR and short I/O are
 * handled here and nowhere else.
 */
#ifndef IO_H
#define IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * How long to wait, and for whom. until_ms is on io_now_ms's clock, IO_FOREVER for no
 * end. When watch is an fd (-1: none), a hang-up or reset there ends the wait, but its
 * end of file does not: a client may half-close and still want the answer.
 */
struct io_limit {
	int64_t until_ms;
	int watch;
};

#define IO_FOREVER INT64_MAX

/* Milliseconds of a clock that no change of the date moves. */
int64_t io_now_ms(void);

/* What is left until until_ms, as poll(2) wants it: 0 or more, -1 for IO_FOREVER. */
int io_left_ms(int64_t until_ms);

/*
 * Blocks until fd is ready for events (POLLIN, POLLOUT), or has an error. Returns 0, or
 * -1 with errno: ETIMEDOUT, ECANCELED when the watched fd hung up, or poll's own.
 */
int io_wait(int fd, short events, const struct io_limit *limit);

/* Blocks for at least one byte. Returns how many, 0 at end of file, -1 with errno. */
ssize_t io_read(int fd, void *buf, size_t size, const struct io_limit *limit);

/* Blocks until all of buf is written. Returns 0, or -1 with errno; never SIGPIPE. */
int io_write(int fd, const void *buf, size_t size, const struct io_limit *limit);

/* Closes *fd, unless it is -1, and sets it to -1. Keeps errno. */
void io_close(int *fd);

/*
 * What has come from a peer and is not yet consumed: messages may arrive in pieces, and
 * the last may have the first bytes of the payload behind it.
 */
struct inbox {
	size_t len;
	uint8_t data[1024];
};

/* Blocks for more bytes. Returns 0, or -1 with errno; EPIPE: end of file; ENOBUFS: full.
 */
int inbox_fill(struct inbox *in, int fd, const struct io_limit *limit);

/* Consumes the first n bytes; n is at most in->len. */
void inbox_consume(struct inbox *in, size_t n);

#endif
