/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of socks_proto. Every parser is run through parse(), which hands it its
 * bytes at the very end of a block of the heap, so that a sanitizer sees a read beyond
 * them, and which fails the test when a verdict other than PARSE_OK has changed the
 * caller's struct.
 */
#include "config.h"
#include "socks_proto.h"

#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROOM	     600 /* more bytes than any message or fuzz input has */

enum kind { GREETING, METHOD, REQUEST, REPLY, KINDS };

struct bytes {
	uint8_t data[ROOM];
	size_t size;
};

/* What a parser said, and what it filled. */
struct result {
	enum parse parse;
	enum socks_rep rep;
	size_t used;
	union {
		struct socks_greeting greeting;
		uint8_t method;
		struct socks_request request;
		struct socks_reply reply;
	};
};

/* As ck_assert(), which writes to a file at each call: too slow for the fuzz test. */
static void
must(bool ok, const char *what)
{
	if (!ok)
		ck_abort_msg("not so: %s", what);
}

static enum parse
dispatch(enum kind kind, struct result *r, const uint8_t *data, size_t size)
{
	if (kind == GREETING)
		return socks_parse_greeting(&r->greeting, data, size, &r->used);
	if (kind == METHOD)
		return socks_parse_method(&r->method, data, size, &r->used);
	if (kind == REQUEST)
		return socks_parse_request(&r->request, &r->rep, data, size, &r->used);
	return socks_parse_reply(&r->reply, data, size, &r->used);
}

/* All bytes of both, padding too: nothing at all may be written. */
static bool
untouched(const struct result *r, const struct result *before)
{
	return memcmp(r, before, sizeof(*r)) == 0;
}

static struct result
parse(enum kind kind, const uint8_t *data, size_t size)
{
	static uint8_t *block;
	struct result r, before;
	enum parse verdict;

	if (!block)
		block = malloc(ROOM);
	must(block != NULL && size <= ROOM, "the input fits");
	memcpy(block + ROOM - size, data, size);
	memset(&r, 0xa5, sizeof(r));
	memset(&before, 0xa5, sizeof(before));

	verdict = dispatch(kind, &r, block + ROOM - size, size);
	if (verdict == PARSE_OK)
		must(r.used > 0 && r.used <= size, "it consumes bytes that are there");
	if (verdict == PARSE_BAD && kind == REQUEST) {
		must(r.rep == SOCKS_REP_FAILURE || r.rep == SOCKS_REP_BAD_ATYP,
			"PARSE_BAD sets rep");
		before.rep = r.rep;
	}
	if (verdict != PARSE_OK)
		must(untouched(&r, &before), "nothing changes unless PARSE_OK");
	r.parse = verdict;
	return r;
}

static bool
same_dest(const struct socks_dest *a, const struct socks_dest *b)
{
	if (a->atyp != b->atyp)
		return false;
	if (a->atyp == SOCKS_ATYP_NAME)
		return strcmp(a->name.host, b->name.host) == 0 &&
			a->name.port == b->name.port;
	return addr_equal(&a->addr, &b->addr);
}

/* Two results of PARSE_OK that say the same. */
static bool
same(enum kind kind, const struct result *a, const struct result *b)
{
	if (a->parse != PARSE_OK || b->parse != PARSE_OK || a->used != b->used)
		return false;
	if (kind == GREETING)
		return a->greeting.nmethods == b->greeting.nmethods &&
			memcmp(a->greeting.methods, b->greeting.methods,
				a->greeting.nmethods) == 0;
	if (kind == METHOD)
		return a->method == b->method;
	if (kind == REQUEST)
		return a->request.cmd == b->request.cmd &&
			same_dest(&a->request.dst, &b->request.dst);
	return a->reply.rep == b->reply.rep && same_dest(&a->reply.bnd, &b->reply.bnd);
}

/* Appends what hex digits say; blanks between bytes are for the reader. */
static void
add_hex(struct bytes *b, const char *hex)
{
	for (; *hex != '\0'; hex++) {
		char pair[3] = { hex[0], hex[1], '\0' };

		if (*hex == ' ')
			continue;
		ck_assert(isxdigit((unsigned char)hex[0]) &&
			isxdigit((unsigned char)hex[1]) && b->size < ROOM);
		b->data[b->size++] = (uint8_t)strtoul(pair, NULL, 16);
		hex++;
	}
}

static struct result
parse_hex(enum kind kind, const char *hex)
{
	struct bytes b = { .size = 0 };

	add_hex(&b, hex);
	return parse(kind, b.data, b.size);
}

