/* SPDX-License-Identifier: ISC */
/* The count of users stands in front of the memory. Any thread; no lock. */
#include "config.h"
#include "shared.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

struct shared {
	_Atomic size_t users;
	alignas(max_align_t) unsigned char data[];
};

static struct shared *
of(void *p)
{
	return (struct shared *)((unsigned char *)p - offsetof(struct shared, data));
}

void *
shared_new(size_t size)
{
	struct shared *s = calloc(1, sizeof(*s) + size);

	if (!s)
		return NULL;
	atomic_init(&s->users, 1);
	return s->data;
}

void *
shared_hold(void *p)
{
	atomic_fetch_add(&of(p)->users, 1);
	return p;
}

void
shared_release(void *p)
{
	if (p && atomic_fetch_sub(&of(p)->users, 1) == 1)
		free(of(p));
}
