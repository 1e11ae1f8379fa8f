/* SPDX-License-Identifier: ISC */
/*
 * From the client's first byte to its request: greeting and method, authentication,
 * request, all under one deadline. Runs on the first thread of a crew and blocks there.
 */
#include "config.h"
#include "handshake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "log.h"
#include "message.h"

/* A client behind a trusted proxy says who it is first. Returns 0, or -1: it is over. */
static int
admit(struct session *s, const struct io_limit *limit)
{
	enum end end;
	const char *why;

	if (admit_proxied(&s->dcsd->admit, s->conn, &s->in, limit, &end, &why) == 0)
		return 0;
	return session_end(s, NULL, 0, end, why);
}

/* RFC 1928 section 3. Reads the greeting, and answers with the method. Returns the
 * method, or -1: the session is over. */
static int
negotiate(struct session *s, const struct io_limit *limit)
{
	int fd = s->conn->relay.fd[CLIENT];
	struct socks_greeting greeting;
	uint8_t buf[SOCKS_MESSAGE], method;
	size_t used;
	enum parse parse;

	while ((parse = socks_parse_greeting(&greeting, s->in.data, s->in.len, &used)) ==
		PARSE_MORE)
		if (inbox_fill(&s->in, fd, limit) == -1)
			return session_lost_client(s);
	if (parse == PARSE_BAD) {
		snprintf(s->text, sizeof(s->text), "not SOCKS5: looks like %s",
			socks_guess_peer(s->in.data[0]));
		return session_end(s, NULL, 0, END_BAD_REQUEST, s->text);
	}
	inbox_consume(&s->in, used);
	method = auth_conf_choose(&s->conf->auth, &greeting);
	if (method == SOCKS_METHOD_REFUSED)
		return session_end(s, buf, socks_build_method(buf, method),
			END_BAD_REQUEST, "offers no method that is accepted here");
	if (message_send(fd, buf, socks_build_method(buf, method), limit) == -1)
		return session_lost_client(s);
	return method;
}

/* Refuses, and closes: RFC 1929 wants it so. */
static int
refuse_credentials(struct session *s, const char *why)
{
	uint8_t buf[SOCKS_MESSAGE];

	return session_end(s, buf, socks_build_auth_status(buf, 1), END_AUTH_FAILED, why);
}

/* Checks the name and password. Returns 0, or -1: they are wrong, and the session over.
 */
static int
verify(struct session *s, const struct socks_credentials *c)
{
	const struct addr *client = &s->conn->client;
	const char *why;

	if (auth_password(s->dcsd->auth, c, client, &s->who, &why)) {
		admit_passed(&s->dcsd->admit, client);
		return 0;
	}
	/* When it could not be found out, the client is not to blame. */
	if (errno == EACCES)
		admit_failed(&s->dcsd->admit, client, c->name, c->name_len, why);
	return refuse_credentials(s, why);
}

/* RFC 1929. Returns 0, or -1: the session is over. */
static int
authenticate(struct session *s, const struct io_limit *limit)
{
	int fd = s->conn->relay.fd[CLIENT], status;
	struct socks_credentials credentials;
	uint8_t buf[SOCKS_MESSAGE];
	size_t used;
	enum parse parse;

	while ((parse = socks_parse_credentials(
			&credentials, s->in.data, s->in.len, &used)) == PARSE_MORE)
		if (inbox_fill(&s->in, fd, limit) == -1)
			return session_lost_client(s);
	if (parse == PARSE_BAD) {
		admit_failed(&s->dcsd->admit, &s->conn->client, "", 0, "malformed");
		return refuse_credentials(s, "malformed authentication");
	}
	compat_wipe(s->in.data, used);
	inbox_consume(&s->in, used);
	status = verify(s, &credentials);
	compat_wipe(credentials.password, sizeof(credentials.password));
	if (status == -1)
		return -1;
	if (message_send(fd, buf, socks_build_auth_status(buf, 0), limit) == -1)
		return session_lost_client(s);
	return 0;
}

/*
 * RFC 1928 section 4. The client may park before its request, unless it is to be refused;
 * from the request's first byte on, what is left of the handshake's time counts.
 */
static int
read_request(struct session *s, int64_t left_ms)
{
	int fd = s->conn->relay.fd[CLIENT];
	int64_t park_ms = s->conn->refused ? left_ms : s->conf->parked_ms;
	struct io_limit parked = session_limit(s, park_ms), limit;
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
	return session_renew(s);
}

int
handshake(struct session *s)
{
	struct io_limit limit = session_limit(s, s->conf->common.handshake_ms);
	int method = admit(s, &limit) == -1 ? -1 : negotiate(s, &limit);

	if (method == -1)
		return -1;
	if (method == SOCKS_METHOD_PASSWORD && authenticate(s, &limit) == -1)
		return -1;
	/* Who it is will not change any more. */
	conn_publish(s->conn, s);
	return read_request(s, io_left_ms(limit.until_ms));
}
