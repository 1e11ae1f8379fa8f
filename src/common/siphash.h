/* SPDX-License-Identifier: ISC */
/*
 * siphash: SipHash-2-4, a short hash that nobody without the key can foresee. For tables
 * whose keys others choose. Pure.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY 16 /* bytes */

uint64_t siphash(const uint8_t key[SIPHASH_KEY], const void *data, size_t size);

#endif
