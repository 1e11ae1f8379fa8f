/* SPDX-License-Identifier: ISC */
/*
 * Finds the session of each datagram, puts the header in front and sends it to the
 * session's association; never waits for a socket to take something, nor for an upstream.
 * Several datagrams for one session go out together, so one is borrowed at a time. Runs
 * on the receiving thread.
 */
#include "config.h"
#include "udp_intake.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "route.h"

#define NAP_MS 100 /* when memory is short */

int
udp_intake_init(struct udp_intake *intake)
{
	intake->out = (struct udp_outbox){ .from = CLIENT, .sent = UDP_UP };
	intake->in = malloc(sizeof(*intake->in));
	return intake->in ? 0 : -1;
}

void
udp_intake_free(struct udp_intake *intake)
{
	free(intake->in);
	intake->in = NULL;
}

/* Tells of a client that is not served. */
static void
tell(struct log_rate *rate, const struct udp_port *port, const struct addr *client,
	const char *why)
{
	char text[ADDR_TEXT];

	log_rated(rate, "datagram of client %s dropped, route %s: %s",
		addr_text(client, text), port->via->name, why);
}

/* The first datagram of a client that may have a session. */
static void
add_session(struct udp_intake *intake, const struct udp_port *port,
	const struct udp_ends *ends, const void *data, size_t size)
{
	struct route *route = port->via->route;
	struct udp_session *s =
		udp_table_add(intake->table, ends, intake->quit, data, size);

	if (!s) {
		tell(&intake->memory_rate, port, &ends->client, strerror(errno));
		route_leave(route);
		return;
	}
	if (server_take(
		    intake->server, intake->generation, &ends->client, port->via, s) == 0)
		return;
	udp_table_remove(s);
	free(s);
	route_leave(route);
}

static void
welcome(struct udp_intake *intake, const struct udp_port *port,
	const struct udp_ends *ends, const void *data, size_t size)
{
	struct route *route;

	if (!port->via || atomic_load(&port->socket->drained))
		return;
	route = port->via->route;
	if (!route_admits(route, &ends->client))
		tell(&intake->admit_rate, port, &ends->client, "not one of its clients");
	else if (!route_enter(route))
		tell(&intake->limit_rate, port, &ends->client, "its limit is reached");
	else
		add_session(intake, port, ends, data, size);
}

/* Sends what there is for the session that was borrowed, and gives it back. */
static void
give_back(struct udp_intake *intake)
{
	if (!intake->held)
		return;
	udp_flush(&intake->out);
	udp_table_give(intake->held);
	intake->held = NULL;
}

/* What is sent from now on is sent for this session, and counted there. */
static void
hold(struct udp_intake *intake, struct udp_session *s)
{
	intake->held = s;
	intake->out.relay = s->relay;
	intake->out.count = s->count[CLIENT];
}

static void
send_up(struct udp_intake *intake, const uint8_t *data, size_t size)
{
	const struct udp_session *s = intake->held;

	udp_put(&intake->out, s->fd, NULL, data, size);
	udp_put_header(&intake->out, s->header, s->header_size);
}

static void
on_datagram(struct udp_intake *intake, const struct udp_port *port,
	const struct udp_ends *ends, const uint8_t *data, size_t size)
{
	struct udp_session *s;

	if (intake->held && udp_ends_equal(&intake->held->ends, ends)) {
		send_up(intake, data, size);
		return;
	}
	give_back(intake);
	switch (udp_table_find(intake->table, ends, data, size, &s)) {
	case UDP_BORROWED:
		hold(intake, s);
		send_up(intake, data, size);
		break;
	case UDP_KEPT:
		break;
	case UDP_UNKNOWN:
		welcome(intake, port, ends, data, size);
		break;
	}
}

bool
udp_intake_receive(struct udp_intake *intake, const struct udp_port *port)
{
	struct udp_inbox *in = intake->in;
	int done = udp_receive(port->socket->fd, in);
	struct udp_datagram d;

	if (done == -1)
		poll(NULL, 0, NAP_MS);
	while (udp_next(in, &d)) {
		const struct udp_ends ends = {
			.listener = port->socket->fd, .client = *d.from, .local = *d.local
		};

		on_datagram(intake, port, &ends, d.data, d.size);
	}
	give_back(intake);
	return done > 0;
}
