/* SPDX-License-Identifier: ISC */
/*
 * udp_ports: the one thread that takes the datagrams of clients of UDP routes, for as
 * long as the process serves, whatever the configuration. A client becomes a session,
 * which is served as a conn (server_take, udp_session_serve) and gets all that comes from
 * there from then on.
 */
#ifndef UDP_PORTS_H
#define UDP_PORTS_H

#include <stddef.h>
#include "places.h"
#include "server.h"
#include "udp_sockets.h"

struct udp_ports;

/* With one user, the caller. Before a chroot. Returns NULL with errno. */
struct udp_ports *udp_ports_new(void);

/* One user more: another configuration. Returns ports. */
struct udp_ports *udp_ports_hold(struct udp_ports *ports);

/* One less: freed with the last one, after udp_ports_stop. NULL: nothing. */
void udp_ports_release(struct udp_ports *ports);

/*
 * Fills set, which has none, with a socket for every place; via: a struct route_port. As
 * udp_sockets_open, with those that are in use now. Returns 0, or -1, and what is wrong
 * in why. It is of one thread at a time, up to udp_ports_commit or udp_ports_discard.
 */
int udp_ports_open(struct udp_ports *ports, struct udp_sockets *set,
	const struct places *places, char *why, size_t size);

/* Undoes that, where set was not committed. ports NULL: nothing. */
void udp_ports_discard(struct udp_ports *ports, struct udp_sockets *set);

/*
 * Starts the thread, unless it runs; it does no harm without a set. Returns 0, or -1 with
 * errno.
 */
int udp_ports_start(struct udp_ports *ports, struct server *server);

/*
 * Tells in the log where it listens anew, and where no more, and takes set, which has
 * none after it: new sessions are begun there, with that generation, and nowhere else;
 * those that there are go on, at sockets that are left out as well, which are closed with
 * the last one. The generation must be in use until another one is committed, or all is
 * stopped.
 */
void udp_ports_commit(
	struct udp_ports *ports, struct udp_sockets *set, struct generation *generation);

/*
 * No new sessions, or new ones again, at the sockets of routes of that name, and at those
 * of that address. It outlasts a reload. Returns how many these are.
 */
size_t udp_ports_drain(struct udp_ports *ports, const char *name, bool drain);

/* Calls visit for each socket that is a route's, under the lock: it must not block. */
typedef void udp_ports_visit(void *arg, const struct udp_port *port);
void udp_ports_each(struct udp_ports *ports, udp_ports_visit *visit, void *arg);

/*
 * Ends the thread and all sessions, and closes the sockets when no session uses them any
 * more. Returns 0; or -1: a session is busy (in the resolver, say), and they stay open.
 * Once more is no harm.
 */
int udp_ports_stop(struct udp_ports *ports);

#endif
