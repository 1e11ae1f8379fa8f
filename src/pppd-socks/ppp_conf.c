/* SPDX-License-Identifier: ISC */
/* The keys of pppd-socks.conf, its own options, and what must hold over several of them.
 */
#include "config.h"
#include "ppp_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_UPSTREAM "127.0.0.1:1081"

const struct option_row ppp_options[] = {
	{ 'L', NULL, "[ADDR:]PORT:HOST:HOSTPORT",
		"a route, as for ssh -L; repeatable, adds to `routes'" },
	{ 's', "server", "HOST:PORT", "the upstream; replaces `upstreams'" },
	{ 0, NULL, NULL, NULL },
};

void
ppp_conf_init(struct ppp_conf *conf)
{
	*conf = (struct ppp_conf){ .routes = NULL };
	settings_init(&conf->common);
}

static void
route_free(struct route *route)
{
	free(route->name);
	free(route);
}

void
ppp_conf_free(struct ppp_conf *conf)
{
	while (conf->routes) {
		struct route *route = conf->routes;

		conf->routes = route->next;
		route_free(route);
	}
	settings_free(&conf->common);
	places_free(&conf->places);
	free(conf->upstream.name);
}

/* A route's name where none is given: the port it listens at. */
static char *
default_name(const char *listen)
{
	const char *colon = strrchr(listen, ':');

	return strdup(colon ? colon + 1 : listen);
}

/*
 * Adds a route to the configuration, which then owns it. Returns NULL, or a text that
 * says what is wrong with listen, and the route is still the caller's.
 */
static const char *
add_route(struct ppp_conf *conf, struct route *route, const char *listen)
{
	const char *why;

	if (!route->name)
		route->name = default_name(listen);
	if (!route->name)
		return "out of memory";
	why = places_add(&conf->places, listen, route);
	if (why)
		return why;
	route->next = conf->routes;
	conf->routes = route;
	return NULL;
}

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
split_route(const char *arg, char *listen, size_t size)
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

static const char *
option_route(struct ppp_conf *conf, const char *arg)
{
	struct route *route = calloc(1, sizeof(*route));
	char listen[HOSTPORT_TEXT];
	const char *target = split_route(arg, listen, sizeof(listen));
	const char *why = NULL;

	if (!route)
		return "out of memory";
	if (!target)
		why = "[ADDR:]PORT:HOST:HOSTPORT is wanted";
	else if (hostport_parse(&route->target, target, &why) == 0)
		why = add_route(conf, route, listen);
	if (why)
		route_free(route);
	return why;
}

static const char *
option_server(struct ppp_conf *conf, const char *arg)
{
	const char *why = NULL;

	if (conf->server_given)
		return "only one upstream is supported in this version";
	conf->server_given = true;
	if (hostport_parse(&conf->upstream.address, arg, &why) == -1)
		return why;
	conf->upstream.name = strdup(arg);
	return conf->upstream.name ? NULL : "out of memory";
}

const char *
ppp_option(void *config, char letter, const char *arg)
{
	return letter == 'L' ? option_route(config, arg) : option_server(config, arg);
}

/* Reader of a "HOST:PORT" into a struct hostport. */
static void
read_hostport(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *text = config_setting_get_string(setting), *why;

	if (!text)
		conf_error_type(conf, setting, "a string \"HOST:PORT\"");
	else if (hostport_parse(into, text, &why) == -1)
		conf_error(conf, setting, "'%s': %s: %s", key->name, text, why);
}

/* What one group of `routes` says. */
struct route_text {
	char *name;
	struct hostport target;
	config_setting_t *listen; /* read when the route is whole */
};

static void
note_setting(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	config_setting_t **at = into;

	(void)conf;
	(void)key;
	*at = setting;
}

