/* SPDX-License-Identifier: ISC */
/*
 * socks_proto: the messages of SOCKS5 (RFC 1928) as bytes and as structs, both halves.
 *
 * Pure: no fd, no log, no malloc, no state between calls, so any thread may call any of
 * it. A parser is given all bytes that are there and starts over each time; it writes to
 * the caller's struct only when the message is whole and right.
 */
#include "config.h"
#include "socks_proto.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/*
 * A request and a reply have one shape (RFC 1928 sections 4 and 6):
 *
 *	VER  CMD|REP  RSV  ATYP  ADDR  PORT
 *
 * and an ADDR that is a name begins with its length.
 */
enum { VER = 5, HEAD = 4, PORT = 2 };
enum { AT_CODE = 1, AT_ATYP = 3, AT_ADDR = HEAD, AT_NAME = HEAD + 1 };

_Static_assert(SOCKS_MESSAGE >= AT_NAME + HOST_MAX + PORT, "a request must fit");
_Static_assert(HOST_MAX == UINT8_MAX, "a name of any length byte must fit in a hostport");

/* The bytes of an ADDR, its length byte included; 0: not known yet; -1: bad ATYP. */
static int
addr_field(const uint8_t *data, size_t size)
{
	switch (data[AT_ATYP]) {
	case SOCKS_ATYP_IPV4:
		return 4;
	case SOCKS_ATYP_IPV6:
		return 16;
	case SOCKS_ATYP_NAME:
		return size > AT_ADDR ? 1 + data[AT_ADDR] : 0;
	default:
		return -1;
	}
}

/*
 * Looks at VER and ATYP, and at how much there is. *whole is the size of the message, 0
 * as long as that cannot be told.
 */
static enum parse
measure(const uint8_t *data, size_t size, size_t *whole)
{
	int field;

	*whole = 0;
	if (size == 0)
		return PARSE_MORE;
	if (data[0] != VER)
		return PARSE_BAD;
	if (size < HEAD)
		return PARSE_MORE;
	field = addr_field(data, size);
	if (field == -1)
		return PARSE_BAD;
	if (field == 0)
		return PARSE_MORE;
	*whole = HEAD + (size_t)field + PORT;
	return size < *whole ? PARSE_MORE : PARSE_OK;
}

