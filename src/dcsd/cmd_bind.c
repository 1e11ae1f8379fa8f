/* SPDX-License-Identifier: ISC */
/*
 * BIND: listen where the client has reached us, tell it where, and wait for the one peer
 * that DST names and the rules allow; then hand over to the tunnel. A peer that is not
 * welcome is reset, and the waiting goes on: else anybody could spoil it. Runs on the
 * first thread of the crew.
 */
#include "config.h"
#include "cmd_bind.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "compat.h"
#include "log.h"
#include "net.h"
#include "rep.h"

/* How long nothing is accepted when there is no fd or memory for it. */
#define PAUSE_MS 100

/* Who may come, as far as the client says. */
struct guests {
	bool anybody; /* else those of the list, from any port */
	struct addr list[NET_ADDRS];
	int n;
};

/* DST is all zeros, as an address or (as some clients send it) as a name. */
static bool
is_unspecified(const struct socks_dest *dst)
{
	struct addr addr = dst->addr;

	if (dst->atyp != SOCKS_ATYP_NAME)
		return addr_is_unspecified(&addr);
	return strcmp(dst->name.host, "0") == 0 ||
		(addr_from_text(&addr, dst->name.host, 0) && addr_is_unspecified(&addr));
}

/* All addresses that DST means. Returns 0, or -1: the session is over. */
static int
find_guests(struct session *s, struct guests *g)
{
	const struct socks_dest *dst = &s->request.dst;
	int64_t begin = io_now_ms();

	*g = (struct guests){ .anybody = is_unspecified(dst) };
	if (g->anybody)
		return 0;
	if (dst->atyp != SOCKS_ATYP_NAME) {
		g->list[g->n++] = dst->addr;
		return 0;
	}
	g->n = net_resolve(&dst->name, g->list, NET_ADDRS);
	s->dns_ms = io_now_ms() - begin;
	if (g->n == -1)
		return session_refuse(s, rep_for_errno(errno), END_CONNECT_FAILED,
			net_error_text(errno));
	return 0;
}

/*
 * Strikes off the guests that no rule will allow: with none left there is nobody to wait
 * for. Returns the rule of the first, or NULL: the session is over.
 */
static const struct rule *
keep_allowed(struct session *s, struct guests *g)
{
	struct rules_query query = session_query(s, SOCKS_BIND, &s->request.dst);
	const struct rule *denied = NULL;
	const char *why = "";
	const struct rule *first = NULL;
	int kept = 0;

	for (int i = 0; i < g->n; i++) {
		const struct rule *rule = rules_may_allow(
			&s->conf->rules, &query, &g->list[i], 0, &denied, &why);

		if (!rule)
			continue;
		g->list[kept++] = g->list[i];
		if (!first)
			first = rule;
	}
	g->n = kept;
	if (!first) {
		s->named = denied;
		(void)session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_DENIED, why);
	}
	return first;
}

/* Those of the other family cannot reach us. Returns 0, or -1: the session is over. */
static int
keep_family(struct session *s, struct guests *g, int family)
{
	int kept = 0;

	for (int i = 0; i < g->n; i++)
		if (addr_family(&g->list[i]) == family)
			g->list[kept++] = g->list[i];
	g->n = kept;
	if (kept == 0 && !g->anybody)
		return session_refuse(s, SOCKS_REP_BAD_ATYP, END_CONNECT_FAILED,
			"the peer's address family is not the client's");
	return 0;
}

/* The request's own questions to the rules. Returns 0, or -1: the session is over. */
static int
enter(struct session *s, struct guests *g, int family)
{
	const struct rule *rule = session_may(s, SESSION_ANY_PORT);

	if (!rule || find_guests(s, g) == -1)
		return -1;
	if (!g->anybody)
		rule = keep_allowed(s, g);
	if (!rule || keep_family(s, g, family) == -1)
		return -1;
	return session_enter(s, rule);
}

/* A listening socket that the client knows of. Returns it, or -1: the session is over. */
static int
open_listener(struct session *s, const struct addr *local)
{
	struct addr told;
	int fd = endpoint_open(&s->conf->bind.at, local, SOCK_STREAM, &told);

	if (fd == -1)
		return session_refuse(s, rep_for_errno(errno), END_CONNECT_FAILED,
			net_error_text(errno));
	session_describe(s);
	if (session_reply(s, SOCKS_REP_SUCCEEDED, &told) == -1)
		io_close(&fd);
	return fd;
}

/*
 * Blocks until there is somebody to accept. What the client sends meanwhile goes into the
 * inbox, and stays in the kernel when that is full. Returns 0, or -1 with errno:
 * ETIMEDOUT; EPIPE, the client ended; or it was reset.
 */
