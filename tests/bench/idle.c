/* SPDX-License-Identifier: ISC */
/*
 * Tunnels that stand and carry nothing: how long one takes to set up, and what all of
 * them together take of the system's memory, at each level. The memory has the sockets of
 * the client and the target in it: what it is without a proxy is theirs. What a proxy
 * takes once, for its first tunnels, is not in it: those stand before the first reading,
 * and are not counted.
 */
#include "config.h"
#include "cost.h"
#include "way.h"

#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WARM 50

/* Holds fds[from] to fds[to - 1]. Returns how many came up a second. */
static double
open_tunnels(const struct plan *plan, int *fds, unsigned from, unsigned to)
{
	double start = now();
	char byte;

	for (unsigned i = from; i < to; i++) {
		fds[i] = way_open(plan, WISH_HOLD);
		if (fds[i] == -1 || !way_take(fds[i], &byte, 1)) {
			fprintf(stderr, "gauge: tunnel %u of %u\n", i + 1, to);
			die("idle");
		}
	}
	return (to - from) / (now() - start);
}

void
measure_idle(const struct plan *plan)
{
	unsigned held = WARM, most = plan->levels[plan->level_count - 1];
	int *fds = allocate(WARM + most, sizeof(*fds));
	double unused_kb, rss_kb, rate;

	open_tunnels(plan, fds, 0, WARM);
	unused_kb = cost_unused_kb(plan->seconds);
	rss_kb = cost_of(plan).rss_kb;
	for (size_t i = 0; i < plan->level_count; i++) {
		unsigned level = plan->levels[i];

		rate = open_tunnels(plan, fds, held, WARM + level);
		held = WARM + level;
		printf("per_s_%u %.1f\n", level, rate);
		printf("system_kb_%u %.2f\n", level,
			(unused_kb - cost_unused_kb(plan->seconds)) / level);
		if (plan->root_count > 0)
			printf("rss_kb_%u %.2f\n", level,
				(cost_of(plan).rss_kb - rss_kb) / level);
		fflush(stdout);
	}
	for (unsigned i = 0; i < held; i++)
		close(fds[i]);
	free(fds);
}
