/* SPDX-License-Identifier: ISC */
/*
 * Tests of balance: the shares of each way to pick, as members come and go. All of it is
 * exact or fixed for ever: no chance but from a generator with a seed.
 */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "balance.h"

#define MANY	8
#define SOURCES 3000
#define PICK	(INT64_C(1) << 40) /* as balance.c counts credit */

static const char *const names[MANY] = { "10.0.0.1:5432", "10.0.0.2:5432",
	"10.0.0.3:5432", "db.example.com:5432", "[2001:db8::1]:5432", "a:1", "b:1",
	"c:1" };

static struct member list[MANY];
static bool may[MANY];
static int n;

/* n members, all of which may; the weights end with a 0. */
static void
set_up(const int *weights)
{
	for (n = 0; weights[n] != 0; n++) {
		ck_assert_int_lt(n, MANY);
		may[n] = true;
		list[n] = (struct member){
			.weight = weights[n],
			.hash = balance_hash(names[n], strlen(names[n])),
		};
	}
}
#define SET_UP(...) set_up((const int[]){ __VA_ARGS__, 0 })

/* Counts so many picks, none of which may be of one that may not. */
static void
count(int counts[MANY], enum balance how, int picks)
{
	memset(counts, 0, MANY * sizeof(counts[0]));
	while (picks-- > 0) {
		int i = balance_pick(how, list, n, may, 0);

		if (i < 0 || i >= n || !may[i])
			ck_abort_msg("%d is none of those that may", i);
		counts[i]++;
	}
}

/* The members by the numbers of so many picks: "0120". */
static const char *
picks(enum balance how, int number, bool hold)
{
	static char text[64];

	ck_assert_int_lt(number, (int)sizeof(text));
	for (int i = 0; i < number; i++) {
		int m = balance_pick(how, list, n, may, 0);

		text[i] = (char)('0' + m);
		if (hold)
			list[m].active++;
	}
	text[number] = '\0';
	return text;
}

/* How often the same one was picked in a row, at most. */
static int
longest_run(int number)
{
	int longest = 0, run = 0, last = -1;

	while (number-- > 0) {
		int i = balance_pick(BALANCE_ROUND_ROBIN, list, n, may, 0);

		run = i == last ? run + 1 : 1;
		last = i;
		if (run > longest)
			longest = run;
	}
	return longest;
}

/* xorshift64: the same each time. */
static uint64_t
next_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static uint64_t
source(int i)
{
	char text[32];

	snprintf(text, sizeof(text), "192.0.%d.%d", i / 256, i % 256);
	return balance_hash(text, strlen(text));
}

static int
pick_for(int i)
{
	return balance_pick(BALANCE_SOURCE, list, n, may, source(i));
}

START_TEST(words_and_numbers_fit)
{
	static const char *const words[] = { "first", "round-robin", "least", "source" };

	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(balance_word((enum balance)i), words[i]);
		ck_assert_int_eq(balance_number(words[i]), i);
	}
	ck_assert_int_eq(BALANCE_LEAST, balance_number("least"));
	ck_assert_int_eq(balance_number(""), -1);
	ck_assert_int_eq(balance_number("round"), -1);
	ck_assert_int_eq(balance_number("round-robin "), -1);
	ck_assert_int_eq(balance_number("First"), -1);
}
END_TEST

START_TEST(where_none_may_there_is_none)
{
	SET_UP(1, 2, 3);
	memset(may, 0, sizeof(may));
	for (int how = 0; how < 4; how++) {
		ck_assert_int_eq(balance_pick((enum balance)how, list, n, may, 7), -1);
		ck_assert_int_eq(balance_pick((enum balance)how, list, 0, may, 7), -1);
	}
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(list[i].credit, 0);
}
END_TEST

START_TEST(the_only_one_is_always_picked)
{
	SET_UP(1, 2, 3);
	may[0] = may[2] = false;
	list[1].active = 1000;
	for (int how = 0; how < 4; how++)
		for (int i = 0; i < 100; i++)
			ck_assert_int_eq(
				balance_pick((enum balance)how, list, n, may, source(i)),
				1);
	ck_assert_int_eq(list[1].credit, 0);
}
END_TEST

