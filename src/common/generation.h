/* SPDX-License-Identifier: ISC */
/*
 * generation: one configuration of a daemon, counted by those who use it: the server, for
 * the clients that come, and every connection that began with it. A reload makes the
 * next one; the old one lives on until its last tunnel has ended.
 */
#ifndef GENERATION_H
#define GENERATION_H

#include <stdatomic.h>

struct generation {
	void *config; /* the daemon's own struct */
	void (*free)(void *config);
	_Atomic unsigned users;
};

/*
 * Takes config, and has one user, the caller. free is called on the thread of the last
 * user, and must not block for long. Returns NULL with errno, and config is not taken.
 */
struct generation *generation_new(void *config, void (*free)(void *config));

/* One user more. Returns g. Any thread that uses it, or holds what keeps it in use. */
struct generation *generation_hold(struct generation *g);

/* One user less: frees it with the last one. NULL: nothing. */
void generation_release(struct generation *g);

#endif
