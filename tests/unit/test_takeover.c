/* SPDX-License-Identifier: ISC */
/*
 * What a configuration has from the one before it. Each test reads two of them; nothing
 * here listens or connects.
 */
#include "config.h"
#include "takeover.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../system/harness.h"
#include "enable.h"
#include "log.h"
#include "search.h"
#include "shared.h"

#define UPSTREAMS                                                                        \
	"upstreams = ( { name = \"u\"; address = \"192.0.2.1:1080\"; },"                 \
	"{ name = \"v\"; address = \"192.0.2.2:1080\"; } );\n"

static struct ppp_conf *old, *new;

/* Reads a configuration that has no errors. */
static struct ppp_conf *
read_conf(const char *text)
{
	char path[] = "/tmp/test_takeover.XXXXXX";
	struct ppp_conf *ppp = malloc(sizeof(*ppp));
	int fd = mkstemp(path);
	size_t size = strlen(text);
	struct conf *conf;

	ck_assert_ptr_nonnull(ppp);
	ck_assert(fd != -1 && write(fd, text, size) == (ssize_t)size);
	close(fd);
	ppp_conf_init(ppp);
	conf = ppp_conf_read(ppp, path);
	unlink(path);
	ck_assert_ptr_nonnull(conf);
	if (conf_errors(conf) > 0)
		ck_abort_msg("%s", conf_error_text(conf, 0));
	conf_free(conf);
	return ppp;
}

static void
drop(struct ppp_conf **ppp)
{
	if (*ppp) {
		ppp_conf_free(*ppp);
		free(*ppp);
	}
	*ppp = NULL;
}

static void
set_up(void)
{
	log_open("t", LOG_DAEMON, LOG_L_ERROR, true);
}

static void
tear_down(void)
{
	drop(&old);
	drop(&new);
}

static void
begin(const char *text)
{
	old = read_conf(text);
}

static void
reload(const char *text)
{
	new = read_conf(text);
	takeover(new, old);
}

/* The n-th route, counted from 0. */
static struct route *
route_of(const struct ppp_conf *ppp, int n)
{
	struct route *route = ppp->routes;

	while (n-- > 0)
		route = route->next;
	return route;
}

static struct route_port *
port_of(const struct ppp_conf *ppp, int n)
{
	return &route_of(ppp, n)->ports[0];
}

static bool
is_well(const struct ppp_conf *ppp, int route, int target, int upstream)
{
	return search_target_state(port_of(ppp, route), target, upstream).well;
}

static bool
is_disabled(const struct ppp_conf *ppp, int route, int target)
{
	return search_target_state(port_of(ppp, route), target, 0).disabled;
}

START_TEST(shared_memory_lives_until_its_last_user)
{
	char *p = shared_new(4);

	ck_assert_ptr_nonnull(p);
	ck_assert_mem_eq(p, "\0\0\0\0", 4);
	memcpy(p, "abc", 4);
	ck_assert_ptr_eq(shared_hold(p), p);
	shared_release(p);
	ck_assert_str_eq(p, "abc");
	shared_release(p);
	shared_release(NULL);
}
END_TEST

START_TEST(the_limit_counts_the_tunnels_of_before)
{
	begin(UPSTREAMS
		"routes = ( { name = \"r\"; listen = 8001; target = \"a:1\"; } );");
	ck_assert(route_enter(route_of(old, 0)));
	ck_assert(route_enter(route_of(old, 0)));
	reload(UPSTREAMS
		"routes = ( { listen = 8002; target = \"a:1\"; limit = 1; },"
		"{ name = \"r\"; listen = 9001; target = \"b:2\"; limit = 3; } );");
	ck_assert(route_enter(route_of(new, 0)));
	ck_assert(route_enter(route_of(new, 1)));
	ck_assert(!route_enter(route_of(new, 1)));
	route_leave(route_of(old, 0));
	ck_assert(route_enter(route_of(new, 1)));
	drop(&old);
	ck_assert(!route_enter(route_of(new, 1)));
	ck_assert_int_eq(atomic_load(route_of(new, 1)->tunnels), 3);
}
END_TEST

START_TEST(a_route_without_a_name_is_known_by_its_port_and_protocol)
{
	begin("routes = ( { listen = 8001; target = \"a:1\"; },"
	      "{ listen = 8001; protocol = \"udp\"; target = \"a:1\"; } );");
	ck_assert(route_enter(route_of(old, 0)));
	reload("routes = ( { listen = 8001; protocol = \"udp\"; target = \"a:1\"; },"
	       "{ listen = \"*:8001\"; target = \"b:1\"; },"
	       "{ listen = 8002; target = \"a:1\"; } );");
	ck_assert_int_eq(atomic_load(route_of(new, 0)->tunnels), 0);
	ck_assert_int_eq(atomic_load(route_of(new, 1)->tunnels), 1);
	ck_assert_int_eq(atomic_load(route_of(new, 2)->tunnels), 0);
}
END_TEST

