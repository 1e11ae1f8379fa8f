/* SPDX-License-Identifier: ISC */
/*
 * The tries of one client. Runs on the thread that serves it, which it blocks up to the
 * deadline.
 */
#include "config.h"
#include "reach.h"

#include "io.h"
#include "tunnel_log.h"

static struct tunnel_log
line_of(const struct reach *r)
{
	return (struct tunnel_log){
		.conn = r->conn,
		.search = &r->search,
		.hop = &r->hop,
		.dial_ms = r->dial_ms,
		.error = r->error,
		.more = "",
	};
}

void
reach_begin(struct reach *r)
{
	struct route_port *port = (struct route_port *)(uintptr_t)r->conn->via;

	r->hop = (struct hop){ .socks = { .fd = -1 } };
	r->dial_ms = -1;
	r->error = NULL;
	search_begin(&r->search, port, &r->conn->client);
	tunnel_log_start(r->conn);
}

static struct hop_limits
limits_of(const struct reach *r)
{
	int64_t now_ms = io_now_ms(), until_ms = r->until_ms;
	int64_t handshake_ms = r->common->handshake_ms;
	bool last = r->search.left == 0;

	if (!last)
		until_ms = now_ms + (until_ms - now_ms) / 2;
	return (struct hop_limits){
		.all = { until_ms, r->watch },
		.handshake_ms = handshake_ms,
		/* An upstream with the same deadline is to be heard about its end. */
		.reply_ms = until_ms + (last ? handshake_ms : 0),
	};
}

static enum hop_result
try_pair(struct reach *r, enum socks_command command)
{
	/* RFC 1928 section 4: all zeros, for what is not known. */
	static const struct hostport nothing = { "0.0.0.0", 0 };
	struct socks_request request = { .cmd = command };

	socks_dest_from_hostport(&request.dst,
		command == SOCKS_CONNECT ? &search_target(&r->search)->address
					 : &nothing);
	r->hop = (struct hop){
		.upstream = search_upstream(&r->search),
		.client = { &r->conn->client, &r->at, r->conn->id },
		.limits = limits_of(r),
		.socks = { .fd = -1 },
	};
	return hop_request(&r->hop, &request);
}

enum hop_result
reach_pair(struct reach *r, enum socks_command command, reach_judge *judge, void *arg)
{
	enum hop_result result = HOP_SHORT;

	r->until_ms = io_now_ms() + r->common->connect_ms;
	while (search_next(&r->search)) {
		struct tunnel_log line = line_of(r);

		result = try_pair(r, command);
		if (judge)
			result = judge(arg, result);
		search_tell(&r->search, result, r->hop.error);
		if (result == HOP_OK) {
			tunnel_log_describe(r->conn, &r->search);
			return result;
		}
		hop_close(&r->hop);
		if (result == HOP_CLIENT_LEFT)
			return result;
		tunnel_log_try(&line);
		if (io_left_ms(r->until_ms) == 0 || atomic_load(&r->conn->relay.stopped))
			break;
	}
	r->error = search_target(&r->search) ? r->hop.error : "all ways are disabled";
	return result;
}

void
reach_end(struct reach *r, const char *more)
{
	struct tunnel_log line = line_of(r);

	line.more = more;
	search_end(&r->search);
	tunnel_log_end(&line);
}
