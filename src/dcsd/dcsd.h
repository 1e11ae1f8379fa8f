/* SPDX-License-Identifier: ISC */
/*
 * dcsd: what a dcsd is made of by one configuration: that, what it needs while it serves,
 * and what it has from the one before.
 */
#ifndef DCSD_H
#define DCSD_H

#include "admit.h"
#include "auth.h"
#include "dcsd_conf.h"
#include "service.h"
#include "standing.h"

struct dcsd {
	struct dcsd_conf conf;
	const char *question; /* of --explain; NULL: serve */
	bool no_resolve;
	struct auth *auth; /* NULL: nobody authenticates */
	struct standing *standing;
	struct admit admit; /* by conf and standing */
};

/* What service_run needs to make a struct dcsd serve. */
extern const struct service dcsd_service;
extern const struct option_row dcsd_options[];

#endif
