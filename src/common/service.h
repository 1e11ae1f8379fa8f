/* SPDX-License-Identifier: ISC */
/*
 * service: the life of a daemon from its command line to its exit, the same for both:
 * options, configuration, detach, log, pidfile, bind, open, privileges, start, accept,
 * ready, serve; then no more accepting, stop, drain, close.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "capacity.h"
#include "commands.h"
#include "conf.h"
#include "options.h"
#include "places.h"
#include "server.h"
#include "settings.h"

/* What makes a daemon this daemon. config is its own struct, defaults filled in. */
struct service {
	const char *name;	     /* of the program, in the log and in messages */
	const char *default_config;  /* read when there is no -c, if it is there */
	const char *default_pidfile; /* unless configured, or in the foreground */
	const struct option_row *options;
	options_own *option; /* takes one of its own options into config */
	server_serve *serve; /* serves one client; its arg is config */
	/* What a tunnel takes, and the daemon without any; its fds for listening aside.
	 */
	void (*needs)(const void *config, struct capacity_needs *needs);
	/* Whom to let in, as enter and leave of struct gate; may be NULL, both. */
	enum gate_answer (*admit)(
		void *config, const struct addr *peer, const char **why);
	void (*leave)(void *config, const struct addr *client);

	/* Reads the file (NULL: there is none) and checks the whole. As conf_read. */
	struct conf *(*configure)(void *config, const char *path);
	struct settings *(*settings)(void *config);
	const struct places *(*places)(void *config);
	/* What to do instead of serving (--explain): the exit status, or -1: serve. */
	int (*instead)(void *config); /* may be NULL */
	/*
	 * Opens what serving needs, before privileges are dropped and before threads.
	 * Returns NULL, or what is wrong. close undoes it, when nothing serves any more.
	 */
	const char *(*open)(void *config); /* may be NULL, both */
	void (*close)(void *config);
	/*
	 * start: the daemon's own threads, as the last step before clients are accepted,
	 * who thus find all that it has made; privileges are dropped, the log is written
	 * by its thread. Returns 0, or -1 with errno, and is undone by stop all the same.
	 * stop: ends them, when no client is accepted any more, and before those who are
	 * there have time to end, or are cut. These may still use what start has made: it
	 * is freed in close. Returns 0, or -1 when a thread is busy, in the resolver say:
	 * the process will end over it, without close.
	 * The threads may use server until stop.
	 */
	int (*start)(void *config, struct server *server); /* may be NULL, both */
	int (*stop)(void *config);
	/* More for the command status: lines "key value"; may be NULL. */
	void (*status)(const void *config, commands_line *line, void *to);
	/* Words for the log, as " for route web", or "". */
	const char *(*via_text)(const void *via, char *buf, size_t size);
};

/* Runs it. Returns the exit status. */
int service_run(const struct service *service, void *config, int argc, char **argv);

#endif
