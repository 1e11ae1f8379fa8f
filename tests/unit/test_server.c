/* SPDX-License-Identifier: ISC */
/* Tests of server, places and conns: accepting, limits, cutting, and what is left. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"
#include "log.h"
#include "net.h"
#include "places.h"
#include "server.h"
#include "tcp.h"

static const struct io_limit patient = { IO_FOREVER, -1 };
static struct places places;

/* Serves by sending the text that the place was opened for, until the client ends. */
static void
serve(struct conn *conn, struct crew *crew, void *arg)
{
	const char *text = conn->via;
	char c;

	(void)crew;
	(void)arg;
	(void)io_write(conn->relay.fd[CLIENT], text, strlen(text), &patient);
	(void)io_read(conn->relay.fd[CLIENT], &c, 1, &patient);
	conn_end(conn);
}

/* A gate that counts the first clients, up to gate_most at a time, and refuses others. */
static int gate_most;
static _Atomic int gate_asked, gate_inside;
static struct addr gate_left; /* the last one that left */

static enum gate_answer
enter(void *arg, const struct addr *peer, const char **why)
{
	ck_assert_ptr_eq(arg, &gate_most);
	ck_assert(addr_is_loopback(peer));
	gate_asked++;
	*why = "the gate is shut";
	if (gate_inside >= gate_most)
		return GATE_REFUSES;
	gate_inside++;
	return GATE_COUNTS;
}

static void
leave(void *arg, const struct addr *client)
{
	ck_assert_ptr_eq(arg, &gate_most);
	gate_left = *client;
	gate_inside--;
}

static const struct gate gate = { enter, leave, &gate_most };

/* A running server at the places. */
static struct server *
start_gated(int max, const struct gate *with)
{
	struct server *s = server_new(serve, NULL, max, with);
	const struct server_place *failed;

	log_open("test", 0, LOG_L_ERROR, true);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(server_bind(s, places.list, places.n, &failed), 0);
	ck_assert_int_eq(server_start(s), 0);
	return s;
}

static struct server *
start(int max)
{
	return start_gated(max, NULL);
}

static int
dial(const struct addr *to)
{
	struct addr used;
	int fd = net_dial(to, 1, NULL, &patient, &used);

	ck_assert_int_ne(fd, -1);
	return fd;
}

