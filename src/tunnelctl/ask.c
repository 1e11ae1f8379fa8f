/* SPDX-License-Identifier: ISC */
/*
 * The client of a control socket. The answer is read to its end before anything is done
 * with it, since the daemon waits for nobody: its reader may be a pager.
 */
#include "config.h"
#include "ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "compat.h"
#include "io.h"

/* What is read, to its end. */
struct pile {
	char *text;
	size_t len, size;
};

/* Returns the fd, or -1 with errno. */
static int
reach(const char *path, int64_t wait_ms)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	/* Where connect(2) waits while others wait before us, it minds this. */
	struct timeval tv = { wait_ms / 1000, wait_ms % 1000 * 1000 };
	int fd;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(un.sun_path, path);
	fd = compat_socket(AF_UNIX, SOCK_STREAM);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1)
		io_close(&fd);
	return fd;
}

static const char *
reach_error(int error)
{
	if (error == ECONNREFUSED)
		return "Connection refused: no daemon listens there";
	if (error == EAGAIN)
		return "the daemon is busy with others";
	if (error == EPROTOTYPE)
		return "not a control socket";
	return strerror(error);
}

static int
send_line(int fd, const char *command, const struct io_limit *limit)
{
	if (io_write(fd, command, strlen(command), limit) == -1)
		return -1;
	return io_write(fd, "\n", 1, limit);
}

/* Reads to the end, and leaves room for a NUL. Returns 0, or -1 with errno. */
static int
read_all(struct pile *p, int fd, const struct io_limit *limit)
{
	for (;;) {
		ssize_t n;

		if (p->size - p->len < 2) {
			size_t size = p->size > 0 ? 2 * p->size : 16384;
			char *text = realloc(p->text, size);

			if (!text)
				return -1;
			p->text = text;
			p->size = size;
		}
		n = io_read(fd, p->text + p->len, p->size - p->len - 1, limit);
		if (n <= 0)
			return (int)n;
		p->len += (size_t)n;
	}
}

/* Takes the last line off. Returns false when this is no whole answer. */
static bool
take_apart(struct answer *a, struct pile *p)
{
	static const char error[] = "ERROR ";
	char *last;

	if (p->len == 0 || p->text[p->len - 1] != '\n' || memchr(p->text, '\0', p->len))
		return false;
	p->text[p->len - 1] = '\0';
	last = strrchr(p->text, '\n');
	last = last ? last + 1 : p->text;
	if (strncmp(last, error, sizeof(error) - 1) == 0)
		a->error = last + sizeof(error) - 1;
	else if (strcmp(last, "OK") != 0)
		return false;
	*last = '\0';
	a->text = p->text;
	return true;
}

const char *
ask(struct answer *a, const char *path, const char *command, int64_t wait_ms)
{
	struct io_limit limit = { io_now_ms() + wait_ms, -1 };
	struct pile p = { NULL, 0, 0 };
	const char *why = NULL;
	int fd = reach(path, wait_ms);

	*a = (struct answer){ NULL, NULL };
	if (fd == -1)
		return reach_error(errno);
	/* A daemon that has enough of us may have answered all the same. */
	(void)send_line(fd, command, &limit);
	if (read_all(&p, fd, &limit) == -1)
		why = errno == ETIMEDOUT ? "there is no answer in time" : strerror(errno);
	else if (!take_apart(a, &p))
		why = "the answer is not whole";
	io_close(&fd);
	if (why)
		free(p.text);
	return why;
}

void
answer_free(struct answer *a)
{
	free(a->text);
	*a = (struct answer){ NULL, NULL };
}

int
ask_default(char *path, size_t size, const char *folder)
{
	static const char *const names[] = { "dcsd.ctl", "dcsd/dcsd.ctl",
		"pppd-socks.ctl", "pppd-socks/pppd-socks.ctl" };
	const char *found = NULL;
	struct stat st;
	int n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, size, "%s/%s", folder, names[i]);
		if (lstat(path, &st) == 0) {
			found = names[i];
			n++;
		}
	}
	if (n == 1)
		snprintf(path, size, "%s/%s", folder, found);
	return n;
}
