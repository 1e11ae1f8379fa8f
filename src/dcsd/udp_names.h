/* SPDX-License-Identifier: ISC */
/*
 * udp_names: the names that an association sends to: their addresses for a while, and
 * while one is looked up the datagrams for it. All bounded; what does not fit is dropped.
 * For one thread; the caller has the clock.
 */
#ifndef UDP_NAMES_H
#define UDP_NAMES_H

#include "addr.h"
#include "net.h"
#include "socks_udp.h"

#define UDP_NAMES	   64		/* that are remembered */
#define UDP_NAME_MS	   30000	/* how long its addresses are */
#define UDP_NAME_FAILED_MS 5000		/* how long that it could not be looked up */
#define UDP_KEPT	   16		/* datagrams for a name that is looked up */
#define UDP_KEPT_BYTES	   (256 * 1024) /* for all of them */

struct udp_names;

/* Returns NULL with errno. */
struct udp_names *udp_names_new(void);
void udp_names_free(struct udp_names *names);

/*
 * The addresses of a datagram's name, with its port. Returns how many, at most NET_ADDRS;
 * 0: the name is being looked up, and the datagram was copied; -1: it is to be dropped.
 */
int udp_names_find(struct udp_names *names, const struct socks_udp *d, int64_t now_ms,
	struct addr *list);

/* Readable when a look-up is over. */
int udp_names_fd(const struct udp_names *names);

/*
 * Takes the look-ups that are over, and hands on each datagram that was kept for them, in
 * order; n is -1 when it is to be dropped.
 */
typedef void udp_names_found(void *arg, struct socks_udp *d, struct addr *list, int n);
void udp_names_collect(
	struct udp_names *names, int64_t now_ms, udp_names_found *found, void *arg);

/* How many datagrams are kept. */
size_t udp_names_kept(const struct udp_names *names);

#endif
