/* SPDX-License-Identifier: ISC */
/*
 * proxy_proto: the header of the PROXY protocol, versions 1 and 2, as bytes and as a
 * struct. The section numbers are those of HAProxy's proxy-protocol.txt.
 *
 * Pure: no fd, no log, no malloc, no state between calls, so any thread may call any of
 * it. The parser is given all bytes that are there and starts over each time; it writes
 * to the caller's struct only when the header is whole and right.
 */
#include "config.h"
#include "proxy_proto.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char not_proxy[] = "no PROXY header";
static const char bad_line[] = "malformed PROXY header, version 1";
static const char bad_version[] = "PROXY header of an unknown version or command";
static const char bad_family[] = "PROXY header with an unknown family or protocol";
static const char too_long[] = "PROXY header too long";
static const char too_short[] = "PROXY header too short for its addresses";
static const char bad_tlv[] = "malformed PROXY header, behind the addresses";
static const char bad_crc[] = "PROXY header with a wrong checksum";

/* Version 1, section 2.1: "PROXY TCP4 192.0.2.1 192.0.2.2 5555 1080\r\n". */
enum { LINE_MAX_SIZE = 107, V4_TEXT = 15, V6_TEXT = 45, PORT_TEXT = 5 };
enum field { F_PROXY, F_FAMILY, F_SRC, F_DST, F_SPORT, F_DPORT };

struct line {
	bool unknown;
	bool v6;
	const char *host[2];
	int port[2];
};

/* Whether text is the word or, as long as it is not whole, may become it. */
static bool
is_word(const char *text, const char *word, bool whole)
{
	return whole ? strcmp(text, word) == 0 : strncmp(text, word, strlen(text)) == 0;
}

static bool
family_field(struct line *line, const char *text, bool whole)
{
	line->unknown = is_word(text, "UNKNOWN", true);
	line->v6 = is_word(text, "TCP6", true);
	return is_word(text, "UNKNOWN", whole) || is_word(text, "TCP4", whole) ||
		is_word(text, "TCP6", whole);
}

static bool
host_field(struct line *line, int i, const char *text, bool whole)
{
	const char *allowed = line->v6 ? "0123456789abcdefABCDEF:." : "0123456789.";
	size_t len = strlen(text);
	struct addr addr;

	line->host[i] = text;
	if (len > (line->v6 ? V6_TEXT : V4_TEXT) || strspn(text, allowed) != len)
		return false;
	if (!whole)
		return true;
	return (strchr(text, ':') != NULL) == line->v6 && addr_from_text(&addr, text, 0);
}

static bool
port_field(struct line *line, int i, const char *text, bool whole)
{
	if (!whole && *text == '\0')
		return true;
	if (text[0] == '0' && text[1] != '\0')
		return false;
	line->port[i] = strlen(text) <= PORT_TEXT ? port_parse(text, 0) : -1;
	return line->port[i] != -1;
}

static bool
take_field(struct line *line, enum field field, const char *text, bool whole)
{
	switch (field) {
	case F_PROXY:
		return is_word(text, "PROXY", whole);
	case F_FAMILY:
		return family_field(line, text, whole);
	case F_SRC:
	case F_DST:
		return host_field(line, field - F_SRC, text, whole);
	case F_SPORT:
	case F_DPORT:
		return port_field(line, field - F_SPORT, text, whole);
	}
	return false;
}

/* Parts the text of a line, which it changes; ended: its end is known. */
static enum parse
take_line(struct line *line, char *text, bool ended)
{
	for (enum field field = F_PROXY; field <= F_DPORT; field++) {
		char *space = strchr(text, ' ');

		if (space)
			*space = '\0';
		if (!take_field(line, field, text, space || ended))
			return PARSE_BAD;
		/* What stands behind UNKNOWN is to be ignored. */
		if (line->unknown)
			return ended ? PARSE_OK : PARSE_MORE;
		if (!space && !ended)
			return PARSE_MORE;
		if (!space)
			return field == F_DPORT ? PARSE_OK : PARSE_BAD;
		text = space + 1;
	}
	return PARSE_BAD;
}

