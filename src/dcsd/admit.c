/* SPDX-License-Identifier: ISC */
/*
 * Whom to let in. admit_enter runs on the accepting thread and must not block; the rest
 * on the threads of sessions. There is no lock here: tally and penalty have their own,
 * which are never held together.
 */
#include "config.h"
#include "admit.h"

#include <errno.h>

#include "log.h"
#include "proxy.h"
#include "source.h"

static bool
is_proxy(const struct admit *a, const struct addr *peer)
{
	return cidrs_hold(&a->conf->proxies, peer);
}

/* For whoever is the client in the end. As gate.enter, with errno of a refusal. */
static enum gate_answer
judge(const struct admit *a, const struct addr *client, const char **why)
{
	struct cidr source = source_of(client);
	size_t len;
	const void *key = source_key(&source, &len);

	if (penalty_refuses(
		    a->standing->penalty, &a->conf->auth.penalties, client, why)) {
		errno = EACCES;
		return GATE_REFUSES;
	}
	if (a->conf->per_client == 0)
		return GATE_PASSES;
	if (tally_take(a->standing->clients, key, len, (size_t)a->conf->per_client))
		return GATE_COUNTS;
	*why = errno == EUSERS ? "limits.per_client is reached" : "out of memory";
	return GATE_REFUSES;
}

enum gate_answer
admit_enter(const struct admit *a, const struct addr *peer, const char **why)
{
	return is_proxy(a, peer) ? GATE_PASSES : judge(a, peer, why);
}

void
admit_leave(const struct admit *a, const struct addr *client)
{
	struct cidr source = source_of(client);
	size_t len;
	const void *key = source_key(&source, &len);

	tally_give(a->standing->clients, key, len);
}

/* How a session ends for that errno. */
static enum end
end_for(int error)
{
	static const struct {
		int error;
		enum end end;
	} ends[] = {
		{ EPROTO, END_BAD_REQUEST },
		{ EACCES, END_DENIED },
		{ EUSERS, END_LIMIT },
		{ ENOMEM, END_LIMIT },
		{ EPIPE, END_CLIENT_EOF },
		{ ETIMEDOUT, END_HANDSHAKE_TIMEOUT },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].error == error)
			return ends[i].end;
	return END_CLIENT_RESET;
}

/* Gives conn the client that the header names, and lets that one in, or not. */
static int
take_client(const struct admit *a, struct conn *conn, const struct proxy_header *header,
	const char **why)
{
	const struct addr *client = header->named ? &header->src : &conn->peer;
	enum gate_answer answer;
	char id[CONN_ID];

	log_escape(id, sizeof(id), header->id, header->id_len);
	conn_set_client(conn, client, id[0] ? id : NULL);
	/* A connection of the proxy's own is a health check, or the like. */
	if (!header->named)
		return 0;
	answer = judge(a, client, why);
	conn->counted = answer == GATE_COUNTS;
	return answer == GATE_REFUSES ? -1 : 0;
}

int
admit_proxied(const struct admit *a, struct conn *conn, struct inbox *in,
	const struct io_limit *limit, enum end *end, const char **why)
{
	struct proxy_header header;

	if (!is_proxy(a, &conn->peer))
		return 0;
	if (proxy_read(&header, in, conn->relay.fd[CLIENT], limit, why) == 0 &&
		take_client(a, conn, &header, why) == 0)
		return 0;
	*end = end_for(errno);
	return -1;
}

void
admit_failed(const struct admit *a, const struct addr *client, const void *user,
	size_t user_len, const char *reason)
{
	struct penalty_result result =
		penalty_failed(a->standing->penalty, &a->conf->auth.penalties, client);
	struct cidr source = source_of(client);
	char line[PENALTY_LINE], text[CIDR_TEXT], seconds[LOG_SECONDS];

	log_msg(LOG_L_NOTICE, "%s", penalty_line(line, client, user, user_len, reason));
	if (result.begins)
		log_msg(LOG_L_NOTICE, "auth-refused source=%s failures=%d time=%s",
			cidr_text(&source, text), result.failures,
			log_seconds(seconds, result.refused_ms));
}

void
admit_passed(const struct admit *a, const struct addr *client)
{
	penalty_passed(a->standing->penalty, client);
}
