/* SPDX-License-Identifier: ISC */
/*
 * One thread that knows which pair of target and upstream is due to be tried, and crews
 * that try them, so that a target that says nothing does not hold up the others. A
 * connection is made as for a client, and closed when the reply has come.
 */
#include "config.h"
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "cond.h"
#include "crew.h"
#include "io.h"
#include "log.h"
#include "search.h"

#define PROBES_MAX 32  /* connections at a time */
#define PARKED_MAX 2   /* idle crews kept */
#define LOOK_MS	   100 /* how often it looks whether a hold-off is over */

/* A port that is looked after. */
struct watched {
	struct route_port *port;
	bool refusing;	/* its clients */
	int64_t due_ms; /* the next round of its `probe`; IO_FOREVER: it has none */
};

struct watch {
	struct ppp_conf *conf;
	struct server *server;
	struct crews *crews;
	struct watched *list;
	size_t n;
	int stop[2]; /* a pipe: its end wakes those who wait for a reply */
	pthread_t thread;
	bool running;

	pthread_mutex_t
		lock; /* a leaf but for the lock of search.c; the rest is under it */
	pthread_cond_t changed;
	size_t refusing; /* ports */
	int probes;	 /* under way */
	bool stopped;
};

/* One connection to be made, of a crew's own. */
struct probe {
	struct watch *watch;
	struct watched *watched;
	int target, upstream;
};

static bool
needs_watch(const struct route *route)
{
	return route->probe_ms > 0 || route->on_failure == ON_FAILURE_REFUSE;
}

