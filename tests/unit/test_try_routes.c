/* SPDX-License-Identifier: ISC */
/*
 * pppd-socks --probe against an upstream that a thread of the test plays: what it replies
 * depends on the port of the target. The upstream "dead" is a port where nobody listens,
 * and that nobody else gets. Tables are compared as text, with the times made the same.
 */
#include "config.h"
#include "try_routes.h"

#include <check.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "options.h"
#include "socks_proto.h"
#include "tcp.h"

/* Targets of these ports; all others can be had. */
enum { PORT_REFUSED = 81, PORT_DENIED = 82, PORT_HANGS_UP = 83 };

static struct ppp_conf ppp;
static char *table;
static int listener, dead;
static pthread_t upstream;

/* ---- the upstream ---- */

static enum socks_rep
rep_for(uint16_t port)
{
	if (port == PORT_REFUSED)
		return SOCKS_REP_REFUSED;
	return port == PORT_DENIED ? SOCKS_REP_NOT_ALLOWED : SOCKS_REP_SUCCEEDED;
}

static bool
read_all(int fd, uint8_t *buf, size_t size)
{
	for (size_t n = 0; n < size; n++)
		if (read(fd, buf + n, 1) != 1)
			return false;
	return true;
}

/* Greeting with one method, and a request by an IPv4 address: what is asked here. */
static void
answer(int fd)
{
	uint8_t buf[SOCKS_MESSAGE], greeting[3], request[10];
	uint16_t port;
	size_t n;

	if (!read_all(fd, greeting, sizeof(greeting)))
		return;
	n = socks_build_method(buf, SOCKS_METHOD_NONE);
	if (write(fd, buf, n) != (ssize_t)n || !read_all(fd, request, sizeof(request)))
		return;
	port = (uint16_t)(request[8] << 8 | request[9]);
	if (port == PORT_HANGS_UP)
		return;
	/* Of an association nothing is known before, RFC 1928 section 4. */
	if ((request[1] == SOCKS_UDP_ASSOCIATE) != (port == 0))
		return;
	n = socks_build_reply(buf, rep_for(port), NULL);
	if (write(fd, buf, n) == (ssize_t)n)
		(void)!read(fd, buf, 1); /* until it is closed */
}

/* One after another, until the end of the test. */
static void *
play_upstream(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(listener, NULL, NULL)) != -1) {
		answer(fd);
		close(fd);
	}
	return NULL;
}

/* ---- what each test has ---- */

static int
port_of(int fd)
{
	struct addr addr;

	ck_assert_int_eq(net_local(fd, &addr), 0);
	return addr_port(&addr);
}

static void
begin(void)
{
	struct addr addr;

	listener = tcp_listen(AF_INET);
	ck_assert_int_ne(listener, -1);
	ck_assert_int_eq(pthread_create(&upstream, NULL, play_upstream, NULL), 0);
	dead = socket(AF_INET, SOCK_STREAM, 0);
	addr_from_text(&addr, "127.0.0.1", 0);
	ck_assert_int_eq(bind(dead, &addr.u.sa, addr.len), 0);
	ppp_conf_init(&ppp);
}

static void
end(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(upstream, NULL);
	close(listener);
	close(dead);
	ppp_conf_free(&ppp);
	free(table);
	table = NULL;
}

/* The upstreams "works" and "dead", and these routes. */
static void
configure(const char *routes)
{
	char path[] = "/tmp/test_try_routes.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct conf *conf;

	ck_assert_ptr_nonnull(f);
	fprintf(f,
		"upstreams = ( { name = \"works\"; address = \"127.0.0.1:%d\"; },\n"
		"{ name = \"dead\"; address = \"127.0.0.1:%d\"; } );\nroutes = ( %s );\n",
		port_of(listener), port_of(dead), routes);
	fclose(f);
	conf = ppp_conf_read(&ppp, path);
	unlink(path);
	ck_assert_ptr_nonnull(conf);
	if (conf_errors(conf) > 0)
		ck_abort_msg("%s", conf_error_text(conf, 0));
	conf_free(conf);
}

/* Makes each number that ends a line a 0, and the spaces before the last word one. */
static void
even_times(char *text)
{
	char *copy = strdup(text), *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest)) {
		const char *word = strrchr(line, ' ') + 1, *end = word;

		while (end[-1] == ' ')
			end--;
		text += sprintf(text, "%.*s %s\n", (int)(end - line), line,
			isdigit((unsigned char)*word) ? "0" : word);
	}
	free(copy);
}

/* The table is then in table. Returns the exit status. */
static int
try(const char *at)
{
	size_t size;
	FILE *out;
	int status;

	free(table);
	out = open_memstream(&table, &size);
	ck_assert_ptr_nonnull(out);
	status = try_routes(&ppp, at, out);
	ck_assert_int_eq(fclose(out), 0);
	even_times(table);
	return status;
}

