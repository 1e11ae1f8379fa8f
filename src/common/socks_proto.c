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

#include <string.h>

/*
 * A request and a reply have one shape (RFC 1928 sections 4 and 6), a head and a dest:
 *
 *	VER  CMD|REP  RSV  ATYP  ADDR  PORT
 */
enum { VER = 5, HEAD = 3 };
enum { AT_CODE = 1 };

_Static_assert(SOCKS_MESSAGE >= HEAD + SOCKS_DEST, "a request must fit");

/* Parses either: VER as soon as it is there, ATYP likewise, the rest when it is whole. */
static enum parse
parse_message(uint8_t *code, struct socks_dest *dest, const uint8_t *data, size_t size,
	size_t *used)
{
	size_t n;
	enum parse parse;

	if (size > 0 && data[0] != VER)
		return PARSE_BAD;
	if (size <= HEAD)
		return PARSE_MORE;
	parse = socks_dest_parse(dest, data + HEAD, size - HEAD, &n);
	if (parse != PARSE_OK)
		return parse;
	*code = data[AT_CODE];
	*used = HEAD + n;
	return PARSE_OK;
}

/* Puts the head; code is CMD or REP. */
static size_t
put_head(uint8_t *buf, uint8_t code)
{
	const uint8_t head[HEAD] = { VER, code, 0 };

	memcpy(buf, head, HEAD);
	return HEAD;
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

enum parse
socks_parse_request(struct socks_request *request, enum socks_rep *rep,
	const uint8_t *data, size_t size, size_t *used)
{
	struct socks_request whole;
	size_t n;
	enum parse parse = parse_message(&whole.cmd, &whole.dst, data, size, &n);

	if (parse == PARSE_BAD) {
		*rep = data[0] == VER ? SOCKS_REP_BAD_ATYP : SOCKS_REP_FAILURE;
		return PARSE_BAD;
	}
	/* BIND and UDP ASSOCIATE may say port 0: the client does not know it yet. */
	if ((size > HEAD && socks_dest_bad_name(data + HEAD, size - HEAD)) ||
		(parse == PARSE_OK && whole.cmd == SOCKS_CONNECT &&
			socks_dest_port(&whole.dst) == 0)) {
		*rep = SOCKS_REP_FAILURE;
		return PARSE_BAD;
	}
	if (parse == PARSE_OK) {
		*request = whole;
		*used = n;
	}
	return parse;
}

size_t
socks_build_request(uint8_t *buf, const struct socks_request *request)
{
	size_t n = put_head(buf, request->cmd);

	return n + socks_dest_build(buf + n, &request->dst);
}

enum parse
socks_parse_reply(
	struct socks_reply *reply, const uint8_t *data, size_t size, size_t *used)
{
	return parse_message(&reply->rep, &reply->bnd, data, size, used);
}

size_t
socks_build_reply(uint8_t *buf, enum socks_rep rep, const struct addr *bnd)
{
	static const uint8_t zeros[4];
	struct addr nothing;
	size_t n = put_head(buf, (uint8_t)rep);

	addr_from_bytes(&nothing, AF_INET, zeros, 0);
	return n + socks_dest_build_addr(buf + n, bnd ? bnd : &nothing);
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
