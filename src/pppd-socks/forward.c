/* SPDX-License-Identifier: ISC */
/*
 * One plain client: whether it may, the search for a target that answers, the relay, and
 * the log line at the end. Runs on the first thread of a crew until the tunnel begins,
 * then on both, and on the one that is over last. A client whose target cannot be had is
 * reset, unless its route says otherwise: it is not to believe that the target had
 * nothing to say.
 */
#include "config.h"
#include "forward.h"

#include <errno.h>

#include "message.h"
#include "net.h"
#include "ppp.h"
#include "proxy_proto.h"
#include "udp_session.h"

/* How long a client that is told FIN may go on to send before it is cut off. */
#define FINISH_MS 1000

#define NEW_MS 5000 /* so long a client is new */

/* No target can be had. The client gets what its route says. */
static void
give_up(struct forward *f)
{
	struct relay *r = &f->conn->relay;

	watch_failed(f->ppp->watch, f->port);
	if (f->port->route->on_failure != ON_FAILURE_CLOSE) {
		relay_reset(r, END_CONNECT_FAILED);
		return;
	}
	relay_note(r, END_CONNECT_FAILED);
	net_finish(r->fd[CLIENT], FINISH_MS);
}

/* Returns 0 with the upstream's socket in the hop, or -1: it is over. */
static int
reach_target(struct forward *f)
{
	enum hop_result result = reach_pair(&f->reach, SOCKS_CONNECT, NULL, NULL);

	if (result == HOP_CLIENT_LEFT)
		relay_reset(&f->conn->relay, END_CLIENT_RESET);
	else if (result != HOP_OK)
		give_up(f);
	return result == HOP_OK ? 0 : -1;
}

/* The relay gets the upstream's socket. */
static void
attach(struct forward *f)
{
	const struct settings *s = f->reach.common;
	const struct route *route = f->port->route;

	relay_attach(&f->conn->relay, hop_take_fd(&f->reach.hop),
		route->idle_ms == -1 ? s->idle_ms : route->idle_ms, s->half_closed_ms);
}

static struct io_limit
write_limit(const struct forward *f, int watch)
{
	return (struct io_limit){ io_now_ms() + f->reach.common->handshake_ms, watch };
}

/* Tells the target who the client is, if the route says so. Returns 0, or -1. */
static int
introduce(struct forward *f)
{
	struct relay *r = &f->conn->relay;
	struct io_limit limit = write_limit(f, r->fd[CLIENT]);
	const struct proxy_extras extras = { .id = NULL };
	const struct addr *client = &f->conn->client;
	uint8_t header[PROXY_MESSAGE];
	size_t n = 0;

	if (f->port->route->proxy_protocol == 1)
		n = proxy_build_v1(header, client, &f->reach.at);
	else if (f->port->route->proxy_protocol == 2)
		n = proxy_build_v2(header, client, &f->reach.at, &extras);
	if (n == 0 || message_send(r->fd[TARGET], header, n, &limit) == 0)
		return 0;
	relay_reset(r, errno == ECANCELED ? END_CLIENT_RESET : END_TARGET_RESET);
	return -1;
}

/* Passes on what the target said right behind the upstream's reply. */
static int
pass_early_data(struct forward *f)
{
	struct relay *r = &f->conn->relay;
	struct io_limit limit = write_limit(f, -1);
	const struct inbox *in = &f->reach.hop.socks.in;

	if (in->len == 0)
		return 0;
	if (message_send(r->fd[CLIENT], in->data, in->len, &limit) == -1) {
		relay_reset(r, END_CLIENT_RESET);
		return -1;
	}
	relay_count(r, TARGET, in->len);
	return 0;
}

/*
 * A target that resets a new client which has not said anything does not serve, though it
 * could be connected to. One that was sent something may have its reasons.
 */
static void
judge_tunnel(struct forward *f)
{
	const struct relay *r = &f->conn->relay;

	if (relay_end(r) == END_TARGET_RESET && atomic_load(&r->bytes[CLIENT]) == 0 &&
		atomic_load(&r->bytes[TARGET]) == 0 &&
		io_now_ms() - f->conn->start_ms < NEW_MS)
		search_tell(&f->reach.search, HOP_LOST, "reset without a word");
}

static void
end(struct forward *f)
{
	if (f->entered)
		route_leave(f->port->route);
	reach_end(&f->reach, "");
	conn_end(f->conn);
}

static void
tunnel_over(struct conn *conn)
{
	struct forward *f = (void *)conn->room;

	judge_tunnel(f);
	end(f);
}

/* For a client that may, and was counted. Returns whether the crew carries the tunnel,
 * which ends f; or false, it has come to nothing. */
static bool
serve(struct forward *f, struct crew *crew)
{
	if (reach_target(f) == -1)
		return false;
	attach(f);
	if (introduce(f) == -1 || pass_early_data(f) == -1) {
		judge_tunnel(f);
		return false;
	}
	f->reach.dial_ms = io_now_ms() - f->conn->start_ms;
	conn_carry(f->conn, crew, tunnel_over);
	return true;
}

/* Whether it may be served; it is then counted. */
static bool
admit(struct forward *f)
{
	const struct route *route = f->port->route;

	if (!route_admits(route, &f->conn->client))
		relay_reset(&f->conn->relay, END_DENIED);
	else if (!route_enter(f->port->route))
		relay_reset(&f->conn->relay, END_LIMIT);
	else
		f->entered = true;
	return f->entered;
}

/* Whether anybody is told who the client is. */
static bool
tells_client(const struct route *route)
{
	for (int i = 0; i < route->n_upstreams; i++)
		if (route->upstreams[i]->proxy_protocol)
			return true;
	return route->proxy_protocol != 0;
}

/* Where the client has connected to, for PROXY headers; nowhere, if nobody can tell. */
static void
find_local(struct forward *f)
{
	static const uint8_t nowhere[4];

	if (tells_client(f->port->route) &&
		net_local(f->conn->relay.fd[CLIENT], &f->reach.at) == -1)
		addr_from_bytes(&f->reach.at, AF_INET, nowhere, 0);
}

static void
forward_client(struct conn *conn, struct crew *crew, struct ppp *ppp)
{
	struct forward *f = (void *)conn->room;

	f->ppp = ppp;
	f->port = (struct route_port *)(uintptr_t)conn->via;
	f->conn = conn;
	f->reach.conn = conn;
	f->reach.common = &ppp->conf.common;
	f->reach.watch = conn->relay.fd[CLIENT];
	find_local(f);
	reach_begin(&f->reach);
	if (!admit(f) || !serve(f, crew))
		end(f);
}

void
forward_serve(struct conn *conn, struct crew *crew)
{
	struct ppp *ppp = conn->generation->config;

	if (conn->own)
		udp_session_serve(conn, &ppp->conf.common);
	else
		forward_client(conn, crew, ppp);
}
