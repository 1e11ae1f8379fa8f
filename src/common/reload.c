/* SPDX-License-Identifier: ISC */
/*
 * Another configuration in the place of the present one. First a child reads it, as with
 * -t: the library that parses the file may end the process over it, and its memory need
 * not be trusted. Then this process reads it, opens and starts what is new, and lets the
 * sockets and the clients pass over to it in one step. Whatever fails before that step
 * leaves all as it was. On the main thread (HUP), or that of the control socket.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "life.h"
#include "log.h"
#include "notify.h"
#include "self.h"

#define CHECK_MS 30000 /* for the child */

struct generation *
life_now(struct life *life)
{
	struct generation *g;

	pthread_mutex_lock(&life->lock);
	g = generation_hold(life->now);
	pthread_mutex_unlock(&life->lock);
	return g;
}

static void
tell_error(const char *text)
{
	log_msg(LOG_L_ERROR, "reload: %s", text);
}

/* ---- the check ---- */

/* A line of the child: "dcsd: FILE:LINE: text", or "FILE: ok". */
static void
take_line(void *arg, const char *line)
{
	const struct life *life = arg;
	size_t skip = strlen(life->service->name), len = strlen(line);

	if (len >= 4 && strcmp(line + len - 4, ": ok") == 0)
		return;
	if (strncmp(line, life->service->name, skip) == 0 &&
		strncmp(line + skip, ": ", 2) == 0)
		line += skip + 2;
	tell_error(line);
}

