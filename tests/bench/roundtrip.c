/* SPDX-License-Identifier: ISC */
/* 64 bytes there and back through one tunnel, again and again. */
#include "config.h"
#include "way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE	  64
#define WARM	  100
#define TIMES_MAX 1000000

static void
exchange(int fd)
{
	char out[MESSAGE] = { 0 }, in[MESSAGE];

	if (!way_give(fd, out, MESSAGE) || !way_take(fd, in, MESSAGE))
		die("roundtrip");
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
measure_roundtrip(const struct plan *plan)
{
	double *us = allocate(TIMES_MAX, sizeof(*us));
	size_t n = 0, most = plan->count ? plan->count : TIMES_MAX;
	int fd = way_open(plan, WISH_ECHO);
	double until, from;

	if (fd == -1)
		die("roundtrip: open");
	for (int i = 0; i < WARM; i++)
		exchange(fd);
	until = now() + plan->seconds;
	do {
		from = now();
		exchange(fd);
		us[n++] = (now() - from) * 1e6;
	} while (n < most && n < TIMES_MAX && (plan->count || now() < until));
	close(fd);
	qsort(us, n, sizeof(*us), by_value);
	printf("median_us %.2f\np99_us %.2f\n", us[n / 2], us[n - 1 - n / 100]);
	free(us);
}
