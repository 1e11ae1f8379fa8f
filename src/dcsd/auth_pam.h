/* SPDX-License-Identifier: ISC */
/* auth_pam: passwords checked by PAM. auth_nopam.c is built where there is none. */
#ifndef AUTH_PAM_H
#define AUTH_PAM_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this program can ask PAM at all. */
extern const bool auth_pam_built;

/*
 * Asks the service, with the client's address as PAM_RHOST, for the password and then
 * whether the account is good. Blocks as long as the modules do. Returns true, and the
 * name that PAM has for the user in as; or false with a static text in *why and errno:
 * EACCES, the answer is no; else, PAM gave none.
 */
bool auth_pam_check(const char *service, const char *name, const char *password,
	const char *rhost, char *as, size_t as_size, const char **why);

#endif
