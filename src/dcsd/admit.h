/* SPDX-License-Identifier: ISC */
/*
 * admit: which clients may come in at all: those whose source is not refused after failed
 * authentications, and has fewer connections than limits.per_client. A client behind a
 * trusted proxy (proxy_protocol) is judged when the PROXY header has named it.
 */
#ifndef ADMIT_H
#define ADMIT_H

#include "conns.h"
#include "dcsd_conf.h"
#include "io.h"
#include "standing.h"

/* By what a client is judged: the configuration, and what is known of it. */
struct admit {
	const struct dcsd_conf *conf;
	struct standing *standing;
};

/* As enter and leave of struct gate: for peers that are no trusted proxies. */
enum gate_answer admit_enter(
	const struct admit *a, const struct addr *peer, const char **why);
void admit_leave(const struct admit *a, const struct addr *client);

/*
 * For a session, before the greeting; returns 0 at once unless its peer is a trusted
 * proxy. Else reads the PROXY header, blocking until the limit: conn is then of the
 * client, and has the id, that the header gives. What came behind it stays in in. Returns
 * 0; or -1, with how the session ends in *end and a static text in *why: the header is
 * malformed, missing or late, or the client is not to be let in.
 */
int admit_proxied(const struct admit *a, struct conn *conn, struct inbox *in,
	const struct io_limit *limit, enum end *end, const char **why);

/*
 * An authentication of the client has failed, or passed. A failure is logged, user as it
 * was sent; and again when the source gets refused for it. reason: a text of ours.
 */
void admit_failed(const struct admit *a, const struct addr *client, const void *user,
	size_t user_len, const char *reason);
void admit_passed(const struct admit *a, const struct addr *client);

#endif
