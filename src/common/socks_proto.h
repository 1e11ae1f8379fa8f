/* SPDX-License-Identifier: ISC */
/*
 * socks_proto: the messages of SOCKS5 (RFC 1928) as bytes and as structs, both halves.
 * Pure: no fd, no log, no malloc. A parser looks at the first size bytes and says
 *
 *	PARSE_OK    a whole message; *used bytes of it are to be consumed
 *	PARSE_MORE  a valid beginning; nothing is consumed
 *	PARSE_BAD   can never become valid, however it goes on; told as early as possible
 *
 * Builders write into buf, which holds SOCKS_MESSAGE bytes, and return the size.
 */
#ifndef SOCKS_PROTO_H
#define SOCKS_PROTO_H

#include <stddef.h>
#include <stdint.h>
#include "socks_dest.h"

/* The longest message built here, a request with a name of 255, fits. */
#define SOCKS_MESSAGE 264

/* RFC 1928 section 3. */
enum socks_method {
	SOCKS_METHOD_NONE = 0x00,
	SOCKS_METHOD_GSSAPI = 0x01,
	SOCKS_METHOD_PASSWORD = 0x02,
	SOCKS_METHOD_REFUSED = 0xff
};

/* RFC 1928 section 4. */
enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_UDP_ASSOCIATE = 3 };

/* RFC 1928 section 6. */
enum socks_rep {
	SOCKS_REP_SUCCEEDED = 0,
	SOCKS_REP_FAILURE = 1,
	SOCKS_REP_NOT_ALLOWED = 2,
	SOCKS_REP_NET_UNREACHABLE = 3,
	SOCKS_REP_HOST_UNREACHABLE = 4,
	SOCKS_REP_REFUSED = 5,
	SOCKS_REP_TTL_EXPIRED = 6,
	SOCKS_REP_BAD_COMMAND = 7,
	SOCKS_REP_BAD_ATYP = 8
};

/* Section 3, client to server: the methods it offers. */
struct socks_greeting {
	uint8_t nmethods;
	uint8_t methods[255];
};

/* Section 4, client to server. RSV is not looked at. */
struct socks_request {
	uint8_t cmd; /* any byte: an unknown command is a valid message */
	struct socks_dest dst;
};

/* Section 6, server to client. RSV is not looked at, and a name in BND not judged. */
struct socks_reply {
	uint8_t rep; /* any byte */
	struct socks_dest bnd;
};

/* The server's half. */
enum parse socks_parse_greeting(
	struct socks_greeting *greeting, const uint8_t *data, size_t size, size_t *used);
size_t socks_build_method(uint8_t *buf, uint8_t method);

/*
 * On PARSE_BAD, *rep is the reply due: a wrong VER, an empty name, a name with a NUL or
 * control byte, or port 0 (for CONNECT): SOCKS_REP_FAILURE; ATYP: SOCKS_REP_BAD_ATYP.
 */
enum parse socks_parse_request(struct socks_request *request, enum socks_rep *rep,
	const uint8_t *data, size_t size, size_t *used);

/* BND is bnd, or the well-formed nothing 0.0.0.0:0 when bnd is NULL. */
size_t socks_build_reply(uint8_t *buf, enum socks_rep rep, const struct addr *bnd);

/* The client's half. */
size_t socks_build_greeting(uint8_t *buf, const struct socks_greeting *greeting);
enum parse socks_parse_method(
	uint8_t *method, const uint8_t *data, size_t size, size_t *used);
size_t socks_build_request(uint8_t *buf, const struct socks_request *request);
enum parse socks_parse_reply(
	struct socks_reply *reply, const uint8_t *data, size_t size, size_t *used);

/* The words of RFC 1928 section 6 for any byte that may stand in REP. */
const char *socks_rep_text(uint8_t rep);

/*
 * What a peer that does not speak SOCKS5 seems to speak, by its first byte: "HTTP", say,
 * or "something else".
 */
const char *socks_guess_peer(uint8_t first);

#endif
