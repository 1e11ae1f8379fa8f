/* SPDX-License-Identifier: ISC */
/*
 * The list of live connections, under one mutex that is taken when a connection begins
 * and ends, never for its data. A conn is owned by the thread that serves it; others
 * reach it only through the list, with the mutex held, and only to cut it or to read who
 * its client is.
 *
 * Locks: conns.lock, then a relay's own. The gate is asked under neither.
 */
#include "config.h"
#include "conns.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cond.h"
#include "io.h"

struct conns {
	pthread_mutex_t lock;
	pthread_cond_t fewer;
	struct conn *first;
	size_t count;
	size_t refused; /* of these; beyond the limit */
	size_t max;	/* 0: no limit */
	size_t conn_bytes;
	void (*room)(void *arg);
	void *room_arg;
	bool room_wanted;
	struct gate gate; /* enter NULL: there is none */
	bool told;	  /* they are described */
	uint64_t next_id;
	uint64_t ended[END_COUNT]; /* connections that are no more, by reason */
	uint64_t bytes[2];	   /* of these */
	unsigned run; /* tells the ids of this process from those of others */
};

struct conns *
conns_new(int max, const struct gate *gate, size_t room)
{
	struct conns *conns = calloc(1, sizeof(*conns));

	if (!conns)
		return NULL;
	pthread_mutex_init(&conns->lock, NULL);
	if (cond_init(&conns->fewer) == -1) {
		free(conns);
		return NULL;
	}
	conns->max = (size_t)max;
	conns->conn_bytes = sizeof(struct conn) + room;
	if (gate)
		conns->gate = *gate;
	conns->run = ((unsigned)time(NULL) * 31 + (unsigned)getpid()) & 0xffff;
	return conns;
}

void
conns_free(struct conns *conns)
{
	if (!conns)
		return;
	pthread_cond_destroy(&conns->fewer);
	pthread_mutex_destroy(&conns->lock);
	free(conns);
}

void
conns_on_room(struct conns *conns, void (*room)(void *arg), void *arg)
{
	conns->room = room;
	conns->room_arg = arg;
}

/* Under the lock. */
static bool
has_room(const struct conns *conns)
{
	return conns->max == 0 || conns->count - conns->refused < conns->max;
}

bool
conns_full(struct conns *conns)
{
	bool full;

	pthread_mutex_lock(&conns->lock);
	full = !has_room(conns);
	conns->room_wanted = full;
	pthread_mutex_unlock(&conns->lock);
	return full;
}

/* Whether it may be counted; under the lock. */
static bool
may_enter(const struct conns *conns, const struct conn *conn)
{
	if (conn->refused)
		return conns->gate.answers && conns->refused < CONNS_REFUSED;
	return has_room(conns);
}

/* Counts and lists it. Returns 0, or -1 with EUSERS. */
static int
enter(struct conns *conns, struct conn *conn)
{
	bool ok;

	pthread_mutex_lock(&conns->lock);
	ok = may_enter(conns, conn);
	if (ok) {
		conns->count++;
		conns->refused += conn->refused;
		snprintf(conn->id, sizeof(conn->id), "%04x-%llu", conns->run,
			(unsigned long long)++conns->next_id);
		conn->next = conns->first;
		if (conn->next)
			conn->next->prev = conn;
		conns->first = conn;
	}
	pthread_mutex_unlock(&conns->lock);
	errno = EUSERS;
	return ok ? 0 : -1;
}

/* Whether somebody waits for room, and has it now; under the lock. */
static bool
gives_room(struct conns *conns)
{
	bool gives = conns->room && conns->room_wanted && has_room(conns);

	if (gives)
		conns->room_wanted = false;
	return gives;
}

static void
leave(struct conns *conns, struct conn *conn)
{
	bool room;

	pthread_mutex_lock(&conns->lock);
	if (conn->next)
		conn->next->prev = conn->prev;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		conns->first = conn->next;
	conns->count--;
	conns->refused -= conn->refused;
	conns->ended[relay_end(&conn->relay)]++;
	for (int side = CLIENT; side <= TARGET; side++)
		conns->bytes[side] += atomic_load(&conn->relay.bytes[side]);
	room = gives_room(conns);
	pthread_cond_broadcast(&conns->fewer);
	/* Under the lock, as all may be gone as soon as no conn is left. */
	if (room)
		conns->room(conns->room_arg);
	pthread_mutex_unlock(&conns->lock);
}

