/* SPDX-License-Identifier: ISC */
/*
 * UDP ASSOCIATE: the relay socket, the reply, the two halves of the association on the
 * threads of the crew, and what they counted for the log. Runs on the first thread, and
 * on the one that is over last.
 */
#include "config.h"
#include "cmd_udp.h"

#include <errno.h>
#include <stdlib.h>

#include "net.h"
#include "rep.h"
#include "udp_assoc.h"

/*
 * The address in DST, 0.0.0.0 if it is none: names are not looked up. Clients send their
 * nothing as a name, too.
 */
static struct addr
declared(const struct socks_dest *dst)
{
	static const uint8_t nothing[4];
	struct addr a;

	if (dst->atyp != SOCKS_ATYP_NAME)
		return dst->addr;
	if (!addr_from_text(&a, dst->name.host, dst->name.port))
		addr_from_bytes(&a, AF_INET, nothing, dst->name.port);
	return a;
}

/*
 * Who may send: the client's address, from the port that it has declared. One that has
 * declared an address that is not its own is behind NAT, and its port will not be that
 * one either.
 */
static struct addr
sender(const struct session *s)
{
	struct addr client = s->conn->client, said = declared(&s->request.dst);
	uint16_t port = 0;

	if (addr_is_unspecified(&said) || udp_same_host(&said, &client))
		port = addr_port(&said);
	if (addr_family(&client) == AF_INET)
		client.u.in.sin_port = htons(port);
	else
		client.u.in6.sin6_port = htons(port);
	return client;
}

/* The relay socket, on the address by which the client has come. -1 with errno. */
static int
open_relay(const struct session *s, struct addr *told)
{
	struct addr local;

	if (net_local(s->conn->relay.fd[CLIENT], &local) == -1)
		return -1;
	return endpoint_open(&s->conf->udp.at, &local, SOCK_DGRAM, told);
}

static void
run_half(struct crew *crew, void *arg, int half)
{
	if (half == 1) {
		udp_down(arg);
		return;
	}
	crew_second(crew);
	udp_up(arg);
}

static void
drop(struct udp_assoc *a)
{
	udp_assoc_free(a);
	free(a);
}

/* The association is over, and the session with it. */
static void
both_over(void *arg)
{
	struct udp_assoc *a = arg;
	struct session *s = a->session;

	udp_counts_text(a->count, s->more, sizeof(s->more));
	drop(a);
	session_close(s);
}

/* From the reply on. Returns as cmd_udp. */
static bool
associate(struct session *s, struct crew *crew, struct udp_assoc *a,
	const struct addr *told)
{
	a->client = sender(s);
	a->idle_ms = s->rule->idle_ms != -1 ? s->rule->idle_ms : s->conf->udp.idle_ms;
	session_describe(s);
	if (session_reply(s, SOCKS_REP_SUCCEEDED, told) == -1)
		return false;
	crew_split(crew, run_half, both_over, a);
	return true;
}

/* Refuses for want of something, by errno. */
static bool
refuse(struct session *s)
{
	(void)session_refuse(
		s, rep_for_errno(errno), END_CONNECT_FAILED, net_error_text(errno));
	return false;
}

/* Makes the association around the relay socket. NULL with errno. */
static struct udp_assoc *
make(struct session *s, int relay)
{
	struct udp_assoc *a = malloc(sizeof(*a));
	int error;

	if (!a) {
		io_close(&relay);
		return NULL;
	}
	if (udp_assoc_init(a, s, relay) == 0)
		return a;
	error = errno;
	drop(a);
	errno = error;
	return NULL;
}

bool
cmd_udp(struct session *s, struct crew *crew)
{
	const struct rule *rule = session_may(s, SESSION_ANY_TARGET);
	struct udp_assoc *a;
	struct addr told;
	int relay;

	if (!rule || session_enter(s, rule) == -1)
		return false;
	relay = open_relay(s, &told);
	if (relay == -1)
		return refuse(s);
	a = make(s, relay);
	if (!a)
		return refuse(s);
	if (associate(s, crew, a, &told))
		return true;
	drop(a);
	return false;
}
