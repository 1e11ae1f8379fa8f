/* SPDX-License-Identifier: ISC */
/*
 * The client's half of a SOCKS5 handshake: a message out, a message in, for each step.
 * Runs on the thread of the tunnel, which it blocks up to the limit. Does not log.
 */
#include "config.h"
#include "socks_client.h"

#include <errno.h>
#include <string.h>

#include "compat.h"
#include "message.h"
#include "net.h"

static int
bad_server(struct socks_client *c, const char *why)
{
	c->error = why;
	errno = EPROTO;
	return -1;
}

/* Reads on after PARSE_MORE. Returns 0, or -1 with errno and error. */
static int
read_more(struct socks_client *c, const struct io_limit *limit)
{
	if (inbox_fill(&c->in, c->fd, limit) == 0)
		return 0;
	if (errno == EPIPE)
		c->error = "closed the connection during the handshake";
	else
		c->error =
			errno == ETIMEDOUT ? "no answer in time" : net_error_text(errno);
	return -1;
}

static int
send_message(struct socks_client *c, const uint8_t *buf, size_t size,
	const struct io_limit *limit)
{
	if (message_send(c->fd, buf, size, limit) == 0)
		return 0;
	c->error = net_error_text(errno);
	return -1;
}

static bool
is_offered(const struct socks_greeting *offer, uint8_t method)
{
	return memchr(offer->methods, method, offer->nmethods) != NULL;
}

int
socks_client_method(struct socks_client *c, const struct socks_greeting *offer,
	const struct io_limit *limit)
{
	uint8_t method;
	size_t used;
	enum parse parse;

	while ((parse = socks_parse_method(&method, c->in.data, c->in.len, &used)) ==
		PARSE_MORE)
		if (read_more(c, limit) == -1)
			return -1;
	if (parse == PARSE_BAD)
		return bad_server(c, "not a SOCKS5 server");
	inbox_consume(&c->in, used);
	if (method == SOCKS_METHOD_REFUSED)
		return bad_server(c, "accepts no method that was offered");
	if (!is_offered(offer, method))
		return bad_server(c, "chose a method that was not offered");
	return method;
}

int
socks_client_greet(struct socks_client *c, const struct socks_greeting *offer,
	const struct io_limit *limit)
{
	uint8_t buf[SOCKS_MESSAGE];

	if (send_message(c, buf, socks_build_greeting(buf, offer), limit) == -1)
		return -1;
	return socks_client_method(c, offer, limit);
}

int
socks_client_status(struct socks_client *c, const struct io_limit *limit)
{
	uint8_t status;
	size_t used;
	enum parse parse;

	while ((parse = socks_parse_auth_status(&status, c->in.data, c->in.len, &used)) ==
		PARSE_MORE)
		if (read_more(c, limit) == -1)
			return -1;
	if (parse == PARSE_BAD)
		return bad_server(c, "sent a malformed answer to the password");
	inbox_consume(&c->in, used);
	if (status != 0)
		return bad_server(c, "refused the name or password");
	return 0;
}

int
socks_client_password(struct socks_client *c, const struct socks_credentials *credentials,
	const struct io_limit *limit)
{
	uint8_t buf[SOCKS_CREDENTIALS];
	int sent = send_message(c, buf, socks_build_credentials(buf, credentials), limit);

	compat_wipe(buf, sizeof(buf));
	return sent == -1 ? -1 : socks_client_status(c, limit);
}

int
socks_client_reply(struct socks_client *c, const struct io_limit *limit)
{
	size_t used;
	enum parse parse;

	c->replied = false;
	while ((parse = socks_parse_reply(&c->reply, c->in.data, c->in.len, &used)) ==
		PARSE_MORE)
		if (read_more(c, limit) == -1)
			return -1;
	if (parse == PARSE_BAD)
		return bad_server(c, "sent a malformed reply");
	inbox_consume(&c->in, used);
	c->replied = true;
	if (c->reply.rep != SOCKS_REP_SUCCEEDED)
		return bad_server(c, socks_rep_text(c->reply.rep));
	return 0;
}

int
socks_client_request(struct socks_client *c, const struct socks_request *request,
	const struct io_limit *limit)
{
	uint8_t buf[SOCKS_MESSAGE];

	if (send_message(c, buf, socks_build_request(buf, request), limit) == -1)
		return -1;
	return socks_client_reply(c, limit);
}
