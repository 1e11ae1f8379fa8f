/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of addr: tables of good and bad texts for each parser, the IPv4-mapped form
 * by every way in, the kinds of address, and which listening addresses collide.
 */
#include "config.h"
#include "addr.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The address that text is. */
static struct addr
addr(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert_msg(addr_from_text(&a, text, port), "not an address: %s", text);
	return a;
}

/* As the system would tell it. */
static struct addr
scoped(const char *text, uint16_t port, uint32_t scope)
{
	struct addr a = addr(text, port);
	struct sockaddr_storage ss;

	a.u.in6.sin6_scope_id = scope;
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, &a.u, a.len);
	ck_assert(addr_from_sockaddr(&a, (struct sockaddr *)&ss));
	return a;
}

static void
expect_text(const struct addr *a, const char *text)
{
	char out[ADDR_TEXT];

	ck_assert(addr_text(a, out) == out);
	ck_assert_str_eq(out, text);
}

START_TEST(numeric_text_becomes_an_address)
{
	static const struct {
		const char *text, *printed;
		int family;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1:80", AF_INET },
		{ "0.0.0.0", "0.0.0.0:80", AF_INET },
		{ "255.255.255.255", "255.255.255.255:80", AF_INET },
		{ "2001:db8::1", "[2001:db8::1]:80", AF_INET6 },
		{ "2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:80", AF_INET6 },
		{ "::", "[::]:80", AF_INET6 },
		{ "::1", "[::1]:80", AF_INET6 },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct addr a = addr(rows[i].text, 80);

		expect_text(&a, rows[i].printed);
		ck_assert_int_eq(addr_family(&a), rows[i].family);
		ck_assert_int_eq(addr_port(&a), 80);
	}
}
END_TEST

START_TEST(any_other_text_is_no_address_and_changes_nothing)
{
	static const char *const texts[] = {
		"",
		"localhost",
		"127.1",
		"2130706433",
		"0x7f.0.0.1",
		"0177.0.0.1",
		"1.2.3.256",
		"1.2.3.4.5",
		"1.2.3.",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4:80",
		"[::1]",
		"::1 ",
		"::1::2",
		":::",
		"1:2:3:4:5:6:7:8:9",
		"12345::",
		"fe80::1%lo",
		"fe80::1%1",
		"*",
		"0",
	};
	const struct addr before = addr("192.0.2.9", 9);
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		struct addr a = before;

		ck_assert_msg(!addr_from_text(&a, texts[i], 80), "%s", texts[i]);
		ck_assert(addr_equal(&a, &before));
	}
}
END_TEST

START_TEST(bytes_and_port_are_in_network_order)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct addr a;
	size_t size;

	addr_from_bytes(&a, AF_INET, v4, 0x1234);
	expect_text(&a, "192.0.2.1:4660");
	ck_assert(a.len == sizeof(struct sockaddr_in));
	ck_assert(a.u.in.sin_port == htons(0x1234));
	ck_assert(memcmp(addr_bytes(&a, &size), v4, 4) == 0);
	ck_assert(size == 4);

	addr_from_bytes(&a, AF_INET6, v6, 65535);
	expect_text(&a, "[2001:db8::1]:65535");
	ck_assert(a.len == sizeof(struct sockaddr_in6));
	ck_assert(memcmp(addr_bytes(&a, &size), v6, 16) == 0);
	ck_assert(size == 16);
	ck_assert(a.u.in6.sin6_scope_id == 0 && a.u.in6.sin6_flowinfo == 0);
}
END_TEST

START_TEST(bytes_of_the_address_itself_may_be_given)
{
	struct addr a = addr("2001:db8::1", 80);
	size_t size;

	addr_from_bytes(&a, AF_INET6, addr_bytes(&a, &size), 81);
	expect_text(&a, "[2001:db8::1]:81");
	a = addr("192.0.2.1", 80);
	addr_from_bytes(&a, AF_INET, addr_bytes(&a, &size), 82);
	expect_text(&a, "192.0.2.1:82");
}
END_TEST

