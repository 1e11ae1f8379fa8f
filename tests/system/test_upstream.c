/* SPDX-License-Identifier: ISC */
/*
 * How pppd-socks speaks to an upstream: the header before the handshake, all messages at
 * once, connections made in advance; and what a client sees of a failure. The test is the
 * upstream: a listening socket of its own. It knows every byte that it is to get.
 */
#include "config.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define REQUEST "\5\1\0\3\13example.com\0\x50"
#define REPLY	"\5\0\0\1\x7f\0\0\1\x30\x39"
#define REFUSED "\5\5\0\1\0\0\0\0\0\0"

static struct daemon *d;
static int upstream, fd[2]; /* fd[TARGET] is our end as the upstream */

/* With more keys for the upstream, for the route, and at the top. */
static void
start(const char *of_upstream, const char *of_route, const char *more)
{
	uint16_t port;

	upstream = mustlisten("127.0.0.1", &port);
	d = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { name = \"u\"; address = \"127.0.0.1:%d\"; %s } );\n"
		"routes = ( { name = \"r\"; listen = \"127.0.0.1:0\";"
		" target = \"example.com:80\"; %s } );\n%s",
		port, of_upstream, of_route, more);
	daemon_await_ready(d);
}

static void
dial(void)
{
	fd[CLIENT] = mustdial(daemon_port(d, 0));
	fd[TARGET] = mustaccept(upstream);
}

/* All of it has come at once, and nothing else. */
static void
expect_segment(const void *data, size_t len)
{
	char got[1024];
	ssize_t n = recv(fd[TARGET], got, sizeof(got), 0);

	if (n != (ssize_t)len || memcmp(got, data, len) != 0)
		fail_test("got %zd bytes instead of a segment of %zu", n, len);
}

/* The standard handshake: nothing comes before we have answered what came before. */
static void
shake_hands(void)
{
	expect_bytes(fd[TARGET], BYTES(GREETING));
	expect_silence(fd[TARGET], 50);
	mustsend(fd[TARGET], BYTES(METHOD_NONE));
	expect_bytes(fd[TARGET], BYTES(REQUEST));
	mustsend(fd[TARGET], BYTES(REPLY));
}

static void
serve_tunnel(void)
{
	tunnel_check(fd);
	tunnel_close(fd);
}

/* What an upstream may do with a connection. */
enum act { END, RESET, HOLD };

static void
act(enum act how, int at)
{
	if (how == END)
		close(at);
	else if (how == RESET)
		reset(at);
}

/* ---- failures, as the client sees them ---- */

static const struct {
	const char *name, *key;
	size_t sent; /* by the client, before */
	void (*expect)(int fd);
} failures[] = {
	{ "default", "", 0, expect_reset },
	{ "default, data", "", 5, expect_reset },
	{ "reset", "on_failure = \"reset\";", 5, expect_reset },
	{ "close", "on_failure = \"close\";", 0, expect_eof },
	{ "close, data", "on_failure = \"close\";", 5, expect_eof },
	{ "close, much data", "on_failure = \"close\";", 100000, expect_eof },
};

START_TEST(client_whose_target_cannot_be_had_sees_what_its_route_says)
{
	static const char data[100000];

	harness_row = failures[_i].name;
	start("", failures[_i].key, "");
	dial();
	expect_bytes(fd[TARGET], BYTES(GREETING));
	mustsend(fd[CLIENT], data, failures[_i].sent);
	mustsend(fd[TARGET], BYTES(METHOD_NONE));
	expect_bytes(fd[TARGET], BYTES(REQUEST));
	mustsend(fd[TARGET], BYTES(REFUSED));
	failures[_i].expect(fd[CLIENT]);
	tunnel_close(fd);
	expect_log(d, " end=connect-failed rep=5 ");
	stop_daemon(d);
}
END_TEST

/* ---- the PROXY header ---- */

