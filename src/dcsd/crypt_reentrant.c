/* SPDX-License-Identifier: ISC */
/*
 * crypt_call where there is crypt_r(3), which works in memory of the caller: 32 KiB and
 * more, too much for a stack. Any thread, many at a time.
 */
#include "config.h"
#include "crypt_call.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"

int
crypt_call(const char *password, const char *setting, char *out, size_t size)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *hash;
	int error = 0;

	if (!data)
		return -1;
	errno = EINVAL;
	hash = crypt_r(password, setting, data);
	if (!hash || hash[0] == '*')
		error = errno;
	else if (strlen(hash) >= size)
		error = ERANGE;
	else
		memcpy(out, hash, strlen(hash) + 1);
	compat_wipe(data, sizeof(*data));
	free(data);
	errno = error;
	return error ? -1 : 0;
}
