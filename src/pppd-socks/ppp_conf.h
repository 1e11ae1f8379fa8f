/* SPDX-License-Identifier: ISC */
/* ppp_conf: the configuration of pppd-socks (pppd-socks.conf(5)), one struct, read once.
 */
#ifndef PPP_CONF_H
#define PPP_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include "conf.h"
#include "conf_upstream.h"
#include "health.h"
#include "options.h"
#include "places.h"
#include "route.h"
#include "settings.h"

struct ppp_conf {
	struct settings common;
	/* Those in use: the list of one of the next two. Set when all has been read. */
	struct upstream **upstreams;
	size_t n_upstreams;
	struct upstreams of_file, servers; /* servers: of -s, which replace the others */
	struct route *routes; /* linked: those of -L, then those of the file, in order */
	/* Of the routes of TCP and of UDP; via: a struct route_port of theirs. */
	struct places places, udp_places;
	struct hold_off hold_off; /* each route has a copy */
	int64_t parked_ms;	/* how long an upstream lets a greeted connection wait */
	const char *explain;	/* the question of --explain; NULL: not given */
	bool probe;		/* --probe is given */
	const char *probe_port; /* where; NULL: all routes */
};

/* The defaults. The struct must not move once something has been read into it. */
void ppp_conf_init(struct ppp_conf *conf);
void ppp_conf_free(struct ppp_conf *conf);

/* Takes one of ppp_options. As options_own. */
extern const struct option_row ppp_options[];
const char *ppp_conf_option(struct ppp_conf *conf, char letter, const char *arg);

/* Reads and checks the whole, when the options have been taken; as conf_read. */
struct conf *ppp_conf_read(struct ppp_conf *conf, const char *path);

/* The keys of the file: a test compares them with the manual. */
extern const struct conf_key ppp_keys[];

#endif
