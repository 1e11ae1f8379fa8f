/* SPDX-License-Identifier: ISC */
/*
 * The messages of username/password authentication (RFC 1929) as bytes and as structs,
 * both halves. Pure: no fd, no log, no malloc, no state between calls; any thread. What
 * holds a password is the caller's, to wipe as well.
 */
#include "config.h"
#include "socks_auth.h"

#include <string.h>

/* VER  ULEN  UNAME  PLEN  PASSWD, and VER  STATUS. */
enum { VER = 1, VER_OF_SOME = 5, AT_NAME = 2, STATUS_SIZE = 2 };

_Static_assert(SOCKS_CREDENTIALS == AT_NAME + UINT8_MAX + 1 + UINT8_MAX,
	"the longest name and password fit");

enum parse
socks_parse_credentials(struct socks_credentials *credentials, const uint8_t *data,
	size_t size, size_t *used)
{
	size_t at_password, name_len, password_len;

	if (size > 0 && data[0] != VER)
		return PARSE_BAD;
	if (size < AT_NAME)
		return PARSE_MORE;
	name_len = data[1];
	at_password = AT_NAME + name_len + 1;
	if (size < at_password)
		return PARSE_MORE;
	password_len = data[at_password - 1];
	if (size < at_password + password_len)
		return PARSE_MORE;
	*credentials = (struct socks_credentials){
		.name_len = (uint8_t)name_len,
		.password_len = (uint8_t)password_len,
	};
	memcpy(credentials->name, data + AT_NAME, name_len);
	memcpy(credentials->password, data + at_password, password_len);
	*used = at_password + password_len;
	return PARSE_OK;
}

size_t
socks_build_auth_status(uint8_t *buf, uint8_t status)
{
	buf[0] = VER;
	buf[1] = status;
	return STATUS_SIZE;
}

size_t
socks_build_credentials(uint8_t *buf, const struct socks_credentials *credentials)
{
	size_t at_password = AT_NAME + (size_t)credentials->name_len + 1;

	buf[0] = VER;
	buf[1] = credentials->name_len;
	memcpy(buf + AT_NAME, credentials->name, credentials->name_len);
	buf[at_password - 1] = credentials->password_len;
	memcpy(buf + at_password, credentials->password, credentials->password_len);
	return at_password + credentials->password_len;
}

enum parse
socks_parse_auth_status(uint8_t *status, const uint8_t *data, size_t size, size_t *used)
{
	/* Several servers put the version of SOCKS where that of RFC 1929 belongs. */
	if (size > 0 && data[0] != VER && data[0] != VER_OF_SOME)
		return PARSE_BAD;
	if (size < STATUS_SIZE)
		return PARSE_MORE;
	*status = data[1];
	*used = STATUS_SIZE;
	return PARSE_OK;
}
