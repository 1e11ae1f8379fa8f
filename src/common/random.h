/* SPDX-License-Identifier: ISC */
/* random: bytes that nobody can guess, for keys and salts. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>

/* Fills data. Before a chroot: it opens a device. Returns 0, or -1 with errno. */
int random_fill(void *data, size_t size);

#endif