START_TEST(routes_of_one_name_keep_each_their_own)
{
	begin("routes = ( { name = \"r\"; listen = 8001; target = \"a:1\"; },"
	      "{ name = \"r\"; listen = 8002; target = \"a:1\"; } );");
	ck_assert(route_enter(route_of(old, 1)));
	reload("routes = ( { name = \"r\"; listen = 8001; target = \"a:1\"; },"
	       "{ name = \"r\"; listen = 8002; target = \"a:1\"; },"
	       "{ name = \"r\"; listen = 8003; target = \"a:1\"; } );");
	ck_assert_int_eq(atomic_load(route_of(new, 0)->tunnels), 0);
	ck_assert_int_eq(atomic_load(route_of(new, 1)->tunnels), 1);
	ck_assert_int_eq(atomic_load(route_of(new, 2)->tunnels), 0);
}
END_TEST

START_TEST(health_goes_on_wherever_the_target_stands)
{
	begin(UPSTREAMS "routes = ( { name = \"r\"; listen = 8001;"
			"targets = [ \"a:1\", \"b:2\" ]; } );");
	search_tell_pair(port_of(old, 0), 1, 0, HOP_TARGET_FAILED, "failed");
	/* The order of both has changed, and there is one more of each. */
	reload("upstreams = ( { address = \"192.0.2.3:1080\"; },"
	       "{ name = \"v\"; address = \"192.0.2.2:1080\"; },"
	       "{ name = \"u\"; address = \"192.0.2.1:1080\"; } );\n"
	       "routes = ( { listen = 8000; target = \"b:2\"; },"
	       "{ name = \"r\"; listen = 8001; targets = [ \"b:2\", \"c:3\", \"a:1\" ]; "
	       "} );");
	for (int t = 0; t < 3; t++)
		for (int u = 0; u < 3; u++)
			ck_assert_int_eq(is_well(new, 1, t, u), !(t == 0 && u == 2));
	ck_assert(is_well(new, 0, 0, 2));
	/* Who still tries by the configuration before tells of the same. */
	search_tell_pair(port_of(old, 0), 1, 0, HOP_OK, NULL);
	ck_assert(is_well(new, 1, 0, 2));
}
END_TEST

START_TEST(an_upstream_of_the_same_name_and_address_is_the_same)
{
	begin(UPSTREAMS "routes = ( { listen = 8001; target = \"a:1\"; } );");
	for (int u = 0; u < 2; u++) {
		search_tell_pair(port_of(old, 0), 0, u, HOP_UPSTREAM_FAILED, "failed");
		atomic_store(&old->upstreams[u]->state->pipelining, PIPELINING_FAILS);
	}
	reload("upstreams = ( { name = \"v\"; address = \"192.0.2.2:1080\"; },"
	       "{ name = \"u\"; address = \"192.0.2.9:1080\"; },"
	       "{ name = \"w\"; address = \"192.0.2.1:1080\"; } );\n"
	       "routes = ( { listen = 8001; target = \"a:1\"; } );");
	for (size_t u = 0; u < 3; u++) {
		const struct upstream *is = new->upstreams[u];

		ck_assert_int_eq(search_upstream_state(is).well, u != 0);
		ck_assert_int_eq(atomic_load(&is->state->pipelining),
			u == 0 ? PIPELINING_FAILS : PIPELINING_UNKNOWN);
	}
}
END_TEST

START_TEST(tunnels_of_before_count_for_least)
{
	static const char text[] =
		UPSTREAMS "routes = ( { listen = 8001; targets = [ \"a:1\", \"b:2\" ];"
			  "balance = \"least\"; upstream_balance = \"least\"; } );";
	struct search before, s;
	struct addr client;

	ck_assert(addr_from_text(&client, "192.0.2.77", 1024));
	begin(text);
	search_begin(&before, port_of(old, 0), &client);
	ck_assert(search_next(&before));
	reload(text);
	for (int i = 0; i < 4; i++) {
		search_begin(&s, port_of(new, 0), &client);
		ck_assert(search_next(&s));
		ck_assert_int_ne(s.target, before.target);
		ck_assert_int_ne(s.upstream, before.upstream);
		search_end(&s);
	}
	ck_assert_uint_eq(
		search_target_state(port_of(new, 0), before.target, 0).tunnels, 1);
	search_end(&before);
	ck_assert_uint_eq(
		search_target_state(port_of(new, 0), before.target, 0).tunnels, 0);
}
END_TEST

START_TEST(ports_of_a_range_are_known_by_their_numbers)
{
	begin("routes = ( { name = \"r\"; listen = \"8001-8004\"; targets ="
	      "[ \"a:1-4\" ]; } );");
	for (int i = 0; i < 4; i += 3)
		search_tell_pair(
			&route_of(old, 0)->ports[i], 0, 0, HOP_TARGET_FAILED, "failed");
	reload("routes = ( { name = \"r\"; listen = \"8003-8006\"; targets ="
	       "[ \"a:3-6\" ]; } );");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			search_target_state(&route_of(new, 0)->ports[i], 0, 0).well,
			i != 1);
}
END_TEST

