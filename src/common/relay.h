/* SPDX-License-Identifier: ISC */
/*
 * relay: a tunnel's two sockets and its two directions. One thread runs each direction;
 * half-closes and resets are passed on, bytes counted, idle limits watched.
 *
 * The sockets belong to the relay from relay_init and relay_attach to relay_close. The
 * owner calls these, and relay_close only when both directions are over. Until
 * relay_destroy any thread may relay_cut.
 */
#ifndef RELAY_H
#define RELAY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "ends.h"

/* The two sides of a tunnel; also the direction that takes bytes from that side. */
enum side { CLIENT, TARGET };

/* Has the second thread of a tunnel begin. */
typedef void relay_start(void *arg);

struct relay {
	int fd[2];		/* by side; -1: none. Changed under lock */
	int64_t idle_ms;	/* no traffic either way for so long ends it; 0: never */
	int64_t half_closed_ms; /* the same once a side has ended; 0: it ends at once */
	_Atomic uint64_t bytes[2]; /* taken from that side and delivered to the other */
	_Atomic int64_t last_ms;   /* when bytes were last delivered */
	_Atomic int end;	   /* enum end: why it ended */
	atomic_bool stopped;	   /* both directions are to end now */
	atomic_bool reset;	   /* not a clean end: the peers get RST */
	atomic_bool fin_sent[2];   /* that side has been sent FIN */
	relay_start *start;	   /* of relay_first; NULL: the second thread has begun */
	void *start_arg;
	enum side seconds;    /* the direction that is the second thread's */
	pthread_mutex_t lock; /* a leaf: nothing else is locked under it */
};

/*
 * Takes the client's socket; there is no target yet. Returns 0, or -1 with errno. -1 for
 * a client that has none, but sends datagrams: it has no directions to be run, and
 * relay_cut wakes nobody before relay_attach, but sets stopped.
 */
int relay_init(struct relay *r, int client_fd);

/*
 * Takes the target's socket, with the limits; before the directions run. Both sockets are
 * of net.h, so that a write does not block for long. After relay_cut it is shut for
 * reading at once: who reads it is at its end.
 */
void relay_attach(
	struct relay *r, int target_fd, int64_t idle_ms, int64_t half_closed_ms);

/*
 * The two threads of a tunnel. Each carries one direction, and returns when that is over;
 * the other one may go on. The first begins alone, with the first piece of either side:
 * most tunnels are a request and an answer. When a side has more, or cannot be written
 * to, it calls second(arg), once, at which relay_second is to begin on the other thread.
 */
void relay_first(struct relay *r, relay_start *second, void *arg);
void relay_second(struct relay *r);

/* Counts n bytes taken from that side and delivered to the other. */
void relay_count(struct relay *r, enum side from, size_t n);

/* Whether one side has ended and the other goes on: any thread that may cut it. */
bool relay_is_half_closed(const struct relay *r);

/* Notes why the tunnel ended: the first reason stays, but any other outdoes an EOF. */
void relay_note(struct relay *r, enum end end);

/* Why it ended so far. */
enum end relay_end(const struct relay *r);

/*
 * Ends it for the given reason, whatever it is doing: its threads are woken by
 * shutdown(2), its peers get RST. Also before relay_attach.
 */
void relay_cut(struct relay *r, enum end end);

/* The owner, when no direction runs: it ended for this reason, and its peers get RST. */
void relay_reset(struct relay *r, enum end end);

/*
 * The owner, when no direction runs: closes the sockets. After an unclean end with RST,
 * but not before what was accepted has been delivered, as long as the peer takes it.
 */
void relay_close(struct relay *r);

/* After relay_close, when nobody can call relay_cut any more. */
void relay_destroy(struct relay *r);

#endif