START_TEST(longest_address_text_fits)
{
	struct addr a = addr("1111:2222:3333:4444:5555:6666:7777:8888", 65535);

	expect_text(&a, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}
END_TEST

START_TEST(mapped_address_is_ipv4_by_every_way_in)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct addr want = addr("192.0.2.1", 80);
	struct addr a;

	memcpy(&in6.sin6_addr, mapped, sizeof(mapped));
	in6.sin6_scope_id = 7;
	ck_assert(addr_from_sockaddr(&a, (struct sockaddr *)&in6));
	ck_assert(addr_equal(&a, &want));
	ck_assert(a.len == sizeof(struct sockaddr_in));
	addr_from_bytes(&a, AF_INET6, mapped, 80);
	ck_assert(addr_equal(&a, &want));
	a = addr("::ffff:192.0.2.1", 80);
	ck_assert(addr_equal(&a, &want));
	a = addr("::FFFF:c000:201", 80);
	ck_assert(addr_equal(&a, &want));
	a = addr("::ffff:127.0.0.1", 80);
	ck_assert(addr_is_loopback(&a));
	a = addr("::ffff:0.0.0.0", 80);
	ck_assert(addr_is_unspecified(&a));
}
END_TEST

START_TEST(addresses_that_look_nearly_mapped_stay_ipv6)
{
	static const char *const texts[] = { "::192.0.2.1", "::fffe:192.0.2.1",
		"::1:ffff:192.0.2.1", "64:ff9b::192.0.2.1", "::ffff:0:192.0.2.1" };
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		struct addr a = addr(texts[i], 80);

		ck_assert_msg(addr_family(&a) == AF_INET6, "%s", texts[i]);
	}
}
END_TEST

START_TEST(socket_address_of_the_system_is_taken)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(81) };
	struct addr a;

	in.sin_addr.s_addr = htonl(0xc0000201);
	ck_assert(addr_from_sockaddr(&a, (struct sockaddr *)&in));
	expect_text(&a, "192.0.2.1:80");
	in6.sin6_addr = in6addr_loopback;
	in6.sin6_flowinfo = htonl(5);
	ck_assert(addr_from_sockaddr(&a, (struct sockaddr *)&in6));
	expect_text(&a, "[::1]:81");
	ck_assert(a.u.in6.sin6_flowinfo == 0);
}
END_TEST

START_TEST(socket_address_of_another_family_is_refused)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct addr a;

	ck_assert(!addr_from_sockaddr(&a, (struct sockaddr *)&un));
	ck_assert(!addr_from_sockaddr(&a, &none));
}
END_TEST

START_TEST(equal_means_family_address_and_port)
{
	struct addr a = addr("192.0.2.1", 80), b = addr("192.0.2.1", 80);

	ck_assert(addr_equal(&a, &b));
	b = addr("192.0.2.1", 81);
	ck_assert(!addr_equal(&a, &b));
	b = addr("192.0.2.2", 80);
	ck_assert(!addr_equal(&a, &b));
	a = addr("0.0.0.0", 80);
	b = addr("::", 80);
	ck_assert(!addr_equal(&a, &b));
	ck_assert(!addr_equal(&b, &a));
	a = addr("2001:db8::1", 80);
	b = addr("2001:db8::1", 80);
	ck_assert(addr_equal(&a, &b));
	b = addr("2001:db8::2", 80);
	ck_assert(!addr_equal(&a, &b));
}
END_TEST

START_TEST(scope_counts_for_link_local_addresses_alone)
{
	struct addr a = scoped("fe80::1", 80, 1), b = scoped("fe80::1", 80, 2);

	ck_assert(!addr_equal(&a, &b));
	ck_assert(!addr_collides(&a, &b));
	b = scoped("fe80::1", 80, 1);
	ck_assert(addr_equal(&a, &b));
	ck_assert(addr_collides(&a, &b));
	a = scoped("2001:db8::1", 80, 1);
	b = scoped("2001:db8::1", 80, 2);
	ck_assert(addr_equal(&a, &b));
}
END_TEST

