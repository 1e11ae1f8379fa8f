/* SPDX-License-Identifier: ISC */
/*
 * The accepting thread. It polls the listening sockets and a pipe whose bytes tell it
 * that others wish something: that it ends, that a socket refuses clients, or that
 * another set of sockets takes the place of this one. A client becomes a conn, counted
 * before a crew gets it and uncounted when there is none. The thread never serves,
 * resolves or waits for a client itself.
 *
 * While it runs it alone changes the set and its sockets, under the lock, so it need not
 * take the lock to look at them; all others do. Of a socket they change, under the lock,
 * what is wished of it. The lock is a leaf.
 */
#include "config.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "cond.h"
#include "crowd.h"
#include "io.h"
#include "log.h"
#include "net.h"

#define PARKED_MAX 256 /* idle crews kept */
#define BACKOFF_MS 100 /* no accept for so long when the system is out of something */
#define ACCEPT_BURST                                                                     \
	64 /* clients taken from one socket before the next one is looked at */

struct server {
	server_serve *serve;
	struct conns *conns;
	struct crews *crews;
	int wake[2]; /* neither end blocks */
	pthread_t thread;
	bool running;
	atomic_bool ending;
	struct crowd crowd;
	struct log_rate accept_rate, gate_rate, limit_rate, crew_rate;

	struct listeners next; /* prepared; of who prepared it, until it is committed */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct listeners now;
	bool committed; /* next is to be taken */
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

/* A byte that does not fit is not needed: there are others that wake the thread. */
static void
wake_up(void *arg)
{
	const struct server *s = arg;
	ssize_t ignored = write(s->wake[1], "", 1);

	(void)ignored;
}

struct server *
server_new(server_serve *serve, int max_conns, const struct gate *gate, size_t room)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->serve = serve;
	s->wake[0] = s->wake[1] = -1;
	pthread_mutex_init(&s->lock, NULL);
	if (cond_init(&s->changed) == -1) {
		pthread_mutex_destroy(&s->lock);
		free(s);
		return NULL;
	}
	s->conns = conns_new(max_conns, gate, room);
	s->crews = crews_new(PARKED_MAX);
	if (s->conns && s->crews && open_wake(s->wake) == 0) {
		conns_on_room(s->conns, wake_up, s);
		return s;
	}
	(void)server_free(s, 0);
	return NULL;
}

/* ---- the set of sockets ---- */

int
server_prepare(struct server *s, struct generation *generation,
	const struct server_place *places, size_t n, const struct server_place **failed)
{
	return listeners_open(&s->next, places, n, generation, &s->now, failed);
}

void
server_discard(struct server *s)
{
	listeners_close(&s->next, &s->now);
}

void
server_each_change(struct server *s, server_visit *comes, server_visit *goes, void *arg)
{
	for (size_t i = 0; i < s->next.n; i++)
		if (!listeners_have(&s->now, s->next.list[i].socket))
			comes(&s->next.list[i], arg);
	for (size_t i = 0; i < s->now.n; i++)
		if (!listeners_have(&s->next, s->now.list[i].socket))
			goes(&s->now.list[i], arg);
}

void
server_each_listener(struct server *s, server_visit *visit, void *arg)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->now.n; i++)
		visit(&s->now.list[i], arg);
	pthread_mutex_unlock(&s->lock);
}

/* Whether who connects to addr might get to that listening socket. */
static bool
may_lead_to(const struct listener *l, const struct addr *addr, bool *surely)
{
	*surely = addr_equal(&l->socket->addr, addr);
	return addr_collides(&l->socket->addr, addr);
}

bool
server_owns(struct server *s, const struct addr *addr)
{
	bool may = false, surely = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->now.n && !surely; i++)
		may |= may_lead_to(&s->now.list[i], addr, &surely);
	pthread_mutex_unlock(&s->lock);
	return surely || (may && net_is_local(addr));
}

void
server_refuse(struct server *s, const void *via, bool refuse)
{
	bool news = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->now.n; i++) {
		const struct listener *l = &s->now.list[i];

		if (l->via == via && l->socket->refuse != refuse) {
			l->socket->refuse = refuse;
			news = true;
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (news)
		wake_up(s);
}

size_t
server_drain(struct server *s, server_question *question, void *arg, bool drain)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->now.n; i++)
		if (question(&s->now.list[i], arg)) {
			s->now.list[i].socket->drained = drain;
			n++;
		}
	pthread_mutex_unlock(&s->lock);
	wake_up(s);
	return n;
}

