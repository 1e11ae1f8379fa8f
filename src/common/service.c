/* SPDX-License-Identifier: ISC */
/*
 * A daemon from argv to exit. All of it runs on the main thread, which reads and checks,
 * binds as root, drops privileges, starts the others, and then sits in sigwait(3) with
 * every signal blocked everywhere.
 */
#include "config.h"
#include "service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conns.h"
#include "daemon.h"
#include "io.h"
#include "log.h"
#include "pidfile.h"
#include "privs.h"

/* How long connections that were cut, and the threads behind them, may take to be gone.
 */
#define CUT_MS 1500

/* The signal by which the drain's watcher tells the main thread that it is over. */
#define SIGDRAINED SIGALRM

/* A daemon on its way up: what it holds, to be given back from the last to the first. */
struct start {
	const struct service *service;
	void *config;
	const struct options *options;
	const struct settings *settings;
	char room[CAPACITY_TEXT]; /* for the log: how many tunnels can be */
	int max_tunnels;	  /* that there is room for, or fewer if so configured */
	struct control *control;  /* NULL: none is configured */
	struct commands commands;
	struct privs privs;
	struct pidfile pidfile;
	struct server *server;
	bool started; /* or begun to: stop is due */
	bool busy;    /* it was called, and threads are left */
	sigset_t signals;
};

/* The file to read: NULL when none was named and the default one is not there. */
static const char *
config_path(const struct service *service, const struct options *o)
{
	if (o->config)
		return o->config;
	if (access(service->default_config, F_OK) == -1 && errno == ENOENT)
		return NULL;
	return service->default_config;
}

/* Reads and checks the configuration. Returns EXIT_OK, or the exit status. */
static int
configure(const struct service *service, void *config, const char *path)
{
	struct conf *conf = service->configure(config, path);
	size_t n;

	if (!conf) {
		fprintf(stderr, "%s: %s\n", service->name, strerror(errno));
		return EXIT_START;
	}
	n = conf_errors(conf);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s: %s\n", service->name, conf_error_text(conf, i));
	conf_free(conf);
	return n ? EXIT_CONFIG : EXIT_OK;
}

/* One start-up error, to the terminal and the log. */
static int
start_failed(const char *what, const char *why)
{
	log_msg(LOG_L_ERROR, "%s: %s", what, why);
	return -1;
}

static int
hold_pidfile(struct start *st)
{
	const char *path = st->settings->pidfile;
	pid_t holder;
	char why[64];

	if (!path && !st->options->foreground)
		path = st->service->default_pidfile;
	if (!path || pidfile_hold(&st->pidfile, path, &holder) == 0)
		return 0;
	if (errno != EEXIST)
		return start_failed(path, strerror(errno));
	snprintf(why, sizeof(why), "already running (pid %ld)", (long)holder);
	return start_failed(path, why);
}

/* Who it will run as. */
static uid_t
user_of(const struct start *st)
{
	return st->privs.change ? st->privs.uid : geteuid();
}

