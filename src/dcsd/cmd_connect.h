/* SPDX-License-Identifier: ISC */
/* cmd_connect: the CONNECT command (RFC 1928 sections 4 and 6). */
#ifndef CMD_CONNECT_H
#define CMD_CONNECT_H

#include "session.h"

/*
 * Finds an allowed address of the request's target that answers, replies, and carries
 * the tunnel. Runs on the
 * crew's first thread. Returns as session_tunnel: false, the session is over.
 */
bool cmd_connect(struct session *s, struct crew *crew);

#endif
