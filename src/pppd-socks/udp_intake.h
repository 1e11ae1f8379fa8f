/* SPDX-License-Identifier: ISC */
/*
 * udp_intake: what becomes of the datagrams of clients: they go up through the session
 * that their client has, or begin one, or are dropped. Of the receiving thread of
 * udp_ports.
 */
#ifndef UDP_INTAKE_H
#define UDP_INTAKE_H

#include <stdbool.h>
#include "generation.h"
#include "log.h"
#include "server.h"
#include "udp_batch.h"
#include "udp_sockets.h"
#include "udp_table.h"

/* Starts zero initialised. */
struct udp_intake {
	/* Set by the owner. */
	struct udp_table *table;
	int quit; /* hangs up when all sessions are to end */
	struct server *server;
	struct generation *generation; /* that new sessions begin with */

	struct log_rate admit_rate, limit_rate, memory_rate;
	struct udp_inbox *in;
	struct udp_outbox out;	  /* to held */
	struct udp_session *held; /* borrowed; NULL: none */
};

/* Makes it ready, but for what its owner sets. Returns 0, or -1 with errno. */
int udp_intake_init(struct udp_intake *intake);
void udp_intake_free(struct udp_intake *intake);

/* Takes a batch of what waits at a socket. False: there is no more for now. */
bool udp_intake_receive(struct udp_intake *intake, const struct udp_port *port);

#endif
