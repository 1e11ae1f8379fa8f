/* SPDX-License-Identifier: ISC */
/* conns: the live connections of clients: count, limit, cut all, wait until none is left.
 */
#ifndef CONNS_H
#define CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "addr.h"
#include "crew.h"
#include "relay.h"

struct conns;
struct server;

/* One client connection from its accept to its log line. */
struct conn {
	struct relay relay;
	struct addr client;
	const void *via; /* what the listening socket was opened for: a route */
	int64_t start_ms;
	char id[24]; /* as in the log line: unique on this host for a long time */
	struct server *server; /* that accepted it */
	struct conns *conns;
	struct conn *prev, *next;
};

/* max: how many at a time, 0 for no limit. Returns NULL with errno. */
struct conns *conns_new(int max);
void conns_free(struct conns *conns); /* none may be left */

/*
 * Takes *fd (set to -1) into a new, counted conn. Returns NULL with errno, and *fd is
 * untouched: EUSERS: the limit is reached; ENOMEM.
 */
struct conn *conns_add(
	struct conns *conns, int *fd, const struct addr *client, const void *via);

/* With both sockets attached: carries the tunnel on the crew's threads to its end. */
void conn_carry(struct conn *conn, struct crew *crew);

/* Closes what it still holds, uncounts and frees it. */
void conn_end(struct conn *conn);

size_t conns_count(struct conns *conns);

/* Cuts every connection that is there now (relay_cut). Returns how many. */
size_t conns_cut(struct conns *conns, enum end why);

/* Waits until there are none. Returns 0, or -1 at until_ms (io_now_ms's clock). */
int conns_wait(struct conns *conns, int64_t until_ms);

#endif
