/* SPDX-License-Identifier: ISC */
/*
 * gauge: what its parts share. Each measure is one function, that reaches a target as the
 * plan says, and prints what it has found on stdout: a line of NAME VALUE for each. What
 * goes wrong ends the program: half a result would be taken for a whole one.
 */
#ifndef GAUGE_H
#define GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ROOTS_MAX  8
#define LEVELS_MAX 8

/* The first byte that a client sends says what the target is to do. */
enum wish {
	WISH_TAKE = 'u',  /* reads until the end */
	WISH_GIVE = 'd',  /* sends until that fails */
	WISH_ECHO = 'e',  /* sends back what it gets */
	WISH_BRIEF = 'q', /* sends one byte and closes */
	WISH_HOLD = 'i'	  /* sends one byte, and stays */
};

/* All ports are of 127.0.0.1. */
struct plan {
	bool socks; /* at is a SOCKS5 server; else what leads to the target, or it itself
		     */
	uint16_t at, target;
	double seconds; /* how long to measure */
	unsigned n;	/* streams, clients, or datagrams on the way */
	unsigned long
		count; /* that many and no more, however long it takes; 0: seconds */
	bool down;     /* bulk: towards the client */
	pid_t roots[ROOTS_MAX];
	size_t root_count; /* the proxy: these processes and all below them */
	unsigned levels[LEVELS_MAX];
	size_t level_count; /* idle: how many tunnels there are, one after another */
};

/* The target of all measures, TCP and UDP: says "listening on 127.0.0.1:PORT". No end. */
void target_run(void);

void measure_bulk(const struct plan *plan);
void measure_connect(const struct plan *plan);
void measure_roundtrip(const struct plan *plan);
void measure_idle(const struct plan *plan);
void measure_udp(const struct plan *plan);

/* Ends the program with the text and that of errno. */
_Noreturn void die(const char *what);

/* Seconds of a clock that nobody sets. */
double now(void);
void pause_s(double seconds);

/* A thread of its own, that nobody waits for. */
void start_alone(void *(*run)(void *), void *arg);

/* Zeroed. */
void *allocate(size_t n, size_t size);

#endif
