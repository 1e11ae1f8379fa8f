/* SPDX-License-Identifier: ISC */
/*
 * The header of RFC 1928 section 7 as bytes and as a struct. Pure, and without state: any
 * thread may call any of it. The caller's struct is written only when all was right.
 */
#include "config.h"
#include "socks_udp.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { HEAD = 4, PORT = 2 };
enum { AT_FRAG = 2, AT_ATYP = 3, AT_ADDR = HEAD, AT_NAME = HEAD + 1 };

_Static_assert(SOCKS_UDP_HEADER == AT_NAME + HOST_MAX + PORT, "the longest header");

/* The bytes of DST.ADDR, with a name's length byte; 0: it cannot be told, or is bad. */
static size_t
addr_field(const uint8_t *data, size_t size)
{
	switch (data[AT_ATYP]) {
	case SOCKS_ATYP_IPV4:
		return 4;
	case SOCKS_ATYP_IPV6:
		return 16;
	case SOCKS_ATYP_NAME:
		return size > AT_ADDR && data[AT_ADDR] > 0 ? 1 + (size_t)data[AT_ADDR]
							   : 0;
	default:
		return 0;
	}
}

/* As in a request: what logs and rules see is to be what the resolver sees. */
static bool
bad_name(const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] == 0x7f)
			return true;
	return false;
}

static void
get_dest(struct socks_dest *dst, const uint8_t *data, uint16_t port)
{
	int family = data[AT_ATYP] == SOCKS_ATYP_IPV4 ? AF_INET : AF_INET6;

	if (data[AT_ATYP] == SOCKS_ATYP_NAME) {
		dst->atyp = SOCKS_ATYP_NAME;
		memcpy(dst->name.host, data + AT_NAME, data[AT_ADDR]);
		dst->name.port = port;
	} else {
		addr_from_bytes(&dst->addr, family, data + AT_ADDR, port);
		dst->atyp = addr_family(&dst->addr) == AF_INET ? SOCKS_ATYP_IPV4
							       : SOCKS_ATYP_IPV6;
	}
}

enum parse
socks_udp_parse(struct socks_udp *d, const uint8_t *data, size_t size)
{
	size_t field, header;
	uint16_t port;

	if (size < HEAD || data[0] != 0 || data[1] != 0 ||
		data[AT_FRAG] == SOCKS_UDP_LAST)
		return PARSE_BAD;
	field = addr_field(data, size);
	header = HEAD + field + PORT;
	if (field == 0 || size < header)
		return PARSE_BAD;
	if (data[AT_ATYP] == SOCKS_ATYP_NAME && bad_name(data + AT_NAME, data[AT_ADDR]))
		return PARSE_BAD;
	port = (uint16_t)(data[header - 2] << 8 | data[header - 1]);
	if (port == 0)
		return PARSE_BAD;
	*d = (struct socks_udp){
		.frag = data[AT_FRAG], .data = data + header, .size = size - header
	};
	get_dest(&d->dst, data, port);
	return PARSE_OK;
}

/* Puts RSV, FRAG, ATYP, an ADDR of size bytes, and PORT. */
static size_t
put(uint8_t *buf, uint8_t frag, enum socks_atyp atyp, const void *addr, size_t size,
	uint16_t port)
{
	const uint8_t head[HEAD] = { 0, 0, frag, (uint8_t)atyp };
	const uint8_t tail[PORT] = { (uint8_t)(port >> 8), port & 0xff };

	memcpy(buf, head, HEAD);
	memcpy(buf + HEAD, addr, size);
	memcpy(buf + HEAD + size, tail, PORT);
	return HEAD + size + PORT;
}

static size_t
put_addr(uint8_t *buf, uint8_t frag, const struct addr *a)
{
	enum socks_atyp atyp =
		addr_family(a) == AF_INET ? SOCKS_ATYP_IPV4 : SOCKS_ATYP_IPV6;
	const uint8_t *bytes;
	size_t size;

	bytes = addr_bytes(a, &size);
	return put(buf, frag, atyp, bytes, size, addr_port(a));
}

size_t
socks_udp_build(uint8_t *buf, uint8_t frag, const struct socks_dest *dst)
{
	uint8_t name[1 + HOST_MAX];
	size_t len;

	if (dst->atyp != SOCKS_ATYP_NAME)
		return put_addr(buf, frag, &dst->addr);
	len = strlen(dst->name.host);
	assert(len > 0 && len <= HOST_MAX);
	name[0] = (uint8_t)len;
	memcpy(name + 1, dst->name.host, len);
	return put(buf, frag, SOCKS_ATYP_NAME, name, 1 + len, dst->name.port);
}

size_t
socks_udp_build_source(uint8_t *buf, const struct addr *source)
{
	return put_addr(buf, 0, source);
}
