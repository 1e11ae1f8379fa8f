/* SPDX-License-Identifier: ISC */
/*
 * setup: from the command line and the file to a configuration, at the start and at each
 * reload.
 */
#ifndef SETUP_H
#define SETUP_H

#include "generation.h"
#include "service.h"

/* Takes one thing that is wrong, "FILE:LINE: text". */
typedef void setup_error(const char *text);

/* Starts zero initialised. */
struct setup {
	const struct service *service;
	struct options options;
	char *path;   /* of the file; NULL: there is none */
	void *config; /* NULL: none, or it was taken */
};

/*
 * Parses the options, reads the file they name, and checks the whole. Relative paths are
 * relative to self_cwd. Returns -1 to go on; or the exit status at once, and what is
 * wrong was told: by tell, but for usage, which goes to stderr. setup_free it in any
 * case.
 */
int setup_make(struct setup *setup, const struct service *service, int argc, char **argv,
	setup_error *tell);

/* Moves the configuration into a new generation. NULL with errno. */
struct generation *setup_take(struct setup *setup);

void setup_free(struct setup *setup);

#endif
