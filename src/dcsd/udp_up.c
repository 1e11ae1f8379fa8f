/* SPDX-License-Identifier: ISC */
/*
 * From the client to targets: the first half of an association, on the first thread of
 * the crew. It blocks in poll(2) alone, on the control connection, the relay socket and
 * the look-ups, and decides for each datagram by itself.
 */
#include "config.h"
#include "udp_assoc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NAP_MS 100 /* when memory is short */

struct up {
	struct udp_assoc *a;
	uint64_t *count;
	struct udp_inbox *in; /* NULL while nothing comes */
	struct udp_outbox out;
};

/* Whether the datagram is from who may send: the client, or the proxy that has named it,
 * which may carry datagrams as well. */
static bool
is_client(const struct udp_assoc *a, const struct addr *from)
{
	if (addr_port(&a->client) == 0)
		return udp_same_host(&a->client, from) ||
			udp_same_host(&a->session->conn->peer, from);
	return addr_equal(&a->client, from);
}

/*
 * Keeps of n addresses those that the rule of the first allowed one allows, in the order
 * of its `outgoing`. Returns that rule, or NULL: there is none.
 */
static const struct rule *
choose(const struct udp_assoc *a, const struct socks_dest *dst, struct addr *list, int n)
{
	struct session *s = a->session;
	struct rules_query query = session_query(s, SOCKS_UDP_ASSOCIATE, dst);
	const struct rule *chosen = NULL, *denied;
	const char *why;
	int kept = 0;

	for (int i = 0; i < n; i++) {
		const struct rule *rule =
			rules_decide(&s->conf->rules, &query, &list[i], &denied, &why);

		if (!rule || udp_relays_hold(&list[i]) || (chosen && rule != chosen))
			continue;
		chosen = rule;
		list[kept++] = list[i];
	}
	if (!chosen || outgoing_order(session_outgoing(s, chosen), list, kept) == 0)
		return NULL;
	return chosen;
}

/* Sends it to one of its n addresses, if the rules allow. */
static void
dispatch(struct up *up, const struct socks_udp *d, struct addr *list, int n)
{
	struct udp_assoc *a = up->a;
	const struct rule *rule = choose(a, &d->dst, list, n);
	int fd;

	if (!rule) {
		up->count[UDP_RULE]++;
		return;
	}
	fd = udp_assoc_out(a, session_outgoing(a->session, rule), addr_family(&list[0]));
	if (fd == -1 ||
		(!a->session->conf->udp.any_source &&
			udp_hosts_add(&a->hosts, &list[0]) == -1)) {
		up->count[UDP_SEND]++;
		return;
	}
	udp_put(&up->out, fd, &list[0], d->data, d->size);
}

/* A datagram whose name has been looked up meanwhile; it does not stay. */
static void
on_found(void *arg, struct socks_udp *d, struct addr *list, int n)
{
	struct up *up = arg;

	if (n == -1)
		up->count[UDP_NAME]++;
	else
		dispatch(up, d, list, n);
	udp_flush(&up->out);
}

/* By name: nothing is looked up when no address could be allowed. */
static void
to_name(struct up *up, const struct socks_udp *d)
{
	struct session *s = up->a->session;
	struct rules_query query = session_query(s, SOCKS_UDP_ASSOCIATE, &d->dst);
	struct udp_names **names = &up->a->names;
	const struct hostport *name = &d->dst.name;
	const struct rule *denied;
	struct addr list[NET_ADDRS];
	const char *why;
	int n = 1;

	if (!rules_may_allow(&s->conf->rules, &query, NULL, name->port, &denied, &why)) {
		up->count[UDP_RULE]++;
		return;
	}
	if (!addr_from_text(&list[0], name->host, name->port)) {
		if (!*names)
			*names = udp_names_new();
		n = *names ? udp_names_find(*names, d, io_now_ms(), list) : -1;
	}
	if (n > 0)
		dispatch(up, d, list, n);
	else if (n == -1)
		up->count[UDP_NAME]++;
}

