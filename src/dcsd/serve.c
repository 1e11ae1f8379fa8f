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

	if (s->request.cmd < sizeof(commands) / sizeof(commands[0]) &&
		commands[s->request.cmd])
		commands[s->request.cmd](s, crew);
	else
		(void)session_refuse(s, SOCKS_REP_BAD_COMMAND, END_BAD_REQUEST,
			"command not supported");
}

void
serve_client(struct conn *conn, struct crew *crew, void *arg)
{
	struct dcsd *dcsd = arg;
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
	s.silent = !s.requested && relay_end(&conn->relay) == END_CLIENT_EOF;
	session_log(&s);
	session_leave(&s);
	conn_end(conn);
}
