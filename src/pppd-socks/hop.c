/* SPDX-License-Identifier: ISC */
/*
 * One connection through one upstream. Runs on the thread of whoever wants it, which it
 * blocks. There are three ways to a reply: on a spare connection, with all messages in
 * one segment, and step by step; the last one always works, and stands in for the others
 * when these fail.
 */
#include "config.h"
#include "hop.h"

#include <errno.h>
#include <string.h>

#include "compat.h"
#include "log.h"
#include "message.h"
#include "net.h"
#include "proxy_proto.h"
#include "spares.h"

/*
 * How long the reply to a first pipelined request is waited for at most. A server that
 * has thrown the request away says nothing at all.
 */
#define PIPELINE_TRIAL_MS 2000

static enum hop_result
failed(struct hop *hop, enum hop_result result, const char *error)
{
	hop->error = error;
	return result;
}

/* Whether errno is of a kind for which nobody else can be blamed. */
static bool
is_shortage(int error)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

/* The result for errno, where the upstream is to blame if nobody else is. */
static enum hop_result
blame(struct hop *hop, const char *error)
{
	if (errno == ECANCELED)
		return failed(hop, HOP_CLIENT_LEFT, NULL);
	return failed(hop, is_shortage(errno) ? HOP_SHORT : HOP_UPSTREAM_FAILED, error);
}

static enum hop_result
connect_upstream(struct hop *hop)
{
	struct addr list[NET_ADDRS], used;
	int n = net_resolve(&hop->upstream->address, list, NET_ADDRS);

	if (n != -1)
		hop->socks.fd = net_dial(list, n, NULL, &hop->limits.all, &used);
	if (hop->socks.fd == -1)
		return blame(hop, net_error_text(errno));
	return HOP_OK;
}

/* What is offered: a server is not to choose to go without the password. */
static struct socks_greeting
offer_of(const struct upstream *u)
{
	struct socks_greeting offer = { 1, { SOCKS_METHOD_NONE } };

	if (u->credentials.name_len > 0)
		offer.methods[0] = SOCKS_METHOD_PASSWORD;
	return offer;
}

/* The PROXY header into buf. Returns its size, 0 for none. */
static size_t
build_header(uint8_t buf[PROXY_MESSAGE], const struct hop *hop)
{
	const struct hop_client *client = &hop->client;
	const struct proxy_extras extras = {
		.id = client->id,
		.id_len = client->id ? strlen(client->id) : 0,
		.authority = hop->upstream->connect_as,
	};

	if (!hop->upstream->proxy_protocol)
		return 0;
	return proxy_build_v2(buf, client->from, client->to, &extras);
}

static struct io_limit
handshake_limit(const struct hop_limits *limits)
{
	struct io_limit limit = limits->all;
	int64_t until_ms = io_now_ms() + limits->handshake_ms;

	if (until_ms < limit.until_ms)
		limit.until_ms = until_ms;
	return limit;
}

enum hop_result
hop_open(struct hop *hop)
{
	struct upstream *u = hop->upstream;
	enum hop_result result = connect_upstream(hop);
	struct socks_greeting offer = offer_of(u);
	struct io_limit limit = handshake_limit(&hop->limits);
	uint8_t header[PROXY_MESSAGE];
	size_t n;
	int method;

	if (result != HOP_OK)
		return result;
	n = build_header(header, hop);
	if (n > 0 && message_send(hop->socks.fd, header, n, &limit) == -1)
		return blame(hop, net_error_text(errno));
	method = socks_client_greet(&hop->socks, &offer, &limit);
	if (method == -1 ||
		(method == SOCKS_METHOD_PASSWORD &&
			socks_client_password(&hop->socks, &u->credentials, &limit) ==
				-1))
		return blame(hop, hop->socks.error);
	return HOP_OK;
}

/*
 * The request was taken, and not answered. Some servers hang up where others would say
 * that they cannot reach the target.
 */
static enum hop_result
no_reply(struct hop *hop)
{
	if (errno == ETIMEDOUT)
		return failed(hop, HOP_NO_REPLY, hop->socks.error);
	if (errno == EPIPE || errno == ECONNRESET)
		return failed(hop, HOP_LOST, hop->socks.error);
	return blame(hop, hop->socks.error);
}

/* What the reply says about the target, or the lack of one about the upstream. */
static enum hop_result
judge_reply(struct hop *hop, int got)
{
	if (got == 0)
		return HOP_OK;
	if (!hop->socks.replied)
		return no_reply(hop);
	switch (hop->socks.reply.rep) {
	case SOCKS_REP_NET_UNREACHABLE:
	case SOCKS_REP_HOST_UNREACHABLE:
	case SOCKS_REP_REFUSED:
	case SOCKS_REP_TTL_EXPIRED:
		return failed(hop, HOP_TARGET_FAILED, hop->socks.error);
	default:
		return failed(hop, HOP_REFUSED, hop->socks.error);
	}
}

static enum hop_result
ask(struct hop *hop, const struct socks_request *request)
{
	struct io_limit limit = { hop->limits.reply_ms, hop->limits.all.watch };

	return judge_reply(hop, socks_client_request(&hop->socks, request, &limit));
}

/* Whether that is an answer: one that another way to ask would not change. */
static bool
is_answer(const struct hop *hop, enum hop_result result)
{
	return hop->socks.replied || result == HOP_CLIENT_LEFT || result == HOP_SHORT;
}

/* For another way to ask: nothing of the one before is left. */
static void
start_over(struct hop *hop)
{
	hop_close(hop);
	hop->socks = (struct socks_client){ .fd = -1 };
	hop->error = NULL;
}

