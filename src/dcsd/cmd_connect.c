/* SPDX-License-Identifier: ISC */
/*
 * CONNECT: look up, ask the rules for each address, dial, and hand over to the tunnel.
 * Runs on the first thread of the crew.
 */
#include "config.h"
#include "cmd_connect.h"

#include <errno.h>

#include "net.h"
#include "rep.h"

/* The addresses that are allowed, and for each the rule that allows it. */
struct candidates {
	struct addr addr[NET_ADDRS];
	const struct rule *rule[NET_ADDRS];
	int n;
};

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

/* Keeps those of the n addresses that are allowed. Returns 0, or -1 as above. */
static int
keep_allowed(struct session *s, struct candidates *c, int n)
{
	struct rules_query query = session_query(s, SOCKS_CONNECT, &s->request.dst);
	const struct rule *denied = NULL, *last = NULL;
	const char *why = NULL;

	for (int i = 0; i < n; i++) {
		const struct rule *rule =
			rules_decide(&s->conf->rules, &query, &c->addr[i], &denied, &why);

		if (!rule) {
			last = denied;
			continue;
		}
		c->addr[c->n] = c->addr[i];
		c->rule[c->n++] = rule;
	}
	if (c->n > 0)
		return 0;
	s->named = last;
	return session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_DENIED, why);
}

/* Moves those that the first one's rule allows into list. Returns how many. */
static int
take_group(struct candidates *c, struct addr *list)
{
	const struct rule *rule = c->rule[0];
	int n = 0, left = 0;

	for (int i = 0; i < c->n; i++) {
		if (c->rule[i] == rule) {
			list[n++] = c->addr[i];
		} else {
			c->addr[left] = c->addr[i];
			c->rule[left++] = c->rule[i];
		}
	}
	c->n = left;
	return n;
}

/*
 * Dials the addresses that the first one's rule allows, under its limits and from its
 * source. Returns the target's socket, or -1 with errno; EUSERS: a limit was reached, and
 * the session is over.
 */
static int
dial_group(struct session *s, struct candidates *c, const struct io_limit *limit)
{
	const struct rule *rule = c->rule[0];
	const struct outgoing *out = session_outgoing(s, rule);
	struct addr list[NET_ADDRS];
	int n = take_group(c, list), fd = -1;

	n = outgoing_order(out, list, n);
	if (session_enter(s, rule) == -1) {
		errno = EUSERS;
		return -1;
	}
	errno = EAFNOSUPPORT;
	if (n > 0)
		fd = net_dial(list, n, &out->source, limit, &s->addr);
	if (fd == -1)
		session_leave(s);
	return fd;
}

/*
 * Dials within what is left: the addresses of one rule after those of another. Returns
 * the target's socket, or -1: the session is over.
 */
static int
dial(struct session *s, struct candidates *c, const struct io_limit *limit)
{
	int64_t begin = io_now_ms();
	int fd;

	do
		fd = dial_group(s, c, limit);
	while (fd == -1 && c->n > 0 && errno != EUSERS && errno != ECANCELED &&
		errno != ETIMEDOUT);
	s->dial_ms = io_now_ms() - begin;
	if (fd != -1)
		s->connected = true;
	else if (errno == ECANCELED)
		(void)session_lost_client(s);
	else if (errno != EUSERS)
		(void)session_refuse(s, rep_for_errno(errno), END_CONNECT_FAILED,
			net_error_text(errno));
	return fd;
}

/* From the request to a connected target. Returns its socket, or -1: it is over. */
static int
reach_target(struct session *s)
{
	struct io_limit limit = session_limit(s, s->conf->common.connect_ms);
	struct candidates c = { .n = 0 };
	int n;

	if (!session_may(s, SESSION_ANY_ADDRESS))
		return -1;
	n = find_addresses(s, c.addr);
	if (n == -1 || keep_allowed(s, &c, n) == -1)
		return -1;
	return dial(s, &c, &limit);
}

bool
cmd_connect(struct session *s, struct crew *crew)
{
	int target = reach_target(s);
	struct addr bnd;

	if (target == -1)
		return false;
	if (net_local(target, &bnd) == 0)
		return session_tunnel(s, crew, target, &bnd);
	io_close(&target);
	(void)session_refuse(
		s, SOCKS_REP_FAILURE, END_CONNECT_FAILED, net_error_text(errno));
	return false;
}
