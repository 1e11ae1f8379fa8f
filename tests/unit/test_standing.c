/* SPDX-License-Identifier: ISC */
/*
 * Tests of what outlives a configuration of dcsd, and of what is gone by a later one: two
 * configurations one after the other, by the functions that a reload calls.
 */
#include "config.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "session.h"
#include "tcp.h"

#define HASH                                                                             \
	"$5$rounds=1000$salt$KhBFMu/1dZdzj.rDY21KLrJpwdZPaG8NcWpPf.QV8h." /* of "test"   \
									   */

static const struct service *const service = &dcsd_service;
static struct dcsd *before, *after;
static struct conns *conns;
static char users_path[] = "/tmp/test_standing.users.XXXXXX";

/* Writes a file anew. */
static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* A configuration of that text, in the place of old (NULL: the first). */
static struct dcsd *
configured(const char *text, struct dcsd *old)
{
	char path[] = "/tmp/test_standing.XXXXXX";
	struct dcsd *dcsd = service->make();
	struct conf *file;

	ck_assert_ptr_nonnull(dcsd);
	close(mkstemp(path));
	write_file(path, text);
	file = service->configure(dcsd, path);
	unlink(path);
	ck_assert_ptr_nonnull(file);
	if (conf_errors(file) > 0)
		ck_abort_msg("%s", conf_error_text(file, 0));
	conf_free(file);
	ck_assert_ptr_null(service->open(dcsd, old));
	return dcsd;
}

static void
reload(const char *first, const char *second)
{
	before = configured(first, NULL);
	after = configured(second, before);
}

/* The same with passwords, and these users. */
static struct dcsd *
with_users(const char *users, const char *rules, struct dcsd *old)
{
	char text[1024];

	write_file(users_path, users);
	snprintf(text, sizeof(text),
		"auth: { methods = \"password\"; users = \"%s\"; };\n"
		"rules = ( %s );\n",
		users_path, rules);
	return configured(text, old);
}

static void
set_up(void)
{
	log_open("test", 0, LOG_L_ERROR, true);
	strcpy(strrchr(users_path, '.'), ".XXXXXX");
	close(mkstemp(users_path));
	conns = conns_new(0, NULL, 0);
	ck_assert_ptr_nonnull(conns);
}

static void
tear_down(void)
{
	conns_free(conns);
	unlink(users_path);
	if (before)
		service->free(before);
	if (after)
		service->free(after);
	before = after = NULL;
}

static struct addr
address(const char *ip)
{
	struct addr a;

	ck_assert(addr_from_text(&a, ip, 5555));
	return a;
}

static enum gate_answer
comes(struct dcsd *dcsd, const char *ip)
{
	struct addr a = address(ip);
	const char *why = NULL;

	return service->admit(dcsd, &a, &why);
}

static void
leaves(struct dcsd *dcsd, const char *ip)
{
	struct addr a = address(ip);

	service->leave(dcsd, &a);
}

START_TEST(connections_of_a_client_count_over_a_reload)
{
	reload("limits: { per_client = 2; };", "limits: { per_client = 2; };");
	ck_assert_int_eq(comes(before, "192.0.2.1"), GATE_COUNTS);
	ck_assert_int_eq(comes(before, "192.0.2.1"), GATE_COUNTS);
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_REFUSES);
	ck_assert_int_eq(comes(after, "192.0.2.2"), GATE_COUNTS);
	leaves(before, "192.0.2.1");
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_COUNTS);
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_REFUSES);
}
END_TEST

START_TEST(a_limit_of_clients_comes_and_goes_by_a_reload)
{
	struct dcsd *last;

	reload("", "limits: { per_client = 1; };");
	ck_assert_int_eq(comes(before, "192.0.2.1"), GATE_PASSES);
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_COUNTS);
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_REFUSES);
	last = configured("", after);
	ck_assert_int_eq(comes(last, "192.0.2.1"), GATE_PASSES);
	leaves(after, "192.0.2.1");
	service->free(last);
	ck_assert_uint_eq(tally_keys(after->standing->clients), 0);
}
END_TEST

START_TEST(a_source_stays_refused_over_a_reload)
{
	struct addr bad = address("192.0.2.1");

	reload("auth: { penalties: { after = 1; first = 600; most = 600; }; };",
		"auth: { penalties: { exempt = \"198.51.100.1\"; }; };");
	admit_failed(&before->admit, &bad, "ann", 3, "wrong password");
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_REFUSES);
	ck_assert_int_eq(comes(after, "192.0.2.2"), GATE_PASSES);
	bad = address("198.51.100.1");
	admit_failed(&before->admit, &bad, "ann", 3, "wrong password");
	ck_assert_int_eq(comes(before, "198.51.100.1"), GATE_REFUSES);
	ck_assert_int_eq(comes(after, "198.51.100.1"), GATE_PASSES);
}
END_TEST

