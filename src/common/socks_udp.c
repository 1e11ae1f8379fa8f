/* SPDX-License-Identifier: ISC */
/*
 * The header of RFC 1928 section 7 as bytes and as a struct. Pure, and without state: any
 * thread may call any of it. The caller's struct is written only when all was right.
 */
#include "config.h"
#include "socks_udp.h"

#include <string.h>

/* RSV and FRAG; then a dest. */
enum { AT_FRAG = 2, HEAD = 3 };

_Static_assert(SOCKS_UDP_HEADER == HEAD + SOCKS_DEST, "the longest header");

enum parse
socks_udp_parse(struct socks_udp *d, const uint8_t *data, size_t size)
{
	struct socks_dest dst;
	size_t n;

	if (size <= HEAD || data[0] != 0 || data[1] != 0 ||
		data[AT_FRAG] == SOCKS_UDP_LAST)
		return PARSE_BAD;
	if (socks_dest_parse(&dst, data + HEAD, size - HEAD, &n) != PARSE_OK ||
		socks_dest_bad_name(data + HEAD, size - HEAD) ||
		socks_dest_port(&dst) == 0)
		return PARSE_BAD;
	*d = (struct socks_udp){
		.frag = data[AT_FRAG],
		.dst = dst,
		.data = data + HEAD + n,
		.size = size - HEAD - n,
	};
	return PARSE_OK;
}

static size_t
put_head(uint8_t *buf, uint8_t frag)
{
	const uint8_t head[HEAD] = { 0, 0, frag };

	memcpy(buf, head, HEAD);
	return HEAD;
}

size_t
socks_udp_build(uint8_t *buf, uint8_t frag, const struct socks_dest *dst)
{
	size_t n = put_head(buf, frag);

	return n + socks_dest_build(buf + n, dst);
}

size_t
socks_udp_build_source(uint8_t *buf, const struct addr *source)
{
	size_t n = put_head(buf, 0);

	return n + socks_dest_build_addr(buf + n, source);
}
