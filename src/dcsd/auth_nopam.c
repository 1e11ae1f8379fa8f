/* SPDX-License-Identifier: ISC */
/* auth_pam where there is no PAM, or it was not wanted: `auth.pam` is refused then. */
#include "config.h"
#include "auth_pam.h"

#include <errno.h>

const bool auth_pam_built = false;

bool
auth_pam_check(const char *service, const char *name, const char *password,
	const char *rhost, char *as, size_t as_size, const char **why)
{
	(void)service;
	(void)name;
	(void)password;
	(void)rhost;
	(void)as;
	(void)as_size;
	*why = "built without PAM";
	errno = ENOSYS;
	return false;
}
