/* SPDX-License-Identifier: ISC */
/* options: the command line of both daemons, from tables; usage and version texts. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* sysexits(3) values that scripts rely on. */
enum { EXIT_OK = 0, EXIT_START = 1, EXIT_USAGE = 64, EXIT_CONFIG = 78 };

/*
 * One option: its letter, long name and argument's name (NULL: none), and help line. An
 * option that has only a long name has a number from 1 to 31 as its letter. An argument
 * in brackets, "[PORT]", may be left out: the next word is it only if no '-' begins it.
 */
struct option_row {
	char letter;
	const char *name;
	const char *arg;
	const char *help;
};

/* The options both daemons have; ends with letter 0. */
extern const struct option_row options_common[];

/* What the common options said. Strings point into argv, or are options_free's. */
struct options {
	const char *program;
	const char *config;  /* NULL: not given */
	const char *pidfile; /* NULL: not given */
	char *user, *group;  /* NULL: not given */
	bool foreground, test, verbose;
};

/*
 * One of the daemon's own options; arg is NULL if it has none, or it was left out.
 * Returns NULL, or a text that says what is wrong and follows "-l ARG: ", or "-l: ".
 */
typedef const char *options_own(void *into, char letter, const char *arg);

/*
 * Parses argv by options_common and the rows of the daemon. Returns -1 to go on; or the
 * exit status at once, and o holds nothing: EXIT_OK after --help or --version, EXIT_USAGE
 * with the reason on stderr. May be called again.
 */
int options_parse(struct options *o, int argc, char **argv, const char *program,
	const struct option_row *rows, options_own *own, void *into);

void options_free(struct options *o);

#endif
