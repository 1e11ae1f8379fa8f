/* SPDX-License-Identifier: ISC */
/* A growing list of addresses to listen at. Used while a configuration is read. */
#include "config.h"
#include "places.h"

#include <stdlib.h>

/* Whether there is anything at that port: most of many are found free by this alone. */
static bool
port_is_used(const struct places *places, uint16_t port)
{
	return places->ports[port / 8] & 1 << port % 8;
}

bool
places_hold(const struct places *places, const struct addr *addr)
{
	if (!port_is_used(places, addr_port(addr)))
		return false;
	for (size_t i = 0; i < places->n; i++)
		if (addr_collides(&places->list[i].at.addr, addr))
			return true;
	return false;
}

const char *
places_add(struct places *places, const char *text, const void *via)
{
	struct listen_addr at[2];
	struct server_place *list;
	const char *why;
	int n = listen_parse(at, text, &why);

	if (n == -1)
		return why;
	for (int i = 0; i < n; i++)
		if (places_hold(places, &at[i].addr))
			return "this address and port are listened at already";
	list = realloc(places->list, (places->n + (size_t)n) * sizeof(*list));
	if (!list)
		return "out of memory";
	places->list = list;
	for (int i = 0; i < n; i++) {
		uint16_t port = addr_port(&at[i].addr);

		places->ports[port / 8] |= (uint8_t)(1 << port % 8);
		list[places->n++] = (struct server_place){ at[i], via };
	}
	return NULL;
}

void
places_free(struct places *places)
{
	free(places->list);
	*places = (struct places){ .list = NULL };
}
