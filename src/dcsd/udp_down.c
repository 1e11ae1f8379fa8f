/* SPDX-License-Identifier: ISC */
/*
 * From targets to the client: the second half of an association, on the second thread of
 * the crew. It blocks in poll(2) alone, on the sockets that face targets and on the pipe
 * by which the first half tells of a new one, or ends it.
 */
#include "config.h"
#include "udp_assoc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAP_MS 100 /* when memory is short */

struct down {
	struct udp_assoc *a;
	uint64_t *count;
	struct udp_inbox *in; /* NULL while nothing comes */
	struct udp_outbox out;
};

static bool
may_answer(struct udp_assoc *a, const struct addr *from)
{
	return a->session->conf->udp.any_source || udp_hosts_hold(&a->hosts, from);
}

static void
on_answer(struct down *down, const struct udp_datagram *d)
{
	struct udp_assoc *a = down->a;

	if (!may_answer(a, d->from)) {
		down->count[UDP_ANSWER]++;
		return;
	}
	udp_put(&down->out, a->relay, &a->client, d->data, d->size);
	udp_put_header(&down->out, d->header, socks_udp_build_source(d->header, d->from));
}

/* Returns 0, or -1: something is short. */
static int
on_target(struct down *down, int fd)
{
	struct udp_datagram d;
	int done;

	if (!down->in)
		down->in = malloc(sizeof(*down->in));
	if (!down->in)
		return -1;
	done = udp_receive(fd, down->in);
	while (udp_next(down->in, &d))
		on_answer(down, &d);
	udp_flush(&down->out);
	return done == -1 ? -1 : 0;
}

/* Fills the poll set: the pipe, and behind it the sockets there are. Returns its size. */
static int
watch(struct udp_assoc *a, struct pollfd *p)
{
	int outs = atomic_load_explicit(&a->outs, memory_order_acquire);

	p[0] = (struct pollfd){ a->wake[0], POLLIN, 0 };
	for (int i = 0; i < outs; i++)
		p[1 + i] = (struct pollfd){ a->out[i].fd, POLLIN, 0 };
	return 1 + outs;
}

/* False: the first half has closed its end of the pipe. */
static bool
read_wake(struct udp_assoc *a)
{
	char bytes[UDP_OUTS];
	ssize_t n = read(a->wake[0], bytes, sizeof(bytes));

	return n > 0 || (n == -1 && errno == EINTR);
}

/* Waits for something, and does what is to be done. False: the association is over. */
static bool
step(struct down *down)
{
	struct pollfd p[1 + UDP_OUTS];
	int n = watch(down->a, p), ready, failed = 0;

	ready = poll(p, (nfds_t)n, down->in ? UDP_HOLD_MS : -1);
	if (ready == 0) {
		free(down->in);
		down->in = NULL;
	}
	if (ready <= 0)
		return true;
	for (int i = 1; i < n; i++)
		if (p[i].revents && on_target(down, p[i].fd) == -1)
			failed = -1;
	if (p[0].revents)
		return read_wake(down->a);
	if (failed == -1)
		poll(p, 1, NAP_MS);
	return true;
}

void
udp_down(struct udp_assoc *a)
{
	struct down down = { .a = a,
		.count = a->count[TARGET],
		.out = { .relay = &a->session->conn->relay,
			.from = TARGET,
			.sent = UDP_DOWN,
			.count = a->count[TARGET] } };

	while (step(&down))
		continue;
	free(down.in);
}
