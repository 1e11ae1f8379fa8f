/* SPDX-License-Identifier: ISC */
/*
 * life: what a daemon that lives is made of, for the files that are its stages: bring_up,
 * service (which waits for signals), reload, handover, drain; and for commands.
 *
 * Locks: changing, then lock. Under changing a reload or a hand-over runs its whole
 * length, with all that it waits for; under lock nothing else is done.
 */
#ifndef LIFE_H
#define LIFE_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "control.h"
#include "pidfile.h"
#include "privs.h"
#include "service.h"
#include "setup.h"

#define LIFE_BUSY 16 /* configurations at a time whose threads do not end */

/* How many tunnels there may be by that configuration. */
struct room {
	int max_tunnels;
	char text[CAPACITY_TEXT]; /* for the log */
};

struct life {
	const struct service *service;
	struct setup setup; /* of the start; path and options are good for all of life */
	struct privs privs;
	struct pidfile pidfile;
	struct control *control; /* NULL: none is configured */
	struct server *server;
	int64_t start_ms;
	sigset_t signals; /* that it waits for */
	bool started;	  /* or begun to: stop is due */
	bool is_busy;	  /* it was called, and threads are left */

	pthread_mutex_t changing;
	struct room room;
	bool over; /* nothing is to change any more: it ends, or was replaced */
	/* Stopped, but for threads that are busy; each holds its generation. */
	struct generation *busy[LIFE_BUSY];

	pthread_mutex_t lock;
	struct generation *now; /* the configuration in use */
};

/* The configuration in use, held for the caller. Any thread. */
struct generation *life_now(struct life *life);

/* ---- bring_up ---- */

/*
 * The steps from a configuration to a daemon that serves: those that need root, then
 * those that start threads. Returns 0; or -1: told, and what is there is to be taken
 * down.
 */
int bring_up(struct life *life);

/*
 * Finds out how many tunnels there is room for. More than there can ever be is an error,
 * and told; more than there can be at this hour is not, as that passes. 0 or -1.
 */
int bring_room(struct life *life, void *config, struct room *room);

/* Tells of a place that cannot be listened at (errno), behind prefix. */
void bring_tell_failed(
	const struct life *life, const char *prefix, const struct server_place *failed);

/* "listening on 127.0.0.1:8887 for route web". A server_visit; its arg is the life. */
void life_tell_listening(const struct listener *listener, void *life);

/* ---- reload ---- */

/*
 * Reads and checks the configuration anew, and puts it in the place of the present one;
 * or tells what is wrong with it, and nothing changes. Blocks for as long as that takes,
 * half a minute at most. Returns NULL, or a static text. Any thread.
 */
const char *reload(struct life *life);

/* Ends the threads that were busy before. False: some are so still. Under changing. */
bool reload_stop_busy(struct life *life);

/* ---- hand-over ---- */

/*
 * Starts the program that is installed now, on the same sockets, and waits until it
 * serves. Returns true: it does, and this process is to take no more clients, and to
 * leave pidfile and control socket alone. False: told why, and all is as before.
 */
#define HANDOVER_MS 60000 /* for the new process to serve */
bool handover(struct life *life);

/* ---- drain ---- */

/* No more clients, and none of the daemon's own threads that might bring some. */
void drain_quiesce(struct life *life);

/*
 * Lets the tunnels finish until they have, drain_ms is over, or a second signal comes;
 * then cuts the others. Returns whether all are gone.
 */
#define DRAIN_FOREVER INT64_MAX
bool drain_tunnels(struct life *life, int64_t drain_ms);

/* Cuts what is left. Returns false when some is still there after a while. */
bool drain_cut(struct life *life, enum end why);

/* How long connections that were cut, and the threads behind them, may take to be gone.
 */
#define DRAIN_CUT_MS 1500

/* Waits for a signal to end, or for the drain to be over. Others are done, or told. */
#define SIGDRAINED SIGALRM
int service_wait(struct life *life, bool draining);

#endif
