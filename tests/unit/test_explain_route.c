/* SPDX-License-Identifier: ISC */
/*
 * pppd-socks --explain: whole answers for small configurations, and the order of the
 * tries. An answer is compared as text; nothing here listens or connects.
 */
#include "config.h"
#include "explain_route.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct ppp_conf ppp;
static char *answer;

/* Reads a configuration that has no errors. */
static void
configure(const char *text)
{
	char path[] = "/tmp/test_explain_route.XXXXXX";
	int fd = mkstemp(path);
	size_t size = strlen(text);
	struct conf *conf;

	ck_assert(fd != -1 && write(fd, text, size) == (ssize_t)size);
	close(fd);
	ppp_conf_init(&ppp);
	conf = ppp_conf_read(&ppp, path);
	unlink(path);
	ck_assert_ptr_nonnull(conf);
	if (conf_errors(conf) > 0)
		ck_abort_msg("%s", conf_error_text(conf, 0));
	conf_free(conf);
}

static void
forget(void)
{
	ppp_conf_free(&ppp);
	free(answer);
	answer = NULL;
}

/* The answer to the question is then in answer. Returns the exit status. */
static int
ask(const char *question)
{
	size_t size;
	FILE *out;
	int status;

	free(answer);
	out = open_memstream(&answer, &size);
	ck_assert_ptr_nonnull(out);
	status = explain_route(&ppp, question, out);
	ck_assert_int_eq(fclose(out), 0);
	return status;
}

/* The last lines of the answer, from "tries:" on, are these. */
static void
expect_tries(const char *question, const char *tries)
{
	const char *at;

	ck_assert_int_eq(ask(question), EXIT_OK);
	at = strstr(answer, "tries: ");
	ck_assert_ptr_nonnull(at);
	ck_assert_str_eq(at, tries);
}

START_TEST(a_route_is_told_with_its_defaults)
{
	configure("routes = ( { listen = 8001; target = \"example.com:80\"; } );");
	ck_assert_int_eq(ask("8001"), EXIT_OK);
	ck_assert_str_eq(answer,
		"route: 8001\n"
		"listen: 127.0.0.1:8001 [::1]:8001\n"
		"protocol: tcp\n"
		"clients: everybody\n"
		"limit: none\n"
		"limits.tunnels: none\n"
		"idle: 86400 s\n"
		"timeouts.connect: 15 s for all tries together\n"
		"timeouts.handshake: 10 s for each upstream to let us in\n"
		"hold_off: 1 s to 60 s\n"
		"on_failure: reset\n"
		"proxy_protocol: none\n"
		"probe.interval: none\n"
		"timeouts.half_closed: 300 s\n"
		"balance: round-robin\n"
		"target: example.com:80 weight=1\n"
		"upstream_balance: round-robin\n"
		"upstream: 127.0.0.1:1081 address=127.0.0.1:1081 weight=1 password=no "
		"handshake=standard spare=0 proxy_protocol=no connect_as=-\n"
		"tries: always in this order\n"
		"1. example.com:80 through 127.0.0.1:1081\n");
}
END_TEST

START_TEST(every_key_of_a_route_and_its_upstreams_is_told)
{
	configure(
		"upstreams = (\n"
		"{ name = \"dcs 1\"; address = \"127.0.0.1:1081\"; spare = 8;\n"
		"  weight = 3; handshake = \"pipelined\"; },\n"
		"{ name = \"dcs2\"; address = \"[::1]:1081\"; proxy_protocol = true;\n"
		"  connect_as = \"dcs.example.com\"; },\n"
		"{ name = \"other\"; address = \"127.0.0.1:9\"; } );\n"
		"routes = ( { name = \"db\"; listen = \"*:5432\";\n"
		"  targets = ( \"10.0.0.1:5432\",\n"
		"    { address = \"[2001:db8::2]:5432\"; weight = 2; } );\n"
		"  balance = \"first\"; upstreams = [ \"dcs2\", \"dcs 1\" ];\n"
		"  upstream_balance = \"first\"; clients = [ \"10.0.0.0/8\", \"::1\" ];\n"
		"  limit = 200; idle = 0; on_failure = \"refuse\"; proxy_protocol = 2;\n"
		"  probe: { interval = 0.5; }; } );\n"
		"hold_off: { first = 0.25; most = 3; }; limits: { tunnels = 7; };\n"
		"timeouts: { connect = 4; handshake = 2.5; half_closed = 0; };\n");
	ck_assert_int_eq(ask("10.9.9.9:5432 client=10.1.2.3:99"), EXIT_OK);
	ck_assert_str_eq(answer,
		"route: db\n"
		"listen: 0.0.0.0:5432 [::]:5432\n"
		"protocol: tcp\n"
		"clients: 10.0.0.0/8 ::1\n"
		"admitted: yes\n"
		"limit: 200\n"
		"limits.tunnels: 7\n"
		"idle: never\n"
		"timeouts.connect: 4 s for all tries together\n"
		"timeouts.handshake: 2.5 s for each upstream to let us in\n"
		"hold_off: 0.25 s to 3 s\n"
		"on_failure: refuse\n"
		"proxy_protocol: 2\n"
		"probe.interval: 0.5 s\n"
		"timeouts.half_closed: none\n"
		"balance: first\n"
		"target: 10.0.0.1:5432 weight=1\n"
		"target: [2001:db8::2]:5432 weight=2\n"
		"upstream_balance: first\n"
		"upstream: dcs2 address=[::1]:1081 weight=1 password=no "
		"handshake=standard spare=0 proxy_protocol=yes "
		"connect_as=dcs.example.com\n"
		"upstream: dcs\\x201 address=127.0.0.1:1081 weight=3 password=no "
		"handshake=pipelined spare=8 proxy_protocol=no connect_as=-\n"
		"tries: always in this order\n"
		"1. 10.0.0.1:5432 through dcs2\n"
		"2. [2001:db8::2]:5432 through dcs2\n"
		"3. 10.0.0.1:5432 through dcs\\x201\n"
		"4. [2001:db8::2]:5432 through dcs\\x201\n");
}
END_TEST