/* head, n times fill, tail. */
static struct bytes
padded(const char *head, char fill, size_t n, const char *tail)
{
	struct bytes b = { .size = 0 };

	add_hex(&b, head);
	memset(b.data + b.size, fill, n);
	b.size += n;
	add_hex(&b, tail);
	return b;
}

/* Valid messages of every shape; n times 'x' between head and tail. */
static const struct {
	enum kind kind;
	const char *head;
	size_t n;
	const char *tail;
} samples[] = {
	{ GREETING, "05 00", 0, "" },
	{ GREETING, "05 01 00", 0, "" },
	{ GREETING, "05 04 00 00 02 80", 0, "" },
	{ GREETING, "05 ff", 255, "" },
	{ METHOD, "05 00", 0, "" },
	{ METHOD, "05 02", 0, "" },
	{ METHOD, "05 ff", 0, "" },
	{ REQUEST, "05 01 00 01 c0000201 0050", 0, "" },
	{ REQUEST, "05 01 00 04 20010db8000000000000000000000001 0050", 0, "" },
	{ REQUEST, "05 01 00 04 00000000000000000000ffffc0000201 0050", 0, "" },
	{ REQUEST, "05 01 00 03 01", 1, "0050" },
	{ REQUEST, "05 01 00 03 ff", 255, "0050" },
	{ REQUEST, "05 01 00 03 03 6120ff 0050", 0, "" },
	{ REQUEST, "05 01 a7 01 00000000 0001", 0, "" },
	{ REQUEST, "05 02 00 01 00000000 0000", 0, "" },
	{ REQUEST, "05 03 00 03 01 30 0000", 0, "" },
	{ REQUEST, "05 00 00 01 c0000201 0000", 0, "" },
	{ REQUEST, "05 ff 00 03 01", 1, "0100" },
	{ REPLY, "05 00 00 01 7f000001 1f90", 0, "" },
	{ REPLY, "05 00 00 04 20010db8000000000000000000000001 1f90", 0, "" },
	{ REPLY, "05 01 00 01 00000000 0000", 0, "" },
	{ REPLY, "05 00 00 03 00 0000", 0, "" },
	{ REPLY, "05 00 00 03 ff", 255, "0050" },
	{ REPLY, "05 00 00 03 03 610062 0050", 0, "" },
	{ REPLY, "05 ff a7 01 00000000 0000", 0, "" },
};

static struct bytes
sample(int i)
{
	return padded(samples[i].head, 'x', samples[i].n, samples[i].tail);
}

START_TEST(valid_message_consumes_itself_and_no_byte_behind)
{
	enum kind kind = samples[_i].kind;
	struct bytes b = sample(_i);
	struct result alone = parse(kind, b.data, b.size), more;
	size_t whole = b.size;

	ck_assert_int_eq(alone.parse, PARSE_OK);
	ck_assert(alone.used == whole);
	add_hex(&b, "05 00 ff 47 45 54 20 2f 00");
	more = parse(kind, b.data, b.size);
	ck_assert(same(kind, &alone, &more));
	more = parse(kind, b.data, whole + 1);
	ck_assert(same(kind, &alone, &more));
}
END_TEST

START_TEST(message_cut_anywhere_wants_more_and_touches_nothing)
{
	struct bytes b = sample(_i);
	size_t size;

	for (size = 0; size < b.size; size++)
		ck_assert_msg(parse(samples[_i].kind, b.data, size).parse == PARSE_MORE,
			"cut at %zu of %zu", size, b.size);
}
END_TEST

/* As a session does it: bytes come one at a time, what is whole is taken out. */
START_TEST(stream_of_messages_byte_by_byte_gives_each_once)
{
	static const enum kind kinds[] = { GREETING, REQUEST };
	struct bytes in = { .size = 0 }, held = { .size = 0 };
	struct result got[2];
	size_t i, n = 0;

	add_hex(&in, "05 02 02 00  05 01 00 03 04 686f7374 01bb  05 00 47");
	for (i = 0; i < in.size; i++) {
		struct result r;

		held.data[held.size++] = in.data[i];
		if (n == 2)
			continue;
		r = parse(kinds[n], held.data, held.size);
		if (r.parse == PARSE_MORE)
			continue;
		ck_assert_int_eq(r.parse, PARSE_OK);
		held.size -= r.used;
		memmove(held.data, held.data + r.used, held.size);
		got[n++] = r;
	}
	ck_assert(n == 2);
	ck_assert_int_eq(got[0].greeting.nmethods, 2);
	ck_assert_int_eq(got[0].greeting.methods[0], 2);
	ck_assert_int_eq(got[0].greeting.methods[1], 0);
	ck_assert_int_eq(got[1].request.cmd, SOCKS_CONNECT);
	ck_assert_str_eq(got[1].request.dst.name.host, "host");
	ck_assert_int_eq(got[1].request.dst.name.port, 443);
	ck_assert(held.size == 3 && memcmp(held.data, "\5\0G", 3) == 0);
}
END_TEST