/* A conn for a client that may come in, as conns_add. */
static struct conn *
make(struct conns *conns, struct generation *generation, int fd,
	const struct addr *client, const void *via, bool refused)
{
	struct conn *conn = calloc(1, conns->conn_bytes);

	if (!conn)
		return NULL;
	conn->conns = conns;
	conn->peer = *client;
	conn->client = *client;
	conn->via = via;
	conn->refused = refused;
	conn->start_ms = io_now_ms();
	if (relay_init(&conn->relay, fd) == -1) {
		free(conn);
		return NULL;
	}
	/* Before others can find it in the list. */
	conn->generation = generation_hold(generation);
	if (enter(conns, conn) == -1) {
		relay_destroy(&conn->relay);
		generation_release(generation);
		free(conn);
		errno = EUSERS;
		return NULL;
	}
	return conn;
}

/* As conns_add, or conns_add_refused. */
static struct conn *
add(struct conns *conns, struct generation *generation, int *fd,
	const struct addr *client, const void *via, bool refused, const char **why)
{
	const struct gate *gate = &conns->gate;
	enum gate_answer answer = GATE_PASSES;
	struct conn *conn;

	if (gate->enter)
		answer = gate->enter(generation->config, client, why);
	if (answer == GATE_REFUSES) {
		errno = EACCES;
		return NULL;
	}
	conn = make(conns, generation, *fd, client, via, refused);
	if (conn) {
		conn->counted = answer == GATE_COUNTS;
		*fd = -1;
	} else if (answer == GATE_COUNTS) {
		int keep = errno;

		gate->leave(generation->config, client);
		errno = keep;
	}
	return conn;
}

struct conn *
conns_add(struct conns *conns, struct generation *generation, int *fd,
	const struct addr *client, const void *via, const char **why)
{
	return add(conns, generation, fd, client, via, false, why);
}

struct conn *
conns_add_refused(struct conns *conns, struct generation *generation, int *fd,
	const struct addr *client, const void *via, const char **why)
{
	return add(conns, generation, fd, client, via, true, why);
}

void
conn_set_client(struct conn *conn, const struct addr *client, const char *id)
{
	assert(!conn->counted);
	pthread_mutex_lock(&conn->conns->lock);
	conn->client = *client;
	if (id)
		snprintf(conn->id, sizeof(conn->id), "%s", id);
	pthread_mutex_unlock(&conn->conns->lock);
}

void
conn_set_generation(struct conn *conn, struct generation *generation)
{
	struct generation *old;

	pthread_mutex_lock(&conn->conns->lock);
	old = conn->generation;
	conn->generation = generation;
	conn->via = NULL;
	pthread_mutex_unlock(&conn->conns->lock);
	generation_release(old);
}

static void
start_second(void *arg)
{
	crew_second(arg);
}

static void
run_half(struct crew *crew, void *arg, int half)
{
	struct conn *conn = arg;

	if (half == 0)
		relay_first(&conn->relay, start_second, crew);
	else
		relay_second(&conn->relay);
}

static void
both_over(void *arg)
{
	struct conn *conn = arg;

	conn->over(conn);
}

void
conn_carry(struct conn *conn, struct crew *crew, conn_over *over)
{
	conn->over = over;
	crew_split(crew, run_half, both_over, conn);
}

void
conn_end(struct conn *conn)
{
	const struct gate *gate = &conn->conns->gate;

	relay_close(&conn->relay);
	/* First: who waits until no conn is left finds all counted. */
	if (conn->counted)
		gate->leave(conn->generation->config, &conn->client);
	leave(conn->conns, conn);
	relay_destroy(&conn->relay);
	generation_release(conn->generation);
	free(conn->fields);
	free(conn);
}

void
conns_set_max(struct conns *conns, int max)
{
	pthread_mutex_lock(&conns->lock);
	conns->max = (size_t)max;
	pthread_mutex_unlock(&conns->lock);
}

int
conns_max(struct conns *conns)
{
	int max;

	pthread_mutex_lock(&conns->lock);
	max = (int)conns->max;
	pthread_mutex_unlock(&conns->lock);
	return max;
}

