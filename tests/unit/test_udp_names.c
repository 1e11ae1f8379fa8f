/* SPDX-License-Identifier: ISC */
/*
 * Tests of udp_names: what is known, what waits, what is dropped; with a clock and with
 * look-ups of the test's own instead of udp_lookup.c.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "udp_lookup.h"
#include "udp_names.h"

struct lookups {
	int none;
};

static struct lookups the_one;
static struct lookup *under_way[2 * UDP_NAMES], *over; /* by the order of their start */
static int started, at_a_time;

struct lookups *
lookups_new(void)
{
	return &the_one;
}

void
lookups_free(struct lookups *l)
{
	(void)l;
}

int
lookups_fd(const struct lookups *l)
{
	(void)l;
	return -1;
}

int
lookups_start(struct lookups *l, const char *host)
{
	struct lookup *one;

	if (at_a_time == UDP_LOOKUPS) {
		errno = EAGAIN;
		return -1;
	}
	at_a_time++;
	one = calloc(1, sizeof(*one));
	ck_assert(one != NULL && started < 2 * UDP_NAMES);
	one->lookups = l;
	strcpy(one->host, host);
	under_way[started++] = one;
	return 0;
}

struct lookup *
lookups_take(struct lookups *l)
{
	struct lookup *one = over;

	(void)l;
	if (one)
		over = one->next;
	return one;
}

/* The nth that was started is over, with n addresses 192.0.2.1... */
static void
finish(int nth, int n)
{
	struct lookup *one = under_way[nth];
	char text[32];

	under_way[nth] = NULL;
	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i + 1);
		ck_assert(addr_from_text(&one->list[i], text, 0));
	}
	one->n = n;
	one->next = over;
	over = one;
	at_a_time--;
}

static struct udp_names *names;
static int64_t now;

static void
set_up(void)
{
	names = udp_names_new();
	ck_assert(names != NULL);
	now = 1000;
}

static void
tear_down(void)
{
	udp_names_free(names);
	for (int i = 0; i < started; i++)
		free(under_way[i]);
}

static struct addr found_list[NET_ADDRS];

static int
find_sized(const char *host, uint16_t port, const void *data, size_t size)
{
	struct socks_udp d = { .dst = { .atyp = SOCKS_ATYP_NAME,
				       .name = { .port = port } },
		.data = data,
		.size = size };

	strcpy(d.dst.name.host, host);
	return udp_names_find(names, &d, now, found_list);
}

static int
find(const char *host, uint16_t port, const char *text)
{
	return find_sized(host, port, text, strlen(text));
}

/* What udp_names_collect hands on, as a text: "HOST PORT DATA N FIRST\n" each. */
static char handed[4096];

static void
on_found(void *arg, struct socks_udp *d, struct addr *list, int n)
{
	char *end = handed + strlen(handed), addr[ADDR_TEXT] = "-";

	ck_assert_ptr_eq(arg, names);
	if (n > 0)
		addr_text(&list[0], addr);
	snprintf(end, sizeof(handed) - (size_t)(end - handed), "%s %d %.*s %d %s\n",
		d->dst.name.host, d->dst.name.port, (int)d->size, (const char *)d->data,
		n, addr);
}

static const char *
collect(void)
{
	handed[0] = '\0';
	udp_names_collect(names, now, on_found, names);
	return handed;
}

START_TEST(datagrams_wait_for_their_name_and_follow_in_order)
{
	ck_assert_int_eq(find("a.example", 53, "one"), 0);
	ck_assert_int_eq(find("a.example", 54, "two"), 0);
	ck_assert_int_eq(started, 1);
	ck_assert_uint_eq(udp_names_kept(names), 2);
	ck_assert_str_eq(collect(), "");
	finish(0, 2);
	ck_assert_str_eq(collect(),
		"a.example 53 one 2 192.0.2.1:53\na.example 54 two 2 192.0.2.1:54\n");
	ck_assert_uint_eq(udp_names_kept(names), 0);
}
END_TEST

START_TEST(a_name_that_is_known_needs_no_lookup)
{
	ck_assert_int_eq(find("a.example", 53, "one"), 0);
	finish(0, 2);
	collect();
	ck_assert_int_eq(find("a.example", 99, "two"), 2);
	ck_assert_uint_eq(addr_port(&found_list[0]), 99);
	ck_assert_uint_eq(addr_port(&found_list[1]), 99);
	ck_assert_int_eq(started, 1);
}
END_TEST

START_TEST(a_slow_name_does_not_hold_up_another)
{
	ck_assert_int_eq(find("slow.example", 53, "one"), 0);
	ck_assert_int_eq(find("fast.example", 53, "two"), 0);
	finish(1, 1);
	ck_assert_str_eq(collect(), "fast.example 53 two 1 192.0.2.1:53\n");
	ck_assert_int_eq(find("fast.example", 53, "three"), 1);
	finish(0, 1);
	ck_assert_str_eq(collect(), "slow.example 53 one 1 192.0.2.1:53\n");
}
END_TEST

