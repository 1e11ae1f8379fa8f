/* SPDX-License-Identifier: ISC */
/*
 * takeover: what a configuration has from the one before it, when it is read anew: how
 * many tunnels there are, what is known of health, and what is disabled.
 */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <stdbool.h>
#include "ppp_conf.h"

/*
 * Lets conf, which nothing uses yet, share all that with old, which may be in use:
 * - a route, the count of its tunnels, with one of the same protocol and name; without
 *   a name, of the same (first) port;
 * - an upstream with one of the same name and address;
 * - a target of a listening port with one of the same address, of the port of that number
 *   in that route, or where both routes have but one; as it is seen through an upstream
 *   of the same name and address.
 * What is disabled is so in all places of its name.
 */
void takeover(struct ppp_conf *conf, const struct ppp_conf *old);

/* Whether conf has no port of the same protocol and name. */
bool takeover_lacks(const struct ppp_conf *conf, const struct route_port *port);

#endif
