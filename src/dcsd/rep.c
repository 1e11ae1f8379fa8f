/* SPDX-License-Identifier: ISC */
/* The table of replies by errno. What is not in it is a general failure. */
#include "config.h"
#include "rep.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	int error;
	enum socks_rep rep;
} table[] = {
	{ ECONNREFUSED, SOCKS_REP_REFUSED },
	{ ECONNRESET, SOCKS_REP_REFUSED },
	{ ENETUNREACH, SOCKS_REP_NET_UNREACHABLE },
	{ ENETDOWN, SOCKS_REP_NET_UNREACHABLE },
	{ EHOSTUNREACH, SOCKS_REP_HOST_UNREACHABLE },
	{ EHOSTDOWN, SOCKS_REP_HOST_UNREACHABLE },
	{ ENOENT, SOCKS_REP_HOST_UNREACHABLE }, /* the name does not exist */
	{ ETIMEDOUT, SOCKS_REP_TTL_EXPIRED },	/* as most servers tell it */
	{ EACCES, SOCKS_REP_NOT_ALLOWED },	/* by the system's own packet filter */
	{ EPERM, SOCKS_REP_NOT_ALLOWED },
	{ EAFNOSUPPORT, SOCKS_REP_BAD_ATYP },
};

enum socks_rep
rep_for_errno(int error)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return table[i].rep;
	return SOCKS_REP_FAILURE;
}
