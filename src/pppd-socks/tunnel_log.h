/* SPDX-License-Identifier: ISC */
/* tunnel_log: the line that tells of a client of pppd-socks when it is over. */
#ifndef TUNNEL_LOG_H
#define TUNNEL_LOG_H

#include "conns.h"
#include "hop.h"
#include "search.h"

/* What the line says beside what conn, search and hop know. */
struct tunnel_log {
	const struct conn *conn; /* its via is the struct route_port */
	const struct search *search;
	const struct hop *hop; /* the last one */
	int64_t dial_ms;       /* until the tunnel stood; -1: it never did */
	const char *error;     /* why it did not, in words; NULL: nothing to tell */
	const char *more;      /* further fields, each with a space before it, or "" */
};

/* At debug: a client has come. */
void tunnel_log_start(const struct conn *conn);

/* At debug: a pair was tried in vain, and the next one's turn is. */
void tunnel_log_try(const struct tunnel_log *t);

/* Lets the control socket tell of it what the line will: route, target and upstream. */
void tunnel_log_describe(struct conn *conn, const struct search *search);

/* At info: it is over. */
void tunnel_log_end(const struct tunnel_log *t);

#endif
