/* SPDX-License-Identifier: ISC */
/*
 * Routes as such. The configuration makes them, on the main thread; from then on only the
 * count of tunnels and what belongs to search.c change.
 */
#include "config.h"
#include "route.h"

#include <stdlib.h>

#include "shared.h"

struct route *
route_new(void)
{
	struct route *route = calloc(1, sizeof(*route));

	if (!route)
		return NULL;
	route->tunnels = shared_new(sizeof(*route->tunnels));
	if (!route->tunnels) {
		free(route);
		return NULL;
	}
	route->balance = route->upstream_balance = BALANCE_ROUND_ROBIN;
	route->idle_ms = -1;
	return route;
}

static void
target_free(struct target *target, int n_upstreams)
{
	for (int u = 0; target->seen && u < n_upstreams; u++)
		shared_release(target->seen[u]);
	free(target->seen);
	shared_release(target->state);
}

static void
port_free(struct route_port *port)
{
	for (int i = 0; i < port->n_targets; i++)
		target_free(&port->targets[i], port->route->n_upstreams);
	free(port->targets);
	free(port->target_members);
	free(port->upstream_members);
	free(port->name);
}

void
route_free(struct route *route)
{
	if (!route)
		return;
	for (int i = 0; i < route->n_ports; i++)
		port_free(&route->ports[i]);
	free(route->ports);
	free(route->upstreams);
	cidrs_free(&route->clients);
	shared_release(route->tunnels);
	free(route->name);
	free(route);
}

bool
route_admits(const struct route *route, const struct addr *client)
{
	return route->clients.n == 0 || cidrs_hold(&route->clients, client);
}

bool
route_enter(struct route *route)
{
	int n = atomic_load(route->tunnels);

	/* One that may not is never counted, or it would keep out others meanwhile. */
	do {
		if (route->limit != 0 && n >= route->limit)
			return false;
	} while (!atomic_compare_exchange_weak(route->tunnels, &n, n + 1));
	return true;
}

void
route_leave(struct route *route)
{
	atomic_fetch_sub(route->tunnels, 1);
}
