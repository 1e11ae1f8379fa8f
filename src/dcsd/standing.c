/* SPDX-License-Identifier: ISC */
/* A set of counts with a count of its own. What is in it has its locks. Any thread. */
#include "config.h"
#include "standing.h"

#include <errno.h>
#include <stdlib.h>

struct standing *
standing_new(void)
{
	struct standing *s = calloc(1, sizeof(*s));
	int keep;

	if (!s)
		return NULL;
	atomic_init(&s->holders, 1);
	s->penalty = penalty_new(NULL);
	s->clients = tally_new();
	s->users = tally_new();
	s->rules = tally_new();
	if (s->penalty && s->clients && s->users && s->rules)
		return s;
	keep = errno;
	standing_release(s);
	errno = keep;
	return NULL;
}

struct standing *
standing_hold(struct standing *s)
{
	atomic_fetch_add(&s->holders, 1);
	return s;
}

void
standing_release(struct standing *s)
{
	if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
		return;
	penalty_free(s->penalty);
	tally_free(s->clients);
	tally_free(s->users);
	tally_free(s->rules);
	free(s);
}
