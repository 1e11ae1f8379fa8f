/* SPDX-License-Identifier: ISC */
/*
 * udp_table: the sessions of UDP routes, and what the two threads that know one share.
 * The receiving thread takes all clients' datagrams and sends them to the associations;
 * the serving thread of a session makes its association and takes the answers back.
 *
 * A session belongs to its serving thread, from udp_table_add until udp_table_remove has
 * returned. The receiving thread uses one, its socket and its relay only while it has
 * borrowed it, and blocks for nothing meanwhile: udp_table_remove waits for it.
 */
#ifndef UDP_TABLE_H
#define UDP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "addr.h"
#include "compat.h"
#include "relay.h"
#include "socks_udp.h"
#include "udp_counts.h"

#define UDP_EARLY_MAX	8     /* datagrams that wait for the association */
#define UDP_EARLY_BYTES 65536 /* and their bytes, in all */

/* A datagram that came before there was an association. */
struct udp_early {
	struct udp_early *next;
	size_t size;
	uint8_t bytes[];
};

/* What tells a session from the others: between which ends its datagrams come. */
struct udp_ends {
	int listener; /* the fd that they come to */
	struct addr client;
	struct compat_local local; /* the address of ours that it sends to */
};

enum udp_state { UDP_WAITS, UDP_OPEN, UDP_FAILED };

struct udp_session {
	/* Fixed. */
	struct udp_ends ends;
	struct udp_table *table;
	int quit; /* an fd that hangs up when all sessions are to end */
	/* Set by the serving thread before udp_table_open, then fixed. */
	int fd; /* connected to the association; -1: none */
	struct relay *relay;
	uint8_t header[SOCKS_UDP_HEADER]; /* of each datagram to the target */
	size_t header_size;
	uint64_t count[2][UDP_COUNTS]; /* CLIENT: the receiving thread's, TARGET: the
					  serving one's */
	/* The table's, under its lock. */
	enum udp_state state;
	bool borrowed;
	struct udp_early *early, **early_end;
	int n_early;
	size_t early_bytes;
	struct udp_session *next;
};

struct udp_table;

/* Before a chroot, as random_fill. Returns NULL with errno. */
struct udp_table *udp_table_new(void);
void udp_table_free(struct udp_table *table); /* without sessions; NULL: nothing */

bool udp_ends_equal(const struct udp_ends *a, const struct udp_ends *b);

/*
 * The receiving thread: finds the session that a datagram belongs to. UDP_BORROWED: it is
 * in *s, and takes the datagram now; udp_table_give is due. UDP_KEPT: the datagram was
 * copied, to be sent when there is an association, or dropped and counted.
 */
enum udp_found { UDP_UNKNOWN, UDP_KEPT, UDP_BORROWED };
enum udp_found udp_table_find(struct udp_table *table, const struct udp_ends *ends,
	const void *data, size_t size, struct udp_session **s);
void udp_table_give(struct udp_session *s);

/* The receiving thread: a new session, with its first datagram. NULL: out of memory. */
struct udp_session *udp_table_add(struct udp_table *table, const struct udp_ends *ends,
	int quit, const void *data, size_t size);

/*
 * The serving thread, with all set that the other needs: takes the datagrams that came so
 * far, oldest first, each to be freed by free(3). NULL: there are none, and from now on
 * the receiving thread sends by itself.
 */
struct udp_early *udp_table_open(struct udp_session *s);

/* The serving thread: there is no association. What has come, or comes, is dropped. */
void udp_table_fail(struct udp_session *s);

/*
 * The serving thread, or whoever has added it when there is none: takes it out. From then
 * on it is the caller's alone, to be freed by free(3).
 */
void udp_table_remove(struct udp_session *s);

/* Whether there is a session at that socket. Looks at all: not for each datagram. */
bool udp_table_uses(struct udp_table *table, int listener);

/* Waits until there are no sessions. Returns 0, or -1 at until_ms (io_now_ms's clock). */
int udp_table_wait(struct udp_table *table, int64_t until_ms);

#endif
