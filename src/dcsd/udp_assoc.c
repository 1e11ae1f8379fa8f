/* SPDX-License-Identifier: ISC */
/*
 * The sockets of an association. They send for a short time at most, and then drop, as
 * any router would; a thread is never stuck in them. Runs on the first thread.
 */
#include "config.h"
#include "udp_assoc.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "net.h"

#define SEND_MS 20 /* how long a socket whose buffer is full is waited for */

static void
limit_sending(int fd)
{
	struct timeval limit = { .tv_usec = SEND_MS * 1000 };

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int
udp_assoc_init(struct udp_assoc *a, struct session *s, int relay)
{
	memset(a, 0, sizeof(*a));
	a->session = s;
	a->relay = relay;
	a->wake[0] = a->wake[1] = -1;
	a->client = s->conn->client;
	if (udp_hosts_init(&a->hosts) == -1 || net_local(relay, &a->entry.at) == -1 ||
		compat_pipe(a->wake) == -1)
		return -1;
	udp_relays_add(&a->entry);
	compat_join_received(relay);
	limit_sending(relay);
	return 0;
}

void
udp_assoc_free(struct udp_assoc *a)
{
	if (a->wake[0] != -1)
		udp_relays_remove(&a->entry);
	for (int i = 0; i < atomic_load(&a->outs); i++)
		io_close(&a->out[i].fd);
	io_close(&a->relay);
	io_close(&a->wake[0]);
	io_close(&a->wake[1]);
	udp_names_free(a->names);
	udp_frag_free(&a->frag);
	udp_hosts_free(&a->hosts);
}

/* Returns a socket for that family, or -1 with errno. */
static int
open_out(const struct outgoing *outgoing, int family)
{
	int fd = compat_socket(family, SOCK_DGRAM), one = 1;

	if (fd == -1)
		return -1;
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	compat_join_received(fd);
	limit_sending(fd);
	if (net_bind_source(fd, family, &outgoing->source) == -1)
		io_close(&fd);
	return fd;
}

int
udp_assoc_out(struct udp_assoc *a, const struct outgoing *outgoing, int family)
{
	int n = atomic_load_explicit(&a->outs, memory_order_relaxed), fd;

	for (int i = 0; i < n; i++)
		if (a->out[i].family == family && a->out[i].outgoing == outgoing)
			return a->out[i].fd;
	if (n == UDP_OUTS) {
		errno = EMFILE;
		return -1;
	}
	fd = open_out(outgoing, family);
	if (fd == -1)
		return -1;
	a->out[n] = (struct udp_out){ fd, family, outgoing };
	atomic_store_explicit(&a->outs, n + 1, memory_order_release);
	/* At most UDP_OUTS bytes are ever written: this does not block. */
	(void)!write(a->wake[1], "", 1);
	return fd;
}