static uint16_t
get_port(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static size_t
put_port(uint8_t *buf, uint16_t port)
{
	buf[0] = (uint8_t)(port >> 8);
	buf[1] = port & 0xff;
	return PORT;
}

static enum socks_atyp
atyp_of(const struct addr *a)
{
	return addr_family(a) == AF_INET ? SOCKS_ATYP_IPV4 : SOCKS_ATYP_IPV6;
}

/* From a whole message, into a dest that is all zeros. */
static void
get_dest(struct socks_dest *dest, const uint8_t *data, size_t whole)
{
	uint16_t port = get_port(data + whole - PORT);
	int family = data[AT_ATYP] == SOCKS_ATYP_IPV4 ? AF_INET : AF_INET6;

	if (data[AT_ATYP] == SOCKS_ATYP_NAME) {
		dest->atyp = SOCKS_ATYP_NAME;
		memcpy(dest->name.host, data + AT_NAME, data[AT_ADDR]);
		dest->name.port = port;
	} else {
		addr_from_bytes(&dest->addr, family, data + AT_ADDR, port);
		dest->atyp = atyp_of(&dest->addr);
	}
}

/* Head, address and port; code is CMD or REP. */
static size_t
put_addr(uint8_t *buf, uint8_t code, const struct addr *a)
{
	const uint8_t head[HEAD] = { VER, code, 0, atyp_of(a) };
	const uint8_t *bytes;
	size_t size;

	bytes = addr_bytes(a, &size);
	memcpy(buf, head, HEAD);
	memcpy(buf + HEAD, bytes, size);
	return HEAD + size + put_port(buf + HEAD + size, addr_port(a));
}

static size_t
put_name(uint8_t *buf, uint8_t code, const struct hostport *name)
{
	size_t size = strlen(name->host);
	const uint8_t head[AT_NAME] = { VER, code, 0, SOCKS_ATYP_NAME, (uint8_t)size };

	assert(size > 0 && size <= HOST_MAX);
	memcpy(buf, head, AT_NAME);
	memcpy(buf + AT_NAME, name->host, size);
	return AT_NAME + size + put_port(buf + AT_NAME + size, name->port);
}

enum parse
socks_parse_greeting(
	struct socks_greeting *greeting, const uint8_t *data, size_t size, size_t *used)
{
	if (size > 0 && data[0] != VER)
		return PARSE_BAD;
	if (size < 2 || size < 2 + (size_t)data[1])
		return PARSE_MORE;
	*greeting = (struct socks_greeting){ .nmethods = data[1] };
	memcpy(greeting->methods, data + 2, data[1]);
	*used = 2 + (size_t)data[1];
	return PARSE_OK;
}

size_t
socks_build_greeting(uint8_t *buf, const struct socks_greeting *greeting)
{
	buf[0] = VER;
	buf[1] = greeting->nmethods;
	memcpy(buf + 2, greeting->methods, greeting->nmethods);
	return 2 + (size_t)greeting->nmethods;
}

enum parse
socks_parse_method(uint8_t *method, const uint8_t *data, size_t size, size_t *used)
{
	if (size > 0 && data[0] != VER)
		return PARSE_BAD;
	if (size < 2)
		return PARSE_MORE;
	*method = data[1];
	*used = 2;
	return PARSE_OK;
}

size_t
socks_build_method(uint8_t *buf, uint8_t method)
{
	buf[0] = VER;
	buf[1] = method;
	return 2;
}

/*
 * Whether what is there of a request's name rules it out. A NUL would make logs and rules
 * see another name than the resolver; no name has a control byte.
 */
static bool
bad_name(const uint8_t *data, size_t size)
{
	size_t end = AT_NAME + (size_t)data[AT_ADDR];
	size_t i;

	if (data[AT_ADDR] == 0)
		return true;
	for (i = AT_NAME; i < end && i < size; i++)
		if (data[i] < ' ' || data[i] == 0x7f)
			return true;
	return false;
}

enum parse
socks_parse_request(struct socks_request *request, enum socks_rep *rep,
	const uint8_t *data, size_t size, size_t *used)
{
	size_t whole;
	enum parse parse = measure(data, size, &whole);

	if (parse == PARSE_BAD) {
		*rep = data[0] == VER ? SOCKS_REP_BAD_ATYP : SOCKS_REP_FAILURE;
		return PARSE_BAD;
	}
	if (whole > 0 && data[AT_ATYP] == SOCKS_ATYP_NAME && bad_name(data, size)) {
		*rep = SOCKS_REP_FAILURE;
		return PARSE_BAD;
	}
	if (parse == PARSE_MORE)
		return PARSE_MORE;
	/* BIND and UDP ASSOCIATE may say 0: the client does not know the port yet. */
	if (data[AT_CODE] == SOCKS_CONNECT && get_port(data + whole - PORT) == 0) {
		*rep = SOCKS_REP_FAILURE;
		return PARSE_BAD;
	}
	*request = (struct socks_request){ .cmd = data[AT_CODE] };
	get_dest(&request->dst, data, whole);
	*used = whole;
	return PARSE_OK;
}

size_t
socks_build_request(uint8_t *buf, const struct socks_request *request)
{
	if (request->dst.atyp == SOCKS_ATYP_NAME)
		return put_name(buf, request->cmd, &request->dst.name);
	return put_addr(buf, request->cmd, &request->dst.addr);
}

enum parse
socks_parse_reply(
	struct socks_reply *reply, const uint8_t *data, size_t size, size_t *used)
{
	size_t whole;
	enum parse parse = measure(data, size, &whole);

	if (parse != PARSE_OK)
		return parse;
	*reply = (struct socks_reply){ .rep = data[AT_CODE] };
	get_dest(&reply->bnd, data, whole);
	*used = whole;
	return PARSE_OK;
}

size_t
socks_build_reply(uint8_t *buf, enum socks_rep rep, const struct addr *bnd)
{
	static const uint8_t zeros[4];
	struct addr nothing;

	addr_from_bytes(&nothing, AF_INET, zeros, 0);
	return put_addr(buf, (uint8_t)rep, bnd ? bnd : &nothing);
}

void
socks_dest_from_hostport(struct socks_dest *dest, const struct hostport *hp)
{
	memset(dest, 0, sizeof(*dest));
	if (addr_from_text(&dest->addr, hp->host, hp->port)) {
		dest->atyp = atyp_of(&dest->addr);
	} else {
		dest->atyp = SOCKS_ATYP_NAME;
		dest->name = *hp;
	}
}

const char *
socks_rep_text(uint8_t rep)
{
	static const char *const texts[] = {
		[SOCKS_REP_SUCCEEDED] = "succeeded",
		[SOCKS_REP_FAILURE] = "general SOCKS server failure",
		[SOCKS_REP_NOT_ALLOWED] = "connection not allowed by ruleset",
		[SOCKS_REP_NET_UNREACHABLE] = "network unreachable",
		[SOCKS_REP_HOST_UNREACHABLE] = "host unreachable",
		[SOCKS_REP_REFUSED] = "connection refused",
		[SOCKS_REP_TTL_EXPIRED] = "TTL expired",
		[SOCKS_REP_BAD_COMMAND] = "command not supported",
		[SOCKS_REP_BAD_ATYP] = "address type not supported",
	};

	return rep < sizeof(texts) / sizeof(texts[0]) ? texts[rep] : "unassigned";
}

const char *
socks_guess_peer(uint8_t first)
{
	static const char *const speaks[UINT8_MAX + 1] = {
		[0x04] = "SOCKS4",
		[0x16] = "TLS", /* a handshake record */
		['C'] = "HTTP", /* CONNECT */
		['D'] = "HTTP", /* DELETE */
		['G'] = "HTTP", /* GET */
		['H'] = "HTTP", /* HEAD, or a server's HTTP/1.1 */
		['O'] = "HTTP", /* OPTIONS */
		['P'] = "HTTP", /* POST, PUT, PATCH, HTTP/2's PRI */
		['S'] = "SSH",
	};

	return speaks[first] ? speaks[first] : "something else";
}