/* The client's builders against the server's parsers, and the other way round. */

START_TEST(built_greeting_is_parsed_by_the_server)
{
	static const uint8_t counts[] = { 0, 1, 2, 254, 255 };
	uint8_t buf[SOCKS_MESSAGE];
	size_t i, j;

	for (i = 0; i < COUNT(counts); i++) {
		struct socks_greeting sent = { .nmethods = counts[i] };
		struct result r;
		size_t size;

		for (j = 0; j < counts[i]; j++)
			sent.methods[j] = (uint8_t)(j + 1);
		size = socks_build_greeting(buf, &sent);
		ck_assert(size == 2 + (size_t)counts[i] && size <= sizeof(buf));
		r = parse(GREETING, buf, size);
		ck_assert_int_eq(r.parse, PARSE_OK);
		ck_assert(r.used == size);
		ck_assert_int_eq(r.greeting.nmethods, counts[i]);
		ck_assert(memcmp(r.greeting.methods, sent.methods, counts[i]) == 0);
	}
}
END_TEST

START_TEST(built_method_is_parsed_by_the_client)
{
	uint8_t buf[SOCKS_MESSAGE];
	int method;

	for (method = 0; method <= UINT8_MAX; method++) {
		struct result r;

		ck_assert(socks_build_method(buf, (uint8_t)method) == 2);
		r = parse(METHOD, buf, 2);
		ck_assert_int_eq(r.parse, PARSE_OK);
		ck_assert_int_eq(r.method, method);
	}
}
END_TEST

static struct hostport
host(const char *text, uint16_t port)
{
	struct hostport hp = { .port = port };

	ck_assert(strlen(text) <= HOST_MAX);
	strcpy(hp.host, text);
	return hp;
}

/* There and back: a request to hp. Returns it as the server sees it. */
static struct socks_request
requested(uint8_t cmd, const struct hostport *hp)
{
	struct socks_request sent = { .cmd = cmd };
	uint8_t buf[SOCKS_MESSAGE];
	struct result r;
	size_t size;

	socks_dest_from_hostport(&sent.dst, hp);
	size = socks_build_request(buf, &sent);
	ck_assert(size <= sizeof(buf));
	ck_assert_int_eq(buf[2], 0); /* RSV */
	r = parse(REQUEST, buf, size);
	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert(r.used == size);
	ck_assert_int_eq(r.request.cmd, cmd);
	ck_assert(same_dest(&r.request.dst, &sent.dst));
	return r.request;
}

START_TEST(built_request_is_parsed_by_the_server)
{
	static const struct {
		const char *host;
		enum socks_atyp atyp;
	} rows[] = {
		{ "192.0.2.1", SOCKS_ATYP_IPV4 },
		{ "2001:db8::1", SOCKS_ATYP_IPV6 },
		{ "::ffff:192.0.2.1", SOCKS_ATYP_IPV4 },
		{ "example.com", SOCKS_ATYP_NAME },
		{ "x", SOCKS_ATYP_NAME },
		{ "127.1", SOCKS_ATYP_NAME },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct hostport hp = host(rows[i].host, 0xfffe);
		struct socks_request got = requested(SOCKS_CONNECT, &hp);

		ck_assert_int_eq(got.dst.atyp, rows[i].atyp);
		if (got.dst.atyp == SOCKS_ATYP_NAME) {
			ck_assert_str_eq(got.dst.name.host, rows[i].host);
			ck_assert_int_eq(got.dst.name.port, 0xfffe);
		} else {
			ck_assert_int_eq(addr_port(&got.dst.addr), 0xfffe);
		}
		hp.port = 0;
		requested(SOCKS_BIND, &hp);
		requested(SOCKS_UDP_ASSOCIATE, &hp);
	}
}
END_TEST

START_TEST(name_of_255_bytes_goes_there_and_back)
{
	struct hostport hp = { .port = 80 };
	struct socks_request got;

	memset(hp.host, 'x', HOST_MAX);
	got = requested(SOCKS_CONNECT, &hp);
	ck_assert_int_eq((int)strlen(got.dst.name.host), HOST_MAX);
	ck_assert_str_eq(got.dst.name.host, hp.host);
}
END_TEST

