/* SPDX-License-Identifier: ISC */
/* try_routes: tests all that routes lead to, and tells it in a table (--probe). */
#ifndef TRY_ROUTES_H
#define TRY_ROUTES_H

#include <stdio.h>
#include "ppp_conf.h"

/*
 * Makes a connection to each target through each upstream, for every port of the routes,
 * or (unless at is NULL) for those that listen at that PORT or ADDRESS:PORT; of a route
 * of UDP, an association. Many at a time; blocks until the last one has ended. Then
 * writes to out one row for each, in the order of the configuration. Before anything
 * serves: opens the log, to stderr. Returns the exit status: 1 if one of the ports has no
 * target that can be used; EXIT_USAGE: there is no such port, and that is on stderr.
 */
int try_routes(struct ppp_conf *conf, const char *at, FILE *out);

#endif
