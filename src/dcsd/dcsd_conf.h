/* SPDX-License-Identifier: ISC */
/* dcsd_conf: the configuration of dcsd (dcsd.conf(5)), one struct that is read once. */
#ifndef DCSD_CONF_H
#define DCSD_CONF_H

#include "conf.h"
#include "options.h"
#include "places.h"
#include "settings.h"

struct dcsd_conf {
	struct settings common;
	int64_t parked_ms; /* from the method reply to the first byte of the request */
	struct places places;
	bool listen_given; /* by -l, which replaces `listen` */
};

/* The defaults, which serve alone where there is no file; listen's are added later. */
void dcsd_conf_init(struct dcsd_conf *conf);
void dcsd_conf_free(struct dcsd_conf *conf);

/* As struct service wants them. */
extern const struct option_row dcsd_options[];
const char *dcsd_option(void *config, char letter, const char *arg);
struct conf *dcsd_configure(void *config, const char *path);

/* The keys of the file: a test compares them with the manual. */
extern const struct conf_key dcsd_keys[];

#endif
