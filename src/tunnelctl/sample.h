/* SPDX-License-Identifier: ISC */
/* sample: what a daemon says of its tunnels at one time, and their rates. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "rows.h"

/* The two directions. */
enum { UP, DOWN };

/* A tunnel. */
struct item {
	const char *line;
	struct value id;
	double bytes[2], rate[2]; /* rate: bytes a second */
};

/* What the daemon said, and when. */
struct sample {
	struct answer status, tunnels;
	struct rows rows;
	struct item *items;
	size_t n;
	int64_t at_ms;
	const char *why; /* what is wrong, or NULL */
	bool error;	 /* it is the daemon that says so */
};

/*
 * Asks the socket at path for both, each for at most wait_ms. On an error s->why is set,
 * and there are no items. The items are sorted by id.
 */
void sample_take(struct sample *s, const char *path, int64_t wait_ms);
void sample_free(struct sample *s);

/*
 * Works out the rates since the sample before. Of a tunnel that was not there, it is the
 * mean since it began, of a second at least.
 */
void sample_set_rates(struct sample *s, const struct sample *before);

/* Sorts the items by rate, the highest one first; of equal ones, by bytes. */
void sample_sort(struct sample *s);

#endif