static int
wait_caller(struct session *s, int listener, int64_t until_ms)
{
	struct io_limit limit = { until_ms, -1 };
	struct pollfd p[2] = { { s->conn->relay.fd[CLIENT], POLLIN, 0 },
		{ listener, POLLIN, 0 } };

	while (io_left_ms(until_ms) != 0) {
		int n;

		if (s->in.len == sizeof(s->in.data))
			p[0].events = 0; /* a hang-up is told nevertheless */
		n = poll(p, 2, io_left_ms(until_ms));
		if (n == -1 && errno != EINTR)
			return -1;
		if (n <= 0)
			continue;
		if (p[0].revents && inbox_fill(&s->in, p[0].fd, &limit) == -1)
			return -1;
		if (p[1].revents)
			return 0;
	}
	errno = ETIMEDOUT;
	return -1;
}

static bool
lacks_resources(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/*
 * Accepts one caller. Any error but the client's or the deadline's is passed over: it is
 * that caller's own, or goes by. Returns the fd, or -1 with errno as wait_caller.
 */
static int
accept_caller(struct session *s, int listener, int64_t until_ms, struct addr *caller)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
	} u;

	for (;;) {
		socklen_t len = sizeof(u);
		int64_t pause_ms;
		int fd;

		if (wait_caller(s, listener, until_ms) == -1)
			return -1;
		fd = compat_accept(listener, &u.sa, &len);
		if (fd != -1 && addr_from_sockaddr(caller, &u.sa))
			return fd;
		io_close(&fd);
		if (!lacks_resources(errno))
			continue;
		pause_ms = io_now_ms() + PAUSE_MS;
		if (wait_caller(s, -1, pause_ms < until_ms ? pause_ms : until_ms) == -1 &&
			errno != ETIMEDOUT)
			return -1;
	}
}

/* The same address, whatever the port, and whatever the scope: DST has none. */
static bool
same_host(const struct addr *a, const struct addr *b)
{
	const uint8_t *x, *y;
	size_t nx, ny;

	x = addr_bytes(a, &nx);
	y = addr_bytes(b, &ny);
	return nx == ny && memcmp(x, y, nx) == 0;
}

static bool
is_expected(const struct guests *g, const struct addr *caller)
{
	for (int i = 0; i < g->n; i++)
		if (same_host(&g->list[i], caller))
			return true;
	return g->anybody;
}

/* NULL when the caller is the peer; else why it is not. */
static const char *
unwelcome(struct session *s, const struct guests *g, const struct addr *caller)
{
	struct rules_query query = session_query(s, SOCKS_BIND, &s->request.dst);
	const struct rule *denied;
	const char *why;
	const struct rule *rule;

	if (!is_expected(g, caller))
		return "not the peer that was asked for";
	rule = rules_decide(&s->conf->rules, &query, caller, &denied, &why);
	if (!rule)
		return why;
	/* The caller's own rule takes over from that of the request. */
	return session_change_rule(s, rule) ? NULL : "the rule's limit is reached";
}

static void
turn_away(const struct session *s, int *fd, const struct addr *caller, const char *why)
{
	char text[ADDR_TEXT];

	log_msg(LOG_L_DEBUG, "tunnel id=%s turned away addr=%s: %s", s->conn->id,
		addr_text(caller, text), why);
	net_reset_on_close(*fd);
	io_close(fd);
}

/* Waits for the peer. Returns its socket, or -1 with errno as wait_caller. */
static int
await_peer(struct session *s, const struct guests *g, int listener)
{
	int64_t begin = io_now_ms();
	int64_t until = begin + s->conf->bind.timeout_ms;
	const char *why;
	int fd;

	while ((fd = accept_caller(s, listener, until, &s->addr)) != -1) {
		why = unwelcome(s, g, &s->addr);
		if (!why) {
			s->connected = true;
			s->dial_ms = io_now_ms() - begin;
			break;
		}
		turn_away(s, &fd, &s->addr, why);
	}
	return fd;
}

/* The second reply when there is no peer. */
static void
reply_failure(struct session *s)
{
	if (errno == ETIMEDOUT)
		(void)session_refuse(s, SOCKS_REP_TTL_EXPIRED, END_CONNECT_FAILED,
			"no peer came in time");
	else if (errno == EPIPE)
		(void)session_refuse(s, SOCKS_REP_FAILURE, END_CLIENT_EOF,
			"the client ended before the peer came");
	else
		(void)session_lost_client(s);
}

bool
cmd_bind(struct session *s, struct crew *crew)
{
	struct guests guests;
	struct addr local;
	int listener, peer;

	if (net_local(s->conn->relay.fd[CLIENT], &local) == -1) {
		(void)session_refuse(
			s, SOCKS_REP_FAILURE, END_CONNECT_FAILED, net_error_text(errno));
		return false;
	}
	if (enter(s, &guests, addr_family(&local)) == -1)
		return false;
	listener = open_listener(s, &local);
	if (listener == -1)
		return false;
	peer = await_peer(s, &guests, listener);
	/* Before anything else is said: there is one peer, and nobody after it. */
	io_close(&listener);
	if (peer != -1)
		return session_tunnel(s, crew, peer, &s->addr);
	reply_failure(s);
	return false;
}
