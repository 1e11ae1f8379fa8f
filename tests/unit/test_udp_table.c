/* SPDX-License-Identifier: ISC */
/*
 * Tests of udp_table: what makes two datagrams the same session, what is kept until there
 * is an association, and that no session goes while the other thread uses it.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "udp_table.h"

static struct udp_table *table;

static void
set_up(void)
{
	table = udp_table_new();
	ck_assert(table != NULL);
}

static void
tear_down(void)
{
	ck_assert_int_eq(udp_table_wait(table, 0), 0);
	udp_table_free(table);
}

static struct udp_ends
make_ends(int listener, const char *client, uint16_t port, const char *local)
{
	struct udp_ends ends = { .listener = listener };
	struct addr at;
	size_t size;
	const uint8_t *ip;

	ck_assert(addr_from_text(&ends.client, client, port));
	if (local) {
		ck_assert(addr_from_text(&at, local, 0));
		ip = addr_bytes(&at, &size);
		ends.local.family = addr_family(&at);
		memcpy(ends.local.ip, ip, size);
	}
	return ends;
}

static struct udp_session *
add(const struct udp_ends *ends, const char *text)
{
	struct udp_session *s = udp_table_add(table, ends, -1, text, strlen(text));

	ck_assert(s != NULL);
	return s;
}

static enum udp_found
find(const struct udp_ends *ends, const char *text, struct udp_session **s)
{
	*s = NULL;
	return udp_table_find(table, ends, text, strlen(text), s);
}

/* What was kept is just that, in order; frees it. */
static void
expect_early(struct udp_early *list, const char *const *texts)
{
	for (; *texts; texts++) {
		struct udp_early *first = list;

		ck_assert_msg(first != NULL, "%s is not there", *texts);
		ck_assert_uint_eq(first->size, strlen(*texts));
		ck_assert_mem_eq(first->bytes, *texts, strlen(*texts));
		list = first->next;
		free(first);
	}
	ck_assert(list == NULL);
}

static void
drop(struct udp_session *s)
{
	udp_table_remove(s);
	free(s);
}

START_TEST(each_difference_of_the_ends_is_another_session)
{
	const struct udp_ends ends[] = {
		make_ends(3, "192.0.2.1", 5000, "192.0.2.9"),
		make_ends(4, "192.0.2.1", 5000, "192.0.2.9"),
		make_ends(3, "192.0.2.2", 5000, "192.0.2.9"),
		make_ends(3, "192.0.2.1", 5001, "192.0.2.9"),
		make_ends(3, "192.0.2.1", 5000, "192.0.2.8"),
		make_ends(3, "192.0.2.1", 5000, NULL),
		make_ends(3, "2001:db8::1", 5000, "2001:db8::9"),
		make_ends(3, "2001:db8::1", 5000, "2001:db8::8"),
	};
	enum { N = sizeof(ends) / sizeof(ends[0]) };
	struct udp_session *s[N], *found;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			ck_assert(udp_ends_equal(&ends[i], &ends[j]) == (i == j));
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(find(&ends[i], "x", &found), UDP_UNKNOWN);
		s[i] = add(&ends[i], "");
		expect_early(udp_table_open(s[i]), (const char *const[]){ "", NULL });
		ck_assert(udp_table_open(s[i]) == NULL);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(find(&ends[i], "x", &found), UDP_BORROWED);
		ck_assert(found == s[i]);
		udp_table_give(found);
	}
	for (int i = 0; i < N; i++)
		drop(s[i]);
}
END_TEST