START_TEST(that_there_is_a_password_is_told_and_not_what_it_is)
{
	char secret[] = "/tmp/test_explain_route.XXXXXX", text[400];
	int fd = mkstemp(secret); /* with mode 0600 */

	ck_assert(fd != -1 && write(fd, "open-sesame\n", 12) == 12);
	close(fd);
	snprintf(text, sizeof(text),
		"upstreams = ( { address = \"s:1\"; username = \"ann\"; "
		"password_file = \"%s\"; } ); "
		"routes = ( { listen = 80; target = \"a:1\"; } );",
		secret);
	configure(text);
	unlink(secret);
	ck_assert_int_eq(ask("80"), EXIT_OK);
	ck_assert_ptr_nonnull(strstr(answer, " password=yes "));
	ck_assert_ptr_null(strstr(answer, "sesame"));
}
END_TEST

START_TEST(a_balance_that_goes_round_is_told_to_do_so)
{
	configure("routes = ( { listen = 80; targets = ( \"a:1\",\n"
		  "{ address = \"b:1\"; weight = 2; }, \"c:1\" ); } );");
	expect_tries("80",
		"tries: of the first client, those after it begin elsewhere\n"
		"1. b:1 through 127.0.0.1:1081\n"
		"2. a:1 through 127.0.0.1:1081\n"
		"3. c:1 through 127.0.0.1:1081\n");
}
END_TEST

START_TEST(the_least_is_told_for_when_there_are_no_tunnels)
{
	configure("routes = ( { listen = 80; balance = \"least\"; targets = (\n"
		  "\"a:1\", { address = \"b:1\"; weight = 9; } ); } );");
	expect_tries("80",
		"tries: as long as there are no tunnels\n"
		"1. b:1 through 127.0.0.1:1081\n"
		"2. a:1 through 127.0.0.1:1081\n");
}
END_TEST

#define BY_SOURCE                                                                        \
	"routes = ( { listen = 80; balance = \"source\"; clients = \"192.0.2.0/24\";\n"  \
	"targets = [ \"a:1\", \"b:1\" ]; } );"

START_TEST(an_order_by_source_is_not_told_without_a_client)
{
	configure(BY_SOURCE);
	expect_tries("80", "tries: by the client's address, ask with client=ADDRESS\n");
}
END_TEST

START_TEST(an_order_by_source_is_that_of_the_client)
{
	int first[2] = { 0, 0 };
	char question[64];

	configure(BY_SOURCE);
	for (int i = 0; i < 64; i++) {
		char *before;

		snprintf(question, sizeof(question), "client=192.0.2.%d 80", i);
		ck_assert_int_eq(ask(question), EXIT_OK);
		ck_assert_ptr_nonnull(strstr(answer, "tries: always in this order\n"));
		first[strstr(answer, "1. a:1 through ") ? 0 : 1]++;
		before = strdup(answer);
		ck_assert_int_eq(ask(question), EXIT_OK);
		ck_assert_str_eq(answer, before);
		free(before);
	}
	ck_assert_int_gt(first[0], 0);
	ck_assert_int_gt(first[1], 0);
}
END_TEST

START_TEST(one_target_is_the_same_for_all_sources)
{
	configure("routes = ( { listen = 80; balance = \"source\"; target = \"a:1\";\n"
		  "upstream_balance = \"source\"; } );");
	expect_tries("80",
		"tries: always in this order\n"
		"1. a:1 through 127.0.0.1:1081\n");
}
END_TEST

START_TEST(a_client_that_may_not_makes_no_tries)
{
	configure(BY_SOURCE);
	expect_tries(
		"80 client=192.0.3.1", "tries: none, the client may not use the route\n");
	ck_assert_ptr_nonnull(strstr(answer, "\nadmitted: no\n"));
}
END_TEST

