/* SPDX-License-Identifier: ISC */
/*
 * udp_sockets: the set of sockets that UDP routes take datagrams at. A reload makes
 * another set, which takes over the sockets that both have, untouched. Whose threads may
 * use what is said in udp_ports.c.
 */
#ifndef UDP_SOCKETS_H
#define UDP_SOCKETS_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "places.h"
#include "route.h"

/* A socket, for as long as any set has it. */
struct udp_socket {
	int fd;
	struct addr asked;   /* as the place has it: port 0 stays 0 */
	struct addr addr;    /* with the port the system chose, if it did */
	atomic_bool drained; /* takes no new sessions: an administrator wishes it */
	unsigned sets;	     /* that have it */
};

struct udp_port {
	struct udp_socket *socket;
	const struct route_port *via; /* NULL: of no route any more, but of sessions */
};

/* Starts zero initialised: none. */
struct udp_sockets {
	struct udp_port *list;
	struct pollfd *fds; /* one for each, and one to spare */
	size_t n;
};

/*
 * Fills set, which has none: a socket for every place, one of now (may be set to none),
 * one that was inherited, or a new one. A family that may lack is left out, but there is
 * a socket for each via. There is room for all of now beside them. Returns 0; or -1 with
 * errno and the place that failed, and nothing is left.
 */
int udp_sockets_open(struct udp_sockets *set, const struct places *places,
	const struct udp_sockets *now, const struct server_place **failed);

/* Adds a socket, of another set, for which there is room. */
void udp_sockets_add(
	struct udp_sockets *set, struct udp_socket *socket, const struct route_port *via);

/* Takes out the i-th, and closes what no other set has; the last one takes its place. */
void udp_sockets_remove(struct udp_sockets *set, size_t i);

bool udp_sockets_have(const struct udp_sockets *set, const struct udp_socket *socket);

/* Closes what no other set has, and frees the set. */
void udp_sockets_close(struct udp_sockets *set);

#endif
