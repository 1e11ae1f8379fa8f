/* SPDX-License-Identifier: ISC */
/*
 * The defaults and the tables of the settings that both daemons have. No I/O; whoever
 * reads or reloads a configuration calls this, for a struct that no other thread sees
 * yet.
 */
#include "config.h"
#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

void
settings_init(struct settings *s)
{
	*s = (struct settings){
		.facility = LOG_DAEMON,
		.level = LOG_L_INFO,
		.handshake_ms = 10 * 1000,
		.connect_ms = 15 * 1000,
		.idle_ms = 86400 * 1000,
		.half_closed_ms = 300 * 1000,
		.drain_ms = 30 * 1000,
	};
}

void
settings_free(struct settings *s)
{
	free(s->user);
	free(s->group);
	free(s->chroot);
	free(s->pidfile);
	free(s->log_file);
	free(s->control);
	s->user = s->group = s->chroot = s->pidfile = s->log_file = s->control = NULL;
}

/* One of some words, as its number. */
static void
read_word(struct conf *conf, config_setting_t *setting, int (*number)(const char *word),
	const char *words, int *into)
{
	int n;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		conf_error_type(conf, setting, "a string");
		return;
	}
	n = number(config_setting_get_string(setting));
	if (n == -1)
		conf_error(conf, setting, "'%s': none of %s", conf_name(setting), words);
	else
		*into = n;
}

static void
read_facility(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	read_word(conf, setting, log_facility,
		"auth, cron, daemon, lpr, mail, news, user, uucp, local0 to local7",
		into);
}

static void
read_level(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	read_word(conf, setting, log_level, "error, warning, notice, info, debug", into);
}

const struct conf_key settings_log_keys[] = {
	{ "facility", read_facility, offsetof(struct settings, facility), 0, 0, NULL },
	{ "file", conf_read_path, offsetof(struct settings, log_file), 0, 0, NULL },
	{ "level", read_level, offsetof(struct settings, level), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

void
settings_read_on_reload(struct conf *conf, config_setting_t *setting,
	const struct conf_key *key, void *into)
{
	const char *text = config_setting_get_string(setting);

	(void)key;
	if (text && strcmp(text, "cut") == 0)
		*(bool *)into = true;
	else if (text && strcmp(text, "keep") == 0)
		*(bool *)into = false;
	else
		conf_error(conf, setting, "'on_reload': \"keep\" or \"cut\" is wanted");
}

/* Whether two strings differ; each may be NULL. */
static bool
differ(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

const char *
settings_fixed(const struct settings *a, const struct settings *b, size_t nth)
{
	const struct {
		const char *key;
		bool differs;
	} keys[] = {
		{ "user", differ(a->user, b->user) },
		{ "group", differ(a->group, b->group) },
		{ "chroot", differ(a->chroot, b->chroot) },
		{ "pidfile", differ(a->pidfile, b->pidfile) },
		{ "control", differ(a->control, b->control) },
		{ "log.file", differ(a->log_file, b->log_file) },
		{ "log.facility", a->facility != b->facility },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].differs && nth-- == 0)
			return keys[i].key;
	return NULL;
}
