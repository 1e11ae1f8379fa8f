/* SPDX-License-Identifier: ISC */
/* As many bytes as go through n tunnels in one direction, and what that costs the proxy.
 */
#include "config.h"
#include "cost.h"
#include "way.h"

#include <sys/socket.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE  (256 << 10)
#define WARM_S 0.15

struct stream {
	pthread_t thread;
	int fd;
	bool down;
	_Atomic uint64_t bytes;
	char *data;
};

static void *
carry(void *arg)
{
	struct stream *s = arg;
	ssize_t n;

	while ((n = s->down ? recv(s->fd, s->data, PIECE, 0)
			    : send(s->fd, s->data, PIECE, MSG_NOSIGNAL)) > 0)
		atomic_fetch_add(&s->bytes, (uint64_t)n);
	return NULL;
}

static struct stream *
start(const struct plan *plan)
{
	struct stream *all = allocate(plan->n, sizeof(*all));

	for (unsigned i = 0; i < plan->n; i++) {
		all[i].down = plan->down;
		all[i].data = allocate(PIECE, 1);
		all[i].fd = way_open(plan, plan->down ? WISH_GIVE : WISH_TAKE);
		if (all[i].fd == -1)
			die("bulk: open");
	}
	for (unsigned i = 0; i < plan->n; i++)
		if (pthread_create(&all[i].thread, NULL, carry, &all[i]) != 0)
			die("bulk: thread");
	return all;
}

static double
carried(struct stream *all, unsigned n)
{
	double bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += (double)atomic_load(&all[i].bytes);
	return bytes;
}

static void
stop(struct stream *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		shutdown(all[i].fd, SHUT_RDWR);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(all[i].thread, NULL);
		close(all[i].fd);
		free(all[i].data);
	}
	free(all);
}

void
measure_bulk(const struct plan *plan)
{
	struct stream *all = start(plan);
	double bytes, cpu, from, took;

	pause_s(WARM_S);
	cpu = cost_of(plan).cpu_s;
	bytes = carried(all, plan->n);
	from = now();
	pause_s(plan->seconds);
	took = now() - from;
	bytes = carried(all, plan->n) - bytes;
	cpu = cost_of(plan).cpu_s - cpu;
	stop(all, plan->n);
	if (bytes <= 0)
		die("bulk: nothing goes through");
	printf("mb_per_s %.1f\n", bytes / took / 1e6);
	if (plan->root_count > 0)
		printf("cpu_s_per_gb %.4f\n", cpu / (bytes / 1e9));
}
