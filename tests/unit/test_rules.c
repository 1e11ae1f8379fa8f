/* SPDX-License-Identifier: ISC */
/*
 * Tests of rules, outgoing and explain: rules are read from a text as the file has them,
 * and asked one question each.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain.h"
#include "rules.h"

static struct rules rules;
static size_t errors;
static char error_text[512];

static const struct conf_key keys[] = {
	{ "rules", rules_read, 0, 0, 0, rule_keys },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* Reads `rules = ( text );`. What is wrong is then in errors and error_text. */
static void
read_rules(const char *text)
{
	char path[] = "/tmp/test_rules.XXXXXX";
	int fd = mkstemp(path);
	struct conf *conf;

	ck_assert_int_ne(fd, -1);
	dprintf(fd, "rules = (\n%s\n);\n", text);
	close(fd);
	conf = conf_read(path, keys, &rules);
	ck_assert_ptr_nonnull(conf);
	errors = conf_errors(conf);
	error_text[0] = '\0';
	if (errors > 0)
		snprintf(error_text, sizeof(error_text), "%s", conf_error_text(conf, 0));
	conf_free(conf);
	unlink(path);
}

static void
teardown(void)
{
	rules_free(&rules);
}

/* A question, and what decides for the address that the target is, or came to mean. */
struct question {
	struct addr client, addr;
	struct identity who;
	struct socks_dest dst;
	struct rules_query query;
	uint16_t port;
};

static struct question *
ask(const char *client, const char *user, enum socks_command command, const char *target,
	const char *resolved)
{
	static struct question q;
	struct hostport hp;
	const char *why;

	memset(&q, 0, sizeof(q));
	ck_assert(addr_from_text(&q.client, client, 50000));
	snprintf(q.who.name, sizeof(q.who.name), "%s", user);
	ck_assert_int_eq(hostport_parse(&hp, target, &why), 0);
	socks_dest_from_hostport(&q.dst, &hp);
	q.port = hp.port;
	q.query = (struct rules_query){ &q.client, &q.who, command, &q.dst, NULL };
	if (resolved)
		ck_assert(addr_from_text(&q.addr, resolved, hp.port));
	else
		q.addr = q.dst.addr;
	return &q;
}

static bool
allows(const struct question *q)
{
	const struct rule *denied;
	const char *why;

	return rules_decide(&rules, &q->query, &q->addr, &denied, &why) != NULL;
}

static bool
may_allow(const struct question *q)
{
	const struct rule *denied;
	const char *why;

	return rules_may_allow(&rules, &q->query, NULL, q->port, &denied, &why) != NULL;
}

START_TEST(the_first_rule_that_matches_decides)
{
	read_rules("{ name = \"a\"; action = \"deny\"; ports = 25; },"
		   "{ name = \"b\"; action = \"allow\"; targets = \"192.0.2.0/24\"; },"
		   "{ name = \"c\"; action = \"deny\"; },"
		   "{ name = \"d\"; action = \"allow\"; }");
	ck_assert_uint_eq(errors, 0);
	ck_assert(allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:25", NULL)));
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "198.51.100.1:80", NULL)));
}
END_TEST

