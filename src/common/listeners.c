/* SPDX-License-Identifier: ISC */
/* Sets of listening sockets. No thread and no lock of its own: see server.c. */
#include "config.h"
#include "listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "inherit.h"
#include "io.h"
#include "net.h"

#define REOPEN_MS 1000 /* between attempts to listen again */

bool
listeners_have(const struct listeners *set, const struct listen_socket *socket)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].socket == socket)
			return true;
	return false;
}

/* The socket of now that was opened for that address and that set has not yet. */
static struct listen_socket *
take_over(const struct listeners *set, const struct addr *asked,
	const struct listeners *now)
{
	for (size_t i = 0; i < now->n; i++) {
		struct listen_socket *socket = now->list[i].socket;

		if (addr_equal(&socket->asked, asked) && !listeners_have(set, socket))
			return socket;
	}
	return NULL;
}

char *
listen_name(const struct addr *asked, char out[LISTEN_NAME])
{
	size_t size;
	const uint8_t *bytes = addr_bytes(asked, &size);
	char *end = out;

	*out = '\0';
	if (addr_port(asked) != 0)
		return out;
	end += sprintf(end, "any-port-");
	for (size_t i = 0; i < size; i++)
		end += sprintf(end, "%02x", bytes[i]);
	return out;
}

/* A socket that was handed to this process, or -1. */
static int
inherited_socket(const struct addr *asked)
{
	char name[LISTEN_NAME];

	if (listen_name(asked, name)[0] != '\0')
		return inherit_named(name);
	return inherit_socket(asked, SOCK_STREAM);
}

/* Returns NULL with errno. */
static struct listen_socket *
open_socket(const struct addr *asked)
{
	struct listen_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	socket->asked = *asked;
	socket->fd = inherited_socket(asked);
	socket->inherited = socket->fd != -1;
	if (!socket->inherited)
		socket->fd = net_listen(asked);
	if (socket->fd != -1 && net_local(socket->fd, &socket->addr) == 0) {
		socket->accepts = net_listens(socket->fd);
		return socket;
	}
	io_close(&socket->fd);
	free(socket);
	return NULL;
}

/* Returns 0, also when a family was left out, or -1 with errno. */
static int
add(struct listeners *set, const struct server_place *place, const struct listeners *now)
{
	struct listen_socket *socket = take_over(set, &place->at.addr, now);

	/* IPv4 comes by a socket for IPv6 that takes both, as systemd makes them. */
	if (!socket && inherit_covers(&place->at.addr, SOCK_STREAM))
		return 0;
	if (!socket)
		socket = open_socket(&place->at.addr);
	if (!socket)
		return place->at.may_lack && net_family_lacks(errno) ? 0 : -1;
	/* Whether it accepts is for the accepting thread to know: listeners_heed. */
	set->fds[set->n] = (struct pollfd){ -1, POLLIN, 0 };
	set->list[set->n++] = (struct listener){ socket, place->via };
	return 0;
}

static bool
has_via(const struct listeners *set, const void *via)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].via == via)
			return true;
	return false;
}

/* As listeners_open, but what was opened is left. */
static int
add_all(struct listeners *set, const struct server_place *places, size_t n,
	const struct listeners *now, const struct server_place **failed)
{
	size_t i;

	*failed = places;
	set->list = calloc(n, sizeof(*set->list));
	set->fds = calloc(n + 1, sizeof(*set->fds));
	if (!set->list || !set->fds)
		return -1;
	for (i = 0; i < n; i++) {
		*failed = &places[i];
		if (add(set, &places[i], now) == -1)
			return -1;
	}
	for (i = 0; i < n; i++) {
		*failed = &places[i];
		if (!has_via(set, places[i].via)) {
			errno = EADDRNOTAVAIL;
			return -1;
		}
	}
	return 0;
}

int
listeners_open(struct listeners *set, const struct server_place *places, size_t n,
	struct generation *generation, const struct listeners *now,
	const struct server_place **failed)
{
	int keep;

	*set = (struct listeners){ .generation = generation_hold(generation) };
	if (add_all(set, places, n, now, failed) == 0)
		return 0;
	keep = errno;
	listeners_close(set, now);
	errno = keep;
	return -1;
}

void
listeners_close(struct listeners *set, const struct listeners *other)
{
	for (size_t i = 0; i < set->n; i++) {
		struct listen_socket *socket = set->list[i].socket;

		if (other && listeners_have(other, socket))
			continue;
		io_close(&socket->fd);
		free(socket);
	}
	free(set->list);
	free(set->fds);
	generation_release(set->generation);
	*set = (struct listeners){ .list = NULL };
}

static void
shut(struct listen_socket *socket)
{
	socket->accepts = false;
	net_unlisten(&socket->fd);
}

/* If it is time for that; else, or when that fails, it is to be called again. */
static void
reopen(struct listen_socket *socket)
{
	char text[ADDR_TEXT];

	if (io_now_ms() < socket->reopen_ms)
		return;
	socket->accepts = net_relisten(&socket->fd, &socket->addr) == 0;
	if (socket->accepts)
		return;
	socket->reopen_ms = io_now_ms() + REOPEN_MS;
	log_rated(&socket->reopen_rate, "listening on %s again: %s",
		addr_text(&socket->addr, text), net_error_text(errno));
}

int64_t
listeners_heed(struct listeners *set)
{
	int64_t again_ms = IO_FOREVER;

	for (size_t i = 0; i < set->n; i++) {
		struct listen_socket *socket = set->list[i].socket;
		bool refuse = socket->refuse || socket->drained;

		if (refuse && socket->accepts)
			shut(socket);
		if (!refuse && !socket->accepts)
			reopen(socket);
		if (!refuse && !socket->accepts && socket->reopen_ms < again_ms)
			again_ms = socket->reopen_ms;
		set->fds[i].fd = socket->accepts ? socket->fd : -1;
	}
	return again_ms;
}
