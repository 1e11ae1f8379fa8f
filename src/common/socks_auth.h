/* SPDX-License-Identifier: ISC */
/*
 * socks_auth: the messages of username/password authentication (RFC 1929), both halves.
 * Pure; parsers and builders as in socks_proto.h.
 */
#ifndef SOCKS_AUTH_H
#define SOCKS_AUTH_H

#include "socks_proto.h"

/* RFC 1929 section 2, client to server. Any bytes; the lengths count, not a NUL. */
struct socks_credentials {
	uint8_t name_len, password_len;
	uint8_t name[256], password[256]; /* with a NUL behind the last byte */
};

#define SOCKS_CREDENTIALS 513 /* bytes of the longest such message */

/*
 * The server's half. PARSE_BAD: VER is not 1, told at the first byte. ULEN and PLEN 0 are
 * well formed.
 */
enum parse socks_parse_credentials(struct socks_credentials *credentials,
	const uint8_t *data, size_t size, size_t *used);
size_t socks_build_auth_status(uint8_t *buf, uint8_t status); /* 0: success */

/* The client's half; buf holds SOCKS_CREDENTIALS bytes. VER 1 or 5 is taken in the
 * status. */
size_t socks_build_credentials(uint8_t *buf, const struct socks_credentials *credentials);
enum parse socks_parse_auth_status(
	uint8_t *status, const uint8_t *data, size_t size, size_t *used);

#endif
