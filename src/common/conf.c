/* SPDX-License-Identifier: ISC */
/*
 * Walks what libconfig made of a file against tables of keys. The library is given a text
 * that conf_text has cleaned, and only its parser is trusted: types, ranges and unknown
 * keys are checked here. Errors are kept, not logged. Used by one thread at a time.
 */
#include "config.h"
#include "conf.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf_text.h"

struct error {
	unsigned line; /* of the whole text, or LINE_LAST; to sort by */
	char *text;
};

struct conf {
	config_t config;
	struct conf_text *text; /* NULL: could not be read */
	char *path;
	struct error *errors;
	size_t error_count;
	bool lost; /* an error could not be kept for want of memory */
};

/* To sort by, where there is no line: an error of the file as a whole. */
#define LINE_LAST UINT_MAX

/* Adds text, malloc'd (or NULL: it could not be), behind the errors up to its line. */
static void
keep_error(struct conf *conf, unsigned line, char *text)
{
	struct error *grown = NULL;
	size_t i = conf->error_count;

	if (text != NULL)
		grown = realloc(conf->errors, (i + 1) * sizeof(*grown));
	if (grown == NULL) {
		free(text);
		conf->lost = true;
		return;
	}
	conf->errors = grown;
	for (; i > 0 && grown[i - 1].line > line; i--)
		grown[i] = grown[i - 1];
	grown[i] = (struct error){ line, text };
	conf->error_count++;
}

static void
keep_text_error(void *arg, const char *message)
{
	keep_error(arg, LINE_LAST, strdup(message));
}

/* "FILE:LINE: message"; without the line, or the file, where there is none. */
static char *
place_text(const struct conf *conf, unsigned line, const char *message)
{
	const char *file = conf->path;
	char where[16] = "";
	unsigned file_line;
	size_t size;
	char *text;

	if (file == NULL)
		return strdup(message);
	if (line != LINE_LAST) {
		file = conf_text_origin(conf->text, line, &file_line);
		snprintf(where, sizeof(where), "%u: ", file_line);
	}
	size = strlen(file) + 1 + strlen(where) + 1 + strlen(message) + 1;
	text = malloc(size);
	if (text != NULL)
		snprintf(
			text, size, "%s:%s%s%s", file, where, *where ? "" : " ", message);
	return text;
}

static void
error_at(struct conf *conf, unsigned line, const char *message)
{
	keep_error(conf, line, place_text(conf, line, message));
}

void
conf_error(struct conf *conf, const config_setting_t *at, const char *fmt, ...)
{
	unsigned line = at == NULL ? 0 : config_setting_source_line(at);
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	error_at(conf, line == 0 ? LINE_LAST : line, message);
}

const char *
conf_name(const config_setting_t *setting)
{
	while (config_setting_name(setting) == NULL && !config_setting_is_root(setting))
		setting = config_setting_parent(setting);
	return config_setting_is_root(setting) ? "" : config_setting_name(setting);
}

void
conf_error_type(struct conf *conf, const config_setting_t *at, const char *wanted)
{
	static const char *const names[] = {
		[CONFIG_TYPE_NONE] = "nothing",
		[CONFIG_TYPE_GROUP] = "a group",
		[CONFIG_TYPE_INT] = "an integer",
		[CONFIG_TYPE_INT64] = "an integer",
		[CONFIG_TYPE_FLOAT] = "a fraction",
		[CONFIG_TYPE_STRING] = "a string",
		[CONFIG_TYPE_BOOL] = "true or false",
		[CONFIG_TYPE_ARRAY] = "an array",
		[CONFIG_TYPE_LIST] = "a list",
	};

	conf_error(conf, at, "'%s': %s is wanted, not %s", conf_name(at), wanted,
		names[config_setting_type(at)]);
}

size_t
conf_errors(const struct conf *conf)
{
	return conf->error_count + conf->lost;
}

const char *
conf_error_text(const struct conf *conf, size_t i)
{
	return i < conf->error_count ? conf->errors[i].text : "out of memory";
}

/*
 * Whether libconfig's line already has an error: the readers tell most large integers
 * themselves, with the range that was wanted.
 */