/* Sets the port's clients free, or refuses them, if it is not like that yet. */
static void
set_refusing(struct watch *w, struct watched *watched, bool refusing)
{
	const char *name = watched->port->name;
	char text[256];
	bool change;

	pthread_mutex_lock(&w->lock);
	change = !w->stopped && watched->refusing != refusing;
	if (change) {
		watched->refusing = refusing;
		w->refusing += refusing ? 1 : (size_t)-1;
		server_refuse(w->server, watched->port, refusing);
		pthread_cond_signal(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	if (!change)
		return;
	log_escape(text, sizeof(text), name, strlen(name));
	if (refusing)
		log_msg(LOG_L_WARNING, "route %s refuses clients: no target is well",
			text);
	else
		log_msg(LOG_L_NOTICE, "route %s takes clients again", text);
}

static void
look_at_port(struct watch *w, struct watched *watched)
{
	if (watched->port->route->on_failure == ON_FAILURE_REFUSE)
		set_refusing(w, watched, !search_any_well(watched->port));
}

/* A connection to the target, which is closed at once. On the first thread of a crew. */
static void
run_probe(struct crew *crew, void *arg)
{
	struct probe *probe = arg;
	struct watch *w = probe->watch;
	struct route_port *port = probe->watched->port;
	int64_t until_ms = io_now_ms() + w->conf->common.connect_ms;
	struct hop hop = {
		.upstream = port->route->upstreams[probe->upstream],
		.limits = { { until_ms, w->stop[0] }, w->conf->common.handshake_ms,
			until_ms },
		.socks = { .fd = -1 },
	};
	struct socks_request request = { .cmd = SOCKS_CONNECT };
	enum hop_result result;

	(void)crew;
	socks_dest_from_hostport(&request.dst, &port->targets[probe->target].address);
	result = hop_request(&hop, &request);
	search_tell_pair(port, probe->target, probe->upstream, result, hop.error);
	hop_close(&hop);
	look_at_port(w, probe->watched);
	pthread_mutex_lock(&w->lock);
	w->probes--;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	free(probe);
}

/* Begins a probe, if there are not too many. What is not begun is begun another time. */
static void
begin_probe(struct watch *w, struct watched *watched, int target, int upstream)
{
	struct probe *probe = malloc(sizeof(*probe));
	bool may;

	pthread_mutex_lock(&w->lock);
	may = probe && w->probes < PROBES_MAX;
	if (may)
		w->probes++;
	pthread_mutex_unlock(&w->lock);
	if (may) {
		*probe = (struct probe){ w, watched, target, upstream };
		if (crews_run(w->crews, run_probe, probe) == 0)
			return;
		pthread_mutex_lock(&w->lock);
		w->probes--;
		pthread_mutex_unlock(&w->lock);
	}
	free(probe);
}

/* Begins what is due at a port: all pairs in a round, or those whose hold-off is over. */
static void
probe_port(struct watch *w, struct watched *watched, bool round)
{
	struct route_port *port = watched->port;

	for (int t = 0; t < port->n_targets; t++)
		for (int u = 0; u < port->route->n_upstreams; u++)
			if (search_may(port, t, u) && (round || search_claim(port, t, u)))
				begin_probe(w, watched, t, u);
}

/* When the thread is to look again; locked. */
static int64_t
next_look(const struct watch *w, int64_t now_ms)
{
	int64_t next_ms = w->refusing > 0 ? now_ms + LOOK_MS : IO_FOREVER;

	for (size_t i = 0; i < w->n; i++)
		if (w->list[i].due_ms < next_ms)
			next_ms = w->list[i].due_ms;
	return next_ms;
}

static bool
is_refusing(struct watch *w, const struct watched *watched)
{
	bool refusing;

	pthread_mutex_lock(&w->lock);
	refusing = watched->refusing;
	pthread_mutex_unlock(&w->lock);
	return refusing;
}

static void
look(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct watched *watched = &w->list[i];
		int64_t now_ms = io_now_ms();
		bool round = watched->due_ms <= now_ms;

		if (round)
			watched->due_ms = now_ms + watched->port->route->probe_ms;
		if (is_refusing(w, watched))
			look_at_port(w, watched);
		if (round || is_refusing(w, watched))
			probe_port(w, watched, round);
	}
}

static void *
run(void *arg)
{
	struct watch *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stopped) {
		pthread_mutex_unlock(&w->lock);
		look(w);
		pthread_mutex_lock(&w->lock);
		if (!w->stopped)
			cond_wait(&w->changed, &w->lock, next_look(w, io_now_ms()));
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* The ports to look after. Returns 0, or -1 with errno. */
static int
fill_list(struct watch *w)
{
	int64_t now_ms = io_now_ms();
	size_t n = 0;

	for (struct route *route = w->conf->routes; route; route = route->next)
		if (needs_watch(route))
			n += (size_t)route->n_ports;
	w->list = calloc(n + 1, sizeof(*w->list));
	if (!w->list)
		return -1;
	for (struct route *route = w->conf->routes; route; route = route->next)
		for (int i = 0; needs_watch(route) && i < route->n_ports; i++)
			w->list[w->n++] = (struct watched){
				.port = &route->ports[i],
				.due_ms = route->probe_ms > 0 ? now_ms : IO_FOREVER,
			};
	return 0;
}

struct watch *
watch_start(struct ppp_conf *conf, struct server *server)
{
	struct watch *w = calloc(1, sizeof(*w));
	int keep;

	if (!w)
		return NULL;
	*w = (struct watch){ .conf = conf, .server = server, .stop = { -1, -1 } };
	pthread_mutex_init(&w->lock, NULL);
	if (cond_init(&w->changed) == -1) {
		pthread_mutex_destroy(&w->lock);
		free(w);
		return NULL;
	}
	w->crews = crews_new(PARKED_MAX);
	if (w->crews && compat_pipe(w->stop) == 0 && fill_list(w) == 0) {
		if (w->n == 0)
			return w;
		errno = pthread_create(&w->thread, NULL, run, w);
		w->running = errno == 0;
		if (w->running)
			return w;
	}
	keep = errno;
	(void)watch_stop(w, 0);
	watch_free(w);
	errno = keep;
	return NULL;
}

void
watch_begin(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		look_at_port(w, &w->list[i]);
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n && !w->stopped; i++)
		server_refuse(w->server, w->list[i].port, w->list[i].refusing);
	pthread_mutex_unlock(&w->lock);
}

void
watch_failed(struct watch *w, struct route_port *port)
{
	if (port->route->on_failure != ON_FAILURE_REFUSE)
		return;
	for (size_t i = 0; i < w->n; i++)
		if (w->list[i].port == port)
			look_at_port(w, &w->list[i]);
}

int
watch_stop(struct watch *w, int wait_ms)
{
	pthread_mutex_lock(&w->lock);
	w->stopped = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
	io_close(&w->stop[1]);
	if (w->crews && crews_stop(w->crews, wait_ms) == -1)
		return -1;
	w->crews = NULL;
	return 0;
}

void
watch_free(struct watch *w)
{
	if (!w)
		return;
	io_close(&w->stop[0]);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w->list);
	free(w);
}
