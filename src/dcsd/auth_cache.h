/* SPDX-License-Identifier: ISC */
/*
 * auth_cache: which pairs of name and password were found right a short while ago, so
 * that hashing does not bound how often a user can connect. It holds no password, but
 * 128 bits of a keyed hash (SipHash twice) whose keys are of this process alone.
 */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include "siphash.h"
#include "socks_auth.h"

#define AUTH_CACHE_MS 60000 /* from the time of the hashing */

struct auth_keys {
	uint8_t key[2][SIPHASH_KEY];
};

/* What stands for a pair. */
struct auth_tag {
	uint64_t half[2];
};

struct auth_tag auth_tag_make(
	const struct auth_keys *keys, const struct socks_credentials *credentials);

/* At most 1024 pairs. All but new and free: any thread. */
struct auth_cache;

struct auth_cache *auth_cache_new(void); /* NULL: out of memory */
void auth_cache_free(struct auth_cache *cache);

/* now_ms is io_now_ms's. */
bool auth_cache_holds(
	struct auth_cache *cache, const struct auth_tag *tag, int64_t now_ms);
void auth_cache_add(struct auth_cache *cache, const struct auth_tag *tag, int64_t now_ms);

#endif
