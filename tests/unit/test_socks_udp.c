/* SPDX-License-Identifier: ISC */
/* Tests of socks_udp: the header of datagrams, both halves against each other. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "socks_udp.h"

#define BYTES(literal) (literal), sizeof(literal) - 1
#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

/* A copy of just that size, so that a read behind it is noticed. */
static enum parse
parse(struct socks_udp *d, const void *data, size_t size)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(size > 0 ? size : 1);
	ck_assert(copy != NULL);
	memcpy(copy, data, size);
	return socks_udp_parse(d, copy, size);
}

static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_from_text(&a, text, port));
	return a;
}

struct whole {
	const char *what;
	const char *bytes;
	size_t size, header;
	const char *host;
	uint16_t port;
	uint8_t frag;
	enum socks_atyp atyp;
};

static const struct whole wholes[] = {
	{ "IPv4", BYTES("\0\0\0\1\xc0\0\2\7\0\x35query"), 10, "192.0.2.7", 53, 0,
		SOCKS_ATYP_IPV4 },
	{ "IPv6",
		BYTES("\0\0\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xff\xff"
		      "q"),
		22, "2001:db8::1", 65535, 0, SOCKS_ATYP_IPV6 },
	{ "mapped", BYTES("\0\0\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1\0\1"), 22,
		"127.0.0.1", 1, 0, SOCKS_ATYP_IPV4 },
	{ "name", BYTES("\0\0\0\3\7example\0\x50hello"), 14, "example", 80, 0,
		SOCKS_ATYP_NAME },
	{ "an address as a name stays a name", BYTES("\0\0\0\3\7\61.2.3.4\0\x50"), 14,
		"1.2.3.4", 80, 0, SOCKS_ATYP_NAME },
	{ "empty datagram", BYTES("\0\0\0\1\x7f\0\0\1\0\1"), 10, "127.0.0.1", 1, 0,
		SOCKS_ATYP_IPV4 },
	{ "fragment", BYTES("\0\0\5\1\x7f\0\0\1\0\1x"), 10, "127.0.0.1", 1, 5,
		SOCKS_ATYP_IPV4 },
	{ "last fragment", BYTES("\0\0\xff\1\x7f\0\0\1\0\1x"), 10, "127.0.0.1", 1, 0xff,
		SOCKS_ATYP_IPV4 },
};

START_TEST(well_formed_headers_are_understood)
{
	const struct whole *w = &wholes[_i];
	struct socks_udp d;

	ck_assert_msg(parse(&d, w->bytes, w->size) == PARSE_OK, "%s", w->what);
	ck_assert_int_eq(d.dst.atyp, w->atyp);
	ck_assert_uint_eq(d.frag, w->frag);
	if (w->atyp == SOCKS_ATYP_NAME) {
		ck_assert_str_eq(d.dst.name.host, w->host);
		ck_assert_uint_eq(d.dst.name.port, w->port);
	} else {
		struct addr want = address(w->host, w->port);

		ck_assert(addr_equal(&d.dst.addr, &want));
	}
	ck_assert_uint_eq(d.size, w->size - w->header);
	ck_assert_mem_eq(d.data, w->bytes + w->header, d.size);
}
END_TEST

START_TEST(header_cut_at_any_byte_is_bad_and_changes_nothing)
{
	const struct whole *w = &wholes[_i];
	struct socks_udp d, before;

	memset(&d, 0x5a, sizeof(d));
	before = d;
	for (size_t size = 0; size < w->header; size++)
		ck_assert_msg(parse(&d, w->bytes, size) == PARSE_BAD, "%s, %zu bytes",
			w->what, size);
	ck_assert_mem_eq(&d, &before, sizeof(d));
}
END_TEST

struct bad {
	const char *what;
	const char *bytes;
	size_t size;
};

static const struct bad bads[] = {
	{ "RSV, first byte", BYTES("\1\0\0\1\x7f\0\0\1\0\1x") },
	{ "RSV, second byte", BYTES("\0\1\0\1\x7f\0\0\1\0\1x") },
	{ "FRAG: the last of nothing", BYTES("\0\0\x80\1\x7f\0\0\1\0\1x") },
	{ "ATYP 0", BYTES("\0\0\0\0\x7f\0\0\1\0\1xxxxxxxxxxxxxxxxxxx") },
	{ "ATYP 2", BYTES("\0\0\0\2\x7f\0\0\1\0\1xxxxxxxxxxxxxxxxxxx") },
	{ "ATYP 5", BYTES("\0\0\0\5\x7f\0\0\1\0\1xxxxxxxxxxxxxxxxxxx") },
	{ "ATYP 255", BYTES("\0\0\0\xff\x7f\0\0\1\0\1xxxxxxxxxxxxxxxxxxx") },
	{ "port 0", BYTES("\0\0\0\1\x7f\0\0\1\0\0x") },
	{ "port 0 of a name", BYTES("\0\0\0\3\1x\0\0x") },
	{ "empty name", BYTES("\0\0\0\3\0\0\x50x") },
	{ "name longer than the datagram",
		BYTES("\0\0\0\3\xff"
		      "abc\0\x50") },
	{ "name with NUL", BYTES("\0\0\0\3\3a\0b\0\x50x") },
	{ "name with newline", BYTES("\0\0\0\3\3a\nb\0\x50x") },
	{ "name with DEL",
		BYTES("\0\0\0\3\3a\x7f"
		      "b\0\x50x") },
};

