/* SPDX-License-Identifier: ISC */
/*
 * ATYP, ADDR and PORT as bytes and as a struct; an ADDR that is a name begins with its
 * length. Pure: no state between calls, so any thread may call any of it.
 */
#include "config.h"
#include "socks_dest.h"

#include <assert.h>
#include <string.h>

enum { AT_ADDR = 1, AT_NAME = 2, PORT = 2 };

_Static_assert(SOCKS_DEST == AT_NAME + HOST_MAX + PORT, "the longest");
_Static_assert(HOST_MAX == UINT8_MAX, "a name of any length byte must fit in a hostport");

/* The bytes of an ADDR, its length byte included; 0: not known yet; -1: bad ATYP. */
static int
addr_field(const uint8_t *data, size_t size)
{
	switch (data[0]) {
	case SOCKS_ATYP_IPV4:
		return 4;
	case SOCKS_ATYP_IPV6:
		return 16;
	case SOCKS_ATYP_NAME:
		return size > AT_ADDR ? 1 + data[AT_ADDR] : 0;
	default:
		return -1;
	}
}

static size_t
put_port(uint8_t *buf, uint16_t port)
{
	buf[0] = (uint8_t)(port >> 8);
	buf[1] = port & 0xff;
	return PORT;
}

static enum socks_atyp
atyp_of(const struct addr *a)
{
	return addr_family(a) == AF_INET ? SOCKS_ATYP_IPV4 : SOCKS_ATYP_IPV6;
}

/* From the whole, size bytes. */
static void
get_dest(struct socks_dest *dest, const uint8_t *data, size_t size)
{
	uint16_t port = (uint16_t)(data[size - 2] << 8 | data[size - 1]);
	int family = data[0] == SOCKS_ATYP_IPV4 ? AF_INET : AF_INET6;

	memset(dest, 0, sizeof(*dest));
	if (data[0] == SOCKS_ATYP_NAME) {
		dest->atyp = SOCKS_ATYP_NAME;
		memcpy(dest->name.host, data + AT_NAME, data[AT_ADDR]);
		dest->name.port = port;
	} else {
		addr_from_bytes(&dest->addr, family, data + AT_ADDR, port);
		dest->atyp = atyp_of(&dest->addr);
	}
}

enum parse
socks_dest_parse(struct socks_dest *dest, const uint8_t *data, size_t size, size_t *used)
{
	int field = size > 0 ? addr_field(data, size) : 0;
	size_t whole = AT_ADDR + (size_t)field + PORT;

	if (field == -1)
		return PARSE_BAD;
	if (field == 0 || size < whole)
		return PARSE_MORE;
	get_dest(dest, data, whole);
	*used = whole;
	return PARSE_OK;
}

bool
socks_dest_bad_name(const uint8_t *data, size_t size)
{
	size_t end;

	if (size <= AT_ADDR || data[0] != SOCKS_ATYP_NAME)
		return false;
	if (data[AT_ADDR] == 0)
		return true;
	end = AT_NAME + (size_t)data[AT_ADDR];
	for (size_t i = AT_NAME; i < end && i < size; i++)
		if (data[i] < ' ' || data[i] == 0x7f)
			return true;
	return false;
}

size_t
socks_dest_build_addr(uint8_t *buf, const struct addr *addr)
{
	size_t size;
	const uint8_t *bytes = addr_bytes(addr, &size);

	buf[0] = (uint8_t)atyp_of(addr);
	memcpy(buf + AT_ADDR, bytes, size);
	return AT_ADDR + size + put_port(buf + AT_ADDR + size, addr_port(addr));
}

size_t
socks_dest_build(uint8_t *buf, const struct socks_dest *dest)
{
	size_t size;

	if (dest->atyp != SOCKS_ATYP_NAME)
		return socks_dest_build_addr(buf, &dest->addr);
	size = strlen(dest->name.host);
	assert(size > 0 && size <= HOST_MAX);
	buf[0] = SOCKS_ATYP_NAME;
	buf[AT_ADDR] = (uint8_t)size;
	memcpy(buf + AT_NAME, dest->name.host, size);
	return AT_NAME + size + put_port(buf + AT_NAME + size, dest->name.port);
}

uint16_t
socks_dest_port(const struct socks_dest *dest)
{
	return dest->atyp == SOCKS_ATYP_NAME ? dest->name.port : addr_port(&dest->addr);
}

void
socks_dest_from_hostport(struct socks_dest *dest, const struct hostport *hp)
{
	memset(dest, 0, sizeof(*dest));
	if (addr_from_text(&dest->addr, hp->host, hp->port)) {
		dest->atyp = atyp_of(&dest->addr);
	} else {
		dest->atyp = SOCKS_ATYP_NAME;
		dest->name = *hp;
	}
}
