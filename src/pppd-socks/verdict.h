/* SPDX-License-Identifier: ISC */
/*
 * verdict: what the result of a connection means for the health of an upstream, and of a
 * target as it is seen through that one.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "hop.h"
#include "route.h"

/* What has changed by a result. */
struct verdict {
	enum health_change upstream, pair;
	int64_t upstream_ms, pair_ms; /* how long they are left alone, if they are sick */
};

/* Changes the health of the upstream and, unless seen is NULL, of the pair. The caller
 * keeps other threads away. */
struct verdict verdict_apply(struct upstream *u, struct health *seen,
	const struct hold_off *hold_off, enum hop_result result);

/* One line in the log each, if it has changed. error: in words; may be NULL. */
void verdict_tell_upstream(
	const struct verdict *v, const struct upstream *u, const char *error);
void verdict_tell_pair(const struct verdict *v, const struct route_port *port, int target,
	const struct upstream *u, const char *error);

#endif
