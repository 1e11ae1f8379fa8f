/* SPDX-License-Identifier: ISC */
/* Sets of sockets for datagrams. No thread and no lock of its own: see udp_ports.c. */
#include "config.h"
#include "udp_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "compat.h"
#include "inherit.h"
#include "io.h"
#include "net.h"

#define BUFFER (1024 * 1024) /* of a socket that all clients send to; less will do */

bool
udp_sockets_have(const struct udp_sockets *set, const struct udp_socket *socket)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].socket == socket)
			return true;
	return false;
}

/* The socket of now that was opened for that address. NULL: there is none. */
static struct udp_socket *
take_over(const struct udp_sockets *set, const struct addr *asked,
	const struct udp_sockets *now)
{
	for (size_t i = 0; i < now->n; i++) {
		struct udp_socket *socket = now->list[i].socket;

		if (addr_equal(&socket->asked, asked) && !udp_sockets_have(set, socket))
			return socket;
	}
	return NULL;
}

/* -1 with errno. */
static int
bind_fd(const struct addr *at)
{
	int fd = compat_socket(addr_family(at), SOCK_DGRAM), one = 1;

	if (fd == -1)
		return -1;
	/* No SO_REUSEADDR: it would share the port with another. */
	if (addr_family(at) == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &at->u.sa, at->len) == -1)
		io_close(&fd);
	return fd;
}

static int
open_fd(const struct addr *at)
{
	int fd = inherit_socket(at, SOCK_DGRAM), size = BUFFER;

	if (fd == -1)
		fd = bind_fd(at);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	compat_join_received(fd);
	compat_tell_local(fd, addr_family(at));
	return fd;
}

/* Returns NULL with errno. */
static struct udp_socket *
open_socket(const struct addr *asked)
{
	struct udp_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	socket->asked = *asked;
	socket->fd = open_fd(asked);
	if (socket->fd != -1 && net_local(socket->fd, &socket->addr) == 0)
		return socket;
	io_close(&socket->fd);
	free(socket);
	return NULL;
}

void
udp_sockets_add(
	struct udp_sockets *set, struct udp_socket *socket, const struct route_port *via)
{
	socket->sets++;
	set->fds[set->n] = (struct pollfd){ socket->fd, POLLIN, 0 };
	set->list[set->n++] = (struct udp_port){ socket, via };
}

void
udp_sockets_remove(struct udp_sockets *set, size_t i)
{
	struct udp_socket *socket = set->list[i].socket;

	set->n--;
	set->list[i] = set->list[set->n];
	set->fds[i] = set->fds[set->n];
	if (--socket->sets > 0)
		return;
	io_close(&socket->fd);
	free(socket);
}

/* Returns 0, also when a family was left out, or -1 with errno. */
static int
open_place(struct udp_sockets *set, const struct server_place *place,
	const struct udp_sockets *now)
{
	struct udp_socket *socket = take_over(set, &place->at.addr, now);

	/* IPv4 comes by a socket for IPv6 that takes both, as systemd makes them. */
	if (!socket && inherit_covers(&place->at.addr, SOCK_DGRAM))
		return 0;
	if (!socket)
		socket = open_socket(&place->at.addr);
	if (!socket)
		return place->at.may_lack && net_family_lacks(errno) ? 0 : -1;
	udp_sockets_add(set, socket, place->via);
	return 0;
}

static bool
has_via(const struct udp_sockets *set, const void *via)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].via == via)
			return true;
	return false;
}

/* As udp_sockets_open, but what was opened is left. */
static int
open_all(struct udp_sockets *set, const struct places *places,
	const struct udp_sockets *now, const struct server_place **failed)
{
	size_t room = places->n + now->n;

	*failed = places->list;
	set->list = calloc(room + 1, sizeof(*set->list));
	set->fds = calloc(room + 1, sizeof(*set->fds));
	if (!set->list || !set->fds)
		return -1;
	for (size_t i = 0; i < places->n; i++) {
		*failed = &places->list[i];
		if (open_place(set, *failed, now) == -1)
			return -1;
	}
	errno = EADDRNOTAVAIL;
	for (size_t i = 0; i < places->n; i++) {
		*failed = &places->list[i];
		if (!has_via(set, (*failed)->via))
			return -1;
	}
	return 0;
}

int
udp_sockets_open(struct udp_sockets *set, const struct places *places,
	const struct udp_sockets *now, const struct server_place **failed)
{
	int keep;

	if (open_all(set, places, now, failed) == 0)
		return 0;
	keep = errno;
	udp_sockets_close(set);
	errno = keep;
	return -1;
}

void
udp_sockets_close(struct udp_sockets *set)
{
	while (set->n > 0)
		udp_sockets_remove(set, set->n - 1);
	free(set->list);
	free(set->fds);
	*set = (struct udp_sockets){ .n = 0 };
}
