/* SPDX-License-Identifier: ISC */
/*
 * balance: which one of several is the next client's: of the targets of a route, of the
 * upstreams. Pure; the caller keeps other threads away.
 */
#ifndef BALANCE_H
#define BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum balance {
	BALANCE_FIRST,	     /* the first one; the rest are backups, in their order */
	BALANCE_ROUND_ROBIN, /* in turn, each as often as its weight says */
	BALANCE_LEAST,	     /* the one with the fewest tunnels for its weight */
	BALANCE_SOURCE,	     /* the same source gets the same one, as long as it may */
};

#define BALANCE_WEIGHT_MAX 1000

/* One of them. Starts as { .weight = n, .hash = balance_hash(its name) }. */
struct member {
	int weight;	/* 1 to BALANCE_WEIGHT_MAX */
	uint64_t hash;	/* tells it from the others, whatever their order: for source */
	size_t active;	/* tunnels it has now: for least */
	int64_t credit; /* what it is owed, as picks go round; 0 to begin with */
};

/* The same for the same bytes, today and in ten years, on every machine. */
uint64_t balance_hash(const void *data, size_t len);

/*
 * Picks one of the n members for which may is true, for a client whose source has that
 * hash. Returns its index, or -1: there is none. Over the time each gets its share to
 * within one turn; source keeps to it only roughly, but takes away from a source its
 * member only when that one may not be.
 */
int balance_pick(
	enum balance how, struct member *list, int n, const bool *may, uint64_t source);

/* "round-robin"; and its number, or -1. */
const char *balance_word(enum balance how);
int balance_number(const char *word);

#endif
