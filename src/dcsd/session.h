/* SPDX-License-Identifier: ISC */
/* session: one SOCKS5 client of dcsd, from its greeting to its log line. */
#ifndef SESSION_H
#define SESSION_H

#include "conns.h"
#include "crew.h"
#include "dcsd.h"
#include "io.h"
#include "rules.h"
#include "socks_proto.h"

/*
 * Is the room of its conn. Belongs to the crew's first thread until crew_split; then to
 * the thread that is over last. From its authentication on it is published
 * (conn_publish): others look at who and rule, of which only rule changes.
 */
struct session {
	struct dcsd *dcsd;
	const struct dcsd_conf *conf;
	struct conn *conn;
	struct inbox in; /* what came and is not consumed: after the request, payload */
	struct identity who;
	struct socks_request request;
	bool requested; /* request is valid */
	const struct rule
		*_Atomic rule;	  /* that allowed it, and was entered; NULL: none has */
	const struct rule *named; /* the rule for the log: that, or the one that denied */
	struct addr addr;	  /* the peer's, when connected */
	bool connected;
	int64_t dns_ms, dial_ms; /* -1: there was none */
	int rep;		 /* that was sent last; -1: none */
	const char *error;	 /* what went wrong, or NULL */
	char text[64];		 /* room for an error that is made up */
	char more[256];		 /* behind end= in the log line: " key=value ..." */
};

/* The session of a conn, in its room. */
struct session *session_open(struct conn *conn);

/*
 * The last of it: the log line, all limits given back, and the conn ended with what it
 * holds. The caller has the session no more.
 */
void session_close(struct session *s);

/* How long to wait, and not longer than the client stays: for a deadline from now on. */
struct io_limit session_limit(const struct session *s, int64_t ms);

/* What the rules are asked for this client, by a command and a destination. */
struct rules_query session_query(const struct session *s, enum socks_command command,
	const struct socks_dest *dst);

/* What is open when the rules are asked for the first time. */
enum session_open {
	SESSION_ANY_ADDRESS, /* which address DST is: a name may have several */
	SESSION_ANY_PORT,    /* that, and the port: a peer comes from any */
	SESSION_ANY_TARGET   /* DST is no target at all */
};

/*
 * Before the rules are asked: the client may have been parked over a reload, and it is
 * the new configuration that its request is served by. Returns 0; or -1, refused with
 * REP 2: as who it is, it could not come in any more.
 */
int session_renew(struct session *s);

/*
 * Asks the rules, before there is an address (rules_may_allow). Returns the rule that may
 * allow it; or NULL, the request was refused with REP 2 and the session is over.
 */
const struct rule *session_may(struct session *s, enum session_open open);

/*
 * Takes a place under the rule's limit, and under that of the user. Returns 0, or -1:
 * refused with REP 2, and the session is over. session_leave gives both back, and is also
 * called by session_close.
 */
int session_enter(struct session *s, const struct rule *rule);
void session_leave(struct session *s);

/* The place under another rule's limit instead. False: there is none, nothing changes. */
bool session_change_rule(struct session *s, const struct rule *rule);

/*
 * Whether rules and auth (NULL: nobody authenticates), of a later configuration than the
 * session's, do not allow by its rule any more, or have no such user. A rule without a
 * name is never missed. Any thread that keeps the session from ending; does not block.
 */
bool session_is_gone(
	const struct session *s, const struct rules *rules, struct auth *auth);

/* The limit of an idle tunnel: the rule's, or timeouts.idle. */
int64_t session_idle_ms(const struct session *s);

/* How the rule, or dcsd as a whole, reaches targets. */
const struct outgoing *session_outgoing(const struct session *s, const struct rule *rule);

/* Sends a reply, well formed; bnd NULL: 0.0.0.0:0. Returns 0, or -1: the session is over.
 */
int session_reply(struct session *s, enum socks_rep rep, const struct addr *bnd);

/* Sends a reply that refuses; the session then ends for that reason. Always -1. */
int session_refuse(
	struct session *s, enum socks_rep rep, enum end end, const char *error);

/*
 * Ends a session that is not served: sends the last message to its client (size 0: there
 * is none) so that it arrives, and notes why. Always -1.
 */
int session_end(struct session *s, const uint8_t *message, size_t size, enum end end,
	const char *error);

/* Lets the control socket tell of it what the log line will. */
void session_describe(const struct session *s);

/* Notes why reading from or writing to the client failed (errno). Always -1. */
int session_lost_client(struct session *s);

/*
 * The peer is there: the relay owns its socket from now on. Sends the reply with bnd,
 * then what the client sent early, and carries the tunnel. Returns true: it has come to
 * its end, or will, and closes the session there; or false, the session is over.
 */
bool session_tunnel(
	struct session *s, struct crew *crew, int peer, const struct addr *bnd);

#endif
