/* SPDX-License-Identifier: ISC */
/*
 * Files that hold a secret. They are read past stdio, which would keep a copy; what was
 * copied here on the way is wiped. No state between calls, so any thread may call it.
 * Does not log, and never tells what stands in a file.
 */
#include "config.h"
#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"

/* Returns what is wrong with the file, or NULL. */
static const char *
fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return "group or others have access to it: its mode must be 0600 or 0400";
	return NULL;
}

int
secret_file_open(const char *path, struct stat *st, const char **why)
{
	/* O_NONBLOCK: the open of a FIFO does not hang before it is refused. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1 || fstat(fd, st) == -1)
		*why = strerror(errno);
	else
		*why = fault(st);
	if (*why)
		io_close(&fd);
	return fd;
}

/* Reads up to size bytes. Returns how many there were, or -1 with errno. */
static ssize_t
read_start(int fd, uint8_t *data, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < size && n > 0) {
		n = read(fd, data + len, size - len);
		if (n > 0)
			len += (size_t)n;
	}
	return n == -1 ? -1 : (ssize_t)len;
}

/* The length of the first line of the n bytes that a file starts with. */
static size_t
line_length(const uint8_t *data, size_t n)
{
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : n;

	return len > 0 && data[len - 1] == '\r' ? len - 1 : len;
}

/* Returns what is wrong with the line, or NULL. */
static const char *
line_fault(const uint8_t *line, size_t len)
{
	if (len == 0)
		return "its first line is empty";
	if (len >= SECRET_FILE_SIZE)
		return "its first line has more than 255 bytes";
	if (memchr(line, '\0', len))
		return "its first line has a NUL byte";
	return NULL;
}

/* Returns the length of what is in secret now, or -1 and why. */
static int
take_line(uint8_t secret[SECRET_FILE_SIZE], int fd, const char **why)
{
	uint8_t data[SECRET_FILE_SIZE + 1]; /* the longest line, with its CR LF */
	ssize_t n = read_start(fd, data, sizeof(data));
	size_t len = n > 0 ? line_length(data, (size_t)n) : 0;

	*why = n == -1 ? strerror(errno) : line_fault(data, len);
	if (!*why)
		memcpy(secret, data, len);
	compat_wipe(data, sizeof(data));
	return *why ? -1 : (int)len;
}

int
secret_file_line(uint8_t secret[SECRET_FILE_SIZE], const char *path, const char **why)
{
	struct stat st;
	int fd = secret_file_open(path, &st, why);
	int len;

	compat_wipe(secret, SECRET_FILE_SIZE);
	len = fd == -1 ? -1 : take_line(secret, fd, why);
	io_close(&fd);
	return len;
}
