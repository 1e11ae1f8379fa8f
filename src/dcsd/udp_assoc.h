/* SPDX-License-Identifier: ISC */
/*
 * udp_assoc: one association: the relay socket that faces the client, the sockets that
 * face targets, and what the two halves that carry datagrams between them share. The
 * first half owns all but the count of the second.
 */
#ifndef UDP_ASSOC_H
#define UDP_ASSOC_H

#include <stdatomic.h>
#include "session.h"
#include "udp_batch.h"
#include "udp_counts.h"
#include "udp_frag.h"
#include "udp_hosts.h"
#include "udp_names.h"
#include "udp_relays.h"

#define UDP_OUTS    16	/* sockets that face targets: by family, for each `outgoing` */
#define UDP_HOLD_MS 200 /* how long a half keeps its inbox when nothing comes */

/* A socket that faces targets of one family, as one `outgoing` says. */
struct udp_out {
	int fd;
	int family;
	const struct outgoing *outgoing;
};

struct udp_assoc {
	struct session *session;
	int64_t idle_ms;	/* 0: never */
	int relay;		/* the relay socket */
	struct udp_relay entry; /* its address */
	struct addr client;	/* who may send; port 0: any, until a datagram has come */
	int wake[2]; /* a byte: outs has grown; closed: the second half is to end */
	struct udp_hosts hosts; /* that may answer */
	struct udp_out out[UDP_OUTS];
	_Atomic int outs;	 /* entries of out are set before it grows, then fixed */
	struct udp_frag frag;	 /* the first half alone */
	struct udp_names *names; /* the first half alone; NULL until there was a name */
	uint64_t count[2][UDP_COUNTS]; /* by half: each thread has its own */
};

/*
 * Takes the relay socket. Returns 0, or -1 with errno; udp_assoc_free is to be called in
 * either case.
 */
int udp_assoc_init(struct udp_assoc *a, struct session *s, int relay);
void udp_assoc_free(struct udp_assoc *a);

/*
 * The socket for targets of that family; made when it is asked for first. Returns the fd,
 * or -1 with errno. First half only.
 */
int udp_assoc_out(struct udp_assoc *a, const struct outgoing *outgoing, int family);

/*
 * The halves. The first, udp_up, watches the control connection and takes datagrams from
 * the client to targets, until the association is over; the second, udp_down, takes
 * answers to the client until the first has ended.
 */
void udp_up(struct udp_assoc *a);
void udp_down(struct udp_assoc *a);

#endif
