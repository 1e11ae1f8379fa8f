/* SPDX-License-Identifier: ISC */
/*
 * The order in which clients try targets and upstreams, and what their results change.
 * One lock guards the health and the balance of all of them: it is held for a few
 * comparisons, twice for each try, and nothing is logged under it.
 */
#include "config.h"
#include "search.h"

#include <pthread.h>

#include "io.h"
#include "source.h"
#include "verdict.h"

/* A leaf: nothing else is locked under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t
bit(int i)
{
	return (uint64_t)1 << i;
}

/* The bits of n. */
static uint64_t
all_of(int n)
{
	return n == 64 ? UINT64_MAX : bit(n) - 1;
}

void
search_begin(struct search *s, struct route_port *port, const struct addr *client)
{
	struct cidr source = source_of(client);
	size_t len;
	const void *key = source_key(&source, &len);

	*s = (struct search){ .port = port, .target = -1, .upstream = -1 };
	s->source = balance_hash(key, len);
}

/* The upstreams through which this client has not tried that target, and still may. */
static uint64_t
ways(const struct search *s, int target)
{
	return all_of(s->port->route->n_upstreams) & ~s->tried[target] & ~s->off;
}

/* Those of them that are ready, and the target behind them; or all. */
static uint64_t
good_ways(const struct search *s, int target, int64_t now_ms, bool sick_too)
{
	const struct route *route = s->port->route;
	uint64_t left = ways(s, target);

	for (int u = 0; u < route->n_upstreams && !sick_too; u++)
		if (!health_ready(&route->upstreams[u]->state->health, now_ms) ||
			!health_ready(s->port->targets[target].seen[u], now_ms))
			left &= ~bit(u);
	return left;
}

/* Picks one of the upstreams for the target. False: there is none. */
static bool
pick_upstream(struct search *s, int target, int64_t now_ms, bool sick_too)
{
	const struct route *route = s->port->route;
	struct member *members = s->port->upstream_members;
	uint64_t left = good_ways(s, target, now_ms, sick_too);
	bool may[ROUTE_UPSTREAMS];
	int u;

	for (u = 0; u < route->n_upstreams; u++) {
		may[u] = left & bit(u);
		members[u].active = route->upstreams[u]->state->active;
	}
	u = balance_pick(
		route->upstream_balance, members, route->n_upstreams, may, s->source);
	if (u == -1)
		return false;
	s->target = target;
	s->upstream = u;
	return true;
}

/* Picks a target that is none of those in seen. -1: there is none. */
static int
pick_target(const struct search *s, uint64_t seen, int64_t now_ms, bool sick_too)
{
	const struct route_port *port = s->port;
	bool may[ROUTE_TARGETS];

	for (int t = 0; t < port->n_targets; t++) {
		may[t] = !(seen & bit(t)) && good_ways(s, t, now_ms, sick_too) != 0;
		port->target_members[t].active = port->targets[t].state->active;
	}
	return balance_pick(port->route->balance, port->target_members, port->n_targets,
		may, s->source);
}

/*
 * After a failure of the upstream, nothing is known of the target; after one of the
 * target, the others come first, and it has another turn when they have had theirs.
 */
static bool
pick(struct search *s, int64_t now_ms, bool sick_too)
{
	int target;

	if (s->stay && pick_upstream(s, s->target, now_ms, sick_too))
		return true;
	target = pick_target(s, s->seen, now_ms, sick_too);
	if (target == -1) {
		target = pick_target(s, 0, now_ms, sick_too);
		if (target == -1)
			return false;
		s->seen = 0;
	}
	s->seen |= bit(target);
	return pick_upstream(s, target, now_ms, sick_too);
}

static int
pairs_left(const struct search *s)
{
	int n = 0;

	for (int t = 0; t < s->port->n_targets; t++)
		for (uint64_t left = ways(s, t); left != 0; left &= left - 1)
			n++;
	return n;
}

static void
hold(struct search *s, int64_t now_ms)
{
	struct route *route = s->port->route;
	struct target *target = &s->port->targets[s->target];
	struct upstream *u = route->upstreams[s->upstream];

	s->tried[s->target] |= bit(s->upstream);
	s->left = pairs_left(s);
	health_try(&u->state->health, &route->hold_off, now_ms);
	health_try(target->seen[s->upstream], &route->hold_off, now_ms);
	target->state->active++;
	u->state->active++;
	s->holds = true;
}

static void
release(struct search *s)
{
	if (!s->holds)
		return;
	s->port->targets[s->target].state->active--;
	s->port->route->upstreams[s->upstream]->state->active--;
	s->holds = false;
}

/* The pairs that an administrator has disabled are as good as tried. */
static void
leave_out_disabled(struct search *s)
{
	const struct route *route = s->port->route;

	for (int t = 0; t < s->port->n_targets; t++)
		if (atomic_load(&s->port->targets[t].state->disabled))
			s->tried[t] = UINT64_MAX;
	for (int u = 0; u < route->n_upstreams; u++)
		if (atomic_load(&route->upstreams[u]->state->disabled))
			s->off |= bit(u);
}