/* What stands before the greeting of a client with that port and id. Returns its size. */
static size_t
build_header(char buf[256], uint16_t from, const char *id)
{
	static const char head[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0";
	static const char farm[] = "\2\0\20farm.example.com";
	const uint16_t ports[2] = { htons(from), htons(daemon_port(d, 0)) };
	size_t n = sizeof(head) - 1;

	memcpy(buf, head, n);
	buf[n++] = (char)(12 + sizeof(farm) - 1 + 3 + strlen(id));
	memcpy(buf + n, "\x7f\0\0\1\x7f\0\0\1", 8);
	memcpy(buf + n + 8, ports, 4);
	memcpy(buf + n + 12, farm, sizeof(farm) - 1);
	n += 12 + sizeof(farm) - 1;
	memcpy(buf + n, "\5\0", 2);
	buf[n + 2] = (char)strlen(id);
	memcpy(buf + n + 3, id, strlen(id));
	return n + 3 + strlen(id);
}

START_TEST(header_names_the_client_its_id_and_the_upstream)
{
	char header[256], id[64];
	size_t n;

	start("proxy_protocol = true; connect_as = \"farm.example.com\";", "",
		"log: { level = \"debug\"; };");
	dial();
	expect_log(d, " client=127.0.0.1:%d route=r start\n", local_port(fd[CLIENT]));
	log_word(d, "tunnel id=", id, sizeof(id));
	n = build_header(header, local_port(fd[CLIENT]), id);
	expect_bytes(fd[TARGET], header, n);
	shake_hands();
	serve_tunnel();
	stop_daemon(d);
}
END_TEST

/* ---- all messages at once ---- */

#define CREDENTIALS "\1\3ann\6sesame"

static char secret_path[] = "/tmp/test_upstream.XXXXXX";

static const struct {
	const char *name;
	bool password;
	const char *sent;
	size_t sent_len;
	const char *answer;
	size_t answer_len;
} pipelines[] = {
	{ "no password", false, BYTES(GREETING REQUEST), BYTES(METHOD_NONE) },
	{ "password", true, BYTES("\5\1\2" CREDENTIALS REQUEST), BYTES("\5\2\1\0") },
};

START_TEST(pipelined_handshake_is_one_segment)
{
	char keys[256];
	int n;

	harness_row = pipelines[_i].name;
	n = snprintf(keys, sizeof(keys), "handshake = \"pipelined\"; ");
	if (pipelines[_i].password)
		snprintf(keys + n, sizeof(keys) - (size_t)n,
			"username = \"ann\"; password_file = \"%s\";", secret_path);
	start(keys, "", "");
	/* A failure is an answer as good as any: nothing is asked again. */
	dial();
	expect_segment(pipelines[_i].sent, pipelines[_i].sent_len);
	mustsend(fd[TARGET], pipelines[_i].answer, pipelines[_i].answer_len);
	mustsend(fd[TARGET], BYTES(REFUSED));
	expect_reset(fd[CLIENT]);
	expect_silence(upstream, 50);
	tunnel_close(fd);
	for (int i = 0; i < 2; i++) {
		dial();
		expect_segment(pipelines[_i].sent, pipelines[_i].sent_len);
		mustsend(fd[TARGET], pipelines[_i].answer, pipelines[_i].answer_len);
		mustsend(fd[TARGET], BYTES(REPLY));
		serve_tunnel();
	}
	stop_daemon(d);
}
END_TEST

START_TEST(payload_behind_the_answers_to_a_pipelined_handshake_is_not_lost)
{
	start("handshake = \"pipelined\";", "", "");
	dial();
	expect_segment(BYTES(GREETING REQUEST));
	mustsend(fd[TARGET], BYTES(METHOD_NONE REPLY "payload"));
	expect_bytes(fd[CLIENT], BYTES("payload"));
	serve_tunnel();
	stop_daemon(d);
}
END_TEST

/* What a server does that has read the greeting, and what came with it, by one call. */
static const struct {
	const char *name;
	enum act act;
} throwers[] = {
	{ "waits", HOLD },
	{ "hangs up", END },
	{ "resets", RESET },
};

START_TEST(server_that_throws_the_request_away_serves_all_clients_the_same)
{
	static const char notice[] = "u: does not take a pipelined handshake";
	int first;

	harness_row = throwers[_i].name;
	start("handshake = \"pipelined\";", "", "");
	dial();
	first = fd[TARGET];
	expect_segment(BYTES(GREETING REQUEST));
	mustsend(first, BYTES(METHOD_NONE));
	act(throwers[_i].act, first);
	fd[TARGET] = mustaccept(upstream);
	shake_hands();
	serve_tunnel();
	if (throwers[_i].act == HOLD) {
		expect_end(first);
		close(first);
	}
	expect_log(d, "%s", notice);
	for (int i = 0; i < 2; i++) {
		dial();
		shake_hands();
		serve_tunnel();
	}
	ck_assert_int_eq(log_count(d, notice), 1);
	ck_assert_int_eq(log_count(d, "health "), 0);
	stop_daemon(d);
}
END_TEST

/* ---- spare connections ---- */

#define SPARES 3
#define MADE   64

/*
 * All connections that pppd-socks has made, greeted: it may ask for a target on any. -1:
 * it is over, or has become a tunnel.
 */
static struct {
	int fd[MADE], n;
} made;
static int clients; /* that there have been */

static void
greet_next(void)
{
	int next = mustaccept(upstream);

	ck_assert(made.n < MADE);
	expect_bytes(next, BYTES(GREETING));
	mustsend(next, BYTES(METHOD_NONE));
	made.fd[made.n++] = next;
}

static void
greet_all(int n)
{
	while (made.n < n)
		greet_next();
}

/* Whether a request has come there. If it is the end, the connection is over. */
static bool
is_request(int i)
{
	char byte;

	if (recv(made.fd[i], &byte, 1, MSG_PEEK) == 1) {
		expect_bytes(made.fd[i], BYTES(REQUEST));
		return true;
	}
	close(made.fd[i]);
	made.fd[i] = -1;
	return false;
}

/* Waits for the request of the one client that has none yet. Returns where it is. */
static int
await_request(void)
{
	for (;;) {
		struct pollfd p[MADE + 1];
		int n = made.n;

		for (int i = 0; i < n; i++)
			p[i] = (struct pollfd){ made.fd[i], POLLIN, 0 };
		p[n] = (struct pollfd){ upstream, POLLIN, 0 };
		if (poll(p, (nfds_t)n + 1, WAIT_MS) < 1)
			fail_test("no request comes");
		for (int i = 0; i < n; i++)
			if (p[i].revents != 0 && is_request(i))
				return i;
		if (p[n].revents != 0)
			greet_next();
	}
}

/* We are the ones that end it. */
static void
drop(int i, enum act how)
{
	act(how, made.fd[i]);
	made.fd[i] = -1;
}

/* A client, and where its request is. */
static int
dial_any(void)
{
	fd[CLIENT] = mustdial(daemon_port(d, 0));
	clients++;
	return await_request();
}

/* The connection becomes the client's tunnel. */
static void
answer(int i)
{
	fd[TARGET] = made.fd[i];
	made.fd[i] = -1;
	mustsend(fd[TARGET], BYTES(REPLY));
	tunnel_check(fd);
}

/*
 * A client that has got a connection that was there before. It takes some, as nothing
 * tells when pppd-socks has heard what we said on them.
 */
static int
dial_spare(void)
{
	int64_t until = now_ms() + WAIT_MS;

	for (;;) {
		int before = made.n, at = dial_any();

		if (at < before)
			return at;
		if (now_ms() > until)
			fail_test("no client gets a spare connection");
		answer(at);
		tunnel_close(fd);
	}
}

static void
begin_spares(void)
{
	start("spare = 3;", "", "hold_off: { first = 0.1; };");
	greet_all(SPARES);
}

START_TEST(no_more_spares_are_made_than_are_wanted)
{
	int many[5][2];

	begin_spares();
	expect_silence(upstream, 100);
	for (size_t i = 0; i < COUNT(many); i++) {
		answer(i == 0 ? dial_spare() : dial_any());
		many[i][CLIENT] = fd[CLIENT];
		many[i][TARGET] = fd[TARGET];
	}
	/* Whether a client has taken a spare or not, it is one connection more. */
	greet_all(SPARES + clients);
	expect_silence(upstream, 100);
	for (size_t i = 0; i < COUNT(many); i++) {
		tunnel_check(many[i]);
		tunnel_close(many[i]);
	}
	expect_silence(upstream, 100);
	stop_daemon(d);
}
END_TEST

START_TEST(client_does_not_see_that_the_spares_had_ended)
{
	begin_spares();
	for (int i = 0; i < SPARES; i++)
		drop(i, (enum act)_i);
	answer(dial_any());
	tunnel_close(fd);
	stop_daemon(d);
}
END_TEST

START_TEST(client_does_not_see_that_its_spare_ended_at_its_request)
{
	int fresh;

	begin_spares();
	drop(dial_spare(), (enum act)_i);
	fresh = await_request();
	ck_assert_int_ge(fresh, SPARES);
	answer(fresh);
	tunnel_close(fd);
	expect_log(d, " end=");
	ck_assert_int_eq(log_count(d, "health "), 0);
	ck_assert_int_eq(log_count(d, " end=connect-failed"), 0);
	stop_daemon(d);
}
END_TEST

/* It is not tried for ever. */
START_TEST(client_whose_fresh_connection_ends_too_is_reset)
{
	begin_spares();
	drop(dial_spare(), END);
	drop(await_request(), END);
	expect_reset(fd[CLIENT]);
	expect_log(d, " end=connect-failed ");
	expect_log_line(d, "health .* state=sick .*closed the connection");
	stop_daemon(d);
}
END_TEST

START_TEST(spares_are_given_back_when_draining_begins_and_no_new_ones_are_made)
{
	begin_spares();
	answer(dial_spare());
	greet_all(SPARES + clients);
	kill(daemon_pid(d), SIGTERM);
	expect_log(d, "draining 1 tunnels");
	for (int i = 0; i < made.n; i++)
		if (made.fd[i] != -1)
			expect_end(made.fd[i]);
	expect_silence(upstream, 100);
	tunnel_check(fd);
	tunnel_close(fd);
	expect_exit(d, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("upstream");
	int secret = mkstemp(secret_path), status;

	if (secret == -1 || dprintf(secret, "sesame\n") < 0)
		abort();
	close(secret);
	tcase_add_loop_test(tc,
		client_whose_target_cannot_be_had_sees_what_its_route_says, 0,
		COUNT(failures));
	tcase_add_test(tc, header_names_the_client_its_id_and_the_upstream);
	tcase_add_loop_test(tc, pipelined_handshake_is_one_segment, 0, COUNT(pipelines));
	tcase_add_test(
		tc, payload_behind_the_answers_to_a_pipelined_handshake_is_not_lost);
	tcase_add_loop_test(tc,
		server_that_throws_the_request_away_serves_all_clients_the_same, 0,
		COUNT(throwers));
	tcase_add_test(tc, no_more_spares_are_made_than_are_wanted);
	tcase_add_loop_test(tc, client_does_not_see_that_the_spares_had_ended, END, HOLD);
	tcase_add_loop_test(
		tc, client_does_not_see_that_its_spare_ended_at_its_request, END, HOLD);
	tcase_add_test(tc, client_whose_fresh_connection_ends_too_is_reset);
	tcase_add_test(
		tc, spares_are_given_back_when_draining_begins_and_no_new_ones_are_made);
	status = harness_run("upstream", tc);
	unlink(secret_path);
	return status;
}
