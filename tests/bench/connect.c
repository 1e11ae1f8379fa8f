/* SPDX-License-Identifier: ISC */
/*
 * New connections, by n clients at once: the handshake, a byte there, a byte back, and
 * the end. One that fails is counted.
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

#define WARM_S 0.15

static const struct plan *the_plan;
static atomic_ulong done, failed;
static atomic_long left; /* of a plan that has a count */
static atomic_bool stopping;

static bool
connect_once(void)
{
	int fd = way_open(the_plan, WISH_BRIEF);
	char byte[2];
	bool ok = fd != -1 && recv(fd, byte, 1, 0) == 1 && recv(fd, byte, 1, 0) == 0;

	if (fd != -1)
		close(fd);
	return ok;
}

static bool
go_on(void)
{
	if (the_plan->count > 0)
		return atomic_fetch_sub(&left, 1) > 0;
	return !atomic_load(&stopping);
}

static void *
client(void *arg)
{
	while (go_on())
		atomic_fetch_add(connect_once() ? &done : &failed, 1);
	return arg;
}

static void
tell(double n, double took, double cpu)
{
	if (n == 0)
		die("connect: no connection");
	printf("per_s %.1f\n", n / took);
	if (the_plan->root_count > 0)
		printf("cpu_us %.2f\n", cpu * 1e6 / n);
}

static void
watch(void)
{
	unsigned long before;
	double cpu, from, took, n;

	pause_s(WARM_S);
	cpu = cost_of(the_plan).cpu_s;
	before = atomic_load(&done);
	from = now();
	pause_s(the_plan->seconds);
	took = now() - from;
	n = (double)(atomic_load(&done) - before);
	cpu = cost_of(the_plan).cpu_s - cpu;
	tell(n, took, cpu);
}

void
measure_connect(const struct plan *plan)
{
	pthread_t *threads = allocate(plan->n, sizeof(*threads));

	the_plan = plan;
	atomic_store(&left, (long)plan->count);
	for (unsigned i = 0; i < plan->n; i++)
		if (pthread_create(&threads[i], NULL, client, NULL) != 0)
			die("connect: thread");
	if (plan->count == 0)
		watch();
	atomic_store(&stopping, true);
	for (unsigned i = 0; i < plan->n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	if (plan->count > 0)
		printf("done %lu\n", atomic_load(&done));
	printf("failed %lu\n", atomic_load(&failed));
}
