/* SPDX-License-Identifier: ISC */
/* cost: what processes and the whole system use, by /proc. */
#ifndef COST_H
#define COST_H

#include "gauge.h"

struct cost {
	double cpu_s;  /* user and system, of threads and children that have ended, too */
	double rss_kb; /* sum; pages that processes share count for each */
	unsigned count; /* of processes */
};

/* Of the plan's roots, and of all processes below them. */
struct cost cost_of(const struct plan *plan);

/*
 * Memory of the whole system that nobody needs, kB, as soon as that moves no more: the
 * median of the last second. Blocks for 1 s, and for patience_s at most while it moves:
 * what others have given back is not there at once.
 */
double cost_unused_kb(double patience_s);

#endif
