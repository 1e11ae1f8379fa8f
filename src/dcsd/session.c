/* SPDX-License-Identifier: ISC */
/*
 * One client of dcsd: greeting and method, request, then the command's own file, and the
 * log line at the end. Runs on the first thread of a crew and blocks there; the client's
 * socket belongs to the conn's relay.
 */
#include "config.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cmd_connect.h"
#include "log.h"
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
static int
end_with(struct session *s, const uint8_t *message, size_t size, enum end end,
	const char *error)
{
	struct io_limit limit = session_limit(s, FINISH_MS);
	int fd = s->conn->relay.fd[CLIENT];

	s->error = error;
	relay_note(&s->conn->relay, end);
	if (size == 0 || io_write(fd, message, size, &limit) == 0)
		net_finish(fd, FINISH_MS);
	return -1;
}

int
session_refuse(struct session *s, enum socks_rep rep, enum end end, const char *error)
{
	uint8_t buf[SOCKS_MESSAGE];

	s->rep = rep;
	return end_with(s, buf, socks_build_reply(buf, rep, NULL), end, error);
}

/* RFC 1928 section 3. Returns 0, or -1: the session is over. */
static int
negotiate(struct session *s, const struct io_limit *limit)
{
	int fd = s->conn->relay.fd[CLIENT];
	struct socks_greeting greeting;
	uint8_t buf[SOCKS_MESSAGE];
	size_t used;
	enum parse parse;

	while ((parse = socks_parse_greeting(&greeting, s->in.data, s->in.len, &used)) ==
		PARSE_MORE)
		if (inbox_fill(&s->in, fd, limit) == -1)
			return session_lost_client(s);
	if (parse == PARSE_BAD)
		return end_with(
			s, NULL, 0, END_BAD_REQUEST, socks_guess_peer(s->in.data[0]));
	inbox_consume(&s->in, used);
	if (!memchr(greeting.methods, SOCKS_METHOD_NONE, greeting.nmethods))
		return end_with(s, buf, socks_build_method(buf, SOCKS_METHOD_REFUSED),
			END_BAD_REQUEST, "offers no method that is accepted here");
	if (io_write(fd, buf, socks_build_method(buf, SOCKS_METHOD_NONE), limit) == -1)
		return session_lost_client(s);
	return 0;
}

/*
 * RFC 1928 section 4. The client may park before its request; from the request's first
 * byte on, what is left of the handshake's time counts.
 */
static int
read_request(struct session *s, int64_t left_ms)
{
	int fd = s->conn->relay.fd[CLIENT];
	struct io_limit parked = session_limit(s, s->conf->parked_ms), limit;
	enum socks_rep rep = SOCKS_REP_FAILURE;
	size_t used;
	enum parse parse;

	if (s->in.len == 0 && io_wait(fd, POLLIN, &parked) == -1)
		return session_lost_client(s);
	limit = session_limit(s, left_ms);
	while ((parse = socks_parse_request(
			&s->request, &rep, s->in.data, s->in.len, &used)) == PARSE_MORE)
		if (inbox_fill(&s->in, fd, &limit) == -1)
			return session_lost_client(s);
	if (parse == PARSE_BAD)
		return session_refuse(s, rep, END_BAD_REQUEST, "malformed request");
	inbox_consume(&s->in, used);
	s->requested = true;
	return 0;
}

/* The whole handshake under one deadline. Returns 0, or -1: the session is over. */
static int
handshake(struct session *s)
{
	struct io_limit limit = session_limit(s, s->conf->common.handshake_ms);

	if (negotiate(s, &limit) == -1)
		return -1;
	return read_request(s, io_left_ms(limit.until_ms));
}

static const char *
command_word(const struct session *s)
{
	static const char *const words[] = { "-", "connect", "bind", "udp" };

	return s->requested && s->request.cmd <= SOCKS_UDP_ASSOCIATE
		? words[s->request.cmd]
		: "-";
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

static void
log_tunnel(const struct session *s)
{
	const struct relay *r = &s->conn->relay;
	char client[ADDR_TEXT], target[4 * HOSTPORT_TEXT], addr[ADDR_TEXT] = "-";
	char dns[LOG_SECONDS], dial[LOG_SECONDS], time[LOG_SECONDS], error[128];

	if (!log_wants(s->silent ? LOG_L_DEBUG : LOG_L_INFO))
		return;
	if (s->connected)
		addr_text(&s->addr, addr);
	log_msg(s->silent ? LOG_L_DEBUG : LOG_L_INFO,
		"tunnel id=%s client=%s user=- rule=- cmd=%s target=%s addr=%s "
		"up=%" PRIu64 " down=%" PRIu64 " dns=%s dial=%s time=%s end=%s%s",
		s->conn->id, addr_text(&s->conn->client, client), command_word(s),
		target_text(s, target, sizeof(target)), addr,
		atomic_load(&r->bytes[CLIENT]), atomic_load(&r->bytes[TARGET]),
		log_seconds(dns, s->dns_ms), log_seconds(dial, s->dial_ms),
		log_seconds(time, io_now_ms() - s->conn->start_ms),
		end_word(relay_end(r)), error_text(s, error, sizeof(error)));
}

static void
run_command(struct session *s, struct crew *crew)
{
	if (s->request.cmd == SOCKS_CONNECT)
		cmd_connect(s, crew);
	else
		(void)session_refuse(s, SOCKS_REP_BAD_COMMAND, END_BAD_REQUEST,
			"command not supported");
}

void
session_serve(struct conn *conn, struct crew *crew, void *arg)
{
	struct session s = {
		.conf = arg, .conn = conn, .dns_ms = -1, .dial_ms = -1, .rep = -1
	};
	char client[ADDR_TEXT];

	log_msg(LOG_L_DEBUG, "tunnel id=%s client=%s start", conn->id,
		addr_text(&conn->client, client));
	if (handshake(&s) == 0)
		run_command(&s, crew);
	s.silent = !s.requested && relay_end(&conn->relay) == END_CLIENT_EOF;
	log_tunnel(&s);
	conn_end(conn);
}