/* A malloc'd copy of this process's command line, extra in front of the options. */
static char **
copy_argv(char *extra, int *argc)
{
	char *const *given = self_argv();
	int n = 0, before = extra ? 2 : 1;
	char **argv;

	while (given[n])
		n++;
	argv = calloc((size_t)n + 2, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[0] = given[0];
	argv[1] = extra;
	memcpy(argv + before, given + 1, (size_t)(n - 1) * sizeof(*argv));
	*argc = n - 1 + before;
	return argv;
}

/* Whether the child finds nothing wrong; else all is told. */
static bool
check(struct life *life)
{
	static char test[] = "-t";
	char text[CHILD_STATUS_TEXT];
	int argc;
	char **argv = copy_argv(test, &argc);
	struct child_plan plan = { .path = self_path(), .argv = argv, .cwd = self_cwd() };
	int status = -1;

	if (!plan.path || !argv ||
		child_run(&plan, take_line, life, CHECK_MS, &status) == -1) {
		log_msg(LOG_L_ERROR, "reload: %s -t: %s",
			plan.path ? plan.path : life->service->name, strerror(errno));
		status = -1;
	} else if (status != 0) {
		log_msg(LOG_L_ERROR, "reload: %s -t: ended %s", plan.path,
			child_status_text(status, text));
	}
	free(argv);
	return status == 0;
}

/* ---- the threads of those that were replaced ---- */

static bool
stop(const struct life *life, struct generation *g)
{
	return !life->service->stop || life->service->stop(g->config) == 0;
}

bool
reload_stop_busy(struct life *life)
{
	bool all = true;

	for (size_t i = 0; i < LIFE_BUSY; i++) {
		struct generation *g = life->busy[i];

		if (!g)
			continue;
		if (stop(life, g)) {
			life->busy[i] = NULL;
			generation_release(g);
		} else {
			all = false;
		}
	}
	return all;
}

/* Stops one, and gives it up; or keeps it to be stopped another time. */
static void
retire(struct life *life, struct generation *g)
{
	if (stop(life, g)) {
		generation_release(g);
		return;
	}
	for (size_t i = 0; i < LIFE_BUSY; i++)
		if (!life->busy[i]) {
			life->busy[i] = g;
			return;
		}
	/* It stays for good, and so does what its threads use. */
	log_msg(LOG_L_WARNING,
		"reload: threads of earlier configurations do not end: "
		"a look-up of a name hangs");
}

/* ---- the change ---- */

static void
tell_listener(const struct listener *listener, const char *words, struct life *life)
{
	char text[ADDR_TEXT], name[256];

	life->service->via_name(listener->via, name, sizeof(name));
	log_msg(LOG_L_NOTICE, "%s %s%s%s", words,
		addr_text(&listener->socket->addr, text), name[0] ? " for route " : "",
		name);
}

void
life_tell_listening(const struct listener *listener, void *life)
{
	tell_listener(listener, "listening on", life);
}

static void
tell_gone(const struct listener *listener, void *life)
{
	tell_listener(listener, "no longer listening on", life);
}

/* Opens what next needs, beside what is in use. Returns 0, or -1: told, and undone. */
static int
prepare(struct life *life, struct generation *next)
{
	const struct service *service = life->service;
	const struct places *places = service->places(next->config);
	const struct server_place *failed;
	const char *why = NULL;

	if (bring_room(life, next->config, &life->room) == -1) {
		tell_error("limits: there is no room for that");
		return -1;
	}
	if (service->open)
		why = service->open(next->config, life->now->config);
	if (why) {
		tell_error(why);
		return -1;
	}
	if (server_prepare(life->server, next, places->list, places->n, &failed) == 0)
		return 0;
	bring_tell_failed(life, "reload: ", failed);
	return -1;
}

/* From here on clients come by next. Returns what they came by until now. */
static struct generation *
pass_over(struct life *life, struct generation *next)
{
	const struct service *service = life->service;
	struct generation *old = life->now;

	server_each_change(life->server, life_tell_listening, tell_gone, life);
	conns_set_max(server_conns(life->server), life->room.max_tunnels);
	log_set_level((enum log_level)service->settings(next->config)->level);
	server_commit(life->server);
	pthread_mutex_lock(&life->lock);
	life->now = next;
	pthread_mutex_unlock(&life->lock);
	if (service->begin)
		service->begin(next->config);
	return old;
}

static bool
is_gone(const struct conn *conn, void *arg)
{
	const struct life *life = arg;

	return conn->generation != life->now &&
		life->service->is_gone(life->now->config, conn);
}

/* With on_reload = "cut". */
static void
cut_gone(struct life *life)
{
	struct conns *conns = server_conns(life->server);
	size_t n;

	if (!life->service->settings(life->now->config)->cut_gone ||
		!life->service->is_gone)
		return;
	n = conns_cut_those(conns, is_gone, life, END_KILLED);
	if (n > 0)
		log_msg(LOG_L_NOTICE,
			"reload: %zu tunnels cut, whose user, rule or route is gone", n);
}

/* Changes that this process cannot follow. */
static void
tell_fixed(const struct life *life, struct generation *next)
{
	const struct settings *now = life->service->settings(life->now->config);
	const struct settings *then = life->service->settings(next->config);
	const char *key;

	for (size_t i = 0; (key = settings_fixed(now, then, i)); i++)
		log_msg(LOG_L_WARNING,
			"reload: %s: it has changed, which takes a restart", key);
}

/* Takes next, which stays or is given up. Returns 0, or -1: told, nothing has changed. */
static int
change(struct life *life, struct generation *next)
{
	const struct service *service = life->service;

	if (prepare(life, next) == -1) {
		generation_release(next);
		return -1;
	}
	if (service->start && service->start(next->config, life->server, next) == -1) {
		tell_error(strerror(errno));
		server_discard(life->server);
		retire(life, next);
		return -1;
	}
	tell_fixed(life, next);
	retire(life, pass_over(life, next));
	cut_gone(life);
	return 0;
}

/* ---- the whole ---- */

/* Returns the configuration that is to come, or NULL: told. */
static struct generation *
read_next(struct life *life)
{
	struct generation *next = NULL;
	struct setup setup;
	int argc;
	char **argv = copy_argv(NULL, &argc);

	if (!argv) {
		tell_error(strerror(errno));
		return NULL;
	}
	if (setup_make(&setup, life->service, argc, argv, tell_error) == -1) {
		next = setup_take(&setup);
		if (!next)
			tell_error(strerror(errno));
	}
	setup_free(&setup);
	free(argv);
	return next;
}

static const char *
reload_now(struct life *life)
{
	struct generation *next;

	if (life->service->settings(life->now->config)->chroot)
		return "in a chroot the files cannot be read again: restart it";
	(void)reload_stop_busy(life);
	next = check(life) ? read_next(life) : NULL;
	if (!next || change(life, next) == -1)
		return "the configuration in use stays, see the log";
	log_msg(LOG_L_NOTICE, "reload: done, %s", life->room.text);
	return NULL;
}

const char *
reload(struct life *life)
{
	const char *why = "the daemon is about to end";

	pthread_mutex_lock(&life->changing);
	if (!life->over) {
		notify_reloading();
		why = reload_now(life);
		notify_ready();
	}
	pthread_mutex_unlock(&life->changing);
	if (why)
		log_msg(LOG_L_ERROR, "reload: failed: %s", why);
	return why;
}
