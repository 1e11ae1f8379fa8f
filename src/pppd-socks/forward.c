/* SPDX-License-Identifier: ISC */
/*
 * One plain client: connect to the upstream, ask it for the target, relay, and the log
 * line at the end. Runs on the first thread of a crew until the tunnel begins, then on
 * both. A client whose target cannot be had is reset: it is not to believe that the
 * target had nothing to say.
 */
#include "config.h"
#include "forward.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "net.h"
#include "ppp_conf.h"
#include "socks_client.h"

/* Lives on the stack of the crew's first thread. */
struct forward {
	const struct ppp_conf *conf;
	const struct route *route;
	struct conn *conn;
	struct socks_client socks;
	int64_t dial_ms;   /* until the tunnel stood; -1: it never did */
	const char *error; /* what went wrong, or NULL */
};

/* A deadline from now on, while the client stays. */
static struct io_limit
limit_of(const struct forward *f, int64_t ms)
{
	return (struct io_limit){ io_now_ms() + ms, f->conn->relay.fd[CLIENT] };
}

/* The tunnel cannot be had, for errno and the error given. Always -1. */
static int
give_up(struct forward *f, const char *error)
{
	bool client_left = errno == ECANCELED;

	if (!client_left)
		f->error = error;
	relay_reset(&f->conn->relay, client_left ? END_CLIENT_RESET : END_CONNECT_FAILED);
	return -1;
}

/* Connects to the upstream; the relay owns the socket. Returns 0, or -1: it is over. */
static int
reach_upstream(struct forward *f)
{
	const struct settings *common = &f->conf->common;
	struct io_limit limit = limit_of(f, common->connect_ms);
	struct addr list[NET_ADDRS], used;
	int n = net_resolve(&f->conf->upstream.address, list, NET_ADDRS);
	int fd = n == -1 ? -1 : net_dial(list, n, NULL, &limit, &used);

	if (fd == -1)
		return give_up(f, net_error_text(errno));
	relay_attach(&f->conn->relay, fd, common->idle_ms, common->half_closed_ms);
	f->socks.fd = fd;
	return 0;
}

/*
 * Asks the upstream for the target. Its answer may take as long as it takes to connect
 * there, which is bounded by the upstream's own limit.
 */
static int
ask_upstream(struct forward *f)
{
	static const struct socks_greeting offer = { 1, { SOCKS_METHOD_NONE } };
	const struct settings *common = &f->conf->common;
	struct io_limit limit = limit_of(f, common->handshake_ms);
	struct socks_request request = { .cmd = SOCKS_CONNECT };

	socks_dest_from_hostport(&request.dst, &f->route->target);
	if (socks_client_greet(&f->socks, &offer, &limit) == -1)
		return give_up(f, f->socks.error);
	limit = limit_of(f, common->handshake_ms + common->connect_ms);
	if (socks_client_request(&f->socks, &request, &limit) == -1)
		return give_up(f, f->socks.error);
	return 0;
}

/* Passes on what the target said right behind the upstream's reply. */
static int
pass_early_data(struct forward *f)
{
	struct relay *r = &f->conn->relay;
	struct io_limit limit = limit_of(f, f->conf->common.handshake_ms);
	const struct inbox *in = &f->socks.in;

	if (in->len == 0)
		return 0;
	if (io_write(r->fd[CLIENT], in->data, in->len, &limit) == -1) {
		relay_reset(r, END_CLIENT_RESET);
		return -1;
	}
	relay_count(r, TARGET, in->len);
	return 0;
}

/* ` rep=5 error="..."` of a tunnel that could not be had. Returns out. */
static char *
error_text(const struct forward *f, char *out, size_t size)
{
	char rep[8] = "-";

	out[0] = '\0';
	if (f->socks.replied)
		snprintf(rep, sizeof(rep), "%d", f->socks.reply.rep);
	if (f->error)
		snprintf(out, size, " rep=%s error=\"%s\"", rep, f->error);
	return out;
}

static void
log_tunnel(const struct forward *f)
{
	const struct relay *r = &f->conn->relay;
	char client[ADDR_TEXT], target[4 * HOSTPORT_TEXT], text[HOSTPORT_TEXT], name[256];
	char upstream[256], dial[LOG_SECONDS], time[LOG_SECONDS], error[160];

	hostport_text(&f->route->target, text);
	log_msg(LOG_L_INFO,
		"tunnel id=%s client=%s route=%s target=%s upstream=%s up=%" PRIu64
		" down=%" PRIu64 " dial=%s time=%s end=%s%s",
		f->conn->id, addr_text(&f->conn->client, client),
		log_escape(name, sizeof(name), f->route->name, strlen(f->route->name)),
		log_escape(target, sizeof(target), text, strlen(text)),
		log_escape(upstream, sizeof(upstream), f->conf->upstream.name,
			strlen(f->conf->upstream.name)),
		atomic_load(&r->bytes[CLIENT]), atomic_load(&r->bytes[TARGET]),
		log_seconds(dial, f->dial_ms),
		log_seconds(time, io_now_ms() - f->conn->start_ms),
		end_word(relay_end(r)), error_text(f, error, sizeof(error)));
}

void
forward_serve(struct conn *conn, struct crew *crew, void *arg)
{
	struct forward f = {
		.conf = arg, .route = conn->via, .conn = conn, .dial_ms = -1
	};
	char client[ADDR_TEXT];

	log_msg(LOG_L_DEBUG, "tunnel id=%s client=%s route=%s start", conn->id,
		addr_text(&conn->client, client), f.route->name);
	if (reach_upstream(&f) == 0 && ask_upstream(&f) == 0 &&
		pass_early_data(&f) == 0) {
		f.dial_ms = io_now_ms() - conn->start_ms;
		conn_carry(conn, crew);
	}
	log_tunnel(&f);
	conn_end(conn);
}