START_TEST(what_comes_before_the_association_is_kept_in_order)
{
	static const char *const first[] = { "one", "", "two", NULL };
	static const char *const second[] = { "three", NULL };
	struct udp_ends ends = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_session *s = add(&ends, "one"), *found;

	ck_assert_int_eq(find(&ends, "", &found), UDP_KEPT);
	ck_assert_int_eq(find(&ends, "two", &found), UDP_KEPT);
	expect_early(udp_table_open(s), first);
	ck_assert_int_eq(find(&ends, "three", &found), UDP_KEPT);
	expect_early(udp_table_open(s), second);
	ck_assert(udp_table_open(s) == NULL);
	ck_assert_int_eq(find(&ends, "four", &found), UDP_BORROWED);
	udp_table_give(found);
	ck_assert_uint_eq(s->count[CLIENT][UDP_EARLY], 0);
	drop(s);
}
END_TEST

START_TEST(what_is_too_many_before_the_association_is_dropped_and_counted)
{
	static const char *const kept[] = { "0", "1", "2", "3", "4", "5", "6", "7",
		NULL };
	struct udp_ends ends = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_session *s = add(&ends, "0"), *found;
	char digit[2] = "0";

	for (digit[0] = '1'; digit[0] <= '9'; digit[0]++)
		ck_assert_int_eq(find(&ends, digit, &found), UDP_KEPT);
	ck_assert_uint_eq(s->count[CLIENT][UDP_EARLY], 2);
	expect_early(udp_table_open(s), kept);
	/* There is room again. */
	ck_assert_int_eq(find(&ends, "8", &found), UDP_KEPT);
	ck_assert_uint_eq(s->count[CLIENT][UDP_EARLY], 2);
	drop(s);
}
END_TEST

START_TEST(what_is_too_large_before_the_association_is_dropped_and_counted)
{
	static uint8_t large[SOCKS_UDP_PAYLOAD];
	struct udp_ends ends = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_session *s, *found;
	struct udp_early *early;

	s = udp_table_add(table, &ends, -1, large, sizeof(large));
	ck_assert(s != NULL);
	ck_assert_int_eq(
		udp_table_find(table, &ends, large, sizeof(large), &found), UDP_KEPT);
	ck_assert_uint_eq(s->count[CLIENT][UDP_EARLY], 1);
	ck_assert_int_eq(find(&ends, "small", &found), UDP_KEPT);
	ck_assert_uint_eq(s->count[CLIENT][UDP_EARLY], 1);
	early = udp_table_open(s);
	ck_assert(early != NULL && early->next != NULL && early->next->next == NULL);
	ck_assert_uint_eq(early->size, sizeof(large));
	free(early->next);
	free(early);
	drop(s);
}
END_TEST

START_TEST(without_an_association_all_is_dropped_and_counted)
{
	struct udp_ends ends = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_session *s = add(&ends, "one"), *found;

	ck_assert_int_eq(find(&ends, "two", &found), UDP_KEPT);
	udp_table_fail(s);
	ck_assert_int_eq(find(&ends, "three", &found), UDP_KEPT);
	ck_assert_uint_eq(s->count[CLIENT][UDP_EARLY], 1);
	ck_assert_uint_eq(s->count[TARGET][UDP_EARLY], 2);
	udp_table_remove(s);
	ck_assert_int_eq(find(&ends, "four", &found), UDP_UNKNOWN);
	free(s);
}
END_TEST

START_TEST(the_wait_for_the_last_session_has_an_end)
{
	struct udp_ends ends = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_session *s = add(&ends, "");

	ck_assert_int_eq(udp_table_wait(table, io_now_ms() + 1), -1);
	drop(s);
	ck_assert_int_eq(udp_table_wait(table, io_now_ms() + 30000), 0);
}
END_TEST

static _Atomic unsigned finds;

/* A serving thread: opens, is used by the other one for a while, and goes. */
static void *
serve_shortly(void *arg)
{
	struct udp_session *s = arg;
	struct udp_early *list, *next;
	unsigned begin;

	while ((list = udp_table_open(s)))
		for (; list; list = next) {
			next = list->next;
			free(list);
		}
	begin = atomic_load(&finds);
	while (atomic_load(&finds) - begin < 50)
		sched_yield();
	udp_table_remove(s);
	s->fd = 0; /* it is its own now, which a tool that looks for races checks */
	s->count[CLIENT][UDP_UP]++;
	free(s);
	return NULL;
}

