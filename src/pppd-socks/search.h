/* SPDX-License-Identifier: ISC */
/*
 * search: which target a client tries next, and through which upstream: by the balance of
 * its route and by what is known of their health. Any thread; never blocks.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include "hop.h"
#include "route.h"

/*
 * One client's search. search_next gives a pair of target and upstream that this client
 * has not tried yet: first those that are well, or may be tried again, in the order of
 * the balance; when there is none, those that are sick; never one that is disabled.
 * search_tell says what came of it.
 */
struct search {
	struct route_port *port;
	uint64_t source;
	int target, upstream;	       /* the pair that was given last; -1: none yet */
	int left;		       /* pairs that can still be given after it */
	uint64_t tried[ROUTE_TARGETS]; /* by target: a bit for each upstream */
	uint64_t off;		       /* upstreams that this client has done with */
	uint64_t seen;		       /* targets that had their turn in this round */
	bool stay;  /* the same target is to be tried through another upstream */
	bool holds; /* the pair is counted as active */
};

void search_begin(struct search *s, struct route_port *port, const struct addr *client);

/*
 * The next pair, which counts as active until the next call of this, or search_end.
 * False: there is none any more.
 */
bool search_next(struct search *s);

/*
 * What came of the pair. Its health, and that of the upstream, change by it, and each
 * change is a line in the log. error: in words, for that line.
 */
void search_tell(struct search *s, enum hop_result result, const char *error);

/* The tunnel through the pair, if there was one, is over. Also before the first pair. */
void search_end(struct search *s);

/* Of the pair that was given last; NULL before. */
const struct target *search_target(const struct search *s);
struct upstream *search_upstream(const struct search *s);

/* What came of a connection that no client waits for: a spare, a probe of a pair. */
void search_tell_upstream(struct upstream *u, const struct hold_off *hold_off,
	enum hop_result result, const char *error);
void search_tell_pair(struct route_port *port, int target, int upstream,
	enum hop_result result, const char *error);

/* Whether nobody has disabled its target or its upstream. */
bool search_may(const struct route_port *port, int target, int upstream);

/* Whether a pair is sick and its hold-off over; then the caller is the one to try it. */
bool search_claim(struct route_port *port, int target, int upstream);

/*
 * How things are, for people. Of a pair: whether it is well, whether its target is
 * disabled, and the tunnels to the target through whichever upstream.
 */
struct search_state {
	bool well, disabled;
	size_t tunnels;
};
struct search_state search_upstream_state(const struct upstream *u);
struct search_state search_target_state(
	const struct route_port *port, int target, int upstream);

/* Whether any target is well, through an upstream that is well, and none is disabled. */
bool search_any_well(struct route_port *port);

#endif