/* ---- disabled ---- */

START_TEST(what_is_disabled_is_named_as_it_is_shown)
{
	begin(UPSTREAMS "routes = ( { listen = 8001; targets = [ \"a:1\", \"b:2\" ]; },"
			"{ listen = 8002; targets = [ \"c:3\", \"A:1\" ]; } );");
	ck_assert_uint_eq(enable_named(old, "nobody", false), 0);
	ck_assert_uint_eq(enable_named(old, "a:2", false), 0);
	ck_assert_uint_eq(enable_named(old, "a", false), 0);
	ck_assert_uint_eq(enable_named(old, "v", false), 1);
	ck_assert_uint_eq(enable_named(old, "a:1", false), 2);
	ck_assert(!search_upstream_state(old->upstreams[0]).disabled);
	ck_assert(search_upstream_state(old->upstreams[1]).disabled);
	ck_assert(is_disabled(old, 0, 0) && is_disabled(old, 1, 1));
	ck_assert(!is_disabled(old, 0, 1) && !is_disabled(old, 1, 0));
	ck_assert_uint_eq(enable_named(old, "a:1", true), 2);
	ck_assert_uint_eq(enable_named(old, "v", true), 1);
	ck_assert(!is_disabled(old, 0, 0) && !is_disabled(old, 1, 1));
	ck_assert(!search_upstream_state(old->upstreams[1]).disabled);
}
END_TEST

START_TEST(what_is_disabled_stays_so_in_whichever_route)
{
	begin(UPSTREAMS
		"routes = ( { listen = 8001; targets = [ \"a:1\", \"b:2\" ]; } );");
	ck_assert_uint_eq(enable_named(old, "b:2", false), 1);
	ck_assert_uint_eq(enable_named(old, "u", false), 1);
	reload("upstreams = ( { name = \"v\"; address = \"192.0.2.1:1080\"; },"
	       "{ name = \"u\"; address = \"192.0.2.7:1080\"; } );\n"
	       "routes = ( { listen = 8001; targets = [ \"b:2\", \"a:1\" ]; },"
	       "{ listen = 8002; targets = [ \"c:3\", \"b:2\" ]; } );");
	ck_assert(is_disabled(new, 0, 0) && is_disabled(new, 1, 1));
	ck_assert(!is_disabled(new, 0, 1) && !is_disabled(new, 1, 0));
	ck_assert(!search_upstream_state(new->upstreams[0]).disabled);
	ck_assert(search_upstream_state(new->upstreams[1]).disabled);
	drop(&old);
	ck_assert_uint_eq(enable_named(new, "b:2", true), 2);
	ck_assert(!is_disabled(new, 0, 0) && !is_disabled(new, 1, 1));
}
END_TEST

/* ---- gone ---- */

START_TEST(a_port_is_gone_when_its_name_or_protocol_is)
{
	begin("routes = ( { name = \"r\"; listen = 8001; target = \"a:1\"; },"
	      "{ listen = \"8002-8003\"; target = \"a:1\"; },"
	      "{ listen = 8004; target = \"a:1\"; } );");
	reload("routes = ( { name = \"r\"; listen = 9001; target = \"b:2\"; },"
	       "{ listen = \"8003-8005\"; protocol = \"udp\"; target = \"a:1\"; },"
	       "{ name = \"s\"; listen = 8002; target = \"a:1\"; },"
	       "{ listen = 8003; target = \"a:1\"; } );");
	ck_assert(!takeover_lacks(new, port_of(old, 0)));
	ck_assert(takeover_lacks(new, &route_of(old, 1)->ports[0]));
	ck_assert(!takeover_lacks(new, &route_of(old, 1)->ports[1]));
	ck_assert(takeover_lacks(new, port_of(old, 2)));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("takeover");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, shared_memory_lives_until_its_last_user);
	tcase_add_test(tc, the_limit_counts_the_tunnels_of_before);
	tcase_add_test(tc, a_route_without_a_name_is_known_by_its_port_and_protocol);
	tcase_add_test(tc, routes_of_one_name_keep_each_their_own);
	tcase_add_test(tc, health_goes_on_wherever_the_target_stands);
	tcase_add_test(tc, an_upstream_of_the_same_name_and_address_is_the_same);
	tcase_add_test(tc, tunnels_of_before_count_for_least);
	tcase_add_test(tc, ports_of_a_range_are_known_by_their_numbers);
	tcase_add_test(tc, what_is_disabled_is_named_as_it_is_shown);
	tcase_add_test(tc, what_is_disabled_stays_so_in_whichever_route);
	tcase_add_test(tc, a_port_is_gone_when_its_name_or_protocol_is);
	return harness_run("takeover", tc);
}
