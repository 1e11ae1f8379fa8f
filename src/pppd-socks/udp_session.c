/* SPDX-License-Identifier: ISC */
/*
 * The serving thread of a session, the first one of a crew: it searches for an upstream
 * that gives it an association, sends what the client has sent meanwhile, and then blocks
 * in poll(2) alone, on the control connection and on the association, whose answers it
 * takes to the client. What the client sends from then on is sent by udp_ports.
 *
 * A target cannot be tested by datagrams, which may be lost or not be answered: all that
 * can be judged is the upstream.
 */
#include "config.h"
#include "udp_session.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "io.h"
#include "net.h"
#include "reach.h"
#include "udp_batch.h"
#include "udp_table.h"

#define FAILED_MS 1000 /* how long nothing new is tried for a client, after a failure */
#define HOLD_MS	  200  /* how long the inbox is kept when nothing comes */
#define NAP_MS	  100  /* when memory is short */
#define LAST_MS	  1000 /* how long an answer is awaited when all are to end */

/* Lives on the stack of the serving thread. */
struct serve {
	struct conn *conn;
	struct udp_session *s;
	struct route_port *port;
	struct reach reach;
	uint64_t answered;    /* what the client had sent when the last answer came */
	int64_t last_ms;      /* then it ends; IO_FOREVER: not that anybody knew */
	struct udp_inbox *in; /* NULL while nothing comes */
	struct udp_outbox out;
};

/* Where the client sends to; the address is not known on every system. */
static int
find_local(struct serve *v)
{
	const struct udp_ends *ends = &v->s->ends;

	if (net_local(ends->listener, &v->reach.at) == -1)
		return -1;
	if (ends->local.family != AF_UNSPEC)
		addr_from_bytes(&v->reach.at, ends->local.family, ends->local.ip,
			addr_port(&v->reach.at));
	return 0;
}

/* Where the association is: BND, where nothing means the upstream itself. */
static int
find_relay(const struct hop *hop, struct addr *relay)
{
	const struct socks_dest *bnd = &hop->socks.reply.bnd;
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
	} u;
	socklen_t len = sizeof(u);
	struct addr upstream;
	size_t size;

	if (bnd->atyp == SOCKS_ATYP_NAME)
		return net_resolve(&bnd->name, relay, 1) == 1 ? 0 : -1;
	*relay = bnd->addr;
	if (!addr_is_unspecified(relay))
		return 0;
	if (getpeername(hop->socks.fd, &u.sa, &len) == -1)
		return -1;
	if (addr_from_sockaddr(&upstream, &u.sa))
		addr_from_bytes(relay, addr_family(&upstream),
			addr_bytes(&upstream, &size), addr_port(&bnd->addr));
	return 0;
}

/*
 * From the address that the control connection comes from, if it can be: the upstream
 * takes datagrams from there alone.
 */
static int
bind_as_control(int fd, int control, const struct addr *relay)
{
	struct addr local;
	size_t size;

	if (net_local(control, &local) == -1)
		return -1;
	if (addr_family(&local) != addr_family(relay))
		return 0;
	addr_from_bytes(&local, addr_family(&local), addr_bytes(&local, &size), 0);
	compat_bind_late_port(fd);
	return bind(fd, &local.u.sa, local.len);
}

/* A socket that sends to the relay, without waiting, and hears nobody else. */
static int
open_socket(int control, const struct addr *relay)
{
	int fd = compat_socket(addr_family(relay), SOCK_DGRAM);

	if (fd == -1)
		return -1;
	compat_join_received(fd);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
		bind_as_control(fd, control, relay) == -1 ||
		connect(fd, &relay->u.sa, relay->len) == -1)
		io_close(&fd);
	return fd;
}

/* With a good reply: the socket of the association. */
static enum hop_result
join(struct serve *v)
{
	struct addr relay;
	int fd = -1;

	struct hop *hop = &v->reach.hop;

	if (find_relay(hop, &relay) == 0)
		fd = open_socket(hop->socks.fd, &relay);
	if (fd == -1) {
		hop->error = net_error_text(errno);
		return HOP_REFUSED;
	}
	v->s->fd = fd;
	return HOP_OK;
}

/*
 * Of a target nothing can be said. But what an upstream answers to this request, it will
 * answer the next time as well, and TCP through it has nothing to do with that: so it is
 * noted for this target through this upstream, unless policy has refused one client.
 */
static enum hop_result
judge(void *arg, enum hop_result result)
{
	struct serve *v = arg;

	if (result == HOP_OK)
		return join(v);
	if (result == HOP_TARGET_FAILED ||
		(result == HOP_REFUSED &&
			v->reach.hop.socks.reply.rep != SOCKS_REP_NOT_ALLOWED))
		return HOP_LOST;
	return result;
}

/* Returns 0, or -1: there is no association. */
static int
reach_upstream(struct serve *v)
{
	enum hop_result result = reach_pair(&v->reach, SOCKS_UDP_ASSOCIATE, judge, v);

	if (result == HOP_OK)
		return 0;
	relay_note(&v->conn->relay,
		result == HOP_CLIENT_LEFT ? END_SHUTDOWN : END_CONNECT_FAILED);
	return -1;
}

/* Sends what has come so far, until nothing comes any more behind it. */
static void
send_early(struct serve *v)
{
	struct udp_session *s = v->s;
	struct udp_outbox out = { .relay = &v->conn->relay,
		.from = CLIENT,
		.sent = UDP_UP,
		.count = s->count[TARGET] };
	struct udp_early *list, *next;

	while ((list = udp_table_open(s)))
		for (; list; list = next) {
			next = list->next;
			udp_put(&out, s->fd, NULL, list->bytes, list->size);
			udp_put_header(&out, s->header, s->header_size);
			udp_flush(&out);
			free(list);
		}
}