START_TEST(built_reply_is_parsed_by_the_client)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1" };
	uint8_t buf[SOCKS_MESSAGE];
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		struct addr bnd;
		struct result r;
		size_t size;

		ck_assert(addr_from_text(&bnd, texts[i], 0x1234));
		size = socks_build_reply(buf, SOCKS_REP_SUCCEEDED, &bnd);
		ck_assert_int_eq(buf[2], 0); /* RSV */
		r = parse(REPLY, buf, size);
		ck_assert_int_eq(r.parse, PARSE_OK);
		ck_assert(r.used == size);
		ck_assert_int_eq(r.reply.rep, SOCKS_REP_SUCCEEDED);
		ck_assert(addr_equal(&r.reply.bnd.addr, &bnd));
		ck_assert_int_eq(r.reply.bnd.atyp, i ? SOCKS_ATYP_IPV6 : SOCKS_ATYP_IPV4);
	}
}
END_TEST

START_TEST(failure_reply_is_well_formed_with_nothing_in_bnd)
{
	static const uint8_t want[] = { 5, 4, 0, 1, 0, 0, 0, 0, 0, 0 };
	uint8_t buf[SOCKS_MESSAGE];
	size_t size;

	memset(buf, 0xa5, sizeof(buf));
	size = socks_build_reply(buf, SOCKS_REP_HOST_UNREACHABLE, NULL);
	ck_assert(size == sizeof(want));
	ck_assert(memcmp(buf, want, sizeof(want)) == 0);
}
END_TEST

START_TEST(bytes_on_the_wire_are_those_of_the_rfc)
{
	static const uint8_t name[] = { 5, 1, 0, 3, 2, 'a', 'b', 0x01, 0xbb };
	static const uint8_t v4[] = { 5, 2, 0, 1, 192, 0, 2, 1, 0x00, 0x50 };
	static const uint8_t v6[] = { 5, 3, 0, 4, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 9, 0x00, 0x50 };
	const struct {
		uint8_t cmd;
		struct hostport hp;
		const uint8_t *want;
		size_t size;
	} rows[] = {
		{ 1, host("ab", 443), name, sizeof(name) },
		{ 2, host("192.0.2.1", 80), v4, sizeof(v4) },
		{ 3, host("2001:db8::9", 80), v6, sizeof(v6) },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct socks_request request = { .cmd = rows[i].cmd };
		uint8_t buf[SOCKS_MESSAGE];

		socks_dest_from_hostport(&request.dst, &rows[i].hp);
		ck_assert(socks_build_request(buf, &request) == rows[i].size);
		ck_assert(memcmp(buf, rows[i].want, rows[i].size) == 0);
	}
}
END_TEST

/* The server's half. */

START_TEST(greeting_may_offer_nothing_unknown_and_twice)
{
	struct result r = parse_hex(GREETING, "05 00");

	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert_int_eq(r.greeting.nmethods, 0);
	r = parse_hex(GREETING, "05 03 fe fe 00");
	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert(memcmp(r.greeting.methods, "\xfe\xfe\0", 3) == 0);
}
END_TEST

START_TEST(last_of_255_methods_is_there)
{
	struct bytes b = padded("05 ff", '\x80', 254, "02");
	struct result r = parse(GREETING, b.data, b.size);

	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert_int_eq(r.greeting.nmethods, 255);
	ck_assert_int_eq(r.greeting.methods[253], 0x80);
	ck_assert_int_eq(r.greeting.methods[254], 2);
}
END_TEST

START_TEST(wrong_version_is_told_at_the_first_byte)
{
	int kind, ver;

	for (kind = GREETING; kind < KINDS; kind++) {
		for (ver = 0; ver <= UINT8_MAX; ver++) {
			uint8_t first = (uint8_t)ver;
			struct result r = parse((enum kind)kind, &first, 1);

			ck_assert_int_eq(r.parse, ver == 5 ? PARSE_MORE : PARSE_BAD);
			if (kind == REQUEST && ver != 5)
				ck_assert_int_eq(r.rep, SOCKS_REP_FAILURE);
		}
	}
}
END_TEST

START_TEST(bad_atyp_is_told_as_soon_as_it_is_seen)
{
	int atyp;

	for (atyp = 0; atyp <= UINT8_MAX; atyp++) {
		const uint8_t head[] = { 5, 1, 0, (uint8_t)atyp };
		bool good = atyp == 1 || atyp == 3 || atyp == 4;
		struct result r = parse(REQUEST, head, sizeof(head));

		ck_assert_int_eq(r.parse, good ? PARSE_MORE : PARSE_BAD);
		if (!good)
			ck_assert_int_eq(r.rep, SOCKS_REP_BAD_ATYP);
		r = parse(REPLY, head, sizeof(head));
		ck_assert_int_eq(r.parse, good ? PARSE_MORE : PARSE_BAD);
	}
}
END_TEST

