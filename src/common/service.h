/* SPDX-License-Identifier: ISC */
/*
 * service: the life of a daemon from its command line to its exit, the same for both:
 * options, configuration, detach, log, pidfile, bind, open, privileges, start, accept,
 * ready, serve; then no more accepting, stop, drain, close. A reload opens and starts
 * another configuration beside the present one, which is then stopped, and freed with its
 * last tunnel.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "capacity.h"
#include "conf.h"
#include "generation.h"
#include "options.h"
#include "places.h"
#include "server.h"
#include "settings.h"

/* Takes one line of an answer. */
typedef void service_line(void *to, const char *text);

/* Takes a socket that a new process is to have from us; it stays ours. */
typedef void service_socket(void *to, int fd);

/*
 * What makes a daemon this daemon. config is its own struct: made by make, and freed by
 * free, each time that the configuration is read.
 */
struct service {
	const char *name;	     /* of the program, in the log and in messages */
	const char *default_config;  /* read when there is no -c, if it is there */
	const char *default_pidfile; /* unless configured, or in the foreground */
	const struct option_row *options;

	/* A new one, with the defaults. NULL: out of memory. */
	void *(*make)(void);
	/*
	 * When nothing uses it any more, on any thread: frees it, with all that open and
	 * start have made, if they were called. Must not block.
	 */
	void (*free)(void *config);
	options_own *option; /* takes one of its own options into config */
	/* Reads the file (NULL: there is none) and checks the whole. As conf_read. */
	struct conf *(*configure)(void *config, const char *path);
	struct settings *(*settings)(void *config);
	const struct places *(*places)(void *config);
	/* What to do instead of serving (--explain): the exit status, or -1: serve. */
	int (*instead)(void *config); /* may be NULL */
	/* What a tunnel takes, and the daemon without any; its fds for listening aside.
	 */
	void (*needs)(const void *config, struct capacity_needs *needs);

	server_serve *serve; /* serves one client; by conn->generation->config */
	size_t conn_room;    /* what it keeps of a client, in conn->room: so many bytes */
	/* Whom to let in, as enter and leave of struct gate; may be NULL, both. */
	enum gate_answer (*admit)(
		void *config, const struct addr *peer, const char **why);
	void (*leave)(void *config, const struct addr *client);
	bool answers; /* who is refused at the limit is served: see struct gate */

	/*
	 * Opens what serving needs, before privileges are dropped and before threads; on
	 * a reload without privileges, with threads, and before is the configuration in
	 * use, from which it takes over what outlives a reload, and which goes on if this
	 * fails. Returns NULL, or what is wrong. free undoes it.
	 */
	const char *(*open)(void *config, void *before); /* may be NULL */
	/*
	 * start: the daemon's own threads, as the last step before clients are accepted,
	 * who thus find all that it has made; privileges are dropped, the log is written
	 * by its thread. On a reload those of the configuration before still run. The
	 * threads may use server until stop. Returns 0, or -1 with errno, and is undone
	 * by stop all the same.
	 * begin: clients come by this configuration from now on, and the listening
	 * sockets are its own.
	 * stop: ends the threads, when no client comes by this configuration any more,
	 * and before those who are there have time to end, or are cut. These may still
	 * use what start has made: it is freed by free. Returns 0, or -1 when a thread is
	 * busy, in the resolver say: to be called again.
	 * end: the process serves no more clients: what outlives a reload ends too.
	 * Returns as stop.
	 */
	int (*start)(void *config, struct server *server,
		struct generation *generation); /* may be NULL, all */
	void (*begin)(void *config);
	int (*stop)(void *config);
	int (*end)(void *config);
	/*
	 * After a reload with on_reload = "cut": whether what the tunnel lives by, a
	 * user, rule or route, is gone in config, a later one than its own. Under a lock:
	 * must not block.
	 */
	bool (*is_gone)(const void *config, const struct conn *conn);

	/* An administrator's wishes. Return how many things have that name. NULL: none.
	 */
	size_t (*enable)(void *config, const char *name, bool enable);
	size_t (*drain)(void *config, const char *name, bool drain);
	/* Sockets of its own, beside those of the server, for a new process; or NULL. */
	void (*sockets)(void *config, service_socket *take, void *to);
	/* More for the command status: lines "key value"; may be NULL. */
	void (*status)(const void *config, service_line *line, void *to);
	/* The name of the route, escaped, or "" where there are none. Returns buf. */
	char *(*via_name)(const void *via, char *buf, size_t size);
};

/* Runs it. Returns the exit status. */
int service_run(const struct service *service, int argc, char **argv);

#endif
