/* SPDX-License-Identifier: ISC */
/*
 * ppp: what pppd-socks is made of by one configuration: that, and what it needs while it
 * serves.
 */
#ifndef PPP_H
#define PPP_H

#include "ppp_conf.h"
#include "service.h"
#include "udp_sockets.h"
#include "watch.h"

struct maker;
struct udp_ports;

struct ppp {
	struct ppp_conf conf;
	struct server *server;	       /* NULL: it was not started */
	struct generation *generation; /* of this configuration */
	struct watch *watch;
	struct udp_ports *udp;		/* shared by all configurations */
	struct udp_sockets udp_sockets; /* opened, until clients come by this one */
	struct maker *makers;		/* of spares, one for each upstream */
	int stop[2];			/* a pipe: its end wakes the makers */
};

/* What service_run needs to make a struct ppp serve. */
extern const struct service ppp_service;

#endif