/* A datagram that came to the relay socket. */
static void
on_datagram(struct up *up, const struct udp_datagram *came)
{
	struct udp_assoc *a = up->a;
	struct socks_udp d;
	bool fragment;

	if (!is_client(a, came->from)) {
		up->count[UDP_SOURCE]++;
		return;
	}
	if (socks_udp_parse(&d, came->data, came->size) != PARSE_OK) {
		up->count[UDP_HEADER]++;
		return;
	}
	/* The second half reads it, but only after udp_assoc_out has told it of a socket.
	 */
	if (addr_port(&a->client) == 0)
		a->client = *came->from;
	fragment = d.frag != 0;
	if (!udp_frag_take(&a->frag, &d, io_now_ms(), &up->count[UDP_FRAG]))
		return;
	if (d.dst.atyp == SOCKS_ATYP_NAME)
		to_name(up, &d);
	else
		dispatch(up, &d, &d.dst.addr, 1);
	if (fragment)
		udp_flush(&up->out); /* what was put together does not stay */
}

/* Something came from whoever. */
static void
on_relay(struct up *up)
{
	struct udp_datagram d;

	if (!up->in)
		up->in = malloc(sizeof(*up->in));
	if (!up->in || udp_receive(up->a->relay, up->in) == -1) {
		poll(NULL, 0, NAP_MS);
		return;
	}
	while (udp_next(up->in, &d))
		on_datagram(up, &d);
	udp_flush(&up->out);
}

/* Takes what comes from the control connection, to no use. False: it has ended. */
static bool
read_control(struct up *up)
{
	struct relay *r = &up->a->session->conn->relay;
	char ignored[2048];
	ssize_t n = recv(r->fd[CLIENT], ignored, sizeof(ignored), MSG_DONTWAIT);

	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return true;
	relay_note(r, n == 0 ? END_CLIENT_EOF : END_CLIENT_RESET);
	return false;
}

/* When the association will have been idle for too long. */
static int64_t
idle_until(const struct udp_assoc *a)
{
	return a->idle_ms == 0
		? IO_FOREVER
		: atomic_load(&a->session->conn->relay.last_ms) + a->idle_ms;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What time brings. False: the association was idle for too long. */
static bool
on_time(struct up *up, bool quiet)
{
	struct udp_assoc *a = up->a;

	udp_frag_expire(&a->frag, io_now_ms(), &up->count[UDP_FRAG]);
	if (quiet) {
		free(up->in);
		up->in = NULL;
	}
	if (io_left_ms(idle_until(a)) != 0)
		return true;
	relay_note(&a->session->conn->relay, END_IDLE);
	return false;
}

/* Waits for something, and does what is to be done. False: the association is over. */
static bool
step(struct up *up)
{
	struct udp_assoc *a = up->a;
	struct pollfd p[] = { { a->session->conn->relay.fd[CLIENT], POLLIN, 0 },
		{ a->relay, POLLIN, 0 },
		{ a->names ? udp_names_fd(a->names) : -1, POLLIN, 0 } };
	int64_t until = earlier(idle_until(a), udp_frag_until(&a->frag));
	int n;

	if (up->in)
		until = earlier(until, io_now_ms() + UDP_HOLD_MS);
	n = poll(p, 3, io_left_ms(until));
	if (n == -1)
		return true;
	if (p[2].revents)
		udp_names_collect(a->names, io_now_ms(), on_found, up);
	if (p[1].revents)
		on_relay(up);
	if (p[0].revents && !read_control(up))
		return false;
	return on_time(up, n == 0);
}

void
udp_up(struct udp_assoc *a)
{
	struct relay *r = &a->session->conn->relay;
	struct up up = { .a = a,
		.count = a->count[CLIENT],
		.out = { .relay = r,
			.from = CLIENT,
			.sent = UDP_UP,
			.count = a->count[CLIENT] } };

	relay_count(r, CLIENT, 0); /* it is not idle from now on */
	while (step(&up))
		continue;
	if (a->names)
		up.count[UDP_NAME] += udp_names_kept(a->names);
	udp_frag_expire(&a->frag, IO_FOREVER, &up.count[UDP_FRAG]);
	free(up.in);
	io_close(&a->wake[1]);
}
