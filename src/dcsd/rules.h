/* SPDX-License-Identifier: ISC */
/*
 * rules: what is allowed. There are no configured rules yet: these are the built-in ones,
 * a client on loopback may do anything, all others nothing; some targets never.
 */
#ifndef RULES_H
#define RULES_H

#include "addr.h"
#include "server.h"

/* Return NULL when it is allowed, or a static text that says why not. */
const char *rules_client(const struct addr *client);
const char *rules_target(const struct server *server, const struct addr *target);

#endif
