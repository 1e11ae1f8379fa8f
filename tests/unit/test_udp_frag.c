/* SPDX-License-Identifier: ISC */
/* Tests of udp_frag: reassembly by RFC 1928 section 7, with a clock of the test's. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "udp_frag.h"

#define LAST SOCKS_UDP_LAST

static struct udp_frag frag;
static uint64_t dropped;
static int64_t now;
static struct socks_udp whole;

static void
set_up(void)
{
	memset(&frag, 0, sizeof(frag));
	dropped = 0;
	now = 1000;
}

static void
tear_down(void)
{
	udp_frag_free(&frag);
}

static struct socks_dest
to(uint16_t port)
{
	struct socks_dest dst = { .atyp = SOCKS_ATYP_IPV4 };

	ck_assert(addr_from_text(&dst.addr, "192.0.2.1", port));
	return dst;
}

static bool
take_sized(unsigned position, const void *data, size_t size)
{
	whole = (struct socks_udp){ (uint8_t)position, to(53), data, size };
	return udp_frag_take(&frag, &whole, now, &dropped);
}

static bool
take(unsigned position, const char *text)
{
	return take_sized(position, text, strlen(text));
}

static void
check_whole(const char *text)
{
	ck_assert_uint_eq(whole.size, strlen(text));
	ck_assert_mem_eq(whole.data, text, whole.size);
}

START_TEST(a_datagram_that_stands_alone_passes_as_it_is)
{
	ck_assert(take(0, "alone"));
	check_whole("alone");
	ck_assert(frag.data == NULL);
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(fragments_in_order_become_one_datagram)
{
	ck_assert(!take(1, "one "));
	ck_assert(!take(2, ""));
	ck_assert(!take(3, "two "));
	ck_assert(take(4 | LAST, "three"));
	check_whole("one two three");
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(a_sequence_of_one_is_a_datagram)
{
	ck_assert(take(1 | LAST, "only"));
	check_whole("only");
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(sequences_may_follow_one_another)
{
	for (int i = 0; i < 3; i++) {
		ck_assert(!take(1, "a"));
		ck_assert(take(2 | LAST, "b"));
		check_whole("ab");
	}
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(all_127_positions_are_there)
{
	for (unsigned i = 1; i < 127; i++)
		ck_assert(!take(i, "x"));
	ck_assert(take(127 | LAST, "y"));
	ck_assert_uint_eq(whole.size, 127);
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(a_sequence_that_lacks_its_beginning_is_dropped)
{
	ck_assert(!take(2, "b"));
	ck_assert(!take(3 | LAST, "c"));
	ck_assert_uint_eq(dropped, 2);
	ck_assert(frag.data == NULL);
}
END_TEST

START_TEST(a_gap_gives_the_sequence_up)
{
	ck_assert(!take(1, "a"));
	ck_assert(!take(3, "c"));
	ck_assert(frag.data == NULL);
	ck_assert(!take(2, "b"));
	ck_assert(!take(4 | LAST, "d"));
	ck_assert_uint_eq(dropped, 4);
}
END_TEST

START_TEST(a_lower_position_gives_the_sequence_up)
{
	ck_assert(!take(1, "a"));
	ck_assert(!take(2, "b"));
	ck_assert(!take(3, "c"));
	ck_assert(!take(2, "b"));
	ck_assert_uint_eq(dropped, 4);
	ck_assert(!take(4 | LAST, "d"));
	ck_assert_uint_eq(dropped, 5);
}
END_TEST

START_TEST(position_1_begins_anew)
{
	ck_assert(!take(1, "old "));
	ck_assert(!take(2, "old "));
	ck_assert(!take(1, "new "));
	ck_assert_uint_eq(dropped, 2);
	ck_assert(take(2 | LAST, "new"));
	check_whole("new new");
}
END_TEST

START_TEST(position_1_begins_anew_also_behind_itself)
{
	ck_assert(!take(1, "old "));
	ck_assert(!take(1, "new "));
	ck_assert(take(2 | LAST, "new"));
	check_whole("new new");
	ck_assert_uint_eq(dropped, 1);
}
END_TEST

START_TEST(a_datagram_that_stands_alone_gives_the_sequence_up)
{
	ck_assert(!take(1, "a"));
	ck_assert(take(0, "alone"));
	check_whole("alone");
	ck_assert_uint_eq(dropped, 1);
	ck_assert(!take(2 | LAST, "b"));
	ck_assert_uint_eq(dropped, 2);
}
END_TEST

START_TEST(another_destination_gives_the_sequence_up)
{
	ck_assert(!take(1, "a"));
	whole = (struct socks_udp){ 2 | LAST, to(54), (const uint8_t *)"b", 1 };
	ck_assert(!udp_frag_take(&frag, &whole, now, &dropped));
	ck_assert_uint_eq(dropped, 2);
}
END_TEST

START_TEST(names_are_compared_too)
{
	struct socks_udp d = { 1,
		{ .atyp = SOCKS_ATYP_NAME, .name = { "a.example", 53 } },
		(const uint8_t *)"x", 1 };

	ck_assert(!udp_frag_take(&frag, &d, now, &dropped));
	d.frag = 2;
	ck_assert(!udp_frag_take(&frag, &d, now, &dropped));
	ck_assert_uint_eq(dropped, 0);
	d.frag = 3 | LAST;
	d.dst.name.host[0] = 'b';
	ck_assert(!udp_frag_take(&frag, &d, now, &dropped));
	ck_assert_uint_eq(dropped, 3);
}
END_TEST

START_TEST(just_before_the_timer_it_still_counts)
{
	ck_assert(!take(1, "a"));
	ck_assert_int_eq(udp_frag_until(&frag), now + UDP_FRAG_MS);
	now += UDP_FRAG_MS - 1;
	ck_assert(take(2 | LAST, "b"));
	check_whole("ab");
}
END_TEST

START_TEST(the_timer_gives_the_sequence_up)
{
	ck_assert(!take(1, "a"));
	now += UDP_FRAG_MS;
	ck_assert(!take(2 | LAST, "b"));
	ck_assert_uint_eq(dropped, 2);
}
END_TEST

START_TEST(the_timer_frees_the_memory)
{
	ck_assert(udp_frag_until(&frag) == IO_FOREVER);
	ck_assert(!take(1, "a"));
	udp_frag_expire(&frag, now + UDP_FRAG_MS - 1, &dropped);
	ck_assert(frag.data != NULL);
	udp_frag_expire(&frag, now + UDP_FRAG_MS, &dropped);
	ck_assert(frag.data == NULL);
	ck_assert_uint_eq(dropped, 1);
	ck_assert(udp_frag_until(&frag) == IO_FOREVER);
}
END_TEST

START_TEST(the_memory_of_a_whole_one_is_freed_and_nothing_dropped)
{
	ck_assert(!take(1, "a"));
	ck_assert(take(2 | LAST, "b"));
	udp_frag_expire(&frag, now, &dropped);
	ck_assert(frag.data == NULL);
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(the_largest_datagram_fits_and_one_byte_more_does_not)
{
	static const uint8_t half[32767];

	ck_assert(!take_sized(1, half, 32767));
	ck_assert(!take_sized(2, half, 32740));
	ck_assert(take_sized(3 | LAST, "", 0));
	ck_assert_uint_eq(whole.size, SOCKS_UDP_PAYLOAD);
	ck_assert(!take_sized(1, half, 32767));
	ck_assert(!take_sized(2, half, 32741));
	ck_assert_uint_eq(dropped, 2);
	ck_assert(frag.data == NULL);
}
END_TEST

START_TEST(no_sequence_makes_anything_that_was_not_sent)
{
	uint32_t x = 4711;

	/* Every fragment is its own position: what is whole must count up from 1. */
	for (int i = 0; i < 100000; i++) {
		unsigned position;
		uint8_t byte;

		x = x * 1664525U + 1013904223U;
		position = 1 + (x >> 16) % 4;
		byte = (uint8_t)position;
		now += (x >> 24) % 16 == 0 ? 2000 : 1;
		if (!take_sized(position | (x >> 30 == 0 ? LAST : 0), &byte, 1))
			continue;
		ck_assert_uint_eq(whole.size, position);
		for (unsigned j = 0; j < position; j++)
			ck_assert_uint_eq(whole.data[j], j + 1);
	}
	ck_assert_uint_gt(dropped, 1000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp_frag");
	TCase *tc = tcase_create("udp_frag");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_datagram_that_stands_alone_passes_as_it_is);
	tcase_add_test(tc, fragments_in_order_become_one_datagram);
	tcase_add_test(tc, a_sequence_of_one_is_a_datagram);
	tcase_add_test(tc, sequences_may_follow_one_another);
	tcase_add_test(tc, all_127_positions_are_there);
	tcase_add_test(tc, a_sequence_that_lacks_its_beginning_is_dropped);
	tcase_add_test(tc, a_gap_gives_the_sequence_up);
	tcase_add_test(tc, a_lower_position_gives_the_sequence_up);
	tcase_add_test(tc, position_1_begins_anew);
	tcase_add_test(tc, position_1_begins_anew_also_behind_itself);
	tcase_add_test(tc, a_datagram_that_stands_alone_gives_the_sequence_up);
	tcase_add_test(tc, another_destination_gives_the_sequence_up);
	tcase_add_test(tc, names_are_compared_too);
	tcase_add_test(tc, just_before_the_timer_it_still_counts);
	tcase_add_test(tc, the_timer_gives_the_sequence_up);
	tcase_add_test(tc, the_timer_frees_the_memory);
	tcase_add_test(tc, the_memory_of_a_whole_one_is_freed_and_nothing_dropped);
	tcase_add_test(tc, the_largest_datagram_fits_and_one_byte_more_does_not);
	tcase_add_test(tc, no_sequence_makes_anything_that_was_not_sent);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