static void
expect_text(int fd, const char *text)
{
	char buf[16];

	ck_assert_int_eq(io_read(fd, buf, sizeof(buf), &patient), (ssize_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void
finish(struct server *s)
{
	server_quiesce(s);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	ck_assert_int_eq(server_free(s, 30000), 0);
	places_free(&places);
}

/* Connects, and is turned away; the reset may be there as soon as the connection is. */
static void
expect_reset(const struct addr *at)
{
	struct addr used;
	int fd = net_dial(at, 1, NULL, &patient, &used);
	char c;

	if (fd != -1)
		ck_assert_int_eq(io_read(fd, &c, 1, &patient), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	io_close(&fd);
}

START_TEST(each_place_hands_on_what_it_was_opened_for)
{
	static const char a[] = "a", b[] = "b";
	struct server *s;
	const void *via;
	int fd[2];

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", a));
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", b));
	s = start(0);
	ck_assert_uint_eq(server_listeners(s), 2);
	for (size_t i = 0; i < 2; i++) {
		fd[i] = dial(server_listener(s, i, &via));
		expect_text(fd[i], via);
	}
	ck_assert_uint_eq(conns_count(server_conns(s)), 2);
	close(fd[0]);
	close(fd[1]);
	finish(s);
}
END_TEST

START_TEST(at_the_limit_clients_are_reset_and_later_ones_served)
{
	struct server *s;
	struct addr at;
	const void *via;
	int first;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	s = start(1);
	at = *server_listener(s, 0, &via);
	first = dial(&at);
	expect_text(first, "x");
	expect_reset(&at);
	close(first);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	first = dial(&at);
	expect_text(first, "x");
	close(first);
	finish(s);
}
END_TEST

START_TEST(whom_the_gate_refuses_is_reset_and_never_served)
{
	struct server *s;
	struct addr at;
	const void *via;
	int fd;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	gate_most = 1;
	s = start_gated(0, &gate);
	at = *server_listener(s, 0, &via);
	fd = dial(&at);
	expect_text(fd, "x");
	expect_reset(&at);
	ck_assert_uint_eq(conns_count(server_conns(s)), 1);
	close(fd);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	ck_assert_int_eq(gate_inside, 0);
	fd = dial(&at);
	expect_text(fd, "x");
	ck_assert_int_eq(gate_asked, 3);
	close(fd);
	finish(s);
	ck_assert_int_eq(gate_inside, 0);
}
END_TEST

START_TEST(a_client_that_the_limit_turns_away_leaves_the_gate)
{
	struct server *s;
	struct addr at;
	const void *via;
	int fd;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	gate_most = 100;
	s = start_gated(1, &gate);
	at = *server_listener(s, 0, &via);
	fd = dial(&at);
	expect_text(fd, "x");
	expect_reset(&at);
	ck_assert_int_eq(gate_inside, 1);
	close(fd);
	finish(s);
	ck_assert_int_eq(gate_inside, 0);
}
END_TEST

static enum gate_answer
pass(void *arg, const struct addr *peer, const char **why)
{
	(void)arg;
	(void)peer;
	(void)why;
	return GATE_PASSES;
}

START_TEST(a_conn_leaves_the_gate_as_the_client_it_was_counted_as)
{
	const struct gate open = { pass, leave, &gate_most };
	struct conns *conns = conns_new(0, &open);
	struct addr peer, client;
	const char *why;
	struct conn *conn;
	int ends[2];

	ck_assert(addr_from_text(&peer, "127.0.0.1", 1));
	ck_assert(addr_from_text(&client, "192.0.2.1", 2));
	tcp_pair(ends);
	conn = conns_add(conns, &ends[0], &peer, NULL, &why);
	ck_assert_ptr_nonnull(conn);
	ck_assert_int_eq(ends[0], -1);
	ck_assert(!conn->counted);
	conn_set_client(conn, &client, "its-id");
	ck_assert_str_eq(conn->id, "its-id");
	ck_assert(addr_equal(&conn->client, &client));
	ck_assert(addr_equal(&conn->peer, &peer));
	conn->counted = true;
	gate_inside = 1;
	conn_end(conn);
	ck_assert_int_eq(gate_inside, 0);
	ck_assert(addr_equal(&gate_left, &client));
	conns_free(conns);
	close(ends[1]);
}
END_TEST

START_TEST(an_id_that_is_too_long_is_cut_and_none_keeps_the_own)
{
	struct conns *conns = conns_new(0, NULL);
	char id[2 * CONN_ID], own[CONN_ID];
	struct addr peer;
	const char *why;
	struct conn *conn;
	int ends[2];

	ck_assert(addr_from_text(&peer, "127.0.0.1", 1));
	tcp_pair(ends);
	conn = conns_add(conns, &ends[0], &peer, NULL, &why);
	ck_assert_ptr_nonnull(conn);
	memcpy(own, conn->id, sizeof(own));
	conn_set_client(conn, &peer, NULL);
	ck_assert_str_eq(conn->id, own);
	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	conn_set_client(conn, &peer, id);
	ck_assert_uint_eq(strlen(conn->id), CONN_ID - 1);
	conn_end(conn);
	conns_free(conns);
	close(ends[1]);
}
END_TEST

START_TEST(quiesce_closes_the_port_and_keeps_the_connections)
{
	struct server *s;
	struct addr at, used;
	const void *via;
	int fd;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	s = start(0);
	at = *server_listener(s, 0, &via);
	fd = dial(&at);
	expect_text(fd, "x");
	server_quiesce(s);
	ck_assert_int_eq(net_dial(&at, 1, NULL, &patient, &used), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert_uint_eq(conns_count(server_conns(s)), 1);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 20), -1);
	ck_assert_uint_eq(conns_cut(server_conns(s), END_SHUTDOWN), 1);
	finish(s);
	close(fd);
}
END_TEST

START_TEST(a_port_in_use_names_its_place)
{
	struct server *s = server_new(serve, NULL, 0, NULL);
	const struct server_place *failed;
	int fd = tcp_listen(AF_INET);
	struct addr at;
	char text[ADDR_TEXT];

	ck_assert_int_eq(net_local(fd, &at), 0);
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	ck_assert_ptr_null(places_add(&places, addr_text(&at, text), "y"));
	ck_assert_int_eq(server_bind(s, places.list, places.n, &failed), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert(addr_equal(&failed->at.addr, &at));
	ck_assert_int_eq(server_free(s, 0), 0);
	places_free(&places);
	close(fd);
}
END_TEST

START_TEST(the_server_knows_its_own_sockets)
{
	struct server *s;
	struct addr at;
	const void *via;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	s = start(0);
	at = *server_listener(s, 0, &via);
	ck_assert(server_owns(s, &at));
	ck_assert(addr_from_text(&at, "127.0.0.2", addr_port(&at)));
	ck_assert(!server_owns(s, &at));
	finish(s);
}
END_TEST

START_TEST(a_socket_of_every_address_is_known_at_those_of_this_machine_only)
{
	struct server *s;
	struct addr at;
	uint16_t port;
	const void *via;

	ck_assert_ptr_null(places_add(&places, "0.0.0.0:0", "x"));
	s = start(0);
	port = addr_port(server_listener(s, 0, &via));
	ck_assert(addr_from_text(&at, "127.0.0.9", port));
	ck_assert(server_owns(s, &at));
	ck_assert(addr_from_text(&at, "192.0.2.1", port)); /* TEST-NET-1: nobody's */
	ck_assert(!server_owns(s, &at));
	finish(s);
}
END_TEST

START_TEST(a_place_is_listened_at_once_only)
{
	ck_assert_ptr_null(places_add(&places, "8887", NULL));
	ck_assert_uint_eq(places.n, 2);
	ck_assert_ptr_nonnull(places_add(&places, "127.0.0.1:8887", NULL));
	ck_assert_ptr_nonnull(places_add(&places, "*:8887", NULL));
	ck_assert_ptr_nonnull(places_add(&places, "[::1]:8887", NULL));
	ck_assert_ptr_nonnull(places_add(&places, "nonsense", NULL));
	ck_assert_uint_eq(places.n, 2);
	ck_assert_ptr_null(places_add(&places, "127.0.0.2:8887", NULL));
	ck_assert_uint_eq(places.n, 3);
	places_free(&places);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("server");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_place_hands_on_what_it_was_opened_for);
	tcase_add_test(tc, at_the_limit_clients_are_reset_and_later_ones_served);
	tcase_add_test(tc, whom_the_gate_refuses_is_reset_and_never_served);
	tcase_add_test(tc, a_client_that_the_limit_turns_away_leaves_the_gate);
	tcase_add_test(tc, a_conn_leaves_the_gate_as_the_client_it_was_counted_as);
	tcase_add_test(tc, an_id_that_is_too_long_is_cut_and_none_keeps_the_own);
	tcase_add_test(tc, quiesce_closes_the_port_and_keeps_the_connections);
	tcase_add_test(tc, a_port_in_use_names_its_place);
	tcase_add_test(tc, the_server_knows_its_own_sockets);
	tcase_add_test(
		tc, a_socket_of_every_address_is_known_at_those_of_this_machine_only);
	tcase_add_test(tc, a_place_is_listened_at_once_only);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