static bool
told(const struct conf *conf, unsigned line)
{
	for (size_t i = conf->error_count; i > 0 && conf->errors[i - 1].line >= line; i--)
		if (conf->errors[i - 1].line == line)
			return true;
	return false;
}

/* No integer of 64 bits may pass unseen: config_setting_get_int would read it as 0. */
static void
tell_large(struct conf *conf, config_setting_t *setting)
{
	if (config_setting_type(setting) == CONFIG_TYPE_INT64 &&
		!told(conf, config_setting_source_line(setting)))
		conf_error(conf, setting, "'%s': the number is too large",
			conf_name(setting));
	if (config_setting_is_aggregate(setting))
		for (int i = 0; i < config_setting_length(setting); i++)
			tell_large(conf, config_setting_get_elem(setting, (unsigned)i));
}

/*
 * After a syntax error the settings before it are there, the last of them perhaps without
 * its value, or not whole. That one is taken away.
 */
static void
drop_broken(config_setting_t *root)
{
	int n = config_setting_length(root);
	config_setting_t *last =
		n == 0 ? NULL : config_setting_get_elem(root, (unsigned)n - 1);

	if (last != NULL && !config_setting_is_scalar(last))
		config_setting_remove_elem(root, (unsigned)n - 1);
}

static void
tell_syntax(struct conf *conf)
{
	static const char *const texts[][2] = {
		{ "duplicate setting name",
			"duplicate key: it stands twice in its group" },
		{ "mismatched element type in array",
			"syntax error: an array [ ] holds values of one type, a list ( ) "
			"of any" },
	};
	const char *text = config_error_text(&conf->config);
	const char *said = "syntax error";
	int line = config_error_line(&conf->config);

	for (size_t i = 0; text != NULL && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(text, texts[i][0]) == 0)
			said = texts[i][1];
	error_at(conf, line > 0 ? (unsigned)line : LINE_LAST, said);
}

struct conf *
conf_read(const char *path, const struct conf_key *keys, void *base)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	config_setting_t *root;

	if (conf == NULL)
		return NULL;
	config_init(&conf->config);
	if (path == NULL)
		return conf;
	conf->path = strdup(path);
	if (conf->path == NULL) {
		conf_free(conf);
		errno = ENOMEM;
		return NULL;
	}
	conf->text = conf_text_read(path, keep_text_error, conf);
	if (conf->text == NULL)
		return conf;
	if (!config_read_string(&conf->config, conf_text_string(conf->text))) {
		drop_broken(config_root_setting(&conf->config));
		tell_syntax(conf);
	}
	root = config_root_setting(&conf->config);
	conf_group(conf, root, keys, base);
	tell_large(conf, root);
	return conf;
}

config_setting_t *
conf_find(struct conf *conf, const char *name)
{
	return config_setting_get_member(config_root_setting(&conf->config), name);
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->error_count; i++)
		free(conf->errors[i].text);
	free(conf->errors);
	config_destroy(&conf->config);
	conf_text_free(conf->text);
	free(conf->path);
	free(conf);
}

static const struct conf_key *
find_key(const struct conf_key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

void
conf_group(struct conf *conf, config_setting_t *group, const struct conf_key *keys,
	void *base)
{
	if (!config_setting_is_group(group)) {
		conf_error_type(conf, group, "a group");
		return;
	}
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const struct conf_key *key = find_key(keys, config_setting_name(s));

		if (key == NULL)
			conf_error(conf, s, "unknown key '%s'", config_setting_name(s));
		else
			key->read(conf, s, key, (char *)base + key->offset);
	}
}

static bool
has_elements(const config_setting_t *setting)
{
	return config_setting_is_array(setting) || config_setting_is_list(setting);
}

int
conf_count(const config_setting_t *setting)
{
	return has_elements(setting) ? config_setting_length(setting) : 1;
}

config_setting_t *
conf_element(config_setting_t *setting, int i)
{
	if (!has_elements(setting))
		return setting;
	return config_setting_get_elem(setting, (unsigned)i);
}

