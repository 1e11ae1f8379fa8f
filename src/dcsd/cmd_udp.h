/* SPDX-License-Identifier: ISC */
/* cmd_udp: the UDP ASSOCIATE command (RFC 1928 sections 4, 6 and 7). */
#ifndef CMD_UDP_H
#define CMD_UDP_H

#include "session.h"

/*
 * Opens the relay socket, replies with where, and relays datagrams until the control
 * connection ends, or none came for udp.idle. Runs on the
 * crew's first thread. Returns as session_tunnel: false, the session is over.
 */
bool cmd_udp(struct session *s, struct crew *crew);

#endif
