/* SPDX-License-Identifier: ISC */
/*
 * Each thing of the new configuration looks for itself in the old one, and takes what is
 * shared there in the place of its own. Whoever serves by the old one goes on to use the
 * same, so nothing is lost meanwhile. On the thread of the reload.
 */
#include "config.h"
#include "takeover.h"

#include <string.h>

#include "enable.h"
#include "shared.h"

/* What *slot was goes, and it is p, held, from now on. */
#define SHARE(slot, p)                                                                   \
	do {                                                                             \
		shared_release(slot);                                                    \
		(slot) = shared_hold(p);                                                 \
	} while (0)

static bool
same_upstream(const struct upstream *a, const struct upstream *b)
{
	return strcmp(a->name, b->name) == 0 && hostport_equal(&a->address, &b->address);
}

/* The first port has the name of the route, or its number where that has none. */
static bool
same_route(const struct route *a, const struct route *b)
{
	return a->udp == b->udp && strcmp(a->ports[0].name, b->ports[0].name) == 0;
}

/* ---- upstreams ---- */

static void
share_upstream(struct upstream *u, const struct ppp_conf *old)
{
	for (size_t i = 0; i < old->n_upstreams; i++)
		if (same_upstream(u, old->upstreams[i])) {
			SHARE(u->state, old->upstreams[i]->state);
			return;
		}
}

/* ---- targets ---- */

/* As it is seen through those upstreams that both routes have. */
static void
share_views(struct target *target, const struct route *route, const struct target *old,
	const struct route *old_route)
{
	for (int u = 0; u < route->n_upstreams; u++)
		for (int v = 0; v < old_route->n_upstreams; v++)
			if (same_upstream(route->upstreams[u], old_route->upstreams[v]))
				SHARE(target->seen[u], old->seen[v]);
}

static void
share_target(
	struct target *target, const struct route *route, const struct route_port *old)
{
	for (int t = 0; t < old->n_targets; t++)
		if (hostport_equal(&target->address, &old->targets[t].address)) {
			SHARE(target->state, old->targets[t].state);
			share_views(target, route, &old->targets[t], old->route);
			return;
		}
}

/* The ports of a range are numbered one after another. NULL: there is none. */
static const struct route_port *
find_port(const struct route *old, const struct route_port *port)
{
	int i = port->number - old->ports[0].number;

	if (old->n_ports == 1 && port->route->n_ports == 1)
		i = 0;
	return i >= 0 && i < old->n_ports ? &old->ports[i] : NULL;
}

/* ---- routes ---- */

/* Of several with one name, each has its own: the first that of the first, and so on. */
static const struct route *
find_route(const struct ppp_conf *old, const struct ppp_conf *conf,
	const struct route *route)
{
	int before = 0;

	for (const struct route *r = conf->routes; r != route; r = r->next)
		before += same_route(r, route);
	for (const struct route *r = old->routes; r; r = r->next)
		if (same_route(r, route) && before-- == 0)
			return r;
	return NULL;
}

static void
share_route(struct route *route, const struct route *old)
{
	SHARE(route->tunnels, old->tunnels);
	for (int i = 0; i < route->n_ports; i++) {
		struct route_port *port = &route->ports[i];
		const struct route_port *before = find_port(old, port);

		for (int t = 0; before && t < port->n_targets; t++)
			share_target(&port->targets[t], route, before);
	}
}

void
takeover(struct ppp_conf *conf, const struct ppp_conf *old)
{
	for (size_t i = 0; i < conf->n_upstreams; i++)
		share_upstream(conf->upstreams[i], old);
	for (struct route *route = conf->routes; route; route = route->next) {
		const struct route *before = find_route(old, conf, route);

		if (before)
			share_route(route, before);
	}
	enable_as_before(conf, old);
}

static bool
has_port(const struct route *route, const struct route_port *port)
{
	for (int i = 0; i < route->n_ports; i++)
		if (strcmp(route->ports[i].name, port->name) == 0)
			return true;
	return false;
}

bool
takeover_lacks(const struct ppp_conf *conf, const struct route_port *port)
{
	for (const struct route *route = conf->routes; route; route = route->next)
		if (route->udp == port->route->udp && has_port(route, port))
			return false;
	return true;
}
