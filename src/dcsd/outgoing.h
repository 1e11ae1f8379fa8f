/* SPDX-License-Identifier: ISC */
/*
 * outgoing: how dcsd reaches targets: from which source address, over which device, and
 * which family first. One for all (`outgoing`), or one of a rule.
 */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "addr.h"
#include "conf.h"
#include "net.h"

enum outgoing_prefer {
	OUTGOING_ANY, /* as the resolver sorts them */
	OUTGOING_IPV4,
	OUTGOING_IPV6,
	OUTGOING_IPV4_ONLY,
	OUTGOING_IPV6_ONLY
};

struct outgoing {
	struct net_source source; /* addresses by family, device */
	int prefer;		  /* enum outgoing_prefer */
};

void outgoing_free(struct outgoing *o);
extern const struct conf_key outgoing_keys[];

/*
 * Reorders a list of addresses by the family preference, or leaves one family only.
 * Returns how many are left.
 */
int outgoing_order(const struct outgoing *o, struct addr *list, int n);

#endif
