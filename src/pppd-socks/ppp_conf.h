/* SPDX-License-Identifier: ISC */
/* ppp_conf: the configuration of pppd-socks (pppd-socks.conf(5)), one struct, read once.
 */
#ifndef PPP_CONF_H
#define PPP_CONF_H

#include "addr.h"
#include "conf.h"
#include "options.h"
#include "places.h"
#include "settings.h"

/* A SOCKS5 server that targets are reached through. */
struct upstream {
	char *name;
	struct hostport address;
};

/* What a listening port leads to. Linked: listening places point at routes. */
struct route {
	char *name; /* as in the log; default: the listening port */
	struct hostport target;
	struct route *next;
};

struct ppp_conf {
	struct settings common;
	struct upstream upstream;
	bool server_given; /* by -s, which replaces `upstreams` */
	struct route *routes;
	struct places places; /* via: the route */
};

void ppp_conf_init(struct ppp_conf *conf);
void ppp_conf_free(struct ppp_conf *conf);

/* As struct service wants them. */
extern const struct option_row ppp_options[];
const char *ppp_option(void *config, char letter, const char *arg);
struct conf *ppp_configure(void *config, const char *path);

/* The keys of the file: a test compares them with the manual. */
extern const struct conf_key ppp_keys[];

#endif
