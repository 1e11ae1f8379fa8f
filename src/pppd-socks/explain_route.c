/* SPDX-License-Identifier: ISC */
/*
 * pppd-socks --explain: the configuration of one port as it was understood, and the order
 * of the tries, by the code that clients are served with. As nothing is told of what came
 * of a pair, the search gives all of them. Main thread; makes no connection.
 */
#include "config.h"
#include "explain_route.h"

#include <stdlib.h>
#include <string.h>

#include "listening.h"
#include "log.h"
#include "options.h"
#include "search.h"

#define NAME_TEXT 256
#define TIME_TEXT 32

/* The question, taken apart. */
struct asked {
	struct listening at;
	struct addr client;
	bool has_at, has_client;
};

/* ---- the question ---- */

static const char *
take_client(struct asked *q, const char *value)
{
	struct hostport hp;
	const char *why;

	if (q->has_client)
		return "one client is wanted";
	q->has_client = addr_from_text(&q->client, value, 0) ||
		(hostport_parse(&hp, value, &why) == 0 &&
			addr_from_text(&q->client, hp.host, hp.port));
	return q->has_client ? NULL : "client: an IP address is wanted";
}

static const char *
take_word(struct asked *q, const char *word)
{
	static const char client[] = "client=";
	const char *why;

	if (strncmp(word, client, strlen(client)) == 0)
		return take_client(q, word + strlen(client));
	if (q->has_at || strchr(word, '='))
		return "PORT or ADDRESS:PORT is wanted, and perhaps client=ADDRESS";
	q->has_at = true;
	return listening_parse(&q->at, word, &why) == 0 ? NULL : why;
}

/* Takes the question apart. Returns NULL, or what is wrong. */
static const char *
parse(struct asked *q, const char *question)
{
	char *copy = strdup(question), *rest = NULL;
	const char *why = copy ? NULL : "out of memory";

	for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word && !why;
		word = strtok_r(NULL, " ", &rest))
		why = take_word(q, word);
	free(copy);
	return why || q->has_at ? why : "a port is wanted";
}

/* ---- words ---- */

/* As in the log. */
static const char *
name_text(const char *name, char buf[NAME_TEXT])
{
	return log_escape(buf, NAME_TEXT, name, strlen(name));
}

/* "0.5 s"; or, for 0, the word that it means. */
static const char *
time_text(int64_t ms, const char *zero, char buf[TIME_TEXT])
{
	if (ms == 0)
		return zero;
	snprintf(buf, TIME_TEXT, "%.10g s", (double)ms / 1000);
	return buf;
}

static const char *
yes_or_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void
print_number(FILE *out, const char *key, int n)
{
	if (n == 0)
		fprintf(out, "%s: none\n", key);
	else
		fprintf(out, "%s: %d\n", key, n);
}

/* ---- the route ---- */

static void
print_listen(FILE *out, const struct ppp_conf *conf, const struct route_port *port)
{
	const struct server_place *place = NULL;
	char text[ADDR_TEXT];

	fprintf(out, "listen:");
	while ((place = listening_next(conf, port, place)))
		fprintf(out, " %s", addr_text(&place->at.addr, text));
	fprintf(out, "\nprotocol: %s\n", port->route->udp ? "udp" : "tcp");
}

static void
print_clients(FILE *out, const struct route *route, const struct asked *q)
{
	const struct cidrs *clients = &route->clients;
	char text[CIDR_TEXT];

	fprintf(out, "clients:%s", clients->n == 0 ? " everybody" : "");
	for (size_t i = 0; i < clients->n; i++)
		fprintf(out, " %s", cidr_text(&clients->list[i], text));
	fprintf(out, "\n");
	if (q->has_client)
		fprintf(out, "admitted: %s\n",
			yes_or_no(route_admits(route, &q->client)));
}

/* What only a route of TCP has. */
static void
print_tcp(FILE *out, const struct ppp_conf *conf, const struct route *route)
{
	static const char *const on_failure[] = {
		[ON_FAILURE_RESET] = "reset",
		[ON_FAILURE_CLOSE] = "close",
		[ON_FAILURE_REFUSE] = "refuse",
	};
	char text[TIME_TEXT];

	fprintf(out, "on_failure: %s\n", on_failure[route->on_failure]);
	print_number(out, "proxy_protocol", route->proxy_protocol);
	fprintf(out, "probe.interval: %s\n", time_text(route->probe_ms, "none", text));
	fprintf(out, "timeouts.half_closed: %s\n",
		time_text(conf->common.half_closed_ms, "none", text));
}

