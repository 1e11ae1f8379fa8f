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
#include "shared.h"

struct upstream *
upstream_new(const struct hostport *address)
{
	struct upstream *u = calloc(1, sizeof(*u));
	char text[HOSTPORT_TEXT];

	if (!u)
		return NULL;
	u->address = *address;
	u->weight = 1;
	u->name = strdup(hostport_text(address, text));
	u->state = shared_new(sizeof(*u->state));
	if (u->name && u->state)
		return u;
	upstream_free(u);
	return NULL;
}

void
upstream_free(struct upstream *u)
{
	if (!u)
		return;
	compat_wipe(&u->credentials, sizeof(u->credentials));
	shared_release(u->state);
	free(u->name);
	free(u->connect_as);
	free(u);
}
