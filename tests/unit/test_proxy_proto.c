/* SPDX-License-Identifier: ISC */
/* Tests of proxy_proto: headers that are right, cut, wrong, and made of noise. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy_proto.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

/* Bytes and their number, of a literal with NULs inside. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* Parses from a buffer of just that size, so that a sanitizer sees a look beyond it. */
static enum parse
parse(struct proxy_header *header, const char **why, const void *data, size_t size,
	size_t *used)
{
	uint8_t *copy = malloc(size ? size : 1);
	enum parse result;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, size);
	*why = NULL;
	result = proxy_parse(header, why, copy, size, used);
	free(copy);
	ck_assert(result != PARSE_BAD || *why);
	return result;
}

static struct proxy_header
must_parse(const void *data, size_t size)
{
	struct proxy_header header;
	const char *why;
	size_t used = 0;

	ck_assert_int_eq(parse(&header, &why, data, size, &used), PARSE_OK);
	ck_assert_uint_eq(used, size);
	return header;
}

/* How many of the bytes it takes until they can never be right; 0: they are not bad. */
static size_t
bad_at(const void *data, size_t size)
{
	struct proxy_header header;
	const char *why;
	size_t used;

	for (size_t n = 0; n <= size; n++)
		if (parse(&header, &why, data, n, &used) == PARSE_BAD)
			return n;
	return 0;
}

static void
expect_addr(const struct addr *addr, const char *text)
{
	char out[ADDR_TEXT];

	ck_assert_str_eq(addr_text(addr, out), text);
}

static struct addr
address(const char *ip, uint16_t port)
{
	struct addr a;

	ck_assert(addr_from_text(&a, ip, port));
	return a;
}

/* Headers that are right, for the tests that cut and change them. */
static const struct sample {
	const char *bytes;
	size_t size;
	const char *src, *dst; /* NULL: they name nobody */
} samples[] = {
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 5555 1080\r\n"), "192.0.2.1:5555",
		"198.51.100.2:1080" },
	{ BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
		"255.255.255.255:65535", "255.255.255.255:65535" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4:0", "5.6.7.8:0" },
	{ BYTES("PROXY TCP6 2001:db8::1 ::1 5555 1080\r\n"), "[2001:db8::1]:5555",
		"[::1]:1080" },
	{ BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"FFFF:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1", "[::1]:2" },
	{ BYTES("PROXY UNKNOWN\r\n"), NULL, NULL },
	{ BYTES("PROXY UNKNOWN ff::1 what ever  1\r\n"), NULL, NULL },
	{ BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		NULL, NULL },
	{ BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x15\xb3\4\x38"),
		"192.0.2.1:5555", "198.51.100.2:1080" },
	{ BYTES(SIGNATURE "\x21\x12\0\x0c\1\2\3\4\5\6\7\x08\0\1\0\2"), "1.2.3.4:1",
		"5.6.7.8:2" },
	{ BYTES(SIGNATURE "\x21\x21\0\x24"
			  "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
			  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
			  "\x15\xb3\4\x38"),
		"[2001:db8::1]:5555", "[::1]:1080" },
	{ BYTES(SIGNATURE "\x21\x21\0\x24"
			  "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
			  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
			  "\x15\xb3\4\x38"),
		"192.0.2.1:5555", "[::1]:1080" },
	{ BYTES(SIGNATURE "\x20\0\0\0"), NULL, NULL },
	{ BYTES(SIGNATURE "\x20\xff\0\2\1\2"), NULL, NULL },
	{ BYTES(SIGNATURE "\x21\0\0\0"), NULL, NULL },
	{ BYTES(SIGNATURE "\x21\0\0\4\4\0\1\0"), NULL, NULL },
	{ BYTES(SIGNATURE "\x21\x10\0\2\1\2"), NULL, NULL },
};

static void
check_sample(const struct sample *s, const struct proxy_header *header)
{
	ck_assert(header->named == (s->src != NULL));
	if (!header->named)
		return;
	expect_addr(&header->src, s->src);
	expect_addr(&header->dst, s->dst);
}

START_TEST(good_headers_name_their_client)
{
	const struct sample *s = &samples[_i];
	struct proxy_header header = must_parse(s->bytes, s->size);

	check_sample(s, &header);
	ck_assert_uint_eq(header.id_len, 0);
}
END_TEST