START_TEST(bad_atyp_is_told_with_an_unknown_command_too)
{
	struct result r = parse_hex(REQUEST, "05 09 00 02");

	ck_assert_int_eq(r.parse, PARSE_BAD);
	ck_assert_int_eq(r.rep, SOCKS_REP_BAD_ATYP);
}
END_TEST

static void
expect_failure(const char *hex)
{
	struct result r = parse_hex(REQUEST, hex);

	ck_assert_msg(r.parse == PARSE_BAD, "verdict %d: %s", (int)r.parse, hex);
	ck_assert_msg(r.rep == SOCKS_REP_FAILURE, "REP %d: %s", (int)r.rep, hex);
}

START_TEST(empty_name_is_refused_at_its_length_byte)
{
	expect_failure("05 01 00 03 00");
	expect_failure("05 01 00 03 00 0050");
	expect_failure("05 02 00 03 00");
	expect_failure("05 09 00 03 00");
}
END_TEST

START_TEST(domain_with_nul_is_refused)
{
	expect_failure("05 01 00 03 03 610062 0050");
	expect_failure("05 01 00 03 01 00 0050");
	expect_failure("05 01 00 03 02 6100 0050");
	expect_failure("05 01 00 03 ff 6100"); /* before the rest has come */
}
END_TEST

START_TEST(domain_with_any_control_byte_and_no_other_is_refused)
{
	int c;

	for (c = 0; c <= UINT8_MAX; c++) {
		const uint8_t data[] = { 5, 1, 0, 3, 3, 'a', (uint8_t)c, 'b', 0, 80 };
		bool bad = c < 0x20 || c == 0x7f;
		struct result r = parse(REQUEST, data, sizeof(data));

		ck_assert_int_eq(r.parse, bad ? PARSE_BAD : PARSE_OK);
		if (bad)
			ck_assert_int_eq(r.rep, SOCKS_REP_FAILURE);
		else
			ck_assert(memcmp(r.request.dst.name.host, data + 5, 3) == 0);
		/* And at that byte already. */
		r = parse(REQUEST, data, 7);
		ck_assert_int_eq(r.parse, bad ? PARSE_BAD : PARSE_MORE);
	}
}
END_TEST

START_TEST(control_bytes_behind_the_name_are_not_of_it)
{
	struct result r = parse_hex(REQUEST, "05 01 00 03 01 61 0a0d 00 01");

	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert_str_eq(r.request.dst.name.host, "a");
	ck_assert_int_eq(r.request.dst.name.port, 0x0a0d);
}
END_TEST

START_TEST(connect_to_port_0_is_refused)
{
	expect_failure("05 01 00 01 c0000201 0000");
	expect_failure("05 01 00 03 01 61 0000");
	expect_failure("05 01 00 04 20010db8000000000000000000000001 0000");
	ck_assert_int_eq(parse_hex(REQUEST, "05 01 00 01 c0000201 00").parse, PARSE_MORE);
	ck_assert_int_eq(parse_hex(REQUEST, "05 01 00 01 c0000201 0100").parse, PARSE_OK);
	ck_assert_int_eq(parse_hex(REQUEST, "05 01 00 01 c0000201 0001").parse, PARSE_OK);
}
END_TEST

START_TEST(any_other_command_may_name_port_0)
{
	int cmd;

	for (cmd = 0; cmd <= UINT8_MAX; cmd++) {
		const uint8_t data[] = { 5, (uint8_t)cmd, 0, 1, 0, 0, 0, 0, 0, 0 };
		struct result r = parse(REQUEST, data, sizeof(data));

		if (cmd == SOCKS_CONNECT)
			continue;
		ck_assert_int_eq(r.parse, PARSE_OK);
		ck_assert_int_eq(r.request.cmd, cmd);
		ck_assert_int_eq(r.request.dst.atyp, SOCKS_ATYP_IPV4);
		ck_assert_int_eq(addr_port(&r.request.dst.addr), 0);
	}
}
END_TEST

START_TEST(rsv_of_any_value_is_tolerated)
{
	int rsv;

	for (rsv = 0; rsv <= UINT8_MAX; rsv++) {
		const uint8_t data[] = { 5, 1, (uint8_t)rsv, 1, 127, 0, 0, 1, 0, 80 };

		ck_assert_int_eq(parse(REQUEST, data, sizeof(data)).parse, PARSE_OK);
		ck_assert_int_eq(parse(REPLY, data, sizeof(data)).parse, PARSE_OK);
	}
}
END_TEST

