/* SPDX-License-Identifier: ISC */
/*
 * The listening sockets and the accepting thread. It polls all of them and a pipe whose
 * bytes tell it that others wish something: that it ends, or that a socket refuses
 * clients. It alone touches the sockets while it runs. A client becomes a conn, counted
 * before a crew gets it and uncounted when there is none. The thread never serves,
 * resolves or waits for a client itself.
 */
#include "config.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
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
#define REOPEN_MS  1000	 /* between attempts to listen again */
#define TELL_MS	   60000 /* a repeating error is told so often */
#define ACCEPT_BURST                                                                     \
	64 /* clients taken from one socket before the next one is looked at */

struct listener {
	struct addr addr; /* with the port the system chose, if it did */
	const void *via;
	atomic_bool refuse; /* what is wished; any thread */
	int fd;		    /* polled unless it refuses, and then perhaps -1 */
	int64_t reopen_ms;  /* not before */
	struct log_rate reopen_rate;
};

struct server {
	server_serve *serve;
	void *arg;
	struct conns *conns;
	struct crews *crews;
	struct listener *listeners;
	struct pollfd *fds; /* one for each listener (fd -1: it refuses), then wake */
	size_t n;
	int wake[2]; /* neither end blocks */
	pthread_t thread;
	bool running;
	atomic_bool ending;
	struct log_rate accept_rate, gate_rate, limit_rate, crew_rate;
};

/* Returns 0, or -1 with errno. */
static int
open_wake(int wake[2])
{
	if (compat_pipe(wake) == -1)
		return -1;
	for (int i = 0; i < 2; i++)
		if (fcntl(wake[i], F_SETFL, O_NONBLOCK) == -1)
			return -1;
	return 0;
}

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
	if (s->conns && s->crews && open_wake(s->wake) == 0)
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

/* Binds one place. Returns 0, also when a family was left out, or -1 with errno. */
static int
bind_place(struct server *s, const struct server_place *place)
{
	struct listener *l = &s->listeners[s->n];
	int fd = net_listen(&place->at.addr);

	if (fd == -1)
		return place->at.may_lack && net_family_lacks(errno) ? 0 : -1;
	if (net_local(fd, &l->addr) == -1) {
		io_close(&fd);
		return -1;
	}
	l->via = place->via;
	l->fd = fd;
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

/* Tells of something that may happen with every client, once a minute. Keeps errno. */
static void
tell(struct log_rate *rate, const char *what, const char *why)
{
	int keep = errno;
	unsigned held;
	char times[48] = "";

	if (!log_due(rate, TELL_MS, &held))
		return;
	if (held > 0)
		snprintf(times, sizeof(times), " (and %u times since last told)", held);
	log_msg(LOG_L_WARNING, "%s: %s%s", what, why, times);
	errno = keep;
}

/* Tells, by errno, of a client that got no conn; why: of the gate. Keeps errno. */
static void
tell_turned_away(struct server *s, const struct addr *client, const char *why)
{
	char text[ADDR_TEXT], what[ADDR_TEXT + 32];

	if (errno == EACCES) {
		snprintf(what, sizeof(what), "client %s turned away",
			addr_text(client, text));
		errno = EACCES;
		tell(&s->gate_rate, what, why);
	} else {
		tell(&s->limit_rate, "client turned away",
			errno == EUSERS ? "limits.tunnels is reached" : strerror(errno));
	}
}

/* A client that cannot be served gets RST: it is not to believe in an empty answer. */
static void
turn_away(int *fd)
{
	if (*fd != -1)
		net_reset_on_close(*fd);
	io_close(fd);
}

/*
 * Has a client served. Returns 0; or -1 with errno, told, and there is no conn. *fd is
 * then -1 if it was taken.
 */
static int
take_client(
	struct server *s, int *fd, const struct addr *client, const void *via, void *own)
{
	const char *why = NULL;
	struct conn *conn = conns_add(s->conns, fd, client, via, &why);
	int error;

	if (!conn) {
		tell_turned_away(s, client, why);
		return -1;
	}
	conn->server = s;
	conn->own = own;
	if (crews_run(s->crews, serve_conn, conn) == 0)
		return 0;
	error = errno;
	tell(&s->crew_rate, "client turned away, no thread for it", strerror(error));
	relay_reset(&conn->relay, END_NONE);
	conn_end(conn);
	errno = error;
	return -1;
}

int
server_take(struct server *s, const struct addr *client, const void *via, void *own)
{
	int none = -1;

	return take_client(s, &none, client, via, own);
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
		if (!addr_from_sockaddr(&client, &u.sa))
			io_close(&fd);
		else if (take_client(s, &fd, &client, s->listeners[i].via, NULL) == -1)
			turn_away(&fd);
	}
	return true;
}

