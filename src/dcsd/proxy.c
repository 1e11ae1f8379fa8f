/* SPDX-License-Identifier: ISC */
/*
 * Reads a PROXY header. Only ever asked for a peer that is known to send one: whether it
 * is there must not be guessed from the bytes, or any client could name itself as it
 * likes. Runs on a session's first thread, and blocks.
 */
#include "config.h"
#include "proxy.h"

#include <errno.h>

/* An inbox that is full holds a whole header, or a bad one. */
_Static_assert(
	PROXY_HEADER_MAX <= sizeof(((struct inbox *)0)->data), "a header must fit");

static const char *
words_for(int error)
{
	if (error == EPIPE)
		return "the connection ended before its PROXY header";
	if (error == ETIMEDOUT)
		return "no PROXY header in time";
	return "the connection was lost before its PROXY header";
}

int
proxy_read(struct proxy_header *header, struct inbox *in, int fd,
	const struct io_limit *limit, const char **why)
{
	size_t used;
	enum parse parse;

	while ((parse = proxy_parse(header, why, in->data, in->len, &used)) == PARSE_MORE)
		if (inbox_fill(in, fd, limit) == -1) {
			*why = words_for(errno);
			return -1;
		}
	if (parse == PARSE_BAD) {
		errno = EPROTO;
		return -1;
	}
	inbox_consume(in, used);
	return 0;
}