void
conn_publish(struct conn *conn, const void *subject)
{
	pthread_mutex_lock(&conn->conns->lock);
	conn->subject = subject;
	pthread_mutex_unlock(&conn->conns->lock);
}

void
conns_tell(struct conns *conns)
{
	conns->told = true;
}

bool
conn_is_told(const struct conn *conn)
{
	return conn->conns->told;
}

void
conn_describe(struct conn *conn, const char *fields)
{
	char *copy = strdup(fields), *old;

	pthread_mutex_lock(&conn->conns->lock);
	old = conn->fields;
	conn->fields = copy;
	pthread_mutex_unlock(&conn->conns->lock);
	free(old);
}

void
conns_totals(struct conns *conns, struct conns_totals *totals)
{
	*totals = (struct conns_totals){ .now = 0 };
	pthread_mutex_lock(&conns->lock);
	totals->now = conns->count;
	for (int end = 0; end < END_COUNT; end++) {
		totals->ends[end] = conns->ended[end];
		totals->ended += conns->ended[end];
	}
	for (int side = CLIENT; side <= TARGET; side++) {
		totals->bytes[side] = conns->bytes[side];
		for (const struct conn *conn = conns->first; conn; conn = conn->next)
			totals->bytes[side] += atomic_load(&conn->relay.bytes[side]);
	}
	pthread_mutex_unlock(&conns->lock);
}

void
conns_each(struct conns *conns, conns_visit *visit, void *arg)
{
	pthread_mutex_lock(&conns->lock);
	for (const struct conn *conn = conns->first; conn; conn = conn->next)
		visit(conn, arg);
	pthread_mutex_unlock(&conns->lock);
}

size_t
conns_cut_those(struct conns *conns, conns_question *question, void *arg, enum end why)
{
	size_t n = 0;

	pthread_mutex_lock(&conns->lock);
	for (struct conn *conn = conns->first; conn; conn = conn->next)
		if (question(conn, arg)) {
			relay_cut(&conn->relay, why);
			n++;
		}
	pthread_mutex_unlock(&conns->lock);
	return n;
}

static bool
has_id(const struct conn *conn, void *id)
{
	return strcmp(conn->id, id) == 0;
}

size_t
conns_kill(struct conns *conns, const char *id, enum end why)
{
	return conns_cut_those(conns, has_id, (void *)(uintptr_t)id, why);
}

size_t
conns_count(struct conns *conns)
{
	size_t n;

	pthread_mutex_lock(&conns->lock);
	n = conns->count;
	pthread_mutex_unlock(&conns->lock);
	return n;
}

/* The half-closed one that has been idle for the longest, since before_ms at least. */
static struct conn *
find_idle(const struct conns *conns, int64_t before_ms)
{
	struct conn *found = NULL;

	for (struct conn *conn = conns->first; conn; conn = conn->next) {
		const struct relay *r = &conn->relay;
		int64_t last_ms = atomic_load(&r->last_ms);

		if (last_ms > before_ms || !relay_is_half_closed(r))
			continue;
		found = conn;
		before_ms = last_ms;
	}
	return found;
}

size_t
conns_cut_idle(struct conns *conns, size_t most, int64_t idle_ms, enum end why)
{
	int64_t before_ms = io_now_ms() - idle_ms;
	struct conn *conn = NULL;
	size_t n = 0;

	pthread_mutex_lock(&conns->lock);
	for (; n < most && (conn = find_idle(conns, before_ms)); n++)
		relay_cut(&conn->relay, why);
	pthread_mutex_unlock(&conns->lock);
	return n;
}

static bool
is_any(const struct conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	return true;
}

size_t
conns_cut(struct conns *conns, enum end why)
{
	return conns_cut_those(conns, is_any, NULL, why);
}

int
conns_wait(struct conns *conns, int64_t until_ms)
{
	bool none;

	pthread_mutex_lock(&conns->lock);
	while (conns->count > 0 && io_left_ms(until_ms) != 0)
		cond_wait(&conns->fewer, &conns->lock, until_ms);
	none = conns->count == 0;
	pthread_mutex_unlock(&conns->lock);
	return none ? 0 : -1;
}
