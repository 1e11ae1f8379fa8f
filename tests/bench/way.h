/* SPDX-License-Identifier: ISC */
/* way: sockets of 127.0.0.1, and how a client gets through to the target. */
#ifndef WAY_H
#define WAY_H

#include <netinet/in.h>
#include "gauge.h"

struct sockaddr_in way_loopback(uint16_t port);

/* A socket that listens (or, SOCK_DGRAM, is bound) at the port, 0 for any: *port. */
int way_listen(int type, uint16_t *port);

/*
 * A tunnel to the target, which has been told what to do. Blocks. Returns the socket, or
 * -1 with errno; EPROTO: the SOCKS5 server says no.
 */
int way_open(const struct plan *plan, enum wish wish);

/*
 * A UDP socket that is connected to where datagrams for the target go, and in *control
 * the connection of the association, or -1. *head is the size of the header, which
 * each datagram has in front, and header holds it. Blocks. Returns as way_open.
 */
#define WAY_UDP_HEADER 10
int way_open_udp(const struct plan *plan, int *control, uint8_t header[WAY_UDP_HEADER],
	size_t *head);

/* All of it, or false. */
bool way_give(int fd, const void *data, size_t size);
bool way_take(int fd, void *data, size_t size);

#endif
