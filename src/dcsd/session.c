/* SPDX-License-Identifier: ISC */
/*
 * What the steps of a session share: its replies and its end, what the rules say to it,
 * the tunnel, and the log line. Runs on the first thread of a crew and blocks there, up
 * to the tunnel, and for its end on either. The client's socket belongs to the conn's
 * relay.
 */
#include "config.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "message.h"
#include "net.h"

/* How long a client that was refused may take to close its end. */
#define FINISH_MS 1000

struct io_limit
session_limit(const struct session *s, int64_t ms)
{
	return (struct io_limit){ io_now_ms() + ms, s->conn->relay.fd[CLIENT] };
}

int
session_lost_client(struct session *s)
{
	enum end end = errno == EPIPE ? END_CLIENT_EOF : END_CLIENT_RESET;

	if (errno == ETIMEDOUT)
		end = END_HANDSHAKE_TIMEOUT;
	relay_note(&s->conn->relay, end);
	return -1;
}

/* Ends a session that was not served, after the last message to its client. */
int
session_end(struct session *s, const uint8_t *message, size_t size, enum end end,
	const char *error)
{
	struct io_limit limit = session_limit(s, FINISH_MS);
	int fd = s->conn->relay.fd[CLIENT];

	s->error = error;
	relay_note(&s->conn->relay, end);
	if (size == 0 || message_send(fd, message, size, &limit) == 0)
		net_finish(fd, FINISH_MS);
	return -1;
}

int
session_reply(struct session *s, enum socks_rep rep, const struct addr *bnd)
{
	struct io_limit limit = session_limit(s, s->conf->common.handshake_ms);
	uint8_t buf[SOCKS_MESSAGE];
	size_t size = socks_build_reply(buf, rep, bnd);

	s->rep = rep;
	if (message_send(s->conn->relay.fd[CLIENT], buf, size, &limit) == 0)
		return 0;
	relay_reset(&s->conn->relay, END_CLIENT_RESET);
	return -1;
}

int
session_refuse(struct session *s, enum socks_rep rep, enum end end, const char *error)
{
	uint8_t buf[SOCKS_MESSAGE];

	s->rep = rep;
	return session_end(s, buf, socks_build_reply(buf, rep, NULL), end, error);
}

struct rules_query
session_query(
	const struct session *s, enum socks_command command, const struct socks_dest *dst)
{
	return (struct rules_query){ .client = &s->conn->client,
		.who = &s->who,
		.command = command,
		.dst = dst,
		.server = s->conn->server };
}

/* What the rules said: the rule that allows, or a refusal and NULL. */
static const struct rule *
verdict(struct session *s, const struct rule *rule, const struct rule *denied,
	const char *why)
{
	s->named = rule ? rule : denied;
	if (!rule)
		(void)session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_DENIED, why);
	return rule;
}

const struct rule *
session_may(struct session *s, enum session_open open)
{
	const struct socks_dest *dst = &s->request.dst;
	struct rules_query query =
		session_query(s, s->request.cmd, open == SESSION_ANY_TARGET ? NULL : dst);
	uint16_t port = open == SESSION_ANY_ADDRESS ? socks_dest_port(dst) : 0;
	const struct rule *denied;
	const char *why;
	const struct rule *rule =
		rules_may_allow(&s->conf->rules, &query, NULL, port, &denied, &why);

	return verdict(s, rule, denied, why);
}

static bool
has_user(const struct session *s)
{
	return s->who.name[0] != '\0';
}

/* Whether who it is could come in now; takes what there is to know of the user anew. */
static bool
still_welcome(struct session *s)
{
	struct auth *auth = s->dcsd->auth;

	if (!has_user(s))
		return auth_conf_offers(&s->conf->auth, SOCKS_METHOD_NONE);
	if (!auth || !auth_has_user(auth, s->who.name))
		return false;
	(void)auth_find(auth, s->who.name, &s->who);
	return true;
}

