/* SPDX-License-Identifier: ISC */
/*
 * CONNECT: look up, ask the rules for each address, dial, reply, relay. Runs on the first
 * thread of the crew until the tunnel begins, then on both.
 */
#include "config.h"
#include "cmd_connect.h"

#include <errno.h>

#include "net.h"
#include "rep.h"
#include "rules.h"

/* All addresses of the target. Returns how many, or -1: the session is over. */
static int
find_addresses(struct session *s, struct addr *list)
{
	const struct socks_dest *dst = &s->request.dst;
	int64_t begin = io_now_ms();
	int n;

	if (dst->atyp != SOCKS_ATYP_NAME) {
		list[0] = dst->addr;
		return 1;
	}
	n = net_resolve(&dst->name, list, NET_ADDRS);
	s->dns_ms = io_now_ms() - begin;
	if (n == -1)
		return session_refuse(s, rep_for_errno(errno), END_CONNECT_FAILED,
			net_error_text(errno));
	return n;
}

/* Leaves only the addresses that are allowed. Returns how many, or -1 as above. */
static int
keep_allowed(struct session *s, struct addr *list, int n)
{
	const char *why = NULL;
	int kept = 0;

	for (int i = 0; i < n; i++) {
		const char *refused = rules_target(s->conn->server, &list[i]);

		if (refused)
			why = refused;
		else
			list[kept++] = list[i];
	}
	if (kept == 0)
		return session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_DENIED, why);
	return kept;
}

/* Dials within what is left. Returns the target's socket, or -1: the session is over. */
static int
dial(struct session *s, const struct addr *list, int n, const struct io_limit *limit)
{
	int64_t begin = io_now_ms();
	int fd = net_dial(list, n, limit, &s->addr);

	s->dial_ms = io_now_ms() - begin;
	if (fd != -1) {
		s->connected = true;
		return fd;
	}
	if (errno == ECANCELED)
		return session_lost_client(s);
	return session_refuse(
		s, rep_for_errno(errno), END_CONNECT_FAILED, net_error_text(errno));
}

/* From the request to a connected target. Returns its socket, or -1: it is over. */
static int
reach_target(struct session *s)
{
	struct io_limit limit = session_limit(s, s->conf->common.connect_ms);
	const char *why = rules_client(&s->conn->client);
	struct addr list[NET_ADDRS];
	int n;

	if (why)
		return session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_DENIED, why);
	n = find_addresses(s, list);
	if (n != -1)
		n = keep_allowed(s, list, n);
	return n == -1 ? -1 : dial(s, list, n, &limit);
}

/* The reply, with the local address of the connection in BND; then the early payload. */
static int
begin_tunnel(struct session *s, int target)
{
	struct relay *r = &s->conn->relay;
	struct io_limit limit = session_limit(s, s->conf->common.handshake_ms);
	uint8_t buf[SOCKS_MESSAGE];
	struct addr bnd;
	size_t size;

	if (net_local(target, &bnd) == -1)
		return session_refuse(
			s, SOCKS_REP_FAILURE, END_CONNECT_FAILED, net_error_text(errno));
	s->rep = SOCKS_REP_SUCCEEDED;
	size = socks_build_reply(buf, SOCKS_REP_SUCCEEDED, &bnd);
	if (io_write(r->fd[CLIENT], buf, size, &limit) == -1) {
		relay_reset(r, END_CLIENT_RESET);
		return -1;
	}
	if (s->in.len == 0)
		return 0;
	if (io_write(target, s->in.data, s->in.len, &limit) == -1) {
		relay_reset(r, END_TARGET_RESET);
		return -1;
	}
	relay_count(r, CLIENT, s->in.len);
	return 0;
}

void
cmd_connect(struct session *s, struct crew *crew)
{
	struct relay *r = &s->conn->relay;
	int target = reach_target(s);

	if (target == -1)
		return;
	relay_attach(r, target, s->conf->common.idle_ms, s->conf->common.half_closed_ms);
	if (begin_tunnel(s, target) == 0)
		conn_carry(s->conn, crew);
}