START_TEST(name_that_is_text_of_an_address_stays_a_name)
{
	static const char *const texts[] = { "127.0.0.1", "0.0.0.0", "::1", "[::1]",
		"::ffff:127.0.0.1", "0" };
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		struct socks_request sent = { .cmd = SOCKS_CONNECT };
		uint8_t buf[SOCKS_MESSAGE];
		struct result r;

		sent.dst.atyp = SOCKS_ATYP_NAME;
		sent.dst.name = host(texts[i], 80);
		r = parse(REQUEST, buf, socks_build_request(buf, &sent));
		ck_assert_int_eq(r.parse, PARSE_OK);
		ck_assert_int_eq(r.request.dst.atyp, SOCKS_ATYP_NAME);
		ck_assert_str_eq(r.request.dst.name.host, texts[i]);
	}
}
END_TEST

START_TEST(mapped_address_arrives_as_ipv4)
{
	struct result r =
		parse_hex(REQUEST, "05 01 00 04 00000000000000000000ffff7f000001 0050");

	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert(r.used == 22);
	ck_assert_int_eq(r.request.dst.atyp, SOCKS_ATYP_IPV4);
	ck_assert_int_eq(addr_family(&r.request.dst.addr), AF_INET);
	ck_assert(addr_is_loopback(&r.request.dst.addr));
	ck_assert_int_eq(addr_port(&r.request.dst.addr), 80);
}
END_TEST

/* The client's half. */

START_TEST(reply_takes_any_rep)
{
	int rep;

	for (rep = 0; rep <= UINT8_MAX; rep++) {
		const uint8_t data[] = { 5, (uint8_t)rep, 0, 1, 192, 0, 2, 1, 0x12,
			0x34 };
		struct result r = parse(REPLY, data, sizeof(data));

		ck_assert_int_eq(r.parse, PARSE_OK);
		ck_assert_int_eq(r.reply.rep, rep);
		ck_assert_int_eq(addr_port(&r.reply.bnd.addr), 0x1234);
	}
}
END_TEST

START_TEST(reply_takes_names_that_a_request_may_not_have)
{
	struct bytes b = padded("05 00 00 03 ff", 'y', 255, "1234");
	struct result r = parse(REPLY, b.data, b.size);

	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert_int_eq(r.reply.bnd.atyp, SOCKS_ATYP_NAME);
	ck_assert_int_eq((int)strlen(r.reply.bnd.name.host), 255);
	ck_assert_int_eq(r.reply.bnd.name.port, 0x1234);
	r = parse_hex(REPLY, "05 00 00 03 00 1234");
	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert(r.used == 7);
	ck_assert_str_eq(r.reply.bnd.name.host, "");
	ck_assert_int_eq(r.reply.bnd.name.port, 0x1234);
	r = parse_hex(REPLY, "05 00 00 03 03 0a0041 0000");
	ck_assert_int_eq(r.parse, PARSE_OK);
	ck_assert(r.used == 10);
}
END_TEST

START_TEST(dest_from_hostport_is_an_address_where_it_can)
{
	static const struct {
		const char *host;
		enum socks_atyp atyp;
		const char *text; /* of the address */
	} rows[] = {
		{ "127.0.0.1", SOCKS_ATYP_IPV4, "127.0.0.1:80" },
		{ "::1", SOCKS_ATYP_IPV6, "[::1]:80" },
		{ "::ffff:127.0.0.1", SOCKS_ATYP_IPV4, "127.0.0.1:80" },
		{ "127.1", SOCKS_ATYP_NAME, NULL },
		{ "localhost", SOCKS_ATYP_NAME, NULL },
		{ "fe80::1%lo", SOCKS_ATYP_NAME, NULL },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct hostport hp = host(rows[i].host, 80);
		struct socks_dest dest;
		char out[ADDR_TEXT];

		memset(&dest, 0xa5, sizeof(dest));
		socks_dest_from_hostport(&dest, &hp);
		ck_assert_int_eq(dest.atyp, rows[i].atyp);
		if (rows[i].text) {
			ck_assert_str_eq(addr_text(&dest.addr, out), rows[i].text);
		} else {
			ck_assert_str_eq(dest.name.host, rows[i].host);
			ck_assert_int_eq(dest.name.port, 80);
		}
	}
}
END_TEST

START_TEST(every_rep_has_a_text)
{
	int rep;

	ck_assert_str_eq(socks_rep_text(0), "succeeded");
	ck_assert_str_eq(socks_rep_text(1), "general SOCKS server failure");
	ck_assert_str_eq(socks_rep_text(2), "connection not allowed by ruleset");
	ck_assert_str_eq(socks_rep_text(3), "network unreachable");
	ck_assert_str_eq(socks_rep_text(4), "host unreachable");
	ck_assert_str_eq(socks_rep_text(5), "connection refused");
	ck_assert_str_eq(socks_rep_text(6), "TTL expired");
	ck_assert_str_eq(socks_rep_text(7), "command not supported");
	ck_assert_str_eq(socks_rep_text(8), "address type not supported");
	for (rep = 9; rep <= UINT8_MAX; rep++)
		ck_assert_str_eq(socks_rep_text((uint8_t)rep), "unassigned");
}
END_TEST

