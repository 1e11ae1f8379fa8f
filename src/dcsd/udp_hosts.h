/* SPDX-License-Identifier: ISC */
/*
 * udp_hosts: the hosts that a client has sent to, which may answer: addresses, whatever
 * the port. Of the UDP_HOSTS last ones at least half are remembered. Any thread.
 */
#ifndef UDP_HOSTS_H
#define UDP_HOSTS_H

#include <pthread.h>
#include <stdbool.h>
#include "addr.h"

#define UDP_HOSTS 4096

/* A set that grows as needed: open addressing, never more than half full. */
struct udp_host_set {
	struct udp_host *slots;
	size_t size, used;
};

struct udp_hosts {
	pthread_mutex_t lock;
	struct udp_host_set now, before;
};

/* Return 0, or -1 with errno. */
int udp_hosts_init(struct udp_hosts *h);
int udp_hosts_add(struct udp_hosts *h, const struct addr *a);

bool udp_hosts_hold(struct udp_hosts *h, const struct addr *a);
void udp_hosts_free(struct udp_hosts *h);

/* The same address, whatever the port. */
bool udp_same_host(const struct addr *a, const struct addr *b);

#endif
