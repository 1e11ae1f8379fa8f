/* SPDX-License-Identifier: ISC */
/* rep: which REP (RFC 1928 section 6) tells the client of an errno. */
#ifndef REP_H
#define REP_H

#include "socks_proto.h"

/* error is one of net_resolve, net_dial or a socket call. */
enum socks_rep rep_for_errno(int error);

#endif
