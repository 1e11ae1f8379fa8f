/* SPDX-License-Identifier: ISC */
/*
 * A daemon from argv to exit. All of it runs on the main thread, which reads and checks,
 * binds as root, drops privileges, starts the others (bring_up), and then sits in
 * sigwait(3) with every signal blocked everywhere.
 */
#include "config.h"
#include "service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "daemon.h"
#include "inherit.h"
#include "io.h"
#include "life.h"
#include "log.h"
#include "notify.h"
#include "self.h"
#include "upgrade.h"

static void
tell_ready(struct life *life)
{
	server_each_listener(life->server, life_tell_listening, life);
	log_msg(LOG_L_NOTICE, "%s", life->room.text);
	log_msg(LOG_L_NOTICE, "%s %s ready", life->service->name, PACKAGE_VERSION);
}

/* All who wait for it are told that it serves. */
static void
report_ready(struct life *life)
{
	tell_ready(life);
	(void)pidfile_write(&life->pidfile);
	daemon_ready(EXIT_OK);
	if (upgrade_in_progress())
		notify_main_pid(getpid());
	upgrade_ready();
	notify_ready();
}

/* Commands are answered already: a reload has to wait. */
static void
report(struct life *life, int status)
{
	pthread_mutex_lock(&life->changing);
	if (status == EXIT_OK)
		report_ready(life);
	else
		daemon_ready(status);
	pthread_mutex_unlock(&life->changing);
}

static void
log_line(void *to, const char *text)
{
	(void)to;
	log_msg(LOG_L_NOTICE, "status: %s", text);
}

static void
on_hup(struct life *life)
{
	/* A file that was renamed, by logrotate say, is opened anew before all else. */
	(void)log_reopen();
	(void)reload(life);
}

/* What a signal that does not end the daemon has it do. Returns whether it ends it. */
static bool
heed(struct life *life, int sig, bool draining)
{
	if (sig == SIGUSR1)
		commands_status(life, log_line, NULL);
	else if (sig == SIGHUP && draining)
		(void)log_reopen();
	else if (sig == SIGHUP)
		on_hup(life);
	else if (sig == SIGUSR2 && !draining)
		return handover(life);
	else
		log_msg(LOG_L_NOTICE, "signal %d: nothing to do", sig);
	return false;
}

int
service_wait(struct life *life, bool draining)
{
	int sig;

	for (;;) {
		if (sigwait(&life->signals, &sig) != 0)
			continue;
		if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT ||
			(draining && sig == SIGDRAINED))
			return sig;
		if (heed(life, sig, draining))
			return sig;
	}
}

/* The commands use the server: none is answered any more when this returns. */
static void
close_control(struct life *life, bool remove)
{
	control_free(life->control, remove);
	life->control = NULL;
}

/* Another process serves now: what was left to it is no longer ours. */
static bool
leave_to_successor(struct life *life)
{
	const struct settings *settings = life->service->settings(life->now->config);
	int64_t ms = settings->upgrade_ms;

	pidfile_forget(&life->pidfile);
	close_control(life, false);
	drain_quiesce(life);
	return drain_tunnels(life, ms == 0 ? DRAIN_FOREVER : ms);
}

/* Serves until told to end. Returns whether all tunnels are gone. */
static bool
serve(struct life *life)
{
	int sig = service_wait(life, false);
	bool all_gone;

	if (sig == SIGUSR2) {
		all_gone = leave_to_successor(life);
	} else {
		notify_stopping();
		drain_quiesce(life);
		all_gone = sig == SIGQUIT
			? drain_cut(life, END_SHUTDOWN)
			: drain_tunnels(life,
				  life->service->settings(life->now->config)->drain_ms);
	}
	log_msg(LOG_L_NOTICE, "%s ends", life->service->name);
	return all_gone;
}

/*
 * After a failed start, which may have come as far as to threads. What was inherited from
 * a process that goes on is left to it. Returns as serve.
 */
