/* SPDX-License-Identifier: ISC */
/* cmd_bind: the BIND command (RFC 1928 sections 4 and 6). */
#ifndef CMD_BIND_H
#define CMD_BIND_H

#include "session.h"

/*
 * Listens, replies with where, waits for the peer, replies again, and carries the tunnel
 *. Runs on the
 * crew's first thread. Returns as session_tunnel: false, the session is over.
 */
bool cmd_bind(struct session *s, struct crew *crew);

#endif