static int
open_log_file(const struct start *st)
{
	const char *path = st->settings->log_file;
	const char *why = path ? log_to_file(path, user_of(st)) : NULL;

	return why ? start_failed(path, why) : 0;
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

/*
 * Finds out how many tunnels there is room for. More than there can ever be is an error;
 * more than there can be at this hour is not, as that passes.
 */
static int
find_room(struct start *st)
{
	const struct capacity_self self = { capacity_raise_nofile(), user_of(st), 0 };
	int asked = st->settings->max_tunnels;
	struct capacity_needs needs;
	struct capacity_facts facts;
	struct capacity_room room;

	st->service->needs(st->config, &needs);
	needs.of[CAPACITY_FDS].reserve += st->service->places(st->config)->n;
	capacity_collect(&facts, "/", &self);
	if (tell_short(&facts, &needs, CAPACITY_AT_BEST, asked) > 0)
		return -1;
	(void)tell_short(&facts, &needs, CAPACITY_NOW, asked);
	room = capacity_room(&facts, &needs, CAPACITY_NOW);
	(void)capacity_text(&room, st->room);
	room = capacity_room(&facts, &needs, CAPACITY_AT_BEST);
	st->max_tunnels = asked > 0 ? asked : room.tunnels;
	return 0;
}

static int
bind_places(struct start *st)
{
	const struct places *places = st->service->places(st->config);
	const struct server_place *failed;
	const struct gate gate = { st->service->admit, st->service->leave, st->config };
	char text[ADDR_TEXT + 128], via[128];

	st->server = server_new(st->service->serve, st->config, st->max_tunnels, &gate);
	if (!st->server)
		return start_failed("start", strerror(errno));
	if (st->settings->control)
		conns_tell(server_conns(st->server));
	if (server_bind(st->server, places->list, places->n, &failed) == 0)
		return 0;
	addr_text(&failed->at.addr, text);
	strncat(text, st->service->via_text(failed->via, via, sizeof(via)), 127);
	return start_failed(text, strerror(errno));
}

static int
open_service(struct start *st)
{
	const char *why = st->service->open ? st->service->open(st->config) : NULL;

	if (!why)
		return 0;
	log_msg(LOG_L_ERROR, "%s", why);
	return -1;
}

static int
open_control(struct start *st)
{
	const char *path = st->settings->control;
	const char *why = path ? control_open(&st->control, path, user_of(st)) : NULL;

	return why ? start_failed(path, why) : 0;
}

/* Returns 0, or -1 with errno. */
static int
start_control(struct start *st)
{
	st->commands = (struct commands){
		.name = st->service->name,
		.server = st->server,
		.max_tunnels = st->max_tunnels,
		.start_ms = io_now_ms(),
		.via_text = st->service->via_text,
		.more = st->service->status,
		.config = st->config,
	};
	return st->control ? control_start(st->control, commands_table, &st->commands,
				     CONTROL_CLIENT_MS)
			   : 0;
}

/* The commands use the server: none is answered any more when this returns. */
static void
close_control(struct start *st)
{
	control_free(st->control, true);
	st->control = NULL;
}

static int
drop_privileges(struct start *st)
{
	const char *step = privs_drop(&st->privs, st->settings->chroot);

	return step ? start_failed(step, strerror(errno)) : 0;
}

static int
start_service(struct start *st)
{
	if (!st->service->start)
		return 0;
	st->started = true;
	return st->service->start(st->config, st->server);
}

/* The steps that need root, then those that start threads. Returns 0, or -1: told. */
static int
bring_up(struct start *st)
{
	if (open_log_file(st) == -1 || hold_pidfile(st) == -1 || find_room(st) == -1 ||
		bind_places(st) == -1 || open_control(st) == -1 ||
		open_service(st) == -1 || drop_privileges(st) == -1)
		return -1;
	if (log_start() == -1 || start_service(st) == -1 ||
		server_start(st->server) == -1 || start_control(st) == -1)
		return start_failed("thread", strerror(errno));
	return 0;
}

static void
tell_ready(const struct start *st)
{
	char text[ADDR_TEXT], buf[128];
	const void *via;

	for (size_t i = 0; i < server_listeners(st->server); i++) {
		const struct addr *addr = server_listener(st->server, i, &via);

		log_msg(LOG_L_NOTICE, "listening on %s%s", addr_text(addr, text),
			st->service->via_text(via, buf, sizeof(buf)));
	}
	log_msg(LOG_L_NOTICE, "%s", st->room);
	log_msg(LOG_L_NOTICE, "%s %s ready", st->service->name, PACKAGE_VERSION);
}

static void
log_line(void *to, const char *text)
{
	(void)to;
	log_msg(LOG_L_NOTICE, "status: %s", text);
}

/* Waits for a signal that ends the daemon, or, while draining, the drain. */
static int
wait_signal(const struct start *st, bool draining)
{
	int sig;

	for (;;) {
		if (sigwait(&st->signals, &sig) != 0)
			continue;
		if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT ||
			(draining && sig == SIGDRAINED))
			return sig;
		if (sig == SIGHUP && st->settings->log_file)
			(void)log_reopen();
		else if (sig == SIGUSR1)
			commands_status(&st->commands, log_line, NULL);
		else
			log_msg(LOG_L_NOTICE, "signal %d: nothing to do", sig);
	}
}

struct drain {
	struct conns *conns;
	int64_t until_ms;
};

static void *
watch_drain(void *arg)
{
	const struct drain *drain = arg;

	(void)conns_wait(drain->conns, drain->until_ms);
	kill(getpid(), SIGDRAINED);
	return NULL;
}

/* Cuts what is left. Returns false when some is still there after CUT_MS. */
static bool
cut_all(struct conns *conns, enum end why)
{
	size_t n = conns_cut(conns, why);

	if (n > 0)
		log_msg(LOG_L_NOTICE, "%zu tunnels cut", n);
	return conns_wait(conns, io_now_ms() + CUT_MS) == 0;
}

/* No more clients, and none of the daemon's own threads that might bring some. */
static void
quiesce(struct start *st)
{
	server_quiesce(st->server);
	if (st->started && st->service->stop(st->config) == -1)
		st->busy = true;
	st->started = false;
}

/*
 * Lets the tunnels finish until they have, the time is over, or a second signal comes;
 * then cuts the others. Returns as cut_all.
 */
static bool
drain_tunnels(const struct start *st)
{
	struct conns *conns = server_conns(st->server);
	struct drain drain = { conns, io_now_ms() + st->settings->drain_ms };
	pthread_t watcher;
	enum end why = END_DRAINED;
	bool all_gone;

	log_msg(LOG_L_NOTICE, "draining %zu tunnels for at most %lld s",
		conns_count(conns), (long long)(st->settings->drain_ms + 999) / 1000);
	if (pthread_create(&watcher, NULL, watch_drain, &drain) != 0)
		return cut_all(conns, END_SHUTDOWN);
	if (wait_signal(st, true) != SIGDRAINED)
		why = END_SHUTDOWN;
	all_gone = cut_all(conns, why);
	/* If not, the watcher may be waiting still, and the process ends over it. */
	if (all_gone)
		pthread_join(watcher, NULL);
	else
		pthread_detach(watcher);
	return all_gone;
}