START_TEST(first_picks_the_first_that_may)
{
	SET_UP(1, 1000, 3);
	list[0].active = 1000;
	ck_assert_str_eq(picks(BALANCE_FIRST, 5, true), "00000");
	may[0] = false;
	ck_assert_str_eq(picks(BALANCE_FIRST, 5, true), "11111");
	may[1] = false;
	ck_assert_str_eq(picks(BALANCE_FIRST, 2, true), "22");
	may[0] = true;
	ck_assert_str_eq(picks(BALANCE_FIRST, 2, true), "00");
}
END_TEST

START_TEST(round_robin_of_equal_ones_is_in_their_order)
{
	SET_UP(1, 1, 1);
	ck_assert_str_eq(picks(BALANCE_ROUND_ROBIN, 9, true), "012012012");
	SET_UP(7, 7, 7, 7, 7);
	ck_assert_str_eq(picks(BALANCE_ROUND_ROBIN, 12, true), "012340123401");
}
END_TEST

START_TEST(round_robin_gives_each_its_exact_share)
{
	int counts[MANY];

	SET_UP(1, 2, 3);
	count(counts, BALANCE_ROUND_ROBIN, 3000);
	ck_assert_int_eq(counts[0], 500);
	ck_assert_int_eq(counts[1], 1000);
	ck_assert_int_eq(counts[2], 1500);
}
END_TEST

START_TEST(round_robin_is_exact_after_each_turn)
{
	int counts[MANY];

	SET_UP(1, 2, 3, 7, 11, 13, 1, 999);
	for (int turn = 0; turn < 50; turn++) {
		count(counts, BALANCE_ROUND_ROBIN, 1 + 2 + 3 + 7 + 11 + 13 + 1 + 999);
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(counts[i], list[i].weight);
	}
}
END_TEST

START_TEST(round_robin_is_never_off_by_two_picks)
{
	int counts[MANY] = { 0 };
	double worst = 0;

	SET_UP(1, 1000, 3, 70, 250, 1, 1, 2);
	for (int k = 1; k <= 4000; k++) {
		counts[balance_pick(BALANCE_ROUND_ROBIN, list, n, may, 0)]++;
		for (int i = 0; i < n; i++) {
			double off = fabs(counts[i] - k * list[i].weight / 1328.0);

			worst = off > worst ? off : worst;
		}
	}
	ck_assert_double_lt(worst, 2);
}
END_TEST

START_TEST(shares_stay_exact_with_one_taken_out_and_back)
{
	int counts[MANY];

	SET_UP(1, 2, 3);
	count(counts, BALANCE_ROUND_ROBIN, 1200);
	may[2] = false;
	count(counts, BALANCE_ROUND_ROBIN, 900);
	ck_assert_int_eq(counts[0], 300);
	ck_assert_int_eq(counts[1], 600);
	may[2] = true;
	count(counts, BALANCE_ROUND_ROBIN, 900);
	ck_assert_int_eq(counts[0], 150);
	ck_assert_int_eq(counts[1], 300);
	ck_assert_int_eq(counts[2], 450);
}
END_TEST

START_TEST(one_that_was_away_does_not_make_up_for_it)
{
	int counts[MANY];

	/* Wherever in a turn it leaves. */
	for (int before = 0; before < 6; before++) {
		SET_UP(1, 2, 3);
		count(counts, BALANCE_ROUND_ROBIN, before);
		may[2] = false;
		count(counts, BALANCE_ROUND_ROBIN, 3001);
		may[2] = true;
		count(counts, BALANCE_ROUND_ROBIN, 6);
		ck_assert_int_ge(counts[2], 2);
		ck_assert_int_le(counts[2], 4);
		count(counts, BALANCE_ROUND_ROBIN, 600);
		ck_assert_int_ge(counts[2], 299);
		ck_assert_int_le(counts[2], 301);
	}
}
END_TEST

START_TEST(a_heavy_one_is_not_picked_in_bursts)
{
	SET_UP(5, 1, 1);
	ck_assert_int_le(longest_run(700), 4);
	SET_UP(5, 1, 1);
	ck_assert_str_eq(picks(BALANCE_ROUND_ROBIN, 14, true), "00102000010200");
}
END_TEST