/* Judges what is there of a line without its end. */
static enum parse
measure_line(struct line *line, char *text, size_t len, bool ended)
{
	if (memchr(text, '\0', len) || memchr(text, '\n', len))
		return PARSE_BAD;
	text[len] = '\0';
	return take_line(line, text, ended);
}

static enum parse
parse_v1(struct proxy_header *header, const uint8_t *data, size_t size, size_t *used)
{
	size_t most = size < LINE_MAX_SIZE - 1 ? size : LINE_MAX_SIZE - 1;
	const uint8_t *cr = memchr(data, '\r', most);
	size_t len = cr ? (size_t)(cr - data) : most;
	struct line line = { .unknown = false };
	char text[LINE_MAX_SIZE];
	enum parse parse;

	memcpy(text, data, len);
	parse = measure_line(&line, text, len, cr != NULL);
	if (parse == PARSE_BAD || (!cr && len == LINE_MAX_SIZE - 1))
		return PARSE_BAD;
	if (!cr || size == len + 1)
		return PARSE_MORE;
	if (data[len + 1] != '\n')
		return PARSE_BAD;
	*header = (struct proxy_header){ .named = !line.unknown };
	if (header->named) {
		addr_from_text(&header->src, line.host[0], (uint16_t)line.port[0]);
		addr_from_text(&header->dst, line.host[1], (uint16_t)line.port[1]);
	}
	*used = len + 2;
	return PARSE_OK;
}

/*
 * Version 2, section 2.2:
 *
 *	SIGNATURE  VERSION|COMMAND  FAMILY|PROTOCOL  LENGTH  ADDRESSES  TLV...
 *
 * and a TLV is a type, a length of two bytes, and a value.
 */
static const uint8_t signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U',
	'I', 'T', '\n' };

enum { AT_COMMAND = 12, AT_FAMILY = 13, AT_LENGTH = 14, HEAD = 16, TLV_HEAD = 3 };
enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum { PROTO_UNSPEC, PROTO_STREAM, PROTO_DGRAM };
enum { TLV_AUTHORITY = 0x02, TLV_CRC32C = 0x03, TLV_UNIQUE_ID = 0x05, CRC_SIZE = 4 };

/* Bytes of the two addresses, with their ports. */
static const size_t addresses_size[] = {
	[FAMILY_UNSPEC] = 0,
	[FAMILY_INET] = 2 * 4 + 2 * 2,
	[FAMILY_INET6] = 2 * 16 + 2 * 2,
	[FAMILY_UNIX] = 2 * 108,
};

_Static_assert(PROXY_MESSAGE > LINE_MAX_SIZE, "a line with its NUL must fit");
_Static_assert(
	PROXY_MESSAGE >= HEAD + 36 + TLV_HEAD + PROXY_NAME_MAX + TLV_HEAD + PROXY_ID_MAX,
	"so must version 2 with all that it can have");

static uint16_t
get16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

/* CRC-32C (Castagnoli), of a header as if its own checksum at hole were zeros. */
static uint32_t
crc32c(const uint8_t *data, size_t size, size_t hole)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= i >= hole && i < hole + CRC_SIZE ? 0 : data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static bool
crc_right(const uint8_t *data, size_t whole, size_t at)
{
	uint32_t sent = (uint32_t)get16(data + at) << 16 | get16(data + at + 2);

	return crc32c(data, whole, at) == sent;
}

/* One TLV whose value is of that length, at that place. Returns what is wrong, or NULL.
 */
static const char *
take_tlv(struct proxy_header *header, uint8_t type, size_t at, size_t len,
	const uint8_t *data, size_t whole)
{
	if (type == TLV_CRC32C && len != CRC_SIZE)
		return bad_tlv;
	if (type == TLV_CRC32C && !crc_right(data, whole, at))
		return bad_crc;
	if (type != TLV_UNIQUE_ID)
		return NULL;
	if (len > PROXY_ID_MAX)
		return bad_tlv;
	memcpy(header->id, data + at, len);
	header->id_len = len;
	return NULL;
}

