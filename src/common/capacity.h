/* SPDX-License-Identifier: ISC */
/*
 * capacity: how many tunnels the limits of this machine, this process and its cgroups
 * leave room for, and which limit it is that binds.
 */
#ifndef CAPACITY_H
#define CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What there is a limit of. */
enum capacity_resource {
	CAPACITY_FDS,
	CAPACITY_THREADS,
	CAPACITY_AREAS,	 /* of memory, as vm.max_map_count counts them */
	CAPACITY_SPACE,	 /* address space, bytes */
	CAPACITY_MEMORY, /* bytes */
	CAPACITY_RESOURCES
};

/* How much of it each tunnel takes (0: of no interest), and the daemon without any. */
struct capacity_needs {
	struct capacity_need {
		uint64_t each;
		uint64_t reserve;
	} of[CAPACITY_RESOURCES];
};

enum capacity_kind {
	CAPACITY_NOFILE,
	CAPACITY_FILE_MAX,
	CAPACITY_NPROC,
	CAPACITY_CGROUP_PIDS,
	CAPACITY_THREADS_MAX,
	CAPACITY_PID_MAX,
	CAPACITY_MAP_COUNT,
	CAPACITY_AS,
	CAPACITY_DATA,
	CAPACITY_CGROUP_MEMORY
};

struct capacity_limit {
	enum capacity_kind kind;
	uint64_t max;
	uint64_t used;	  /* by others, at present */
	char cgroup[256]; /* its path, escaped; "" if the limit is not one of a cgroup */
};

/* The limits that were found. A few KB. */
struct capacity_facts {
	size_t n;
	struct capacity_limit limits[32];
};

#define CAPACITY_UNLIMITED UINT64_MAX

/* Who will serve. */
struct capacity_self {
	uint64_t nofile; /* as capacity_raise_nofile returned it */
	uid_t uid;	 /* after privileges are dropped */
	pid_t leaving;	 /* a process that makes room, as after an upgrade; 0: none */
};

/* Raises the soft limit of fds to the hard one, or near it. Returns what it is now. */
uint64_t capacity_raise_nofile(void);

/*
 * Reads the limits from the proc and sys folders in root ("/"), before a chroot and best
 * as root. A limit that is not there, or cannot be read, does not bind. May take a while
 * where there are many thousand processes and self->uid has a limit of its own.
 */
void capacity_collect(
	struct capacity_facts *facts, const char *root, const struct capacity_self *self);

/*
 * NOW: beside what others use at present. AT_BEST: if others used nothing; a
 * configuration that asks for more is wrong, at whatever hour the daemon is started.
 */
enum capacity_when { CAPACITY_NOW, CAPACITY_AT_BEST };

struct capacity_room {
	int tunnels; /* 0 or more; INT_MAX: nothing binds */
	enum capacity_when when;
	const struct capacity_limit *limit; /* that binds, in facts; NULL: none */
};

struct capacity_room capacity_room(const struct capacity_facts *facts,
	const struct capacity_needs *needs, enum capacity_when when);

/* "room for 9900 tunnels, bound by ulimit -n (20000)". Returns text. */
#define CAPACITY_TEXT 768
char *capacity_text(const struct capacity_room *room, char text[CAPACITY_TEXT]);

/*
 * Says what is wrong with the nth (from 0) of the limits that have no room for `asked`
 * tunnels (limits.tunnels; 0: no number, but one at least), and what it would have to be.
 * Returns false when there is no nth: for nth 0, all is well.
 */
bool capacity_short(const struct capacity_facts *facts,
	const struct capacity_needs *needs, enum capacity_when when, int asked,
	size_t nth, char text[CAPACITY_TEXT]);

#endif
