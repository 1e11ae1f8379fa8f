/* SPDX-License-Identifier: ISC */
/*
 * The keys of pppd-socks.conf, its own options, and what must hold over several of them.
 * The options come first, then the file; names of upstreams are looked up at the end, as
 * routes may stand before upstreams. Main thread, before there are others.
 */
#include "config.h"
#include "ppp_conf.h"

#include "conf_route.h"

#define DEFAULT_UPSTREAM "127.0.0.1:1081"

/* Options that have only a long name. */
enum { OPT_EXPLAIN = 1, OPT_PROBE };

const struct option_row ppp_options[] = {
	{ 'L', NULL, "[ADDR:]PORT:HOST:HOSTPORT",
		"a route, as for ssh -L; repeatable, adds to `routes'" },
	{ 's', "server", "HOST:PORT", "an upstream; repeatable, replaces `upstreams'" },
	{ OPT_EXPLAIN, "explain", "QUESTION",
		"print what a client of a port gets, and exit: \"PORT client=ADDR\"" },
	{ OPT_PROBE, "probe", "[PORT]",
		"try every way of every route, or of that port, and exit" },
	{ 0, NULL, NULL, NULL },
};

void
ppp_conf_init(struct ppp_conf *conf)
{
	*conf = (struct ppp_conf){
		.hold_off = { 1000, 60 * 1000 },
		.parked_ms = 120 * 1000,
	};
	settings_init(&conf->common);
}

void
ppp_conf_free(struct ppp_conf *conf)
{
	while (conf->routes) {
		struct route *route = conf->routes;

		conf->routes = route->next;
		route_free(route);
	}
	upstreams_free(&conf->of_file);
	upstreams_free(&conf->servers);
	places_free(&conf->places);
	places_free(&conf->udp_places);
	settings_free(&conf->common);
}

/* Where the next route is linked. */
static struct route **
end_of(struct route **routes)
{
	while (*routes)
		routes = &(*routes)->next;
	return routes;
}

/* A new route, the last one. NULL: out of memory. */
static struct route *
add_route(struct ppp_conf *ppp)
{
	struct route *route = route_new();

	*end_of(&ppp->routes) = route;
	return route;
}

/* ---- options ---- */

static const char *
option_route(struct ppp_conf *ppp, const char *arg)
{
	struct route *route = add_route(ppp);

	return route ? conf_route_option(route, arg, &ppp->places) : "out of memory";
}

const char *
ppp_conf_option(struct ppp_conf *ppp, char letter, const char *arg)
{
	switch (letter) {
	case 'L':
		return option_route(ppp, arg);
	case 's':
		return upstreams_add(&ppp->servers, arg);
	case OPT_EXPLAIN:
		ppp->explain = arg;
		return NULL;
	default:
		ppp->probe = true;
		ppp->probe_port = arg;
		return NULL;
	}
}

/* ---- keys ---- */

/* Whether it is a list, as of groups; an error is told when it is not. */
static bool
is_list(struct conf *conf, const config_setting_t *setting)
{
	if (config_setting_is_list(setting))
		return true;
	conf_error_type(conf, setting, "a list ( { ... }, { ... } )");
	return false;
}

static void
read_routes(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct ppp_conf *ppp = into;
	int n = is_list(conf, setting) ? config_setting_length(setting) : 0;

	(void)key;
	for (int i = 0; i < n; i++) {
		config_setting_t *group = conf_element(setting, i);
		struct route *route = add_route(ppp);

		if (route)
			conf_route_read(
				conf, group, route, &ppp->places, &ppp->udp_places);
		else
			conf_error(conf, group, "out of memory");
	}
}

static void
read_upstreams(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct ppp_conf *ppp = into;
	int n = is_list(conf, setting) ? config_setting_length(setting) : -1;

	(void)key;
	if (n == 0)
		conf_error(conf, setting, "'upstreams': at least one is wanted");
	if (n > ROUTE_UPSTREAMS)
		conf_error(conf, setting, "'upstreams': more than %d", ROUTE_UPSTREAMS);
	for (int i = 0; i < n && i < ROUTE_UPSTREAMS; i++)
		conf_upstream_read(conf, conf_element(setting, i), &ppp->of_file);
}

