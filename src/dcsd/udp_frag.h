/* SPDX-License-Identifier: ISC */
/*
 * udp_frag: puts the fragments of a datagram together (FRAG, RFC 1928 section 7). One
 * sequence at a time and at most SOCKS_UDP_PAYLOAD bytes, held only while it is under
 * way. Pure: the caller has the clock.
 */
#ifndef UDP_FRAG_H
#define UDP_FRAG_H

#include <stdbool.h>
#include "socks_udp.h"

#define UDP_FRAG_MS 5000 /* the reassembly timer, from the first fragment on */

/* Zero initialised. */
struct udp_frag {
	uint8_t *data; /* SOCKS_UDP_PAYLOAD bytes; NULL: no sequence is under way */
	size_t size;
	unsigned last; /* the position that came last: all before it are there */
	struct socks_dest dst;
	int64_t until_ms;
};

/*
 * Takes a datagram, whole or a fragment. Returns true: d is (now) a whole one; one that
 * was put together is valid until the next call. False: it was a fragment, and is kept
 * or dropped. *dropped grows by the fragments that were given up: all there are, when the
 * timer is over, or the position is not the one behind the last (a datagram that stands
 * alone has position 0), or the destination is another, or the whole is too large for a
 * datagram. A first fragment then begins a new sequence; any other is dropped too. The
 * RFC has only lower positions do that; after the same one again, or behind a gap,
 * nothing right could come of it.
 */
bool udp_frag_take(
	struct udp_frag *f, struct socks_udp *d, int64_t now_ms, uint64_t *dropped);

/* When udp_frag_expire has something to do: IO_FOREVER for never. */
int64_t udp_frag_until(const struct udp_frag *f);
void udp_frag_expire(struct udp_frag *f, int64_t now_ms, uint64_t *dropped);

void udp_frag_free(struct udp_frag *f);

#endif
