/* SPDX-License-Identifier: ISC */
/*
 * gauge target
 * gauge MEASURE [OPTION...] socks|plain AT TARGET
 *
 * The first is the target of all measures, the second takes one: bulk, connect,
 * roundtrip, idle or udp. AT is the port of what is measured, TARGET that of the target;
 * both are the same where there is nothing between.
 *
 *	-s SECONDS	how long (1); idle: how long the memory may take to settle
 *	-n N		how many at once: streams, clients, or datagrams on the way (1)
 *	-c COUNT	connect, roundtrip: that many, instead of -s
 *	-d		bulk: towards the client
 *	-l A,B,...	idle: how many tunnels, in growing numbers (100)
 *	-p PID		of the proxy, whose cost is told; may be given again
 */
#include "config.h"
#include "gauge.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE (128 << 10)

void
die(const char *what)
{
	fprintf(stderr, "gauge: %s: %s\n", what, strerror(errno));
	exit(1);
}

double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void
pause_s(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

void
start_alone(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	errno = pthread_create(&thread, &attr, run, arg);
	if (errno)
		die("thread");
	pthread_attr_destroy(&attr);
}

void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die("memory");
	return p;
}

static const struct measure {
	const char *name;
	void (*run)(const struct plan *plan);
} measures[] = {
	{ "bulk", measure_bulk },
	{ "connect", measure_connect },
	{ "roundtrip", measure_roundtrip },
	{ "idle", measure_idle },
	{ "udp", measure_udp },
};

static _Noreturn void
usage(void)
{
	fprintf(stderr,
		"usage: gauge target\n"
		"       gauge bulk|connect|roundtrip|idle|udp [-d] [-s SECONDS] "
		"[-n N] [-c COUNT] [-l LEVELS]\n"
		"             [-p PID]... socks|plain AT TARGET\n");
	exit(64);
}

/* A number of at least 1; the rest of the text is behind it. */
static unsigned long
number(const char *text, char **end)
{
	unsigned long n = strtoul(text, end, 10);

	if (n == 0 || *end == text)
		usage();
	return n;
}

static unsigned long
whole(const char *text, unsigned long most)
{
	char *end;
	unsigned long n = number(text, &end);

	if (*end || n > most)
		usage();
	return n;
}

static void
take_levels(struct plan *plan, const char *text)
{
	char *end;

	for (plan->level_count = 0;; text = end + 1) {
		if (plan->level_count == LEVELS_MAX)
			usage();
		plan->levels[plan->level_count++] = (unsigned)number(text, &end);
		if (*end == '\0')
			return;
		if (*end != ',')
			usage();
	}
}

static void
take_option(struct plan *plan, int option)
{
	switch (option) {
	case 's':
		plan->seconds = atof(optarg);
		break;
	case 'n':
		plan->n = (unsigned)whole(optarg, 10000);
		break;
	case 'c':
		plan->count = whole(optarg, 1000000);
		break;
	case 'd':
		plan->down = true;
		break;
	case 'l':
		take_levels(plan, optarg);
		break;
	case 'p':
		if (plan->root_count == ROOTS_MAX)
			usage();
		plan->roots[plan->root_count++] = (pid_t)whole(optarg, 1UL << 30);
		break;
	default:
		usage();
	}
}

static void
take_arguments(struct plan *plan, int argc, char **argv)
{
	int option;

	*plan = (struct plan){
		.seconds = 1, .n = 1, .levels = { 100 }, .level_count = 1
	};
	while ((option = getopt(argc, argv, "s:n:c:dl:p:")) != -1)
		take_option(plan, option);
	if (argc - optind != 3)
		usage();
	plan->socks = strcmp(argv[optind], "socks") == 0;
	if (!plan->socks && strcmp(argv[optind], "plain") != 0)
		usage();
	plan->at = (uint16_t)whole(argv[optind + 1], 65535);
	plan->target = (uint16_t)whole(argv[optind + 2], 65535);
}

int
main(int argc, char **argv)
{
	struct plan plan;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "target") == 0)
		target_run();
	if (argc < 2)
		usage();
	take_arguments(&plan, argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof(measures) / sizeof(*measures); i++) {
		if (strcmp(argv[1], measures[i].name) == 0) {
			measures[i].run(&plan);
			return 0;
		}
	}
	usage();
}
