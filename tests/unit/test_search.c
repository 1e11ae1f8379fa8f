/* SPDX-License-Identifier: ISC */
/*
 * Which pair of target and upstream is next, and what the results of others change in
 * that. No network: the test says what has come of each pair. Pairs are written as
 * "TARGET/UPSTREAM", by their numbers. A hold-off either lasts for ever, as far as a test
 * goes, or is over at once; then it is waited for.
 */
#include "config.h"
#include "search.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../system/harness.h"
#include "log.h"
#include "shared.h"
#include "source.h"

#define NEVER_MS 3600000
#define THREADS	 8
#define SEARCHES 300 /* of each thread */

static const struct hold_off for_ever = { NEVER_MS, NEVER_MS };
static const struct hold_off at_once = { 1, 1 };

static struct upstream *upstreams[ROUTE_UPSTREAMS];
static int n_upstreams;
static struct route *routes; /* to be freed */
static struct addr client;
static FILE *log_file;
static int saved_stderr;

static void
set_up(void)
{
	log_open("t", LOG_DAEMON, LOG_L_ERROR, true);
	ck_assert(addr_from_text(&client, "192.0.2.1", 1024));
}

static void
tear_down(void)
{
	while (routes) {
		struct route *next = routes->next;

		route_free(routes);
		routes = next;
	}
	for (int i = 0; i < n_upstreams; i++)
		upstream_free(upstreams[i]);
}

/* From here on the log is kept, up to read_log. */
static void
keep_log(void)
{
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ne(dup2(fileno(log_file), STDERR_FILENO), -1);
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
}

static const char *
read_log(void)
{
	static char text[1 << 16];

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	rewind(log_file);
	text[fread(text, 1, sizeof(text) - 1, log_file)] = '\0';
	fclose(log_file);
	return text;
}

