/* SPDX-License-Identifier: ISC */
/* Condition variables on the monotonic clock. Any thread. */
#include "config.h"
#include "cond.h"

#include <errno.h>
#include <time.h>

#include "io.h"

int
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int error;

	error = pthread_condattr_init(&attr);
	if (error == 0) {
		error = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		if (error == 0)
			error = pthread_cond_init(cond, &attr);
		pthread_condattr_destroy(&attr);
	}
	errno = error;
	return error ? -1 : 0;
}

void
cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms)
{
	struct timespec at;

	if (until_ms == IO_FOREVER) {
		pthread_cond_wait(cond, mutex);
		return;
	}
	at.tv_sec = (time_t)(until_ms / 1000);
	at.tv_nsec = (long)(until_ms % 1000) * 1000000;
	pthread_cond_timedwait(cond, mutex, &at);
}
