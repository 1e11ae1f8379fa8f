/* SPDX-License-Identifier: ISC */
/*
 * The receiving thread of UDP routes. It polls their sockets, finds the session of each
 * datagram, puts the header in front and sends it to the session's association; it never
 * waits for a socket to take something, nor for an upstream. Several datagrams for one
 * session go out together, so one is borrowed at a time.
 */
#include "config.h"
#include "udp_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "io.h"
#include "log.h"
#include "net.h"
#include "route.h"
#include "udp_batch.h"
#include "udp_table.h"

#define BURST	4	      /* batches from one socket before the next is looked at */
#define NAP_MS	100	      /* when memory is short */
#define TELL_MS 60000	      /* clients that are not served are told of so often */
#define STOP_MS 1000	      /* how long sessions may take to be gone */
#define BUFFER	(1024 * 1024) /* of a socket that all clients send to; less will do */

struct udp_port {
	int fd;
	struct addr addr; /* with the port the system chose, if it did */
	const struct route_port *via;
};

struct udp_ports {
	struct udp_port *list;
	size_t n;
	struct pollfd *fds; /* one for each, then the reading end of quit */
	int quit[2];	    /* closed for writing: all are to end */
	struct udp_table *table;
	struct server *server;
	pthread_t thread;
	bool running;
	struct log_rate admit_rate, limit_rate, memory_rate;
	/* The receiving thread's. */
	struct udp_inbox *in;
	struct udp_outbox out;	  /* to held */
	struct udp_session *held; /* borrowed; NULL: none */
};

/* A socket that takes the datagrams of clients. -1 with errno. */
static int
open_socket(const struct addr *at)
{
	int fd = compat_socket(addr_family(at), SOCK_DGRAM);
	int one = 1, size = BUFFER;

	if (fd == -1)
		return -1;
	/* No SO_REUSEADDR: it would share the port with another. */
	if (addr_family(at) == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	compat_tell_local(fd, addr_family(at));
	if (bind(fd, &at->u.sa, at->len) == -1)
		io_close(&fd);
	return fd;
}

/* Binds one place. Returns 0, also when a family was left out, or -1 with errno. */
static int
open_port(struct udp_ports *ports, const struct server_place *place)
{
	struct udp_port *port = &ports->list[ports->n];

	port->fd = open_socket(&place->at.addr);
	if (port->fd == -1)
		return place->at.may_lack && net_family_lacks(errno) ? 0 : -1;
	if (net_local(port->fd, &port->addr) == -1) {
		io_close(&port->fd);
		return -1;
	}
	port->via = place->via;
	ports->fds[ports->n] = (struct pollfd){ port->fd, POLLIN, 0 };
	ports->n++;
	return 0;
}

static bool
has_via(const struct udp_ports *ports, const void *via)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->list[i].via == via)
			return true;
	return false;
}

/* Returns NULL, or the place that failed, with errno. */
static const struct server_place *
open_all(struct udp_ports *ports, const struct places *places)
{
	for (size_t i = 0; i < places->n; i++)
		if (open_port(ports, &places->list[i]) == -1)
			return &places->list[i];
	errno = EADDRNOTAVAIL;
	for (size_t i = 0; i < places->n; i++)
		if (!has_via(ports, places->list[i].via))
			return &places->list[i];
	ports->fds[ports->n] = (struct pollfd){ ports->quit[0], POLLIN, 0 };
	return NULL;
}

/* All but the sockets. NULL with errno. */
static struct udp_ports *
make(size_t n)
{
	struct udp_ports *ports = calloc(1, sizeof(*ports));

	if (!ports)
		return NULL;
	ports->quit[0] = ports->quit[1] = -1;
	ports->list = calloc(n, sizeof(*ports->list));
	ports->fds = calloc(n + 1, sizeof(*ports->fds));
	ports->in = malloc(sizeof(*ports->in));
	ports->table = udp_table_new();
	if (ports->list && ports->fds && ports->in && ports->table &&
		compat_pipe(ports->quit) == 0)
		return ports;
	udp_ports_free(ports);
	return NULL;
}

static void
say_place(const struct server_place *place, char *why, size_t size)
{
	const struct route_port *via = place->via;
	char text[ADDR_TEXT];

	snprintf(why, size, "%s for datagrams of route %s: %s",
		addr_text(&place->at.addr, text), via->name, strerror(errno));
}

struct udp_ports *
udp_ports_open(const struct places *places, char *why, size_t size)
{
	struct udp_ports *ports = make(places->n);
	const struct server_place *failed;

	if (!ports) {
		snprintf(why, size, "%s", strerror(errno));
		return NULL;
	}
	failed = open_all(ports, places);
	if (!failed)
		return ports;
	say_place(failed, why, size);
	udp_ports_free(ports);
	return NULL;
}

/* Tells of a client that is not served, at most once a minute for each reason. */
static void
tell(struct log_rate *rate, const struct udp_port *port, const struct addr *client,
	const char *why)
{
	unsigned held;
	char text[ADDR_TEXT], times[48] = "";

	if (!log_due(rate, TELL_MS, &held))
		return;
	if (held > 0)
		snprintf(times, sizeof(times), " (and %u times since last told)", held);
	log_msg(LOG_L_WARNING, "datagram of client %s dropped, route %s: %s%s",
		addr_text(client, text), port->via->name, why, times);
}