static void
shut(struct server *s, size_t i)
{
	s->fds[i].fd = -1;
	net_unlisten(&s->listeners[i].fd);
}

/* If it is time for that; else, or when that fails, it is to be called again. */
static void
reopen(struct server *s, size_t i)
{
	struct listener *l = &s->listeners[i];
	char text[ADDR_TEXT], what[ADDR_TEXT + 32];

	if (io_now_ms() < l->reopen_ms)
		return;
	snprintf(what, sizeof(what), "listening on %s again", addr_text(&l->addr, text));
	if (net_relisten(&l->fd, &l->addr) == 0) {
		s->fds[i].fd = l->fd;
	} else {
		l->reopen_ms = io_now_ms() + REOPEN_MS;
		tell(&l->reopen_rate, what, strerror(errno));
	}
}

/* Does what is wished of the listening sockets. Returns when to look again at the latest.
 */
static int64_t
heed_wishes(struct server *s)
{
	int64_t again_ms = IO_FOREVER;

	for (size_t i = 0; i < s->n; i++) {
		struct listener *l = &s->listeners[i];
		bool refuse = atomic_load(&l->refuse);

		if (refuse && s->fds[i].fd != -1)
			shut(s, i);
		if (!refuse && s->fds[i].fd == -1)
			reopen(s, i);
		if (!refuse && s->fds[i].fd == -1 && l->reopen_ms < again_ms)
			again_ms = l->reopen_ms;
	}
	return again_ms;
}

/* Before the wishes are looked at: what is written later wakes the thread again. */
static void
drain_wake(const struct server *s)
{
	char discard[64];

	while (read(s->wake[0], discard, sizeof(discard)) > 0)
		;
}

/* The accepting thread. */
static void *
accept_loop(void *arg)
{
	struct server *s = arg;
	struct pollfd *wake = &s->fds[s->n];

	while (!atomic_load(&s->ending)) {
		int64_t again_ms = heed_wishes(s);
		bool ok = true;

		if (poll(s->fds, s->n + 1, io_left_ms(again_ms)) == -1)
			continue;
		if (wake->revents)
			drain_wake(s);
		for (size_t i = 0; i < s->n && !atomic_load(&s->ending); i++)
			if (s->fds[i].revents && !accept_clients(s, i))
				ok = false;
		/* Clients wait in the backlog meanwhile. */
		if (!ok && !atomic_load(&s->ending))
			poll(wake, 1, BACKOFF_MS);
	}
	return NULL;
}

/* A byte that does not fit is not needed: there are others that wake the thread. */
static void
wake_up(const struct server *s)
{
	ssize_t ignored = write(s->wake[1], "", 1);

	(void)ignored;
}

void
server_refuse(struct server *s, const void *via, bool refuse)
{
	bool news = false;

	for (size_t i = 0; i < s->n; i++) {
		struct listener *l = &s->listeners[i];

		if (l->via == via && atomic_exchange(&l->refuse, refuse) != refuse)
			news = true;
	}
	if (news)
		wake_up(s);
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
		atomic_store(&s->ending, true);
		wake_up(s);
		pthread_join(s->thread, NULL);
		s->running = false;
	}
	for (size_t i = 0; i < s->n; i++)
		io_close(&s->listeners[i].fd);
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
