/* SPDX-License-Identifier: ISC */
/*
 * endpoint: a socket of dcsd that others are told to send to: the listening one of BIND,
 * the relay socket of UDP ASSOCIATE. On which port it may be, and under which address it
 * is reached from outside (behind NAT).
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "addr.h"
#include "conf.h"
#include "lists.h"

/* Keys `ports` and `advertise` of the groups `bind` and `udp`. */
struct endpoint_conf {
	struct ports ports;		  /* empty: any free port */
	struct addr told_ipv4, told_ipv6; /* advertised, by family; len 0: the real one */
};

void endpoint_conf_free(struct endpoint_conf *conf);
conf_reader endpoint_read_advertise; /* into the struct endpoint_conf itself */

/*
 * A socket of that type (SOCK_STREAM: listening, SOCK_DGRAM) bound to the address local,
 * whose port is not looked at, on a free port of the range: tried from a random place on,
 * each once. *told is what to tell in BND.ADDR and BND.PORT. Returns the fd, or -1 with
 * errno: EADDRINUSE, all ports of the range are taken.
 */
int endpoint_open(const struct endpoint_conf *conf, const struct addr *local, int type,
	struct addr *told);

#endif
