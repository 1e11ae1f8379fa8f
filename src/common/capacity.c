/* SPDX-License-Identifier: ISC */
/*
 * From limits to a number of tunnels, and to the words for it. Pure: it looks at nothing
 * but its arguments (capacity_collect.c reads the system). Any thread; does not log.
 */
#include "config.h"
#include "capacity.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* What a limit is called, and how it is set. */
struct kind {
	enum capacity_resource of;
	uint64_t unit; /* in which it is told and set */
	uint64_t lost; /* of max, to everybody */
	const char *name;
	const char *knob, *systemd; /* the new value comes behind; NULL: there is none */
};

#define KIB 1024

static const struct kind kinds[] = {
	[CAPACITY_NOFILE] = { CAPACITY_FDS, 1, 0, "ulimit -n", "ulimit -n ",
		"LimitNOFILE=" },
	[CAPACITY_FILE_MAX] = { CAPACITY_FDS, 1, 0, "fs.file-max",
		"sysctl -w fs.file-max=", NULL },
	[CAPACITY_NPROC] = { CAPACITY_THREADS, 1, 0, "ulimit -u", "ulimit -u ",
		"LimitNPROC=" },
	[CAPACITY_CGROUP_PIDS] = { CAPACITY_THREADS, 1, 0, "pids.max", NULL,
		"TasksMax=" },
	[CAPACITY_THREADS_MAX] = { CAPACITY_THREADS, 1, 0, "kernel.threads-max",
		"sysctl -w kernel.threads-max=", NULL },
	/* A thread is a process to the kernel, which gives out no id below 300 twice. */
	[CAPACITY_PID_MAX] = { CAPACITY_THREADS, 1, 300, "kernel.pid_max",
		"sysctl -w kernel.pid_max=", NULL },
	[CAPACITY_MAP_COUNT] = { CAPACITY_AREAS, 1, 0, "vm.max_map_count",
		"sysctl -w vm.max_map_count=", NULL },
	[CAPACITY_AS] = { CAPACITY_SPACE, KIB, 0, "ulimit -v", "ulimit -v ", "LimitAS=" },
	[CAPACITY_DATA] = { CAPACITY_SPACE, KIB, 0, "ulimit -d", "ulimit -d ",
		"LimitDATA=" },
	[CAPACITY_CGROUP_MEMORY] = { CAPACITY_MEMORY, KIB, 0, "memory limit", NULL,
		"MemoryMax=" },
};

/* What others have of it. */
static uint64_t
used(const struct capacity_limit *limit, enum capacity_when when)
{
	return when == CAPACITY_NOW ? limit->used : 0;
}

static uint64_t
less(uint64_t from, uint64_t n)
{
	return from > n ? from - n : 0;
}

/* How many tunnels one limit has room for. */
static int
room_of(const struct capacity_limit *limit, const struct capacity_needs *needs,
	enum capacity_when when)
{
	const struct kind *kind = &kinds[limit->kind];
	const struct capacity_need *need = &needs->of[kind->of];
	uint64_t left = limit->max;

	if (need->each == 0)
		return INT_MAX;
	left = less(less(less(left, need->reserve), kind->lost), used(limit, when));
	left /= need->each;
	return left < INT_MAX ? (int)left : INT_MAX;
}

struct capacity_room
capacity_room(const struct capacity_facts *facts, const struct capacity_needs *needs,
	enum capacity_when when)
{
	struct capacity_room room = { INT_MAX, when, NULL };

	for (size_t i = 0; i < facts->n; i++) {
		int tunnels = room_of(&facts->limits[i], needs, when);

		if (tunnels < room.tunnels) {
			room.tunnels = tunnels;
			room.limit = &facts->limits[i];
		}
	}
	return room;
}

/* The unit of a number that is read, not set. */
static const char *
unit_text(const struct kind *kind)
{
	return kind->unit == KIB ? " KiB" : "";
}

/* "kernel.pid_max (32768, 180 in use)". */
static void
limit_text(const struct capacity_limit *limit, enum capacity_when when, char *text,
	size_t size)
{
	const struct kind *kind = &kinds[limit->kind];
	uint64_t taken = used(limit, when) / kind->unit;
	char in_use[48] = "";

	if (taken > 0)
		snprintf(in_use, sizeof(in_use), ", %" PRIu64 " in use", taken);
	snprintf(text, size, "%s%s%s (%" PRIu64 "%s%s)", kind->name,
		limit->cgroup[0] ? " of cgroup " : "", limit->cgroup,
		limit->max / kind->unit, unit_text(kind), in_use);
}

char *
capacity_text(const struct capacity_room *room, char text[CAPACITY_TEXT])
{
	char bound[CAPACITY_TEXT / 2];

	if (room->limit) {
		limit_text(room->limit, room->when, bound, sizeof(bound));
		snprintf(text, CAPACITY_TEXT, "room for %d tunnels, bound by %s",
			room->tunnels, bound);
	} else {
		snprintf(text, CAPACITY_TEXT, "no limit binds the tunnels");
	}
	return text;
}

/* What the limit would have to be for so many tunnels, in its unit. */
static uint64_t
needed(const struct capacity_limit *limit, const struct capacity_needs *needs,
	enum capacity_when when, int tunnels)
{
	const struct kind *kind = &kinds[limit->kind];
	const struct capacity_need *need = &needs->of[kind->of];
	uint64_t all = need->each * (uint64_t)tunnels + need->reserve + kind->lost +
		used(limit, when);

	return (all + kind->unit - 1) / kind->unit;
}

/* "ulimit -n 24200, or LimitNOFILE=24200 for systemd". */
static void
advice(const struct kind *kind, uint64_t value, char *text, size_t size)
{
	char knob[64] = "", systemd[64] = "";

	if (kind->knob)
		snprintf(knob, sizeof(knob), "%s%" PRIu64, kind->knob, value);
	if (kind->systemd)
		snprintf(systemd, sizeof(systemd), "%s%" PRIu64 "%s for systemd",
			kind->systemd, value, kind->unit == KIB ? "K" : "");
	snprintf(text, size, "%s%s%s", knob, *knob && *systemd ? ", or " : "", systemd);
}

/* The nth limit that is too small for so many tunnels, or NULL. */
static const struct capacity_limit *
too_small(const struct capacity_facts *facts, const struct capacity_needs *needs,
	enum capacity_when when, int tunnels, size_t nth)
{
	for (size_t i = 0; i < facts->n; i++)
		if (room_of(&facts->limits[i], needs, when) < tunnels && nth-- == 0)
			return &facts->limits[i];
	return NULL;
}

bool
capacity_short(const struct capacity_facts *facts, const struct capacity_needs *needs,
	enum capacity_when when, int asked, size_t nth, char text[CAPACITY_TEXT])
{
	const int tunnels = asked > 0 ? asked : 1;
	const struct capacity_limit *limit = too_small(facts, needs, when, tunnels, nth);
	char bound[CAPACITY_TEXT / 2], how[128],
		what[96] = "there is no room for a tunnel";
	uint64_t value;

	if (!limit)
		return false;
	if (asked > 0)
		snprintf(what, sizeof(what),
			"limits.tunnels = %d, but there is room for %d only", asked,
			room_of(limit, needs, when));
	value = needed(limit, needs, when, tunnels);
	limit_text(limit, when, bound, sizeof(bound));
	advice(&kinds[limit->kind], value, how, sizeof(how));
	snprintf(text, CAPACITY_TEXT, "%s, bound by %s: %" PRIu64 "%s are needed (%s)",
		what, bound, value, unit_text(&kinds[limit->kind]), how);
	return true;
}
