/* SPDX-License-Identifier: ISC */
/*
 * udp_lookup: names are looked up by a few threads that all associations share. A look-up
 * cannot be cancelled: what it uses outlives the association that asked.
 */
#ifndef UDP_LOOKUP_H
#define UDP_LOOKUP_H

#include "net.h"

#define UDP_LOOKUPS	   8  /* of one association at a time */
#define UDP_LOOKUP_THREADS 32 /* of the daemon; they end when there is nothing to do */

/* The look-ups of one association. Its functions are for one thread. */
struct lookups;

/* A look-up that is over. The port of the addresses is 0. */
struct lookup {
	char host[HOST_MAX + 1];
	struct addr list[NET_ADDRS];
	int n; /* -1: it failed */
	struct lookups *lookups;
	struct lookup *next;
};

/* Returns NULL with errno. */
struct lookups *lookups_new(void);

/* Forgets what is not over. Never waits. */
void lookups_free(struct lookups *l);

/*
 * Has a name looked up; it is copied. Returns 0, or -1 with errno: EAGAIN, UDP_LOOKUPS
 * are under way, or there is no thread; ENOMEM.
 */
int lookups_start(struct lookups *l, const char *host);

/* An fd that is readable when a look-up is over: then lookups_take until it is NULL. */
int lookups_fd(const struct lookups *l);
struct lookup *lookups_take(struct lookups *l); /* the caller frees it with free(3) */

#endif