START_TEST(kinds_end_where_their_networks_end)
{
	/* The letters: Loopback, Unspecified, Multicast, Broadcast. */
	static const struct {
		const char *text, *kinds;
	} rows[] = {
		{ "0.0.0.0", "U" },
		{ "0.255.255.255", "U" },
		{ "1.0.0.0", "" },
		{ "126.255.255.255", "" },
		{ "127.0.0.0", "L" },
		{ "127.0.0.1", "L" },
		{ "127.255.255.255", "L" },
		{ "128.0.0.0", "" },
		{ "192.0.2.255", "" },
		{ "223.255.255.255", "" },
		{ "224.0.0.0", "M" },
		{ "239.255.255.255", "M" },
		{ "240.0.0.0", "B" },
		{ "255.255.255.254", "B" },
		{ "255.255.255.255", "B" },
		{ "::", "U" },
		{ "::1", "L" },
		{ "::2", "" },
		{ "::127.0.0.1", "" },
		{ "2001:db8::1", "" },
		{ "fe80::1", "" },
		{ "feff::1", "" },
		{ "ff00::", "M" },
		{ "ff02::1", "M" },
		{ "ffff:ffff::", "M" },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct addr a = addr(rows[i].text, 80);
		char kinds[5] = "", *p = kinds;

		if (addr_is_loopback(&a))
			*p++ = 'L';
		if (addr_is_unspecified(&a))
			*p++ = 'U';
		if (addr_is_multicast(&a))
			*p++ = 'M';
		if (addr_is_broadcast(&a))
			*p++ = 'B';
		ck_assert_msg(strcmp(kinds, rows[i].kinds) == 0, "%s: %s, not %s",
			rows[i].text, kinds, rows[i].kinds);
	}
}
END_TEST

START_TEST(port_is_digits_in_range_and_nothing_else)
{
	static const struct {
		const char *text;
		int port;
	} rows[] = {
		{ "1", 1 }, { "80", 80 }, { "0080", 80 }, { "65535", 65535 },
		{ "65536", -1 }, { "65616", -1 }, { "4294967376", -1 },
		{ "18446744073709551696", -1 },
		{ "99999999999999999999999999999999", -1 }, { "", -1 }, { "+1", -1 },
		{ "-1", -1 }, { " 1", -1 }, { "1 ", -1 }, { "1\n", -1 }, { "0x50", -1 },
		{ "50h", -1 }, { "1.0", -1 }, { "http", -1 }, { "80-90", -1 },
		{ "\xd9\xa1", -1 }, /* a digit, but not of ASCII */
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		ck_assert_msg(port_parse(rows[i].text, 1) == rows[i].port, "min 1: %s",
			rows[i].text);
		ck_assert_msg(port_parse(rows[i].text, 0) == rows[i].port, "min 0: %s",
			rows[i].text);
	}
	ck_assert_int_eq(port_parse("0", 0), 0);
	ck_assert_int_eq(port_parse("0", 1), -1);
	ck_assert_int_eq(port_parse("000", 1), -1);
}
END_TEST