int
session_renew(struct session *s)
{
	bool welcome;

	if (!server_renew(s->conn))
		return 0;
	conn_publish(s->conn, NULL);
	s->dcsd = s->conn->generation->config;
	s->conf = &s->dcsd->conf;
	welcome = still_welcome(s);
	conn_publish(s->conn, s);
	return welcome ? 0
		       : session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_DENIED,
				 "its user or method is gone by a reload");
}

int
session_enter(struct session *s, const struct rule *rule)
{
	struct standing *counts = s->dcsd->standing;

	s->named = rule;
	if (!rule_enter(rule, counts->rules))
		return session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_LIMIT,
			"the rule's limit is reached");
	if (has_user(s) &&
		!tally_take(counts->users, s->who.name, strlen(s->who.name),
			s->who.max_tunnels)) {
		rule_leave(rule, counts->rules);
		return session_refuse(s, SOCKS_REP_NOT_ALLOWED, END_LIMIT,
			"the user's limit is reached");
	}
	s->rule = rule;
	return 0;
}

void
session_leave(struct session *s)
{
	struct standing *counts = s->dcsd->standing;

	if (!s->rule)
		return;
	rule_leave(s->rule, counts->rules);
	s->rule = NULL;
	if (has_user(s))
		tally_give(counts->users, s->who.name, strlen(s->who.name));
}

bool
session_change_rule(struct session *s, const struct rule *rule)
{
	struct tally *tunnels = s->dcsd->standing->rules;

	if (rule == s->rule)
		return true;
	if (!rule_enter(rule, tunnels))
		return false;
	rule_leave(s->rule, tunnels);
	s->rule = rule;
	s->named = rule;
	return true;
}

bool
session_is_gone(const struct session *s, const struct rules *rules, struct auth *auth)
{
	const struct rule *rule = s->rule;

	if (rule && rule->name && !rules_allow_by(rules, rule->name))
		return true;
	return has_user(s) && !(auth && auth_has_user(auth, s->who.name));
}

int64_t
session_idle_ms(const struct session *s)
{
	return s->rule && s->rule->idle_ms != -1 ? s->rule->idle_ms
						 : s->conf->common.idle_ms;
}

const struct outgoing *
session_outgoing(const struct session *s, const struct rule *rule)
{
	return rule->has_outgoing ? &rule->outgoing : &s->conf->outgoing;
}

/* What the client sent behind its request. Returns 0, or -1: the session is over. */
static int
pass_early_data(struct session *s, int peer)
{
	struct relay *r = &s->conn->relay;
	struct io_limit limit = session_limit(s, s->conf->common.handshake_ms);

	if (s->in.len == 0)
		return 0;
	if (message_send(peer, s->in.data, s->in.len, &limit) == -1) {
		relay_reset(r, END_TARGET_RESET);
		return -1;
	}
	relay_count(r, CLIENT, s->in.len);
	return 0;
}

/* "example.com:80", escaped; "-" before there was a request. */
static char *
target_text(const struct session *s, char *out, size_t size)
{
	char text[HOSTPORT_TEXT];

	if (!s->requested)
		snprintf(text, sizeof(text), "-");
	else if (s->request.dst.atyp == SOCKS_ATYP_NAME)
		hostport_text(&s->request.dst.name, text);
	else
		addr_text(&s->request.dst.addr, text);
	return log_escape(out, size, text, strlen(text));
}

/* The name of a user or a rule, escaped; "-" for none. Returns out. */
static char *
name_text(char *out, size_t size, const char *name)
{
	if (!name || *name == '\0')
		name = "-";
	return log_escape(out, size, name, strlen(name));
}

#define FIELDS_TEXT 3000

/* " user=ann rule=web cmd=connect target=example.com:80 addr=192.0.2.80:80". Returns out.
 */