bool
search_next(struct search *s)
{
	int64_t now_ms = io_now_ms();
	bool found;

	leave_out_disabled(s);
	pthread_mutex_lock(&lock);
	release(s);
	found = pick(s, now_ms, false) || pick(s, now_ms, true);
	if (found)
		hold(s, now_ms);
	pthread_mutex_unlock(&lock);
	return found;
}

void
search_end(struct search *s)
{
	pthread_mutex_lock(&lock);
	release(s);
	pthread_mutex_unlock(&lock);
}

const struct target *
search_target(const struct search *s)
{
	return s->target == -1 ? NULL : &s->port->targets[s->target];
}

struct upstream *
search_upstream(const struct search *s)
{
	return s->target == -1 ? NULL : s->port->route->upstreams[s->upstream];
}

void
search_tell_upstream(struct upstream *u, const struct hold_off *hold_off,
	enum hop_result result, const char *error)
{
	struct verdict verdict;

	pthread_mutex_lock(&lock);
	verdict = verdict_apply(u, NULL, hold_off, result);
	pthread_mutex_unlock(&lock);
	verdict_tell_upstream(&verdict, u, error);
}

void
search_tell_pair(struct route_port *port, int target, int upstream,
	enum hop_result result, const char *error)
{
	struct upstream *u = port->route->upstreams[upstream];
	struct verdict verdict;

	pthread_mutex_lock(&lock);
	verdict = verdict_apply(
		u, port->targets[target].seen[upstream], &port->route->hold_off, result);
	pthread_mutex_unlock(&lock);
	verdict_tell_upstream(&verdict, u, error);
	verdict_tell_pair(&verdict, port, target, u, error);
}

/* Whether there is anything left to try through another upstream. */
static bool
others_left(const struct search *s)
{
	for (int t = 0; t < s->port->n_targets; t++)
		if (ways(s, t) & ~bit(s->upstream))
			return true;
	return false;
}

void
search_tell(struct search *s, enum hop_result result, const char *error)
{
	s->stay = result == HOP_UPSTREAM_FAILED;
	/* One that has not replied may stand still as a whole: any other goes before. */
	if (result == HOP_UPSTREAM_FAILED || (result == HOP_NO_REPLY && others_left(s))) {
		s->off |= bit(s->upstream);
		s->left = pairs_left(s);
	}
	search_tell_pair(s->port, s->target, s->upstream, result, error);
}

bool
search_may(const struct route_port *port, int target, int upstream)
{
	return !atomic_load(&port->targets[target].state->disabled) &&
		!atomic_load(&port->route->upstreams[upstream]->state->disabled);
}

bool
search_claim(struct route_port *port, int target, int upstream)
{
	const struct route *route = port->route;
	struct health *of_upstream = &route->upstreams[upstream]->state->health;
	struct health *of_pair = port->targets[target].seen[upstream];
	int64_t now_ms = io_now_ms();
	bool mine;

	pthread_mutex_lock(&lock);
	mine = (of_upstream->failures > 0 || of_pair->failures > 0) &&
		health_ready(of_upstream, now_ms) && health_ready(of_pair, now_ms);
	if (mine) {
		health_try(of_upstream, &route->hold_off, now_ms);
		health_try(of_pair, &route->hold_off, now_ms);
	}
	pthread_mutex_unlock(&lock);
	return mine;
}

bool
search_any_well(struct route_port *port)
{
	const struct route *route = port->route;
	bool found = false;

	pthread_mutex_lock(&lock);
	for (int t = 0; t < port->n_targets && !found; t++)
		for (int u = 0; u < route->n_upstreams && !found; u++)
			found = search_may(port, t, u) &&
				route->upstreams[u]->state->health.failures == 0 &&
				port->targets[t].seen[u]->failures == 0;
	pthread_mutex_unlock(&lock);
	return found;
}

struct search_state
search_upstream_state(const struct upstream *u)
{
	struct search_state state;

	pthread_mutex_lock(&lock);
	state = (struct search_state){
		.well = u->state->health.failures == 0,
		.disabled = atomic_load(&u->state->disabled),
		.tunnels = u->state->active,
	};
	pthread_mutex_unlock(&lock);
	return state;
}

struct search_state
search_target_state(const struct route_port *port, int target, int upstream)
{
	const struct target *of = &port->targets[target];
	struct search_state state;

	pthread_mutex_lock(&lock);
	state = (struct search_state){
		.well = of->seen[upstream]->failures == 0,
		.disabled = atomic_load(&of->state->disabled),
		.tunnels = of->state->active,
	};
	pthread_mutex_unlock(&lock);
	return state;
}
