/* SPDX-License-Identifier: ISC */
/*
 * A table of sets of four places: a tag says its set, and in there the place that has
 * least time left is taken. It is bounded by its size, and is never cleaned: a file of
 * users that has changed gets a new one. Does not log, does not hash passwords.
 */
#include "config.h"
#include "auth_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"

#define SETS 256
#define WAYS 4

struct entry {
	struct auth_tag tag;
	int64_t until_ms; /* 0: none */
};

struct auth_cache {
	pthread_mutex_t lock; /* a leaf */
	struct entry sets[SETS][WAYS];
};

struct auth_tag
auth_tag_make(const struct auth_keys *keys, const struct socks_credentials *c)
{
	/* The length in front: "ab" with "c" is not "a" with "bc". */
	uint8_t pair[1 + UINT8_MAX + UINT8_MAX];
	size_t size = 1 + (size_t)c->name_len + c->password_len;
	struct auth_tag tag;

	pair[0] = c->name_len;
	memcpy(pair + 1, c->name, c->name_len);
	memcpy(pair + 1 + c->name_len, c->password, c->password_len);
	for (int i = 0; i < 2; i++)
		tag.half[i] = siphash(keys->key[i], pair, size);
	compat_wipe(pair, sizeof(pair));
	return tag;
}

struct auth_cache *
auth_cache_new(void)
{
	struct auth_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void
auth_cache_free(struct auth_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static bool
equal(const struct auth_tag *a, const struct auth_tag *b)
{
	return ((a->half[0] ^ b->half[0]) | (a->half[1] ^ b->half[1])) == 0;
}

bool
auth_cache_holds(struct auth_cache *cache, const struct auth_tag *tag, int64_t now_ms)
{
	struct entry *set = cache->sets[tag->half[0] % SETS];
	bool found = false;

	pthread_mutex_lock(&cache->lock);
	for (int i = 0; i < WAYS; i++)
		found |= equal(&set[i].tag, tag) && now_ms < set[i].until_ms;
	pthread_mutex_unlock(&cache->lock);
	return found;
}

void
auth_cache_add(struct auth_cache *cache, const struct auth_tag *tag, int64_t now_ms)
{
	struct entry *set = cache->sets[tag->half[0] % SETS];
	struct entry *place = &set[0];

	pthread_mutex_lock(&cache->lock);
	for (int i = 1; i < WAYS; i++)
		if (set[i].until_ms < place->until_ms)
			place = &set[i];
	/* Two that hashed the same at a time do not take two places. */
	for (int i = 0; i < WAYS; i++)
		if (equal(&set[i].tag, tag))
			place = &set[i];
	*place = (struct entry){ *tag, now_ms + AUTH_CACHE_MS };
	pthread_mutex_unlock(&cache->lock);
}