START_TEST(a_heavy_one_that_leaves_does_not_hold_up_the_others)
{
	int counts[MANY];

	/* One of the light ones has just had its pick out of a thousand. */
	SET_UP(1000, 1, 1);
	count(counts, BALANCE_ROUND_ROBIN, 600);
	ck_assert_int_eq(counts[1] + counts[2], 1);
	may[0] = false;
	ck_assert_int_le(longest_run(1000), 3);
}
END_TEST

/* The most that any is owed or owes; what all are owed together is nothing. */
static int64_t
worst_credit(void)
{
	int64_t worst = 0, sum = 0;

	for (int i = 0; i < n; i++) {
		int64_t credit = list[i].credit;

		sum += credit;
		credit = credit < 0 ? -credit : credit;
		worst = credit > worst ? credit : worst;
	}
	if (sum != 0)
		ck_abort_msg("credit is lost or made");
	return worst;
}

START_TEST(credit_stays_within_a_few_picks_whoever_comes_and_goes)
{
	int64_t worst = 0;

	SET_UP(1, 1000, 3, 70, 250, 1, 1, 999);
	for (int k = 0; k < 300000; k++) {
		uint64_t bits = next_random() >> 20;

		for (int i = 0; i < n; i++)
			may[i] = (bits >> i & 1) != 0;
		(void)balance_pick(BALANCE_ROUND_ROBIN, list, n, may, 0);
		worst = worst_credit() > worst ? worst_credit() : worst;
	}
	ck_assert_int_le(worst, 3 * PICK);
}
END_TEST

START_TEST(credit_stays_within_a_few_picks_against_an_adversary)
{
	int64_t worst = 0;

	SET_UP(1, 1000, 3, 70, 250, 1, 1, 999);
	/* The richest or the poorest and any other one, to make the worst even worse. */
	for (int k = 0; k < 300000; k++) {
		int high = 0, low = 0, one;

		for (int i = 1; i < n; i++) {
			high = list[i].credit > list[high].credit ? i : high;
			low = list[i].credit < list[low].credit ? i : low;
		}
		one = k % 2 ? high : low;
		memset(may, 0, sizeof(may));
		may[one] = may[(one + 1 + (int)(next_random() % 7)) % n] = true;
		(void)balance_pick(BALANCE_ROUND_ROBIN, list, n, may, 0);
		worst = worst_credit() > worst ? worst_credit() : worst;
	}
	ck_assert_int_le(worst, 3 * PICK);
}
END_TEST

START_TEST(least_picks_the_one_with_the_fewest_tunnels)
{
	SET_UP(1, 1, 1);
	list[0].active = 3;
	list[1].active = 1;
	list[2].active = 2;
	ck_assert_str_eq(picks(BALANCE_LEAST, 1, true), "1");
	list[0].active = 0;
	ck_assert_str_eq(picks(BALANCE_LEAST, 1, true), "0");
	list[0].active = 50;
	may[1] = false;
	ck_assert_str_eq(picks(BALANCE_LEAST, 3, true), "222");
}
END_TEST

START_TEST(least_fills_up_by_the_weights)
{
	SET_UP(1, 2, 3);
	(void)picks(BALANCE_LEAST, 60, true);
	ck_assert_uint_eq(list[0].active, 10);
	ck_assert_uint_eq(list[1].active, 20);
	ck_assert_uint_eq(list[2].active, 30);
}
END_TEST

START_TEST(least_gives_to_the_one_whose_tunnels_end)
{
	SET_UP(1, 2, 3);
	(void)picks(BALANCE_LEAST, 60, true);
	list[1].active -= 5;
	ck_assert_str_eq(picks(BALANCE_LEAST, 5, true), "11111");
	list[0].active -= 1;
	list[2].active -= 2;
	(void)picks(BALANCE_LEAST, 3, true);
	ck_assert_uint_eq(list[0].active, 10);
	ck_assert_uint_eq(list[1].active, 20);
	ck_assert_uint_eq(list[2].active, 30);
}
END_TEST

START_TEST(least_holds_the_weights_while_tunnels_end_by_chance)
{
	SET_UP(1, 2, 5);
	for (int k = 0; k < 20000; k++) {
		int i = balance_pick(BALANCE_LEAST, list, n, may, 0);

		list[i].active++;
		i = (int)(next_random() % 3);
		if (k >= 800 && list[i].active > 0)
			list[i].active--;
	}
	/* All are as full for their weight as any other, but for one tunnel. */
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			ck_assert_uint_le((list[i].active - 1) * (size_t)list[j].weight,
				(list[j].active + 1) * (size_t)list[i].weight);
}
END_TEST