/* ---- clients ---- */

struct conns *
server_conns(struct server *s)
{
	return s->conns;
}

bool
server_renew(struct conn *conn)
{
	struct server *s = conn->server;
	struct generation *now;

	pthread_mutex_lock(&s->lock);
	now = generation_hold(s->now.generation);
	pthread_mutex_unlock(&s->lock);
	if (now == conn->generation) {
		generation_release(now);
		return false;
	}
	conn_set_generation(conn, now);
	return true;
}

static void
serve_conn(struct crew *crew, void *arg)
{
	struct conn *conn = arg;

	conn->server->serve(conn, crew);
}

/* Tells, by errno, of a client that got no conn; why: of the gate. Keeps errno. */
static void
tell_turned_away(struct server *s, const struct addr *client, const char *why)
{
	char text[ADDR_TEXT];

	if (errno == EACCES)
		log_rated(&s->gate_rate, "client %s turned away: %s",
			addr_text(client, text), why);
	else
		log_rated(&s->limit_rate, "client turned away: %s",
			errno == EUSERS ? "limits.tunnels is reached" : strerror(errno));
}

/* A client that cannot be served gets RST: it is not to believe in an empty answer. */
static void
turn_away(int *fd)
{
	if (*fd != -1)
		net_reset_on_close(*fd);
	io_close(fd);
}

/* Has a crew serve it. Returns 0; or -1 with errno, told, and it is ended. */
static int
run(struct server *s, struct conn *conn)
{
	int error;

	conn->server = s;
	if (crews_run(s->crews, serve_conn, conn) == 0)
		return 0;
	error = errno;
	log_rated(&s->crew_rate, "client turned away, no thread for it: %s",
		strerror(error));
	relay_reset(&conn->relay, END_NONE);
	conn_end(conn);
	errno = error;
	return -1;
}

/* One beyond the limit: it gets an answer if it can be, else RST. */
static void
refuse(struct server *s, const struct listeners *set, int *fd, const struct addr *client,
	const void *via)
{
	const char *why = NULL;
	struct conn *conn =
		conns_add_refused(s->conns, set->generation, fd, client, via, &why);

	crowd_refused(&s->crowd);
	if (conn)
		(void)run(s, conn);
	else
		turn_away(fd);
}

/* Has a client that was accepted served, or turns it away: that is told. */
static void
take_client(struct server *s, const struct listeners *set, int *fd,
	const struct addr *client, const void *via)
{
	const char *why = NULL;
	struct conn *conn = conns_add(s->conns, set->generation, fd, client, via, &why);

	if (conn) {
		(void)run(s, conn);
	} else if (errno == EUSERS) {
		refuse(s, set, fd, client, via);
	} else {
		tell_turned_away(s, client, why);
		turn_away(fd);
	}
}

