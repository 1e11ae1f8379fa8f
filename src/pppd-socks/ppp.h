/* SPDX-License-Identifier: ISC */
/*
 * ppp: what one pppd-socks is made of: its configuration, and what it needs while it
 * serves.
 */
#ifndef PPP_H
#define PPP_H

#include "ppp_conf.h"
#include "service.h"
#include "watch.h"

struct udp_ports;
struct maker;

struct ppp {
	struct ppp_conf conf;
	struct watch *watch;
	struct udp_ports *udp; /* NULL: there is no UDP route */
	struct maker *makers;  /* of spares, one for each upstream */
	int stop[2];	       /* a pipe: its end wakes the makers */
};

void ppp_init(struct ppp *ppp);
void ppp_free(struct ppp *ppp);

/* What service_run needs to make a struct ppp serve. */
extern const struct service ppp_service;

#endif
