/* SPDX-License-Identifier: ISC */
/*
 * auth: who a client is. Passwords are checked against a users file (crypt(3) hashes) or
 * PAM; both behind auth_password, which costs an unknown user the same as a known one.
 */
#ifndef AUTH_H
#define AUTH_H

#include "addr.h"
#include "conf.h"
#include "penalty.h"
#include "socks_auth.h"

/* Whom a client has proved to be. name is "" for a client that has not authenticated. */
struct identity {
	char name[256];	      /* never with a NUL or control byte inside */
	char groups[512];     /* "staff,ops"; "" for none */
	unsigned max_tunnels; /* at a time; 0: no limit */
};

/* The `auth` group of dcsd.conf. */
struct auth_conf {
	uint8_t methods[3]; /* in order of preference: SOCKS_METHOD_... */
	size_t n;
	char *users; /* path; NULL: none */
	char *pam;   /* service; NULL: none */
	struct penalty_conf penalties;
};

void auth_conf_init(struct auth_conf *conf); /* method "none" alone */
void auth_conf_free(struct auth_conf *conf);
extern const struct conf_key auth_keys[];

/* Whether the method is one of conf's. */
bool auth_conf_offers(const struct auth_conf *conf, uint8_t method);

/* Our most preferred method that is offered, or SOCKS_METHOD_REFUSED. */
uint8_t auth_conf_choose(
	const struct auth_conf *conf, const struct socks_greeting *greeting);

/* After reading: what must hold over several keys; errors by conf_error at `auth`. */
void auth_conf_check(struct conf *file, const struct auth_conf *conf);

/* What checks passwords while the daemon runs: the users, the cache. Any thread. */
struct auth;

/*
 * Before privileges are dropped. Returns NULL, with every error as a line of
 * "FILE:LINE: ..." in why, as far as size goes: a users file that is unreadable,
 * malformed, or readable by others.
 *
 * The file is read again when it has changed, which is looked for at most once a second,
 * by whoever checks a password then. A new file that cannot be used is told in the log,
 * and the old users stay.
 */
struct auth *auth_open(const struct auth_conf *conf, char *why, size_t size);
void auth_close(struct auth *auth);

/*
 * Whether the name and password are right, and that user may come from client. Blocks
 * for as long as hashing takes, and until the machine has time for it. Returns true and
 * fills who; or false with a static text for the log in *why, which is never for the
 * client, and errno: EACCES, the answer is no; else it could not be found out (EAGAIN:
 * too many at a time), for which the client is not to blame.
 */
bool auth_password(struct auth *auth, const struct socks_credentials *credentials,
	const struct addr *client, struct identity *who, const char **why);

/*
 * What the users file says of that user, without a password; who is untouched if not.
 * False: there is no such user, or it is PAM that knows.
 */
bool auth_find(struct auth *auth, const char *name, struct identity *who);

/*
 * Whether there is, as far as can be said without reading the file again, a user of that
 * name: PAM is believed to know all. Does not block.
 */
bool auth_has_user(struct auth *auth, const char *name);

#endif
