/* SPDX-License-Identifier: ISC */
/*
 * What makes the common service pppd-socks: what its hooks are, and the state that the
 * tunnels of one configuration share. The hooks say in service.h on which thread they
 * run; make_spare is called by those of the spares.
 */
#include "config.h"
#include "ppp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "enable.h"
#include "explain_route.h"
#include "forward.h"
#include "io.h"
#include "log.h"
#include "ppp_status.h"
#include "search.h"
#include "spares.h"
#include "takeover.h"
#include "try_routes.h"
#include "udp_ports.h"

/* How long threads that wait for an upstream may take to notice that they are to end. */
#define STOP_MS 500

/* What is wanted to make the spares of one upstream. */
struct maker {
	struct ppp *ppp;
	struct upstream *upstream;
};

static void *
make_ppp(void)
{
	struct ppp *ppp = calloc(1, sizeof(*ppp));

	if (!ppp)
		return NULL;
	ppp->stop[0] = ppp->stop[1] = -1;
	ppp_conf_init(&ppp->conf);
	return ppp;
}

static void
free_ppp(void *config)
{
	struct ppp *ppp = config;

	watch_free(ppp->watch);
	for (size_t i = 0; i < ppp->conf.n_upstreams; i++)
		spares_free(ppp->conf.upstreams[i]->spares);
	udp_ports_discard(ppp->udp, &ppp->udp_sockets);
	udp_ports_release(ppp->udp);
	free(ppp->makers);
	io_close(&ppp->stop[0]);
	io_close(&ppp->stop[1]);
	ppp_conf_free(&ppp->conf);
	free(ppp);
}

static const char *
take_option(void *config, char letter, const char *arg)
{
	struct ppp *ppp = config;

	return ppp_conf_option(&ppp->conf, letter, arg);
}

static struct conf *
configure(void *config, const char *path)
{
	struct ppp *ppp = config;

	return ppp_conf_read(&ppp->conf, path);
}

static struct settings *
settings(void *config)
{
	struct ppp *ppp = config;

	return &ppp->conf.common;
}

static const struct places *
places(void *config)
{
	struct ppp *ppp = config;

	return &ppp->conf.places;
}

static char *
via_name(const void *via, char *buf, size_t size)
{
	const struct route_port *port = via;

	return log_escape(buf, size, port->name, strlen(port->name));
}

static int
instead(void *config)
{
	struct ppp *ppp = config;

	if (ppp->conf.explain)
		return explain_route(&ppp->conf, ppp->conf.explain, stdout);
	if (ppp->conf.probe)
		return try_routes(&ppp->conf, ppp->conf.probe_port, stdout);
	return -1;
}

/*
 * Two threads of 256 KiB of stack, with a guard each, and two fds for a tunnel. Beside
 * that: fds of pipes that all share (128), of attempts to connect, of watch and of files;
 * five threads for the spares of an upstream; libraries.
 */
static void
needs(const void *config, struct capacity_needs *n)
{
	const struct ppp *ppp = config;
	uint64_t spares = 0, threads = 8 + 64;

	for (size_t i = 0; i < ppp->conf.n_upstreams; i++) {
		int spare = ppp->conf.upstreams[i]->spare;

		spares += (uint64_t)spare;
		threads += spare > 0 ? 5 : 0;
	}
	*n = (struct capacity_needs){ .of = {
					      [CAPACITY_FDS] = { 2, 250 + spares },
					      [CAPACITY_THREADS] = { 2, threads },
					      [CAPACITY_AREAS] = { 4, 1024 },
					      [CAPACITY_SPACE] = { 2 * 260 * 1024,
						      128 * 1024 * 1024 },
				      } };
}

/* A connection for the spares: all up to where a request can be sent. */
static int
make_spare(void *arg)
{
	const struct maker *maker = arg;
	const struct ppp_conf *conf = &maker->ppp->conf;
	struct hop hop = {
		.upstream = maker->upstream,
		.limits = { .all = { io_now_ms() + conf->common.connect_ms,
				    maker->ppp->stop[0] },
			.handshake_ms = conf->common.handshake_ms },
		.socks = { .fd = -1 },
	};
	enum hop_result result = hop_open(&hop);

	search_tell_upstream(maker->upstream, &conf->hold_off, result, hop.error);
	if (result != HOP_OK)
		hop_close(&hop);
	return hop_take_fd(&hop);
}

/* Begins to make the spares of an upstream that has any. Returns 0, or -1 with errno. */
static int
start_spares(struct ppp *ppp, struct maker *maker, struct upstream *u)
{
	const struct spares_plan plan = {
		.n = u->spare,
		.age_ms = ppp->conf.parked_ms / 4 * 3,
		.pause = ppp->conf.hold_off,
		.open = make_spare,
		.arg = maker,
	};

	*maker = (struct maker){ ppp, u };
	if (u->spare == 0)
		return 0;
	u->spares = spares_new(&plan);
	if (!u->spares)
		return -1;
	spares_pause(u->spares, atomic_load(&u->state->disabled));
	return spares_start(u->spares);
}