/* Serves until told to end. Returns as cut_all. */
static bool
serve(struct start *st)
{
	int sig = wait_signal(st, false);
	bool all_gone;

	quiesce(st);
	if (sig == SIGQUIT)
		all_gone = cut_all(server_conns(st->server), END_SHUTDOWN);
	else
		all_gone = drain_tunnels(st);
	log_msg(LOG_L_NOTICE, "%s ends", st->service->name);
	return all_gone;
}

/* After a failed start, which may have come as far as to threads. Returns as cut_all. */
static bool
abandon(struct start *st)
{
	if (!st->server)
		return true;
	quiesce(st);
	return cut_all(server_conns(st->server), END_SHUTDOWN);
}

/* The life of the process that serves, after detaching. Returns its exit status. */
static int
live(struct start *st)
{
	int status = EXIT_OK;
	bool all_gone;

	pthread_sigmask(SIG_BLOCK, &st->signals, NULL);
	if (bring_up(st) == -1)
		status = EXIT_START;
	if (status == EXIT_OK)
		tell_ready(st);
	daemon_ready(status);
	all_gone = status == EXIT_OK ? serve(st) : abandon(st);
	close_control(st);
	if (st->busy)
		all_gone = false;
	if (all_gone && st->server)
		all_gone = server_free(st->server, CUT_MS) == 0;
	if (all_gone && st->service->close)
		st->service->close(st->config);
	pidfile_drop(&st->pidfile);
	log_stop(CUT_MS);
	/* A thread in getaddrinfo cannot be woken, and still uses what is there. */
	if (!all_gone)
		_exit(status);
	return status;
}

/* From a checked configuration on. */
static int
start(const struct service *service, void *config, const struct options *o)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGDRAINED };
	const struct settings *settings = service->settings(config);
	struct start st = {
		.service = service,
		.config = config,
		.options = o,
		.settings = settings,
		.pidfile = PIDFILE_NONE,
	};
	const char *why = privs_lookup(&st.privs, settings->user, settings->group);

	sigemptyset(&st.signals);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&st.signals, signals[i]);
	log_open(service->name, settings->facility, settings->level, o->foreground);
	if (why) {
		log_msg(LOG_L_ERROR, "user %s%s%s: %s",
			settings->user ? settings->user : "-",
			settings->group ? ", group " : "",
			settings->group ? settings->group : "", why);
		return EXIT_START;
	}
	if (!o->foreground && daemon_detach() == -1) {
		(void)start_failed("detach", strerror(errno));
		return EXIT_START;
	}
	return live(&st);
}

/* A malloc'd absolute form of path, which the daemon needs once its folder is /. */
static char *
absolute(const char *path)
{
	char cwd[4096], *text;
	size_t size;

	if (path[0] == '/')
		return strdup(path);
	if (!getcwd(cwd, sizeof(cwd)))
		return NULL;
	size = strlen(cwd) + strlen(path) + 2;
	text = malloc(size);
	if (text)
		snprintf(text, size, "%s/%s", cwd, path);
	return text;
}

static int
replace(char **text, char *by)
{
	free(*text);
	*text = by;
	return by ? 0 : -1;
}

/* What the command line overrides. Returns 0, or -1 with errno. */
static int
override(struct settings *s, const struct options *o)
{
	if (o->verbose)
		s->level = LOG_L_DEBUG;
	if (o->pidfile && replace(&s->pidfile, absolute(o->pidfile)) == -1)
		return -1;
	if (!o->user)
		return 0;
	(void)replace(&s->group, o->group ? strdup(o->group) : NULL);
	if (o->group && !s->group)
		return -1;
	return replace(&s->user, strdup(o->user));
}

/* With the options taken: reads the configuration and does what they say. */
static int
act(const struct service *service, void *config, const struct options *o)
{
	const char *path = config_path(service, o);
	int status = configure(service, config, path);

	if (status != EXIT_OK)
		return status;
	if (override(service->settings(config), o) == -1) {
		fprintf(stderr, "%s: %s\n", service->name, strerror(errno));
		return EXIT_START;
	}
	if (o->test) {
		printf("%s: ok\n", path ? path : "built-in defaults");
		return EXIT_OK;
	}
	status = service->instead ? service->instead(config) : -1;
	return status == -1 ? start(service, config, o) : status;
}

int
service_run(const struct service *service, void *config, int argc, char **argv)
{
	struct options o;
	int status;

	if (daemon_clean_start() == -1)
		return EXIT_START;
	status = options_parse(
		&o, argc, argv, service->name, service->options, service->option, config);
	if (status == -1)
		status = act(service, config, &o);
	options_free(&o);
	return status;
}
