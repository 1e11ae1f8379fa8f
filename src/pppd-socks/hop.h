/* SPDX-License-Identifier: ISC */
/*
 * hop: one connection through one upstream, from connecting to the upstream to its reply.
 * Knows of no route and no health: it tells what happened. Does not log, but for once
 * that an upstream cannot take a pipelined handshake.
 */
#ifndef HOP_H
#define HOP_H

#include <stdint.h>
#include "io.h"
#include "socks_client.h"
#include "upstream.h"

/* What came of it, by who is to blame. */
enum hop_result {
	HOP_OK,
	HOP_UPSTREAM_FAILED, /* not reached, no SOCKS5, silent, refuses our credentials */
	HOP_TARGET_FAILED,   /* the upstream cannot reach it: REP 3, 4, 5, 6 */
	HOP_NO_REPLY,	     /* the upstream took the request, and nothing came in time */
	HOP_LOST,	     /* the same, and it ended the connection */
	HOP_REFUSED,	     /* by policy (REP 2), or for whatever other reason it gave */
	HOP_CLIENT_LEFT,
	HOP_SHORT, /* this process is short of fds, memory, ports */
};

/* For whom it is made, as a PROXY header says it. All NULL: nobody, LOCAL. */
struct hop_client {
	const struct addr *from, *to; /* the client, and the address it connected to */
	const char *id;
};

struct hop_limits {
	struct io_limit all;  /* for the connection and the greeting, with who waits */
	int64_t handshake_ms; /* for the greeting and the password */
	int64_t reply_ms;     /* until then the reply may come; a clock as of io.h */
};

/* One connection. hop_close it, whatever came of it. */
struct hop {
	/* What is wanted: set by the caller. */
	struct upstream *upstream;
	struct hop_client client;
	struct hop_limits limits;

	struct socks_client socks; /* fd starts as -1; behind the reply: in */
	const char *error;	   /* what went wrong, in words */
};

/*
 * Connects, says who it is for, greets and authenticates: what comes before a request.
 * Blocks up to the limits, and for look-ups of the upstream's name.
 */
enum hop_result hop_open(struct hop *hop);

/*
 * All of that and the request, in as few round trips as the upstream allows: on a spare
 * connection, or pipelined. A spare that is dead, and a pipelined handshake that is not
 * understood, are replaced once by a connection and a handshake of the plain kind.
 */
enum hop_result hop_request(struct hop *hop, const struct socks_request *request);

/* Takes the socket out of the hop, which owns it until then. */
int hop_take_fd(struct hop *hop);
void hop_close(struct hop *hop);

#endif
