/* SPDX-License-Identifier: ISC */
/* The `auth` group of dcsd.conf, and which method is chosen by it. Before threads. */
#include "config.h"
#include "auth.h"

#include <stdlib.h>
#include <string.h>

#include "auth_pam.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *word;
	uint8_t method;
	const char *refused; /* NULL: it can be used */
} words[] = {
	{ "none", SOCKS_METHOD_NONE, NULL },
	{ "password", SOCKS_METHOD_PASSWORD, NULL },
	{ "gssapi", SOCKS_METHOD_GSSAPI, "is not in this version" },
};

void
auth_conf_init(struct auth_conf *conf)
{
	*conf = (struct auth_conf){ .methods = { SOCKS_METHOD_NONE }, .n = 1 };
	penalty_conf_init(&conf->penalties);
}

void
auth_conf_free(struct auth_conf *conf)
{
	free(conf->users);
	free(conf->pam);
	conf->users = conf->pam = NULL;
	penalty_conf_free(&conf->penalties);
}

bool
auth_conf_offers(const struct auth_conf *conf, uint8_t method)
{
	return memchr(conf->methods, method, conf->n) != NULL;
}

uint8_t
auth_conf_choose(const struct auth_conf *conf, const struct socks_greeting *greeting)
{
	for (size_t i = 0; i < conf->n; i++)
		if (memchr(greeting->methods, conf->methods[i], greeting->nmethods))
			return conf->methods[i];
	return SOCKS_METHOD_REFUSED;
}

/* Adds the method of that name. Returns NULL, or what is wrong. */
static const char *
add_method(struct auth_conf *conf, const char *word)
{
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		if (words[i].refused)
			return words[i].refused;
		if (auth_conf_offers(conf, words[i].method))
			return "stands there twice";
		conf->methods[conf->n++] = words[i].method;
		return NULL;
	}
	return "none of none, password, gssapi";
}

static void
read_methods(struct conf *file, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct auth_conf *conf = into;
	struct auth_conf found = { .n = 0 };

	(void)key;
	if (conf_count(setting) == 0)
		conf_error(file, setting, "'methods': at least one value is wanted");
	for (int i = 0; i < conf_count(setting); i++) {
		config_setting_t *at = conf_element(setting, i);
		const char *word = config_setting_get_string(at);
		const char *why = word ? add_method(&found, word) : NULL;

		if (!word)
			conf_error_type(file, at, "a string");
		else if (why)
			conf_error(file, at, "'methods': \"%s\": %s", word, why);
	}
	memcpy(conf->methods, found.methods, sizeof(conf->methods));
	conf->n = found.n;
}

static void
read_pam(struct conf *file, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	char **pam = into;

	if (!auth_pam_built)
		conf_error(file, setting,
			"'pam': this dcsd was built without PAM (--with-pam)");
	conf_read_string(file, setting, key, into);
	if (*pam && strchr(*pam, '/'))
		conf_error(file, setting,
			"'pam': the name of a service is wanted, not a path");
}

const struct conf_key auth_keys[] = {
	{ "penalties", conf_read_group, offsetof(struct auth_conf, penalties), 0, 0,
		penalty_keys },
	{ "methods", read_methods, 0, 0, 0, NULL },
	{ "users", conf_read_path, offsetof(struct auth_conf, users), 0, 0, NULL },
	{ "pam", read_pam, offsetof(struct auth_conf, pam), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

void
auth_conf_check(struct conf *file, const struct auth_conf *conf)
{
	const config_setting_t *at = conf_find(file, "auth");
	bool password = auth_conf_offers(conf, SOCKS_METHOD_PASSWORD);

	if (conf->users && conf->pam)
		conf_error(file, at, "'auth': either 'users' or 'pam', not both");
	if (password && !conf->users && !conf->pam)
		conf_error(file, at,
			"'auth': the method \"password\" needs 'users' or 'pam'");
	if (!password && (conf->users || conf->pam))
		conf_error(file, at,
			"'auth': '%s' is of no use without \"password\" in 'methods'",
			conf->users ? "users" : "pam");
}