/* All of them, from at on. Returns what is wrong, or NULL. */
static const char *
take_tlvs(struct proxy_header *header, size_t at, const uint8_t *data, size_t whole)
{
	const char *why = NULL;

	while (at < whole && !why) {
		size_t len;

		if (whole - at < TLV_HEAD)
			return bad_tlv;
		len = get16(data + at + 1);
		if (whole - at - TLV_HEAD < len)
			return bad_tlv;
		why = take_tlv(header, data[at], at + TLV_HEAD, len, data, whole);
		at += TLV_HEAD + len;
	}
	return why;
}

/* Judges the 16 bytes of the head, as many as are there. Returns what is wrong, or NULL.
 */
static const char *
head_fault(const uint8_t *data, size_t size)
{
	bool local = size > AT_COMMAND && data[AT_COMMAND] == COMMAND_LOCAL;
	int family = size > AT_FAMILY ? data[AT_FAMILY] >> 4 : 0;
	int protocol = size > AT_FAMILY ? data[AT_FAMILY] & 15 : 0;
	size_t len = 0;

	if (size > AT_COMMAND && !local && data[AT_COMMAND] != COMMAND_PROXY)
		return bad_version;
	if (!local && (family > FAMILY_UNIX || protocol > PROTO_DGRAM))
		return bad_family;
	if (size > AT_LENGTH)
		len = (size_t)data[AT_LENGTH] << 8;
	if (size >= HEAD)
		len |= data[AT_LENGTH + 1];
	if (len > PROXY_HEADER_MAX - HEAD)
		return too_long;
	if (size >= HEAD && !local && protocol != PROTO_UNSPEC &&
		len < addresses_size[family])
		return too_short;
	return NULL;
}

/* The body of a whole header whose head is right. Returns what is wrong, or NULL. */
static const char *
take_body(struct proxy_header *header, const uint8_t *data, size_t whole)
{
	int family = data[AT_FAMILY] >> 4, protocol = data[AT_FAMILY] & 15;
	int af = family == FAMILY_INET6 ? AF_INET6 : AF_INET;
	size_t ip = family == FAMILY_INET6 ? 16 : 4;
	const uint8_t *at = data + HEAD, *ports = at + 2 * ip;

	*header = (struct proxy_header){ .named = false };
	/*
	 * Of LOCAL all is to be skipped; and of addresses without a protocol, as nothing
	 * says how many bytes they are.
	 */
	if (data[AT_COMMAND] == COMMAND_LOCAL)
		return NULL;
	if (protocol == PROTO_UNSPEC && family != FAMILY_UNSPEC)
		return NULL;
	if (family == FAMILY_INET || family == FAMILY_INET6) {
		addr_from_bytes(&header->src, af, at, get16(ports));
		addr_from_bytes(&header->dst, af, at + ip, get16(ports + 2));
		header->named = true;
	}
	return take_tlvs(header, HEAD + addresses_size[family], data, whole);
}

static enum parse
parse_v2(struct proxy_header *header, const char **why, const uint8_t *data, size_t size,
	size_t *used)
{
	struct proxy_header got;
	size_t whole;

	*why = head_fault(data, size);
	if (*why)
		return PARSE_BAD;
	if (size < HEAD)
		return PARSE_MORE;
	whole = HEAD + (size_t)get16(data + AT_LENGTH);
	if (size < whole)
		return PARSE_MORE;
	*why = take_body(&got, data, whole);
	if (*why)
		return PARSE_BAD;
	*header = got;
	*used = whole;
	return PARSE_OK;
}

enum parse
proxy_parse(struct proxy_header *header, const char **why, const uint8_t *data,
	size_t size, size_t *used)
{
	static const char word[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
	size_t n = size < sizeof(word) ? size : sizeof(word);

	if (size == 0)
		return PARSE_MORE;
	if (memcmp(data, word, n) == 0) {
		*why = bad_line;
		return parse_v1(header, data, size, used);
	}
	n = size < sizeof(signature) ? size : sizeof(signature);
	if (memcmp(data, signature, n) == 0)
		return parse_v2(header, why, data, size, used);
	*why = not_proxy;
	return PARSE_BAD;
}

/* The address as IPv6, IPv4 as an IPv4-mapped one: 16 bytes. */
static void
as_v6(uint8_t out[16], const struct addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t size;
	const uint8_t *bytes = addr_bytes(a, &size);

	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + 16 - size, bytes, size);
}