START_TEST(good_hostport_is_parted_and_printed_back)
{
	static const struct {
		const char *text, *host;
		int port;
	} rows[] = {
		{ "example.com:80", "example.com", 80 },
		{ "example.com.:80", "example.com.", 80 },
		{ "a:1", "a", 1 },
		{ "127.0.0.1:65535", "127.0.0.1", 65535 },
		{ "[::1]:80", "::1", 80 },
		{ "[2001:db8::1]:443", "2001:db8::1", 443 },
		{ "[::ffff:192.0.2.1]:443", "::ffff:192.0.2.1", 443 },
		{ "b\xc3\xbc"
		  "cher.example:80",
			"b\xc3\xbc"
			"cher.example",
			80 },
		{ "_x-y.example:80", "_x-y.example", 80 },
	};
	char out[HOSTPORT_TEXT];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const char *why = NULL;
		struct hostport hp;

		ck_assert_msg(hostport_parse(&hp, rows[i].text, &why) == 0, "%s: %s",
			rows[i].text, why);
		ck_assert_str_eq(hp.host, rows[i].host);
		ck_assert_int_eq(hp.port, rows[i].port);
		ck_assert(hostport_text(&hp, out) == out);
		ck_assert_str_eq(out, rows[i].text);
	}
}
END_TEST

START_TEST(hostports_are_equal_whatever_their_case)
{
	struct hostport a, b;
	const char *why;

	ck_assert_int_eq(hostport_parse(&a, "db.Example.com:80", &why), 0);
	ck_assert_int_eq(hostport_parse(&b, "DB.example.com:80", &why), 0);
	ck_assert(hostport_equal(&a, &b));
	ck_assert_int_eq(hostport_parse(&b, "db.example.com:81", &why), 0);
	ck_assert(!hostport_equal(&a, &b));
	ck_assert_int_eq(hostport_parse(&b, "db.example.org:80", &why), 0);
	ck_assert(!hostport_equal(&a, &b));
}
END_TEST

START_TEST(bad_hostport_is_refused_with_a_reason_and_changes_nothing)
{
	static const struct {
		const char *text, *why; /* a word of the reason */
	} rows[] = {
		{ "", "a port must follow" },
		{ "example.com", "a port must follow" },
		{ "80", "a port must follow" },
		{ "[::1]", "a port must follow" },
		{ "[::1]80", "a port must follow" },
		{ "[::1", "a port must follow" },
		{ ":80", "host is missing" },
		{ ":", "host is missing" },
		{ "example.com:", "port must be" },
		{ "example.com:0", "port must be" },
		{ "example.com:65536", "port must be" },
		{ "example.com:http", "port must be" },
		{ "example.com: 80", "port must be" },
		{ "example.com:80 ", "port must be" },
		{ "example.com:+80", "port must be" },
		{ "example.com:0x50", "port must be" },
		{ "[::1]:", "port must be" },
		{ "[::1]:0", "port must be" },
		{ "::1:80", "[ADDRESS]:PORT" },
		{ "::1", "[ADDRESS]:PORT" },
		{ "a:80:90", "[ADDRESS]:PORT" },
		{ "::1]:80", "[ADDRESS]:PORT" },
		{ "a[b]:80", "[ADDRESS]:PORT" },
		{ "[]:80", "no IPv6 address" },
		{ "[example.com]:80", "no IPv6 address" },
		{ "[127.0.0.1]:80", "no IPv6 address" },
		{ "[[::1]]:80", "no IPv6 address" },
		{ "[ ::1]:80", "no IPv6 address" },
		{ "[fe80::1%lo]:80", "no IPv6 address" },
		{ "[*]:80", "no IPv6 address" },
		{ "exam ple.com:80", "space or control" },
		{ " example.com:80", "space or control" },
		{ "example.com :80", "space or control" },
		{ "example.com\t:80", "space or control" },
		{ "exam\nple.com:80", "space or control" },
		{ "\001:80", "space or control" },
		{ "a\177:80", "space or control" },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct hostport hp = { .host = "before", .port = 9 };
		const char *why = "";

		ck_assert_msg(hostport_parse(&hp, rows[i].text, &why) == -1, "%s",
			rows[i].text);
		ck_assert_msg(strstr(why, rows[i].why) != NULL, "%s: %s, not %s",
			rows[i].text, why, rows[i].why);
		ck_assert_str_eq(hp.host, "before");
		ck_assert_int_eq(hp.port, 9);
	}
}
END_TEST

