/* SPDX-License-Identifier: ISC */
/* forward: one plain client of pppd-socks, carried to a target of its route. */
#ifndef FORWARD_H
#define FORWARD_H

#include "conns.h"
#include "crew.h"

/* As struct service wants it; arg is the struct ppp, conn->via the struct route_port. */
void forward_serve(struct conn *conn, struct crew *crew, void *arg);

#endif