static const struct conf_key route_keys[] = {
	{ "name", conf_read_string, offsetof(struct route_text, name), 0, 0, NULL },
	{ "listen", note_setting, offsetof(struct route_text, listen), 0, 0, NULL },
	{ "target", read_hostport, offsetof(struct route_text, target), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* Adds the route of one group, if it is whole. Errors have been, or are, told. */
static void
take_route(struct conf *conf, struct ppp_conf *ppp, struct route_text *text)
{
	struct route *route = calloc(1, sizeof(*route));
	char buf[8];
	const char *listen = conf_port_text(conf, text->listen, buf);
	const char *why = route ? NULL : "out of memory";

	if (route && listen) {
		route->name = text->name;
		text->name = NULL;
		route->target = text->target;
		why = add_route(ppp, route, listen);
	}
	if (why)
		conf_error(conf, text->listen, "'listen': %s: %s", listen, why);
	if (route && (why || !listen))
		route_free(route);
}

static void
read_routes(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct ppp_conf *ppp = into;

	if (!config_setting_is_list(setting)) {
		conf_error_type(conf, setting, "a list ( { ... }, { ... } )");
		return;
	}
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *group = conf_element(setting, i);
		struct route_text text = { 0 };

		conf_group(conf, group, key->keys, &text);
		if (config_setting_is_group(group) && !text.listen)
			conf_error(conf, group, "a route needs 'listen'");
		if (config_setting_is_group(group) &&
			!config_setting_get_member(group, "target"))
			conf_error(conf, group, "a route needs 'target'");
		else if (text.listen)
			take_route(conf, ppp, &text);
		free(text.name);
	}
}

static const struct conf_key upstream_keys[] = {
	{ "name", conf_read_string, offsetof(struct upstream, name), 0, 0, NULL },
	{ "address", read_hostport, offsetof(struct upstream, address), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static void
read_upstreams(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct ppp_conf *ppp = into;
	struct upstream read = { 0 };
	config_setting_t *group;

	if (!config_setting_is_list(setting) || config_setting_length(setting) != 1) {
		conf_error(conf, setting,
			"'upstreams': a list of one group is wanted in this "
			"version: ( { address = \"HOST:PORT\"; } )");
		return;
	}
	group = conf_element(setting, 0);
	conf_group(conf, group, key->keys, &read);
	if (config_setting_is_group(group) &&
		!config_setting_get_member(group, "address"))
		conf_error(conf, group, "an upstream needs 'address'");
	if (ppp->server_given) {
		free(read.name);
		return;
	}
	free(ppp->upstream.name);
	ppp->upstream = read;
}

static const struct conf_key timeout_keys[] = {
	SETTINGS_TIMEOUTS(struct ppp_conf),
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key limit_keys[] = {
	SETTINGS_LIMITS(struct ppp_conf),
	{ NULL, NULL, 0, 0, 0, NULL },
};

const struct conf_key ppp_keys[] = {
	{ "upstreams", read_upstreams, 0, 0, 0, upstream_keys },
	{ "routes", read_routes, 0, 0, 0, route_keys },
	SETTINGS_KEYS(struct ppp_conf, timeout_keys, limit_keys),
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* The default upstream, and a name for one that has none. Returns 0, or -1. */
static int
complete_upstream(struct upstream *upstream)
{
	const char *why;
	char text[HOSTPORT_TEXT];

	if (upstream->address.port == 0)
		(void)hostport_parse(&upstream->address, DEFAULT_UPSTREAM, &why);
	if (!upstream->name)
		upstream->name = strdup(hostport_text(&upstream->address, text));
	return upstream->name ? 0 : -1;
}

/* What must hold over the whole. */
static void
check_whole(struct conf *conf, const struct ppp_conf *ppp)
{
	const struct hostport *address = &ppp->upstream.address;
	struct addr addr;

	if (!ppp->routes)
		conf_error(conf, NULL, "there is no route: `routes' or -L is wanted");
	if (addr_from_text(&addr, address->host, address->port) &&
		places_hold(&ppp->places, &addr))
		conf_error(conf, ppp->server_given ? NULL : conf_find(conf, "upstreams"),
			"upstream '%s' is one of the listening addresses of this daemon",
			ppp->upstream.name);
}

struct conf *
ppp_configure(void *config, const char *path)
{
	struct ppp_conf *ppp = config;
	struct conf *conf = conf_read(path, ppp_keys, ppp);

	if (!conf || conf_errors(conf) > 0)
		return conf;
	if (complete_upstream(&ppp->upstream) == -1) {
		conf_free(conf);
		errno = ENOMEM;
		return NULL;
	}
	check_whole(conf, ppp);
	return conf;
}