START_TEST(no_match_denies)
{
	read_rules("{ action = \"allow\"; ports = [ 80, 443 ]; }");
	ck_assert(allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:443", NULL)));
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:22", NULL)));
}
END_TEST

START_TEST(each_field_must_match)
{
	read_rules(
		"{ action = \"allow\"; clients = [ \"10.0.0.0/8\", \"2001:db8::/32\" ];"
		" users = [ \"ann\", \"@staff\" ]; commands = [ \"connect\", \"bind\" ];"
		" targets = [ \"192.0.2.0/24\", \"*.example.com\" ];"
		" ports = ( 80, \"8000-8999\" ); }");
	ck_assert_uint_eq(errors, 0);
	ck_assert(allows(ask("10.1.1.1", "ann", SOCKS_CONNECT, "192.0.2.1:8500", NULL)));
	ck_assert(allows(ask("2001:db8::9", "ann", SOCKS_BIND, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("11.1.1.1", "ann", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("10.1.1.1", "bob", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("10.1.1.1", "", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	ck_assert(!allows(
		ask("10.1.1.1", "ann", SOCKS_UDP_ASSOCIATE, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("10.1.1.1", "ann", SOCKS_CONNECT, "192.0.3.1:80", NULL)));
	ck_assert(!allows(ask("10.1.1.1", "ann", SOCKS_CONNECT, "192.0.2.1:9000", NULL)));
}
END_TEST

START_TEST(groups_and_anybody_authenticated)
{
	struct question *q;

	read_rules("{ action = \"allow\"; users = \"@staff\"; ports = 1; },"
		   "{ action = \"allow\"; users = \"*\"; ports = 2; }");
	q = ask("10.0.0.1", "bob", SOCKS_CONNECT, "192.0.2.1:1", NULL);
	ck_assert(!allows(q));
	strcpy(q->who.groups, "ops,staff,x");
	ck_assert(allows(q));
	strcpy(q->who.groups, "staffs,sta");
	ck_assert(!allows(q));
	ck_assert(allows(ask("10.0.0.1", "bob", SOCKS_CONNECT, "192.0.2.1:2", NULL)));
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:2", NULL)));
}
END_TEST

static const struct {
	const char *name;
	bool matches;
} names[] = { { "www.example.com:80", true }, { "a.b.example.com:80", true },
	{ "WWW.Example.COM.:80", true }, { "example.com:80", false },
	{ ".example.com:80", false }, { "wwwexample.com:80", false },
	{ "www.example.com.evil.org:80", false }, { "exact.org:80", true },
	{ "Exact.ORG.:80", true }, { "x.exact.org:80", false } };

START_TEST(names_match_by_the_text_that_was_sent)
{
	read_rules("{ action = \"allow\"; targets = [ \"*.example.com\", \"exact.org\" "
		   "]; }");
	ck_assert_uint_eq(errors, 0);
	ck_assert_int_eq(
		allows(ask("10.0.0.1", "", SOCKS_CONNECT, names[_i].name, "192.0.2.1")),
		names[_i].matches);
	ck_assert_int_eq(may_allow(ask("10.0.0.1", "", SOCKS_CONNECT, names[_i].name,
				 "192.0.2.1")),
		names[_i].matches);
}
END_TEST

START_TEST(a_request_by_address_matches_networks_only)
{
	read_rules("{ action = \"allow\"; targets = \"*.example.com\"; }");
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
}
END_TEST

START_TEST(a_name_is_decided_by_each_address_it_means)
{
	read_rules("{ action = \"deny\"; targets = \"10.0.0.0/8\"; },"
		   "{ action = \"allow\"; }");
	ck_assert(may_allow(ask("10.0.0.1", "", SOCKS_CONNECT, "a.org:80", "10.1.1.1")));
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "a.org:80", "10.1.1.1")));
	ck_assert(allows(ask("10.0.0.1", "", SOCKS_CONNECT, "a.org:80", "192.0.2.1")));
	ck_assert(!allows(
		ask("10.0.0.1", "", SOCKS_CONNECT, "a.org:80", "::ffff:10.1.1.1")));
}
END_TEST

START_TEST(what_no_rule_could_allow_is_not_looked_up)
{
	read_rules("{ action = \"deny\"; targets = \"*.bad.org\"; },"
		   "{ action = \"allow\"; targets = \"192.0.2.0/24\"; ports = 80; },"
		   "{ action = \"allow\"; targets = \"good.org\"; }");
	ck_assert(!may_allow(ask("10.0.0.1", "", SOCKS_CONNECT, "x.bad.org:80", NULL)));
	ck_assert(may_allow(ask("10.0.0.1", "", SOCKS_CONNECT, "other.org:80", NULL)));
	ck_assert(!may_allow(ask("10.0.0.1", "", SOCKS_CONNECT, "other.org:81", NULL)));
	ck_assert(may_allow(ask("10.0.0.1", "", SOCKS_CONNECT, "good.org:81", NULL)));
}
END_TEST

static const char *const special[] = { "0.0.0.0:80", "0.1.2.3:80", "[::]:80",
	"224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80", "240.0.0.1:80" };

START_TEST(special_addresses_need_a_rule_that_names_them)
{
	read_rules("{ action = \"allow\"; targets = [ \"0.0.0.0/0\", \"::/0\" ]; },"
		   "{ action = \"allow\"; }");
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, special[_i], NULL)));
	ck_assert(allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	rules_free(&rules);
	read_rules("{ action = \"allow\"; targets = [ \"0.0.0.0/8\", \"224.0.0.0/4\","
		   " \"240.0.0.0/4\", \"::\", \"ff00::/8\" ]; }");
	ck_assert(allows(ask("10.0.0.1", "", SOCKS_CONNECT, special[_i], NULL)));
}
END_TEST

START_TEST(built_in_rules_are_for_loopback_and_for_who_has_authenticated)
{
	ck_assert_int_eq(rules_default(&rules), 0);
	ck_assert(allows(ask("127.0.0.5", "", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	ck_assert(allows(ask("::1", "", SOCKS_UDP_ASSOCIATE, "192.0.2.1:80", NULL)));
	ck_assert(allows(ask("10.0.0.1", "ann", SOCKS_BIND, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("10.0.0.1", "", SOCKS_CONNECT, "192.0.2.1:80", NULL)));
	ck_assert(!allows(ask("127.0.0.1", "", SOCKS_CONNECT, "0.0.0.0:80", NULL)));
}
END_TEST

START_TEST(a_rule_has_its_limit)
{
	struct tally *tunnels = tally_new();

	read_rules(
		"{ action = \"allow\"; limit = 2; idle = 7; }, { action = \"allow\"; }");
	ck_assert_int_eq(rules.list[0].idle_ms, 7000);
	ck_assert(rule_enter(&rules.list[0], tunnels));
	ck_assert(rule_enter(&rules.list[0], tunnels));
	ck_assert(!rule_enter(&rules.list[0], tunnels));
	for (int i = 0; i < 5; i++)
		ck_assert(rule_enter(&rules.list[1], tunnels));
	rule_leave(&rules.list[0], tunnels);
	ck_assert(rule_enter(&rules.list[0], tunnels));
	tally_free(tunnels);
}
END_TEST

START_TEST(rules_of_one_name_have_limits_of_their_own)
{
	struct tally *tunnels = tally_new();

	read_rules("{ name = \"a\"; action = \"allow\"; limit = 1; },"
		   "{ name = \"a\"; action = \"allow\"; limit = 1; }");
	ck_assert(rule_enter(&rules.list[0], tunnels));
	ck_assert(!rule_enter(&rules.list[0], tunnels));
	ck_assert(rule_enter(&rules.list[1], tunnels));
	rule_leave(&rules.list[0], tunnels);
	ck_assert(!rule_enter(&rules.list[1], tunnels));
	tally_free(tunnels);
}
END_TEST

START_TEST(a_rule_is_counted_on_where_it_stands_in_other_rules)
{
	struct tally *tunnels = tally_new();
	struct rules old;

	read_rules("{ action = \"allow\"; limit = 1; },"
		   "{ name = \"a\"; action = \"allow\"; limit = 1; },"
		   "{ action = \"allow\"; limit = 1; }");
	for (size_t i = 0; i < 3; i++)
		ck_assert(rule_enter(&rules.list[i], tunnels));
	old = rules;
	rules = (struct rules){ NULL, 0 };
	read_rules("{ name = \"a\"; action = \"allow\"; limit = 2; },"
		   "{ action = \"allow\"; limit = 1; },"
		   "{ name = \"b\"; action = \"allow\"; limit = 1; },"
		   "{ action = \"allow\"; limit = 1; }");
	ck_assert(rule_enter(&rules.list[0], tunnels));
	ck_assert(!rule_enter(&rules.list[0], tunnels));
	ck_assert(!rule_enter(&rules.list[1], tunnels));
	ck_assert(rule_enter(&rules.list[2], tunnels));
	ck_assert(!rule_enter(&rules.list[3], tunnels));
	for (size_t i = 0; i < 3; i++)
		rule_leave(&old.list[i], tunnels);
	rules_free(&old);
	ck_assert(rule_enter(&rules.list[0], tunnels));
	ck_assert(!rule_enter(&rules.list[0], tunnels));
	ck_assert(rule_enter(&rules.list[1], tunnels));
	ck_assert(rule_enter(&rules.list[3], tunnels));
	tally_free(tunnels);
}
END_TEST

static const char *const bad[] = { "{ name = \"x\"; }", "{ action = \"maybe\"; }",
	"{ action = 1; }", "{ action = \"allow\"; clients = \"10.0.0.1/8\"; }",
	"{ action = \"allow\"; clients = [ ]; }",
	"{ action = \"allow\"; clients = \"host\"; }",
	"{ action = \"allow\"; users = \"\"; }",
	"{ action = \"allow\"; commands = \"get\"; }",
	"{ action = \"allow\"; commands = [ ]; }",
	"{ action = \"allow\"; targets = \"10.0.0.300\"; }",
	"{ action = \"allow\"; targets = \"a*.example.com\"; }",
	"{ action = \"allow\"; targets = \"*\"; }",
	"{ action = \"allow\"; targets = ( ); }", "{ action = \"allow\"; ports = 0; }",
	"{ action = \"allow\"; ports = \"9-8\"; }", "{ action = \"allow\"; idle = -1; }",
	"{ action = \"allow\"; limit = -1; }",
	"{ action = \"allow\"; target = \"example.com\"; }",
	"{ action = \"allow\"; outgoing = { bind = \"host\"; }; }",
	"{ action = \"allow\"; outgoing = { bind = [ \"10.0.0.1\", \"10.0.0.2\" ]; }; }",
	"{ action = \"allow\"; outgoing = { prefer = \"ipv5\"; }; }", "5" };

START_TEST(a_wrong_rule_is_an_error_with_its_line)
{
	read_rules(bad[_i]);
	ck_assert_uint_ge(errors, 1);
	ck_assert_ptr_nonnull(strstr(error_text, ":2: "));
}
END_TEST

START_TEST(families_are_ordered_as_preferred)
{
	struct addr list[4];
	struct outgoing out = { .prefer = OUTGOING_IPV4 };
	static const char *const texts[] = { "2001:db8::1", "192.0.2.1", "2001:db8::2",
		"192.0.2.2" };
	char text[ADDR_TEXT];

	for (int i = 0; i < 4; i++)
		ck_assert(addr_from_text(&list[i], texts[i], 80));
	ck_assert_int_eq(outgoing_order(&out, list, 4), 4);
	ck_assert_str_eq(addr_text(&list[0], text), "192.0.2.1:80");
	ck_assert_str_eq(addr_text(&list[1], text), "192.0.2.2:80");
	ck_assert_str_eq(addr_text(&list[2], text), "[2001:db8::1]:80");
	out.prefer = OUTGOING_IPV6_ONLY;
	ck_assert_int_eq(outgoing_order(&out, list, 4), 2);
	ck_assert_str_eq(addr_text(&list[0], text), "[2001:db8::1]:80");
	out.prefer = OUTGOING_IPV4_ONLY;
	ck_assert_int_eq(outgoing_order(&out, list, 2), 0);
}
END_TEST

/* The explanation of a question. Returns the verdict; the text is in out. */
static enum explained
explained(const char *question, char *out, size_t size)
{
	FILE *file = fmemopen(out, size, "w");
	const char *why;
	enum explained verdict;

	ck_assert_ptr_nonnull(file);
	verdict = explain(&rules, NULL, question, true, file, &why);
	fclose(file);
	return verdict;
}

START_TEST(explain_names_the_rule_that_decides_and_the_fields_that_do_not_match)
{
	char out[2048];

	read_rules("{ name = \"mail\"; action = \"deny\"; ports = 25; },"
		   "{ name = \"web\"; action = \"allow\"; clients = \"10.0.0.0/8\"; }");
	ck_assert_int_eq(
		explained("client=10.1.1.1 target=192.0.2.1:80", out, sizeof(out)),
		EXPLAIN_ALLOWED);
	ck_assert_ptr_nonnull(strstr(out, "rule 1 (mail) does not match: ports"));
	ck_assert_ptr_nonnull(strstr(out, "allowed by rule 2 (web)"));
	ck_assert_int_eq(explained("client=10.1.1.1 cmd=udp user=ann target=192.0.2.1:25",
				 out, sizeof(out)),
		EXPLAIN_DENIED);
	ck_assert_ptr_nonnull(strstr(out, "denied: rule 1 (mail)"));
	ck_assert_int_eq(
		explained("client=11.1.1.1 target=192.0.2.1:80", out, sizeof(out)),
		EXPLAIN_DENIED);
	ck_assert_ptr_nonnull(strstr(out, "rule 2 (web) does not match: clients"));
	ck_assert_ptr_nonnull(strstr(out, "no rule matches"));
}
END_TEST

static const char *const bad_questions[] = { "", "client=10.0.0.1", "target=192.0.2.1:80",
	"client=x target=192.0.2.1:80", "client=10.0.0.1 target=192.0.2.1",
	"client=10.0.0.1 target=192.0.2.1:80 cmd=get", "client=10.0.0.1 nonsense",
	"client=10.0.0.1 target=192.0.2.1:80 color=red" };

START_TEST(explain_refuses_a_bad_question)
{
	char out[64];

	ck_assert_int_eq(explained(bad_questions[_i], out, sizeof(out)), EXPLAIN_BAD);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int
main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_first_rule_that_matches_decides);
	tcase_add_test(tc, no_match_denies);
	tcase_add_test(tc, each_field_must_match);
	tcase_add_test(tc, groups_and_anybody_authenticated);
	tcase_add_loop_test(tc, names_match_by_the_text_that_was_sent, 0, COUNT(names));
	tcase_add_test(tc, a_request_by_address_matches_networks_only);
	tcase_add_test(tc, a_name_is_decided_by_each_address_it_means);
	tcase_add_test(tc, what_no_rule_could_allow_is_not_looked_up);
	tcase_add_loop_test(
		tc, special_addresses_need_a_rule_that_names_them, 0, COUNT(special));
	tcase_add_test(tc, built_in_rules_are_for_loopback_and_for_who_has_authenticated);
	tcase_add_test(tc, a_rule_has_its_limit);
	tcase_add_test(tc, rules_of_one_name_have_limits_of_their_own);
	tcase_add_test(tc, a_rule_is_counted_on_where_it_stands_in_other_rules);
	tcase_add_loop_test(tc, a_wrong_rule_is_an_error_with_its_line, 0, COUNT(bad));
	tcase_add_test(tc, families_are_ordered_as_preferred);
	tcase_add_test(
		tc, explain_names_the_rule_that_decides_and_the_fields_that_do_not_match);
	tcase_add_loop_test(tc, explain_refuses_a_bad_question, 0, COUNT(bad_questions));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
