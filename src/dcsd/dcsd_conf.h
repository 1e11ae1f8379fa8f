/* SPDX-License-Identifier: ISC */
/* dcsd_conf: the configuration of dcsd (dcsd.conf(5)), one struct, read as a whole. */
#ifndef DCSD_CONF_H
#define DCSD_CONF_H

#include "auth.h"
#include "conf.h"
#include "endpoint.h"
#include "lists.h"
#include "options.h"
#include "outgoing.h"
#include "places.h"
#include "rules.h"
#include "settings.h"

struct bind_conf {
	struct endpoint_conf at;
	int64_t timeout_ms; /* for the peer to come */
};

struct udp_conf {
	struct endpoint_conf at;
	int64_t idle_ms; /* no datagram for so long ends the association; 0: never */
	bool any_source; /* hosts that the client has not sent to may answer, too */
};

struct dcsd_conf {
	struct settings common;
	int64_t parked_ms; /* from the end of the authentication to the request's first
			      byte */
	int per_client;	   /* connections of one client at a time; 0: no limit */
	struct places places;
	bool listen_given; /* by -l, which replaces `listen` */
	struct auth_conf auth;
	struct rules rules;
	bool rules_given; /* else they are the built-in ones */
	struct outgoing outgoing;
	struct bind_conf bind;
	struct udp_conf udp;
	struct cidrs proxies; /* peers whose PROXY header is believed */
};

/* The defaults, which serve alone where there is no file; listen's are added later. */
void dcsd_conf_init(struct dcsd_conf *conf);
void dcsd_conf_free(struct dcsd_conf *conf);

/* Reads and checks the whole; as conf_read. */
struct conf *dcsd_conf_read(struct dcsd_conf *conf, const char *path);

/* The option -l. As options_own. */
const char *dcsd_conf_listen(struct dcsd_conf *conf, const char *arg);

/* The keys of the file: a test compares them with the manual. */
extern const struct conf_key dcsd_keys[];

#endif