/*
 * Takes over what is known and counted, and opens the sockets of UDP routes, which may
 * need root.
 */
static const char *
open_ppp(void *config, void *config_before)
{
	static char why[256];
	struct ppp *ppp = config, *before = config_before;

	if (before)
		takeover(&ppp->conf, &before->conf);
	ppp->udp = before ? udp_ports_hold(before->udp) : udp_ports_new();
	if (!ppp->udp)
		return strerror(errno);
	if (udp_ports_open(ppp->udp, &ppp->udp_sockets, &ppp->conf.udp_places, why,
		    sizeof(why)) == -1)
		return why;
	return NULL;
}

static int
start(void *config, struct server *server, struct generation *generation)
{
	struct ppp *ppp = config;
	struct ppp_conf *conf = &ppp->conf;

	ppp->server = server;
	ppp->generation = generation;
	ppp->makers = calloc(conf->n_upstreams, sizeof(*ppp->makers));
	if (!ppp->makers || compat_pipe(ppp->stop) == -1)
		return -1;
	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (start_spares(ppp, &ppp->makers[i], conf->upstreams[i]) == -1)
			return -1;
	ppp->watch = watch_start(conf, server);
	if (!ppp->watch)
		return -1;
	return ppp->udp_sockets.n > 0 ? udp_ports_start(ppp->udp, server) : 0;
}

/* The sockets are as the configuration before had them: a port that is not watched any
 * more may refuse its clients. */
static void
begin(void *config)
{
	struct ppp *ppp = config;

	for (struct route *route = ppp->conf.routes; route; route = route->next)
		for (int i = 0; i < route->n_ports; i++)
			if (!route->udp && route->on_failure != ON_FAILURE_REFUSE)
				server_refuse(ppp->server, &route->ports[i], false);
	watch_begin(ppp->watch);
	udp_ports_commit(ppp->udp, &ppp->udp_sockets, ppp->generation);
}

/*
 * Clients that still search for a target go on to use watch and spares, which make
 * nothing new: a later configuration has spares of its own, as they may be of another
 * kind. What was started is stopped, also when start has failed half-way.
 */
static int
stop(void *config)
{
	struct ppp *ppp = config;
	bool busy = false;

	io_close(&ppp->stop[1]);
	if (ppp->watch)
		busy |= watch_stop(ppp->watch, STOP_MS) == -1;
	for (size_t i = 0; i < ppp->conf.n_upstreams; i++)
		if (ppp->conf.upstreams[i]->spares)
			busy |= spares_stop(ppp->conf.upstreams[i]->spares, STOP_MS) ==
				-1;
	return busy ? -1 : 0;
}

static int
end(void *config)
{
	struct ppp *ppp = config;

	return ppp->udp ? udp_ports_stop(ppp->udp) : 0;
}

static bool
is_gone(const void *config, const struct conn *conn)
{
	const struct ppp *ppp = config;

	return takeover_lacks(&ppp->conf, conn->via);
}

static size_t
enable(void *config, const char *name, bool enable)
{
	struct ppp *ppp = config;

	return enable_named(&ppp->conf, name, enable);
}

static size_t
drain(void *config, const char *name, bool drain)
{
	struct ppp *ppp = config;

	return udp_ports_drain(ppp->udp, name, drain);
}

/* Who is to have a socket. */
struct heir {
	service_socket *take;
	void *to;
};

static void
leave_socket(void *arg, const struct udp_port *port)
{
	const struct heir *heir = arg;

	heir->take(heir->to, port->socket->fd);
}

static void
sockets(void *config, service_socket *take, void *to)
{
	struct ppp *ppp = config;
	struct heir heir = { take, to };

	udp_ports_each(ppp->udp, leave_socket, &heir);
}

const struct service ppp_service = {
	.name = "pppd-socks",
	.default_config = SYSCONFDIR "/pppd-socks.conf",
	.default_pidfile = RUNSTATEDIR "/pppd-socks.pid",
	.options = ppp_options,
	.make = make_ppp,
	.free = free_ppp,
	.option = take_option,
	.serve = forward_serve,
	.conn_room = sizeof(struct forward),
	.needs = needs,
	.configure = configure,
	.settings = settings,
	.places = places,
	.via_name = via_name,
	.status = ppp_status,
	.instead = instead,
	.open = open_ppp,
	.start = start,
	.begin = begin,
	.stop = stop,
	.end = end,
	.is_gone = is_gone,
	.enable = enable,
	.drain = drain,
	.sockets = sockets,
};
