/* SPDX-License-Identifier: ISC */
/*
 * crypt_call where there is only crypt(3), whose result is in memory of all: one thread
 * at a time, the others wait. Any thread.
 */
#include "config.h"
#include "crypt_call.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int
crypt_call(const char *password, const char *setting, char *out, size_t size)
{
	const char *hash;
	int error = 0;

	pthread_mutex_lock(&lock);
	errno = EINVAL;
	hash = crypt(password, setting);
	if (!hash || hash[0] == '*')
		error = errno;
	else if (strlen(hash) >= size)
		error = ERANGE;
	else
		memcpy(out, hash, strlen(hash) + 1);
	pthread_mutex_unlock(&lock);
	errno = error;
	return error ? -1 : 0;
}