/* The counts are there for as long as anybody may give back to them. */
START_TEST(counts_stay_until_the_last_configuration_goes)
{
	reload("limits: { per_client = 1; };", "");
	ck_assert_int_eq(comes(before, "192.0.2.1"), GATE_COUNTS);
	service->free(after);
	after = configured("limits: { per_client = 1; };", before);
	leaves(before, "192.0.2.1");
	service->free(before);
	before = NULL;
	ck_assert_int_eq(comes(after, "192.0.2.1"), GATE_COUNTS);
}
END_TEST

/* ---- sessions ---- */

struct client {
	struct generation *generation;
	struct session session;
	int other;
};

static void
free_nothing(void *config)
{
	(void)config;
}

/* A client of that user, with max tunnels, that has done its handshake. */
static struct client *
client_new(struct dcsd *dcsd, const char *user, unsigned max)
{
	struct client *c = calloc(1, sizeof(*c));
	struct addr peer = address("192.0.2.1");
	const char *why;
	int ends[2];

	ck_assert_ptr_nonnull(c);
	tcp_pair(ends);
	c->other = ends[1];
	c->generation = generation_new(dcsd, free_nothing);
	ck_assert_ptr_nonnull(c->generation);
	c->session.dcsd = dcsd;
	c->session.conf = &dcsd->conf;
	c->session.conn = conns_add(conns, c->generation, &ends[0], &peer, NULL, &why);
	ck_assert_ptr_nonnull(c->session.conn);
	snprintf(c->session.who.name, sizeof(c->session.who.name), "%s", user);
	c->session.who.max_tunnels = max;
	conn_publish(c->session.conn, &c->session);
	return c;
}

static void
client_end(struct client *c)
{
	close(c->other);
	session_leave(&c->session);
	conn_end(c->session.conn);
	generation_release(c->generation);
	free(c);
}

static bool
enters(struct client *c, size_t rule)
{
	return session_enter(&c->session, &c->session.conf->rules.list[rule]) == 0;
}

static bool
is_gone(const struct client *c)
{
	return service->is_gone(after, c->session.conn);
}

START_TEST(tunnels_of_a_user_count_over_a_reload)
{
	struct client *old, *new;

	reload("", "");
	old = client_new(before, "ann", 1);
	new = client_new(after, "ann", 1);
	ck_assert(enters(old, 0));
	ck_assert(!enters(new, 0));
	ck_assert_str_eq(new->session.error, "the user's limit is reached");
	session_leave(&old->session);
	ck_assert(enters(new, 0));
	client_end(old);
	client_end(new);
	ck_assert_uint_eq(tally_keys(after->standing->users), 0);
	ck_assert_uint_eq(tally_keys(after->standing->rules), 0);
}
END_TEST

START_TEST(tunnels_of_a_rule_count_over_a_reload)
{
	struct client *old, *new;

	reload("rules = ( { name = \"a\"; action = \"allow\"; } );",
		"rules = ( { action = \"deny\"; ports = 25; },"
		" { name = \"a\"; action = \"allow\"; limit = 1; } );");
	old = client_new(before, "", 0);
	new = client_new(after, "", 0);
	ck_assert(enters(old, 0));
	ck_assert(!enters(new, 1));
	ck_assert_str_eq(new->session.error, "the rule's limit is reached");
	client_end(old);
	ck_assert(enters(new, 1));
	client_end(new);
	ck_assert_uint_eq(tally_keys(after->standing->rules), 0);
}
END_TEST

START_TEST(a_peer_of_another_rule_changes_the_place)
{
	struct client *c, *other;

	before = configured("rules = ( { name = \"a\"; action = \"allow\"; limit = 1; },"
			    " { name = \"b\"; action = \"allow\"; limit = 1; } );",
		NULL);
	c = client_new(before, "", 0);
	other = client_new(before, "", 0);
	ck_assert(enters(c, 0));
	ck_assert(session_change_rule(&c->session, &before->conf.rules.list[0]));
	ck_assert(session_change_rule(&c->session, &before->conf.rules.list[1]));
	ck_assert(enters(other, 0));
	ck_assert(!session_change_rule(&other->session, &before->conf.rules.list[1]));
	ck_assert_ptr_eq(other->session.rule, &before->conf.rules.list[0]);
	client_end(c);
	client_end(other);
}
END_TEST