START_TEST(least_counts_what_does_not_fit_32_bits)
{
	SET_UP(1000, 999);
	/* 4299267 * 999 is beyond 2^32, 4294967 * 1000 is not. */
	list[0].active = 4299266;
	list[1].active = 4294966;
	ck_assert_str_eq(picks(BALANCE_LEAST, 1, false), "1");
	list[1].active = 4294967;
	ck_assert_str_eq(picks(BALANCE_LEAST, 1, false), "0");
}
END_TEST

START_TEST(idle_members_take_turns)
{
	SET_UP(1, 1, 1);
	ck_assert_str_eq(picks(BALANCE_LEAST, 9, false), "012012012");
	SET_UP(1, 1, 1);
	list[1].active = 1;
	ck_assert_str_eq(picks(BALANCE_LEAST, 6, false), "020202");
	list[1].active = 0;
	ck_assert_str_eq(picks(BALANCE_LEAST, 3, false), "012");
}
END_TEST

START_TEST(ties_of_unequal_weights_take_turns_by_them)
{
	int counts[MANY];

	SET_UP(1, 2, 1);
	list[0].active = 1; /* 2/1, 4/2 and more than that */
	list[1].active = 3;
	list[2].active = 9;
	count(counts, BALANCE_LEAST, 300);
	ck_assert_int_eq(counts[0], 100);
	ck_assert_int_eq(counts[1], 200);
	ck_assert_int_eq(counts[2], 0);
}
END_TEST

START_TEST(hashes_never_change)
{
	static const uint8_t ip[] = { 192, 0, 2, 1 };

	ck_assert_uint_eq(balance_hash("", 0), UINT64_C(0x2008260dfc503619));
	ck_assert_uint_eq(
		balance_hash("10.0.0.1:5432", 13), UINT64_C(0xd9eecfd5e27cc457));
	ck_assert_uint_eq(
		balance_hash("example.com:80", 14), UINT64_C(0xaf8f3fe8d6cc971c));
	ck_assert_uint_eq(balance_hash(ip, sizeof(ip)), UINT64_C(0xcdcc600179383c14));
}
END_TEST

START_TEST(the_members_of_sources_never_change)
{
	char text[41];

	SET_UP(1, 1, 2, 1, 1000);
	may[4] = false;
	for (int i = 0; i < 40; i++)
		text[i] = (char)('0' + pick_for(i));
	text[40] = '\0';
	ck_assert_str_eq(text, "1231000222331303022021123220222013222311");
}
END_TEST

START_TEST(source_has_the_same_answer_always)
{
	int answers[SOURCES];

	SET_UP(1, 1, 2, 5);
	for (int i = 0; i < SOURCES; i++)
		answers[i] = pick_for(i);
	/* Whatever else has gone on. */
	for (int i = 0; i < n; i++) {
		list[i].active = (size_t)i * 100;
		list[i].credit = -i * PICK;
	}
	for (int i = SOURCES - 1; i >= 0; i--)
		ck_assert_int_eq(pick_for(i), answers[i]);
}
END_TEST

START_TEST(source_does_not_depend_on_the_order)
{
	int answers[SOURCES];

	SET_UP(1, 1, 2, 5);
	for (int i = 0; i < SOURCES; i++)
		answers[i] = pick_for(i);
	for (int turned = 1; turned < n; turned++) {
		struct member head = list[0];

		memmove(list, list + 1, (size_t)(n - 1) * sizeof(list[0]));
		list[n - 1] = head;
		for (int i = 0; i < SOURCES; i++)
			ck_assert_int_eq((pick_for(i) + turned) % n, answers[i]);
	}
}
END_TEST

START_TEST(one_that_leaves_moves_its_own_sources_only)
{
	int answers[SOURCES], moved[MANY] = { 0 };

	SET_UP(1, 1, 2, 1);
	for (int i = 0; i < SOURCES; i++)
		answers[i] = pick_for(i);
	may[2] = false;
	for (int i = 0; i < SOURCES; i++) {
		int now = pick_for(i);

		ck_assert_int_ne(now, 2);
		if (answers[i] != 2)
			ck_assert_int_eq(now, answers[i]);
		else
			moved[now]++;
	}
	/* They went to all the others, not to one. */
	for (int i = 0; i < n; i++)
		ck_assert(i == 2 || moved[i] > SOURCES * 2 / 5 / 3 * 8 / 10);
	may[2] = true;
	for (int i = 0; i < SOURCES; i++)
		ck_assert_int_eq(pick_for(i), answers[i]);
}
END_TEST

