/* SPDX-License-Identifier: ISC */
/* udp_session: one client of a UDP route, from its first datagram to its log line. */
#ifndef UDP_SESSION_H
#define UDP_SESSION_H

#include "conns.h"
#include "settings.h"

/*
 * Serves a client that udp_ports has taken: conn->own is its struct udp_session, which
 * was counted by route_enter. Makes an association for it, and carries answers until
 * there is no datagram either way for the route's idle, the association ends, or all are
 * to end. Blocks the calling thread, the first one of a crew. Ends the conn.
 */
void udp_session_serve(struct conn *conn, const struct settings *common);

#endif
