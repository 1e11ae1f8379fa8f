/* SPDX-License-Identifier: ISC */
/*
 * proxy_proto: the header of the PROXY protocol, versions 1 (a line of text) and 2
 * (binary), both halves. It goes before everything else on a connection, and tells the
 * address of the client behind a proxy. Pure; parser and builders as in socks_proto.h.
 */
#ifndef PROXY_PROTO_H
#define PROXY_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "addr.h"
#include "socks_proto.h"

#define PROXY_HEADER_MAX 1024 /* bytes of the longest one that is read */
#define PROXY_ID_MAX	 128  /* bytes of a UNIQUE_ID */
#define PROXY_NAME_MAX	 255  /* bytes of an AUTHORITY that is sent */

struct proxy_header {
	/*
	 * Whether it names a client. If not (LOCAL, UNKNOWN, AF_UNSPEC, AF_UNIX), the
	 * addresses of the connection itself stand.
	 */
	bool named;
	struct addr src, dst; /* when named: of the client, and what it connected to */
	size_t id_len;	      /* 0: there is no UNIQUE_ID */
	uint8_t id[PROXY_ID_MAX];
};

/*
 * Of either version. On PARSE_BAD, *why is a static text. A field of a line is judged
 * when it has ended, and before that by its length and its characters; what stands behind
 * the addresses of version 2, when all of it is there.
 */
enum parse proxy_parse(struct proxy_header *header, const char **why, const uint8_t *data,
	size_t size, size_t *used);

/* What builders need at most, for the NUL behind the line of version 1, too. */
#define PROXY_MESSAGE 448

/* What version 2 may say beside the addresses, in a LOCAL header as well. NULL: not. */
struct proxy_extras {
	const void *id; /* UNIQUE_ID */
	size_t id_len;	/* at most PROXY_ID_MAX */
	/*
	 * AUTHORITY: the host name by which who gets the header is addressed, as TLS has
	 * it in its SNI; a proxy there may choose by it. At most PROXY_NAME_MAX bytes.
	 */
	const char *authority;
};

/*
 * src NULL: a connection of the proxy's own, which names nobody (UNKNOWN, LOCAL). extras
 * NULL: none. When one address is IPv4 and the other IPv6, the first is sent as an
 * IPv4-mapped one.
 */
size_t proxy_build_v1(
	uint8_t buf[PROXY_MESSAGE], const struct addr *src, const struct addr *dst);
size_t proxy_build_v2(uint8_t buf[PROXY_MESSAGE], const struct addr *src,
	const struct addr *dst, const struct proxy_extras *extras);

#endif
