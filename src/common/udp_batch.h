/* SPDX-License-Identifier: ISC */
/*
 * udp_batch: several datagrams at a time in and out of sockets. Each thread that carries
 * some has its own inbox and outbox.
 */
#ifndef UDP_BATCH_H
#define UDP_BATCH_H

#include "addr.h"
#include "compat.h"
#include "relay.h"
#include "socks_udp.h"
#include "udp_counts.h"

#define UDP_BATCH 8	      /* that are taken at once, each maybe several joined */
#define UDP_OUT	  COMPAT_MANY /* that are sent at once */
#define UDP_ROOM  65536	      /* more than any has, joined or not */

/* What came. Large: there is one only while datagrams come. */
struct udp_inbox {
	int n, next; /* how many came, and which is the next to be looked at */
	size_t done; /* bytes of that one that were looked at */
	struct compat_datagram list[UDP_BATCH];
	struct addr from[UDP_BATCH];
	struct compat_local local[UDP_BATCH]; /* known after compat_tell_local */
	uint8_t header[UDP_BATCH][SOCKS_UDP_SOURCE];
	uint8_t bytes[UDP_BATCH][UDP_ROOM];
};

/*
 * Takes what fd has, without waiting: at most UDP_BATCH, each of which may be several
 * after compat_join_received. Returns 1, or -1 with errno; 0: there was none, or an error
 * that belongs to a datagram sent earlier (ICMP), which is over now.
 */
int udp_receive(int fd, struct udp_inbox *in);

/* One that came, in the inbox, until it receives again. */
struct udp_datagram {
	const struct addr *from;
	const struct compat_local *local;
	uint8_t *header; /* room for one of its source, which it shares with those joined
			  */
	uint8_t *data;
	size_t size;
};

/* The next of those that were received, in order. False: there are no more. */
bool udp_next(struct udp_inbox *in, struct udp_datagram *d);

/*
 * What is to be sent. Data and headers stay the caller's, until udp_flush. Payload bytes
 * that were sent are counted in the relay, datagrams and drops in count.
 */
struct udp_outbox {
	struct relay *relay;
	enum side from;
	enum udp_count sent;	    /* UDP_UP or UDP_DOWN */
	uint64_t *count;	    /* UDP_COUNTS of them */
	struct compat_local *local; /* to send from; NULL: as the system chooses */
	int fd;
	size_t apart; /* those of so many bytes are not joined: it has failed; 0: none */
	int n;
	struct compat_datagram list[UDP_OUT];
	struct addr to[UDP_OUT];
};

/* Adds a datagram that goes out of fd; to NULL: it is connected. May flush. */
void udp_put(struct udp_outbox *out, int fd, const struct addr *to, const uint8_t *data,
	size_t size);

/* Puts a header in front of the one that was added last. */
void udp_put_header(struct udp_outbox *out, const uint8_t *header, size_t size);

/* Sends them all, or counts why not. Waits for the socket no longer than it does itself.
 */
void udp_flush(struct udp_outbox *out);

#endif
