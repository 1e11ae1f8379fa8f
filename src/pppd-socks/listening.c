/* SPDX-License-Identifier: ISC */
/*
 * A port is found among the places of the configuration: those know the addresses, and
 * lead to the port. Nothing is opened, and no name looked up. Main thread.
 */
#include "config.h"
#include "listening.h"

#include <stdio.h>
#include <string.h>

int
listening_parse(struct listening *asked, const char *text, const char **why)
{
	int port = port_parse(text, 0);

	*asked = (struct listening){ .any_address = port != -1 };
	if (port != -1) {
		asked->port = (uint16_t)port;
		return 0;
	}
	asked->n = listen_parse(asked->at, text, why);
	return asked->n == -1 ? -1 : 0;
}

static bool
holds(const struct listening *asked, const struct addr *addr)
{
	if (asked->any_address)
		return addr_port(addr) == asked->port;
	for (int i = 0; i < asked->n; i++)
		if (addr_collides(addr, &asked->at[i].addr))
			return true;
	return false;
}

bool
listening_holds(const struct listening *asked, const struct ppp_conf *conf,
	const struct route_port *port)
{
	const struct server_place *place = NULL;

	while ((place = listening_next(conf, port, place)))
		if (holds(asked, &place->at.addr))
			return true;
	return false;
}

const struct server_place *
listening_next(const struct ppp_conf *conf, const struct route_port *port,
	const struct server_place *last)
{
	const struct places *places =
		port->route->udp ? &conf->udp_places : &conf->places;
	const struct server_place *end = places->list + places->n;

	for (last = last ? last + 1 : places->list; last < end; last++)
		if (last->via == port)
			return last;
	return NULL;
}

char *
listening_text(const struct ppp_conf *conf, const struct route_port *port,
	char out[LISTENING_TEXT])
{
	const struct server_place *first = listening_next(conf, port, NULL);
	const char *udp = port->route->udp ? "/udp" : "";
	const struct addr *addr;
	char text[ADDR_TEXT];

	out[0] = '\0';
	if (!first)
		return out;
	addr = &first->at.addr;
	/* Two of them are of one text: those of loopback, or those of every address. */
	if (!listening_next(conf, port, first))
		snprintf(out, LISTENING_TEXT, "%s%s", addr_text(addr, text), udp);
	else
		snprintf(out, LISTENING_TEXT, "%s%d%s",
			addr_is_loopback(addr) ? "" : "*:", addr_port(addr), udp);
	return out;
}