START_TEST(host_of_255_bytes_fits_and_256_does_not)
{
	char text[HOST_MAX + 1 + sizeof(":65535")], out[HOSTPORT_TEXT];
	const char *why = "";
	struct hostport hp;

	memset(text, 'x', HOST_MAX);
	strcpy(text + HOST_MAX, ":65535");
	ck_assert_int_eq(hostport_parse(&hp, text, &why), 0);
	ck_assert_int_eq((int)strlen(hp.host), HOST_MAX);
	ck_assert_str_eq(hostport_text(&hp, out), text);

	memset(text, 'x', HOST_MAX + 1);
	strcpy(text + HOST_MAX + 1, ":65535");
	ck_assert_int_eq(hostport_parse(&hp, text, &why), -1);
	ck_assert(strstr(why, "longer") != NULL);
}
END_TEST

START_TEST(longest_hostport_text_fits_with_brackets)
{
	char want[HOSTPORT_TEXT], out[HOSTPORT_TEXT];
	struct hostport hp = { .port = 65535 };

	memset(hp.host, ':', HOST_MAX); /* a peer may name anything */
	memset(want, ':', sizeof(want));
	want[0] = '[';
	strcpy(want + 1 + HOST_MAX, "]:65535");
	ck_assert_str_eq(hostport_text(&hp, out), want);
}
END_TEST

START_TEST(good_listen_text_gives_its_addresses)
{
	static const struct {
		const char *text, *first, *second; /* second: both families */
	} rows[] = {
		{ "8887", "127.0.0.1:8887", "[::1]:8887" },
		{ "1", "127.0.0.1:1", "[::1]:1" },
		{ "*:8889", "0.0.0.0:8889", "[::]:8889" },
		{ "*:65535", "0.0.0.0:65535", "[::]:65535" },
		{ "127.0.0.1:8888", "127.0.0.1:8888", NULL },
		{ "127.0.0.1:0", "127.0.0.1:0", NULL },
		{ "0.0.0.0:80", "0.0.0.0:80", NULL },
		{ "[::1]:1081", "[::1]:1081", NULL },
		{ "[::]:0", "[::]:0", NULL },
		{ "[::ffff:127.0.0.1]:80", "127.0.0.1:80", NULL },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct listen_addr out[2];
		const char *why = NULL;
		int n = listen_parse(out, rows[i].text, &why);

		ck_assert_msg(n == (rows[i].second ? 2 : 1), "%s: %d: %s", rows[i].text,
			n, why ? why : "");
		expect_text(&out[0].addr, rows[i].first);
		ck_assert_int_eq(out[0].may_lack, n == 2);
		if (rows[i].second) {
			expect_text(&out[1].addr, rows[i].second);
			ck_assert(out[1].may_lack);
		}
	}
}
END_TEST

START_TEST(bad_listen_text_is_refused_with_a_reason)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "from 1 to" },
		{ "0", "from 1 to" },
		{ "65536", "from 1 to" },
		{ "-1", "from 1 to" },
		{ " 80", "from 1 to" },
		{ "0x50", "from 1 to" },
		{ "80-90", "from 1 to" },
		{ "*", "from 1 to" },
		{ "localhost", "from 1 to" },
		{ "*:0", "from 1 to" },
		{ "*:", "from 1 to" },
		{ "*:65536", "from 1 to" },
		{ "127.0.0.1:", "from 0 to" },
		{ "127.0.0.1:65536", "from 0 to" },
		{ "[::1]:x", "from 0 to" },
		{ "localhost:80", "must be numeric" },
		{ "127.1:80", "must be numeric" },
		{ "**:80", "must be numeric" },
		{ ":80", "host is missing" },
		{ "::1:80", "[ADDRESS]:PORT" },
		{ "::", "[ADDRESS]:PORT" },
		{ "[::1]", "a port must follow" },
		{ "[80", "a port must follow" },
		{ "[*]:80", "no IPv6 address" },
		{ "[127.0.0.1]:80", "no IPv6 address" },
		{ "127.0.0.1 :80", "space or control" },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct listen_addr out[2];
		const char *why = "";

		ck_assert_msg(
			listen_parse(out, rows[i].text, &why) == -1, "%s", rows[i].text);
		ck_assert_msg(strstr(why, rows[i].why) != NULL, "%s: %s, not %s",
			rows[i].text, why, rows[i].why);
	}
}
END_TEST

