/* SPDX-License-Identifier: ISC */
/*
 * The receiving thread of UDP routes, which polls their sockets, and the sets of them.
 *
 * While it runs it alone changes the set of sockets in use, under the lock, so it need
 * not take the lock to look at it; all others do. A byte in the pipe tells it to take
 * another set. The lock goes before that of the table.
 */
#include "config.h"
#include "udp_ports.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "cond.h"
#include "io.h"
#include "log.h"
#include "route.h"
#include "udp_intake.h"
#include "udp_table.h"

#define BURST	 4    /* batches from one socket before the next is looked at */
#define STOP_MS	 2000 /* how long sessions may take to be gone */
#define SWEEP_MS 1000 /* how often it looks for sockets that no session has any more */

struct udp_ports {
	_Atomic unsigned users;
	int wake[2]; /* a byte: next is to be taken */
	int quit[2]; /* closed for writing: all are to end */
	struct udp_table *table;
	struct udp_intake intake; /* the receiving thread's, while it runs */
	pthread_t thread;
	bool running;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct udp_sockets now;
	struct udp_sockets *next; /* to be taken; NULL: none */
	struct generation *next_generation;
};

struct udp_ports *
udp_ports_new(void)
{
	struct udp_ports *ports = calloc(1, sizeof(*ports));

	if (!ports)
		return NULL;
	atomic_init(&ports->users, 1);
	ports->wake[0] = ports->wake[1] = ports->quit[0] = ports->quit[1] = -1;
	pthread_mutex_init(&ports->lock, NULL);
	if (cond_init(&ports->changed) == -1) {
		pthread_mutex_destroy(&ports->lock);
		free(ports);
		return NULL;
	}
	ports->table = udp_table_new();
	ports->now.fds = calloc(1, sizeof(*ports->now.fds));
	if (ports->table && ports->now.fds && compat_pipe(ports->wake) == 0 &&
		compat_pipe(ports->quit) == 0)
		return ports;
	udp_ports_release(ports);
	return NULL;
}

struct udp_ports *
udp_ports_hold(struct udp_ports *ports)
{
	atomic_fetch_add(&ports->users, 1);
	return ports;
}

void
udp_ports_release(struct udp_ports *ports)
{
	if (!ports || atomic_fetch_sub(&ports->users, 1) != 1)
		return;
	assert(!ports->running);
	udp_sockets_close(&ports->now);
	for (int i = 0; i < 2; i++) {
		io_close(&ports->wake[i]);
		io_close(&ports->quit[i]);
	}
	udp_table_free(ports->table);
	udp_intake_free(&ports->intake);
	pthread_cond_destroy(&ports->changed);
	pthread_mutex_destroy(&ports->lock);
	free(ports);
}

/* ---- the sets ---- */

static void
say_place(const struct server_place *place, char *why, size_t size)
{
	const struct route_port *via = place->via;
	char text[ADDR_TEXT];

	snprintf(why, size, "%s for datagrams of route %s: %s",
		addr_text(&place->at.addr, text), via->name, strerror(errno));
}

int
udp_ports_open(struct udp_ports *ports, struct udp_sockets *set,
	const struct places *places, char *why, size_t size)
{
	const struct server_place *failed;
	int error;

	pthread_mutex_lock(&ports->lock);
	error = udp_sockets_open(set, places, &ports->now, &failed) == -1 ? errno : 0;
	pthread_mutex_unlock(&ports->lock);
	if (error == 0)
		return 0;
	errno = error;
	if (failed)
		say_place(failed, why, size);
	else
		snprintf(why, size, "%s", strerror(error));
	return -1;
}

/* Tells of what one has and the other has not. */
static void
tell_rest(
	const struct udp_sockets *set, const struct udp_sockets *other, const char *what)
{
	char address[ADDR_TEXT], name[256];

	for (size_t i = 0; i < set->n; i++) {
		const struct udp_port *port = &set->list[i];

		if (!port->via || udp_sockets_have(other, port->socket))
			continue;
		log_msg(LOG_L_NOTICE, "%s %s for datagrams of route %s", what,
			addr_text(&port->socket->addr, address),
			log_escape(name, sizeof(name), port->via->name,
				strlen(port->via->name)));
	}
}

void
udp_ports_commit(
	struct udp_ports *ports, struct udp_sockets *set, struct generation *generation)
{
	if (!ports->running)
		return;
	pthread_mutex_lock(&ports->lock);
	ports->next = set;
	ports->next_generation = generation;
	(void)!write(ports->wake[1], "", 1);
	while (ports->next)
		cond_wait(&ports->changed, &ports->lock, IO_FOREVER);
	pthread_mutex_unlock(&ports->lock);
}

/* Adds to next what it has not, and sessions still have. Locked. */
static void
keep_used(struct udp_ports *ports)
{
	for (size_t i = 0; i < ports->now.n; i++) {
		struct udp_socket *socket = ports->now.list[i].socket;

		if (!udp_sockets_have(ports->next, socket) &&
			udp_table_uses(ports->table, socket->fd))
			udp_sockets_add(ports->next, socket, NULL);
	}
}

