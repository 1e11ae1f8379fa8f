/* SPDX-License-Identifier: ISC */
/*
 * pool: who may use which of a few numbered things. Any thread takes one and gives it
 * back, without a lock and without a system call. What a number stands for is the
 * caller's, in an array of its own: it belongs to whoever has taken the number.
 */
#ifndef POOL_H
#define POOL_H

#include <stdatomic.h>

#define POOL_MAX 64

/* Apart, so that threads that take different ones do not share a cache line. */
struct pool_place {
	_Alignas(64) atomic_bool taken;
};

/* Static ones start as zeros: nothing is taken. */
struct pool {
	struct pool_place place[POOL_MAX];
};

/*
 * Takes one: the one that the thread had last, or else the first that is free, so that no
 * more of them are ever used than are needed at a time. Returns its number, below
 * POOL_MAX, or -1: all are taken. What its last owner did to the thing is seen.
 */
int pool_take(struct pool *pool);

void pool_give(struct pool *pool, int number);

#endif
