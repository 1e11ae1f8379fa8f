/* SPDX-License-Identifier: ISC */
/*
 * socks_dest: where something is, as the messages of SOCKS5 say it: ATYP, ADDR and PORT
 * (RFC 1928 section 5), which requests, replies and datagrams have in common. Pure; what
 * the parsers of all these messages answer is told in socks_proto.h.
 */
#ifndef SOCKS_DEST_H
#define SOCKS_DEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "addr.h"

enum parse { PARSE_OK, PARSE_MORE, PARSE_BAD };

/* RFC 1928 section 5. */
enum socks_atyp { SOCKS_ATYP_IPV4 = 1, SOCKS_ATYP_NAME = 3, SOCKS_ATYP_IPV6 = 4 };

/*
 * DST.ADDR and DST.PORT, or BND.ADDR and BND.PORT: a name, or an address. As parsed, atyp
 * goes with addr, so SOCKS_ATYP_IPV4 when an IPv4-mapped IPv6 address came. A name stays
 * a name even where it is the text of an address.
 */
struct socks_dest {
	enum socks_atyp atyp;
	struct addr addr;     /* when atyp is SOCKS_ATYP_IPV4 or SOCKS_ATYP_IPV6 */
	struct hostport name; /* when atyp is SOCKS_ATYP_NAME */
};

#define SOCKS_DEST 259 /* bytes of the longest: ATYP, length, a name of 255, PORT */

/*
 * Parses from ATYP on. PARSE_BAD: ATYP is unknown. A name is taken as it is, see below;
 * dest is written only when all is there.
 */
enum parse socks_dest_parse(
	struct socks_dest *dest, const uint8_t *data, size_t size, size_t *used);

/*
 * Whether what is there (from ATYP on) is a name that nobody may be asked for: empty, or
 * with a NUL or control byte. A NUL would make logs and rules see another name than the
 * resolver.
 */
bool socks_dest_bad_name(const uint8_t *data, size_t size);

/* Build into buf, SOCKS_DEST bytes, from ATYP on. Return the size. */
size_t socks_dest_build(uint8_t *buf, const struct socks_dest *dest);
size_t socks_dest_build_addr(uint8_t *buf, const struct addr *addr);

uint16_t socks_dest_port(const struct socks_dest *dest);

/*
 * A dest from a host and port: an address when the host is the text of one, else a name
 * (ATYP 3), which is never resolved here.
 */
void socks_dest_from_hostport(struct socks_dest *dest, const struct hostport *hp);

#endif
