/* SPDX-License-Identifier: ISC */
/* cond: condition variables on the clock of io_now_ms, which no change of the date moves.
 */
#ifndef COND_H
#define COND_H

#include <pthread.h>
#include <stdint.h>

/* As pthread_cond_init(3). Returns 0, or -1 with errno. */
int cond_init(pthread_cond_t *cond);

/* Waits until signalled, or until_ms (IO_FOREVER: no end). Spurious returns happen. */
void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms);

#endif