START_TEST(a_header_cut_anywhere_asks_for_more_and_changes_nothing)
{
	const struct sample *s = &samples[_i];
	struct proxy_header header, before;
	const char *why;
	size_t used = 4711;

	memset(&header, 0xa5, sizeof(header));
	before = header;
	for (size_t n = 0; n < s->size; n++) {
		ck_assert_int_eq(parse(&header, &why, s->bytes, n, &used), PARSE_MORE);
		ck_assert_mem_eq(&header, &before, sizeof(header));
		ck_assert_uint_eq(used, 4711);
	}
}
END_TEST

START_TEST(what_comes_behind_a_header_is_left)
{
	const struct sample *s = &samples[_i];
	uint8_t bytes[PROXY_HEADER_MAX];
	struct proxy_header header;
	const char *why;
	size_t used;

	memcpy(bytes, s->bytes, s->size);
	memset(bytes + s->size, '\r', sizeof(bytes) - s->size);
	ck_assert_int_eq(parse(&header, &why, bytes, sizeof(bytes), &used), PARSE_OK);
	ck_assert_uint_eq(used, s->size);
	check_sample(s, &header);
}
END_TEST

START_TEST(an_unix_address_is_no_address)
{
	uint8_t bytes[16 + 216 + 5] = SIGNATURE "\x21\x31";
	struct proxy_header header;

	bytes[15] = 216 + 5;
	memcpy(bytes + 16 + 216, "\5\0\2id", 5);
	header = must_parse(bytes, sizeof(bytes));
	ck_assert(!header.named);
	ck_assert_uint_eq(header.id_len, 2);
	ck_assert_mem_eq(header.id, "id", 2);
}
END_TEST

/* Bytes that can never be right, and after how many of them that must be told. */
static const struct bad {
	const char *bytes;
	size_t size, at;
} bads[] = {
	{ BYTES("\5\1\0"), 1 },
	{ BYTES("GET / HTTP/1.1\r\n"), 1 },
	{ BYTES("POST / HTTP/1.1\r\n"), 2 },
	{ BYTES("\r\n\r\nQUIT"), 5 },
	{ BYTES("PROXYTCP4"), 6 },
	{ BYTES("PROXY\r\n"), 6 },
	{ BYTES("PROXY \r\n"), 7 },
	{ BYTES("PROXY  TCP4 1.2.3.4"), 7 },
	{ BYTES("PROXY tcp4 1.2.3.4"), 7 },
	{ BYTES("PROXY TCP5 1.2.3.4"), 10 },
	{ BYTES("PROXY TCP45"), 11 },
	{ BYTES("PROXY TCP4\r\n"), 11 },
	{ BYTES("PROXY UNKNOWNX"), 14 },
	{ BYTES("PROXY UNKNOWN\n"), 14 },
	{ BYTES("PROXY UNKNOWN \r\r\n"), 16 },
	{ BYTES("PROXY UNKNOWN a\nb\r\n"), 16 },
	{ BYTES("PROXY UNKNOWN a\0b\r\n"), 16 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), 31 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r"), 32 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), 31 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), 29 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"), 30 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"), 32 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), 29 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n"), 28 },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"), 28 },
	{ BYTES("PROXY TCP4 1.2.3.4  1 2\r\n"), 20 },
	{ BYTES("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"), 17 },
	{ BYTES("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n"), 20 },
	{ BYTES("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"), 21 },
	{ BYTES("PROXY TCP4 localhost 5.6.7.8 1 2\r\n"), 12 },
	{ BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), 12 },
	{ BYTES("PROXY TCP4 111.111.111.1111"), 27 },
	{ BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), 19 },
	{ BYTES("PROXY TCP6 ::1%lo ::1 1 2\r\n"), 15 },
	{ BYTES("PROXY TCP6 [::1] ::1 1 2\r\n"), 12 },
	{ BYTES("PROXY TCP6 1::2::3 ::1 1 2\r\n"), 19 },
	{ BYTES(SIGNATURE "\x11\x11\0\x0c"), 13 },
	{ BYTES(SIGNATURE "\x22\x11\0\x0c"), 13 },
	{ BYTES(SIGNATURE "\x21\x41\0\x0c"), 14 },
	{ BYTES(SIGNATURE "\x21\x13\0\x0c"), 14 },
	{ BYTES(SIGNATURE "\x21\x11\0\x0b"), 16 },
	{ BYTES(SIGNATURE "\x21\x21\0\x23"), 16 },
	{ BYTES(SIGNATURE "\x21\x31\0\xd7"), 16 },
	{ BYTES(SIGNATURE "\x21\x11\x04\0"), 15 },
	{ BYTES(SIGNATURE "\x21\x11\x03\xf1"), 16 },
	{ BYTES(SIGNATURE "\x20\0\xff\xff"), 15 },
	{ BYTES(SIGNATURE "\x21\0\0\2\4\0"), 18 },
	{ BYTES(SIGNATURE "\x21\0\0\4\4\0\2\0"), 20 },
	{ BYTES(SIGNATURE "\x21\0\0\4\3\0\1\0"), 20 },
	{ BYTES(SIGNATURE "\x21\0\0\7\3\0\4\0\0\0\0"), 23 },
};

