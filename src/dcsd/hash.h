/* SPDX-License-Identifier: ISC */
/*
 * hash: passwords as crypt(3) hashes, "$METHOD$...$HASH". Methods that cut a password
 * short are refused, or the password is.
 */
#ifndef HASH_H
#define HASH_H

#include <stdbool.h>
#include <stddef.h>

#define HASH_SIZE 384 /* bytes of a hash, with its NUL */

/* Whether hash has the shape of one. False, and a static text in *why: it has not. */
bool hash_well_formed(const char *hash, const char **why);

/* Whether both were made by the same method. */
bool hash_same_method(const char *a, const char *b);

/* Whether the system knows the hash's method: as costly as checking a password. */
bool hash_known(const char *hash);

/*
 * Whether it is the password's hash, compared in constant time. Blocks as long as the
 * method takes, always. False with errno: EACCES, it is not; else, it could not be found
 * out (ENOMEM, EINVAL).
 */
bool hash_matches(const char *hash, const char *password);

/*
 * The names of the methods that new hashes can be made by, the best first; NULL behind
 * the last. Not every system knows each.
 */
extern const char *const hash_methods[];

/*
 * Hashes a new password, by that method or, when it is NULL, by the best one there is.
 * Returns 0, or -1 with errno: ENOTSUP, the system does not know the method; E2BIG, the
 * method does not look at all of so long a password.
 */
int hash_make(char out[HASH_SIZE], const char *method, const char *password);

#endif
