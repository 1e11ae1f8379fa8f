/* SPDX-License-Identifier: ISC */
/*
 * reach: one client's way to the reply of an upstream: a search, a hop for each pair that
 * it gives, one deadline for all of them, and the log lines that tell of it.
 */
#ifndef REACH_H
#define REACH_H

#include "conns.h"
#include "hop.h"
#include "search.h"
#include "settings.h"

/* Lives on the stack of the thread that serves the client. */
struct reach {
	/* For whom: set by the caller, as reach_begin leaves the rest. */
	struct conn *conn;
	const struct settings *common;
	int watch;	/* whose hang-up ends it */
	struct addr at; /* where the client has connected to, for PROXY headers */

	struct search search;
	struct hop hop;	   /* the one that is under way, or was last */
	int64_t until_ms;  /* no try begins later */
	int64_t dial_ms;   /* until the tunnel stood; -1: it never did */
	const char *error; /* why it did not, in words; NULL: nothing to tell */
};

/* Begins a search for conn's port (its via), and tells the log, at debug. */
void reach_begin(struct reach *r);

/*
 * Changes a result before the search is told, after more was done with the hop, say. arg
 * is reach_pair's.
 */
typedef enum hop_result reach_judge(void *arg, enum hop_result result);

/*
 * Sends the command through one pair after another, until one succeeds or
 * timeouts.connect is over: a try that has others behind it gets half of the time that is
 * left. CONNECT names the target; other commands nothing. judge may be NULL. Returns the
 * result of the last try: after HOP_OK the hop has the socket; error is set otherwise,
 * unless the client left.
 */
enum hop_result reach_pair(
	struct reach *r, enum socks_command command, reach_judge *judge, void *arg);

/* Ends the search, and tells the log. more: further fields, each with a space before it.
 */
void reach_end(struct reach *r, const char *more);

#endif
