/* SPDX-License-Identifier: ISC */
/*
 * watch: makes connections of its own to targets, to know of their health: at intervals
 * where a route has `probe`; and where a port refuses its clients because no target is
 * well (`on_failure = "refuse"`), until one is.
 */
#ifndef WATCH_H
#define WATCH_H

#include "ppp_conf.h"
#include "server.h"

struct watch;

/* conf and server stay the caller's, and must outlive it. Returns NULL with errno. */
struct watch *watch_start(struct ppp_conf *conf, struct server *server);

/*
 * The listening sockets are those of conf from now on: has them refuse clients, or take
 * them, whatever the configuration before wished of them.
 */
void watch_begin(struct watch *w);

/*
 * A client found no target at that port: if none is well, and the route says "refuse",
 * closes the port until one is. Any thread; does not block. After watch_stop: nothing.
 */
void watch_failed(struct watch *w, struct route_port *port);

/*
 * Makes nothing new, lets server alone, and ends its threads; waits at most wait_ms for
 * its connections. Returns 0, or -1: a look-up of a name takes longer; to be stopped
 * again.
 */
int watch_stop(struct watch *w, int wait_ms);

/* Nobody can call watch_failed any more, and it was stopped, with 0. NULL: nothing. */
void watch_free(struct watch *w);

#endif
