/* SPDX-License-Identifier: ISC */
/* dcsd: what one dcsd is made of: its configuration, and what it needs while it serves.
 */
#ifndef DCSD_H
#define DCSD_H

#include "admit.h"
#include "auth.h"
#include "dcsd_conf.h"
#include "service.h"
#include "tally.h"

struct dcsd {
	struct dcsd_conf conf;
	const char *question; /* of --explain; NULL: serve */
	bool no_resolve;
	struct auth *auth;   /* NULL: nobody authenticates */
	struct admit *admit; /* penalties, and connections by client */
	struct tally *users; /* tunnels by user */
};

void dcsd_init(struct dcsd *dcsd);
void dcsd_free(struct dcsd *dcsd);

/* What service_run needs to make a struct dcsd serve. */
extern const struct service dcsd_service;
extern const struct option_row dcsd_options[];

#endif
