/* SPDX-License-Identifier: ISC */
/* source: where a client comes from, as limits and penalties see it. Pure. */
#ifndef SOURCE_H
#define SOURCE_H

#include "addr.h"
#include "cidr.h"

/*
 * The network that one client may have to itself: its IPv4 address, the /64 of its IPv6
 * address; of a link-local one, which is a /64 that all on the link share, the address.
 */
struct cidr source_of(const struct addr *client);

/* The bytes that tell one source from all others, and their number. */
const void *source_key(const struct cidr *source, size_t *len);

#endif
