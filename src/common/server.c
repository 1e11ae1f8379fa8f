/* SPDX-License-Identifier: ISC */
/*
 * The listening sockets and the accepting thread. It polls all of them and a pipe that
 * tells it to end; a client becomes a conn, counted before a crew gets it and uncounted
 * when there is none. It never serves, resolves or waits for a client itself.
 */
#include "config.h"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"
#include "log.h"
#include "net.h"

#define PARKED_MAX 256	 /* idle crews kept */
#define BACKOFF_MS 100	 /* no accept for so long when the system is out of something */
#define TELL_MS	   60000 /* a repeating error is told so often */
#define ACCEPT_BURST                                                                     \
	64 /* clients taken from one socket before the next one is looked at */

struct listener {
	struct addr addr; /* with the port the system chose, if it did */
	const void *via;
};

struct server {
	server_serve *serve;
	void *arg;
	struct conns *conns;
	struct crews *crews;
	struct listener *listeners;
	struct pollfd *fds; /* one for each listener, then the pipe's end */
	size_t n;
	int wake[2];
	pthread_t thread;
	bool running;
	struct log_rate accept_rate, gate_rate, limit_rate, crew_rate;
};

struct server *
server_new(server_serve *serve, void *arg, int max_conns, const struct gate *gate)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->serve = serve;
	s->arg = arg;
	s->wake[0] = s->wake[1] = -1;
	s->conns = conns_new(max_conns, gate);
	s->crews = crews_new(PARKED_MAX);
	if (s->conns && s->crews && compat_pipe(s->wake) == 0)
		return s;
	(void)server_free(s, 0);
	return NULL;
}

/* Room for n listeners. Returns 0, or -1 with errno. */
static int
reserve(struct server *s, size_t n)
{
	struct listener *listeners = calloc(n, sizeof(*listeners));
	struct pollfd *fds = calloc(n + 1, sizeof(*fds));

	if (!listeners || !fds) {
		free(listeners);
		free(fds);
		return -1;
	}
	s->listeners = listeners;
	s->fds = fds;
	return 0;
}

/* Whether the machine has no sockets, or no addresses, of that family. */
static bool
family_lacking(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL ||
		error == EPROTONOSUPPORT;
}

/* Binds one place. Returns 0, also when a family was left out, or -1 with errno. */
static int
bind_place(struct server *s, const struct server_place *place)
{
	struct listener *l = &s->listeners[s->n];
	int fd = net_listen(&place->at.addr);

	if (fd == -1)
		return place->at.may_lack && family_lacking(errno) ? 0 : -1;
	if (net_local(fd, &l->addr) == -1) {
		io_close(&fd);
		return -1;
	}
	l->via = place->via;
	s->fds[s->n] = (struct pollfd){ fd, POLLIN, 0 };
	s->n++;
	return 0;
}

static bool
has_via(const struct server *s, const void *via)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->listeners[i].via == via)
			return true;
	return false;
}

int
server_bind(struct server *s, const struct server_place *places, size_t n,
	const struct server_place **failed)
{
	size_t i;

	*failed = places;
	if (reserve(s, n) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		*failed = &places[i];
		if (bind_place(s, &places[i]) == -1)
			return -1;
	}
	for (i = 0; i < n; i++) {
		*failed = &places[i];
		if (!has_via(s, places[i].via)) {
			errno = EADDRNOTAVAIL;
			return -1;
		}
	}
	s->fds[s->n] = (struct pollfd){ s->wake[0], POLLIN, 0 };
	return 0;
}

size_t
server_listeners(const struct server *s)
{
	return s->n;
}

const struct addr *
server_listener(const struct server *s, size_t i, const void **via)
{
	*via = s->listeners[i].via;
	return &s->listeners[i].addr;
}

/* Whether who connects to addr gets to that listening socket. */
static bool
leads_to(const struct listener *l, const struct addr *addr)
{
	if (!addr_collides(&l->addr, addr))
		return false;
	return addr_equal(&l->addr, addr) || net_is_local(addr);
}

bool
server_owns(const struct server *s, const struct addr *addr)
{
	for (size_t i = 0; i < s->n; i++)
		if (leads_to(&s->listeners[i], addr))
			return true;
	return false;
}

struct conns *
server_conns(struct server *s)
{
	return s->conns;
}

static void
serve_conn(struct crew *crew, void *arg)
{
	struct conn *conn = arg;
	struct server *s = conn->server;

	s->serve(conn, crew, s->arg);
}