START_TEST(other_protocols_are_guessed_by_their_first_byte)
{
	static const char http[] = "CDGHOP";
	size_t i;
	int first;

	for (i = 0; i < strlen(http); i++)
		ck_assert_str_eq(socks_guess_peer((uint8_t)http[i]), "HTTP");
	ck_assert_str_eq(socks_guess_peer(0x16), "TLS");
	ck_assert_str_eq(socks_guess_peer(4), "SOCKS4");
	ck_assert_str_eq(socks_guess_peer('S'), "SSH");
	ck_assert_str_eq(socks_guess_peer(0), "something else");
	ck_assert_str_eq(socks_guess_peer('g'), "something else");
	for (first = 0; first <= UINT8_MAX; first++)
		ck_assert(socks_guess_peer((uint8_t)first) != NULL);
}
END_TEST

/*
 * Fuzz: the same inputs each time. Pure noise would fail at VER and ATYP nearly always,
 * so most inputs are bent towards validity there; the tallies at the end prove that every
 * parser has given every verdict often.
 */

#define FUZZ_ROUNDS 200000

static uint32_t fuzz_state = 0x2545f491;

/* xorshift32: 0 to n - 1. */
static uint32_t
rnd(uint32_t n)
{
	fuzz_state ^= fuzz_state << 13;
	fuzz_state ^= fuzz_state >> 17;
	fuzz_state ^= fuzz_state << 5;
	return fuzz_state % n;
}

static uint8_t
rnd_name_byte(void)
{
	return (uint8_t)(rnd(200) == 0 ? rnd(256) : 'a' + rnd(26));
}

/* n bytes. */
static struct bytes
fuzz_input(size_t n)
{
	static const uint8_t atyps[] = { 1, 3, 4 };
	struct bytes b = { .size = n };
	bool text = rnd(2) == 0;
	size_t i;

	for (i = 0; i < n; i++)
		b.data[i] = text ? rnd_name_byte() : (uint8_t)rnd(256);
	if (rnd(8))
		b.data[0] = 5;
	if (rnd(2))
		b.data[1] = (uint8_t)rnd(24);
	if (rnd(8))
		b.data[3] = atyps[rnd(3)];
	if (rnd(2))
		b.data[4] = (uint8_t)rnd(24);
	if (rnd(8) == 0)
		b.data[8] = b.data[9] = 0;
	return b;
}

/* Whether name is what data holds, and a name that a request may have. */
static bool
good_name(const struct hostport *name, const uint8_t *data)
{
	size_t i, size = data[4];

	for (i = 0; i < size; i++)
		if (data[5 + i] < 0x20 || data[5 + i] == 0x7f)
			return false;
	return size > 0 && strlen(name->host) == size &&
		memcmp(name->host, data + 5, size) == 0;
}

static void
check_request(const struct socks_request *request, const uint8_t *data)
{
	const struct socks_dest *dst = &request->dst;
	uint8_t buf[SOCKS_MESSAGE];
	struct result again;
	uint16_t port;

	if (dst->atyp == SOCKS_ATYP_NAME) {
		must(good_name(&dst->name, data), "the name is whole and clean");
		port = dst->name.port;
	} else {
		must((addr_family(&dst->addr) == AF_INET) ==
				(dst->atyp == SOCKS_ATYP_IPV4),
			"ATYP goes with the address");
		port = addr_port(&dst->addr);
	}
	must(port != 0 || request->cmd != SOCKS_CONNECT, "CONNECT has a port");
	again = parse(REQUEST, buf, socks_build_request(buf, request));
	must(again.parse == PARSE_OK && again.request.cmd == request->cmd &&
			same_dest(&again.request.dst, dst),
		"built again it says the same");
}

/* The verdict on a part of an input binds the verdict on more of it. */
static void
check_growth(
	enum kind kind, const struct result *less, size_t size, const struct result *more)
{
	if (less->parse == PARSE_OK)
		must(same(kind, less, more), "OK stays the same OK");
	if (less->parse == PARSE_BAD)
		must(more->parse == PARSE_BAD && more->rep == less->rep,
			"BAD stays BAD for the same reason");
	if (less->parse == PARSE_MORE && more->parse == PARSE_OK)
		must(more->used > size, "MORE meant that bytes were missing");
}

