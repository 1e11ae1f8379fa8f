/* SPDX-License-Identifier: ISC */
/*
 * Whom an address is counted as. An IPv6 host has a /64 full of addresses, and may take
 * another one for each connection. Pure: any thread may call any of it.
 */
#include "config.h"
#include "source.h"

#include <string.h>

struct cidr
source_of(const struct addr *client)
{
	struct cidr source = { .family = addr_family(client), .bits = 32 };
	size_t size;
	const uint8_t *bytes = addr_bytes(client, &size);

	if (source.family == AF_INET6)
		source.bits = IN6_IS_ADDR_LINKLOCAL(&client->u.in6.sin6_addr) ? 128 : 64;
	memcpy(source.base, bytes, source.bits / 8);
	return source;
}

const void *
source_key(const struct cidr *source, size_t *len)
{
	*len = source->bits / 8;
	return source->base;
}
