/* SPDX-License-Identifier: ISC */
/*
 * One PAM transaction for each check: start, authenticate, account, end. No session is
 * opened and no credential is set, as nothing runs as that user. Does not log; modules
 * may. Any thread, with the stack of a crew.
 */
#include "config.h"
#include "auth_pam.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <security/pam_appl.h>

#include "compat.h"

const bool auth_pam_built = true;

static void
forget(struct pam_response *replies, int n)
{
	for (int i = 0; i < n; i++) {
		if (replies[i].resp)
			compat_wipe(replies[i].resp, strlen(replies[i].resp));
		free(replies[i].resp);
	}
	free(replies);
}

/*
 * The one thing that a client can answer is the password. Texts are passed over, and any
 * other question ends it.
 */
static int
converse(int n, const struct pam_message **messages, struct pam_response **replies,
	void *password)
{
	struct pam_response *answers;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	answers = calloc((size_t)n, sizeof(*answers));
	if (!answers)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		int style = messages[i]->msg_style;

		if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG)
			continue;
		if (style == PAM_PROMPT_ECHO_OFF)
			answers[i].resp = strdup(password);
		if (!answers[i].resp) {
			forget(answers, n);
			return PAM_CONV_ERR;
		}
	}
	*replies = answers;
	return PAM_SUCCESS;
}

/* What the log says, and whether it is an answer. */
static const struct {
	int status;
	const char *text;
	int error;
} meanings[] = {
	{ PAM_AUTH_ERR, "PAM: authentication failure", EACCES },
	{ PAM_USER_UNKNOWN, "PAM: unknown user", EACCES },
	{ PAM_PERM_DENIED, "PAM: permission denied", EACCES },
	{ PAM_ACCT_EXPIRED, "PAM: the account has expired", EACCES },
	{ PAM_NEW_AUTHTOK_REQD, "PAM: the password has expired", EACCES },
	{ PAM_MAXTRIES, "PAM: too many tries", EACCES },
	{ PAM_CRED_INSUFFICIENT, "PAM: not allowed to ask for the password", EAGAIN },
	{ PAM_AUTHINFO_UNAVAIL, "PAM: the passwords cannot be reached", EAGAIN },
	{ PAM_CONV_ERR, "PAM: it asks for more than a password", EAGAIN },
	{ PAM_BUF_ERR, "PAM: out of memory", ENOMEM },
	{ PAM_ABORT, "PAM: broken off", EAGAIN },
};

static const char *
meaning(int status, int *error)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].status == status) {
			*error = meanings[i].error;
			return meanings[i].text;
		}
	*error = EAGAIN;
	return "PAM: an error of the service";
}

/* A module may have mapped the name to another; that is who the user is. */
static int
take_name(pam_handle_t *pam, char *as, size_t as_size)
{
	const void *item = NULL;
	int status = pam_get_item(pam, PAM_USER, &item);
	int len;

	if (status != PAM_SUCCESS)
		return status;
	len = item ? snprintf(as, as_size, "%s", (const char *)item) : -1;
	return len > 0 && (size_t)len < as_size ? PAM_SUCCESS : PAM_USER_UNKNOWN;
}

bool
auth_pam_check(const char *service, const char *name, const char *password,
	const char *rhost, char *as, size_t as_size, const char **why)
{
	const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
	/* The library wants it without const; converse only reads it. */
	union {
		const char *given;
		void *passed;
	} secret = { password };
	const struct pam_conv conv = { converse, secret.passed };
	pam_handle_t *pam = NULL;
	int status, error = EACCES;

	status = pam_start(service, name, &conv, &pam);
	if (status == PAM_SUCCESS)
		status = pam_set_item(pam, PAM_RHOST, rhost);
	if (status == PAM_SUCCESS)
		status = pam_authenticate(pam, flags);
	if (status == PAM_SUCCESS)
		status = pam_acct_mgmt(pam, flags);
	if (status == PAM_SUCCESS)
		status = take_name(pam, as, as_size);
	if (status != PAM_SUCCESS)
		*why = meaning(status, &error);
	if (pam)
		pam_end(pam, status);
	errno = error;
	return status == PAM_SUCCESS;
}