START_TEST(each_target_through_each_upstream_is_a_row)
{
	configure(
		"{ listen = 8001; targets = [ \"127.0.0.1:80\", \"127.0.0.1:81\" ]; },\n"
		"{ listen = \"*:8002\"; target = \"127.0.0.1:82\"; }");
	ck_assert_int_eq(try(NULL), 1);
	ck_assert_str_eq(table,
		"listen  target        upstream  result ms\n"
		"8001    127.0.0.1:80  works     ok 0\n"
		"8001    127.0.0.1:80  dead      upstream: Connection refused -\n"
		"8001    127.0.0.1:81  works     connection refused (rep=5) -\n"
		"8001    127.0.0.1:81  dead      upstream: Connection refused -\n"
		"*:8002  127.0.0.1:82  works     connection not allowed by ruleset "
		"(rep=2) -\n"
		"*:8002  127.0.0.1:82  dead      upstream: Connection refused -\n");
}
END_TEST

START_TEST(one_target_through_one_upstream_is_enough)
{
	configure("{ listen = 8001; targets = [ \"127.0.0.1:81\", \"127.0.0.1:80\" ]; }");
	ck_assert_int_eq(try(NULL), EXIT_OK);
}
END_TEST

START_TEST(one_route_that_leads_nowhere_is_exit_1_wherever_it_stands)
{
#define GOOD(port) "{ listen = " #port "; target = \"127.0.0.1:80\"; }"
#define BAD(port)  "{ listen = " #port "; target = \"127.0.0.1:81\"; }"
	configure(GOOD(1) ", " BAD(2) ", " GOOD(3));
	ck_assert_int_eq(try(NULL), 1);
	ck_assert_int_eq(try("1"), EXIT_OK);
	ck_assert_int_eq(try("2"), 1);
	ck_assert_int_eq(try("127.0.0.1:3"), EXIT_OK);
	ck_assert_ptr_null(strstr(table, "\n1 "));
	ck_assert_ptr_nonnull(strstr(table, "\n3 "));
}
END_TEST

START_TEST(a_bad_route_at_the_beginning_or_the_end_is_exit_1)
{
	configure(BAD(1) ", " GOOD(2) ", " GOOD(3));
	ck_assert_int_eq(try(NULL), 1);
	ppp_conf_free(&ppp);
	ppp_conf_init(&ppp);
	configure(GOOD(1) ", " GOOD(2) ", " BAD(3));
	ck_assert_int_eq(try(NULL), 1);
}
END_TEST

/* More of them than there are threads. */
START_TEST(every_port_of_a_range_has_a_row_in_its_order)
{
	char want[64];
	const char *at;
	int lines = 0;

	configure("{ listen = \"127.0.0.1:9001-9100\"; upstreams = \"works\";\n"
		  "target = \"127.0.0.1:101-200\"; }");
	ck_assert_int_eq(try(NULL), EXIT_OK);
	at = table;
	for (int i = 1; i <= 100; i++) {
		snprintf(want, sizeof(want), "\n127.0.0.1:%d  127.0.0.1:%d ", 9000 + i,
			100 + i);
		at = strstr(at, want);
		ck_assert_ptr_nonnull(at);
	}
	for (at = table; (at = strchr(at, '\n')); at++)
		lines++;
	ck_assert_int_eq(lines, 1 + 100);
}
END_TEST

START_TEST(one_port_of_a_range_that_leads_nowhere_is_exit_1)
{
	configure("{ listen = \"127.0.0.1:9000-9002\"; target = \"127.0.0.1:80-82\"; }");
	ck_assert_int_eq(try(NULL), 1);
	ck_assert_int_eq(try("9000"), EXIT_OK);
}
END_TEST

START_TEST(a_route_of_udp_is_tried_up_to_its_association)
{
	configure("{ listen = 53; protocol = \"udp\"; target = \"127.0.0.1:81\"; }");
	ck_assert_int_eq(try("53"), EXIT_OK);
	ck_assert_str_eq(table,
		"listen  target        upstream  result ms\n"
		"53/udp  127.0.0.1:81  works     ok, the target is not tested 0\n"
		"53/udp  127.0.0.1:81  dead      upstream: Connection refused -\n");
}
END_TEST

START_TEST(an_upstream_that_hangs_up_is_told_as_such)
{
	configure("{ listen = 1; upstreams = \"works\"; target = \"127.0.0.1:83\"; }");
	ck_assert_int_eq(try(NULL), 1);
	ck_assert_ptr_nonnull(strstr(table, "  upstream: "));
}
END_TEST

START_TEST(a_port_that_is_none_or_has_no_route_is_exit_64)
{
	configure(GOOD(80));
	ck_assert_int_eq(try("81"), EXIT_USAGE);
	ck_assert_int_eq(try("65536"), EXIT_USAGE);
	ck_assert_int_eq(try("web"), EXIT_USAGE);
	ck_assert_str_eq(table, "");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("try_routes");
	TCase *t = tcase_create("try_routes");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, each_target_through_each_upstream_is_a_row);
	tcase_add_test(t, one_target_through_one_upstream_is_enough);
	tcase_add_test(t, one_route_that_leads_nowhere_is_exit_1_wherever_it_stands);
	tcase_add_test(t, a_bad_route_at_the_beginning_or_the_end_is_exit_1);
	tcase_add_test(t, every_port_of_a_range_has_a_row_in_its_order);
	tcase_add_test(t, one_port_of_a_range_that_leads_nowhere_is_exit_1);
	tcase_add_test(t, a_route_of_udp_is_tried_up_to_its_association);
	tcase_add_test(t, an_upstream_that_hangs_up_is_told_as_such);
	tcase_add_test(t, a_port_that_is_none_or_has_no_route_is_exit_64);
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
