/* SPDX-License-Identifier: ISC */
/*
 * Reassembly. The RFC gives a sequence up when a position comes that is lower than one
 * before it. What was overtaken is lost then, and the queue needs no gaps: it is one
 * buffer that grows at its end. Runs on the first thread of an association.
 */
#include "config.h"
#include "udp_frag.h"

#include <stdlib.h>
#include <string.h>

#include "io.h"

void
udp_frag_free(struct udp_frag *f)
{
	free(f->data);
	*f = (struct udp_frag){ .data = NULL };
}

static void
give_up(struct udp_frag *f, uint64_t *dropped)
{
	*dropped += f->last;
	udp_frag_free(f);
}

int64_t
udp_frag_until(const struct udp_frag *f)
{
	return f->data ? f->until_ms : IO_FOREVER;
}

void
udp_frag_expire(struct udp_frag *f, int64_t now_ms, uint64_t *dropped)
{
	if (f->data && now_ms >= f->until_ms)
		give_up(f, dropped);
}

static bool
same_dest(const struct socks_dest *a, const struct socks_dest *b)
{
	if (a->atyp != b->atyp)
		return false;
	if (a->atyp != SOCKS_ATYP_NAME)
		return addr_equal(&a->addr, &b->addr);
	return a->name.port == b->name.port && strcmp(a->name.host, b->name.host) == 0;
}

static bool
begin(struct udp_frag *f, const struct socks_udp *d, int64_t now_ms)
{
	f->data = malloc(SOCKS_UDP_PAYLOAD);
	f->dst = d->dst;
	f->until_ms = now_ms + UDP_FRAG_MS;
	return f->data != NULL;
}

/* Adds the fragment that is due. False: it does not fit in here. */
static bool
append(struct udp_frag *f, const struct socks_udp *d, int64_t now_ms)
{
	if (f->last == 0 ? !begin(f, d, now_ms) : !same_dest(&f->dst, &d->dst))
		return false;
	if (d->size > SOCKS_UDP_PAYLOAD - f->size)
		return false;
	memcpy(f->data + f->size, d->data, d->size);
	f->size += d->size;
	f->last++;
	return true;
}

bool
udp_frag_take(struct udp_frag *f, struct socks_udp *d, int64_t now_ms, uint64_t *dropped)
{
	unsigned position = d->frag & SOCKS_UDP_POSITION;

	udp_frag_expire(f, now_ms, dropped);
	if (position != f->last + 1)
		give_up(f, dropped);
	if (d->frag == 0)
		return true;
	if (position != f->last + 1 || !append(f, d, now_ms)) {
		give_up(f, dropped);
		++*dropped;
		return false;
	}
	if (!(d->frag & SOCKS_UDP_LAST))
		return false;
	d->data = f->data;
	d->size = f->size;
	/* The buffer goes when it is next looked at, and nothing is dropped with it. */
	f->last = 0;
	f->until_ms = now_ms;
	return true;
}