/* The bytes of two addresses in the family that both can be written in: AF_... */
static int
as_one_family(uint8_t out[2][16], const struct addr *src, const struct addr *dst)
{
	const struct addr *both[2] = { src, dst };
	bool v4 = addr_family(src) == AF_INET && addr_family(dst) == AF_INET;
	size_t size;

	for (int i = 0; i < 2; i++) {
		const uint8_t *bytes = addr_bytes(both[i], &size);

		if (v4)
			memcpy(out[i], bytes, 4);
		else
			as_v6(out[i], both[i]);
	}
	return v4 ? AF_INET : AF_INET6;
}

size_t
proxy_build_v1(uint8_t buf[PROXY_MESSAGE], const struct addr *src, const struct addr *dst)
{
	char text[2][INET6_ADDRSTRLEN] = { "", "" };
	uint8_t bytes[2][16];
	int af, n;

	if (!src)
		return (size_t)snprintf((char *)buf, PROXY_MESSAGE, "PROXY UNKNOWN\r\n");
	af = as_one_family(bytes, src, dst);
	for (int i = 0; i < 2; i++)
		inet_ntop(af, bytes[i], text[i], sizeof(text[i]));
	n = snprintf((char *)buf, PROXY_MESSAGE, "PROXY %s %s %s %u %u\r\n",
		af == AF_INET ? "TCP4" : "TCP6", text[0], text[1],
		(unsigned)addr_port(src), (unsigned)addr_port(dst));
	assert(n > 0 && n <= LINE_MAX_SIZE);
	return (size_t)n;
}

static size_t
put(uint8_t *buf, const void *bytes, size_t size)
{
	memcpy(buf, bytes, size);
	return size;
}

static size_t
put16(uint8_t *buf, size_t value)
{
	buf[0] = (uint8_t)(value >> 8);
	buf[1] = value & 0xff;
	return 2;
}

/* Returns the FAMILY|PROTOCOL of what it has put behind the head, *end bytes from buf. */
static uint8_t
put_addresses(uint8_t *buf, size_t *end, const struct addr *src, const struct addr *dst)
{
	uint8_t bytes[2][16];
	int af = as_one_family(bytes, src, dst);
	size_t ip = af == AF_INET ? 4 : 16;
	int family = af == AF_INET ? FAMILY_INET : FAMILY_INET6;

	*end += put(buf + *end, bytes[0], ip);
	*end += put(buf + *end, bytes[1], ip);
	*end += put16(buf + *end, addr_port(src));
	*end += put16(buf + *end, addr_port(dst));
	return (uint8_t)(family << 4 | PROTO_STREAM);
}

static size_t
put_tlv(uint8_t *buf, uint8_t type, const void *value, size_t len)
{
	buf[0] = type;
	put16(buf + 1, len);
	put(buf + TLV_HEAD, value, len);
	return TLV_HEAD + len;
}

static size_t
put_extras(uint8_t *buf, const struct proxy_extras *extras)
{
	size_t end = 0;

	if (extras->authority) {
		size_t len = strlen(extras->authority);

		assert(len <= PROXY_NAME_MAX);
		end += put_tlv(buf, TLV_AUTHORITY, extras->authority, len);
	}
	if (extras->id) {
		assert(extras->id_len <= PROXY_ID_MAX);
		end += put_tlv(buf + end, TLV_UNIQUE_ID, extras->id, extras->id_len);
	}
	return end;
}

size_t
proxy_build_v2(uint8_t buf[PROXY_MESSAGE], const struct addr *src, const struct addr *dst,
	const struct proxy_extras *extras)
{
	size_t end = HEAD;

	put(buf, signature, sizeof(signature));
	buf[AT_COMMAND] = src ? COMMAND_PROXY : COMMAND_LOCAL;
	buf[AT_FAMILY] = src ? put_addresses(buf, &end, src, dst) : 0;
	if (extras)
		end += put_extras(buf + end, extras);
	put16(buf + AT_LENGTH, end - HEAD);
	return end;
}
