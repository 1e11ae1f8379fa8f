/* SPDX-License-Identifier: ISC */
/* explain_route: says what a client of a port gets (pppd-socks --explain). */
#ifndef EXPLAIN_ROUTE_H
#define EXPLAIN_ROUTE_H

#include <stdio.h>
#include "ppp_conf.h"

/*
 * question: "8001", or "127.0.0.1:8001", and behind it, or before, "client=ADDR" if it is
 * of interest what that one gets. Writes to out one block for each port of a route that
 * is meant: lines "key: value", with the keys of the configuration where there is one,
 * and then the tries, numbered, in the order in which a search gives them. Opens no
 * connection and looks no name up. Before anything serves. Returns the exit status: 1 if
 * no route listens there; EXIT_USAGE: the question is wrong, and why is on stderr.
 */
int explain_route(struct ppp_conf *conf, const char *question, FILE *out);

#endif