START_TEST(bad_headers_are_told_as_early_as_can_be)
{
	const struct bad *b = &bads[_i];

	ck_assert_msg(bad_at(b->bytes, b->size) == b->at, "row %d: %zu instead of %zu",
		_i, bad_at(b->bytes, b->size), b->at);
}
END_TEST

START_TEST(a_line_without_its_end_is_bad_at_107_bytes)
{
	char line[200] = "PROXY UNKNOWN ";
	struct proxy_header header;
	const char *why;
	size_t used;

	memset(line + 14, 'x', sizeof(line) - 14);
	ck_assert_uint_eq(bad_at(line, sizeof(line)), 106);
	memcpy(line + 105, "\r\n", 2);
	ck_assert_int_eq(parse(&header, &why, line, 107, &used), PARSE_OK);
	ck_assert_uint_eq(used, 107);
	memcpy(line + 105, "x\r\n", 3);
	ck_assert_uint_eq(bad_at(line, sizeof(line)), 106);
}
END_TEST

START_TEST(the_longest_header_is_read_and_one_byte_more_refused)
{
	uint8_t bytes[PROXY_HEADER_MAX + 1] = SIGNATURE "\x21\x11";
	size_t tlv = PROXY_HEADER_MAX - 16 - 12;
	const char *why;
	struct proxy_header header;
	size_t used;

	bytes[14] = (PROXY_HEADER_MAX - 16) >> 8;
	bytes[15] = (PROXY_HEADER_MAX - 16) & 0xff;
	bytes[28] = 0x20;
	bytes[29] = (uint8_t)((tlv - 3) >> 8);
	bytes[30] = (tlv - 3) & 0xff;
	header = must_parse(bytes, PROXY_HEADER_MAX);
	ck_assert(header.named);
	bytes[15]++;
	ck_assert_int_eq(parse(&header, &why, bytes, 16, &used), PARSE_BAD);
	ck_assert_str_eq(why, "PROXY header too long");
}
END_TEST

START_TEST(unknown_tlvs_are_skipped_and_an_id_is_found)
{
	struct proxy_header header =
		must_parse(BYTES(SIGNATURE "\x21\x11\0\x1b\1\2\3\4\5\6\7\x08\0\1\0\2"
					   "\xea\0\1\x55"
					   "\5\0\2ab"
					   "\4\0\0"
					   "\2\0\0"));

	ck_assert_uint_eq(header.id_len, 2);
	ck_assert_mem_eq(header.id, "ab", 2);
}
END_TEST

START_TEST(an_id_of_128_bytes_is_taken_and_one_of_129_refused)
{
	struct addr src = address("192.0.2.1", 1), dst = address("192.0.2.2", 2);
	uint8_t bytes[PROXY_MESSAGE + 1], id[PROXY_ID_MAX];
	const struct proxy_extras extras = { .id = id, .id_len = sizeof(id) };
	struct proxy_header header;
	size_t size;

	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t)(i * 2);
	size = proxy_build_v2(bytes, &src, &dst, &extras);
	header = must_parse(bytes, size);
	ck_assert_uint_eq(header.id_len, sizeof(id));
	ck_assert_mem_eq(header.id, id, sizeof(id));
	bytes[15]++;
	bytes[30]++;
	bytes[size] = 0;
	ck_assert_uint_eq(bad_at(bytes, size + 1), size + 1);
}
END_TEST

/* The checksum, b11a756d, was made by another program. */
#define WITH_CRC                                                                         \
	SIGNATURE "\x21\x11\0\x18\xc0\0\2\1\xc6\x33\x64\2\x15\xb3\4\x38"                 \
		  "\3\0\4\xb1\x1a\x75\x6d"                                               \
		  "\5\0\2id"

START_TEST(a_right_checksum_is_accepted)
{
	struct proxy_header header = must_parse(BYTES(WITH_CRC));

	expect_addr(&header.src, "192.0.2.1:5555");
	ck_assert_uint_eq(header.id_len, 2);
}
END_TEST