START_TEST(tcp_and_udp_of_one_port_are_both_told)
{
	const char *udp;

	configure(
		"routes = ( { listen = 53; target = \"a:53\"; },\n"
		"{ listen = \"*:53\"; protocol = \"udp\"; target = \"9.9.9.9:53\"; });");
	ck_assert_int_eq(ask("53"), EXIT_OK);
	ck_assert_ptr_nonnull(strstr(answer, "\nprotocol: tcp\n"));
	udp = strstr(answer, "\n\nroute: 53\n");
	ck_assert_ptr_nonnull(udp);
	ck_assert_str_eq(udp + 2,
		"route: 53\n"
		"listen: 0.0.0.0:53 [::]:53\n"
		"protocol: udp\n"
		"clients: everybody\n"
		"limit: 1024\n"
		"limits.tunnels: none\n"
		"idle: 120 s\n"
		"timeouts.connect: 15 s for all tries together\n"
		"timeouts.handshake: 10 s for each upstream to let us in\n"
		"hold_off: 1 s to 60 s\n"
		"balance: round-robin\n"
		"target: 9.9.9.9:53 weight=1\n"
		"upstream_balance: round-robin\n"
		"upstream: 127.0.0.1:1081 address=127.0.0.1:1081 weight=1 password=no "
		"handshake=standard spare=0 proxy_protocol=no connect_as=-\n"
		"tries: always in this order\n"
		"1. 9.9.9.9:53 through 127.0.0.1:1081\n");
}
END_TEST

START_TEST(a_port_of_a_range_is_told_alone)
{
	configure("routes = ( { name = \"farm\"; listen = \"127.0.0.1:9000-9010\";\n"
		  "target = \"farm:7000-7010\"; } );");
	expect_tries("9003",
		"tries: always in this order\n"
		"1. farm:7003 through 127.0.0.1:1081\n");
	ck_assert_ptr_nonnull(strstr(answer, "\nlisten: 127.0.0.1:9003\n"));
	ck_assert_ptr_null(strstr(answer, "farm:7004"));
}
END_TEST

START_TEST(an_address_asks_for_who_listens_there)
{
	configure("routes = ( { name = \"v4\"; listen = \"127.0.0.1:80\";\n"
		  "target = \"a:1\"; },\n"
		  "{ name = \"v6\"; listen = \"[::1]:80\"; target = \"b:1\"; } );");
	ck_assert_int_eq(ask("[::1]:80"), EXIT_OK);
	ck_assert_ptr_null(strstr(answer, "route: v4\n"));
	ck_assert_ptr_nonnull(strstr(answer, "route: v6\n"));
	ck_assert_int_eq(ask("*:80"), EXIT_OK);
	ck_assert_ptr_nonnull(strstr(answer, "route: v4\n"));
	ck_assert_ptr_nonnull(strstr(answer, "route: v6\n"));
	ck_assert_int_eq(ask("127.0.0.2:80"), 1);
}
END_TEST

START_TEST(a_port_without_a_route_is_exit_1)
{
	configure("routes = ( { listen = 80; target = \"a:1\"; } );");
	ck_assert_int_eq(ask("81"), 1);
	ck_assert_str_eq(answer, "no route listens there\n");
}
END_TEST

START_TEST(a_wrong_question_is_exit_64)
{
	static const char *const wrong[] = { "", " ", "client=10.0.0.1", "80 81", "65536",
		"-1", "80 client=", "80 client=name", "80 client=10.0.0.1/8",
		"80 client=10.0.0.1 client=10.0.0.2", "80 user=ann", "name:80",
		"127.0.0.1:", "9000-9010" };

	configure("routes = ( { listen = 80; target = \"a:1\"; } );");
	for (size_t i = 0; i < COUNT(wrong); i++) {
		ck_assert_msg(ask(wrong[i]) == EXIT_USAGE, "'%s'", wrong[i]);
		ck_assert_str_eq(answer, "");
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("explain_route");
	TCase *t = tcase_create("explain_route");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, NULL, forget);
	tcase_add_test(t, a_route_is_told_with_its_defaults);
	tcase_add_test(t, every_key_of_a_route_and_its_upstreams_is_told);
	tcase_add_test(t, that_there_is_a_password_is_told_and_not_what_it_is);
	tcase_add_test(t, a_balance_that_goes_round_is_told_to_do_so);
	tcase_add_test(t, the_least_is_told_for_when_there_are_no_tunnels);
	tcase_add_test(t, an_order_by_source_is_not_told_without_a_client);
	tcase_add_test(t, an_order_by_source_is_that_of_the_client);
	tcase_add_test(t, one_target_is_the_same_for_all_sources);
	tcase_add_test(t, a_client_that_may_not_makes_no_tries);
	tcase_add_test(t, tcp_and_udp_of_one_port_are_both_told);
	tcase_add_test(t, a_port_of_a_range_is_told_alone);
	tcase_add_test(t, an_address_asks_for_who_listens_there);
	tcase_add_test(t, a_port_without_a_route_is_exit_1);
	tcase_add_test(t, a_wrong_question_is_exit_64);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
