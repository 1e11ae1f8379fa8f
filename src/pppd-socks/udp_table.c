/* SPDX-License-Identifier: ISC */
/*
 * The sessions in a hash table under one mutex, a leaf: held for the walk along a short
 * chain, or for the copy of a datagram that must wait, never for a call that blocks. Runs
 * on the receiving thread and on the serving threads; does not log.
 */
#include "config.h"
#include "udp_table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cond.h"
#include "io.h"
#include "random.h"
#include "siphash.h"

#define CHAINS 4096 /* 32 KB; more sessions than that are rare */

struct udp_table {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a session was given back, or taken out */
	uint8_t seed[SIPHASH_KEY];
	size_t sessions;
	struct udp_session *chains[CHAINS];
};

struct udp_table *
udp_table_new(void)
{
	struct udp_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	if (random_fill(table->seed, sizeof(table->seed)) == -1 ||
		cond_init(&table->changed) == -1) {
		free(table);
		return NULL;
	}
	pthread_mutex_init(&table->lock, NULL);
	return table;
}

void
udp_table_free(struct udp_table *table)
{
	if (!table)
		return;
	assert(table->sessions == 0);
	pthread_cond_destroy(&table->changed);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static bool
same_local(const struct compat_local *a, const struct compat_local *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool
udp_ends_equal(const struct udp_ends *a, const struct udp_ends *b)
{
	return a->listener == b->listener && addr_equal(&a->client, &b->client) &&
		same_local(&a->local, &b->local);
}

/* The chain that a session of these ends is in. Ends that are equal have the same key. */
static struct udp_session **
chain_of(struct udp_table *table, const struct udp_ends *ends)
{
	struct key {
		int listener;
		uint32_t port;
		uint8_t client[16], local[16];
	} key = { ends->listener, addr_port(&ends->client), { 0 }, { 0 } };
	size_t size;
	const uint8_t *ip = addr_bytes(&ends->client, &size);

	memcpy(key.client, ip, size);
	memcpy(key.local, ends->local.ip, sizeof(key.local));
	return &table->chains[siphash(table->seed, &key, sizeof(key)) % CHAINS];
}

static struct udp_session *
find(struct udp_table *table, const struct udp_ends *ends)
{
	struct udp_session *s = *chain_of(table, ends);

	while (s && !udp_ends_equal(&s->ends, ends))
		s = s->next;
	return s;
}

/* Copies a datagram that cannot be sent yet. False: it is dropped. */
static bool
keep(struct udp_session *s, const void *data, size_t size)
{
	struct udp_early *early;

	if (s->state == UDP_FAILED || s->n_early == UDP_EARLY_MAX ||
		size > UDP_EARLY_BYTES - s->early_bytes)
		return false;
	early = malloc(sizeof(*early) + size);
	if (!early)
		return false;
	early->next = NULL;
	early->size = size;
	memcpy(early->bytes, data, size);
	*s->early_end = early;
	s->early_end = &early->next;
	s->n_early++;
	s->early_bytes += size;
	return true;
}

enum udp_found
udp_table_find(struct udp_table *table, const struct udp_ends *ends, const void *data,
	size_t size, struct udp_session **s)
{
	enum udp_found found = UDP_UNKNOWN;
	struct udp_session *it;

	pthread_mutex_lock(&table->lock);
	it = find(table, ends);
	if (it && it->state == UDP_OPEN) {
		it->borrowed = true;
		*s = it;
		found = UDP_BORROWED;
	} else if (it) {
		if (!keep(it, data, size))
			it->count[CLIENT][UDP_EARLY]++;
		found = UDP_KEPT;
	}
	pthread_mutex_unlock(&table->lock);
	return found;
}

void
udp_table_give(struct udp_session *s)
{
	struct udp_table *table = s->table;

	pthread_mutex_lock(&table->lock);
	s->borrowed = false;
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->lock);
}

static void
link_session(struct udp_table *table, struct udp_session *s)
{
	struct udp_session **chain = chain_of(table, &s->ends);

	pthread_mutex_lock(&table->lock);
	s->next = *chain;
	*chain = s;
	table->sessions++;
	pthread_mutex_unlock(&table->lock);
}

struct udp_session *
udp_table_add(struct udp_table *table, const struct udp_ends *ends, int quit,
	const void *data, size_t size)
{
	struct udp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ends = *ends;
	s->table = table;
	s->quit = quit;
	s->fd = -1;
	s->early_end = &s->early;
	if (!keep(s, data, size)) {
		free(s);
		return NULL;
	}
	link_session(table, s);
	return s;
}

/* Takes all that is kept. Locked. */
static struct udp_early *
take_early(struct udp_session *s)
{
	struct udp_early *list = s->early;

	s->early = NULL;
	s->early_end = &s->early;
	s->n_early = 0;
	s->early_bytes = 0;
	return list;
}

struct udp_early *
udp_table_open(struct udp_session *s)
{
	struct udp_early *list;

	pthread_mutex_lock(&s->table->lock);
	list = take_early(s);
	if (!list)
		s->state = UDP_OPEN;
	pthread_mutex_unlock(&s->table->lock);
	return list;
}

void
udp_table_fail(struct udp_session *s)
{
	struct udp_early *list;

	pthread_mutex_lock(&s->table->lock);
	list = take_early(s);
	s->state = UDP_FAILED;
	pthread_mutex_unlock(&s->table->lock);
	while (list) {
		struct udp_early *first = list;

		list = first->next;
		free(first);
		s->count[TARGET][UDP_EARLY]++;
	}
}

void
udp_table_remove(struct udp_session *s)
{
	struct udp_table *table = s->table;
	struct udp_session **link = chain_of(table, &s->ends);

	udp_table_fail(s);
	pthread_mutex_lock(&table->lock);
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	while (s->borrowed)
		cond_wait(&table->changed, &table->lock, IO_FOREVER);
	table->sessions--;
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->lock);
}

bool
udp_table_uses(struct udp_table *table, int listener)
{
	bool found = false;

	pthread_mutex_lock(&table->lock);
	for (int i = 0; i < CHAINS && !found; i++)
		for (struct udp_session *s = table->chains[i]; s && !found; s = s->next)
			found = s->ends.listener == listener;
	pthread_mutex_unlock(&table->lock);
	return found;
}

int
udp_table_wait(struct udp_table *table, int64_t until_ms)
{
	bool none;

	pthread_mutex_lock(&table->lock);
	while (table->sessions > 0 && io_left_ms(until_ms) != 0)
		cond_wait(&table->changed, &table->lock, until_ms);
	none = table->sessions == 0;
	pthread_mutex_unlock(&table->lock);
	return none ? 0 : -1;
}