START_TEST(collision_needs_one_port_one_family_and_overlap)
{
	static const struct {
		const char *a, *b;
		bool collide;
	} rows[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true },
		{ "127.0.0.1:80", "127.0.0.1:81", false },
		{ "127.0.0.1:80", "127.0.0.2:80", false },
		{ "0.0.0.0:80", "127.0.0.1:80", true },
		{ "0.0.0.0:80", "0.0.0.0:80", true },
		{ "0.0.0.0:80", "0.0.0.0:81", false },
		{ "0.0.0.1:80", "127.0.0.1:80", false },
		{ "127.0.0.1:0", "127.0.0.1:0", false },
		{ "0.0.0.0:0", "127.0.0.1:0", false },
		{ "[::]:80", "0.0.0.0:80", false },
		{ "[::]:80", "127.0.0.1:80", false },
		{ "[::]:80", "[::1]:80", true },
		{ "[::1]:80", "[::1]:80", true },
		{ "[::1]:80", "[::2]:80", false },
		{ "[::]:80", "[::1]:81", false },
		{ "[::ffff:127.0.0.1]:80", "127.0.0.1:80", true },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct listen_addr a[2], b[2];
		const char *why;

		ck_assert_int_eq(listen_parse(a, rows[i].a, &why), 1);
		ck_assert_int_eq(listen_parse(b, rows[i].b, &why), 1);
		ck_assert_msg(addr_collides(&a->addr, &b->addr) == rows[i].collide &&
				addr_collides(&b->addr, &a->addr) == rows[i].collide,
			"%s and %s", rows[i].a, rows[i].b);
	}
}
END_TEST

static Suite *
addr_suite(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("addr");

	tcase_add_test(tc, numeric_text_becomes_an_address);
	tcase_add_test(tc, any_other_text_is_no_address_and_changes_nothing);
	tcase_add_test(tc, bytes_and_port_are_in_network_order);
	tcase_add_test(tc, bytes_of_the_address_itself_may_be_given);
	tcase_add_test(tc, longest_address_text_fits);
	tcase_add_test(tc, mapped_address_is_ipv4_by_every_way_in);
	tcase_add_test(tc, addresses_that_look_nearly_mapped_stay_ipv6);
	tcase_add_test(tc, socket_address_of_the_system_is_taken);
	tcase_add_test(tc, socket_address_of_another_family_is_refused);
	tcase_add_test(tc, equal_means_family_address_and_port);
	tcase_add_test(tc, scope_counts_for_link_local_addresses_alone);
	tcase_add_test(tc, kinds_end_where_their_networks_end);
	tcase_add_test(tc, port_is_digits_in_range_and_nothing_else);
	tcase_add_test(tc, good_hostport_is_parted_and_printed_back);
	tcase_add_test(tc, hostports_are_equal_whatever_their_case);
	tcase_add_test(tc, bad_hostport_is_refused_with_a_reason_and_changes_nothing);
	tcase_add_test(tc, host_of_255_bytes_fits_and_256_does_not);
	tcase_add_test(tc, longest_hostport_text_fits_with_brackets);
	tcase_add_test(tc, good_listen_text_gives_its_addresses);
	tcase_add_test(tc, bad_listen_text_is_refused_with_a_reason);
	tcase_add_test(tc, collision_needs_one_port_one_family_and_overlap);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(addr_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