static int
count_lines(const char *text)
{
	int n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static void
add_upstreams(int n)
{
	for (; n_upstreams < n; n_upstreams++) {
		struct hostport address = { .port = (uint16_t)(1080 + n_upstreams) };

		snprintf(address.host, sizeof(address.host), "u%d", n_upstreams);
		upstreams[n_upstreams] = upstream_new(&address);
		ck_assert_ptr_nonnull(upstreams[n_upstreams]);
	}
}

static void *
make(size_t n, size_t size)
{
	void *p = calloc(n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static struct member
member_of(int weight, const char *name)
{
	return (struct member){ .weight = weight,
		.hash = balance_hash(name, strlen(name)) };
}

static void
make_target(struct route_port *port, int t)
{
	struct target *target = &port->targets[t];
	char text[HOSTPORT_TEXT];

	snprintf(target->address.host, sizeof(target->address.host), "t%d", t);
	target->address.port = 80;
	target->state = shared_new(sizeof(*target->state));
	ck_assert_ptr_nonnull(target->state);
	target->seen = make((size_t)port->route->n_upstreams, sizeof(*target->seen));
	for (int u = 0; u < port->route->n_upstreams; u++) {
		target->seen[u] = shared_new(sizeof(*target->seen[u]));
		ck_assert_ptr_nonnull(target->seen[u]);
	}
	port->target_members[t] = member_of(1, hostport_text(&target->address, text));
}

/* A route of one port, to so many targets through the first so many upstreams. */
static struct route_port *
make_route(enum balance balance, int targets, enum balance upstream_balance, int n)
{
	struct route *route = route_new();
	struct route_port *port = make(1, sizeof(*port));
	size_t size = (size_t)n;

	ck_assert_ptr_nonnull(route);
	add_upstreams(n);
	route->next = routes;
	routes = route;
	route->balance = balance;
	route->upstream_balance = upstream_balance;
	route->hold_off = for_ever;
	route->ports = port;
	route->n_ports = 1;
	route->upstreams = make(size, sizeof(*route->upstreams));
	route->n_upstreams = n;
	*port = (struct route_port){ .route = route, .name = strdup("8001") };
	port->targets = make((size_t)targets, sizeof(*port->targets));
	port->target_members = make((size_t)targets, sizeof(*port->target_members));
	port->upstream_members = make(size, sizeof(*port->upstream_members));
	port->n_targets = targets;
	for (int t = 0; t < targets; t++)
		make_target(port, t);
	for (int u = 0; u < n; u++) {
		route->upstreams[u] = upstreams[u];
		port->upstream_members[u] = member_of(1, upstreams[u]->name);
	}
	return port;
}

/* In their order, the rest are backups: what is tried is all told by what has failed. */
static struct route_port *
make_first(int targets, int n)
{
	return make_route(BALANCE_FIRST, targets, BALANCE_FIRST, n);
}

static void
expect_pair(struct search *s, int target, int upstream)
{
	if (!search_next(s))
		fail_test("no pair instead of %d/%d", target, upstream);
	if (s->target != target || s->upstream != upstream)
		fail_test("%d/%d instead of %d/%d", s->target, s->upstream, target,
			upstream);
}
#define expect_pair(...) AT(expect_pair(__VA_ARGS__))

/* All pairs that a new client is given, if each comes to the same result. */
static const char *
pairs(struct route_port *port, enum hop_result result)
{
	static char text[1024];
	struct search s;
	size_t n = 0;

	search_begin(&s, port, &client);
	while (search_next(&s)) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d/%d",
			n > 0 ? " " : "", s.target, s.upstream);
		search_tell(&s, result, "failed");
	}
	search_end(&s);
	return n > 0 ? text : "";
}

/* As one more client that comes to that, through that pair. */
static void
tell(struct route_port *port, int target, int upstream, enum hop_result result)
{
	search_tell_pair(port, target, upstream, result, "failed");
}

static bool
is_sick(const struct route_port *port, int target, int upstream)
{
	return port->targets[target].seen[upstream]->failures > 0;
}

static bool
is_upstream_sick(int upstream)
{
	return upstreams[upstream]->state->health.failures > 0;
}

/* How many pairs and upstreams are sick. */
static int
count_sick(const struct route_port *port)
{
	int n = 0;

	for (int u = 0; u < port->route->n_upstreams; u++) {
		n += is_upstream_sick(u);
		for (int t = 0; t < port->n_targets; t++)
			n += is_sick(port, t, u);
	}
	return n;
}

static size_t
count_active(const struct route_port *port)
{
	size_t n = 0;

	for (int t = 0; t < port->n_targets; t++)
		n += port->targets[t].state->active;
	for (int u = 0; u < port->route->n_upstreams; u++)
		n += port->route->upstreams[u]->state->active;
	return n;
}

/* Waits until it may be tried, as no other thread does anything meanwhile. */
static void
wait_ready(const struct health *h)
{
	int64_t until_ms = io_now_ms() + WAIT_MS;

	while (!health_ready(h, io_now_ms()) && io_now_ms() < until_ms)
		sched_yield();
	ck_assert(health_ready(h, io_now_ms()));
}

/* ---- the order ---- */

START_TEST(pairs_come_in_the_order_of_first)
{
	struct route_port *port = make_first(3, 2);

	ck_assert_str_eq(pairs(port, HOP_REFUSED), "0/0 1/0 2/0 0/1 1/1 2/1");
}
END_TEST

START_TEST(after_a_target_failed_the_others_come_before_it)
{
	struct route_port *port = make_first(2, 3);

	ck_assert_str_eq(pairs(port, HOP_TARGET_FAILED), "0/0 1/0 0/1 1/1 0/2 1/2");
}
END_TEST

START_TEST(after_an_upstream_failed_the_same_target_comes)
{
	struct route_port *port = make_first(2, 3);
	struct search s;

	search_begin(&s, port, &client);
	expect_pair(&s, 0, 0);
	search_tell(&s, HOP_TARGET_FAILED, "failed");
	expect_pair(&s, 1, 0);
	search_tell(&s, HOP_UPSTREAM_FAILED, "failed");
	expect_pair(&s, 1, 1);
	search_tell(&s, HOP_UPSTREAM_FAILED, "failed");
	expect_pair(&s, 1, 2);
	search_tell(&s, HOP_TARGET_FAILED, "failed");
	expect_pair(&s, 0, 2);
	search_tell(&s, HOP_TARGET_FAILED, "failed");
	ck_assert(!search_next(&s));
	search_end(&s);
}
END_TEST

START_TEST(an_upstream_that_failed_is_not_tried_for_another_target)
{
	struct route_port *port = make_first(3, 2);

	ck_assert_str_eq(pairs(port, HOP_UPSTREAM_FAILED), "0/0 0/1");
}
END_TEST

START_TEST(after_an_upstream_failed_a_well_target_comes_before_the_same_sick_one)
{
	struct route_port *port = make_first(2, 3);
	struct search s;

	tell(port, 0, 1, HOP_TARGET_FAILED);
	tell(port, 0, 2, HOP_TARGET_FAILED);
	search_begin(&s, port, &client);
	expect_pair(&s, 0, 0);
	search_tell(&s, HOP_UPSTREAM_FAILED, "failed");
	expect_pair(&s, 1, 1);
	search_end(&s);
}
END_TEST

START_TEST(without_a_reply_the_upstream_is_avoided)
{
	struct route_port *port = make_first(2, 2);

	ck_assert_str_eq(pairs(port, HOP_NO_REPLY), "0/0 1/1 0/1");
	ck_assert(!is_upstream_sick(0));
	ck_assert(is_sick(port, 0, 0));
}
END_TEST

START_TEST(an_upstream_that_hangs_up_is_not_avoided)
{
	struct route_port *port = make_first(2, 2);

	ck_assert_str_eq(pairs(port, HOP_LOST), "0/0 1/0 0/1 1/1");
	ck_assert_int_eq(count_sick(port), 4);
	ck_assert(!is_upstream_sick(0));
}
END_TEST

START_TEST(a_lost_connection_tells_nothing_of_a_sick_upstream)
{
	static const enum hop_result results[] = { HOP_LOST, HOP_NO_REPLY };
	struct route_port *port = make_first(1, 1);

	tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	tell(port, 0, 0, results[_i]);
	ck_assert(is_upstream_sick(0));
	ck_assert(is_sick(port, 0, 0));
}
END_TEST

START_TEST(without_a_reply_the_only_upstream_is_not_avoided)
{
	struct route_port *port = make_first(3, 1);

	ck_assert_str_eq(pairs(port, HOP_NO_REPLY), "0/0 1/0 2/0");
}
END_TEST

START_TEST(without_a_reply_an_upstream_stays_when_the_others_are_used_up)
{
	struct route_port *port = make_first(2, 2);
	struct search s;

	search_begin(&s, port, &client);
	expect_pair(&s, 0, 0);
	search_tell(&s, HOP_REFUSED, "failed");
	expect_pair(&s, 1, 0);
	search_tell(&s, HOP_REFUSED, "failed");
	expect_pair(&s, 0, 1);
	ck_assert_int_eq(s.left, 1);
	search_tell(&s, HOP_NO_REPLY, "failed");
	ck_assert_int_eq(s.left, 1);
	expect_pair(&s, 1, 1);
	search_end(&s);
}
END_TEST

/* Results as they come, for all pairs; UPSTREAM_FAILED and NO_REPLY would cut it short.
 */
static void
expect_all_once(struct route_port *port)
{
	static bool given[ROUTE_TARGETS][ROUTE_UPSTREAMS];
	int n = port->n_targets * port->route->n_upstreams, sick = 0;
	struct search s;

	memset(given, 0, sizeof(given));
	search_begin(&s, port, &client);
	for (int i = 0; i < n; i++) {
		enum hop_result result = i % 3 ? HOP_TARGET_FAILED : HOP_REFUSED;

		ck_assert(search_next(&s));
		ck_assert(!given[s.target][s.upstream]);
		given[s.target][s.upstream] = true;
		ck_assert_int_eq(s.left, n - 1 - i);
		sick += is_sick(port, s.target, s.upstream);
		/* Those that are well have all come before. */
		ck_assert(sick == 0 || is_sick(port, s.target, s.upstream));
		search_tell(&s, result, "failed");
	}
	ck_assert(!search_next(&s));
	ck_assert(!search_next(&s));
	search_end(&s);
	ck_assert_uint_eq(count_active(port), 0);
}

START_TEST(all_pairs_are_given_once)
{
	struct route_port *port =
		make_route((enum balance)(_i / 4), 5, (enum balance)(_i % 4), 7);

	/* Once all are well, and then some are sick. */
	expect_all_once(port);
	expect_all_once(port);
}
END_TEST

START_TEST(all_of_the_most_pairs_are_given_once)
{
	struct route_port *port = make_route(
		(enum balance)_i, ROUTE_TARGETS, (enum balance)_i, ROUTE_UPSTREAMS);

	expect_all_once(port);
}
END_TEST

START_TEST(of_the_most_pairs_the_last_comes_when_the_others_are_sick)
{
	struct route_port *port = make_first(ROUTE_TARGETS, ROUTE_UPSTREAMS);
	struct search s;

	for (int t = 0; t < ROUTE_TARGETS; t++)
		for (int u = 0; u < ROUTE_UPSTREAMS; u++)
			if (t != 63 || u != 63)
				tell(port, t, u, HOP_TARGET_FAILED);
	search_begin(&s, port, &client);
	expect_pair(&s, 63, 63);
	ck_assert_int_eq(s.left, 64 * 64 - 1);
	search_tell(&s, HOP_UPSTREAM_FAILED, "failed");
	ck_assert_int_eq(s.left, 64 * 63);
	expect_pair(&s, 63, 0);
	search_end(&s);
}
END_TEST

START_TEST(left_counts_what_may_still_come)
{
	struct route_port *port = make_first(2, 3);
	struct search s;

	search_begin(&s, port, &client);
	expect_pair(&s, 0, 0);
	ck_assert_int_eq(s.left, 5);
	search_tell(&s, HOP_UPSTREAM_FAILED, "failed");
	ck_assert_int_eq(s.left, 4);
	expect_pair(&s, 0, 1);
	ck_assert_int_eq(s.left, 3);
	search_tell(&s, HOP_TARGET_FAILED, "failed");
	ck_assert_int_eq(s.left, 3);
	search_end(&s);
}
END_TEST

START_TEST(the_last_pair_is_told)
{
	struct route_port *port = make_first(1, 1);
	struct search s;

	search_begin(&s, port, &client);
	ck_assert_ptr_null(search_target(&s));
	ck_assert_ptr_null(search_upstream(&s));
	expect_pair(&s, 0, 0);
	ck_assert_ptr_eq(search_target(&s), &port->targets[0]);
	ck_assert_ptr_eq(search_upstream(&s), upstreams[0]);
	search_tell(&s, HOP_REFUSED, "failed");
	ck_assert(!search_next(&s));
	ck_assert_ptr_eq(search_target(&s), &port->targets[0]);
	search_end(&s);
}
END_TEST

/* ---- who is sick ---- */

START_TEST(a_refusal_makes_nobody_sick)
{
	struct route_port *port = make_first(2, 2);

	keep_log();
	pairs(port, HOP_REFUSED);
	ck_assert_int_eq(count_sick(port), 0);
	ck_assert_str_eq(read_log(), "");
}
END_TEST

START_TEST(a_client_that_leaves_and_a_shortage_change_nothing)
{
	static const enum hop_result results[] = { HOP_CLIENT_LEFT, HOP_SHORT };
	struct route_port *port = make_first(2, 2);

	for (int i = 0; i < 2; i++) {
		pairs(port, results[i]);
		ck_assert_int_eq(count_sick(port), 0);
		tell(port, 0, 0, HOP_TARGET_FAILED);
		tell(port, 0, 0, HOP_UPSTREAM_FAILED);
		pairs(port, results[i]);
		ck_assert_int_eq(count_sick(port), 2);
		tell(port, 0, 0, HOP_OK);
	}
}
END_TEST

START_TEST(a_sick_pair_comes_last_but_comes)
{
	struct route_port *port = make_first(3, 1);

	tell(port, 0, 0, HOP_TARGET_FAILED);
	ck_assert_str_eq(pairs(port, HOP_REFUSED), "1/0 2/0 0/0");
}
END_TEST

START_TEST(a_target_is_sick_only_as_seen_through_that_upstream)
{
	struct route_port *port = make_first(2, 2);

	tell(port, 0, 0, HOP_TARGET_FAILED);
	ck_assert_int_eq(count_sick(port), 1);
	ck_assert_str_eq(pairs(port, HOP_REFUSED), "0/1 1/0 1/1 0/0");
}
END_TEST

START_TEST(when_all_are_sick_they_come_in_their_order)
{
	struct route_port *port = make_first(2, 2);

	pairs(port, HOP_TARGET_FAILED);
	ck_assert_int_eq(count_sick(port), 4);
	ck_assert_str_eq(pairs(port, HOP_TARGET_FAILED), "0/0 1/0 0/1 1/1");
}
END_TEST

START_TEST(when_all_upstreams_are_sick_they_are_tried_all_the_same)
{
	struct route_port *port = make_first(2, 3);

	ck_assert_str_eq(pairs(port, HOP_UPSTREAM_FAILED), "0/0 0/1 0/2");
	ck_assert_str_eq(pairs(port, HOP_UPSTREAM_FAILED), "0/0 0/1 0/2");
	ck_assert_int_eq(count_sick(port), 3);
}
END_TEST

START_TEST(an_upstream_that_failed_is_sick_for_other_routes_too)
{
	struct route_port *one = make_first(1, 2), *other = make_first(2, 2);

	tell(one, 0, 0, HOP_UPSTREAM_FAILED);
	ck_assert_str_eq(pairs(other, HOP_CLIENT_LEFT), "0/1 1/1 0/0 1/0");
	tell(one, 0, 0, HOP_TARGET_FAILED);
	ck_assert_str_eq(pairs(other, HOP_REFUSED), "0/0 1/0 0/1 1/1");
}
END_TEST

START_TEST(whatever_an_upstream_says_of_a_target_it_is_well_itself)
{
	static const enum hop_result results[] = { HOP_OK, HOP_TARGET_FAILED,
		HOP_REFUSED };
	struct route_port *port = make_first(1, 1);

	tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	tell(port, 0, 0, HOP_NO_REPLY);
	ck_assert(is_upstream_sick(0));
	tell(port, 0, 0, results[_i]);
	ck_assert(!is_upstream_sick(0));
}
END_TEST

START_TEST(only_success_makes_a_pair_well)
{
	static const enum hop_result results[] = { HOP_REFUSED, HOP_UPSTREAM_FAILED,
		HOP_NO_REPLY, HOP_LOST, HOP_CLIENT_LEFT, HOP_SHORT };
	struct route_port *port = make_first(1, 1);

	tell(port, 0, 0, HOP_TARGET_FAILED);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		tell(port, 0, 0, results[i]);
		ck_assert(is_sick(port, 0, 0));
	}
	tell(port, 0, 0, HOP_OK);
	ck_assert_int_eq(count_sick(port), 0);
}
END_TEST

