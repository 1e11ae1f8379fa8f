/* SPDX-License-Identifier: ISC */
/*
 * shared: memory that several configurations use, and that lives as long as the last of
 * them: what is known or counted of a thing that a reload finds again.
 */
#ifndef SHARED_H
#define SHARED_H

#include <stddef.h>

/* size zero bytes, with one user, the caller. NULL: out of memory. */
void *shared_new(size_t size);

/* One user more. Returns p. Any thread that uses it. */
void *shared_hold(void *p);

/* One user less: freed with the last one. NULL: nothing. Any thread. */
void shared_release(void *p);

#endif
