/* SPDX-License-Identifier: ISC */
/*
 * The CPU clock of a process counts nanoseconds, and that of threads that have ended; in
 * stat there are ticks only, and they do for children that were waited for.
 */
#include "config.h"
#include "cost.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES	    20 /* so many must agree */
#define SAMPLE_S    0.05
#define SETTLED_KB  1000
#define NEWEST_GENS 16 /* of processes below processes: more than there are */

struct process {
	pid_t pid, parent;
	double children_s, rss_kb, own_s;
	bool mine;
};

static bool
read_process(struct process *p, const char *pid)
{
	char path[64], line[1024], *end;
	unsigned long own[2];
	long children[2], pages;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	p->pid = (pid_t)atol(pid);
	if (!end ||
		sscanf(end + 2,
			"%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d "
			"%*d "
			"%*d %*d %*u %*u %ld",
			&p->parent, &own[0], &own[1], &children[0], &children[1],
			&pages) != 6)
		return false;
	p->own_s = (double)(own[0] + own[1]) / (double)sysconf(_SC_CLK_TCK);
	p->children_s =
		(double)(children[0] + children[1]) / (double)sysconf(_SC_CLK_TCK);
	p->rss_kb = (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
	p->mine = false;
	return true;
}

static struct process *
read_all(size_t *n)
{
	DIR *dir = opendir("/proc");
	struct process *all = NULL;
	struct dirent *entry;

	*n = 0;
	if (!dir)
		die("/proc");
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (*n % 256 == 0)
			all = realloc(all, (*n + 256) * sizeof(*all));
		if (!all)
			die("memory");
		if (read_process(&all[*n], entry->d_name))
			(*n)++;
	}
	closedir(dir);
	return all;
}

static bool
is_root(const struct plan *plan, pid_t pid)
{
	for (size_t i = 0; i < plan->root_count; i++)
		if (plan->roots[i] == pid)
			return true;
	return false;
}

static int
by_pid(const void *a, const void *b)
{
	const struct process *p = a, *q = b;

	return (p->pid > q->pid) - (p->pid < q->pid);
}

/* Roots, then their children, and so on, until a turn finds nothing. */
static void
mark(const struct plan *plan, struct process *all, size_t n)
{
	bool more = true;

	for (size_t i = 0; i < n; i++)
		all[i].mine = is_root(plan, all[i].pid);
	qsort(all, n, sizeof(*all), by_pid);
	for (int turn = 0; more && turn < NEWEST_GENS; turn++) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			struct process key = { .pid = all[i].parent }, *parent;

			if (all[i].mine)
				continue;
			parent = bsearch(&key, all, n, sizeof(*all), by_pid);
			all[i].mine = parent && parent->mine;
			more = more || all[i].mine;
		}
	}
}

static double
cpu_s(const struct process *p)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(p->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return p->own_s;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

struct cost
cost_of(const struct plan *plan)
{
	struct cost sum = { .count = 0 };
	size_t n;
	struct process *all = read_all(&n);

	mark(plan, all, n);
	for (size_t i = 0; i < n; i++) {
		if (!all[i].mine)
			continue;
		sum.cpu_s += cpu_s(&all[i]) + all[i].children_s;
		sum.rss_kb += all[i].rss_kb;
		sum.count++;
	}
	free(all);
	return sum;
}

/* The numbers behind that word at the beginnings of lines; -1: none, or no file. */
static double
sum_of(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	double sum = 0;
	bool seen = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		const char *text = line + strspn(line, " ");

		if (strncmp(text, word, strlen(word)) == 0) {
			sum += atof(text + strlen(word));
			seen = true;
		}
	}
	if (f)
		fclose(f);
	return seen ? sum : -1;
}

/*
 * Not MemAvailable, which takes the inodes of sockets for a cache that can be given up.
 * Free pages of which a processor keeps a list, hundreds of MB of them for many seconds,
 * are not in MemFree; zoneinfo tells how many. Pages of files are taken for free, so that
 * what anybody reads or writes meanwhile makes no difference. Cached has shared memory in
 * it, which is none.
 */
static double
unused_kb(void)
{
	double kb = sum_of("/proc/meminfo", "MemFree:");
	double pages = sum_of("/proc/zoneinfo", "count:");

	if (kb < 0)
		die("MemFree");
	kb += sum_of("/proc/meminfo", "Buffers:") + sum_of("/proc/meminfo", "Cached:") -
		sum_of("/proc/meminfo", "Shmem:");
	return kb + (pages > 0 ? pages * (double)sysconf(_SC_PAGESIZE) / 1024 : 0);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
cost_unused_kb(double patience_s)
{
	double until = now() + patience_s, last[SAMPLES], sorted[SAMPLES];
	unsigned n = 0;

	do {
		last[n++ % SAMPLES] = unused_kb();
		memcpy(sorted, last, sizeof(last));
		if (n >= SAMPLES)
			qsort(sorted, SAMPLES, sizeof(*sorted), by_value);
		pause_s(SAMPLE_S);
	} while (n < SAMPLES ||
		(sorted[SAMPLES - 1] - sorted[0] > SETTLED_KB && now() < until));
	return sorted[SAMPLES / 2];
}