/* Puts the next set in the place of the present one. The receiving thread. */
static void
change(struct udp_ports *ports)
{
	struct udp_sockets old = ports->now, *next;
	char byte;

	(void)!read(ports->wake[0], &byte, 1);
	pthread_mutex_lock(&ports->lock);
	next = ports->next;
	pthread_mutex_unlock(&ports->lock);
	/* Who has brought it waits. */
	tell_rest(&old, next, "no longer listening on");
	tell_rest(next, &old, "listening on");
	pthread_mutex_lock(&ports->lock);
	keep_used(ports);
	ports->now = *ports->next;
	ports->intake.generation = ports->next_generation;
	*ports->next = (struct udp_sockets){ .n = 0 };
	udp_sockets_close(&old);
	ports->next = NULL;
	pthread_cond_broadcast(&ports->changed);
	pthread_mutex_unlock(&ports->lock);
}

/* Closes what no route has and no session any more. Returns how many are left. */
static size_t
sweep(struct udp_ports *ports)
{
	size_t left = 0;

	for (size_t i = ports->now.n; i-- > 0;) {
		const struct udp_port *port = &ports->now.list[i];

		if (port->via)
			continue;
		if (udp_table_uses(ports->table, port->socket->fd)) {
			left++;
			continue;
		}
		pthread_mutex_lock(&ports->lock);
		udp_sockets_remove(&ports->now, i);
		pthread_mutex_unlock(&ports->lock);
	}
	return left;
}

/* Whether a socket, or the route it is for, is called so. */
static bool
is_called(const struct udp_port *port, const char *name)
{
	char address[ADDR_TEXT], route[256];

	if (!port->via)
		return false;
	log_escape(route, sizeof(route), port->via->name, strlen(port->via->name));
	return strcmp(route, name) == 0 ||
		strcmp(addr_text(&port->socket->addr, address), name) == 0;
}

size_t
udp_ports_drain(struct udp_ports *ports, const char *name, bool drain)
{
	size_t n = 0;

	pthread_mutex_lock(&ports->lock);
	for (size_t i = 0; i < ports->now.n; i++)
		if (is_called(&ports->now.list[i], name)) {
			atomic_store(&ports->now.list[i].socket->drained, drain);
			n++;
		}
	pthread_mutex_unlock(&ports->lock);
	return n;
}

void
udp_ports_each(struct udp_ports *ports, udp_ports_visit *visit, void *arg)
{
	pthread_mutex_lock(&ports->lock);
	for (size_t i = 0; i < ports->now.n; i++)
		if (ports->now.list[i].via)
			visit(arg, &ports->now.list[i]);
	pthread_mutex_unlock(&ports->lock);
}

/* ---- the thread ---- */

/* Waits for datagrams, and takes them. False: all are to end. */
static bool
receive_round(struct udp_ports *ports, int64_t until_ms)
{
	struct udp_sockets *set = &ports->now;
	struct pollfd *wake = &set->fds[set->n];
	short woken;

	*wake = (struct pollfd){ ports->wake[0], POLLIN, 0 };
	if (poll(set->fds, (nfds_t)set->n + 1, io_left_ms(until_ms)) == -1)
		return true;
	for (size_t i = 0; i < set->n; i++)
		for (int n = 0; set->fds[i].revents && n < BURST; n++)
			if (!udp_intake_receive(&ports->intake, &set->list[i]))
				break;
	/* A byte comes with another set, the end of the pipe without. */
	woken = wake->revents;
	if (woken & POLLIN)
		change(ports);
	return !(woken & (POLLHUP | POLLERR));
}

static void *
run(void *arg)
{
	struct udp_ports *ports = arg;
	int64_t until_ms = IO_FOREVER;

	while (receive_round(ports, until_ms))
		until_ms = sweep(ports) > 0 ? io_now_ms() + SWEEP_MS : IO_FOREVER;
	return NULL;
}

int
udp_ports_start(struct udp_ports *ports, struct server *server)
{
	if (ports->running)
		return 0;
	if (!ports->intake.in && udp_intake_init(&ports->intake) == -1)
		return -1;
	ports->intake.table = ports->table;
	ports->intake.quit = ports->quit[0];
	ports->intake.server = server;
	errno = pthread_create(&ports->thread, NULL, run, ports);
	ports->running = errno == 0;
	return ports->running ? 0 : -1;
}

static void
end_thread(struct udp_ports *ports)
{
	io_close(&ports->wake[1]);
	if (ports->running)
		pthread_join(ports->thread, NULL);
	ports->running = false;
}

void
udp_ports_discard(struct udp_ports *ports, struct udp_sockets *set)
{
	if (!ports)
		return;
	pthread_mutex_lock(&ports->lock);
	udp_sockets_close(set);
	pthread_mutex_unlock(&ports->lock);
}

int
udp_ports_stop(struct udp_ports *ports)
{
	end_thread(ports);
	io_close(&ports->quit[1]);
	if (udp_table_wait(ports->table, io_now_ms() + STOP_MS) == -1)
		return -1;
	udp_ports_discard(ports, &ports->now);
	return 0;
}
