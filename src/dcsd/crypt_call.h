/* SPDX-License-Identifier: ISC */
/* crypt_call: the system's crypt(3), for many threads. One of crypt_*.c is built. */
#ifndef CRYPT_CALL_H
#define CRYPT_CALL_H

#include <stddef.h>

/*
 * Hashes the password as setting says, into out. Blocks as long as the method takes, and
 * leaves no trace of the password. Returns 0, or -1 with errno: EINVAL, the system knows
 * no such method, or not such parameters.
 */
int crypt_call(const char *password, const char *setting, char *out, size_t size);

#endif
