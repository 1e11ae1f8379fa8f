/* SPDX-License-Identifier: ISC */
/*
 * spares: connections to one upstream that are made in advance, up to where a request can
 * be sent, so that a client need not wait for that. Threads of its own make them anew.
 */
#ifndef SPARES_H
#define SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "health.h"

#define SPARES_MAX 256

struct spares;

/*
 * How to make one: blocks; returns the fd, or -1: it failed, try again later. Called by
 * several threads at once.
 */
typedef int spares_open(void *arg);

struct spares_plan {
	int n;		       /* how many are kept ready, 1 to SPARES_MAX */
	int64_t age_ms;	       /* one so old is replaced, or up to a quarter earlier */
	struct hold_off pause; /* before making one again when that failed */
	spares_open *open;
	void *arg;
};

/* None is made yet. Returns NULL with errno. */
struct spares *spares_new(const struct spares_plan *plan);

/*
 * Starts the threads that make them, and replace those that die. After a failure, and one
 * that dies within its first second counts as such, only one is made after each pause,
 * until one lives longer than that or is taken. Returns 0, or -1 with errno: free it.
 */
int spares_start(struct spares *s);

/*
 * Takes one that is still connected, and on which nothing has come: the youngest. Does
 * not block. Returns the fd, now the caller's, or -1: there is none.
 */
int spares_take(struct spares *s);

/*
 * Whoever took one found that it does not work: closes all, they are made anew; after a
 * pause, if one of them was as young as that.
 */
void spares_distrust(struct spares *s);

/* Closes all, and makes none until it is told that the pause is over. */
void spares_pause(struct spares *s, bool pause);

size_t spares_ready(struct spares *s); /* how many there are now */

/*
 * Closes all and ends the threads; waits at most wait_ms for those that are in open.
 * Returns 0, or -1: one of them is busy there still, to be stopped again. From then on
 * spares_take has none.
 */
int spares_stop(struct spares *s, int wait_ms);

/* Nobody else uses it, and it was stopped, with 0, or never started. NULL: nothing. */
void spares_free(struct spares *s);

#endif
