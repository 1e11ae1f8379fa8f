/* SPDX-License-Identifier: ISC */
/* serve: one client of dcsd, from accept to close. */
#ifndef SERVE_H
#define SERVE_H

#include "conns.h"
#include "crew.h"

/* As struct service wants it; its configuration is a struct dcsd. Ends the conn. */
void serve_client(struct conn *conn, struct crew *crew);

#endif
