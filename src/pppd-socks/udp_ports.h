/* SPDX-License-Identifier: ISC */
/*
 * udp_ports: the sockets that UDP routes listen at, and the one thread that takes their
 * clients' datagrams. A client becomes a session, which is served as a conn (server_take,
 * udp_session_serve) and gets all that comes from there from then on.
 */
#ifndef UDP_PORTS_H
#define UDP_PORTS_H

#include <stddef.h>
#include "places.h"
#include "server.h"

struct udp_ports;

/*
 * Binds every place; via: a struct route_port. As server_bind: a family that may lack is
 * left out, but there is at least one socket for each via. Before privileges are dropped,
 * and before a chroot. Returns NULL, and what is wrong in why.
 */
struct udp_ports *udp_ports_open(const struct places *places, char *why, size_t size);

/* Tells where it listens in the log, and starts the thread. Returns 0, or -1 with errno.
 */
int udp_ports_start(struct udp_ports *ports, struct server *server);

/*
 * Ends the thread and all sessions, and closes the sockets when no session uses them any
 * more. Returns 0; or -1: a session is busy (in the resolver, say), and they stay open.
 * Once more is no harm.
 */
int udp_ports_stop(struct udp_ports *ports);

void udp_ports_free(struct udp_ports *ports); /* stopped, with 0; NULL: nothing */

#endif
