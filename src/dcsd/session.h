/* SPDX-License-Identifier: ISC */
/* session: one SOCKS5 client of dcsd, from its greeting to its log line. */
#ifndef SESSION_H
#define SESSION_H

#include "conns.h"
#include "crew.h"
#include "dcsd_conf.h"
#include "io.h"
#include "socks_proto.h"

/* Lives on the stack of the crew's first thread. */
struct session {
	const struct dcsd_conf *conf;
	struct conn *conn;
	struct inbox in; /* what came and is not consumed: after the request, payload */
	struct socks_request request;
	bool requested;	  /* request is valid */
	struct addr addr; /* the target's, when connected */
	bool connected;
	int64_t dns_ms, dial_ms; /* -1: there was none */
	int rep;		 /* that was sent; -1: none */
	const char *error;	 /* what went wrong, or NULL */
	char not_socks[48];	 /* text of an error */
	bool silent;		 /* left before it asked for anything: not worth info */
};

/* As struct service wants it; arg is the struct dcsd_conf. */
void session_serve(struct conn *conn, struct crew *crew, void *arg);

/* Sends a reply that refuses; the session then ends for that reason. Always -1. */
int session_refuse(
	struct session *s, enum socks_rep rep, enum end end, const char *error);

/* Notes why reading from or writing to the client failed (errno). Always -1. */
int session_lost_client(struct session *s);

/* How long to wait, and not longer than the client stays: for a deadline from now on. */
struct io_limit session_limit(const struct session *s, int64_t ms);

#endif
