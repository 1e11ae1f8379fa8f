/* SPDX-License-Identifier: ISC */
/*
 * upstream: a SOCKS5 server that targets are reached through: how it is configured, and
 * what is known of it. hop.h makes connections through it.
 */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "addr.h"
#include "health.h"
#include "socks_auth.h"

struct spares;

/* Whether it takes the whole handshake in one segment: what was found out so far. */
enum pipelining { PIPELINING_UNKNOWN, PIPELINING_WORKS, PIPELINING_FAILS };

/* What is known of it, whatever configuration it stands in: shared.h. */
struct upstream_state {
	struct health health;	/* under the lock of search */
	size_t active;		/* tunnels through it; the same */
	_Atomic int pipelining; /* enum pipelining */
	atomic_bool disabled;	/* by an administrator: nothing new goes through it */
};

struct upstream {
	/* Not changed once there are threads. */
	char *name; /* as in the log; default: its address */
	struct hostport address;
	int weight;
	struct socks_credentials credentials; /* ulen 0: method none is offered */
	bool pipelined;	     /* to be tried, when it is not known to fail */
	bool proxy_protocol; /* a PROXY header goes first */
	char *connect_as;    /* AUTHORITY of that header; NULL: none */
	int spare;	     /* connections kept ready */
	struct upstream_state *state;
	struct spares *spares; /* NULL: none are kept */
};

/* A new one with that address, and a copy of it as its name. NULL: out of memory. */
struct upstream *upstream_new(const struct hostport *address);

/* Wipes the password. The spares must be gone. NULL: nothing. */
void upstream_free(struct upstream *u);

#endif
