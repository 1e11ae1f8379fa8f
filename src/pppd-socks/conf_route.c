/* SPDX-License-Identifier: ISC */
/*
 * The keys of `routes`. Most fill a struct route itself; listen, the targets and the
 * names of upstreams depend on each other, and are looked at when the group has been
 * read. The places where a route listens point at its ports, which are all made before
 * and do not move. Main thread, before there are others.
 */
#include "config.h"
#include "conf_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "settings.h"
#include "shared.h"

/* What a route of UDP has where the file says nothing. */
#define UDP_IDLE_MS (120 * 1000)
#define UDP_LIMIT   1024

/* ---- texts that end with a port, or with a range of ports ---- */

struct span {
	const char *text;
	int head; /* bytes of it before the ports */
	bool is_range;
	int first, n; /* the ports of a range; n is 1 where it is none */
};

/* "9000-9010", and what is meant so. */
static bool
is_range(const char *ports)
{
	return strchr(ports, '-') && strspn(ports, "0123456789-") == strlen(ports);
}

/* Returns 0, or -1 and a text in *why. Without a range nothing is judged. */
static int
span_parse(struct span *span, const char *text, const char **why)
{
	const char *colon = strrchr(text, ':'), *fault;
	const char *ports = colon ? colon + 1 : text;
	struct port_range range;

	*span = (struct span){ .text = text, .head = (int)(ports - text), .n = 1 };
	if (!is_range(ports))
		return 0;
	*why = "the host is too long";
	if (span->head > HOST_MAX + 3) /* with brackets and the colon */
		return -1;
	*why = "a range of ports is wanted from 1 to 65535, the lower port first, as "
	       "8000-8999";
	if (port_range_parse(&range, ports, &fault) == -1)
		return -1;
	span->is_range = true;
	span->first = range.first;
	span->n = range.last - range.first + 1;
	*why = "a range of more than 4096 ports";
	return span->n <= ROUTE_PORTS ? 0 : -1;
}

/* The text of the i-th port: out, or, where there is no range, the whole as it was. */
static const char *
span_text(const struct span *span, int i, char out[HOSTPORT_TEXT])
{
	if (!span->is_range)
		return span->text;
	snprintf(out, HOSTPORT_TEXT, "%.*s%d", span->head, span->text, span->first + i);
	return out;
}

/* ---- ports, and where they listen ---- */

/* Makes the ports of the route, as yet without targets. Returns 0, or -1. */
static int
make_ports(struct route *route, const struct span *listen)
{
	char buf[HOSTPORT_TEXT];

	route->ports = calloc((size_t)listen->n, sizeof(*route->ports));
	if (!route->ports)
		return -1;
	route->n_ports = listen->n;
	for (int i = 0; i < listen->n; i++) {
		const char *number = span_text(listen, i, buf) + listen->head;
		struct route_port *port = &route->ports[i];

		port->route = route;
		port->number = port_parse(number, 0);
		port->name = strdup(route->name ? route->name : number);
		if (!port->name)
			return -1;
	}
	return 0;
}

/*
 * Adds the places of all ports. Returns NULL; or what is wrong with one of them, whose
 * number is in *at.
 */
static const char *
add_places(struct places *places, struct route *route, const struct span *listen, int *at)
{
	char buf[HOSTPORT_TEXT];

	for (int i = 0; i < listen->n; i++) {
		const char *why =
			places_add(places, span_text(listen, i, buf), &route->ports[i]);

		*at = i;
		if (why)
			return why;
	}
	return NULL;
}

static void
read_listen(struct conf *conf, config_setting_t *setting, struct route *route,
	struct places *places)
{
	char number[8], buf[HOSTPORT_TEXT];
	const char *text = conf_port_text(conf, setting, number), *why;
	struct span listen;
	int at;

	if (!text)
		return;
	if (span_parse(&listen, text, &why) == -1) {
		conf_error(conf, setting, "'listen': %s: %s", text, why);
		return;
	}
	if (make_ports(route, &listen) == -1) {
		conf_error(conf, setting, "out of memory");
		return;
	}
	why = add_places(places, route, &listen, &at);
	if (why && listen.is_range)
		conf_error(conf, setting, "'listen': %s: %s of route %s: %s", text,
			span_text(&listen, at, buf), route->ports[at].name, why);
	else if (why)
		conf_error(conf, setting, "'listen': %s: %s", text, why);
}

