/* SPDX-License-Identifier: ISC */
/* lists: growing lists of networks, port ranges and words, and their conf readers. */
#ifndef LISTS_H
#define LISTS_H

#include <stddef.h>
#include "cidr.h"
#include "conf.h"

/* Each starts zero initialised, and is freed by its _free. An empty one holds nothing. */
struct cidrs {
	struct cidr *list;
	size_t n;
};

struct ports {
	struct port_range *list;
	size_t n;
};

struct words {
	char **list;
	size_t n;
};

/* Add a copy. Return 0, or -1 when out of memory. */
int cidrs_add(struct cidrs *cidrs, const struct cidr *cidr);
int ports_add(struct ports *ports, const struct port_range *range);
int words_add(struct words *words, const char *word);

bool cidrs_hold(const struct cidrs *cidrs, const struct addr *addr);
bool ports_hold(const struct ports *ports, uint16_t port);

void cidrs_free(struct cidrs *cidrs);
void ports_free(struct ports *ports);
void words_free(struct words *words);

/* Readers, of one value, an array or a list; what they find is added. */
conf_reader conf_read_cidrs; /* struct cidrs: "10.0.0.0/8", "2001:db8::1" */
conf_reader conf_read_ports; /* struct ports: 80, "80", "8000-8999" */
conf_reader conf_read_words; /* struct words: not empty */

#endif
