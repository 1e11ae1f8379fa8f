/* SPDX-License-Identifier: ISC */
/*
 * The thread of the control socket: takes a client, its line, runs the command, and
 * writes the reply. Whoever may connect may do everything: the mode of the socket decides
 * that. A client cannot do harm by being slow, since the reply is whole before it is
 * written, and there is a deadline for both. When fds run out, one that is kept for that
 * lets a client in. Does not log.
 */
#include "config.h"
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "control_socket.h"
#include "io.h"
#include "log_text.h"

#define BACKOFF_MS 100 /* no accept for so long when the system is out of something */

struct control {
	struct control_socket socket;
	const struct control_command *commands;
	void *arg;
	int client_ms;
	int wake[2]; /* its write end is closed to end the thread */
	int spare;   /* an fd for a client when there is no other; -1: in use */
	pthread_t thread;
	bool running;
};

struct control_reply {
	char *data; /* lines */
	size_t len, size;
	const char *failed; /* why lines are missing, or NULL */
	char error[256];
};

_Static_assert(CONTROL_LINE == sizeof(((struct inbox *)NULL)->data),
	"a line of CONTROL_LINE bytes fits an inbox");

/* Makes room for n more bytes. */
static bool
reserve(struct control_reply *r, size_t n)
{
	size_t size = r->size > 0 ? r->size : 4096;
	char *data;

	if (n > CONTROL_REPLY_MAX - r->len) {
		r->failed = "the reply is too long";
		return false;
	}
	while (size < r->len + n)
		size *= 2;
	if (size == r->size)
		return true;
	data = realloc(r->data, size);
	if (!data) {
		r->failed = strerror(ENOMEM);
		return false;
	}
	r->data = data;
	r->size = size;
	return true;
}

void
control_printf(struct control_reply *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		r->failed = "a line that cannot be printed";
	if (r->failed || !reserve(r, (size_t)n + 1))
		return;
	va_start(ap, fmt);
	vsnprintf(r->data + r->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	log_flatten(r->data + r->len, (size_t)n);
	r->len += (size_t)n;
	r->data[r->len++] = '\n';
}

const char *
control_error(struct control_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, ap);
	va_end(ap);
	return r->error;
}

static const char *run_help(void *arg, struct control_reply *r, int argc, char **argv);

static const struct control_command help = { "help", "", "list the commands", run_help };

static void
print_help(struct control_reply *r, const struct control_command *command)
{
	char usage[128];

	snprintf(usage, sizeof(usage), "%s %s", command->name, command->args);
	control_printf(r, "%-26s %s", usage, command->help);
}

static const char *
run_help(void *arg, struct control_reply *r, int argc, char **argv)
{
	const struct control *c = arg;

	(void)argc;
	(void)argv;
	for (size_t i = 0; c->commands[i].name; i++)
		print_help(r, &c->commands[i]);
	print_help(r, &help);
	return NULL;
}

/* Whether a command takes n arguments. */
static bool
takes(const struct control_command *command, int n)
{
	int least = 0, most = 0;

	for (const char *at = command->args; *at != '\0'; at += strspn(at, " ")) {
		least += *at != '[';
		most++;
		at += strcspn(at, " ");
	}
	return n >= least && (n <= most || strstr(command->args, "..."));
}

static const struct control_command *
find(const struct control *c, const char *name)
{
	for (size_t i = 0; c->commands[i].name; i++)
		if (strcmp(c->commands[i].name, name) == 0)
			return &c->commands[i];
	return strcmp(help.name, name) == 0 ? &help : NULL;
}

static const char *
run(struct control *c, struct control_reply *r, int argc, char **argv)
{
	const struct control_command *command = find(c, argv[0]);

	if (!command)
		return control_error(r, "no such command: %.64s; try help", argv[0]);
	if (!takes(command, argc - 1))
		return control_error(r, "usage: %s%s%s", command->name,
			*command->args != '\0' ? " " : "", command->args);
	return command->run(command == &help ? c : c->arg, r, argc, argv);
}

/* Splits a line, which ends with NUL, in place. Returns how many words, or -1. */
static int
split(char *line, char *words[CONTROL_WORDS])
{
	int n = 0;

	for (line += strspn(line, " "); *line != '\0'; line += strspn(line, " ")) {
		if (n == CONTROL_WORDS)
			return -1;
		words[n++] = line;
		line += strcspn(line, " ");
		if (*line != '\0')
			*line++ = '\0';
	}
	return n;
}

static bool
is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static const char *
read_error(int error)
{
	if (error == EPIPE)
		return "the line has no end";
	if (error == ENOBUFS)
		return "the line is too long";
	if (error == ETIMEDOUT)
		return "no whole line came in time";
	if (error == ECANCELED)
		return "the daemon ends";
	return strerror(error);
}