/* An answer: what is behind its header goes to the client. */
static void
on_answer(struct serve *v, const uint8_t *data, size_t size)
{
	const struct udp_ends *ends = &v->s->ends;
	struct socks_udp d;

	if (socks_udp_parse(&d, data, size) != PARSE_OK)
		v->out.count[UDP_HEADER]++;
	else if (d.frag != 0)
		v->out.count[UDP_FRAG]++;
	else
		udp_put(&v->out, ends->listener, &ends->client, d.data, d.size);
}

static void
read_answers(struct serve *v)
{
	struct udp_datagram d;

	/* Before they go down: the client may ask on at once. */
	v->answered = atomic_load(&v->conn->relay.bytes[CLIENT]);
	if (!v->in)
		v->in = malloc(sizeof(*v->in));
	if (!v->in || udp_receive(v->s->fd, v->in) == -1) {
		poll(NULL, 0, NAP_MS);
		return;
	}
	while (udp_next(v->in, &d))
		on_answer(v, d.data, d.size);
	udp_flush(&v->out);
}

/* Takes what comes from the control connection, to no use. False: it has ended. */
static bool
read_control(struct serve *v)
{
	struct relay *r = &v->conn->relay;
	char ignored[2048];
	ssize_t n = recv(r->fd[TARGET], ignored, sizeof(ignored), MSG_DONTWAIT);

	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return true;
	relay_note(r, n == 0 ? END_TARGET_EOF : END_TARGET_RESET);
	return false;
}

static int64_t
idle_until(const struct relay *r)
{
	return r->idle_ms == 0 ? IO_FOREVER : atomic_load(&r->last_ms) + r->idle_ms;
}

/* What time brings. False: there was nothing for too long. */
static bool
on_time(struct serve *v, bool quiet)
{
	struct relay *r = &v->conn->relay;

	if (quiet) {
		free(v->in);
		v->in = NULL;
	}
	if (io_left_ms(v->last_ms) == 0)
		relay_note(r, END_SHUTDOWN);
	else if (io_left_ms(idle_until(r)) == 0)
		relay_note(r, END_IDLE);
	else
		return true;
	return false;
}

/*
 * All are to end, and udp_ports takes no more datagrams: this process ends, or another
 * has taken its place. If something was asked since the last answer, one more may come.
 */
static void
note_quit(struct serve *v)
{
	bool asked = atomic_load(&v->conn->relay.bytes[CLIENT]) != v->answered;

	v->last_ms = io_now_ms() + (asked ? LAST_MS : 0);
}

/* Waits for something, and does what is to be done. False: the session is over. */
static bool
step(struct serve *v)
{
	const struct relay *r = &v->conn->relay;
	struct pollfd p[] = { { r->fd[TARGET], POLLIN, 0 }, { v->s->fd, POLLIN, 0 },
		{ v->last_ms == IO_FOREVER ? v->s->quit : -1, POLLIN, 0 } };
	int64_t until = idle_until(r);
	int n;

	if (until > v->last_ms)
		until = v->last_ms;
	if (v->in && until > io_now_ms() + HOLD_MS)
		until = io_now_ms() + HOLD_MS;
	n = poll(p, 3, io_left_ms(until));
	if (n == -1)
		return true;
	if (p[1].revents)
		read_answers(v);
	if (p[2].revents)
		note_quit(v);
	if (p[0].revents && !read_control(v))
		return false;
	return on_time(v, n == 0);
}

/* With the association there: carries datagrams until it is over. */
static void
carry(struct serve *v)
{
	struct udp_session *s = v->s;
	struct relay *r = &v->conn->relay;
	struct socks_dest target;

	relay_attach(r, hop_take_fd(&v->reach.hop), v->port->route->idle_ms, 0);
	socks_dest_from_hostport(&target, &search_target(&v->reach.search)->address);
	s->header_size = socks_udp_build(s->header, 0, &target);
	s->relay = r;
	v->out = (struct udp_outbox){ .relay = r,
		.from = TARGET,
		.sent = UDP_DOWN,
		.count = s->count[TARGET],
		.local = &s->ends.local };
	v->reach.dial_ms = io_now_ms() - v->conn->start_ms;
	send_early(v);
	while (step(v))
		continue;
	free(v->in);
}

/*
 * Without an association: what the client sends is dropped for a while. Each datagram
 * would be another search, and another line in the log.
 */
static void
linger(struct serve *v)
{
	struct io_limit limit = { io_now_ms() + FAILED_MS, v->s->quit };

	udp_table_fail(v->s);
	if (relay_end(&v->conn->relay) == END_CONNECT_FAILED)
		(void)io_wait(-1, 0, &limit);
}

static void
serve(struct serve *v)
{
	if (find_local(v) == -1)
		relay_note(&v->conn->relay, END_CONNECT_FAILED);
	else if (reach_upstream(v) == 0) {
		carry(v);
		return;
	}
	linger(v);
}

void
udp_session_serve(struct conn *conn, const struct settings *common)
{
	struct udp_session *s = conn->own;
	struct route_port *port = (struct route_port *)(uintptr_t)conn->via;
	char counts[UDP_COUNTS_TEXT];
	struct serve v = {
		.conn = conn,
		.s = s,
		.port = port,
		.last_ms = IO_FOREVER,
		.reach = { .conn = conn, .common = common, .watch = s->quit },
	};

	reach_begin(&v.reach);
	serve(&v);
	/* Whoever reads the line finds room for another. */
	udp_table_remove(s);
	route_leave(port->route);
	reach_end(&v.reach, udp_counts_text(s->count, counts, sizeof(counts)));
	io_close(&s->fd);
	free(s);
	conn_end(conn);
}
