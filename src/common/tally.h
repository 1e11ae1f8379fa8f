/* SPDX-License-Identifier: ISC */
/*
 * tally: how many of something each key has at present: connections by client, tunnels by
 * user. A key with none takes no memory.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>

struct tally;

/* Before a chroot, as random_fill. Returns NULL with errno. */
struct tally *tally_new(void);
void tally_free(struct tally *tally); /* NULL: nothing */

/*
 * Counts one more for the key, any bytes (a copy is kept). max 0: without limit. Any
 * thread; never blocks for long. False with errno, and nothing is counted: EUSERS: the
 * key has max already; ENOMEM: for a key that had none.
 */
bool tally_take(struct tally *tally, const void *key, size_t len, size_t max);

/* One less; it must have been taken. */
void tally_give(struct tally *tally, const void *key, size_t len);

/* How many the key has; how many keys have any. */
size_t tally_count(struct tally *tally, const void *key, size_t len);
size_t tally_keys(struct tally *tally);

#endif