START_TEST(a_flipped_bit_is_found_by_the_checksum)
{
	uint8_t bytes[sizeof(WITH_CRC) - 1];
	struct proxy_header header;
	const char *why;
	size_t used;

	/* In an address, in the checksum, in the id behind it. */
	for (size_t at = 16; at < sizeof(bytes); at += at == 27 ? 4 : at == 34 ? 4 : 1) {
		memcpy(bytes, WITH_CRC, sizeof(bytes));
		bytes[at] ^= 0x10;
		ck_assert_int_eq(
			parse(&header, &why, bytes, sizeof(bytes), &used), PARSE_BAD);
		ck_assert_str_eq(why, "PROXY header with a wrong checksum");
	}
}
END_TEST

START_TEST(what_version_1_builds_is_what_it_says)
{
	struct addr v4 = address("192.0.2.1", 5555), v6 = address("2001:db8::1", 1080);
	uint8_t buf[PROXY_MESSAGE];
	size_t n;

	n = proxy_build_v1(buf, &v4, &v4);
	ck_assert_uint_eq(n, strlen((char *)buf));
	ck_assert_str_eq((char *)buf, "PROXY TCP4 192.0.2.1 192.0.2.1 5555 5555\r\n");
	proxy_build_v1(buf, &v6, &v6);
	ck_assert_str_eq((char *)buf, "PROXY TCP6 2001:db8::1 2001:db8::1 1080 1080\r\n");
	proxy_build_v1(buf, &v4, &v6);
	ck_assert_str_eq(
		(char *)buf, "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 5555 1080\r\n");
	proxy_build_v1(buf, NULL, NULL);
	ck_assert_str_eq((char *)buf, "PROXY UNKNOWN\r\n");
}
END_TEST

