/* SPDX-License-Identifier: ISC */
/* socks_client: the client's half of a SOCKS5 handshake on a connected socket. */
#ifndef SOCKS_CLIENT_H
#define SOCKS_CLIENT_H

#include "io.h"
#include "socks_auth.h"
#include "socks_proto.h"

/* One handshake. Does not own fd. Starts as { .fd = fd }. */
struct socks_client {
	int fd;
	struct inbox in;	  /* after the last reply: payload that came behind it */
	struct socks_reply reply; /* the last one that has come */
	bool replied;		  /* the one last waited for has come */
	const char *error;	  /* what went wrong, in words for a log line */
};

/*
 * All of these block up to the limit, and return -1 with errno (of io.h; EPIPE: the
 * server has ended the connection; EPROTO: what it said is wrong, or no) and error when
 * they fail. The steps go in this order.
 */

/*
 * RFC 1928 section 3: offers the methods; blocks for the server's choice. Returns the
 * method, one of those offered, or -1.
 */
int socks_client_greet(struct socks_client *c, const struct socks_greeting *offer,
	const struct io_limit *limit);

/* RFC 1929, after method "password" was chosen. Returns 0, or -1. */
int socks_client_password(struct socks_client *c,
	const struct socks_credentials *credentials, const struct io_limit *limit);

/*
 * RFC 1928 sections 4 and 6: sends a request, of any command, and blocks for its reply.
 * Returns 0 when it succeeded, or -1: replied then tells whether the server said no.
 */
int socks_client_request(struct socks_client *c, const struct socks_request *request,
	const struct io_limit *limit);

/*
 * The second halves of these steps alone, for who has sent the first ones in some other
 * way: block for the choice of a method, for the status of the password, for a reply.
 * Results as those of the whole steps. The second reply of BIND comes by itself, too.
 */
int socks_client_method(struct socks_client *c, const struct socks_greeting *offer,
	const struct io_limit *limit);
int socks_client_status(struct socks_client *c, const struct io_limit *limit);
int socks_client_reply(struct socks_client *c, const struct io_limit *limit);

#endif