START_TEST(malformed_headers_are_bad)
{
	struct socks_udp d;

	ck_assert_msg(parse(&d, bads[_i].bytes, bads[_i].size) == PARSE_BAD, "%s",
		bads[_i].what);
}
END_TEST

START_TEST(what_is_built_is_what_is_parsed)
{
	static const char *const hosts[] = { "127.0.0.1", "255.255.255.255", "::1",
		"2001:db8::ffff", "a", "example.com" };

	for (size_t i = 0; i < COUNT(hosts); i++) {
		uint8_t buf[SOCKS_UDP_HEADER + 3];
		struct hostport hp = { .port = (uint16_t)(i + 1) };
		struct socks_dest dst;
		struct socks_udp d;
		size_t n;

		strcpy(hp.host, hosts[i]);
		socks_dest_from_hostport(&dst, &hp);
		n = socks_udp_build(buf, (uint8_t)i, &dst);
		memcpy(buf + n, "abc", 3);
		ck_assert_int_eq(parse(&d, buf, n + 3), PARSE_OK);
		ck_assert_uint_eq(d.frag, i);
		ck_assert_uint_eq(d.size, 3);
		ck_assert_mem_eq(d.data, "abc", 3);
		ck_assert_int_eq(d.dst.atyp, dst.atyp);
		if (dst.atyp == SOCKS_ATYP_NAME)
			ck_assert_str_eq(d.dst.name.host, hosts[i]);
		else
			ck_assert(addr_equal(&d.dst.addr, &dst.addr));
	}
}
END_TEST

START_TEST(the_longest_name_fits)
{
	uint8_t buf[SOCKS_UDP_HEADER];
	struct socks_dest dst = { .atyp = SOCKS_ATYP_NAME, .name = { .port = 7 } };
	struct socks_udp d;

	memset(dst.name.host, 'x', HOST_MAX);
	ck_assert_uint_eq(socks_udp_build(buf, 0, &dst), SOCKS_UDP_HEADER);
	ck_assert_int_eq(parse(&d, buf, sizeof(buf)), PARSE_OK);
	ck_assert_str_eq(d.dst.name.host, dst.name.host);
	ck_assert_uint_eq(d.dst.name.port, 7);
	ck_assert_uint_eq(d.size, 0);
}
END_TEST

START_TEST(answers_carry_their_source)
{
	struct addr v4 = address("192.0.2.7", 53), v6 = address("2001:db8::1", 53);
	uint8_t buf[SOCKS_UDP_SOURCE];

	ck_assert_uint_eq(socks_udp_build_source(buf, &v4), 10);
	ck_assert_mem_eq(buf, "\0\0\0\1\xc0\0\2\7\0\x35", 10);
	ck_assert_uint_eq(socks_udp_build_source(buf, &v6), SOCKS_UDP_SOURCE);
	ck_assert_mem_eq(buf, "\0\0\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x35", 22);
}
END_TEST

/* Next of a sequence of numbers that is the same in every run. */
static unsigned
next(uint32_t *x)
{
	*x = *x * 1664525U + 1013904223U;
	return *x >> 16;
}

START_TEST(whatever_comes_is_read_within_its_bounds)
{
	uint32_t x = 20240229;
	unsigned ok = 0;

	for (int i = 0; i < 200000; i++) {
		uint8_t buf[300];
		size_t size = next(&x) % sizeof(buf);
		struct socks_udp d;

		for (size_t j = 0; j < size; j++)
			buf[j] = next(&x) & 0xff;
		/* Half of them get a beginning that leads on. */
		if (size > 5 && i % 2 == 0) {
			memset(buf, 0, 3);
			buf[3] = next(&x) % 5;
			buf[4] = next(&x) % 8;
		}
		if (parse(&d, buf, size) != PARSE_OK)
			continue;
		ok++;
		ck_assert_uint_lt(d.size, size);
		if (d.dst.atyp == SOCKS_ATYP_NAME)
			ck_assert_uint_gt(strlen(d.dst.name.host), 0);
	}
	ck_assert_uint_gt(ok, 1000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("socks_udp");
	TCase *tc = tcase_create("socks_udp");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, well_formed_headers_are_understood, 0, COUNT(wholes));
	tcase_add_loop_test(
		tc, header_cut_at_any_byte_is_bad_and_changes_nothing, 0, COUNT(wholes));
	tcase_add_loop_test(tc, malformed_headers_are_bad, 0, COUNT(bads));
	tcase_add_test(tc, what_is_built_is_what_is_parsed);
	tcase_add_test(tc, the_longest_name_fits);
	tcase_add_test(tc, answers_carry_their_source);
	tcase_add_test(tc, whatever_comes_is_read_within_its_bounds);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
