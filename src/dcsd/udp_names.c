/* SPDX-License-Identifier: ISC */
/*
 * A list of names, the one used last in front: when it is full, the last one that is not
 * being looked up makes room. Runs on the first thread of an association; does not block.
 */
#include "config.h"
#include "udp_names.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "udp_lookup.h"

/* A datagram that waits for its name; the payload is behind it. */
struct kept {
	struct kept *next;
	struct socks_udp d;
};

struct name {
	struct name *next;
	bool pending;
	struct lookup *found; /* NULL until it has been looked up */
	int64_t until_ms;     /* it counts */
	struct kept *first, **last;
	int kept;
	char host[HOST_MAX + 1];
};

struct udp_names {
	struct lookups *lookups;
	struct name *first;
	int n;
	size_t kept, kept_bytes;
};

struct udp_names *
udp_names_new(void)
{
	struct udp_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->lookups = lookups_new();
	if (names->lookups)
		return names;
	free(names);
	return NULL;
}

static void
release(struct udp_names *names, struct kept *kept)
{
	names->kept--;
	names->kept_bytes -= kept->d.size;
	free(kept);
}

/* Takes the name at *at out of the list and frees it. */
static void
forget(struct udp_names *names, struct name **at)
{
	struct name *name = *at;
	struct kept *kept;

	while ((kept = name->first)) {
		name->first = kept->next;
		release(names, kept);
	}
	*at = name->next;
	names->n--;
	free(name->found);
	free(name);
}

void
udp_names_free(struct udp_names *names)
{
	if (!names)
		return;
	while (names->first)
		forget(names, &names->first);
	lookups_free(names->lookups);
	free(names);
}

/* Where it is in the list; *it is NULL when it is not there. */
static struct name **
place(struct udp_names *names, const char *host)
{
	struct name **at = &names->first;

	while (*at && strcmp((*at)->host, host) != 0)
		at = &(*at)->next;
	return at;
}

/* Makes room for one more. False: all are being looked up. */
static bool
make_room(struct udp_names *names)
{
	struct name **last = NULL;

	if (names->n < UDP_NAMES)
		return true;
	for (struct name **at = &names->first; *at; at = &(*at)->next)
		if (!(*at)->pending)
			last = at;
	if (!last)
		return false;
	forget(names, last);
	return true;
}

/* A name that is being looked up, in front of the list. NULL: memory is short. */
static struct name *
add(struct udp_names *names, const char *host)
{
	struct name *name;

	if (!make_room(names))
		return NULL;
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	memcpy(name->host, host, strlen(host) + 1);
	name->pending = true;
	name->last = &name->first;
	name->next = names->first;
	names->first = name;
	names->n++;
	return name;
}

/* The name in front of the list, and under a look-up if it is not known. Or NULL. */
static struct name *
fetch(struct udp_names *names, const char *host, int64_t now_ms)
{
	struct name **at = place(names, host), *name = *at;

	if (name && !name->pending && now_ms >= name->until_ms) {
		forget(names, at);
		name = NULL;
	}
	if (name) {
		*at = name->next;
		name->next = names->first;
		names->first = name;
		return name;
	}
	/* No name that is known makes room for one that cannot be looked up. */
	return lookups_start(names->lookups, host) == 0 ? add(names, host) : NULL;
}

/* Copies the datagram until its name is known. Returns 0, or -1: it is to be dropped. */
static int
keep(struct udp_names *names, struct name *name, const struct socks_udp *d)
{
	struct kept *kept;

	if (name->kept == UDP_KEPT || d->size > UDP_KEPT_BYTES - names->kept_bytes)
		return -1;
	kept = malloc(sizeof(*kept) + d->size);
	if (!kept)
		return -1;
	kept->next = NULL;
	kept->d = *d;
	kept->d.data = (const uint8_t *)(kept + 1);
	memcpy(kept + 1, d->data, d->size);
	*name->last = kept;
	name->last = &kept->next;
	name->kept++;
	names->kept++;
	names->kept_bytes += d->size;
	return 0;
}

/* The addresses that were found, with the port. Returns how many, or -1. */
static int
with_port(const struct lookup *found, uint16_t port, struct addr *list)
{
	for (int i = 0; i < found->n; i++) {
		list[i] = found->list[i];
		if (addr_family(&list[i]) == AF_INET)
			list[i].u.in.sin_port = htons(port);
		else
			list[i].u.in6.sin6_port = htons(port);
	}
	return found->n;
}

int
udp_names_find(struct udp_names *names, const struct socks_udp *d, int64_t now_ms,
	struct addr *list)
{
	struct name *name;

	assert(d->dst.atyp == SOCKS_ATYP_NAME);
	name = fetch(names, d->dst.name.host, now_ms);
	if (!name)
		return -1;
	if (name->pending)
		return keep(names, name, d);
	return with_port(name->found, d->dst.name.port, list);
}

int
udp_names_fd(const struct udp_names *names)
{
	return lookups_fd(names->lookups);
}

size_t
udp_names_kept(const struct udp_names *names)
{
	return names->kept;
}

/* Hands on what was kept for the name. */
static void
hand_on(struct udp_names *names, struct name *name, udp_names_found *found, void *arg)
{
	struct addr list[NET_ADDRS];
	struct kept *kept;

	while ((kept = name->first)) {
		int n = with_port(name->found, kept->d.dst.name.port, list);

		name->first = kept->next;
		found(arg, &kept->d, list, n);
		release(names, kept);
	}
	name->last = &name->first;
	name->kept = 0;
}

void
udp_names_collect(
	struct udp_names *names, int64_t now_ms, udp_names_found *found, void *arg)
{
	struct lookup *over;

	while ((over = lookups_take(names->lookups))) {
		struct name *name = *place(names, over->host);

		/* It stays in the list while it is looked up, if it ever got there. */
		if (!name || !name->pending) {
			free(over);
			continue;
		}
		name->found = over;
		name->pending = false;
		name->until_ms =
			now_ms + (over->n > 0 ? UDP_NAME_MS : UDP_NAME_FAILED_MS);
		hand_on(names, name, found, arg);
	}
}
