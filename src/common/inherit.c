/* SPDX-License-Identifier: ISC */
/*
 * The fds that this process was started with, in a list of the process: each until it is
 * handed out or closed, and one that takes IPv4 as well for good. Main thread, while the
 * daemon opens its sockets.
 */
#include "config.h"
#include "inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io.h"
#include "net.h"

struct item {
	int fd;
	bool taken; /* handed out: the fd is another's, and may be closed */
	int type;   /* SOCK_STREAM, SOCK_DGRAM; 0: no socket of IP */
	bool dual;  /* bound to [::], and takes IPv4 as well */
	struct addr addr;
	char *name; /* NULL: none */
};

static struct item *list;
static size_t count;
static int end;	  /* of those that were taken; 0: none were yet */
static bool ours; /* with an end: whether the variables were for this process */

/* The number that a variable holds; 0 when it is not set, -1 when it is none up to max.
 */
static long
number(const char *variable, long max)
{
	const char *text = getenv(variable);
	char *stop;
	long value;

	if (!text)
		return 0;
	errno = 0;
	value = strtol(text, &stop, 10);
	if (*text < '0' || *text > '9' || *stop != '\0' || errno || value > max)
		return -1;
	return value;
}

bool
inherit_is_ours(void)
{
	return end != 0 ? ours : number("LISTEN_PID", INT_MAX) == (long)getpid();
}

/* How many fds the variables hand to this process; -1: they make no sense. */
static long
announced(void)
{
	return inherit_is_ours() ? number("LISTEN_FDS", INHERIT_MAX) : 0;
}

int
inherit_end(void)
{
	long n = end == 0 ? announced() : 0;

	return end != 0 ? end : INHERIT_FIRST + (n > 0 ? (int)n : 0);
}

static int
get_int(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, level, option, &value, &size) == -1 ? -1 : value;
}

static bool
is_connected(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return getpeername(fd, (struct sockaddr *)&ss, &len) == 0;
}

static bool
takes_ipv4(int fd, const struct addr *addr)
{
	return addr_family(addr) == AF_INET6 && addr_is_unspecified(addr) &&
		get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
}

/* Finds out what it is. What is no socket of IP may be wanted by its name. */
static void
look_at(struct item *it)
{
	int type = get_int(it->fd, SOL_SOCKET, SO_TYPE);

	if ((type != SOCK_STREAM && type != SOCK_DGRAM) || is_connected(it->fd) ||
		net_local(it->fd, &it->addr) == -1)
		return;
	it->type = type;
	it->dual = takes_ipv4(it->fd, &it->addr);
}

/* Returns NULL, or what is wrong with it; then it is not in the list. */
static const char *
take(int fd, char *name)
{
	struct item *it = &list[count];

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return strerror(errno);
	*it = (struct item){ .fd = fd, .name = name };
	count++;
	look_at(it);
	if (it->type == 0 && is_connected(fd))
		return "a connection, where a socket that listens is wanted";
	return NULL;
}

/* The next of the names with colons between, malloc'd; NULL: empty, or no more. */
static char *
next_name(const char **at)
{
	size_t len = *at ? strcspn(*at, ":") : 0;
	char *name = len > 0 ? strndup(*at, len) : NULL;

	if (*at)
		*at = (*at)[len] == ':' ? *at + len + 1 : NULL;
	return name;
}

/* Takes n fds. Returns 0; or -1 and what is wrong with the first that has a fault. */
static int
take_all(int n, char *why, size_t size)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int result = 0;

	for (int fd = INHERIT_FIRST; fd < INHERIT_FIRST + n; fd++) {
		char *name = next_name(&names);
		size_t before = count;
		const char *wrong = take(fd, name);

		if (count == before)
			free(name);
		if (wrong && result == 0) {
			snprintf(why, size, "fd %d: %s", fd, wrong);
			result = -1;
		}
	}
	return result;
}

static void
remove_variables(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("LISTEN_PIDFDID"); /* of newer systemd: LISTEN_PID in another form */
}

int
inherit_take(char *why, size_t size)
{
	long n = announced();
	int result = -1;

	ours = inherit_is_ours();
	end = inherit_end();
	if (n > 0)
		list = calloc((size_t)n, sizeof(*list));
	if (n == -1)
		snprintf(why, size, "LISTEN_FDS is not a number up to %d", INHERIT_MAX);
	else if (n > 0 && !list)
		snprintf(why, size, "%s", strerror(errno));
	else
		result = take_all((int)n, why, size);
	remove_variables();
	return result == 0 ? (int)count : -1;
}

size_t
inherit_count(void)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += !list[i].taken;
	return n;
}

/* As our own sockets for datagrams are. */
static int
set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int
hand_out(struct item *it)
{
	it->taken = true;
	return it->fd;
}

int
inherit_socket(const struct addr *addr, int type)
{
	for (size_t i = 0; i < count; i++) {
		struct item *it = &list[i];

		if (it->taken || it->type != type || !addr_equal(&it->addr, addr))
			continue;
		if ((type == SOCK_STREAM ? net_adopt(it->fd) : set_blocking(it->fd)) ==
			-1)
			return -1;
		return hand_out(it);
	}
	errno = ENOENT;
	return -1;
}

/* An fd with the same address again is the same socket, whoever has it by now. */
static bool
is_open(const struct item *it)
{
	struct addr addr;

	return net_local(it->fd, &addr) == 0 && addr_equal(&addr, &it->addr) &&
		get_int(it->fd, SOL_SOCKET, SO_TYPE) == it->type &&
		takes_ipv4(it->fd, &addr);
}

bool
inherit_covers(const struct addr *addr, int type)
{
	if (addr_family(addr) != AF_INET || !addr_is_unspecified(addr))
		return false;
	for (size_t i = 0; i < count; i++)
		if (list[i].dual && list[i].type == type &&
			addr_port(&list[i].addr) == addr_port(addr) && is_open(&list[i]))
			return true;
	return false;
}

int
inherit_named(const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!list[i].taken && list[i].name && strcmp(list[i].name, name) == 0)
			return hand_out(&list[i]);
	return -1;
}

/* The path of a socket in the file system. Returns false when it is none. */
static bool
unix_path(int fd, char *out, size_t size)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_storage ss;
	} u = { .ss = { 0 } };
	socklen_t len = sizeof(u) - 1; /* a path may come without its NUL */

	if (getsockname(fd, &u.sa, &len) == -1 || u.sa.sa_family != AF_UNIX ||
		u.un.sun_path[0] != '/')
		return false;
	snprintf(out, size, "%s", u.un.sun_path);
	return true;
}

static void
describe(const struct item *it, char *out, size_t size)
{
	size_t len;

	if (it->type != 0)
		addr_text(&it->addr, out);
	else if (!unix_path(it->fd, out, size))
		snprintf(out, size, "fd %d", it->fd);
	len = strlen(out);
	if (it->name)
		snprintf(out + len, size - len, ", %s", it->name);
}

static void
close_one(struct item *it, inherit_visit *visit, void *arg)
{
	char what[INHERIT_TEXT];

	if (it->taken)
		return;
	if (visit) {
		describe(it, what, sizeof(what));
		visit(arg, what);
	}
	io_close(&it->fd);
}

void
inherit_close_rest(inherit_visit *visit, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct item *it = &list[i];

		close_one(it, visit, arg);
		free(it->name);
		it->name = NULL;
		if (it->taken && it->dual)
			list[kept++] = *it;
	}
	count = kept;
	if (count == 0) {
		free(list);
		list = NULL;
	}
}
