/* SPDX-License-Identifier: ISC */
/*
 * socks_udp: the header in front of each datagram of a UDP association (RFC 1928 section
 * 7), both halves. Pure: no fd, no log, no malloc.
 *
 *	RSV(2) = 0  FRAG  ATYP  DST.ADDR  DST.PORT  DATA
 */
#ifndef SOCKS_UDP_H
#define SOCKS_UDP_H

#include "socks_proto.h"

#define SOCKS_UDP_HEADER  262	/* the longest: a name of 255 bytes */
#define SOCKS_UDP_SOURCE  22	/* the longest of an answer: an IPv6 address */
#define SOCKS_UDP_PAYLOAD 65507 /* the most that a datagram of IPv4 carries */

/* FRAG: 0 for a datagram that stands alone, else a position, and the bit on the last. */
#define SOCKS_UDP_POSITION 0x7f
#define SOCKS_UDP_LAST	   0x80

struct socks_udp {
	uint8_t frag;
	struct socks_dest dst;
	const uint8_t *data; /* behind the header, in what was parsed */
	size_t size;	     /* may be 0 */
};

/*
 * Parses a datagram of size bytes. PARSE_BAD, and d is untouched: it is shorter than its
 * header, RSV is not 0, FRAG is SOCKS_UDP_LAST without a position, ATYP is unknown, the
 * name is empty or has a NUL or control byte, or the port is 0. Never PARSE_MORE.
 */
enum parse socks_udp_parse(struct socks_udp *d, const uint8_t *data, size_t size);

/* Build a header in buf, SOCKS_UDP_HEADER or SOCKS_UDP_SOURCE bytes. Return its size. */
size_t socks_udp_build(uint8_t *buf, uint8_t frag, const struct socks_dest *dst);
size_t socks_udp_build_source(uint8_t *buf, const struct addr *source); /* an answer's */

#endif
