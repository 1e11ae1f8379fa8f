/* SPDX-License-Identifier: ISC */
/*
 * A hash table of counters under one mutex, a leaf. One is enough: it is taken when a
 * connection begins and when it ends, as the mutex of conns is, and held for the walk
 * along a short chain. The table never grows, so the only memory that can be lacking is
 * that of a new key, and the only one to be denied is whoever it is for. Any thread.
 */
#include "config.h"
#include "tally.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "siphash.h"

#define CHAINS 4096 /* 32 KB; at 20,000 keys, a chain has five */

struct entry {
	struct entry *next;
	size_t count;
	size_t len;
	unsigned char key[];
};

struct tally {
	pthread_mutex_t lock;
	uint8_t seed[SIPHASH_KEY]; /* so that nobody can fill one chain */
	size_t keys;
	struct entry *chains[CHAINS];
};

struct tally *
tally_new(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return NULL;
	if (random_fill(tally->seed, sizeof(tally->seed)) == -1) {
		free(tally);
		return NULL;
	}
	pthread_mutex_init(&tally->lock, NULL);
	return tally;
}

void
tally_free(struct tally *tally)
{
	if (!tally)
		return;
	for (size_t i = 0; i < CHAINS; i++)
		while (tally->chains[i]) {
			struct entry *entry = tally->chains[i];

			tally->chains[i] = entry->next;
			free(entry);
		}
	pthread_mutex_destroy(&tally->lock);
	free(tally);
}

/* The link that leads to the key's entry, or to the end of its chain. */
static struct entry **
find(struct tally *tally, const void *key, size_t len)
{
	struct entry **link = &tally->chains[siphash(tally->seed, key, len) % CHAINS];

	while (*link && ((*link)->len != len || memcmp((*link)->key, key, len) != 0))
		link = &(*link)->next;
	return link;
}

/* A new entry, with none counted, at the end of a chain. False with errno. */
static bool
add(struct tally *tally, struct entry **link, const void *key, size_t len)
{
	struct entry *entry = malloc(sizeof(*entry) + len);

	if (!entry)
		return false;
	entry->next = NULL;
	entry->count = 0;
	entry->len = len;
	memcpy(entry->key, key, len);
	*link = entry;
	tally->keys++;
	return true;
}

static bool
take(struct tally *tally, const void *key, size_t len, size_t max)
{
	struct entry **link = find(tally, key, len);

	if (!*link && !add(tally, link, key, len))
		return false;
	if (max > 0 && (*link)->count >= max) {
		errno = EUSERS;
		return false;
	}
	(*link)->count++;
	return true;
}

bool
tally_take(struct tally *tally, const void *key, size_t len, size_t max)
{
	bool taken;

	pthread_mutex_lock(&tally->lock);
	taken = take(tally, key, len, max);
	pthread_mutex_unlock(&tally->lock);
	return taken;
}

void
tally_give(struct tally *tally, const void *key, size_t len)
{
	struct entry **link, *entry;

	pthread_mutex_lock(&tally->lock);
	link = find(tally, key, len);
	entry = *link;
	assert(entry);
	if (--entry->count == 0) {
		*link = entry->next;
		tally->keys--;
		free(entry);
	}
	pthread_mutex_unlock(&tally->lock);
}

size_t
tally_count(struct tally *tally, const void *key, size_t len)
{
	const struct entry *entry;
	size_t count;

	pthread_mutex_lock(&tally->lock);
	entry = *find(tally, key, len);
	count = entry ? entry->count : 0;
	pthread_mutex_unlock(&tally->lock);
	return count;
}

size_t
tally_keys(struct tally *tally)
{
	size_t keys;

	pthread_mutex_lock(&tally->lock);
	keys = tally->keys;
	pthread_mutex_unlock(&tally->lock);
	return keys;
}