START_TEST(a_spare_tells_of_its_upstream)
{
	struct route_port *port = make_first(1, 2);

	search_tell_upstream(upstreams[0], &for_ever, HOP_UPSTREAM_FAILED, "failed");
	ck_assert_int_eq(count_sick(port), 1);
	ck_assert_str_eq(pairs(port, HOP_CLIENT_LEFT), "0/1 0/0");
	search_tell_upstream(upstreams[0], &for_ever, HOP_OK, NULL);
	ck_assert_int_eq(count_sick(port), 0);
}
END_TEST

START_TEST(any_well_wants_a_well_target_behind_a_well_upstream)
{
	struct route_port *port = make_first(2, 2);

	ck_assert(search_any_well(port));
	tell(port, 0, 0, HOP_TARGET_FAILED);
	tell(port, 1, 0, HOP_TARGET_FAILED);
	tell(port, 0, 1, HOP_TARGET_FAILED);
	ck_assert(search_any_well(port));
	tell(port, 1, 1, HOP_UPSTREAM_FAILED);
	ck_assert(!search_any_well(port));
	tell(port, 0, 0, HOP_OK);
	ck_assert(search_any_well(port));
	tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	ck_assert(!search_any_well(port));
	tell(port, 0, 1, HOP_REFUSED);
	ck_assert(search_any_well(port));
}
END_TEST

