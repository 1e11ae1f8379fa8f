/* SPDX-License-Identifier: ISC */
/*
 * crowd: what the accepting thread does when as many clients are there as may be. Those
 * who come then are left in the backlog for a second, in which others may end; then the
 * half-closed tunnels go that have been idle for the longest; then they are refused.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <stdint.h>
#include "conns.h"
#include "log.h"

/* Of the accepting thread alone. Zero initialised: there is room. */
struct crowd {
	int64_t until_ms; /* clients wait until then; 0: none does */
	bool cut;	  /* half-closed tunnels were; they need a moment to be gone */
	bool refuses;
	size_t n_cut, n_refused; /* since it was told of last */
	struct log_rate rate;
};

/*
 * Somebody waits to be accepted: whether to leave it in the backlog, until until_ms or
 * until there is room. If not, it may be that it is to be refused.
 */
bool crowd_holds(struct crowd *crowd, struct conns *conns);

/* A client was refused. */
void crowd_refused(struct crowd *crowd);

/*
 * All sockets were looked at, and whether anybody waited there: who comes after one that
 * was refused, or when nobody waited, waits anew. Tells of the crowd in the log, once a
 * minute at most, and of who has the most connections.
 */
void crowd_passed(struct crowd *crowd, struct conns *conns, bool anybody);

#endif
