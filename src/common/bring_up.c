/* SPDX-License-Identifier: ISC */
/*
 * From a checked configuration to a daemon that serves. Main thread; only bring_room is
 * also of a reload.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "inherit.h"
#include "io.h"
#include "life.h"
#include "log.h"
#include "upgrade.h"

/* One start-up error, to the terminal and the log. */
static int
start_failed(const char *what, const char *why)
{
	log_msg(LOG_L_ERROR, "%s: %s", what, why);
	return -1;
}

/* The configuration, while there is nobody else. */
static void *
config_of(const struct life *life)
{
	return life->now->config;
}

static const struct settings *
settings_of(const struct life *life)
{
	return life->service->settings(config_of(life));
}

/* Who it will run as. */
static uid_t
user_of(const struct life *life)
{
	return life->privs.change ? life->privs.uid : geteuid();
}

static int
open_log_file(const struct life *life)
{
	const char *path = settings_of(life)->log_file;
	const char *why = path ? log_to_file(path, user_of(life)) : NULL;

	return why ? start_failed(path, why) : 0;
}

static int
make_pidfile(struct life *life, const char *path)
{
	pid_t holder;
	char why[64];

	if (pidfile_hold(&life->pidfile, path, &holder) == 0)
		return 0;
	if (errno != EEXIST)
		return start_failed(path, strerror(errno));
	snprintf(why, sizeof(why), "already running (pid %ld)", (long)holder);
	return start_failed(path, why);
}

/* That of the process we take over from, or a new one. */
static int
hold_pidfile(struct life *life)
{
	const char *path = settings_of(life)->pidfile;
	int fd = inherit_named(INHERIT_PIDFILE);

	if (!path && !life->setup.options.foreground)
		path = life->service->default_pidfile;
	if (path && (fd == -1 || pidfile_adopt(&life->pidfile, path, &fd) == -1) &&
		make_pidfile(life, path) == -1) {
		io_close(&fd);
		return -1;
	}
	io_close(&fd);
	return 0;
}

/* Tells of each limit that has no room for the tunnels asked for. Returns how many. */
static size_t
tell_short(const struct capacity_facts *facts, const struct capacity_needs *needs,
	enum capacity_when when, int asked)
{
	char text[CAPACITY_TEXT];
	size_t n = 0;

	while (capacity_short(facts, needs, when, asked, n, text)) {
		log_msg(when == CAPACITY_AT_BEST ? LOG_L_ERROR : LOG_L_WARNING, "%s",
			text);
		n++;
	}
	return n;
}

int
bring_room(struct life *life, void *config, struct room *out)
{
	const struct service *service = life->service;
	const struct capacity_self self = { capacity_raise_nofile(), user_of(life),
		upgrade_in_progress() ? getppid() : 0 };
	int asked = service->settings(config)->max_tunnels;
	struct capacity_needs needs;
	struct capacity_facts facts;
	struct capacity_room room;

	service->needs(config, &needs);
	needs.of[CAPACITY_FDS].reserve += service->places(config)->n;
	capacity_collect(&facts, "/", &self);
	if (tell_short(&facts, &needs, CAPACITY_AT_BEST, asked) > 0)
		return -1;
	(void)tell_short(&facts, &needs, CAPACITY_NOW, asked);
	room = capacity_room(&facts, &needs, CAPACITY_NOW);
	(void)capacity_text(&room, out->text);
	room = capacity_room(&facts, &needs, CAPACITY_AT_BEST);
	out->max_tunnels = asked > 0 ? asked : room.tunnels;
	return 0;
}

void
bring_tell_failed(
	const struct life *life, const char *prefix, const struct server_place *failed)
{
	char text[ADDR_TEXT], name[256];
	int keep = errno;

	life->service->via_name(failed->via, name, sizeof(name));
	log_msg(LOG_L_ERROR, "%s%s%s%s: %s", prefix, addr_text(&failed->at.addr, text),
		name[0] ? " for route " : "", name, strerror(keep));
}

static int
bind_places(struct life *life, int max_tunnels)
{
	const struct service *service = life->service;
	const struct places *places = service->places(config_of(life));
	const struct gate gate = { service->admit, service->leave, service->answers };
	const struct server_place *failed;

	life->server = server_new(service->serve, max_tunnels, &gate, service->conn_room);
	if (!life->server)
		return start_failed("start", strerror(errno));
	if (settings_of(life)->control)
		conns_tell(server_conns(life->server));
	if (server_prepare(life->server, life->now, places->list, places->n, &failed) ==
		0) {
		server_commit(life->server);
		return 0;
	}
	bring_tell_failed(life, "", failed);
	return -1;
}

static int
open_service(struct life *life)
{
	const struct service *service = life->service;
	const char *why = service->open ? service->open(config_of(life), NULL) : NULL;

	if (!why)
		return 0;
	log_msg(LOG_L_ERROR, "%s", why);
	return -1;
}

/* That of the process we take over from, or a new one. */
static int
open_control(struct life *life)
{
	const char *path = settings_of(life)->control, *why = NULL;
	int fd = inherit_named(INHERIT_CONTROL);

	if (path && fd != -1)
		life->control = control_adopt(&fd, path);
	io_close(&fd);
	if (path && !life->control)
		why = control_open(&life->control, path, user_of(life));
	return why ? start_failed(path, why) : 0;
}

static void
tell_unwanted(void *arg, const char *what)
{
	(void)arg;
	log_msg(LOG_L_WARNING, "%s: inherited, and nothing of the configuration", what);
}

static int
drop_privileges(struct life *life)
{
	const char *step = privs_drop(&life->privs, settings_of(life)->chroot);

	return step ? start_failed(step, strerror(errno)) : 0;
}

static int
start_service(struct life *life)
{
	if (!life->service->start)
		return 0;
	life->started = true;
	return life->service->start(config_of(life), life->server, life->now);
}

static int
start_control(struct life *life)
{
	return life->control
		? control_start(life->control, commands_table, life, CONTROL_CLIENT_MS)
		: 0;
}

/* What needs to be root. */
static int
bring_open(struct life *life)
{
	struct room *room = &life->room;

	if (open_log_file(life) == -1 || hold_pidfile(life) == -1 ||
		bring_room(life, config_of(life), room) == -1 ||
		bind_places(life, room->max_tunnels) == -1 || open_control(life) == -1 ||
		open_service(life) == -1)
		return -1;
	inherit_close_rest(tell_unwanted, NULL);
	return drop_privileges(life);
}

int
bring_up(struct life *life)
{
	if (bring_open(life) == -1)
		return -1;
	if (log_start() == -1 || start_service(life) == -1)
		return start_failed("thread", strerror(errno));
	if (life->service->begin)
		life->service->begin(config_of(life));
	if (server_start(life->server) == -1 || start_control(life) == -1)
		return start_failed("thread", strerror(errno));
	return 0;
}
