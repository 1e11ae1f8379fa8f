/* SPDX-License-Identifier: ISC */
/*
 * Upstreams as such. The configuration makes them, on the main thread, which frees them
 * when nothing serves any more. What happens in between is of search.c, hop.c and
 * spares.c.
 */
#include "config.h"
#include "upstream.h"

#include <stdlib.h>
#include <string.h>

#include "compat.h"

struct upstream *
upstream_new(const struct hostport *address)
{
	struct upstream *u = calloc(1, sizeof(*u));
	char text[HOSTPORT_TEXT];

	if (!u)
		return NULL;
	u->address = *address;
	u->weight = 1;
	atomic_init(&u->pipelining, PIPELINING_UNKNOWN);
	u->name = strdup(hostport_text(address, text));
	if (!u->name) {
		free(u);
		return NULL;
	}
	return u;
}

void
upstream_free(struct upstream *u)
{
	if (!u)
		return;
	compat_wipe(&u->credentials, sizeof(u->credentials));
	free(u->name);
	free(u->connect_as);
	free(u);
}