/* Takes one line and runs it. Returns as a control_run. */
static const char *
take_line(struct control *c, int fd, struct control_reply *r)
{
	struct io_limit limit = { io_now_ms() + c->client_ms, c->wake[0] };
	struct inbox in;
	char *line = (char *)in.data, *end, *words[CONTROL_WORDS];
	int n;

	in.len = 0;
	do
		if (inbox_fill(&in, fd, &limit) == -1)
			return read_error(errno);
	while (!(end = memchr(line, '\n', in.len)));
	if (end + 1 < line + in.len)
		return "one line is wanted";
	if (!is_printable(line, (size_t)(end - line)))
		return "there is a byte in it that is not printable ASCII";
	*end = '\0';
	n = split(line, words);
	if (n == -1)
		return "there are too many words";
	return n == 0 ? "there is no command" : run(c, r, n, words);
}

/* Writes the data and the last line. What fails is the client's own loss. */
static void
answer(const struct control *c, int fd, const struct control_reply *r, const char *error)
{
	struct io_limit limit = { io_now_ms() + c->client_ms, c->wake[0] };
	char last[sizeof(r->error) + 8] = "OK";

	if (error)
		snprintf(last, sizeof(last) - 1, "ERROR %.255s", error);
	log_flatten(last, strlen(last));
	strcat(last, "\n");
	if (io_write(fd, r->data, r->len, &limit) == 0)
		(void)io_write(fd, last, strlen(last), &limit);
}

static void
serve(struct control *c, int fd)
{
	struct control_reply reply = { .data = NULL };
	const char *error = take_line(c, fd, &reply);

	answer(c, fd, &reply, reply.failed ? reply.failed : error);
	free(reply.data);
}

/* A client's fd, or -1 with errno. */
static int
accept_client(struct control *c)
{
	int fd = compat_accept(c->socket.fd, NULL, NULL);

	if (fd == -1 && errno == EMFILE && c->spare != -1) {
		io_close(&c->spare);
		fd = compat_accept(c->socket.fd, NULL, NULL);
	}
	return fd;
}

/* Whether accept failed for want of something, and should be left alone for a while. */
static bool
short_of_something(int error)
{
	return error != EAGAIN && error != EWOULDBLOCK && error != EINTR &&
		error != ECONNABORTED;
}

/*
 * Closes a client's fd. If there is no spare one, it becomes that in one step: another
 * thread would get it before us.
 */
static void
let_go(struct control *c, int *fd)
{
	if (c->spare == -1 && *fd != -1 && dup2(c->wake[0], *fd) == *fd) {
		fcntl(*fd, F_SETFD, FD_CLOEXEC);
		c->spare = *fd;
		*fd = -1;
	}
	io_close(fd);
}

static void *
serve_all(void *arg)
{
	struct control *c = arg;
	struct pollfd p[2] = { { c->wake[0], POLLIN, 0 }, { c->socket.fd, POLLIN, 0 } };

	while (!p[0].revents) {
		int fd;

		if (poll(p, 2, -1) == -1 || p[0].revents)
			continue;
		fd = accept_client(c);
		if (fd == -1 && short_of_something(errno))
			poll(p, 1, BACKOFF_MS);
		if (fd != -1)
			serve(c, fd);
		let_go(c, &fd);
	}
	return NULL;
}

static struct control *
new_control(void)
{
	struct control *c = calloc(1, sizeof(*c));
	const struct control_socket no_socket = CONTROL_SOCKET_NONE;

	if (!c)
		return NULL;
	c->socket = no_socket;
	c->wake[0] = c->wake[1] = c->spare = -1;
	if (compat_pipe(c->wake) == 0 &&
		(c->spare = fcntl(c->wake[0], F_DUPFD_CLOEXEC, 0)) != -1)
		return c;
	control_free(c, false);
	return NULL;
}

const char *
control_open(struct control **c, const char *path, uid_t owner)
{
	const char *why;

	*c = new_control();
	if (!*c)
		return strerror(errno);
	why = control_socket_bind(&(*c)->socket, path, owner);
	if (why) {
		control_free(*c, false);
		*c = NULL;
	}
	return why;
}

struct control *
control_adopt(int *fd, const char *path)
{
	struct control *c = new_control();

	if (c && control_socket_adopt(&c->socket, fd, path) == -1) {
		int keep = errno;

		control_free(c, false);
		errno = keep;
		return NULL;
	}
	return c;
}

int
control_fd(const struct control *c)
{
	return c->socket.fd;
}

int
control_start(struct control *c, const struct control_command *commands, void *arg,
	int client_ms)
{
	c->commands = commands;
	c->arg = arg;
	c->client_ms = client_ms;
	errno = pthread_create(&c->thread, NULL, serve_all, c);
	c->running = errno == 0;
	return c->running ? 0 : -1;
}

void
control_free(struct control *c, bool remove)
{
	if (!c)
		return;
	io_close(&c->wake[1]);
	if (c->running)
		pthread_join(c->thread, NULL);
	control_socket_close(&c->socket, remove);
	io_close(&c->wake[0]);
	io_close(&c->spare);
	free(c);
}