/* The first datagram of a client that may have a session. */
static void
add_session(struct udp_ports *ports, const struct udp_port *port,
	const struct udp_ends *ends, const void *data, size_t size)
{
	struct route *route = port->via->route;
	struct udp_session *s =
		udp_table_add(ports->table, ends, ports->quit[0], data, size);

	if (!s) {
		tell(&ports->memory_rate, port, &ends->client, strerror(errno));
		route_leave(route);
		return;
	}
	if (server_take(ports->server, &ends->client, port->via, s) == 0)
		return;
	udp_table_remove(s);
	free(s);
	route_leave(route);
}

static void
welcome(struct udp_ports *ports, const struct udp_port *port, const struct udp_ends *ends,
	const void *data, size_t size)
{
	struct route *route = port->via->route;

	if (!route_admits(route, &ends->client))
		tell(&ports->admit_rate, port, &ends->client, "not one of its clients");
	else if (!route_enter(route))
		tell(&ports->limit_rate, port, &ends->client, "its limit is reached");
	else
		add_session(ports, port, ends, data, size);
}

/* Sends what there is for the session that was borrowed, and gives it back. */
static void
give_back(struct udp_ports *ports)
{
	if (!ports->held)
		return;
	udp_flush(&ports->out);
	udp_table_give(ports->held);
	ports->held = NULL;
}

/* What is sent from now on is sent for this session, and counted there. */
static void
hold(struct udp_ports *ports, struct udp_session *s)
{
	ports->held = s;
	ports->out.relay = s->relay;
	ports->out.count = s->count[CLIENT];
}

/* There is room for the header in front of data. */
static void
send_up(struct udp_ports *ports, uint8_t *data, size_t size)
{
	const struct udp_session *s = ports->held;

	memcpy(data - s->header_size, s->header, s->header_size);
	udp_put(&ports->out, s->fd, NULL, data - s->header_size, s->header_size + size,
		size);
}

static void
on_datagram(struct udp_ports *ports, const struct udp_port *port,
	const struct udp_ends *ends, uint8_t *data, size_t size)
{
	struct udp_session *s;

	if (ports->held && udp_ends_equal(&ports->held->ends, ends)) {
		send_up(ports, data, size);
		return;
	}
	give_back(ports);
	switch (udp_table_find(ports->table, ends, data, size, &s)) {
	case UDP_BORROWED:
		hold(ports, s);
		send_up(ports, data, size);
		break;
	case UDP_KEPT:
		break;
	case UDP_UNKNOWN:
		welcome(ports, port, ends, data, size);
		break;
	}
}

/* Takes a batch of what waits at a socket. False: there is no more for now. */
static bool
receive(struct udp_ports *ports, const struct udp_port *port)
{
	struct udp_inbox *in = ports->in;
	int n = udp_receive(port->fd, in);

	if (n == -1)
		poll(NULL, 0, NAP_MS);
	for (int i = 0; i < n; i++) {
		struct udp_ends ends = { .listener = port->fd, .local = in->local[i] };

		if (addr_from_sockaddr(&ends.client, &in->from[i].u.sa))
			on_datagram(
				ports, port, &ends, in->list[i].data, in->list[i].size);
	}
	give_back(ports);
	return n > 0;
}

static void *
run(void *arg)
{
	struct udp_ports *ports = arg;
	struct pollfd *fds = ports->fds;

	while (!fds[ports->n].revents) {
		if (poll(fds, (nfds_t)(ports->n + 1), -1) == -1)
			continue;
		for (size_t i = 0; i < ports->n; i++)
			for (int n = 0; fds[i].revents && n < BURST; n++)
				if (!receive(ports, &ports->list[i]))
					break;
	}
	return NULL;
}

int
udp_ports_start(struct udp_ports *ports, struct server *server)
{
	char text[ADDR_TEXT];

	ports->server = server;
	ports->out = (struct udp_outbox){ .from = CLIENT, .sent = UDP_UP };
	errno = pthread_create(&ports->thread, NULL, run, ports);
	if (errno != 0)
		return -1;
	ports->running = true;
	for (size_t i = 0; i < ports->n; i++)
		log_msg(LOG_L_NOTICE, "listening on %s for datagrams of route %s",
			addr_text(&ports->list[i].addr, text), ports->list[i].via->name);
	return 0;
}

int
udp_ports_stop(struct udp_ports *ports)
{
	io_close(&ports->quit[1]);
	if (ports->running)
		pthread_join(ports->thread, NULL);
	ports->running = false;
	if (udp_table_wait(ports->table, io_now_ms() + STOP_MS) == -1)
		return -1;
	for (size_t i = 0; i < ports->n; i++)
		io_close(&ports->list[i].fd);
	return 0;
}

void
udp_ports_free(struct udp_ports *ports)
{
	if (!ports)
		return;
	for (size_t i = 0; i < ports->n; i++)
		io_close(&ports->list[i].fd);
	io_close(&ports->quit[0]);
	io_close(&ports->quit[1]);
	udp_table_free(ports->table);
	free(ports->list);
	free(ports->fds);
	free(ports->in);
	free(ports);
}