START_TEST(a_name_is_looked_up_again_after_its_time)
{
	ck_assert_int_eq(find("a.example", 53, "one"), 0);
	finish(0, 1);
	collect();
	now += UDP_NAME_MS - 1;
	ck_assert_int_eq(find("a.example", 53, "two"), 1);
	now++;
	ck_assert_int_eq(find("a.example", 53, "three"), 0);
	ck_assert_int_eq(started, 2);
}
END_TEST

START_TEST(a_failure_is_remembered_for_a_short_time)
{
	ck_assert_int_eq(find("no.example", 53, "one"), 0);
	finish(0, -1);
	ck_assert_str_eq(collect(), "no.example 53 one -1 -\n");
	ck_assert_int_eq(find("no.example", 53, "two"), -1);
	now += UDP_NAME_FAILED_MS - 1;
	ck_assert_int_eq(find("no.example", 53, "two"), -1);
	now++;
	ck_assert_int_eq(find("no.example", 53, "three"), 0);
	ck_assert_int_eq(started, 2);
}
END_TEST

START_TEST(datagrams_for_one_name_are_bounded)
{
	for (int i = 0; i < UDP_KEPT; i++)
		ck_assert_int_eq(find("a.example", 53, "x"), 0);
	ck_assert_int_eq(find("a.example", 53, "x"), -1);
	ck_assert_int_eq(find("b.example", 53, "x"), 0);
	finish(0, 1);
	collect();
	ck_assert_int_eq(find("a.example", 53, "x"), 1);
}
END_TEST

START_TEST(bytes_that_wait_are_bounded_for_all_names)
{
	static const char data[65507];

	for (int i = 0; i < UDP_KEPT_BYTES / 65507; i++)
		ck_assert_int_eq(
			find_sized(i % 2 ? "a" : "b", 53, data, sizeof(data)), 0);
	ck_assert_int_eq(find_sized("c", 53, data, sizeof(data)), -1);
	ck_assert_int_eq(find("c", 53, "x"), 0);
	finish(0, 1);
	collect();
	ck_assert_int_eq(find_sized("c", 53, data, sizeof(data)), 0);
}
END_TEST

START_TEST(too_many_lookups_at_a_time_drop_the_datagram)
{
	char host[16];

	for (int i = 0; i <= UDP_LOOKUPS; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		ck_assert_int_eq(find(host, 53, "x"), i < UDP_LOOKUPS ? 0 : -1);
	}
	finish(3, 1);
	collect();
	ck_assert_int_eq(find("h8", 53, "x"), 0);
	ck_assert_int_eq(find("h3", 53, "x"), 1);
}
END_TEST

START_TEST(the_name_that_was_used_longest_ago_makes_room)
{
	char host[16];

	ck_assert_int_eq(find("waiting", 53, "x"), 0); /* this one cannot */
	for (int i = 1; i < UDP_NAMES; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		ck_assert_int_eq(find(host, 53, "x"), 0);
		finish(i, 1);
		collect();
		ck_assert_int_eq(find("h1", 53, "x"), 1); /* always in use */
	}
	ck_assert_int_eq(find("one more", 53, "x"), 0); /* h2 goes */
	ck_assert_int_eq(find("h1", 53, "x"), 1);
	ck_assert_int_eq(find("h3", 53, "x"), 1);
	ck_assert_int_eq(find("h2", 53, "x"), 0);
	ck_assert_int_eq(started, UDP_NAMES + 2);
	finish(0, 1);
	ck_assert_str_eq(collect(), "waiting 53 x 1 192.0.2.1:53\n");
}
END_TEST

START_TEST(a_name_that_cannot_be_looked_up_takes_no_others_room)
{
	char host[16];

	for (int i = 0; i < UDP_NAMES; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		ck_assert_int_eq(find(host, 53, "x"), 0);
		finish(i, 1);
		collect();
	}
	at_a_time = UDP_LOOKUPS;
	ck_assert_int_eq(find("one more", 53, "x"), -1);
	ck_assert_int_eq(find("h0", 53, "x"), 1);
}
END_TEST

START_TEST(empty_datagrams_wait_like_others)
{
	ck_assert_int_eq(find("a.example", 53, ""), 0);
	finish(0, 1);
	ck_assert_str_eq(collect(), "a.example 53  1 192.0.2.1:53\n");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp_names");
	TCase *tc = tcase_create("udp_names");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, datagrams_wait_for_their_name_and_follow_in_order);
	tcase_add_test(tc, a_name_that_is_known_needs_no_lookup);
	tcase_add_test(tc, a_slow_name_does_not_hold_up_another);
	tcase_add_test(tc, a_name_is_looked_up_again_after_its_time);
	tcase_add_test(tc, a_failure_is_remembered_for_a_short_time);
	tcase_add_test(tc, datagrams_for_one_name_are_bounded);
	tcase_add_test(tc, bytes_that_wait_are_bounded_for_all_names);
	tcase_add_test(tc, too_many_lookups_at_a_time_drop_the_datagram);
	tcase_add_test(tc, the_name_that_was_used_longest_ago_makes_room);
	tcase_add_test(tc, a_name_that_cannot_be_looked_up_takes_no_others_room);
	tcase_add_test(tc, empty_datagrams_wait_like_others);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