/* ---- when the hold-off is over ---- */

/* The pair, or its upstream, is sick, and was held off. */
static struct route_port *
make_ready(enum hop_result failure)
{
	struct route_port *port = make_first(2, 2);
	bool whole = failure == HOP_UPSTREAM_FAILED;

	port->route->hold_off = at_once;
	tell(port, 0, 0, failure);
	port->route->hold_off = for_ever;
	wait_ready(whole ? &upstreams[0]->state->health : port->targets[0].seen[0]);
	return port;
}

START_TEST(after_the_hold_off_of_a_pair_one_client_only_gets_it)
{
	struct route_port *port = make_ready(HOP_TARGET_FAILED);
	struct search one, other;

	search_begin(&one, port, &client);
	search_begin(&other, port, &client);
	expect_pair(&one, 0, 0);
	expect_pair(&other, 0, 1);
	search_end(&other);
	ck_assert_str_eq(pairs(port, HOP_CLIENT_LEFT), "0/1 1/0 1/1 0/0");
	search_tell(&one, HOP_OK, NULL);
	search_end(&one);
	ck_assert_str_eq(pairs(port, HOP_CLIENT_LEFT), "0/0 1/0 0/1 1/1");
}
END_TEST

START_TEST(after_the_hold_off_of_an_upstream_one_client_only_gets_it)
{
	struct route_port *port = make_ready(HOP_UPSTREAM_FAILED);
	struct search one, other;

	search_begin(&one, port, &client);
	search_begin(&other, port, &client);
	expect_pair(&one, 0, 0);
	expect_pair(&other, 0, 1);
	search_tell(&other, HOP_TARGET_FAILED, "failed");
	expect_pair(&other, 1, 1);
	search_end(&other);
	search_tell(&one, HOP_REFUSED, "failed");
	search_end(&one);
	ck_assert_str_eq(pairs(port, HOP_CLIENT_LEFT), "0/0 1/0 1/1 0/1");
}
END_TEST

START_TEST(one_that_fails_again_is_held_off_again)
{
	struct route_port *port = make_ready(HOP_TARGET_FAILED);
	struct search s;

	search_begin(&s, port, &client);
	expect_pair(&s, 0, 0);
	search_tell(&s, HOP_TARGET_FAILED, "failed");
	search_end(&s);
	ck_assert_uint_eq(port->targets[0].seen[0]->failures, 2);
	ck_assert_str_eq(pairs(port, HOP_CLIENT_LEFT), "0/1 1/0 1/1 0/0");
}
END_TEST

