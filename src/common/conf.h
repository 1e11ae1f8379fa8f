/* SPDX-License-Identifier: ISC */
/*
 * conf: a libconfig file read into structs by tables of keys. A key that no row names, a
 * wrong type and a value out of range are errors, each told as "FILE:LINE: text"; reading
 * goes on, so that all errors of a file are told at once.
 */
#ifndef CONF_H
#define CONF_H

#include <stddef.h>
#include <stdio.h>
#include <libconfig.h>

struct conf;
struct conf_key;

/* Reads one setting into what the row's offset points at; tells errors by conf_error. */
typedef void conf_reader(struct conf *conf, config_setting_t *setting,
	const struct conf_key *key, void *into);

/* A row of a table; the table ends with a row whose name is NULL. */
struct conf_key {
	const char *name;
	conf_reader *read;
	size_t offset;		     /* of the value, in the struct the table fills */
	int min, max;		     /* for numbers */
	const struct conf_key *keys; /* of a group, from offset on; of a list's groups */
};

/*
 * Reads the file (NULL: there is none) by a table into base. Returns a conf, also when
 * there were errors; or NULL with errno when out of memory. Values not in the file are
 * left as they are. A syntax error or a duplicate key ends the reading: then what stands
 * before it is read and checked, and nothing may be said about what is missing.
 */
struct conf *conf_read(const char *path, const struct conf_key *keys, void *base);

/* Adds an error at a setting; at NULL: at the file as a whole. */
void conf_error(struct conf *conf, const config_setting_t *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, as "'port': an integer is wanted, not a string"; wanted is "an integer". */
void conf_error_type(struct conf *conf, const config_setting_t *at, const char *wanted);

/* The setting's name; for an element of an array or a list, the name of that. */
const char *conf_name(const config_setting_t *setting);

/* How many errors there are, and each as text, in the order of lines. */
size_t conf_errors(const struct conf *conf);
const char *conf_error_text(const struct conf *conf, size_t i);

/* The top-level setting of that name, or NULL. */
config_setting_t *conf_find(struct conf *conf, const char *name);

/* Frees everything; values that readers stored were copies and stay. */
void conf_free(struct conf *conf);

/* Applies a table to a group: for readers of lists of groups. */
void conf_group(struct conf *conf, config_setting_t *group, const struct conf_key *keys,
	void *base);

/*
 * Where several values may stand, one value, an array or a list is accepted: how many
 * there are, and the i-th (the setting itself when it is one value).
 */
int conf_count(const config_setting_t *setting);
config_setting_t *conf_element(config_setting_t *setting, int i);

/*
 * The text of a setting that is a string, or a port written as a plain number (into
 * buf, 8 bytes), 0 to 65535. NULL, and an error told, when it is neither.
 */
const char *conf_port_text(struct conf *conf, config_setting_t *setting, char buf[8]);

/*
 * Which of the words, of which the last is NULL, the setting is: its index; or -1, and an
 * error told that has them all.
 */
int conf_word(struct conf *conf, config_setting_t *setting, const char *const *words);

/*
 * Readers. A string replaces (frees) the malloc'd one that was there. An integer of type
 * INT64 is one that does not fit (conf_text.h): an error, if no reader tells it.
 */
conf_reader conf_read_bool;    /* bool */
conf_reader conf_read_int;     /* int: min to max */
conf_reader conf_read_seconds; /* int64_t ms, of whole or fractional s; min, max in s */
conf_reader conf_read_timeout; /* the same, but 0.1 s at least, whatever min */
conf_reader conf_read_string;  /* char *: not empty */
conf_reader conf_read_path;    /* char *: absolute */
conf_reader conf_read_group;   /* applies key->keys to into */

#endif
