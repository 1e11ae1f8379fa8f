/* SPDX-License-Identifier: ISC */
/*
 * standing: what is counted of clients, users and rules, and what they are to blame for.
 * It outlives the configuration: all those that follow each other share one, so that a
 * limit counts the tunnels of before a reload, too.
 */
#ifndef STANDING_H
#define STANDING_H

#include <stdatomic.h>
#include "penalty.h"
#include "tally.h"

struct standing {
	_Atomic unsigned holders;
	struct penalty *penalty; /* failed authentications by source */
	struct tally *clients;	 /* connections by source, where that is limited */
	struct tally *users;	 /* tunnels by the user's name */
	struct tally *rules;	 /* tunnels by the key of the rule */
};

/* One holder, the caller. Before a chroot, as random_fill. Returns NULL with errno. */
struct standing *standing_new(void);

/* One holder more. Returns s. */
struct standing *standing_hold(struct standing *s);

/* One holder less: freed with the last one, on any thread. NULL: nothing. */
void standing_release(struct standing *s);

#endif