START_TEST(a_new_one_takes_sources_and_moves_no_others)
{
	int answers[SOURCES], taken = 0;

	SET_UP(1, 1, 2);
	for (int i = 0; i < SOURCES; i++)
		answers[i] = pick_for(i);
	SET_UP(1, 1, 2, 1);
	for (int i = 0; i < SOURCES; i++) {
		int now = pick_for(i);

		if (now == 3)
			taken++;
		else
			ck_assert_int_eq(now, answers[i]);
	}
	ck_assert_int_gt(taken, SOURCES / 5 * 9 / 10);
	ck_assert_int_lt(taken, SOURCES / 5 * 11 / 10);
}
END_TEST

START_TEST(a_weight_that_grows_takes_sources_and_gives_none)
{
	int answers[SOURCES];

	SET_UP(1, 1, 2);
	for (int i = 0; i < SOURCES; i++)
		answers[i] = pick_for(i);
	list[1].weight = 3;
	for (int i = 0; i < SOURCES; i++) {
		int now = pick_for(i);

		ck_assert(now == answers[i] || now == 1);
	}
}
END_TEST

START_TEST(sources_are_shared_out_roughly_by_weight)
{
	int counts[MANY] = { 0 };

	SET_UP(1, 1, 2);
	for (int i = 0; i < SOURCES; i++)
		counts[pick_for(i)]++;
	for (int i = 0; i < n; i++) {
		int share = SOURCES * list[i].weight / 4;

		ck_assert_int_gt(counts[i], share * 9 / 10);
		ck_assert_int_lt(counts[i], share * 11 / 10);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("balance");
	TCase *tc = tcase_create("balance");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, words_and_numbers_fit);
	tcase_add_test(tc, where_none_may_there_is_none);
	tcase_add_test(tc, the_only_one_is_always_picked);
	tcase_add_test(tc, first_picks_the_first_that_may);
	tcase_add_test(tc, round_robin_of_equal_ones_is_in_their_order);
	tcase_add_test(tc, round_robin_gives_each_its_exact_share);
	tcase_add_test(tc, round_robin_is_exact_after_each_turn);
	tcase_add_test(tc, round_robin_is_never_off_by_two_picks);
	tcase_add_test(tc, shares_stay_exact_with_one_taken_out_and_back);
	tcase_add_test(tc, one_that_was_away_does_not_make_up_for_it);
	tcase_add_test(tc, a_heavy_one_is_not_picked_in_bursts);
	tcase_add_test(tc, a_heavy_one_that_leaves_does_not_hold_up_the_others);
	tcase_add_test(tc, credit_stays_within_a_few_picks_whoever_comes_and_goes);
	tcase_add_test(tc, credit_stays_within_a_few_picks_against_an_adversary);
	tcase_add_test(tc, least_picks_the_one_with_the_fewest_tunnels);
	tcase_add_test(tc, least_fills_up_by_the_weights);
	tcase_add_test(tc, least_gives_to_the_one_whose_tunnels_end);
	tcase_add_test(tc, least_holds_the_weights_while_tunnels_end_by_chance);
	tcase_add_test(tc, least_counts_what_does_not_fit_32_bits);
	tcase_add_test(tc, idle_members_take_turns);
	tcase_add_test(tc, ties_of_unequal_weights_take_turns_by_them);
	tcase_add_test(tc, hashes_never_change);
	tcase_add_test(tc, the_members_of_sources_never_change);
	tcase_add_test(tc, source_has_the_same_answer_always);
	tcase_add_test(tc, source_does_not_depend_on_the_order);
	tcase_add_test(tc, one_that_leaves_moves_its_own_sources_only);
	tcase_add_test(tc, a_new_one_takes_sources_and_moves_no_others);
	tcase_add_test(tc, a_weight_that_grows_takes_sources_and_gives_none);
	tcase_add_test(tc, sources_are_shared_out_roughly_by_weight);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
