/* SPDX-License-Identifier: ISC */
/*
 * Datagrams of 64 bytes there and back, n of them on the way at a time, which all buffers
 * have room for. What has not come back when nothing more comes counts as lost, and
 * others are sent in its place.
 */
#include "config.h"
#include "cost.h"
#include "way.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE	 64
#define SIZE	 (WAY_UDP_HEADER + MESSAGE)
#define BATCH	 64
#define QUIET_MS 100
#define WARM_S	 0.15

static uint8_t data[BATCH][SIZE];
static struct iovec pieces[BATCH];
static struct mmsghdr batch[BATCH];

static void
fill(const uint8_t *header, size_t head)
{
	for (int i = 0; i < BATCH; i++) {
		memcpy(data[i], header, head);
		pieces[i] = (struct iovec){ data[i], head + MESSAGE };
		batch[i].msg_hdr.msg_iov = &pieces[i];
		batch[i].msg_hdr.msg_iovlen = 1;
	}
}

static unsigned
at_once(unsigned n)
{
	return n < BATCH ? n : BATCH;
}

struct counts {
	double sent, back, lost;
};

/* Returns when the time is over and nothing is on the way, or was waited for. */
static void
run(int fd, unsigned window, double seconds, struct counts *c)
{
	double until = now() + seconds;
	unsigned away = 0;

	while (now() < until || away > 0) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int n = 0;

		if (now() < until && away < window)
			n = sendmmsg(fd, batch, at_once(window - away), 0);
		if (n == -1 && errno != ECONNREFUSED)
			die("udp: send");
		if (n > 0) {
			away += (unsigned)n;
			c->sent += n;
		}
		if (poll(&wait, 1, QUIET_MS) == 0) {
			c->lost += away;
			away = 0;
		} else if ((n = recvmmsg(fd, batch, BATCH, MSG_DONTWAIT, NULL)) > 0) {
			away -= (unsigned)n < away ? (unsigned)n : away;
			c->back += n;
		}
	}
}

void
measure_udp(const struct plan *plan)
{
	struct counts c = { .lost = 0 };
	uint8_t header[WAY_UDP_HEADER];
	size_t head;
	int control, fd = way_open_udp(plan, &control, header, &head);
	double cpu, from, took;

	if (fd == -1)
		die("udp: open");
	fill(header, head);
	run(fd, plan->n, WARM_S, &c);
	if (c.back == 0)
		die("udp: nothing comes back");
	c = (struct counts){ .lost = 0 };
	cpu = cost_of(plan).cpu_s;
	from = now();
	run(fd, plan->n, plan->seconds, &c);
	took = now() - from;
	cpu = cost_of(plan).cpu_s - cpu;
	printf("per_s %.0f\nlost_percent %.3f\n", c.back / took, 100 * c.lost / c.sent);
	if (plan->root_count > 0)
		printf("cpu_us %.2f\n", cpu * 1e6 / c.back);
	close(fd);
	if (control != -1)
		close(control);
}
