/* SPDX-License-Identifier: ISC */
/* conf_upstream: one group of `upstreams`, and the list that they become. */
#ifndef CONF_UPSTREAM_H
#define CONF_UPSTREAM_H

#include "conf.h"
#include "route.h"
#include "upstream.h"

/* Starts zero initialised. No two have the same name. */
struct upstreams {
	struct upstream *list[ROUTE_UPSTREAMS];
	int n;
};

extern const struct conf_key upstream_keys[];

/*
 * Reads a group of `upstreams` into a new one, which is added whatever is wrong with it:
 * the i-th group is the i-th of the list. Errors are told. The list must have room.
 */
void conf_upstream_read(
	struct conf *conf, config_setting_t *group, struct upstreams *upstreams);

/* Adds one of which only the address is known. Returns NULL, or what is wrong with it. */
const char *upstreams_add(struct upstreams *upstreams, const char *address);

/* The one of that name, or NULL. */
struct upstream *upstreams_find(const struct upstreams *upstreams, const char *name);

void upstreams_free(struct upstreams *upstreams);

#endif
