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

#define UDP_BATCH 8
#define UDP_ROOM  65536		   /* more than any datagram has */
#define UDP_FRONT SOCKS_UDP_HEADER /* free in front of each: a header fits */

/* What came. Large: there is one only while datagrams come. */
struct udp_inbox {
	struct compat_datagram list[UDP_BATCH];
	struct addr from[UDP_BATCH];
	struct compat_local local[UDP_BATCH]; /* known after compat_tell_local */
	uint8_t bytes[UDP_BATCH][UDP_FRONT + UDP_ROOM];
};

/*
 * Takes what fd has, at most UDP_BATCH, without waiting. An address may be IPv4-mapped.
 * Returns how many, or -1 with errno; 0: there was none, or an error that belongs to a
 * datagram sent earlier (ICMP), which is over now.
 */
int udp_receive(int fd, struct udp_inbox *in);

/*
 * What is to be sent. The data stays the caller's, until udp_flush. Payload bytes that
 * were sent are counted in the relay, datagrams and drops in count.
 */
struct udp_outbox {
	struct relay *relay;
	enum side from;
	enum udp_count sent;	    /* UDP_UP or UDP_DOWN */
	uint64_t *count;	    /* UDP_COUNTS of them */
	struct compat_local *local; /* to send from; NULL: as the system chooses */
	int fd;
	int n;
	struct compat_datagram list[UDP_BATCH];
	struct addr to[UDP_BATCH];
	size_t payload[UDP_BATCH]; /* bytes, without the header */
};

/* Adds a datagram that goes out of fd; to NULL: it is connected. May flush. */
void udp_put(struct udp_outbox *out, int fd, const struct addr *to, const uint8_t *data,
	size_t size, size_t payload);

/* Sends them all, or counts why not. Waits for the socket no longer than it does itself.
 */
void udp_flush(struct udp_outbox *out);

#endif
