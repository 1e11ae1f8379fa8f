/* SPDX-License-Identifier: ISC */
/*
 * Random bytes from the system's device, which every Unix has: calls for the same have
 * other names and limits on each. Any thread; does not log.
 */
#include "config.h"
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "io.h"

int
random_fill(void *data, size_t size)
{
	uint8_t *at = data;
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd == -1)
		return -1;
	while (size > 0 && n > 0) {
		n = read(fd, at, size);
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		} else if (n == -1 && errno == EINTR) {
			n = 1;
		}
	}
	if (n == 0)
		errno = EIO;
	io_close(&fd);
	return size == 0 ? 0 : -1;
}
