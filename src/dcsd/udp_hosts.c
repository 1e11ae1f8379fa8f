/* SPDX-License-Identifier: ISC */
/*
 * Two sets of addresses: new ones go into the first; when that is full it takes the place
 * of the second, which is forgotten. So the set stays bounded, and who is still sent to
 * stays in it. A leaf lock: nothing else is locked under it.
 */
#include "config.h"
#include "udp_hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 16
#define SET_MAX	    (UDP_HOSTS / 2)

/* An address, IPv4 as ::ffff:a.b.c.d. */
struct udp_host {
	bool used;
	uint8_t ip[16];
};

static struct udp_host
host_of(const struct addr *a)
{
	struct udp_host host = { .used = true };
	const uint8_t *bytes;
	size_t size;

	bytes = addr_bytes(a, &size);
	if (size == 4)
		host.ip[10] = host.ip[11] = 0xff;
	memcpy(host.ip + 16 - size, bytes, size);
	return host;
}

bool
udp_same_host(const struct addr *a, const struct addr *b)
{
	const struct udp_host one = host_of(a), other = host_of(b);

	return memcmp(one.ip, other.ip, sizeof(one.ip)) == 0;
}

/* FNV-1a. Who picks addresses that collide slows nobody but itself. */
static size_t
hash(const struct udp_host *host)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < sizeof(host->ip); i++)
		h = (h ^ host->ip[i]) * 16777619U;
	return h ^ h >> 16;
}

/* Where the host is, or would be. size is a power of two, and not 0. */
static struct udp_host *
place(const struct udp_host_set *set, const struct udp_host *host)
{
	size_t i = hash(host);

	for (;; i++) {
		struct udp_host *slot = &set->slots[i & (set->size - 1)];

		if (!slot->used || memcmp(slot->ip, host->ip, sizeof(host->ip)) == 0)
			return slot;
	}
}

static bool
set_holds(const struct udp_host_set *set, const struct udp_host *host)
{
	return set->size > 0 && place(set, host)->used;
}

/* Doubles the slots. Returns 0, or -1 with errno. */
static int
grow(struct udp_host_set *set)
{
	struct udp_host_set bigger = { .used = set->used };

	bigger.size = set->size > 0 ? 2 * set->size : SLOTS_FIRST;
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -1;
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i].used)
			*place(&bigger, &set->slots[i]) = set->slots[i];
	free(set->slots);
	*set = bigger;
	return 0;
}

int
udp_hosts_init(struct udp_hosts *h)
{
	memset(h, 0, sizeof(*h));
	errno = pthread_mutex_init(&h->lock, NULL);
	return errno == 0 ? 0 : -1;
}

void
udp_hosts_free(struct udp_hosts *h)
{
	free(h->now.slots);
	free(h->before.slots);
	pthread_mutex_destroy(&h->lock);
}

/* A new host. Returns 0, or -1 with errno. */
static int
add(struct udp_hosts *h, const struct udp_host *host)
{
	if (h->now.used == SET_MAX) {
		free(h->before.slots);
		h->before = h->now;
		h->now = (struct udp_host_set){ NULL, 0, 0 };
	}
	if (2 * h->now.used >= h->now.size && grow(&h->now) == -1)
		return -1;
	*place(&h->now, host) = *host;
	h->now.used++;
	return 0;
}

int
udp_hosts_add(struct udp_hosts *h, const struct addr *a)
{
	const struct udp_host host = host_of(a);
	int done = 0;

	pthread_mutex_lock(&h->lock);
	if (!set_holds(&h->now, &host))
		done = add(h, &host);
	pthread_mutex_unlock(&h->lock);
	return done;
}

bool
udp_hosts_hold(struct udp_hosts *h, const struct addr *a)
{
	const struct udp_host host = host_of(a);
	bool yes;

	pthread_mutex_lock(&h->lock);
	yes = set_holds(&h->now, &host) || set_holds(&h->before, &host);
	pthread_mutex_unlock(&h->lock);
	return yes;
}
