/* SPDX-License-Identifier: ISC */
/* The keys of dcsd.conf, its own options, and what must hold over several of them. */
#include "config.h"
#include "dcsd_conf.h"

#include <stdlib.h>
#include <string.h>

/* Loopback, both families, one of which the machine may lack. */
static const char default_listen[] = "1081";

void
dcsd_conf_init(struct dcsd_conf *conf)
{
	*conf = (struct dcsd_conf){
		.parked_ms = 120 * 1000,
		.bind.timeout_ms = 180 * 1000,
		.udp.idle_ms = 120 * 1000,
	};
	settings_init(&conf->common);
	auth_conf_init(&conf->auth);
}

void
dcsd_conf_free(struct dcsd_conf *conf)
{
	settings_free(&conf->common);
	places_free(&conf->places);
	auth_conf_free(&conf->auth);
	rules_free(&conf->rules);
	outgoing_free(&conf->outgoing);
	endpoint_conf_free(&conf->bind.at);
	endpoint_conf_free(&conf->udp.at);
	cidrs_free(&conf->proxies);
}

const char *
dcsd_conf_listen(struct dcsd_conf *conf, const char *arg)
{
	conf->listen_given = true;
	return places_add(&conf->places, arg, NULL);
}

static void
read_listen(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct places checked = { .list = NULL };
	struct dcsd_conf *dcsd = into;
	struct places *places = dcsd->listen_given ? &checked : &dcsd->places;

	(void)key;
	if (conf_count(setting) == 0)
		conf_error(conf, setting, "'listen': at least one address is wanted");
	for (int i = 0; i < conf_count(setting); i++) {
		config_setting_t *element = conf_element(setting, i);
		char buf[8];
		const char *text = conf_port_text(conf, element, buf);
		const char *why = text ? places_add(places, text, NULL) : NULL;

		if (why)
			conf_error(conf, element, "'listen': %s: %s", text, why);
	}
	places_free(&checked);
}

static void
read_rules(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct dcsd_conf *dcsd = into;

	dcsd->rules_given = true;
	rules_read(conf, setting, key, &dcsd->rules);
}

static const struct conf_key timeout_keys[] = {
	SETTINGS_TIMEOUTS(struct dcsd_conf),
	{ "parked", conf_read_timeout, offsetof(struct dcsd_conf, parked_ms), 0, 86400,
		NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key limit_keys[] = {
	SETTINGS_LIMITS(struct dcsd_conf),
	{ "per_client", conf_read_int, offsetof(struct dcsd_conf, per_client), 0, 1000000,
		NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key bind_keys[] = {
	{ "ports", conf_read_ports, offsetof(struct bind_conf, at.ports), 0, 0, NULL },
	{ "advertise", endpoint_read_advertise, offsetof(struct bind_conf, at), 0, 0,
		NULL },
	{ "timeout", conf_read_timeout, offsetof(struct bind_conf, timeout_ms), 0, 86400,
		NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct conf_key udp_keys[] = {
	{ "ports", conf_read_ports, offsetof(struct udp_conf, at.ports), 0, 0, NULL },
	{ "advertise", endpoint_read_advertise, offsetof(struct udp_conf, at), 0, 0,
		NULL },
	{ "idle", conf_read_seconds, offsetof(struct udp_conf, idle_ms), 0,
		SETTINGS_FOREVER_S, NULL },
	{ "any_source", conf_read_bool, offsetof(struct udp_conf, any_source), 0, 0,
		NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

#define AT(field) offsetof(struct dcsd_conf, field)
const struct conf_key dcsd_keys[] = {
	{ "listen", read_listen, 0, 0, 0, NULL },
	SETTINGS_KEYS(struct dcsd_conf, timeout_keys, limit_keys),
	{ "auth", conf_read_group, AT(auth), 0, 0, auth_keys },
	{ "rules", read_rules, 0, 0, 0, rule_keys },
	{ "outgoing", conf_read_group, AT(outgoing), 0, 0, outgoing_keys },
	{ "bind", conf_read_group, AT(bind), 0, 0, bind_keys },
	{ "udp", conf_read_group, AT(udp), 0, 0, udp_keys },
	{ "proxy_protocol", conf_read_cidrs, AT(proxies), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* The first place that others than this machine can reach, or NULL. */
static const struct addr *
beyond_loopback(const struct places *places)
{
	for (size_t i = 0; i < places->n; i++)
		if (!addr_is_loopback(&places->list[i].at.addr))
			return &places->list[i].at.addr;
	return NULL;
}

/* Anybody could use it to reach what this machine can reach. */
static void
refuse_open_relay(struct conf *file, const struct dcsd_conf *conf)
{
	const struct addr *open = beyond_loopback(&conf->places);
	char text[ADDR_TEXT];

	if (open && !conf->rules_given &&
		auth_conf_offers(&conf->auth, SOCKS_METHOD_NONE))
		conf_error(file, conf->listen_given ? NULL : conf_find(file, "listen"),
			"%s: listening beyond loopback, with method \"none\" and no "
			"rules, "
			"would make this an open relay",
			addr_text(open, text));
}

struct conf *
dcsd_conf_read(struct dcsd_conf *conf, const char *path)
{
	struct conf *file = conf_read(path, dcsd_keys, conf);

	if (!file || conf_errors(file) > 0)
		return file;
	if ((conf->places.n == 0 && places_add(&conf->places, default_listen, NULL)) ||
		(!conf->rules_given && rules_default(&conf->rules) == -1))
		conf_error(file, NULL, "out of memory");
	auth_conf_check(file, &conf->auth);
	refuse_open_relay(file, conf);
	return file;
}
