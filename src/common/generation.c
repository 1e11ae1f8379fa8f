/* SPDX-License-Identifier: ISC */
/* The count of a configuration's users. Any thread; no lock. */
#include "config.h"
#include "generation.h"

#include <stdlib.h>

struct generation *
generation_new(void *config, void (*free_config)(void *config))
{
	struct generation *g = malloc(sizeof(*g));

	if (!g)
		return NULL;
	g->config = config;
	g->free = free_config;
	atomic_init(&g->users, 1);
	return g;
}

struct generation *
generation_hold(struct generation *g)
{
	atomic_fetch_add(&g->users, 1);
	return g;
}

void
generation_release(struct generation *g)
{
	if (!g || atomic_fetch_sub(&g->users, 1) != 1)
		return;
	g->free(g->config);
	free(g);
}
