/* SPDX-License-Identifier: ISC */
/*
 * conf_route: one group of `routes`, or one -L, made into a struct route: first its ports
 * and targets, and where it listens; then, when all upstreams are known, the rest.
 */
#ifndef CONF_ROUTE_H
#define CONF_ROUTE_H

#include "conf.h"
#include "conf_upstream.h"
#include "places.h"
#include "route.h"

extern const struct conf_key route_keys[];

/*
 * Reads a group of `routes` into a route that is new, and adds its places to those of TCP
 * or of UDP; their via are its ports. Errors are told. The route must live as long as the
 * places, whatever is wrong with it.
 */
void conf_route_read(struct conf *conf, config_setting_t *group, struct route *route,
	struct places *tcp, struct places *udp);

/* The same from the argument of -L. Returns NULL, or what is wrong with it. */
const char *conf_route_option(
	struct route *route, const char *arg, struct places *places);

/* Which of the upstreams a group wants: those that it names, or all. Errors are told. */
void conf_route_choose(struct conf *conf, config_setting_t *group,
	const struct upstreams *known, struct upstreams *chosen);

/* Gives the route its upstreams: then it is complete. Returns 0, or -1: out of memory. */
int conf_route_complete(struct route *route, const struct upstreams *upstreams);

#endif