START_TEST(what_version_2_builds_is_what_it_says)
{
	struct addr src = address("192.0.2.1", 5555), dst = address("198.51.100.2", 1080);
	const struct proxy_extras none = { .id = NULL }, id = { .id = "id", .id_len = 2 };
	uint8_t buf[PROXY_MESSAGE];
	size_t n = proxy_build_v2(buf, &src, &dst, NULL);

	ck_assert_uint_eq(n, 28);
	ck_assert_mem_eq(
		buf, SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x15\xb3\4\x38", n);
	n = proxy_build_v2(buf, NULL, NULL, &none);
	ck_assert_uint_eq(n, 16);
	ck_assert_mem_eq(buf, SIGNATURE "\x20\0\0\0", n);
	n = proxy_build_v2(buf, NULL, NULL, &id);
	ck_assert_uint_eq(n, 21);
	ck_assert_mem_eq(buf, SIGNATURE "\x20\0\0\5\5\0\2id", n);
}
END_TEST

START_TEST(an_authority_is_sent_before_the_id)
{
	struct addr src = address("192.0.2.1", 5555), dst = address("198.51.100.2", 1080);
	struct proxy_extras extras = { .authority = "dcs.example.com" };
	uint8_t buf[PROXY_MESSAGE];
	size_t n = proxy_build_v2(buf, &src, &dst, &extras);

	ck_assert_uint_eq(n, 46);
	ck_assert_mem_eq(buf,
		SIGNATURE "\x21\x11\0\x1e\xc0\0\2\1\xc6\x33\x64\2\x15\xb3\4\x38"
			  "\2\0\x0f"
			  "dcs.example.com",
		n);
	extras.id = "5f1c-42";
	extras.id_len = 7;
	n = proxy_build_v2(buf, NULL, NULL, &extras);
	ck_assert_uint_eq(n, 44);
	ck_assert_mem_eq(buf,
		SIGNATURE "\x20\0\0\x1c"
			  "\2\0\x0f"
			  "dcs.example.com"
			  "\5\0\7"
			  "5f1c-42",
		n);
	ck_assert(!must_parse(buf, n).named);
}
END_TEST

START_TEST(the_longest_that_is_built_fits_and_is_parsed)
{
	struct addr src = address("2001:db8::1", 5555), dst = address("192.0.2.2", 1080);
	char id[PROXY_ID_MAX], name[PROXY_NAME_MAX + 1] = "";
	const struct proxy_extras extras = { id, sizeof(id), name };
	uint8_t buf[PROXY_MESSAGE + 1];
	struct proxy_header header;
	size_t n;

	memset(id, 'i', sizeof(id));
	memset(name, 'n', sizeof(name) - 1);
	buf[PROXY_MESSAGE] = 0xa5;
	n = proxy_build_v2(buf, &src, &dst, &extras);
	ck_assert_uint_eq(n, 16 + 36 + 3 + 255 + 3 + 128);
	ck_assert_uint_eq(buf[PROXY_MESSAGE], 0xa5);
	header = must_parse(buf, n);
	ck_assert(header.named && addr_equal(&header.src, &src));
	ck_assert(addr_equal(&header.dst, &dst));
	ck_assert_uint_eq(header.id_len, sizeof(id));
	ck_assert_mem_eq(header.id, id, sizeof(id));
}
END_TEST

START_TEST(what_is_built_is_what_is_parsed)
{
	const struct addr all[] = { address("192.0.2.1", 1), address("0.0.0.0", 0),
		address("2001:db8::1", 65535), address("fe80::1", 80) };
	const struct proxy_extras extras = { "x", 1, "name" };
	uint8_t buf[PROXY_MESSAGE];

	for (size_t i = 0; i < 2 * COUNT(all) * COUNT(all); i++) {
		const struct addr *src = &all[i / 2 % COUNT(all)];
		const struct addr *dst = &all[i / 2 / COUNT(all)];
		size_t n = i % 2 ? proxy_build_v1(buf, src, dst)
				 : proxy_build_v2(buf, src, dst, &extras);
		struct proxy_header header = must_parse(buf, n);

		ck_assert(header.named);
		ck_assert(addr_equal(&header.src, src));
		ck_assert(addr_equal(&header.dst, dst));
		ck_assert_uint_eq(header.id_len, i % 2 ? 0 : 1);
	}
}
END_TEST

/* A sequence that is the same in every run. */
static uint32_t
noise(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/*
 * Whatever the bytes: MORE until it is OK or BAD, and then for good, with the same use;
 * and what is OK does not depend on how it came.
 */
static void
check_all_prefixes(const uint8_t *bytes, size_t size)
{
	enum parse last = PARSE_MORE;
	size_t used_first = 0;

	for (size_t n = 0; n <= size; n++) {
		struct proxy_header header;
		const char *why;
		size_t used = 0;
		enum parse now = parse(&header, &why, bytes, n, &used);

		if (last != PARSE_MORE)
			ck_assert_int_eq(now, last);
		if (now == PARSE_OK && last == PARSE_MORE) {
			ck_assert_uint_eq(used, n);
			used_first = used;
		}
		if (now == PARSE_OK) {
			ck_assert_uint_eq(used, used_first);
			ck_assert_uint_le(header.id_len, PROXY_ID_MAX);
			ck_assert(!header.named || header.src.len > 0);
		}
		last = now;
	}
}

START_TEST(noise_in_good_headers_never_confuses)
{
	uint32_t state = 20240607;

	for (int round = 0; round < 3000; round++) {
		const struct sample *s = &samples[noise(&state) % COUNT(samples)];
		uint8_t bytes[300];
		size_t size = s->size + noise(&state) % 40;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)noise(&state);
		memcpy(bytes, s->bytes, s->size);
		for (uint32_t n = noise(&state) % 4; n > 0; n--)
			bytes[noise(&state) % size] = (uint8_t)noise(&state);
		/* A longer block, so that the noise behind it is taken for TLVs. */
		if (noise(&state) % 2 && bytes[0] == '\r' && size > 16)
			bytes[15] = (uint8_t)(size - 16);
		check_all_prefixes(bytes, size);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("proxy_proto");
	TCase *tc = tcase_create("proxy_proto");
	SRunner *runner;
	int failed, n = (int)COUNT(samples);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, good_headers_name_their_client, 0, n);
	tcase_add_loop_test(
		tc, a_header_cut_anywhere_asks_for_more_and_changes_nothing, 0, n);
	tcase_add_loop_test(tc, what_comes_behind_a_header_is_left, 0, n);
	tcase_add_test(tc, an_unix_address_is_no_address);
	tcase_add_loop_test(
		tc, bad_headers_are_told_as_early_as_can_be, 0, (int)COUNT(bads));
	tcase_add_test(tc, a_line_without_its_end_is_bad_at_107_bytes);
	tcase_add_test(tc, the_longest_header_is_read_and_one_byte_more_refused);
	tcase_add_test(tc, unknown_tlvs_are_skipped_and_an_id_is_found);
	tcase_add_test(tc, an_id_of_128_bytes_is_taken_and_one_of_129_refused);
	tcase_add_test(tc, a_right_checksum_is_accepted);
	tcase_add_test(tc, a_flipped_bit_is_found_by_the_checksum);
	tcase_add_test(tc, what_version_1_builds_is_what_it_says);
	tcase_add_test(tc, what_version_2_builds_is_what_it_says);
	tcase_add_test(tc, an_authority_is_sent_before_the_id);
	tcase_add_test(tc, the_longest_that_is_built_fits_and_is_parsed);
	tcase_add_test(tc, what_is_built_is_what_is_parsed);
	tcase_add_test(tc, noise_in_good_headers_never_confuses);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