static const struct {
	const char *now, *then;
	bool gone;
} rule_cases[] = {
	{ "{ name = \"a\"; action = \"allow\"; }",
		"{ name = \"a\"; action = \"allow\"; }", false },
	{ "{ name = \"a\"; action = \"allow\"; }",
		"{ action = \"deny\"; }, { name = \"a\"; action = \"allow\"; ports = 1; "
		"}",
		false },
	{ "{ name = \"a\"; action = \"allow\"; }",
		"{ name = \"b\"; action = \"allow\"; }", true },
	{ "{ name = \"a\"; action = \"allow\"; }", "{ action = \"allow\"; }", true },
	{ "{ name = \"a\"; action = \"allow\"; }", "{ name = \"a\"; action = \"deny\"; }",
		true },
	{ "{ name = \"a\"; action = \"allow\"; }", "", true },
	{ "{ action = \"allow\"; }", "{ action = \"deny\"; }", false },
	{ "{ action = \"allow\"; }", "", false },
};

START_TEST(a_tunnel_whose_rule_is_gone_is_gone)
{
	char now[256], then[256];
	struct client *c;

	snprintf(now, sizeof(now), "rules = ( %s );", rule_cases[_i].now);
	snprintf(then, sizeof(then), "rules = ( %s );", rule_cases[_i].then);
	reload(now, then);
	c = client_new(before, "", 0);
	ck_assert(!is_gone(c)); /* it has no rule yet */
	ck_assert(enters(c, 0));
	ck_assert_int_eq(is_gone(c), rule_cases[_i].gone);
	client_end(c);
}
END_TEST

START_TEST(a_client_whose_user_is_gone_is_gone)
{
	struct client *ann, *bob, *nobody;

	before = with_users(
		"ann:" HASH "\nbob:" HASH "\n", "{ action = \"allow\"; }", NULL);
	after = with_users("bob:" HASH "\n", "{ action = \"allow\"; }", before);
	ann = client_new(before, "ann", 0);
	bob = client_new(before, "bob", 0);
	nobody = client_new(before, "", 0);
	ck_assert(is_gone(ann)); /* it has asked for nothing yet */
	ck_assert(enters(ann, 0) && enters(bob, 0) && enters(nobody, 0));
	ck_assert(is_gone(ann));
	ck_assert(!is_gone(bob));
	ck_assert(!is_gone(nobody));
	client_end(ann);
	client_end(bob);
	client_end(nobody);
}
END_TEST

START_TEST(where_nobody_authenticates_any_more_users_are_gone)
{
	struct client *c;

	before = with_users("ann:" HASH "\n", "{ action = \"allow\"; }", NULL);
	after = configured("rules = ( { action = \"allow\"; } );", before);
	c = client_new(before, "ann", 0);
	ck_assert(is_gone(c));
	client_end(c);
}
END_TEST

START_TEST(a_client_in_its_handshake_is_not_gone)
{
	struct client *c;

	before = with_users("ann:" HASH "\n", "{ action = \"allow\"; }", NULL);
	after = configured("rules = ( { action = \"deny\"; } );", before);
	c = client_new(before, "ann", 0);
	conn_publish(c->session.conn, NULL);
	ck_assert(!is_gone(c));
	client_end(c);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int
main(void)
{
	Suite *suite = suite_create("standing");
	TCase *tc = tcase_create("standing");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, connections_of_a_client_count_over_a_reload);
	tcase_add_test(tc, a_limit_of_clients_comes_and_goes_by_a_reload);
	tcase_add_test(tc, a_source_stays_refused_over_a_reload);
	tcase_add_test(tc, counts_stay_until_the_last_configuration_goes);
	tcase_add_test(tc, tunnels_of_a_user_count_over_a_reload);
	tcase_add_test(tc, tunnels_of_a_rule_count_over_a_reload);
	tcase_add_test(tc, a_peer_of_another_rule_changes_the_place);
	tcase_add_loop_test(
		tc, a_tunnel_whose_rule_is_gone_is_gone, 0, COUNT(rule_cases));
	tcase_add_test(tc, a_client_whose_user_is_gone_is_gone);
	tcase_add_test(tc, where_nobody_authenticates_any_more_users_are_gone);
	tcase_add_test(tc, a_client_in_its_handshake_is_not_gone);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
