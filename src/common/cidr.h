/* SPDX-License-Identifier: ISC */
/* cidr: networks and port ranges: parse, print, ask. Pure. */
#ifndef CIDR_H
#define CIDR_H

#include <stdbool.h>
#include <stdint.h>
#include "addr.h"

/* A network: the first bits of base. */
struct cidr {
	int family; /* AF_INET or AF_INET6 */
	unsigned bits;
	uint8_t base[16];
};

/*
 * "10.0.0.0/8", "2001:db8::/32", or an address alone. An IPv4-mapped one becomes IPv4.
 * Bits behind the prefix must be 0. Returns 0, or -1 and a text in *why.
 */
int cidr_parse(struct cidr *c, const char *text, const char **why);

/* "10.0.0.0/8"; an address alone without its /32 or /128. Returns out. */
#define CIDR_TEXT 50
char *cidr_text(const struct cidr *c, char out[CIDR_TEXT]);

/* Whether the address is of that network; the other family never is. */
bool cidr_holds(const struct cidr *c, const struct addr *a);

/* Ports first to last, both included. */
struct port_range {
	uint16_t first, last;
};

/* "80" or "8000-8999", from port 1. Returns 0, or -1 and a text in *why. */
int port_range_parse(struct port_range *r, const char *text, const char **why);

#endif