START_TEST(of_many_failures_at_the_same_time_one_counts)
{
	struct route_port *port = make_first(1, 1);
	struct search s[10];

	for (int i = 0; i < 10; i++) {
		search_begin(&s[i], port, &client);
		expect_pair(&s[i], 0, 0);
	}
	for (int i = 0; i < 10; i++) {
		search_tell(&s[i], HOP_UPSTREAM_FAILED, "failed");
		search_end(&s[i]);
	}
	ck_assert_uint_eq(upstreams[0]->state->health.failures, 1);
}
END_TEST

START_TEST(claim_gives_a_pair_to_one_only)
{
	struct route_port *port =
		make_ready(_i == 0 ? HOP_TARGET_FAILED : HOP_UPSTREAM_FAILED);
	struct search s;

	ck_assert(search_claim(port, 0, 0));
	ck_assert(!search_claim(port, 0, 0));
	search_begin(&s, port, &client);
	expect_pair(&s, 0, 1);
	search_end(&s);
	tell(port, 0, 0, HOP_OK);
	ck_assert(!search_claim(port, 0, 0));
	ck_assert_int_eq(count_sick(port), 0);
}
END_TEST

START_TEST(claim_gives_an_upstream_to_one_only)
{
	struct route_port *port = make_ready(HOP_UPSTREAM_FAILED);

	ck_assert(search_claim(port, 0, 0));
	ck_assert(!search_claim(port, 1, 0));
}
END_TEST

START_TEST(what_is_well_or_held_off_cannot_be_claimed)
{
	struct route_port *port = make_first(2, 2);

	ck_assert(!search_claim(port, 0, 0));
	tell(port, 0, 0, HOP_TARGET_FAILED);
	ck_assert(!search_claim(port, 0, 0));
	ck_assert(!search_claim(port, 1, 0));
	tell(port, 0, 1, HOP_UPSTREAM_FAILED);
	ck_assert(!search_claim(port, 1, 1));
}
END_TEST

START_TEST(a_pair_behind_an_upstream_that_is_held_off_cannot_be_claimed)
{
	struct route_port *port = make_ready(HOP_TARGET_FAILED);

	tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	ck_assert(!search_claim(port, 0, 0));
}
END_TEST

/* ---- what an administrator has disabled ---- */

START_TEST(a_disabled_upstream_is_given_to_nobody)
{
	struct route_port *port = make_first(2, 2);

	atomic_store(&upstreams[0]->state->disabled, true);
	ck_assert_str_eq(pairs(port, HOP_TARGET_FAILED), "0/1 1/1");
	ck_assert_str_eq(pairs(port, HOP_UPSTREAM_FAILED), "0/1");
	atomic_store(&upstreams[0]->state->disabled, false);
	ck_assert_str_eq(pairs(port, HOP_CLIENT_LEFT), "0/0 1/0 0/1 1/1");
}
END_TEST

START_TEST(a_disabled_target_is_given_to_nobody)
{
	struct route_port *port = make_first(3, 2);

	atomic_store(&port->targets[1].state->disabled, true);
	ck_assert_str_eq(pairs(port, HOP_REFUSED), "0/0 2/0 0/1 2/1");
}
END_TEST

START_TEST(when_all_are_disabled_there_is_nothing_left)
{
	struct route_port *port = make_first(2, 1);
	struct search s;

	atomic_store(&upstreams[0]->state->disabled, true);
	search_begin(&s, port, &client);
	ck_assert(!search_next(&s));
	ck_assert_ptr_null(search_target(&s));
	search_end(&s);
	ck_assert(!search_any_well(port));
	atomic_store(&upstreams[0]->state->disabled, false);
	ck_assert(search_any_well(port));
	for (int t = 0; t < 2; t++)
		atomic_store(&port->targets[t].state->disabled, true);
	ck_assert_str_eq(pairs(port, HOP_OK), "");
	ck_assert(!search_any_well(port));
}
END_TEST

START_TEST(one_that_is_disabled_meanwhile_is_not_given_any_more)
{
	struct route_port *port = make_first(2, 2);
	struct search s;

	search_begin(&s, port, &client);
	expect_pair(&s, 0, 0);
	search_tell(&s, HOP_TARGET_FAILED, "failed");
	atomic_store(&port->targets[1].state->disabled, true);
	expect_pair(&s, 0, 1);
	ck_assert_int_eq(s.left, 0);
	ck_assert(!search_next(&s));
	search_end(&s);
	ck_assert_uint_eq(count_active(port), 0);
}
END_TEST

START_TEST(the_state_tells_what_is_disabled)
{
	struct route_port *port = make_first(1, 1);

	ck_assert(search_may(port, 0, 0));
	ck_assert(!search_target_state(port, 0, 0).disabled);
	ck_assert(!search_upstream_state(upstreams[0]).disabled);
	atomic_store(&port->targets[0].state->disabled, true);
	ck_assert(!search_may(port, 0, 0));
	ck_assert(search_target_state(port, 0, 0).disabled);
	ck_assert(search_target_state(port, 0, 0).well);
	ck_assert(!search_upstream_state(upstreams[0]).disabled);
	atomic_store(&port->targets[0].state->disabled, false);
	atomic_store(&upstreams[0]->state->disabled, true);
	ck_assert(!search_may(port, 0, 0));
	ck_assert(search_upstream_state(upstreams[0]).disabled);
}
END_TEST

/* ---- the balance ---- */

