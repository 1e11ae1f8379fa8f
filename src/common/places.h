/* SPDX-License-Identifier: ISC */
/* places: the list of addresses to listen at, none of them twice. */
#ifndef PLACES_H
#define PLACES_H

#include "server.h"

/* Starts zero initialised. */
struct places {
	struct server_place *list;
	size_t n;
	uint8_t ports[65536 / 8]; /* a bit for each port that is there */
};

/*
 * Adds the address, or the two, that text says (listen_parse). Returns NULL, or a static
 * text that says what is wrong with it and follows "TEXT: ".
 */
const char *places_add(struct places *places, const char *text, const void *via);

/* Whether a socket at one of the places would be reached at addr. */
bool places_hold(const struct places *places, const struct addr *addr);

void places_free(struct places *places);

#endif