/* The value of a number of any type. False, and an error told: it is none. */
static bool
read_number(struct conf *conf, config_setting_t *setting, const char *wanted,
	bool fraction, double *value)
{
	if (config_setting_type(setting) == CONFIG_TYPE_INT)
		*value = config_setting_get_int(setting);
	else if (config_setting_type(setting) == CONFIG_TYPE_INT64)
		*value = (double)config_setting_get_int64(setting);
	else if (config_setting_type(setting) == CONFIG_TYPE_FLOAT && fraction)
		*value = config_setting_get_float(setting);
	else {
		conf_error_type(conf, setting, wanted);
		return false;
	}
	return true;
}

void
conf_read_bool(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
		*(bool *)into = config_setting_get_bool(setting);
	else
		conf_error_type(conf, setting, "true or false");
}

void
conf_read_int(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	double value; /* holds every int */

	if (!read_number(conf, setting, "an integer", false, &value))
		return;
	if (value >= key->min && value <= key->max)
		*(int *)into = (int)value;
	else
		conf_error(conf, setting, "'%s': not in the range %d to %d",
			conf_name(setting), key->min, key->max);
}

static void
read_seconds(
	struct conf *conf, config_setting_t *setting, double min, double max, int64_t *ms)
{
	double value;

	if (!read_number(conf, setting, "a number of seconds", true, &value))
		return;
	if (value >= min && value <= max)
		*ms = value > 0 && value < 0.001 ? 1 : (int64_t)(value * 1000 + 0.5);
	else
		conf_error(conf, setting,
			"'%s': not in the range %.10g to %.10g (seconds)",
			conf_name(setting), min, max);
}

void
conf_read_seconds(struct conf *conf, config_setting_t *setting,
	const struct conf_key *key, void *into)
{
	read_seconds(conf, setting, key->min, key->max, into);
}

void
conf_read_timeout(struct conf *conf, config_setting_t *setting,
	const struct conf_key *key, void *into)
{
	read_seconds(conf, setting, key->min > 0 ? key->min : 0.1, key->max, into);
}

static void
read_text(struct conf *conf, config_setting_t *setting, bool path, char **into)
{
	const char *text = config_setting_get_string(setting);
	char *copy;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		conf_error_type(conf, setting, "a string");
	} else if (*text == '\0') {
		conf_error(conf, setting, "'%s': empty", conf_name(setting));
	} else if (path && *text != '/') {
		conf_error(
			conf, setting, "'%s': not an absolute path", conf_name(setting));
	} else if ((copy = strdup(text)) == NULL) {
		conf_error(conf, setting, "%s", strerror(ENOMEM));
	} else {
		free(*into);
		*into = copy;
	}
}

void
conf_read_string(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	read_text(conf, setting, false, into);
}

void
conf_read_path(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	read_text(conf, setting, true, into);
}

void
conf_read_group(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	conf_group(conf, setting, key->keys, into);
}

const char *
conf_port_text(struct conf *conf, config_setting_t *setting, char buf[8])
{
	static const struct conf_key port = { .min = 0, .max = 65535 };
	int number = -1;

	if (config_setting_type(setting) == CONFIG_TYPE_STRING)
		return config_setting_get_string(setting);
	if (config_setting_type(setting) != CONFIG_TYPE_INT &&
		config_setting_type(setting) != CONFIG_TYPE_INT64) {
		conf_error_type(conf, setting, "a string or a port number");
		return NULL;
	}
	conf_read_int(conf, setting, &port, &number);
	if (number == -1)
		return NULL;
	snprintf(buf, 8, "%d", number);
	return buf;
}

int
conf_word(struct conf *conf, config_setting_t *setting, const char *const *words)
{
	const char *text = config_setting_get_string(setting);
	char all[256] = "";
	size_t len = 0;

	if (text == NULL) {
		conf_error_type(conf, setting, "a string");
		return -1;
	}
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
			i == 0 ? "" : ", ", words[i]);
		assert(len < sizeof(all));
	}
	conf_error(conf, setting, "'%s': none of %s", conf_name(setting), all);
	return -1;
}