static bool
abandon(struct life *life)
{
	if (upgrade_in_progress()) {
		pidfile_forget(&life->pidfile);
		close_control(life, false);
	}
	if (!life->server)
		return true;
	drain_quiesce(life);
	return drain_cut(life, END_SHUTDOWN);
}

/* The life of the process that serves, after detaching. Returns its exit status. */
static int
live(struct life *life)
{
	int status = EXIT_OK;
	bool all_gone;

	pthread_sigmask(SIG_BLOCK, &life->signals, NULL);
	if (bring_up(life) == -1)
		status = EXIT_START;
	report(life, status);
	all_gone = status == EXIT_OK ? serve(life) : abandon(life);
	close_control(life, true);
	if (life->is_busy)
		all_gone = false;
	if (all_gone && life->server)
		all_gone = server_free(life->server, DRAIN_CUT_MS) == 0;
	if (all_gone)
		generation_release(life->now);
	pidfile_drop(&life->pidfile);
	log_stop(DRAIN_CUT_MS);
	notify_close();
	/* A thread in getaddrinfo cannot be woken, and still uses what is there. */
	if (!all_gone)
		_exit(status);
	return status;
}

/* Into the background; but not when the process that is replaced waits for this one. */
static int
detach(const struct life *life)
{
	if (life->setup.options.foreground)
		return 0;
	if (upgrade_in_progress())
		return chdir("/");
	return daemon_detach();
}

static void
tell_bad_user(const struct settings *settings, const char *why)
{
	log_msg(LOG_L_ERROR, "user %s%s%s: %s", settings->user ? settings->user : "-",
		settings->group ? ", group " : "", settings->group ? settings->group : "",
		why);
}

static void
life_init(struct life *life)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGDRAINED };

	life->start_ms = io_now_ms();
	pthread_mutex_init(&life->changing, NULL);
	pthread_mutex_init(&life->lock, NULL);
	sigemptyset(&life->signals);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&life->signals, signals[i]);
}

/* From a checked configuration on. */
static int
start(struct life *life)
{
	const struct settings *settings = life->service->settings(life->setup.config);
	const char *why = privs_lookup(&life->privs, settings->user, settings->group);
	char text[256];

	life_init(life);
	log_open(life->service->name, settings->facility, settings->level,
		life->setup.options.foreground);
	if (why) {
		tell_bad_user(settings, why);
		return EXIT_START;
	}
	if (inherit_take(text, sizeof(text)) == -1) {
		log_msg(LOG_L_ERROR, "%s", text);
		return EXIT_START;
	}
	life->now = setup_take(&life->setup);
	if (!life->now || detach(life) == -1) {
		log_msg(LOG_L_ERROR, "%s: %s", life->now ? "detach" : "start",
			strerror(errno));
		generation_release(life->now);
		return EXIT_START;
	}
	return live(life);
}

static const char *program; /* for print_error */

static void
print_error(const char *text)
{
	fprintf(stderr, "%s: %s\n", program, text);
}

/* With the options taken and the file read: does what they say. */
static int
act(struct life *life)
{
	const struct service *service = life->service;
	const struct setup *setup = &life->setup;
	int status = -1;

	if (setup->options.test) {
		printf("%s: ok\n", setup->path ? setup->path : "built-in defaults");
		return EXIT_OK;
	}
	if (service->instead)
		status = service->instead(setup->config);
	return status == -1 ? start(life) : status;
}

/* What the process is given, before it opens anything. Returns 0, or -1. */
static int
note_start(int argc, char **argv)
{
	if (daemon_clean_start() == -1)
		return -1;
	upgrade_take();
	(void)self_note(argc, argv);
	(void)notify_take();
	return 0;
}

int
service_run(const struct service *service, int argc, char **argv)
{
	struct life life = { .service = service, .pidfile = PIDFILE_NONE };
	int status;

	program = service->name;
	if (note_start(argc, argv) == -1)
		return EXIT_START;
	status = setup_make(&life.setup, service, argc, argv, print_error);
	if (status == -1)
		status = act(&life);
	setup_free(&life.setup);
	return status;
}
