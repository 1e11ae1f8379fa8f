/* SPDX-License-Identifier: ISC */
/* The marks are atomic, and looked at by those who give the next client something. */
#include "config.h"
#include "enable.h"

#include <string.h>

#include "log.h"
#include "spares.h"

static void
set_upstream(struct upstream *u, bool enable)
{
	atomic_store(&u->state->disabled, !enable);
	if (u->spares)
		spares_pause(u->spares, !enable);
}

/* As it is shown. */
static bool
is_called(const struct upstream *u, const char *name)
{
	char text[256];

	return strcmp(log_escape(text, sizeof(text), u->name, strlen(u->name)), name) ==
		0;
}

static size_t
enable_upstreams(const struct ppp_conf *conf, const char *name, bool enable)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (is_called(conf->upstreams[i], name)) {
			set_upstream(conf->upstreams[i], enable);
			n++;
		}
	return n;
}

static size_t
enable_targets_of(
	const struct route_port *port, const struct hostport *address, bool enable)
{
	size_t n = 0;

	for (int t = 0; t < port->n_targets; t++)
		if (hostport_equal(&port->targets[t].address, address)) {
			atomic_store(&port->targets[t].state->disabled, !enable);
			n++;
		}
	return n;
}

static size_t
enable_targets(const struct ppp_conf *conf, const struct hostport *address, bool enable)
{
	size_t n = 0;

	for (const struct route *route = conf->routes; route; route = route->next)
		for (int i = 0; i < route->n_ports; i++)
			n += enable_targets_of(&route->ports[i], address, enable);
	return n;
}

size_t
enable_named(const struct ppp_conf *conf, const char *name, bool enable)
{
	struct hostport address;
	const char *why;
	size_t n = enable_upstreams(conf, name, enable);

	if (hostport_parse(&address, name, &why) == 0)
		n += enable_targets(conf, &address, enable);
	return n;
}

static void
disable_as(const struct ppp_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (strcmp(conf->upstreams[i]->name, name) == 0)
			set_upstream(conf->upstreams[i], false);
}

void
enable_as_before(const struct ppp_conf *conf, const struct ppp_conf *old)
{
	for (size_t i = 0; i < old->n_upstreams; i++)
		if (atomic_load(&old->upstreams[i]->state->disabled))
			disable_as(conf, old->upstreams[i]->name);
	for (const struct route *route = old->routes; route; route = route->next)
		for (int i = 0; i < route->n_ports; i++)
			for (int t = 0; t < route->ports[i].n_targets; t++) {
				const struct target *target = &route->ports[i].targets[t];

				if (atomic_load(&target->state->disabled))
					(void)enable_targets(
						conf, &target->address, false);
			}
}
