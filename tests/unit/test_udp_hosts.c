/* SPDX-License-Identifier: ISC */
/* Tests of udp_hosts and udp_relays: who may answer, and who is one of us. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>

#include "udp_hosts.h"
#include "udp_relays.h"

static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_from_text(&a, text, port));
	return a;
}

static struct addr
host(unsigned n)
{
	uint8_t ip[4] = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	struct addr a;

	addr_from_bytes(&a, AF_INET, ip, 53);
	return a;
}

START_TEST(a_host_is_known_whatever_the_port)
{
	struct addr a = address("192.0.2.1", 53), same = address("192.0.2.1", 54),
		    other = address("192.0.2.2", 53), v6 = address("2001:db8::1", 53);
	struct udp_hosts h;

	ck_assert_int_eq(udp_hosts_init(&h), 0);
	ck_assert(!udp_hosts_hold(&h, &a));
	ck_assert_int_eq(udp_hosts_add(&h, &a), 0);
	ck_assert(udp_hosts_hold(&h, &a));
	ck_assert(udp_hosts_hold(&h, &same));
	ck_assert(!udp_hosts_hold(&h, &other));
	ck_assert(!udp_hosts_hold(&h, &v6));
	ck_assert_int_eq(udp_hosts_add(&h, &v6), 0);
	ck_assert(udp_hosts_hold(&h, &v6));
	udp_hosts_free(&h);
}
END_TEST

START_TEST(mapped_addresses_are_the_ones_they_mean)
{
	struct addr a = address("192.0.2.1", 53), mapped = address("::ffff:192.0.2.1", 9);
	struct addr other = address("::ffff:192.0.2.2", 53);

	ck_assert(udp_same_host(&a, &mapped));
	ck_assert(!udp_same_host(&a, &other));
}
END_TEST

START_TEST(no_more_than_so_many_are_remembered_and_the_last_half_is)
{
	struct udp_hosts h;
	unsigned known = 0;

	ck_assert_int_eq(udp_hosts_init(&h), 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct addr a = host(i), old = host(i - UDP_HOSTS / 2 + 1);

		ck_assert_int_eq(udp_hosts_add(&h, &a), 0);
		ck_assert(i < UDP_HOSTS / 2 || udp_hosts_hold(&h, &old));
	}
	for (unsigned i = 0; i < 100000; i++) {
		struct addr a = host(i);

		known += udp_hosts_hold(&h, &a);
	}
	ck_assert_uint_le(known, UDP_HOSTS);
	ck_assert_uint_ge(known, UDP_HOSTS / 2);
	udp_hosts_free(&h);
}
END_TEST

START_TEST(a_host_that_is_sent_to_again_stays)
{
	struct addr kept = host(1 << 20);
	struct udp_hosts h;

	ck_assert_int_eq(udp_hosts_init(&h), 0);
	for (unsigned i = 0; i < 50000; i++) {
		struct addr a = host(i);

		ck_assert_int_eq(udp_hosts_add(&h, &a), 0);
		if (i % 1000 == 0)
			ck_assert_int_eq(udp_hosts_add(&h, &kept), 0);
		ck_assert(udp_hosts_hold(&h, &kept));
	}
	udp_hosts_free(&h);
}
END_TEST

static void *
ask(void *arg)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct addr a = host(i);

		(void)udp_hosts_hold(arg, &a);
	}
	return NULL;
}

START_TEST(one_thread_may_ask_while_another_adds)
{
	struct udp_hosts h;
	pthread_t thread;

	ck_assert_int_eq(udp_hosts_init(&h), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, ask, &h), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct addr a = host(i);

		ck_assert_int_eq(udp_hosts_add(&h, &a), 0);
	}
	pthread_join(thread, NULL);
	udp_hosts_free(&h);
}
END_TEST

START_TEST(relay_sockets_are_known_from_add_to_remove)
{
	struct udp_relay one = { .at = address("127.0.0.1", 4000) },
			 two = { .at = address("127.0.0.2", 4000) },
			 three = { .at = address("::1", 4001) };
	struct addr other = address("127.0.0.3", 4000);

	udp_relays_add(&one);
	udp_relays_add(&two);
	udp_relays_add(&three);
	ck_assert(udp_relays_hold(&one.at));
	ck_assert(udp_relays_hold(&two.at));
	ck_assert(udp_relays_hold(&three.at));
	ck_assert(!udp_relays_hold(&other));
	udp_relays_remove(&two);
	ck_assert(udp_relays_hold(&one.at));
	ck_assert(!udp_relays_hold(&two.at));
	udp_relays_remove(&three);
	udp_relays_remove(&one);
	ck_assert(!udp_relays_hold(&one.at));
	ck_assert(!udp_relays_hold(&three.at));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp_hosts");
	TCase *tc = tcase_create("udp_hosts");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_host_is_known_whatever_the_port);
	tcase_add_test(tc, mapped_addresses_are_the_ones_they_mean);
	tcase_add_test(tc, no_more_than_so_many_are_remembered_and_the_last_half_is);
	tcase_add_test(tc, a_host_that_is_sent_to_again_stays);
	tcase_add_test(tc, one_thread_may_ask_while_another_adds);
	tcase_add_test(tc, relay_sockets_are_known_from_add_to_remove);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
