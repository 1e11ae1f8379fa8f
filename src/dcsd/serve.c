/* SPDX-License-Identifier: ISC */
/* One client of dcsd from accept to its log line. Runs on the first thread of a crew. */
#include "config.h"
#include "serve.h"

#include "cmd_bind.h"
#include "cmd_connect.h"
#include "cmd_udp.h"
#include "handshake.h"
#include "session.h"

/*
 * The commands by their number. Each returns true when the crew has carried it, or still
 * does: the session is then gone, or will be.
 */
static bool
run_command(struct session *s, struct crew *crew)
{
	static bool (*const commands[])(struct session *, struct crew *) = {
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
		return commands[s->request.cmd](s, crew);
	else
		(void)session_refuse(s, SOCKS_REP_BAD_COMMAND, END_BAD_REQUEST,
			"command not supported");
	return false;
}

void
serve_client(struct conn *conn, struct crew *crew)
{
	struct session *s = session_open(conn);

	if (handshake(s) == -1 || !run_command(s, crew))
		session_close(s);
}