static enum hop_result
step_by_step(struct hop *hop, const struct socks_request *request)
{
	enum hop_result result = hop_open(hop);

	return result == HOP_OK ? ask(hop, request) : result;
}

/* All messages in one segment. Returns as io_write. */
static int
send_pipelined(struct hop *hop, const struct socks_request *request,
	const struct io_limit *limit)
{
	uint8_t buf[PROXY_MESSAGE + 2 * SOCKS_MESSAGE + SOCKS_CREDENTIALS];
	const struct upstream *u = hop->upstream;
	struct socks_greeting offer = offer_of(u);
	size_t n = build_header(buf, hop);
	int sent;

	n += socks_build_greeting(buf + n, &offer);
	if (u->credentials.name_len > 0)
		n += socks_build_credentials(buf + n, &u->credentials);
	n += socks_build_request(buf + n, request);
	sent = message_send(hop->socks.fd, buf, n, limit);
	compat_wipe(buf, sizeof(buf));
	return sent;
}

/* The answers to it, one after another. The request's may take until reply_ms. */
static enum hop_result
hear_pipelined(struct hop *hop, const struct io_limit *limit, int64_t reply_ms)
{
	struct io_limit reply_limit = { reply_ms, limit->watch };
	struct socks_greeting offer = offer_of(hop->upstream);
	int method = socks_client_method(&hop->socks, &offer, limit);

	if (method == -1 ||
		(method == SOCKS_METHOD_PASSWORD &&
			socks_client_status(&hop->socks, limit) == -1))
		return blame(hop, hop->socks.error);
	return judge_reply(hop, socks_client_reply(&hop->socks, &reply_limit));
}

/* All of it, on a connection that is there. */
static enum hop_result
ask_pipelined(struct hop *hop, const struct socks_request *request, int64_t reply_ms)
{
	struct io_limit limit = handshake_limit(&hop->limits);

	if (limit.until_ms > reply_ms)
		limit.until_ms = reply_ms;
	if (send_pipelined(hop, request, &limit) == -1)
		return blame(hop, net_error_text(errno));
	return hear_pipelined(hop, &limit, reply_ms);
}

/* Notes, and tells once, that the upstream must be spoken to step by step. */
static void
note_no_pipelining(struct upstream *u)
{
	char name[256];

	if (atomic_exchange(&u->state->pipelining, PIPELINING_FAILS) == PIPELINING_FAILS)
		return;
	log_msg(LOG_L_NOTICE,
		"upstream %s: does not take a pipelined handshake, and gets the standard "
		"one from now on",
		log_escape(name, sizeof(name), u->name, strlen(u->name)));
}

/* For how long the first way to ask is tried: the other one needs its time, too. */
static int64_t
trial_of(const struct hop *hop)
{
	int64_t half_ms = (hop->limits.all.until_ms - io_now_ms()) / 2;

	return half_ms < PIPELINE_TRIAL_MS ? half_ms : PIPELINE_TRIAL_MS;
}

/*
 * Pipelined, to a server that is not known to take it. If it gives no answer, asks again
 * step by step; an answer to that, as fast as the first should have been, tells that it
 * did not understand the first.
 */
static enum hop_result
try_pipelined(struct hop *hop, const struct socks_request *request)
{
	enum hop_result result = connect_upstream(hop);
	int64_t trial_ms = trial_of(hop), again_ms;

	if (result != HOP_OK)
		return result;
	result = ask_pipelined(hop, request, io_now_ms() + trial_ms);
	if (hop->socks.replied)
		atomic_store(&hop->upstream->state->pipelining, PIPELINING_WORKS);
	if (is_answer(hop, result))
		return result;
	start_over(hop);
	again_ms = io_now_ms();
	result = step_by_step(hop, request);
	if (hop->socks.replied && io_now_ms() - again_ms < trial_ms)
		note_no_pipelining(hop->upstream);
	return result;
}

/* Pipelined, to a server that took it before. It may be another one by now. */
static enum hop_result
pipelined(struct hop *hop, const struct socks_request *request)
{
	enum hop_result result = connect_upstream(hop);
	int works = PIPELINING_WORKS;

	if (result == HOP_OK)
		result = ask_pipelined(hop, request, hop->limits.reply_ms);
	if (!is_answer(hop, result))
		atomic_compare_exchange_strong(
			&hop->upstream->state->pipelining, &works, PIPELINING_UNKNOWN);
	return result;
}

/* On a connection of its own. */
static enum hop_result
ask_fresh(struct hop *hop, const struct socks_request *request)
{
	int known = atomic_load(&hop->upstream->state->pipelining);

	if (!hop->upstream->pipelined || known == PIPELINING_FAILS)
		return step_by_step(hop, request);
	if (known == PIPELINING_UNKNOWN)
		return try_pipelined(hop, request);
	return pipelined(hop, request);
}

enum hop_result
hop_request(struct hop *hop, const struct socks_request *request)
{
	struct spares *spares = hop->upstream->spares;
	int spare = spares ? spares_take(spares) : -1;
	enum hop_result result;

	if (spare == -1)
		return ask_fresh(hop, request);
	hop->socks.fd = spare;
	result = ask(hop, request);
	if (is_answer(hop, result))
		return result;
	/* The others are no better: the server has ended, or stands still. */
	spares_distrust(spares);
	if (result == HOP_NO_REPLY)
		return result;
	start_over(hop);
	return ask_fresh(hop, request);
}

int
hop_take_fd(struct hop *hop)
{
	int fd = hop->socks.fd;

	hop->socks.fd = -1;
	return fd;
}

void
hop_close(struct hop *hop)
{
	io_close(&hop->socks.fd);
}
