/* SPDX-License-Identifier: ISC */
/* secret: a new password from whoever runs the program. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>

#define SECRET_SIZE 256 /* 255 bytes, what RFC 1929 can carry, and a NUL */

/*
 * From the terminal, without echo and asked for twice; or, when the standard input is
 * none, its first line. Returns 0; or -1 and a static text in *why, and secret is wiped.
 */
int secret_ask(char secret[SECRET_SIZE], const char *name, const char **why);

#endif
