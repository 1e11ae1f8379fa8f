/* SPDX-License-Identifier: ISC */
/* forward: one plain client of pppd-socks, carried to a target of its route. */
#ifndef FORWARD_H
#define FORWARD_H

#include "conns.h"
#include "crew.h"
#include "reach.h"

/* Is the room of its conn. */
struct forward {
	struct ppp *ppp;
	struct route_port *port;
	struct conn *conn;
	bool entered; /* counted under the route's limit */
	struct reach reach;
};

/*
 * As struct service wants it; the configuration that conn began with is a struct ppp, its
 * via a struct route_port.
 */
void forward_serve(struct conn *conn, struct crew *crew);

#endif