#define AT(field) offsetof(struct ppp_conf, field)
static const struct conf_key timeout_keys[] = {
	SETTINGS_TIMEOUTS(struct ppp_conf),
	{ "parked", conf_read_timeout, AT(parked_ms), 0, 86400, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key limit_keys[] = {
	SETTINGS_LIMITS(struct ppp_conf),
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key hold_off_keys[] = {
	{ "first", conf_read_timeout, offsetof(struct hold_off, first_ms), 0, 3600,
		NULL },
	{ "most", conf_read_timeout, offsetof(struct hold_off, most_ms), 0, 3600, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

const struct conf_key ppp_keys[] = {
	{ "upstreams", read_upstreams, 0, 0, 0, upstream_keys },
	{ "routes", read_routes, 0, 0, 0, route_keys },
	{ "hold_off", conf_read_group, AT(hold_off), 0, 0, hold_off_keys },
	SETTINGS_KEYS(struct ppp_conf, timeout_keys, limit_keys),
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* ---- the whole ---- */

static void
check_hold_off(struct conf *conf, const struct hold_off *hold_off)
{
	if (hold_off->most_ms < hold_off->first_ms)
		conf_error(conf, conf_find(conf, "hold_off"),
			"'hold_off': 'most' (%g seconds) is less than 'first' (%g)",
			(double)hold_off->most_ms / 1000,
			(double)hold_off->first_ms / 1000);
}

/* No upstream may be this daemon itself: a tunnel would go round for ever. */
static void
check_loops(struct conf *conf, const struct ppp_conf *ppp)
{
	config_setting_t *list = conf_find(conf, "upstreams");

	if (ppp->servers.n > 0)
		list = NULL;
	for (size_t i = 0; i < ppp->n_upstreams; i++) {
		const struct upstream *u = ppp->upstreams[i];
		struct addr addr;

		if (addr_from_text(&addr, u->address.host, u->address.port) &&
			places_hold(&ppp->places, &addr))
			conf_error(conf, list ? conf_element(list, (int)i) : NULL,
				"upstream '%s' is one of the listening addresses of this "
				"daemon",
				u->name);
	}
}

/*
 * Gives every route its upstreams. The first routes, as many as given, are of -L and want
 * all; of the others the names are checked, also where -s takes their place.
 */
static void
complete_routes(struct conf *conf, struct ppp_conf *ppp, int given)
{
	config_setting_t *list = conf_find(conf, "routes");
	struct upstreams chosen;
	int i = -given;

	for (struct route *route = ppp->routes; route; route = route->next, i++) {
		chosen = ppp->of_file;
		if (i >= 0)
			conf_route_choose(
				conf, conf_element(list, i), &ppp->of_file, &chosen);
		if (ppp->servers.n > 0)
			chosen = ppp->servers;
		route->hold_off = ppp->hold_off;
		if (chosen.n > 0 && conf_route_complete(route, &chosen) == -1)
			conf_error(conf, NULL, "out of memory");
	}
}

static void
use_upstreams(struct ppp_conf *ppp)
{
	struct upstreams *used = &ppp->of_file;

	if (ppp->servers.n > 0) {
		upstreams_free(&ppp->of_file);
		used = &ppp->servers;
	}
	ppp->upstreams = used->list;
	ppp->n_upstreams = (size_t)used->n;
}

static int
count_routes(const struct route *route)
{
	int n = 0;

	for (; route; route = route->next)
		n++;
	return n;
}

struct conf *
ppp_conf_read(struct ppp_conf *ppp, const char *path)
{
	int given = count_routes(ppp->routes);
	struct conf *conf = conf_read(path, ppp_keys, ppp);

	if (!conf)
		return NULL;
	if (conf_errors(conf) == 0 && ppp->of_file.n == 0 &&
		upstreams_add(&ppp->of_file, DEFAULT_UPSTREAM))
		conf_error(conf, NULL, "out of memory");
	/* Else `upstreams` may stand behind a syntax error. */
	if (ppp->of_file.n > 0)
		complete_routes(conf, ppp, given);
	if (conf_errors(conf) > 0)
		return conf;
	if (!ppp->routes)
		conf_error(conf, NULL, "there is no route: `routes' or -L is wanted");
	check_hold_off(conf, &ppp->hold_off);
	use_upstreams(ppp);
	check_loops(conf, ppp);
	return conf;
}
