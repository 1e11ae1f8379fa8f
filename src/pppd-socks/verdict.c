/* SPDX-License-Identifier: ISC */
/*
 * Who is to blame for what a connection came to, and the lines that tell of it. Any
 * thread; the health is changed under the lock of search, and the lines are not.
 */
#include "config.h"
#include "verdict.h"

#include <stdio.h>
#include <string.h>

#include "io.h"
#include "log.h"

struct verdict
verdict_apply(struct upstream *u, struct health *seen, const struct hold_off *hold_off,
	enum hop_result result)
{
	int64_t now_ms = io_now_ms();
	uint32_t chance = (uint32_t)now_ms * 2654435761U ^ (uint32_t)(uintptr_t)u;
	struct verdict v = { HEALTH_SAME, HEALTH_SAME, 0, 0 };

	switch (result) {
	case HOP_OK:
		v.upstream = health_passed(&u->state->health);
		if (seen)
			v.pair = health_passed(seen);
		break;
	case HOP_UPSTREAM_FAILED:
		v.upstream = health_failed(&u->state->health, hold_off, now_ms, chance);
		break;
	case HOP_TARGET_FAILED:
		v.upstream = health_passed(&u->state->health);
		if (seen)
			v.pair = health_failed(seen, hold_off, now_ms, chance);
		break;
	case HOP_NO_REPLY:
	case HOP_LOST:
		if (seen)
			v.pair = health_failed(seen, hold_off, now_ms, chance);
		break;
	case HOP_REFUSED:
		v.upstream = health_passed(&u->state->health);
		break;
	case HOP_CLIENT_LEFT:
	case HOP_SHORT:
		break;
	}
	v.upstream_ms = u->state->health.until_ms - now_ms;
	v.pair_ms = seen ? seen->until_ms - now_ms : 0;
	return v;
}

/* One line, if it has changed. what: "upstream=dcs1". */
static void
tell_change(
	enum health_change change, const char *what, const char *error, int64_t hold_ms)
{
	char seconds[LOG_SECONDS];

	if (change == HEALTH_SICK)
		log_msg(LOG_L_WARNING, "health %s state=sick hold_off=%s error=\"%s\"",
			what, log_seconds(seconds, hold_ms), error ? error : "");
	else if (change == HEALTH_WELL)
		log_msg(LOG_L_NOTICE, "health %s state=well", what);
}

void
verdict_tell_upstream(
	const struct verdict *v, const struct upstream *u, const char *error)
{
	char what[300], name[256];

	if (v->upstream == HEALTH_SAME)
		return;
	snprintf(what, sizeof(what), "upstream=%s",
		log_escape(name, sizeof(name), u->name, strlen(u->name)));
	tell_change(v->upstream, what, error, v->upstream_ms);
}

void
verdict_tell_pair(const struct verdict *v, const struct route_port *port, int target,
	const struct upstream *u, const char *error)
{
	char what[1100], name[256], address[HOSTPORT_TEXT], escaped[512], upstream[256];

	if (v->pair == HEALTH_SAME)
		return;
	hostport_text(&port->targets[target].address, address);
	snprintf(what, sizeof(what), "route=%s target=%s upstream=%s",
		log_escape(name, sizeof(name), port->name, strlen(port->name)),
		log_escape(escaped, sizeof(escaped), address, strlen(address)),
		log_escape(upstream, sizeof(upstream), u->name, strlen(u->name)));
	tell_change(v->pair, what, error, v->pair_ms);
}