/* Tells of something that may happen with every client, once a minute. */
static void
tell(struct log_rate *rate, const char *what, const char *why)
{
	unsigned held;
	char times[48] = "";

	if (!log_due(rate, TELL_MS, &held))
		return;
	if (held > 0)
		snprintf(times, sizeof(times), " (and %u times since last told)", held);
	log_msg(LOG_L_WARNING, "%s: %s%s", what, why, times);
}

/* Tells of a client that the gate did not let in. */
static void
tell_refused(struct log_rate *rate, const struct addr *client, const char *why)
{
	char text[ADDR_TEXT], what[ADDR_TEXT + 32];

	snprintf(what, sizeof(what), "client %s turned away", addr_text(client, text));
	tell(rate, what, why);
}

/* A client that cannot be served gets RST: it is not to believe in an empty answer. */
static void
turn_away(int *fd)
{
	net_reset_on_close(*fd);
	io_close(fd);
}

static void
take_client(struct server *s, int *fd, const struct addr *client, const void *via)
{
	const char *why = NULL;
	struct conn *conn = conns_add(s->conns, fd, client, via, &why);

	if (!conn) {
		if (errno == EACCES)
			tell_refused(&s->gate_rate, client, why);
		else
			tell(&s->limit_rate, "client turned away",
				errno == EUSERS ? "limits.tunnels is reached"
						: strerror(errno));
		turn_away(fd);
		return;
	}
	conn->server = s;
	if (crews_run(s->crews, serve_conn, conn) == -1) {
		tell(&s->crew_rate, "client turned away, no thread for it",
			strerror(errno));
		relay_reset(&conn->relay, END_NONE);
		conn_end(conn);
	}
}

/* Whether accept failed because of the one client, which is gone already. */
static bool
clients_fault(int error)
{
	static const int errors[] = { ECONNABORTED, EINTR, EPROTO, ENETDOWN, EHOSTUNREACH,
		ENETUNREACH, ETIMEDOUT, EPERM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

/*
 * Takes what waits at one listening socket. Returns false when accept fails for want of
 * something, fds or memory most likely, and should be left alone for a while.
 */
static bool
accept_clients(struct server *s, size_t i)
{
	for (int n = 0; n < ACCEPT_BURST; n++) {
		union {
			struct sockaddr sa;
			struct sockaddr_storage ss;
		} u;
		socklen_t len = sizeof(u);
		struct addr client;
		int fd = compat_accept(s->fds[i].fd, &u.sa, &len);

		if (fd == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (fd == -1 && clients_fault(errno))
			continue;
		if (fd == -1) {
			tell(&s->accept_rate, "accept", strerror(errno));
			return false;
		}
		if (addr_from_sockaddr(&client, &u.sa))
			take_client(s, &fd, &client, s->listeners[i].via);
		else
			io_close(&fd);
	}
	return true;
}

/* The accepting thread. */
static void *
accept_loop(void *arg)
{
	struct server *s = arg;
	struct pollfd *wake = &s->fds[s->n];

	while (!wake->revents) {
		bool ok = true;

		if (poll(s->fds, s->n + 1, -1) == -1)
			continue;
		for (size_t i = 0; i < s->n && !wake->revents; i++)
			if (s->fds[i].revents && !accept_clients(s, i))
				ok = false;
		/* Clients wait in the backlog meanwhile. */
		if (!ok && !wake->revents)
			poll(wake, 1, BACKOFF_MS);
	}
	return NULL;
}

int
server_start(struct server *s)
{
	errno = pthread_create(&s->thread, NULL, accept_loop, s);
	s->running = errno == 0;
	return s->running ? 0 : -1;
}

void
server_quiesce(struct server *s)
{
	if (s->running) {
		io_close(&s->wake[1]);
		pthread_join(s->thread, NULL);
		s->running = false;
	}
	for (size_t i = 0; i < s->n; i++)
		io_close(&s->fds[i].fd);
}

int
server_free(struct server *s, int wait_ms)
{
	server_quiesce(s);
	if (s->crews && crews_stop(s->crews, wait_ms) == -1)
		return -1;
	s->crews = NULL;
	io_close(&s->wake[0]);
	io_close(&s->wake[1]);
	if (s->conns)
		conns_free(s->conns);
	free(s->listeners);
	free(s->fds);
	free(s);
	return 0;
}
