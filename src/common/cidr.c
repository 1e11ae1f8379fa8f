/* SPDX-License-Identifier: ISC */
/* Networks and port ranges as texts and as numbers. Pure; any thread. */
#include "config.h"
#include "cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0/96, IPv4 in IPv6 clothes */

/* The first bits of a and b are the same. */
static bool
same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0;
}

/* The number behind the slash, of the address as it was written; -1: none. */
static int
parse_bits(const char *text, int most)
{
	int bits = 0;

	if (*text == '\0' || strlen(text) > 3)
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		bits = bits * 10 + (*text - '0');
	}
	return bits <= most ? bits : -1;
}

static bool
no_bits_behind(const struct cidr *c)
{
	static const uint8_t zero[16];
	uint8_t rest[16];
	unsigned size = c->family == AF_INET ? 4 : 16;

	memcpy(rest, c->base, sizeof(rest));
	for (unsigned bit = 0; bit < c->bits; bit++)
		rest[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
	return memcmp(rest, zero, size) == 0;
}

/* Fills c from an address that may have been IPv4-mapped: then bits lose its prefix. */
static int
fill(struct cidr *c, const struct addr *a, int bits, bool was_v6)
{
	size_t size;
	const uint8_t *bytes = addr_bytes(a, &size);

	if (was_v6 && addr_family(a) == AF_INET)
		bits -= MAPPED_BITS;
	if (bits < 0)
		return -1;
	*c = (struct cidr){ .family = addr_family(a), .bits = (unsigned)bits };
	memcpy(c->base, bytes, size);
	return 0;
}

int
cidr_parse(struct cidr *c, const char *text, const char **why)
{
	char ip[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	bool was_v6 = memchr(text, ':', len) != NULL;
	int bits = was_v6 ? 128 : 32;
	struct addr a;

	*why = "an address or a network is wanted, as 192.0.2.0/24";
	if (len >= sizeof(ip))
		return -1;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (!addr_from_text(&a, ip, 0))
		return -1;
	if (slash)
		bits = parse_bits(slash + 1, bits);
	if (bits == -1 || fill(c, &a, bits, was_v6) == -1) {
		*why = "the number behind the slash is not a prefix length";
		return -1;
	}
	if (no_bits_behind(c))
		return 0;
	*why = "bits are set behind the prefix length";
	return -1;
}

char *
cidr_text(const struct cidr *c, char out[CIDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "";

	inet_ntop(c->family, c->base, ip, sizeof(ip));
	if (c->bits == (c->family == AF_INET ? 32 : 128))
		snprintf(out, CIDR_TEXT, "%s", ip);
	else
		snprintf(out, CIDR_TEXT, "%s/%u", ip, c->bits);
	return out;
}

bool
cidr_holds(const struct cidr *c, const struct addr *a)
{
	size_t size;

	return addr_family(a) == c->family &&
		same_prefix(addr_bytes(a, &size), c->base, c->bits);
}

int
port_range_parse(struct port_range *r, const char *text, const char **why)
{
	char first[8];
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	int from = -1, to;

	*why = "a port or a range of ports is wanted, as 80 or \"8000-8999\"";
	if (len >= sizeof(first))
		return -1;
	memcpy(first, text, len);
	first[len] = '\0';
	from = port_parse(first, 1);
	to = dash ? port_parse(dash + 1, 1) : from;
	if (from == -1 || to == -1)
		return -1;
	*why = "the range ends before it begins";
	if (to < from)
		return -1;
	*r = (struct port_range){ (uint16_t)from, (uint16_t)to };
	return 0;
}
