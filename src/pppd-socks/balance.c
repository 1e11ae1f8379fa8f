/* SPDX-License-Identifier: ISC */
/*
 * The four ways to pick. Two of them go round by credit, which is counted in picks: ONE
 * is one. Each pick is shared out, by weight, to those that take part in it, and paid by
 * the one that is picked: the one with the most. The others neither gain nor pay. So all
 * credits together are always nothing, and whoever comes and goes, none gets further from
 * it than a few picks, as the richest of those that take part has to pay. That is all a
 * member takes along when it leaves, and comes back with. (In weights instead of picks,
 * one that has paid next to a member of weight 1000 would wait for ages once that one
 * leaves.) Pure: no lock, no clock. Any thread that keeps others away.
 */
#include "config.h"
#include "balance.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "siphash.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ONE	     (INT64_C(1) << 40)

/* Less than 0: a has fewer tunnels for its weight than b; 0: as many. */
static int
compare_load(const struct member *a, const struct member *b)
{
	uint64_t one = ((uint64_t)a->active + 1) * (uint64_t)b->weight;
	uint64_t other = ((uint64_t)b->active + 1) * (uint64_t)a->weight;

	return (one > other) - (one < other);
}

/* Those that may and, if like is given, have the same load as that one. */
static bool
takes_part(const struct member *m, bool may, const struct member *like)
{
	return may && (!like || compare_load(m, like) == 0);
}

static int
go_round(struct member *list, int n, const bool *may, const struct member *like)
{
	int64_t weights = 0, shared = 0;
	int best = -1;

	for (int i = 0; i < n; i++)
		if (takes_part(&list[i], may[i], like))
			weights += list[i].weight;
	for (int i = 0; i < n; i++) {
		int64_t share;

		if (!takes_part(&list[i], may[i], like))
			continue;
		share = list[i].weight * ONE / weights;
		shared += share;
		list[i].credit += share;
		if (best == -1 || list[i].credit > list[best].credit)
			best = i;
	}
	/* Not ONE, which is a little more: what was rounded off would add up. */
	if (best != -1)
		list[best].credit -= shared;
	return best;
}

static int
pick_first(struct member *list, int n, const bool *may, uint64_t source)
{
	(void)list;
	(void)source;
	for (int i = 0; i < n; i++)
		if (may[i])
			return i;
	return -1;
}

static int
pick_round_robin(struct member *list, int n, const bool *may, uint64_t source)
{
	(void)source;
	return go_round(list, n, may, NULL);
}

/* Equal ones take turns: a route with little to do would only ever use its first. */
static int
pick_least(struct member *list, int n, const bool *may, uint64_t source)
{
	const struct member *least = NULL;

	(void)source;
	for (int i = 0; i < n; i++)
		if (may[i] && (!least || compare_load(&list[i], least) < 0))
			least = &list[i];
	return least ? go_round(list, n, may, least) : -1;
}

static void
put64(uint8_t out[8], uint64_t word)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(word >> (8 * i));
}

/*
 * How far a member is from a source: weighted rendezvous hashing. Each source draws a
 * number for each member, exponentially distributed with the weight as its rate, and the
 * smallest is that of a member with a probability of its weight by all weights. A member
 * that goes or comes changes nothing between the others.
 */
static double
distance(const struct member *m, uint64_t source)
{
	uint8_t pair[16];
	double u;

	put64(pair, source);
	put64(pair + 8, m->hash);
	/* 52 bits and a half are exact in a double, and so never 0 or 1. */
	u = ((double)(balance_hash(pair, sizeof(pair)) >> 12) + 0.5) / 0x1p52;
	return -log(u) / m->weight;
}

static int
pick_source(struct member *list, int n, const bool *may, uint64_t source)
{
	double least = 0;
	int best = -1;

	for (int i = 0; i < n; i++) {
		double d = may[i] ? distance(&list[i], source) : 0;

		if (may[i] && (best == -1 || d < least)) {
			least = d;
			best = i;
		}
	}
	return best;
}

static const struct {
	const char *word;
	int (*pick)(struct member *list, int n, const bool *may, uint64_t source);
} ways[] = {
	[BALANCE_FIRST] = { "first", pick_first },
	[BALANCE_ROUND_ROBIN] = { "round-robin", pick_round_robin },
	[BALANCE_LEAST] = { "least", pick_least },
	[BALANCE_SOURCE] = { "source", pick_source },
};

int
balance_pick(
	enum balance how, struct member *list, int n, const bool *may, uint64_t source)
{
	assert((size_t)how < COUNT(ways));
	return ways[how].pick(list, n, may, source);
}

/*
 * With a key that everybody can read. A secret one would send all sources elsewhere at
 * each start, and each of two machines that share the work would send them its own way.
 * Who knows it gains little: nothing here is a table whose chains could be made long,
 * and of the sources that would all fall to one member, one has to own each.
 */
uint64_t
balance_hash(const void *data, size_t len)
{
	static const uint8_t key[SIPHASH_KEY] = { 'b', 'a', 'l', 'a', 'n', 'c', 'e', ',',
		' ', 'f', 'o', 'r', 'e', 'v', 'e', 'r' };

	return siphash(key, data, len);
}

const char *
balance_word(enum balance how)
{
	assert((size_t)how < COUNT(ways));
	return ways[how].word;
}

int
balance_number(const char *word)
{
	for (size_t i = 0; i < COUNT(ways); i++)
		if (strcmp(word, ways[i].word) == 0)
			return (int)i;
	return -1;
}