static void
print_limits(FILE *out, const struct ppp_conf *conf, const struct route *route)
{
	const struct settings *common = &conf->common;
	int64_t idle_ms = route->idle_ms == -1 ? common->idle_ms : route->idle_ms;
	char text[TIME_TEXT], most[TIME_TEXT];

	print_number(out, "limit", route->limit);
	print_number(out, "limits.tunnels", common->max_tunnels);
	fprintf(out, "idle: %s\n", time_text(idle_ms, "never", text));
	fprintf(out, "timeouts.connect: %s for all tries together\n",
		time_text(common->connect_ms, "none", text));
	fprintf(out, "timeouts.handshake: %s for each upstream to let us in\n",
		time_text(common->handshake_ms, "none", text));
	fprintf(out, "hold_off: %s to %s\n",
		time_text(route->hold_off.first_ms, "none", text),
		time_text(route->hold_off.most_ms, "none", most));
	if (!route->udp)
		print_tcp(out, conf, route);
}

static void
print_targets(FILE *out, const struct route_port *port)
{
	char text[HOSTPORT_TEXT];

	fprintf(out, "balance: %s\n", balance_word(port->route->balance));
	for (int i = 0; i < port->n_targets; i++)
		fprintf(out, "target: %s weight=%d\n",
			hostport_text(&port->targets[i].address, text),
			port->target_members[i].weight);
}

static void
print_upstream(FILE *out, const struct upstream *u)
{
	char name[NAME_TEXT], address[HOSTPORT_TEXT], as[NAME_TEXT];

	fprintf(out,
		"upstream: %s address=%s weight=%d password=%s handshake=%s spare=%d "
		"proxy_protocol=%s connect_as=%s\n",
		name_text(u->name, name), hostport_text(&u->address, address), u->weight,
		yes_or_no(u->credentials.name_len > 0),
		u->pipelined ? "pipelined" : "standard", u->spare,
		yes_or_no(u->proxy_protocol),
		u->connect_as ? name_text(u->connect_as, as) : "-");
}

static void
print_upstreams(FILE *out, const struct route *route)
{
	fprintf(out, "upstream_balance: %s\n", balance_word(route->upstream_balance));
	for (int i = 0; i < route->n_upstreams; i++)
		print_upstream(out, route->upstreams[i]);
}

/* ---- the tries ---- */

/* Whether the order hangs on that balance: there is more than one to choose from. */
static bool
balances(const struct route_port *port, enum balance how)
{
	const struct route *route = port->route;

	return (port->n_targets > 1 && route->balance == how) ||
		(route->n_upstreams > 1 && route->upstream_balance == how);
}

static const char *
order_text(const struct route_port *port)
{
	if (balances(port, BALANCE_LEAST))
		return "as long as there are no tunnels";
	if (balances(port, BALANCE_ROUND_ROBIN))
		return "of the first client, those after it begin elsewhere";
	return "always in this order";
}

static void
print_pairs(FILE *out, struct route_port *port, const struct addr *client)
{
	char target[HOSTPORT_TEXT], name[NAME_TEXT];
	struct search s;
	int n = 0;

	search_begin(&s, port, client);
	while (search_next(&s))
		fprintf(out, "%d. %s through %s\n", ++n,
			hostport_text(&search_target(&s)->address, target),
			name_text(search_upstream(&s)->name, name));
	search_end(&s);
}

static void
print_tries(FILE *out, struct route_port *port, const struct asked *q)
{
	const char *why = NULL;
	struct addr anybody;

	addr_from_text(&anybody, "127.0.0.1", 0);
	if (q->has_client && !route_admits(port->route, &q->client))
		why = "none, the client may not use the route";
	else if (!q->has_client && balances(port, BALANCE_SOURCE))
		why = "by the client's address, ask with client=ADDRESS";
	fprintf(out, "tries: %s\n", why ? why : order_text(port));
	if (!why)
		print_pairs(out, port, q->has_client ? &q->client : &anybody);
}

static void
print_port(FILE *out, const struct ppp_conf *conf, struct route_port *port,
	const struct asked *q)
{
	char name[NAME_TEXT];

	fprintf(out, "route: %s\n", name_text(port->name, name));
	print_listen(out, conf, port);
	print_clients(out, port->route, q);
	print_limits(out, conf, port->route);
	print_targets(out, port);
	print_upstreams(out, port->route);
	print_tries(out, port, q);
}

int
explain_route(struct ppp_conf *conf, const char *question, FILE *out)
{
	struct asked q = { .has_at = false };
	const char *why = parse(&q, question);
	int found = 0;

	if (why) {
		fprintf(stderr, "pppd-socks: --explain: %s: %s\n", question, why);
		return EXIT_USAGE;
	}
	for (struct route *route = conf->routes; route; route = route->next)
		for (int i = 0; i < route->n_ports; i++) {
			if (!listening_holds(&q.at, conf, &route->ports[i]))
				continue;
			if (found++ > 0)
				fprintf(out, "\n");
			print_port(out, conf, &route->ports[i], &q);
		}
	if (found == 0)
		fprintf(out, "no route listens there\n");
	return found > 0 ? EXIT_OK : 1;
}
