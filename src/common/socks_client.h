/* SPDX-License-Identifier: ISC */
/* socks_client: the client's half of a SOCKS5 handshake on a connected socket. */
#ifndef SOCKS_CLIENT_H
#define SOCKS_CLIENT_H

#include "io.h"
#include "socks_proto.h"

/* One handshake. Does not own fd. Starts as { .fd = fd }. */
struct socks_client {
	int fd;
	struct inbox in;	  /* after the reply: payload that came behind it */
	struct socks_reply reply; /* of the request, when it has come */
	bool replied;
	const char *error; /* what went wrong, in words for a log line */
};

/*
 * RFC 1928 section 3: offers method "none" and blocks for the server's choice. Returns 0,
 * or -1 with errno (of io.h; EPROTO: the server's fault) and error.
 */
int socks_client_greet(struct socks_client *c, const struct io_limit *limit);

/*
 * Sections 4 and 6: sends the request and blocks for its reply. Returns 0 when it
 * succeeded; else -1 as above; replied then tells whether the server said no.
 */
int socks_client_request(struct socks_client *c, const struct socks_request *request,
	const struct io_limit *limit);

#endif