int
server_take(struct server *s, struct generation *generation, const struct addr *client,
	const void *via, void *own)
{
	const char *why = NULL;
	int none = -1;
	struct conn *conn = conns_add(s->conns, generation, &none, client, via, &why);

	if (!conn) {
		tell_turned_away(s, client, why);
		return -1;
	}
	conn->own = own;
	return run(s, conn);
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

/* An accept that finds nobody has made a socket in vain, and costs ten times as much. */
static bool
anybody_waits(int listener)
{
	struct pollfd p = { listener, POLLIN, 0 };

	return poll(&p, 1, 0) > 0;
}

/*
 * Takes what waits at one listening socket, so many at most. Returns false when accept
 * fails for want of something, fds or memory most likely, and should be left alone for a
 * while.
 */
static bool
accept_clients(struct server *s, const struct listeners *set, size_t i, int most)
{
	struct listen_socket *socket = set->list[i].socket;

	for (int n = 0; n < most; n++) {
		union {
			struct sockaddr sa;
			struct sockaddr_storage ss;
		} u;
		socklen_t len = sizeof(u);
		struct addr client;
		int fd;

		if (crowd_holds(&s->crowd, s->conns))
			return true;
		if (n > 0 && !anybody_waits(socket->fd))
			return true;
		fd = compat_accept(socket->fd, &u.sa, &len);
		if (fd == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (fd == -1 && clients_fault(errno))
			continue;
		if (fd == -1) {
			log_rated(&s->accept_rate, "accept: %s", strerror(errno));
			return false;
		}
		if (socket->inherited)
			socket->inherited = net_complete(fd);
		if (addr_from_sockaddr(&client, &u.sa))
			take_client(s, set, &fd, &client, set->list[i].via);
		else
			io_close(&fd);
	}
	return true;
}

/* ---- the thread ---- */

/*
 * Takes those who still wait at the sockets that a change has left out. At the limit, or
 * for want of fds, they are reset by the close instead.
 */
static void
empty_out(struct server *s, const struct listeners *old)
{
	for (size_t i = 0; i < old->n; i++)
		if (old->list[i].socket->accepts &&
			!listeners_have(&s->now, old->list[i].socket))
			(void)accept_clients(s, old, i, SOMAXCONN);
}

/* Puts the prepared set in the place of the present one. */
static void
change(struct server *s)
{
	struct listeners old = s->now;

	pthread_mutex_lock(&s->lock);
	s->now = s->next;
	s->next = (struct listeners){ .list = NULL };
	pthread_mutex_unlock(&s->lock);
	if (s->running)
		empty_out(s, &old);
	listeners_close(&old, &s->now);
	pthread_mutex_lock(&s->lock);
	s->committed = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void
server_commit(struct server *s)
{
	if (!s->running) {
		change(s);
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->committed = true;
	wake_up(s);
	while (s->committed)
		cond_wait(&s->changed, &s->lock, IO_FOREVER);
	pthread_mutex_unlock(&s->lock);
}

/* Does what others wish. Returns when to look again at the latest. */
static int64_t
heed(struct server *s)
{
	bool committed;
	int64_t again_ms;

	pthread_mutex_lock(&s->lock);
	committed = s->committed;
	pthread_mutex_unlock(&s->lock);
	if (committed)
		change(s);
	pthread_mutex_lock(&s->lock);
	again_ms = listeners_heed(&s->now);
	pthread_mutex_unlock(&s->lock);
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

/* While clients are left to wait: until there is room, or that is over. */
static void
wait_in_crowd(struct server *s, int64_t until_ms)
{
	struct pollfd wake = { s->wake[0], POLLIN, 0 };

	if (s->crowd.until_ms < until_ms)
		until_ms = s->crowd.until_ms;
	if (poll(&wake, 1, io_left_ms(until_ms)) == 1)
		drain_wake(s);
}

/* Takes clients where there are some. False: the system is out of something. */
static bool
accept_ready(struct server *s)
{
	bool ok = true, anybody = false;

	for (size_t i = 0; i < s->now.n && !atomic_load(&s->ending); i++)
		if (s->now.fds[i].revents) {
			anybody = true;
			if (!accept_clients(s, &s->now, i, ACCEPT_BURST))
				ok = false;
		}
	crowd_passed(&s->crowd, s->conns, anybody);
	return ok;
}

/* Waits for clients, and takes them. Returns as accept_ready. */
static bool
accept_round(struct server *s, int64_t until_ms)
{
	struct pollfd *fds = s->now.fds, *wake = &fds[s->now.n];

	if (s->crowd.until_ms != 0) {
		wait_in_crowd(s, until_ms);
		until_ms = 0;
	}
	*wake = (struct pollfd){ s->wake[0], POLLIN, 0 };
	if (poll(fds, s->now.n + 1, io_left_ms(until_ms)) == -1)
		return true;
	if (wake->revents)
		drain_wake(s);
	return accept_ready(s);
}

static void *
accept_loop(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&s->ending)) {
		struct pollfd wake = { s->wake[0], POLLIN, 0 };

		/* Clients wait in the backlog meanwhile. */
		if (!accept_round(s, heed(s)) && !atomic_load(&s->ending))
			poll(&wake, 1, BACKOFF_MS);
	}
	return NULL;
}

int
server_start(struct server *s)
{
	s->running = true;
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
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->now.n; i++)
		io_close(&s->now.list[i].socket->fd);
	pthread_mutex_unlock(&s->lock);
}

int
server_free(struct server *s, int wait_ms)
{
	server_quiesce(s);
	if (s->crews && crews_stop(s->crews, wait_ms) == -1)
		return -1;
	s->crews = NULL;
	listeners_close(&s->now, NULL);
	io_close(&s->wake[0]);
	io_close(&s->wake[1]);
	if (s->conns)
		conns_free(s->conns);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return 0;
}