START_TEST(active_goes_up_and_down)
{
	struct route_port *port = make_first(2, 2);
	struct search s;

	search_begin(&s, port, &client);
	search_end(&s);
	ck_assert_uint_eq(count_active(port), 0);
	expect_pair(&s, 0, 0);
	ck_assert_uint_eq(port->targets[0].state->active, 1);
	ck_assert_uint_eq(upstreams[0]->state->active, 1);
	ck_assert_uint_eq(count_active(port), 2);
	search_tell(&s, HOP_UPSTREAM_FAILED, "failed");
	expect_pair(&s, 0, 1);
	ck_assert_uint_eq(port->targets[0].state->active, 1);
	ck_assert_uint_eq(upstreams[0]->state->active, 0);
	ck_assert_uint_eq(upstreams[1]->state->active, 1);
	search_tell(&s, HOP_OK, NULL);
	ck_assert_uint_eq(count_active(port), 2);
	search_end(&s);
	ck_assert_uint_eq(count_active(port), 0);
	search_end(&s);
	ck_assert_uint_eq(count_active(port), 0);
}
END_TEST

START_TEST(active_is_none_when_nothing_is_left)
{
	struct route_port *port = make_first(2, 2);
	struct search s;

	search_begin(&s, port, &client);
	while (search_next(&s))
		search_tell(&s, HOP_REFUSED, "failed");
	ck_assert_uint_eq(count_active(port), 0);
	search_end(&s);
	ck_assert_uint_eq(count_active(port), 0);
}
END_TEST

/* Begins n searches, which stay at their first pair. */
static void
begin_many(struct search *s, int n, struct route_port *port)
{
	for (int i = 0; i < n; i++) {
		search_begin(&s[i], port, &client);
		ck_assert(search_next(&s[i]));
	}
}

static void
end_many(struct search *s, int n)
{
	for (int i = 0; i < n; i++)
		search_end(&s[i]);
}

START_TEST(least_follows_active)
{
	struct route_port *port = make_route(BALANCE_LEAST, 3, BALANCE_LEAST, 2);
	struct search s[12], one;

	begin_many(s, 12, port);
	for (int t = 0; t < 3; t++)
		ck_assert_uint_eq(port->targets[t].state->active, 4);
	for (int u = 0; u < 2; u++)
		ck_assert_uint_eq(upstreams[u]->state->active, 6);
	for (int i = 0; i < 12; i++) {
		int target = s[i].target, upstream = s[i].upstream;

		search_end(&s[i]);
		search_begin(&one, port, &client);
		expect_pair(&one, target, upstream);
		search_end(&one);
		search_begin(&s[i], port, &client);
		expect_pair(&s[i], target, upstream);
	}
	end_many(s, 12);
	ck_assert_uint_eq(count_active(port), 0);
}
END_TEST

START_TEST(least_counts_the_tunnels_of_other_routes)
{
	struct route_port *one = make_first(1, 2);
	struct route_port *other = make_route(BALANCE_FIRST, 1, BALANCE_LEAST, 2);
	struct search s[5], last;

	begin_many(s, 5, one);
	for (int i = 0; i < 3; i++) {
		search_begin(&last, other, &client);
		expect_pair(&last, 0, 1);
		search_end(&last);
	}
	end_many(s, 5);
}
END_TEST

START_TEST(weights_share_out_clients)
{
	struct route_port *port =
		make_route(BALANCE_ROUND_ROBIN, 3, BALANCE_ROUND_ROBIN, 2);
	struct search s[60];

	for (int t = 0; t < 3; t++)
		port->target_members[t].weight = t + 1;
	port->upstream_members[0].weight = 2;
	begin_many(s, 60, port);
	for (int t = 0; t < 3; t++)
		ck_assert_uint_eq(port->targets[t].state->active, 10 * (t + 1));
	ck_assert_uint_eq(upstreams[0]->state->active, 40);
	ck_assert_uint_eq(upstreams[1]->state->active, 20);
	end_many(s, 60);
}
END_TEST

/* The target that a client from there gets. */
static int
target_of(struct route_port *port, const char *address, uint16_t from)
{
	struct addr addr;
	struct search s;
	int target;

	ck_assert(addr_from_text(&addr, address, from));
	search_begin(&s, port, &addr);
	ck_assert(search_next(&s));
	ck_assert_int_eq(s.target, s.upstream);
	target = s.target;
	search_end(&s);
	return target;
}

