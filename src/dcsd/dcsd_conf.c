/* SPDX-License-Identifier: ISC */
/* The keys of dcsd.conf, its own options, and what must hold over several of them. */
#include "config.h"
#include "dcsd_conf.h"

#include <stdlib.h>
#include <string.h>

const struct option_row dcsd_options[] = {
	{ 'l', "listen", "ADDR", "listen here; repeatable, replaces `listen'" },
	{ 0, NULL, NULL, NULL },
};

/* Loopback, both families, one of which the machine may lack. */
static const char default_listen[] = "1081";

void
dcsd_conf_init(struct dcsd_conf *conf)
{
	*conf = (struct dcsd_conf){ .parked_ms = 120 * 1000 };
	settings_init(&conf->common);
}

void
dcsd_conf_free(struct dcsd_conf *conf)
{
	settings_free(&conf->common);
	places_free(&conf->places);
}

const char *
dcsd_option(void *config, char letter, const char *arg)
{
	struct dcsd_conf *conf = config;

	(void)letter; /* there is one */
	conf->listen_given = true;
	return places_add(&conf->places, arg, NULL);
}

static void
read_listen(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct places checked = { NULL, 0 };
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

static const struct conf_key timeout_keys[] = {
	SETTINGS_TIMEOUTS(struct dcsd_conf),
	{ "parked", conf_read_timeout, offsetof(struct dcsd_conf, parked_ms), 0, 86400,
		NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

const struct conf_key dcsd_keys[] = {
	{ "listen", read_listen, 0, 0, 0, NULL },
	SETTINGS_KEYS(struct dcsd_conf, timeout_keys),
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

struct conf *
dcsd_configure(void *config, const char *path)
{
	struct dcsd_conf *dcsd = config;
	struct conf *conf = conf_read(path, dcsd_keys, dcsd);
	const struct addr *open;
	char text[ADDR_TEXT];

	if (!conf || conf_errors(conf) > 0)
		return conf;
	if (dcsd->places.n == 0)
		(void)places_add(&dcsd->places, default_listen, NULL);
	open = beyond_loopback(&dcsd->places);
	if (open)
		conf_error(conf, dcsd->listen_given ? NULL : conf_find(conf, "listen"),
			"%s: with no authentication and no rules, listening beyond "
			"loopback "
			"would make this an open relay",
			addr_text(open, text));
	return conf;
}
