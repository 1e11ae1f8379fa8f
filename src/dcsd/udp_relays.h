/* SPDX-License-Identifier: ISC */
/*
 * udp_relays: the relay sockets that there are, of all associations: no client may send
 * to one through another, as it would come from an address of dcsd. Any thread.
 */
#ifndef UDP_RELAYS_H
#define UDP_RELAYS_H

#include <stdbool.h>
#include "addr.h"

/* One of them, where its association keeps it; at is set by the caller. */
struct udp_relay {
	struct addr at;
	struct udp_relay *prev, *next;
};

void udp_relays_add(struct udp_relay *relay);
void udp_relays_remove(struct udp_relay *relay);
bool udp_relays_hold(const struct addr *at);

#endif
