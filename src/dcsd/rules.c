/* SPDX-License-Identifier: ISC */
/* The built-in rules. They look at addresses only, never at the text of a name. */
#include "config.h"
#include "rules.h"

const char *
rules_client(const struct addr *client)
{
	return addr_is_loopback(client) ? NULL : "no rule allows this client";
}

const char *
rules_target(const struct server *server, const struct addr *target)
{
	if (addr_is_unspecified(target))
		return "unspecified address";
	if (addr_is_multicast(target))
		return "multicast address";
	if (addr_is_broadcast(target))
		return "broadcast or reserved address";
	if (server_owns(server, target))
		return "loop: a listening socket of this daemon";
	return NULL;
}
