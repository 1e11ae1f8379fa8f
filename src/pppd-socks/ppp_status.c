/* SPDX-License-Identifier: ISC */
/*
 * One line for each socket of UDP routes, for each upstream, and for each target of each
 * port through each upstream. Any thread; reads health and counts as search has them.
 */
#include "config.h"
#include "ppp_status.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "ppp.h"
#include "search.h"
#include "spares.h"
#include "udp_ports.h"

#define LINE 1600

static const char *
state_word(const struct search_state *state)
{
	if (state->disabled)
		return "disabled";
	return state->well ? "well" : "sick";
}

static void
tell_upstream(const struct upstream *u, service_line *line, void *to)
{
	struct search_state state = search_upstream_state(u);
	char text[LINE], name[256], address[HOSTPORT_TEXT];

	hostport_text(&u->address, address);
	snprintf(text, sizeof(text),
		"upstream %s address=%s state=%s tunnels=%zu spares=%zu",
		log_escape(name, sizeof(name), u->name, strlen(u->name)), address,
		state_word(&state), state.tunnels,
		u->spares ? spares_ready(u->spares) : 0);
	line(to, text);
}

static void
tell_target(const struct route_port *port, int t, int u, service_line *line, void *to)
{
	const struct upstream *upstream = port->route->upstreams[u];
	struct search_state state = search_target_state(port, t, u);
	char text[LINE], route[256], address[HOSTPORT_TEXT], target[512], name[256];

	hostport_text(&port->targets[t].address, address);
	snprintf(text, sizeof(text),
		"target %s route=%s upstream=%s state=%s tunnels=%zu",
		log_escape(target, sizeof(target), address, strlen(address)),
		log_escape(route, sizeof(route), port->name, strlen(port->name)),
		log_escape(name, sizeof(name), upstream->name, strlen(upstream->name)),
		state_word(&state), state.tunnels);
	line(to, text);
}

struct sink {
	service_line *line;
	void *to;
};

static void
tell_listener(void *arg, const struct udp_port *port)
{
	const struct sink *sink = arg;
	char text[LINE], address[ADDR_TEXT], name[256];

	snprintf(text, sizeof(text), "listener %s for datagrams of route %s%s",
		addr_text(&port->socket->addr, address),
		log_escape(name, sizeof(name), port->via->name, strlen(port->via->name)),
		atomic_load(&port->socket->drained) ? " state=drained" : "");
	sink->line(sink->to, text);
}

void
ppp_status(const void *config, service_line *line, void *to)
{
	const struct ppp *ppp = config;
	struct sink sink = { line, to };

	udp_ports_each(ppp->udp, tell_listener, &sink);
	for (size_t i = 0; i < ppp->conf.n_upstreams; i++)
		tell_upstream(ppp->conf.upstreams[i], line, to);
	for (const struct route *route = ppp->conf.routes; route; route = route->next)
		for (int i = 0; i < route->n_ports; i++)
			for (int t = 0; t < route->ports[i].n_targets; t++)
				for (int u = 0; u < route->n_upstreams; u++)
					tell_target(&route->ports[i], t, u, line, to);
}