START_TEST(source_gives_a_client_the_same_and_others_others)
{
	struct route_port *port = make_route(BALANCE_SOURCE, 4, BALANCE_SOURCE, 4);
	int n[4] = { 0 };

	/* With the same names, both choices are the same. */
	for (int i = 0; i < 4; i++)
		port->target_members[i].hash = port->upstream_members[i].hash;
	for (int i = 0; i < 200; i++) {
		char address[32];
		int target;

		snprintf(address, sizeof(address), "192.0.2.%d", i);
		target = target_of(port, address, 1024);
		ck_assert_int_eq(target_of(port, address, 1025), target);
		n[target]++;
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_gt(n[i], 20);
	ck_assert_int_eq(target_of(port, "2001:db8::1", 1),
		target_of(port, "2001:db8::ffff:1", 1));
}
END_TEST

START_TEST(source_moves_only_the_clients_of_a_sick_target)
{
	struct route_port *port = make_route(BALANCE_SOURCE, 4, BALANCE_FIRST, 1);

	for (int i = 0; i < 100; i++) {
		struct search before, after;

		client.u.in.sin_addr.s_addr = htonl(0x0a000000U + (unsigned)i);
		begin_many(&before, 1, port);
		tell(port, 2, 0, HOP_TARGET_FAILED);
		begin_many(&after, 1, port);
		tell(port, 2, 0, HOP_OK);
		ck_assert_int_ne(after.target, 2);
		ck_assert(before.target == 2 || after.target == before.target);
		search_end(&before);
		search_end(&after);
	}
}
END_TEST

/* ---- the log ---- */

/* Each piece stands in a line of its own, in this order, and there is no other line. */
static void
expect_lines(const char *const *pieces, int n)
{
	const char *text = read_log(), *at = text;

	if (count_lines(text) != n)
		fail_test("not %d lines:\n%s", n, text);
	for (int i = 0; i < n; i++, at = strchr(at, '\n') + 1) {
		const char *found = strstr(at, pieces[i]);

		if (!found || found > strchr(at, '\n'))
			fail_test("no %s in its line:\n%s", pieces[i], text);
	}
}
#define expect_lines(...) AT(expect_lines(__VA_ARGS__))

START_TEST(each_change_of_health_is_one_line)
{
	static const char *const lines[] = {
		"t: health upstream=u0:1080 state=sick hold_off=",
		"t: health upstream=u0:1080 state=well\n",
		"t: health route=8001 target=t1:80 upstream=u0:1080 state=sick hold_off=",
		"t: health route=8001 target=t1:80 upstream=u0:1080 state=well\n",
	};
	struct route_port *port = make_first(2, 2);

	keep_log();
	for (int i = 0; i < 3; i++)
		tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	for (int i = 0; i < 3; i++)
		tell(port, 0, 0, HOP_OK);
	for (int i = 0; i < 3; i++)
		tell(port, 1, 0, HOP_TARGET_FAILED);
	for (int i = 0; i < 3; i++)
		tell(port, 1, 0, HOP_OK);
	expect_lines(lines, 4);
}
END_TEST

START_TEST(a_line_tells_the_hold_off_and_the_error)
{
	static const char *const lines[] = { " hold_off=0.001 error=\"its words\"\n",
		" error=\"\"\n" };
	struct route_port *port = make_first(1, 1);

	keep_log();
	port->route->hold_off = at_once;
	search_tell_pair(port, 0, 0, HOP_TARGET_FAILED, "its words");
	search_tell_pair(port, 0, 0, HOP_UPSTREAM_FAILED, NULL);
	expect_lines(lines, 2);
}
END_TEST

START_TEST(one_result_may_be_two_lines)
{
	static const char *const lines[] = {
		"upstream=u0:1080 state=sick",
		"health upstream=u0:1080 state=well\n",
		"target=t0:80 upstream=u0:1080 state=sick",
	};
	struct route_port *port = make_first(1, 1);

	keep_log();
	tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	tell(port, 0, 0, HOP_TARGET_FAILED);
	expect_lines(lines, 3);
}
END_TEST

START_TEST(names_cannot_make_a_line_of_their_own)
{
	static const char *const lines[] = { "route=a\\x20b\\x0a target=",
		"upstream=c\\x22\\x20d state=sick" };
	struct route_port *port = make_first(1, 1);

	keep_log();
	free(port->name);
	port->name = strdup("a b\n");
	free(upstreams[0]->name);
	upstreams[0]->name = strdup("c\" d");
	tell(port, 0, 0, HOP_TARGET_FAILED);
	tell(port, 0, 0, HOP_UPSTREAM_FAILED);
	expect_lines(lines, 2);
}
END_TEST

/* ---- many at once ---- */

struct searcher {
	struct route_port *port;
	pthread_t thread;
	unsigned seed;
};

/* As a client that meets this and that, and sometimes leaves early. */
static void *
search_at_random(void *arg)
{
	struct searcher *me = arg;
	struct addr from;

	for (int i = 0; i < SEARCHES; i++) {
		uint8_t ip[4] = { 10, 0, 0, (uint8_t)rand_r(&me->seed) };
		struct search s;

		addr_from_bytes(&from, AF_INET, ip, 1024);
		search_begin(&s, me->port, &from);
		while (rand_r(&me->seed) % 8 != 0 && search_next(&s))
			search_tell(&s,
				(enum hop_result)(rand_r(&me->seed) % (HOP_SHORT + 1)),
				"failed");
		(void)search_claim(me->port, i % 4, i % 3);
		(void)search_any_well(me->port);
		search_end(&s);
	}
	return NULL;
}

START_TEST(many_threads_leave_nothing_active)
{
	struct route_port *ports[2] = {
		make_route((enum balance)_i, 4, (enum balance)((_i + 1) % 4), 3),
		make_route((enum balance)_i, 5, (enum balance)_i, 4),
	};
	struct searcher searchers[THREADS];

	for (int i = 0; i < 2; i++)
		ports[i]->route->hold_off = at_once;
	for (int i = 0; i < THREADS; i++) {
		searchers[i] = (struct searcher){ .port = ports[i % 2], .seed = i + 1U };
		ck_assert_int_eq(pthread_create(&searchers[i].thread, NULL,
					 search_at_random, &searchers[i]),
			0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(searchers[i].thread, NULL);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(count_active(ports[i]), 0);
}
END_TEST

static void *
claim_one(void *arg)
{
	struct route_port *port = arg;

	return search_claim(port, 0, 0) ? port : NULL;
}

START_TEST(of_many_threads_one_gets_the_claim)
{
	for (int round = 0; round < 20; round++) {
		struct route_port *port = make_ready(HOP_TARGET_FAILED);
		pthread_t threads[THREADS];
		int n = 0;

		for (int i = 0; i < THREADS; i++)
			ck_assert_int_eq(
				pthread_create(&threads[i], NULL, claim_one, port), 0);
		for (int i = 0; i < THREADS; i++) {
			void *mine;

			pthread_join(threads[i], &mine);
			n += mine != NULL;
		}
		ck_assert_int_eq(n, 1);
	}
}
END_TEST

/* ---- routes as such ---- */

START_TEST(a_route_admits_whom_its_clients_hold)
{
	struct route *route = make_first(1, 1)->route;
	struct cidr cidr = source_of(&client);
	struct addr other;

	ck_assert(addr_from_text(&other, "192.0.2.2", 1024));
	ck_assert(route_admits(route, &other));
	ck_assert_int_eq(cidrs_add(&route->clients, &cidr), 0);
	ck_assert(route_admits(route, &client));
	ck_assert(!route_admits(route, &other));
}
END_TEST

START_TEST(a_route_has_no_more_tunnels_than_its_limit)
{
	struct route *route = make_first(1, 1)->route;

	for (int i = 0; i < 100; i++)
		ck_assert(route_enter(route));
	route->limit = 101;
	ck_assert(route_enter(route));
	ck_assert(!route_enter(route));
	ck_assert(!route_enter(route));
	route_leave(route);
	ck_assert(route_enter(route));
	ck_assert_int_eq(atomic_load(route->tunnels), 101);
}
END_TEST

/* One of THREADS - 1 that may be there, and as many more that try it always. */
static void *
come_and_go(void *arg)
{
	struct route *route = arg;
	bool in;

	for (int i = 0; i < 1000; i++) {
		in = route_enter(route);
		ck_assert_int_le(atomic_load(route->tunnels), THREADS - 1);
		if (in)
			route_leave(route);
	}
	return NULL;
}

START_TEST(many_threads_do_not_get_over_the_limit)
{
	struct route *route = make_first(1, 1)->route;
	pthread_t threads[2 * THREADS];

	route->limit = THREADS - 1;
	for (int i = 0; i < 2 * THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, come_and_go, route), 0);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(atomic_load(route->tunnels), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("search");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, pairs_come_in_the_order_of_first);
	tcase_add_test(tc, after_a_target_failed_the_others_come_before_it);
	tcase_add_test(tc, after_an_upstream_failed_the_same_target_comes);
	tcase_add_test(tc, an_upstream_that_failed_is_not_tried_for_another_target);
	tcase_add_test(tc,
		after_an_upstream_failed_a_well_target_comes_before_the_same_sick_one);
	tcase_add_test(tc, without_a_reply_the_upstream_is_avoided);
	tcase_add_test(tc, an_upstream_that_hangs_up_is_not_avoided);
	tcase_add_loop_test(tc, a_lost_connection_tells_nothing_of_a_sick_upstream, 0, 2);
	tcase_add_test(tc, without_a_reply_the_only_upstream_is_not_avoided);
	tcase_add_test(tc, without_a_reply_an_upstream_stays_when_the_others_are_used_up);
	tcase_add_loop_test(tc, all_pairs_are_given_once, 0, 16);
	tcase_add_loop_test(tc, all_of_the_most_pairs_are_given_once, 0, 4);
	tcase_add_test(tc, of_the_most_pairs_the_last_comes_when_the_others_are_sick);
	tcase_add_test(tc, left_counts_what_may_still_come);
	tcase_add_test(tc, the_last_pair_is_told);
	tcase_add_test(tc, a_refusal_makes_nobody_sick);
	tcase_add_test(tc, a_client_that_leaves_and_a_shortage_change_nothing);
	tcase_add_test(tc, a_sick_pair_comes_last_but_comes);
	tcase_add_test(tc, a_target_is_sick_only_as_seen_through_that_upstream);
	tcase_add_test(tc, when_all_are_sick_they_come_in_their_order);
	tcase_add_test(tc, when_all_upstreams_are_sick_they_are_tried_all_the_same);
	tcase_add_test(tc, an_upstream_that_failed_is_sick_for_other_routes_too);
	tcase_add_loop_test(
		tc, whatever_an_upstream_says_of_a_target_it_is_well_itself, 0, 3);
	tcase_add_test(tc, only_success_makes_a_pair_well);
	tcase_add_test(tc, a_spare_tells_of_its_upstream);
	tcase_add_test(tc, any_well_wants_a_well_target_behind_a_well_upstream);
	tcase_add_test(tc, after_the_hold_off_of_a_pair_one_client_only_gets_it);
	tcase_add_test(tc, after_the_hold_off_of_an_upstream_one_client_only_gets_it);
	tcase_add_test(tc, one_that_fails_again_is_held_off_again);
	tcase_add_test(tc, of_many_failures_at_the_same_time_one_counts);
	tcase_add_loop_test(tc, claim_gives_a_pair_to_one_only, 0, 2);
	tcase_add_test(tc, claim_gives_an_upstream_to_one_only);
	tcase_add_test(tc, what_is_well_or_held_off_cannot_be_claimed);
	tcase_add_test(tc, a_pair_behind_an_upstream_that_is_held_off_cannot_be_claimed);
	tcase_add_test(tc, a_disabled_upstream_is_given_to_nobody);
	tcase_add_test(tc, a_disabled_target_is_given_to_nobody);
	tcase_add_test(tc, when_all_are_disabled_there_is_nothing_left);
	tcase_add_test(tc, one_that_is_disabled_meanwhile_is_not_given_any_more);
	tcase_add_test(tc, the_state_tells_what_is_disabled);
	tcase_add_test(tc, active_goes_up_and_down);
	tcase_add_test(tc, active_is_none_when_nothing_is_left);
	tcase_add_test(tc, least_follows_active);
	tcase_add_test(tc, least_counts_the_tunnels_of_other_routes);
	tcase_add_test(tc, weights_share_out_clients);
	tcase_add_test(tc, source_gives_a_client_the_same_and_others_others);
	tcase_add_test(tc, source_moves_only_the_clients_of_a_sick_target);
	tcase_add_test(tc, each_change_of_health_is_one_line);
	tcase_add_test(tc, a_line_tells_the_hold_off_and_the_error);
	tcase_add_test(tc, one_result_may_be_two_lines);
	tcase_add_test(tc, names_cannot_make_a_line_of_their_own);
	tcase_add_loop_test(tc, many_threads_leave_nothing_active, 0, 4);
	tcase_add_test(tc, of_many_threads_one_gets_the_claim);
	tcase_add_test(tc, a_route_admits_whom_its_clients_hold);
	tcase_add_test(tc, a_route_has_no_more_tunnels_than_its_limit);
	tcase_add_test(tc, many_threads_do_not_get_over_the_limit);
	return harness_run("search", tc);
}