static char *
fields_text(const struct session *s, char out[FIELDS_TEXT])
{
	char target[4 * HOSTPORT_TEXT], addr[ADDR_TEXT] = "-";
	char user[4 * sizeof(s->who.name)], rule[128];

	if (s->connected)
		addr_text(&s->addr, addr);
	snprintf(out, FIELDS_TEXT, " user=%s rule=%s cmd=%s target=%s addr=%s",
		name_text(user, sizeof(user), s->who.name),
		name_text(rule, sizeof(rule), s->named ? s->named->name : NULL),
		s->requested ? rules_command_word(s->request.cmd) : "-",
		target_text(s, target, sizeof(target)), addr);
	return out;
}

void
session_describe(const struct session *s)
{
	char fields[FIELDS_TEXT];

	if (conn_is_told(s->conn))
		conn_describe(s->conn, fields_text(s, fields));
}

static void
tunnel_over(struct conn *conn)
{
	session_close((void *)conn->room);
}

bool
session_tunnel(struct session *s, struct crew *crew, int peer, const struct addr *bnd)
{
	relay_attach(&s->conn->relay, peer, session_idle_ms(s),
		s->conf->common.half_closed_ms);
	session_describe(s);
	if (session_reply(s, SOCKS_REP_SUCCEEDED, bnd) == -1 ||
		pass_early_data(s, peer) == -1)
		return false;
	conn_carry(s->conn, crew, tunnel_over);
	return true;
}

/* ` rep=5 error="..."` of a session that was not served. Returns out. */
static char *
error_text(const struct session *s, char *out, size_t size)
{
	char rep[16] = "-";

	out[0] = '\0';
	if (s->rep >= 0)
		snprintf(rep, sizeof(rep), "%d", s->rep);
	if (s->error)
		snprintf(out, size, " rep=%s error=\"%s\"", rep, s->error);
	return out;
}

/* Whether it left before it had asked for anything: some balancers do it by a reset. */
static bool
only_looked(const struct session *s)
{
	enum end end = relay_end(&s->conn->relay);

	return !s->requested && (end == END_CLIENT_EOF || end == END_CLIENT_RESET);
}

/* The log line. The crowd of those beyond the limit is told of as a whole. */
static void
tell(const struct session *s)
{
	const struct relay *r = &s->conn->relay;
	enum log_level level =
		s->conn->refused || only_looked(s) ? LOG_L_DEBUG : LOG_L_INFO;
	char client[ADDR_TEXT], fields[FIELDS_TEXT], error[128];
	char dns[LOG_SECONDS], dial[LOG_SECONDS], time[LOG_SECONDS];

	if (!log_wants(level))
		return;
	log_msg(level,
		"tunnel id=%s client=%s%s up=%" PRIu64 " down=%" PRIu64
		" dns=%s dial=%s time=%s end=%s%s%s",
		s->conn->id, addr_text(&s->conn->client, client), fields_text(s, fields),
		atomic_load(&r->bytes[CLIENT]), atomic_load(&r->bytes[TARGET]),
		log_seconds(dns, s->dns_ms), log_seconds(dial, s->dial_ms),
		log_seconds(time, io_now_ms() - s->conn->start_ms),
		end_word(relay_end(r)), error_text(s, error, sizeof(error)), s->more);
}

struct session *
session_open(struct conn *conn)
{
	struct session *s = (void *)conn->room;
	char client[ADDR_TEXT];

	s->dcsd = conn->generation->config;
	s->conf = &s->dcsd->conf;
	s->conn = conn;
	s->dns_ms = s->dial_ms = -1;
	s->rep = -1;
	if (log_wants(LOG_L_DEBUG))
		log_msg(LOG_L_DEBUG, "tunnel id=%s client=%s start", conn->id,
			addr_text(&conn->client, client));
	return s;
}

void
session_close(struct session *s)
{
	tell(s);
	session_leave(s);
	conn_end(s->conn);
}