START_TEST(random_input_gets_verdicts_that_hold_as_it_grows)
{
	int tally[KINDS][3] = { { 0 } };
	int round, kind;

	for (round = 0; round < FUZZ_ROUNDS; round++) {
		size_t size = rnd(2) ? rnd(30) : rnd(300);
		size_t cut = rnd((uint32_t)size + 1);
		struct bytes b = fuzz_input(size + 10 + rnd(50));

		for (kind = GREETING; kind < KINDS; kind++) {
			enum kind k = (enum kind)kind;
			struct result less = parse(k, b.data, cut);
			struct result r = parse(k, b.data, size);
			struct result more = parse(k, b.data, b.size);

			check_growth(k, &less, cut, &r);
			check_growth(k, &r, size, &more);
			if (r.parse == PARSE_OK && k == REQUEST)
				check_request(&r.request, b.data);
			tally[kind][r.parse]++;
		}
	}
	for (kind = GREETING; kind < KINDS; kind++)
		ck_assert_msg(tally[kind][PARSE_OK] > FUZZ_ROUNDS / 20 &&
				tally[kind][PARSE_MORE] > FUZZ_ROUNDS / 50 &&
				tally[kind][PARSE_BAD] > FUZZ_ROUNDS / 20,
			"kind %d: OK %d, MORE %d, BAD %d", kind, tally[kind][PARSE_OK],
			tally[kind][PARSE_MORE], tally[kind][PARSE_BAD]);
}
END_TEST

static TCase *
samples_case(void)
{
	TCase *tc = tcase_create("samples");
	int n = (int)COUNT(samples);

	tcase_add_loop_test(tc, valid_message_consumes_itself_and_no_byte_behind, 0, n);
	tcase_add_loop_test(
		tc, message_cut_anywhere_wants_more_and_touches_nothing, 0, n);
	tcase_add_test(tc, stream_of_messages_byte_by_byte_gives_each_once);
	return tc;
}

static TCase *
halves_case(void)
{
	TCase *tc = tcase_create("halves");

	tcase_add_test(tc, built_greeting_is_parsed_by_the_server);
	tcase_add_test(tc, built_method_is_parsed_by_the_client);
	tcase_add_test(tc, built_request_is_parsed_by_the_server);
	tcase_add_test(tc, name_of_255_bytes_goes_there_and_back);
	tcase_add_test(tc, built_reply_is_parsed_by_the_client);
	tcase_add_test(tc, failure_reply_is_well_formed_with_nothing_in_bnd);
	tcase_add_test(tc, bytes_on_the_wire_are_those_of_the_rfc);
	return tc;
}

static TCase *
server_case(void)
{
	TCase *tc = tcase_create("server");

	tcase_add_test(tc, greeting_may_offer_nothing_unknown_and_twice);
	tcase_add_test(tc, last_of_255_methods_is_there);
	tcase_add_test(tc, wrong_version_is_told_at_the_first_byte);
	tcase_add_test(tc, bad_atyp_is_told_as_soon_as_it_is_seen);
	tcase_add_test(tc, bad_atyp_is_told_with_an_unknown_command_too);
	tcase_add_test(tc, empty_name_is_refused_at_its_length_byte);
	tcase_add_test(tc, domain_with_nul_is_refused);
	tcase_add_test(tc, domain_with_any_control_byte_and_no_other_is_refused);
	tcase_add_test(tc, control_bytes_behind_the_name_are_not_of_it);
	tcase_add_test(tc, connect_to_port_0_is_refused);
	tcase_add_test(tc, any_other_command_may_name_port_0);
	tcase_add_test(tc, rsv_of_any_value_is_tolerated);
	tcase_add_test(tc, name_that_is_text_of_an_address_stays_a_name);
	tcase_add_test(tc, mapped_address_arrives_as_ipv4);
	return tc;
}

static TCase *
client_case(void)
{
	TCase *tc = tcase_create("client");

	tcase_add_test(tc, reply_takes_any_rep);
	tcase_add_test(tc, reply_takes_names_that_a_request_may_not_have);
	tcase_add_test(tc, dest_from_hostport_is_an_address_where_it_can);
	tcase_add_test(tc, every_rep_has_a_text);
	tcase_add_test(tc, other_protocols_are_guessed_by_their_first_byte);
	return tc;
}

static TCase *
fuzz_case(void)
{
	TCase *tc = tcase_create("fuzz");

	tcase_set_timeout(tc, 120); /* under sanitizers, on a slow machine */
	tcase_add_test(tc, random_input_gets_verdicts_that_hold_as_it_grows);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("socks_proto");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, samples_case());
	suite_add_tcase(suite, halves_case());
	suite_add_tcase(suite, server_case());
	suite_add_tcase(suite, client_case());
	suite_add_tcase(suite, fuzz_case());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