/* ---- targets ---- */

/* A target as it is written. */
struct target_text {
	struct hostport address; /* the first one of a range */
	int n;			 /* ports of its range; 0: it is none */
	int weight;
};

static void
read_address(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *text = config_setting_get_string(setting), *why;
	struct target_text *target = into;
	char buf[HOSTPORT_TEXT];
	struct span span;

	(void)key;
	if (!text) {
		conf_error_type(conf, setting, "a string \"HOST:PORT\"");
		return;
	}
	if (span_parse(&span, text, &why) == -1 ||
		hostport_parse(&target->address, span_text(&span, 0, buf), &why) == -1)
		conf_error(conf, setting, "'%s': %s: %s", conf_name(setting), text, why);
	else if (span.is_range)
		target->n = span.n;
}

static const struct conf_key target_keys[] = {
	{ "address", read_address, 0, 0, 0, NULL },
	{ "weight", conf_read_int, offsetof(struct target_text, weight), 1,
		BALANCE_WEIGHT_MAX, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* n_ports: of the route; 0: not known. */
static void
read_target(
	struct conf *conf, config_setting_t *at, int n_ports, struct target_text *target)
{
	*target = (struct target_text){ .weight = 1 };
	if (!config_setting_is_group(at))
		read_address(conf, at, NULL, target);
	else
		conf_group(conf, at, target_keys, target);
	if (config_setting_is_group(at) && !config_setting_get_member(at, "address"))
		conf_error(conf, at, "a target needs 'address'");
	if (target->n > 0 && n_ports > 0 && target->n != n_ports)
		conf_error(conf, at, "'%s': a range of %d ports, and 'listen' has %d",
			conf_name(at), target->n, n_ports);
}

/* Gives the i-th port its targets. Returns 0, or -1. */
static int
set_targets(struct route_port *port, int i, const struct target_text *list, int n)
{
	char text[HOSTPORT_TEXT];

	port->targets = calloc((size_t)n, sizeof(*port->targets));
	port->target_members = calloc((size_t)n, sizeof(*port->target_members));
	if (!port->targets || !port->target_members)
		return -1;
	port->n_targets = n;
	for (int t = 0; t < n; t++) {
		struct hostport *address = &port->targets[t].address;

		port->targets[t].state = shared_new(sizeof(struct target_state));
		if (!port->targets[t].state)
			return -1;
		*address = list[t].address;
		if (list[t].n > 0)
			address->port = (uint16_t)(address->port + i);
		hostport_text(address, text);
		port->target_members[t] = (struct member){
			.weight = list[t].weight,
			.hash = balance_hash(text, strlen(text)),
		};
	}
	return 0;
}

static void
read_targets(struct conf *conf, config_setting_t *setting, struct route *route)
{
	struct target_text list[ROUTE_TARGETS];
	int n = conf_count(setting);

	if (n == 0)
		conf_error(conf, setting, "'%s': at least one value is wanted",
			conf_name(setting));
	if (n > ROUTE_TARGETS) {
		conf_error(conf, setting, "'%s': more than %d targets",
			conf_name(setting), ROUTE_TARGETS);
		n = 0;
	}
	for (int t = 0; t < n; t++)
		read_target(conf, conf_element(setting, t), route->n_ports, &list[t]);
	for (int i = 0; i < route->n_ports && n > 0; i++) {
		if (set_targets(&route->ports[i], i, list, n) == 0)
			continue;
		conf_error(conf, setting, "out of memory");
		return;
	}
}

/* ---- the other keys ---- */

/* Reader of a key that is looked at when the whole group has been read. */
static void
read_later(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)conf;
	(void)setting;
	(void)key;
	(void)into;
}

/* Reader of names that are looked up when all upstreams are known. */
static void
read_names(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct words words = { NULL, 0 };

	(void)into;
	conf_read_words(conf, setting, key, &words);
	words_free(&words);
}

static void
read_balance(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *const words[] = {
		balance_word(BALANCE_FIRST),
		balance_word(BALANCE_ROUND_ROBIN),
		balance_word(BALANCE_LEAST),
		balance_word(BALANCE_SOURCE),
		NULL,
	};
	int word = conf_word(conf, setting, words);

	(void)key;
	if (word != -1)
		*(enum balance *)into = (enum balance)word;
}

static void
read_on_failure(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	static const char *const words[] = {
		[ON_FAILURE_RESET] = "reset",
		[ON_FAILURE_CLOSE] = "close",
		[ON_FAILURE_REFUSE] = "refuse",
		NULL,
	};
	int word = conf_word(conf, setting, words);

	(void)key;
	if (word != -1)
		*(enum on_failure *)into = (enum on_failure)word;
}

static void
read_protocol(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	static const char *const words[] = { "tcp", "udp", NULL };
	int word = conf_word(conf, setting, words);

	(void)key;
	if (word != -1)
		*(bool *)into = word == 1;
}

/* Seconds, 0 or not less than a tenth. */
static void
read_interval(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	int64_t ms = 0;

	conf_read_seconds(conf, setting, key, &ms);
	if (ms > 0 && ms < 100)
		conf_error(
			conf, setting, "'interval': 0, or not less than 0.1 (seconds)");
	else
		*(int64_t *)into = ms;
}

#define AT(field) offsetof(struct route, field)
static const struct conf_key probe_keys[] = {
	{ "interval", read_interval, AT(probe_ms), 0, 86400, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

const struct conf_key route_keys[] = {
	{ "name", conf_read_string, AT(name), 0, 0, NULL },
	{ "listen", read_later, 0, 0, 0, NULL },
	{ "protocol", read_protocol, AT(udp), 0, 0, NULL },
	{ "target", read_later, 0, 0, 0, NULL },
	{ "targets", read_later, 0, 0, 0, target_keys },
	{ "balance", read_balance, AT(balance), 0, 0, NULL },
	{ "upstreams", read_names, 0, 0, 0, NULL },
	{ "upstream_balance", read_balance, AT(upstream_balance), 0, 0, NULL },
	{ "clients", conf_read_cidrs, AT(clients), 0, 0, NULL },
	{ "limit", conf_read_int, AT(limit), 0, 1000000, NULL },
	{ "idle", conf_read_seconds, AT(idle_ms), 0, SETTINGS_FOREVER_S, NULL },
	{ "on_failure", read_on_failure, AT(on_failure), 0, 0, NULL },
	{ "proxy_protocol", conf_read_int, AT(proxy_protocol), 0, 2, NULL },
	{ "probe", conf_read_group, 0, 0, 0, probe_keys },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* ---- a whole route ---- */

static void
complete_udp(struct conf *conf, config_setting_t *group, struct route *route)
{
	static const char *const tcp_only[] = { "on_failure", "proxy_protocol", "probe" };

	for (size_t i = 0; i < sizeof(tcp_only) / sizeof(tcp_only[0]); i++) {
		const config_setting_t *at =
			config_setting_get_member(group, tcp_only[i]);

		if (at)
			conf_error(conf, at,
				"'%s': not for a route of 'protocol' \"udp\"",
				tcp_only[i]);
	}
	if (route->idle_ms == -1)
		route->idle_ms = UDP_IDLE_MS;
	if (route->limit == 0)
		route->limit = UDP_LIMIT;
}

void
conf_route_read(struct conf *conf, config_setting_t *group, struct route *route,
	struct places *tcp, struct places *udp)
{
	config_setting_t *listen = config_setting_get_member(group, "listen");
	config_setting_t *target = config_setting_get_member(group, "target");
	config_setting_t *targets = config_setting_get_member(group, "targets");

	conf_group(conf, group, route_keys, route);
	if (!config_setting_is_group(group))
		return;
	if (!listen)
		conf_error(conf, group, "a route needs 'listen'");
	else
		read_listen(conf, listen, route, route->udp ? udp : tcp);
	if (!target && !targets)
		conf_error(conf, group, "a route needs 'target' or 'targets'");
	if (target && targets)
		conf_error(conf, targets, "'targets': either 'target' or this, not both");
	else if (target || targets)
		read_targets(conf, target ? target : targets, route);
	if (route->udp)
		complete_udp(conf, group, route);
}

/* ---- -L ---- */

/* The colon that ends the part at text, which may be an IPv6 address in brackets. */
static const char *
part_end(const char *text)
{
	if (*text == '[')
		text += strcspn(text, "]");
	return strchr(text, ':');
}

/*
 * Splits "[ADDR:]PORT:HOST:HOSTPORT" into where to listen and what is the target, which
 * has two parts. Returns the target's place in arg, or NULL; listen is filled.
 */
static const char *
split_option(const char *arg, char *listen, size_t size)
{
	const char *part[4], *target;
	int n = 0;

	for (const char *at = arg; at && n < 4; n++) {
		part[n] = at;
		at = part_end(at);
		at = at ? at + 1 : NULL;
	}
	if (n < 3)
		return NULL;
	target = part[n - 2];
	if ((size_t)(target - arg) > size)
		return NULL;
	memcpy(listen, arg, (size_t)(target - arg) - 1);
	listen[target - arg - 1] = '\0';
	return target;
}

const char *
conf_route_option(struct route *route, const char *arg, struct places *places)
{
	struct target_text target = { .weight = 1 };
	char text[HOSTPORT_TEXT];
	const char *rest = split_option(arg, text, sizeof(text)), *why;
	struct span listen;
	int at;

	if (!rest)
		return "[ADDR:]PORT:HOST:HOSTPORT is wanted";
	if (span_parse(&listen, text, &why) == -1 ||
		hostport_parse(&target.address, rest, &why) == -1)
		return why;
	if (listen.is_range)
		return "a range of ports is possible in the file only";
	if (make_ports(route, &listen) == -1 ||
		set_targets(&route->ports[0], 0, &target, 1) == -1)
		return "out of memory";
	return add_places(places, route, &listen, &at);
}

/* ---- upstreams ---- */

void
conf_route_choose(struct conf *conf, config_setting_t *group,
	const struct upstreams *known, struct upstreams *chosen)
{
	config_setting_t *names = config_setting_get_member(group, "upstreams");
	int n = names ? conf_count(names) : 0;

	*chosen = names ? (struct upstreams){ .n = 0 } : *known;
	for (int i = 0; i < n; i++) {
		const config_setting_t *at = conf_element(names, i);
		const char *name = config_setting_get_string(at);
		struct upstream *u = name ? upstreams_find(known, name) : NULL;

		if (!name || *name == '\0')
			continue; /* read_names has told it */
		if (!u)
			conf_error(
				conf, at, "'upstreams': there is no upstream '%s'", name);
		else if (upstreams_find(chosen, name))
			conf_error(
				conf, at, "'upstreams': '%s' stands there twice", name);
		else
			chosen->list[chosen->n++] = u;
	}
}

/* Returns 0, or -1. */
static int
complete_target(struct target *target, size_t n_upstreams)
{
	target->seen = calloc(n_upstreams, sizeof(*target->seen));
	for (size_t u = 0; target->seen && u < n_upstreams; u++) {
		target->seen[u] = shared_new(sizeof(*target->seen[u]));
		if (!target->seen[u])
			return -1;
	}
	return target->seen ? 0 : -1;
}

/* Returns 0, or -1. */
static int
complete_port(struct route_port *port, const struct upstreams *upstreams)
{
	size_t n = (size_t)upstreams->n;

	port->upstream_members = calloc(n, sizeof(*port->upstream_members));
	if (!port->upstream_members)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct upstream *u = upstreams->list[i];

		port->upstream_members[i] = (struct member){
			.weight = u->weight,
			.hash = balance_hash(u->name, strlen(u->name)),
		};
	}
	for (int t = 0; t < port->n_targets; t++)
		if (complete_target(&port->targets[t], n) == -1)
			return -1;
	return 0;
}

int
conf_route_complete(struct route *route, const struct upstreams *upstreams)
{
	size_t size = (size_t)upstreams->n * sizeof(*route->upstreams);

	route->upstreams = malloc(size);
	if (!route->upstreams)
		return -1;
	memcpy(route->upstreams, upstreams->list, size);
	route->n_upstreams = upstreams->n;
	for (int i = 0; i < route->n_ports; i++)
		if (complete_port(&route->ports[i], upstreams) == -1)
			return -1;
	return 0;
}
