/* SPDX-License-Identifier: ISC */
/*
 * conns: the live connections of clients: who is let in, count, limit, cut all, wait
 * until none is left.
 */
#ifndef CONNS_H
#define CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "addr.h"
#include "crew.h"
#include "generation.h"
#include "relay.h"

struct conns;
struct server;

enum gate_answer { GATE_REFUSES, GATE_PASSES, GATE_COUNTS };

/*
 * Decides whom to let in, by the configuration that a client begins with. Called with no
 * lock held, and must not block: enter runs on the accepting thread, or on the one that
 * calls server_take.
 */
struct gate {
	/*
	 * For each client, before anything is made for it. On GATE_REFUSES, *why is a
	 * static text for the log. After GATE_COUNTS, leave will be called for it once.
	 * NULL: everybody is let in.
	 */
	enum gate_answer (*enter)(
		void *config, const struct addr *peer, const char **why);
	void (*leave)(void *config, const struct addr *client);
	/* Clients beyond the limit are served for as long as it takes to tell them so. */
	bool answers;
};

struct conn;

/* What is left to do when a tunnel is over; conn_end is the last of it. */
typedef void conn_over(struct conn *conn);

#define CONN_ID 132 /* bytes: a UNIQUE_ID of the PROXY protocol, and a NUL, fit */

/* One client connection from its accept to its log line. */
struct conn {
	struct relay relay;
	struct addr peer;	       /* the other end of the socket */
	struct addr client;	       /* the same, or whom a proxy there has named */
	struct generation *generation; /* the configuration that it lives by */
	const void *via; /* what the listening socket was opened for: a route; of that */
	void *own;	 /* what server_take was given; NULL: it was accepted */
	int64_t start_ms;
	char id[CONN_ID]; /* as in the log line: unique on this host for a long time */
	char *fields; /* what else is to be told of it, " key=value ..."; may be NULL */
	const void *subject;   /* of the daemon's own, by conn_publish; under the lock */
	bool counted;	       /* client is to leave through the gate */
	bool refused;	       /* it is beyond the limit: to be told so, and no more */
	struct server *server; /* that accepted it */
	conn_over *over;       /* of conn_carry */
	struct conns *conns;
	struct conn *prev, *next;
	max_align_t room[]; /* what the daemon keeps of it; zeros at first */
};

/*
 * max: how many at a time, 0 for no limit. gate: it is copied; NULL: there is none. room:
 * the bytes of a conn's room. Returns NULL with errno.
 */
struct conns *conns_new(int max, const struct gate *gate, size_t room);
void conns_free(struct conns *conns); /* none may be left; NULL: nothing */

/* Before the first one: somebody may ask what they are, and so they are described. */
void conns_tell(struct conns *conns);

/* Any thread: another limit from now on. Those that there are stay. */
void conns_set_max(struct conns *conns, int max);
int conns_max(struct conns *conns);

/*
 * Takes *fd (set to -1; it may be that already: relay_init) into a new, counted conn,
 * which holds the generation. Returns NULL with errno, and *fd is untouched: EACCES: the
 * gate refuses, and *why is its reason; EUSERS: the limit is reached; ENOMEM.
 */
struct conn *conns_add(struct conns *conns, struct generation *generation, int *fd,
	const struct addr *client, const void *via, const char **why);

/*
 * The same for one beyond the limit, whose conn is refused, and not counted under the
 * limit. EUSERS: CONNS_REFUSED of them are there already, or the gate answers nobody.
 */
#define CONNS_REFUSED 64
struct conn *conns_add_refused(struct conns *conns, struct generation *generation,
	int *fd, const struct addr *client, const void *via, const char **why);

/*
 * Whether the limit is reached. If so, room will be called once when it is not any more,
 * under the lock: it must not block. It is set before the first conn.
 */
void conns_on_room(struct conns *conns, void (*room)(void *arg), void *arg);
bool conns_full(struct conns *conns);

/*
 * The owner, before the gate has counted a client for it: it is for another one than its
 * peer, and, unless id is NULL, has that id, printable and without space. Safe against
 * those who read client and id under the lock of conns.
 */
void conn_set_client(struct conn *conn, const struct addr *client, const char *id);

/*
 * The owner, while it has nothing of its configuration: takes another generation, which
 * it lives by from now on, with via NULL. The client leaves through the gate by it, too.
 */
void conn_set_generation(struct conn *conn, struct generation *generation);

/*
 * The owner: what to tell of it at the control socket, beside what is known here, as
 * " user=ann target=192.0.2.1:80". A copy is kept, if there is memory. It is work for
 * nothing unless conn_is_told.
 */
void conn_describe(struct conn *conn, const char *fields);
bool conn_is_told(const struct conn *conn);

/*
 * The owner: lets those who visit conns see subject, a thing of the daemon's own, under
 * the lock. It must stay as it is until conn_end, or until NULL is published.
 */
void conn_publish(struct conn *conn, const void *subject);

/*
 * The last thing that the serving thread does, with both sockets attached: carries the
 * tunnel on the crew's threads, and calls over(conn) on the one that is over last. When
 * it returns the conn is the caller's no more (crew_split).
 */
void conn_carry(struct conn *conn, struct crew *crew, conn_over *over);

/* Closes what it still holds, uncounts it (also at the gate) and frees it. */
void conn_end(struct conn *conn);

size_t conns_count(struct conns *conns);

/* What there is, and what there has been. */
struct conns_totals {
	size_t now;
	uint64_t ended, ends[END_COUNT]; /* in all, and by reason */
	uint64_t bytes[2]; /* by side they came from, of those there are too */
};
void conns_totals(struct conns *conns, struct conns_totals *totals);

/* Calls visit for each, the newest first, under the lock: it must not block. */
typedef void conns_visit(const struct conn *conn, void *arg);
void conns_each(struct conns *conns, conns_visit *visit, void *arg);

/* Cuts those with that id. Returns how many. */
size_t conns_kill(struct conns *conns, const char *id, enum end why);

/* Cuts every connection that is there now (relay_cut). Returns how many. */
size_t conns_cut(struct conns *conns, enum end why);

/* Cuts those that the question is answered yes for, under the lock. Returns how many. */
typedef bool conns_question(const struct conn *conn, void *arg);
size_t conns_cut_those(
	struct conns *conns, conns_question *question, void *arg, enum end why);

/*
 * Cuts up to most of the half-closed ones without traffic for idle_ms, those first that
 * have had none for the longest. Returns how many.
 */
size_t conns_cut_idle(struct conns *conns, size_t most, int64_t idle_ms, enum end why);

/* Waits until there are none. Returns 0, or -1 at until_ms (io_now_ms's clock). */
int conns_wait(struct conns *conns, int64_t until_ms);

#endif
