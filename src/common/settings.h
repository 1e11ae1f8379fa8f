/* SPDX-License-Identifier: ISC */
/* settings: the part of the configuration that both daemons share (dcsd.conf(5)). */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "conf.h"
#include "log.h"

struct settings {
	char *user, *group; /* NULL: stay who started it */
	char *chroot;	    /* NULL: none */
	char *pidfile;	    /* NULL: none configured */
	char *control;	    /* the path of the control socket; NULL: none */
	char *log_file;	    /* NULL: the log goes to syslog, or to stderr */
	int facility;	    /* of syslog(3) */
	int level;	    /* enum log_level */
	int64_t handshake_ms, connect_ms;
	int64_t idle_ms;	/* 0: never */
	int64_t half_closed_ms; /* 0: the first end of file ends the tunnel */
	int64_t drain_ms;
	int64_t upgrade_ms; /* for tunnels of a process that was replaced; 0: no end */
	int max_tunnels;    /* 0: no limit but the machine's */
	bool cut_gone;	    /* on_reload: tunnels of what is gone do not stay */
};

void settings_init(struct settings *s); /* the defaults */
void settings_free(struct settings *s); /* the strings in it */

/*
 * The first key that differs between the two and that only a restart can change, as
 * "log.facility", counted from nth 0; NULL: there is no nth.
 */
const char *settings_fixed(
	const struct settings *a, const struct settings *b, size_t nth);

enum { SETTINGS_FOREVER_S = 10 * 365 * 86400 }; /* the longest timeout that may be set */

/*
 * The rows for a table of keys whose struct has a struct settings named common. timeouts
 * and limits are given by each daemon, since not all know the same ones:
 * SETTINGS_TIMEOUTS and SETTINGS_LIMITS are those that both do.
 */
extern const struct conf_key settings_log_keys[];
conf_reader settings_read_on_reload;
/* clang-format off */
#define SETTINGS_KEYS(type, timeouts, limits)                                            \
	{ "user", conf_read_string, offsetof(type, common.user), 0, 0, NULL },           \
	{ "group", conf_read_string, offsetof(type, common.group), 0, 0, NULL },         \
	{ "chroot", conf_read_path, offsetof(type, common.chroot), 0, 0, NULL },         \
	{ "pidfile", conf_read_path, offsetof(type, common.pidfile), 0, 0, NULL },       \
	{ "on_reload", settings_read_on_reload, offsetof(type, common.cut_gone), 0, 0,   \
		NULL },                                                                  \
	{ "control", conf_read_path, offsetof(type, common.control), 0, 0, NULL },       \
	{ "log", conf_read_group, offsetof(type, common), 0, 0, settings_log_keys },     \
	{ "limits", conf_read_group, 0, 0, 0, limits },                                  \
	{ "timeouts", conf_read_group, 0, 0, 0, timeouts }
#define SETTINGS_TIMEOUT(type, name, read, max)                                          \
	{ #name, read, offsetof(type, common.name##_ms), 0, max, NULL }
#define SETTINGS_TIMEOUTS(type)                                                          \
	SETTINGS_TIMEOUT(type, handshake, conf_read_timeout, 3600),                      \
	SETTINGS_TIMEOUT(type, connect, conf_read_timeout, 3600),                        \
	SETTINGS_TIMEOUT(type, idle, conf_read_seconds, SETTINGS_FOREVER_S),             \
	SETTINGS_TIMEOUT(type, half_closed, conf_read_seconds, SETTINGS_FOREVER_S),      \
	SETTINGS_TIMEOUT(type, drain, conf_read_seconds, 86400),                         \
	SETTINGS_TIMEOUT(type, upgrade, conf_read_seconds, SETTINGS_FOREVER_S)
#define SETTINGS_LIMITS(type)                                                            \
	{ "tunnels", conf_read_int, offsetof(type, common.max_tunnels), 0, 1000000, NULL }
/* clang-format on */

#endif
