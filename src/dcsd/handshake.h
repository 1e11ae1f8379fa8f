/* SPDX-License-Identifier: ISC */
/* handshake: RFC 1928 sections 3 and 4 and RFC 1929, the server's half. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "session.h"

/*
 * Negotiates, authenticates and reads the request into s->request. Returns 0, or -1: the
 * client was refused or has left, and the session is over.
 */
int handshake(struct session *s);

#endif
