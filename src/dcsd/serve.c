/* SPDX-License-Identifier: ISC */
/* One client of dcsd from accept to its log line. Runs on the first thread of a crew. */
#include "config.h"
#include "serve.h"

#include "cmd_bind.h"
#include "cmd_connect.h"
#include "cmd_udp.h"
#include "handshake.h"
#include "log.h"
#include "session.h"

/* The commands by their number. */
static void
run_command(struct session *s, struct crew *crew)
{
	static void (*const commands[])(struct session *, struct crew *) = {
		[SOCKS_CONNECT] = cmd_connect,
		[SOCKS_BIND] = cmd_bind,
		[SOCKS_UDP_ASSOCIATE] = cmd_udp,
	};

	/* One beyond the limit of tunnels has come this far to be told so. */
	if (s->conn->refused)
		(void)session_refuse(
			s, SOCKS_REP_FAILURE, END_LIMIT, "limits.tunnels is reached");
	else if (s->request.cmd < sizeof(commands) / sizeof(commands[0]) &&
		commands[s->request.cmd])
		commands[s->request.cmd](s, crew);
	else
		(void)session_refuse(s, SOCKS_REP_BAD_COMMAND, END_BAD_REQUEST,
			"command not supported");
}

/* Whether it left before it had asked for anything: some balancers do it by a reset. */
static bool
only_looked(const struct session *s)
{
	enum end end = relay_end(&s->conn->relay);

	return !s->requested && (end == END_CLIENT_EOF || end == END_CLIENT_RESET);
}

void
serve_client(struct conn *conn, struct crew *crew)
{
	struct dcsd *dcsd = conn->generation->config;
	struct session s = {
		.dcsd = dcsd,
		.conf = &dcsd->conf,
		.conn = conn,
		.dns_ms = -1,
		.dial_ms = -1,
		.rep = -1,
	};
	char client[ADDR_TEXT];

	log_msg(LOG_L_DEBUG, "tunnel id=%s client=%s start", conn->id,
		addr_text(&conn->client, client));
	if (handshake(&s) == 0)
		run_command(&s, crew);
	/* The crowd is told of as a whole. */
	s.silent = conn->refused || only_looked(&s);
	session_log(&s);
	session_leave(&s);
	conn_end(conn);
}