/* This thread is the receiving one, with sessions that go at any time. */
START_TEST(a_session_does_not_go_while_it_is_borrowed)
{
	enum { SESSIONS = 500, CLIENTS = 4 };
	int sessions = 0, borrowed = 0;
	pthread_attr_t detached;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	while (sessions < SESSIONS || udp_table_wait(table, 0) == -1) {
		unsigned client = atomic_fetch_add(&finds, 1) % CLIENTS;
		struct udp_ends ends =
			make_ends(3, "192.0.2.1", (uint16_t)(1 + client), NULL);
		struct udp_session *s;
		pthread_t thread;
		enum udp_found found = find(&ends, "x", &s);

		if (found == UDP_UNKNOWN && sessions < SESSIONS) {
			s = add(&ends, "x");
			sessions++;
			ck_assert_int_eq(
				pthread_create(&thread, &detached, serve_shortly, s), 0);
		} else if (found == UDP_BORROWED) {
			for (int i = 0; i < 100; i++) {
				ck_assert(s->fd == -1);
				s->count[CLIENT][UDP_UP]++;
			}
			udp_table_give(s);
			borrowed++;
		}
	}
	pthread_attr_destroy(&detached);
	ck_assert_int_gt(borrowed, SESSIONS);
}
END_TEST

static void *
remove_it(void *arg)
{
	udp_table_remove(arg);
	return arg;
}

START_TEST(who_takes_a_session_out_waits_until_it_is_given_back)
{
	struct udp_ends ends = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_session *s = add(&ends, ""), *found;
	pthread_t thread;

	expect_early(udp_table_open(s), (const char *const[]){ "", NULL });
	ck_assert(udp_table_open(s) == NULL);
	ck_assert_int_eq(find(&ends, "x", &found), UDP_BORROWED);
	ck_assert_int_eq(pthread_create(&thread, NULL, remove_it, s), 0);
	/* It is not to be found any more, though it is still there. */
	while (find(&ends, "y", &found) == UDP_BORROWED || found)
		continue;
	ck_assert_int_eq(udp_table_wait(table, io_now_ms() + 20), -1);
	udp_table_give(s);
	ck_assert_int_eq(udp_table_wait(table, io_now_ms() + 30000), 0);
	pthread_join(thread, NULL);
	free(s);
}
END_TEST

START_TEST(a_listener_is_used_as_long_as_one_session_is_there)
{
	struct udp_ends one = make_ends(3, "192.0.2.1", 5000, NULL);
	struct udp_ends other = make_ends(3, "192.0.2.2", 5000, NULL);
	struct udp_session *s = add(&one, ""), *t = add(&other, "");

	ck_assert(udp_table_uses(table, 3));
	ck_assert(!udp_table_uses(table, 4));
	udp_table_remove(s);
	ck_assert(udp_table_uses(table, 3));
	udp_table_remove(t);
	ck_assert(!udp_table_uses(table, 3));
	free(s);
	free(t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp_table");
	TCase *tc = tcase_create("udp_table");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, each_difference_of_the_ends_is_another_session);
	tcase_add_test(tc, what_comes_before_the_association_is_kept_in_order);
	tcase_add_test(
		tc, what_is_too_many_before_the_association_is_dropped_and_counted);
	tcase_add_test(
		tc, what_is_too_large_before_the_association_is_dropped_and_counted);
	tcase_add_test(tc, without_an_association_all_is_dropped_and_counted);
	tcase_add_test(tc, the_wait_for_the_last_session_has_an_end);
	tcase_add_test(tc, a_session_does_not_go_while_it_is_borrowed);
	tcase_add_test(tc, who_takes_a_session_out_waits_until_it_is_given_back);
	tcase_add_test(tc, a_listener_is_used_as_long_as_one_session_is_there);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
