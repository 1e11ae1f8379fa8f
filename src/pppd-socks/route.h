/* SPDX-License-Identifier: ISC */
/*
 * route: what a listening port leads to: targets, and the upstreams that they are reached
 * through; and who may use it. Which of them a client gets is told in search.h.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "balance.h"
#include "health.h"
#include "lists.h"
#include "upstream.h"

#define ROUTE_TARGETS	64   /* of a route */
#define ROUTE_UPSTREAMS 64   /* of a route, and in all */
#define ROUTE_PORTS	4096 /* of a range */

enum on_failure { ON_FAILURE_RESET, ON_FAILURE_CLOSE, ON_FAILURE_REFUSE };

/* What the ports of one entry of `routes` have in common. Not changed by any thread. */
struct route {
	char *name; /* NULL: each port is called by its number */
	bool udp;
	enum balance balance, upstream_balance;
	struct upstream **upstreams; /* n_upstreams of them; they belong to ppp_conf */
	int n_upstreams;
	struct cidrs clients; /* none: everybody */
	int limit;	      /* tunnels at a time; 0: no limit */
	int64_t idle_ms;      /* -1: the daemon's; never so for UDP */
	enum on_failure on_failure;
	int proxy_protocol; /* of the header that the target gets; 0: none */
	int64_t probe_ms;   /* between active probes; 0: none */
	struct hold_off hold_off;
	struct route_port *ports;
	int n_ports;
	_Atomic int *tunnels; /* that it has now; shared */
	struct route *next;
};

/* What is known of a target, whatever configuration it stands in: shared.h. */
struct target_state {
	size_t active;	      /* tunnels to it, under the lock of search */
	atomic_bool disabled; /* by an administrator: nothing new goes to it */
};

/* A target of one listening port. */
struct target {
	struct hostport address;
	struct target_state *state;
	struct health **seen; /* through each upstream, in the route's order; shared, and
				 under the lock of search */
};

/* One listening port: the via of server places, and of conns. */
struct route_port {
	struct route *route;
	char *name; /* as in the log */
	int number; /* of the port; 0: the system chooses */
	struct target *targets;
	int n_targets;
	/* For the balance; search.c's. */
	struct member *target_members;	 /* n_targets of them */
	struct member *upstream_members; /* in the route's order */
};

/* A new one, with the defaults. NULL: out of memory. Freed with its ports and targets. */
struct route *route_new(void);
void route_free(struct route *route); /* NULL: nothing */

/* Whether a client may use it. */
bool route_admits(const struct route *route, const struct addr *client);

/* Counts a tunnel, if the limit allows; route_leave undoes it. */
bool route_enter(struct route *route);
void route_leave(struct route *route);

#endif
