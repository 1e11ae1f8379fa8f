/* SPDX-License-Identifier: ISC */
/* A flag for each thing; to take it is to be the one who sets the flag. Any thread. */
#include "config.h"
#include "pool.h"

#include <stdbool.h>

static bool
take(struct pool_place *place)
{
	/* A look first: to write to what another thread owns is what costs. */
	return !atomic_load_explicit(&place->taken, memory_order_relaxed) &&
		!atomic_exchange_explicit(&place->taken, true, memory_order_acquire);
}

int
pool_take(struct pool *pool)
{
	static _Thread_local int last;

	if (take(&pool->place[last]))
		return last;
	for (int i = 0; i < POOL_MAX; i++)
		if (take(&pool->place[i]))
			return last = i;
	return -1;
}

void
pool_give(struct pool *pool, int number)
{
	atomic_store_explicit(&pool->place[number].taken, false, memory_order_release);
}
