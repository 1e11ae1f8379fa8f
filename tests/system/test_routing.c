/* SPDX-License-Identifier: ISC */
/*
 * Which target and which upstream a client gets, and who may be one: pppd-socks with the
 * keys of its routes, two dcsd, and three targets that are listening sockets of the test.
 * Each dcsd connects from an address of its own, so that a target sees which one it was.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define TARGETS	   3
#define UPSTREAMS  2
#define SOURCES	   39	/* clients with an address each, from 127.0.0.2 */
#define MANY	   3000 /* clients whose targets are counted */
#define AT_A_TIME  8
#define FROM_FIRST 100 /* 127.0.0.x is where the first dcsd connects from */

static struct daemon *dcsd[UPSTREAMS], *ppp;
static int target[TARGETS]; /* listening; -1: nobody is there */
static uint16_t port[TARGETS];

/* ---- what all tests begin with ---- */

/* A socket that does not listen yet, or -1. Port 0: the system picks one. */
static int
bind_at(const char *ip, uint16_t at)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(at) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, ip, &in.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
start_target(int i, int fd)
{
	ck_assert(fd != -1 && listen(fd, 512) == 0);
	target[i] = fd;
	port[i] = local_port(fd);
}

static void
start_targets(void)
{
	for (int i = 0; i < TARGETS; i++)
		start_target(i, bind_at("127.0.0.1", 0));
}

/* A dcsd, with more keys. */
static void
start_upstream(int i, const char *more)
{
	dcsd[i] = start_dcsd(
		"outgoing: { bind = \"127.0.0.%d\"; };\n%s", FROM_FIRST + i, more);
}

/* With more keys for each upstream, and the rest of the configuration. */
static void
start_ppp(const char *of_u0, const char *of_u1, const char *rest)
{
	ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { name = \"u0\"; address = \"127.0.0.1:%d\"; %s },\n"
		" { name = \"u1\"; address = \"127.0.0.1:%d\"; %s } );\n"
		"timeouts: { drain = 0; };\n%s",
		daemon_port(dcsd[0], 0), of_u0, daemon_port(dcsd[1], 0), of_u1, rest);
	daemon_await_ready(ppp);
}

static void
start_upstreams(void)
{
	for (int i = 0; i < UPSTREAMS; i++)
		start_upstream(i, "");
}

/* Targets by a digit each, and their weights: "02", "13". Good until the next call. */
static const char *
targets(const char *which, const char *weights)
{
	static char text[512];
	size_t n = (size_t)snprintf(text, sizeof(text), "targets = (");

	for (size_t i = 0; which[i] != '\0'; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"%s { address = \"127.0.0.1:%d\"; weight = %c; }",
			i == 0 ? "" : ",", port[which[i] - '0'], weights[i]);
	snprintf(text + n, sizeof(text) - n, " );");
	return text;
}

/* A route, "r", with these keys. Good until the next call. */
static const char *
route(const char *keys, const char *of_targets)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		"routes = ( { name = \"r\"; listen = \"127.0.0.1:0\"; %s %s } );\n", keys,
		of_targets);
	return text;
}

/* Two, "r" and "s", with keys of their own, to all targets. As good as that. */
static const char *
two_routes(const char *keys, const char *keys_of_second)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		"routes = ( { name = \"r\"; listen = \"127.0.0.1:0\"; %s %s },\n"
		" { name = \"s\"; listen = \"127.0.0.1:0\"; %s %s } );\n",
		keys, targets("012", "111"), keys_of_second, targets("012", "111"));
	return text;
}

static void
finish(void)
{
	stop_daemon(ppp);
	for (int i = 0; i < UPSTREAMS; i++)
		stop_daemon(dcsd[i]);
}

/* ---- tunnels, and where they lead ---- */

struct tunnel {
	int fd[2];
	int target, upstream; /* their numbers */
};

/* The target that a connection comes to. */
static int
await_target(void)
{
	struct pollfd p[TARGETS];

	for (int i = 0; i < TARGETS; i++)
		p[i] = (struct pollfd){ .fd = target[i], .events = POLLIN };
	if (poll(p, TARGETS, WAIT_MS) < 1)
		fail_test("no target is connected to");
	for (int i = 0; i < TARGETS; i++)
		if (p[i].revents != 0)
			return i;
	return -1;
}

/* Which dcsd a connection comes from. */
static int
upstream_of(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	ck_assert(getpeername(fd, (struct sockaddr *)&in, &len) == 0);
	return (int)(ntohl(in.sin_addr.s_addr) & 0xff) - FROM_FIRST;
}

/* What comes of a client at a target. */
static struct tunnel
arrive(int client)
{
	struct tunnel t = { .fd = { [CLIENT] = client } };

	t.target = await_target();
	t.fd[TARGET] = mustaccept(target[t.target]);
	t.upstream = upstream_of(t.fd[TARGET]);
	return t;
}

static struct tunnel
open_tunnel(int nth)
{
	return arrive(mustdial(daemon_port(ppp, nth)));
}

static struct tunnel
open_from(const char *from)
{
	return arrive(mustdial_from(from, "127.0.0.1", daemon_port(ppp, 0)));
}

/* A client that is turned away. Returns its port. */
static uint16_t
expect_client_reset(int client)
{
	uint16_t at = local_port(client);

	expect_reset(client);
	close(client);
	return at;
}

static void
open_tunnels(struct tunnel *t, int n)
{
	for (int i = 0; i < n; i++)
		t[i] = open_tunnel(0);
}

static int
count_target(const struct tunnel *t, int n, int number)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += t[i].target == number;
	return sum;
}

static void
await_ends(int n)
{
	int64_t until = now_ms() + WAIT_MS;

	for (; log_count(ppp, " end=") < n; poll(NULL, 0, 10))
		if (now_ms() > until)
			fail_test("%d tunnels have not ended", n);
}

/* ---- balance ---- */

static struct {
	atomic_int by_target[TARGETS], by_upstream[UPSTREAMS];
	atomic_int failed;
} tally;

/* A target: counts, says a byte and hangs up. */
static void *
count_clients(void *arg)
{
	const int *listener = arg;
	int fd;

	while ((fd = accept(*listener, NULL, NULL)) != -1) {
		atomic_fetch_add(&tally.by_upstream[upstream_of(fd)], 1);
		atomic_fetch_add(&tally.by_target[listener - target], 1);
		try_send(fd, BYTES("x"));
		close(fd);
	}
	return NULL;
}

static void *
run_clients(void *arg)
{
	for (int i = 0; i < MANY / AT_A_TIME; i++) {
		int fd = mustdial(daemon_port(ppp, 0));
		char got[2];

		if (recv(fd, got, sizeof(got), MSG_WAITALL) != 1)
			atomic_fetch_add(&tally.failed, 1);
		close(fd);
	}
	return arg;
}

static void
run_many(void)
{
	pthread_t thread[AT_A_TIME], counter;

	for (int i = 0; i < TARGETS; i++) {
		ck_assert(pthread_create(&counter, NULL, count_clients, &target[i]) == 0);
		pthread_detach(counter);
	}
	for (int i = 0; i < AT_A_TIME; i++)
		ck_assert(pthread_create(&thread[i], NULL, run_clients, NULL) == 0);
	for (int i = 0; i < AT_A_TIME; i++)
		pthread_join(thread[i], NULL);
}

/* Within 5 % of its share. */
static void
expect_share(int n, int weight, int weights)
{
	int share = MANY * weight / weights;

	if (abs(n - share) * 20 > share)
		fail_test("%d clients for weight %d of %d, not %d", n, weight, weights,
			share);
}

START_TEST(three_thousand_clients_are_shared_out_by_the_weights)
{
	start_targets();
	start_upstreams();
	start_ppp("weight = 1;", "weight = 3;", route("", targets("012", "123")));
	run_many();
	ck_assert_int_eq(atomic_load(&tally.failed), 0);
	for (int i = 0; i < TARGETS; i++)
		expect_share(atomic_load(&tally.by_target[i]), i + 1, 6);
	expect_share(atomic_load(&tally.by_upstream[0]), 1, 4);
	expect_share(atomic_load(&tally.by_upstream[1]), 3, 4);
	finish();
}
END_TEST

START_TEST(target_whose_tunnels_last_gets_fewer_new_ones)
{
	struct tunnel t[8], more[6];

	start_targets();
	start_upstreams();
	start_ppp("", "", route("balance = \"least\";", targets("012", "112")));
	open_tunnels(t, COUNT(t));
	ck_assert_int_eq(count_target(t, COUNT(t), 0), 2);
	ck_assert_int_eq(count_target(t, COUNT(t), 1), 2);
	ck_assert_int_eq(count_target(t, COUNT(t), 2), 4);
	/* Those of the first one stay. */
	for (size_t i = 0; i < COUNT(t); i++)
		if (t[i].target != 0)
			tunnel_close(t[i].fd);
	await_ends(6);
	open_tunnels(more, COUNT(more));
	ck_assert_int_eq(count_target(more, COUNT(more), 0), 0);
	ck_assert_int_eq(count_target(more, COUNT(more), 1), 2);
	ck_assert_int_eq(count_target(more, COUNT(more), 2), 4);
	/* All are even again. */
	open_tunnels(more, 4);
	ck_assert_int_eq(count_target(more, 4, 0), 1);
	finish();
}
END_TEST

START_TEST(upstream_that_another_route_keeps_busy_gets_fewer_tunnels)
{
	start_targets();
	start_upstreams();
	start_ppp("", "",
		two_routes("upstreams = \"u0\";", "upstream_balance = \"least\";"));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(open_tunnel(0).upstream, 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(open_tunnel(1).upstream, 1);
	finish();
}
END_TEST

/* The target of each source. */
static void
map_sources(int map[SOURCES])
{
	for (int i = 0; i < SOURCES; i++) {
		struct tunnel t;
		char from[32];

		snprintf(from, sizeof(from), "127.0.0.%d", 2 + i);
		t = open_from(from);
		map[i] = t.target;
		tunnel_close(t.fd);
	}
}

static void
start_by_source(const char *which)
{
	start_ppp("", "", route("balance = \"source\";", targets(which, "111")));
}

START_TEST(source_keeps_its_target_over_a_restart_and_when_another_one_goes)
{
	int first[SOURCES], again[SOURCES], gone;
	char left[TARGETS] = "";

	start_targets();
	start_upstreams();
	start_by_source("012");
	map_sources(first);
	map_sources(again);
	ck_assert_mem_eq(first, again, sizeof(first));
	stop_daemon(ppp);
	start_by_source("012");
	map_sources(again);
	ck_assert_mem_eq(first, again, sizeof(first));
	stop_daemon(ppp);
	/* Without the target of the first source, and the others in another order. */
	gone = first[0];
	left[0] = (char)('0' + (gone + 2) % TARGETS);
	left[1] = (char)('0' + (gone + 1) % TARGETS);
	start_by_source(left);
	map_sources(again);
	for (int i = 0; i < SOURCES; i++)
		ck_assert((again[i] == first[i]) == (first[i] != gone));
	finish();
}
END_TEST

/* The target refuses from now on. Returns what holds its port. */
static int
leave(int i)
{
	close(target[i]);
	target[i] = -1;
	return bind_at("127.0.0.1", port[i]);
}

static void
expect_all_at(int number, int clients)
{
	for (int i = 0; i < clients; i++) {
		struct tunnel t = open_tunnel(0);

		if (t.target != number)
			fail_test("target %d instead of %d", t.target, number);
		tunnel_close(t.fd);
	}
}

START_TEST(backups_get_clients_only_while_the_first_is_dead)
{
	int64_t until = now_ms() + WAIT_MS;
	struct tunnel t;
	int held;

	start_targets();
	start_upstreams();
	start_ppp("", "",
		route("balance = \"first\"; upstream_balance = \"first\";",
			targets("012", "999")));
	expect_all_at(0, 6);
	ck_assert_int_eq(log_count(dcsd[1], "tunnel "), 0);
	held = leave(0);
	expect_all_at(1, 6);
	(void)leave(1);
	expect_all_at(2, 6);
	start_target(0, held);
	do {
		poll(NULL, 0, 10); /* nothing tells that its hold-off is over */
		t = open_tunnel(0);
		tunnel_close(t.fd);
		if (now_ms() > until)
			fail_test("the first one is not used again");
	} while (t.target != 0);
	/* The target knows it before pppd-socks does. */
	expect_log_line(
		ppp, "health route=r target=[^ ]+:%d upstream=u[01] state=well", port[0]);
	expect_all_at(0, 6);
	finish();
}
END_TEST

START_TEST(route_uses_its_own_upstreams_only)
{
	start_targets();
	start_upstreams();
	start_ppp("", "", two_routes("upstreams = [ \"u1\" ];", ""));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(open_tunnel(0).upstream, 1);
	/* And all of them, if it names none. */
	ck_assert_int_ne(open_tunnel(1).upstream, open_tunnel(1).upstream);
	finish();
}
END_TEST

/* ---- ranges of ports ---- */

/* Sockets at so many ports in a row. Returns the first port. */
static uint16_t
bind_row(const char *ip, int fd[], int n)
{
	for (int tries = 0; tries < 1000; tries++) {
		int first = 0, held = 0;

		while (held < n && first + held <= UINT16_MAX) {
			fd[held] = bind_at(ip, (uint16_t)(first + held));
			if (fd[held] == -1)
				break;
			if (held++ == 0)
				first = local_port(fd[0]);
		}
		if (held == n)
			return (uint16_t)first;
		while (held > 0)
			close(fd[--held]);
	}
	fail_test("no %d ports in a row", n);
}

START_TEST(range_of_ports_leads_to_a_range_one_to_one_or_to_one_port)
{
	char ip[32], text[512];
	int fd[2 * TARGETS];
	uint16_t first;

	/* An address that nobody else is likely to use: its ports are and stay free. */
	snprintf(ip, sizeof(ip), "127.%d.%d.1", 1 + (getpid() >> 8) % 200,
		getpid() & 0xff);
	(void)bind_row(ip, fd, TARGETS);
	for (int i = 0; i < TARGETS; i++)
		start_target(i, fd[i]);
	start_upstreams();
	first = bind_row(ip, fd, COUNT(fd));
	for (size_t i = 0; i < COUNT(fd); i++)
		close(fd[i]);
	snprintf(text, sizeof(text),
		"routes = ( { listen = \"%s:%d-%d\"; target = \"%s:%d-%d\"; },\n"
		" { name = \"one\"; listen = \"%s:%d-%d\"; target = \"%s:%d\"; } );\n",
		ip, first, first + TARGETS - 1, ip, port[0], port[TARGETS - 1], ip,
		first + TARGETS, first + 2 * TARGETS - 1, ip, port[1]);
	start_ppp("", "", text);
	for (int i = 0; i < 2 * TARGETS; i++) {
		int number = i < TARGETS ? i : 1;
		struct tunnel t = arrive(mustdial_ip(ip, (uint16_t)(first + i)));
		char name[16] = "one";

		ck_assert_int_eq(t.target, number);
		if (i < TARGETS)
			snprintf(name, sizeof(name), "%d", first + i);
		daemon_mark(ppp);
		tunnel_close(t.fd);
		expect_log_line(ppp, " route=%s target=%s:%d upstream=u[01] ", name, ip,
			port[number]);
	}
	finish();
}
END_TEST

/* ---- who may use a route, and for how long ---- */

START_TEST(client_that_a_route_does_not_admit_is_reset)
{
	struct tunnel t;
	uint16_t from;

	start_targets();
	start_upstreams();
	start_ppp("", "", two_routes("clients = [ \"127.0.0.2\", \"10.0.0.0/8\" ];", ""));
	t = open_from("127.0.0.2");
	from = expect_client_reset(
		mustdial_from("127.0.0.3", "127.0.0.1", daemon_port(ppp, 0)));
	expect_log_line(ppp,
		" client=127\\.0\\.0\\.3:%d route=r target=- upstream=- .* end=denied$",
		from);
	tunnel_check(t.fd);
	tunnel_check(
		arrive(mustdial_from("127.0.0.3", "127.0.0.1", daemon_port(ppp, 1))).fd);
	finish();
}
END_TEST

START_TEST(client_beyond_the_limit_of_a_route_is_reset_until_one_has_left)
{
	struct tunnel t[2];

	start_targets();
	start_upstreams();
	start_ppp("", "", two_routes("limit = 2;", ""));
	open_tunnels(t, 2);
	for (int i = 0; i < 3; i++)
		(void)expect_client_reset(mustdial(daemon_port(ppp, 0)));
	expect_log_line(ppp, " route=r target=- upstream=- .* end=limit$");
	for (int i = 0; i < 2; i++)
		tunnel_check(t[i].fd);
	tunnel_check(open_tunnel(1).fd);
	await_ends(3);
	daemon_mark(ppp);
	tunnel_close(t[0].fd);
	await_ends(1);
	t[0] = open_tunnel(0);
	for (int i = 0; i < 2; i++)
		tunnel_check(t[i].fd);
	(void)expect_client_reset(mustdial(daemon_port(ppp, 0)));
	finish();
}
END_TEST

START_TEST(idle_time_of_a_route_is_its_own)
{
	struct tunnel t[2];

	start_targets();
	start_upstreams();
	start_ppp("", "", two_routes("idle = 0.3;", ""));
	for (int i = 0; i < 2; i++) {
		t[i] = open_tunnel(i);
		tunnel_check(t[i].fd);
	}
	expect_reset(t[0].fd[CLIENT]);
	expect_reset(t[0].fd[TARGET]);
	expect_log_line(ppp, " route=r .* end=idle$");
	tunnel_check(t[1].fd);
	finish();
}
END_TEST

/* ---- passwords ---- */

/* SHA-512 with few rounds, of PASSWORD. */
#define HASH                                                                             \
	"$6$rounds=1000$saltsaltsalt$"                                                   \
	"Np..HltI19w3y4MiKjEr7ThGWhG9McoUaNpfknJO/E5/"                                   \
	"wgVNHUbAUaHlAFh4Q4aetfsv1Nn2s4muHXgTMefXp/"
#define PASSWORD "sesame"
#define WRONG	 "wrong-" PASSWORD /* so that a search for the one finds the other */

static char users_path[] = "/tmp/test_routing.XXXXXX";
static char right_path[] = "/tmp/test_routing.XXXXXX";
static char wrong_path[] = "/tmp/test_routing.XXXXXX";

static void
make_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	if (fd == -1 || dprintf(fd, "%s\n", text) < 0)
		abort();
	close(fd);
}

/* What a client of that upstream has in its configuration. */
static const char *
credentials(char buf[512], const char *keys, const char *path)
{
	snprintf(buf, 512, "%s username = \"ann\"; password_file = \"%s\";", keys, path);
	return buf;
}

static const char *const ways_to_ask[] = { "", "handshake = \"pipelined\";",
	"spare = 2;" };

START_TEST(upstream_that_refuses_the_password_is_sick_and_the_next_one_serves)
{
	static const char refused[] = "error=\"refused the name or password\"";
	char auth[256], of_u0[512], of_u1[512], rest[2200];

	harness_row = ways_to_ask[_i];
	snprintf(auth, sizeof(auth),
		"auth: { methods = [ \"password\" ]; users = \"%s\";"
		" penalties: { after = 0; }; };\nlog: { level = \"debug\"; };\n",
		users_path);
	start_targets();
	for (int i = 0; i < UPSTREAMS; i++)
		start_upstream(i, auth);
	snprintf(rest, sizeof(rest), "%slog: { level = \"debug\"; };\n",
		two_routes("", "upstreams = \"u0\";"));
	start_ppp(credentials(of_u0, ways_to_ask[_i], wrong_path),
		credentials(of_u1, ways_to_ask[_i], right_path), rest);
	for (int i = 0; i < 4; i++) {
		struct tunnel t = open_tunnel(0);

		ck_assert_int_eq(t.upstream, 1);
		tunnel_check(t.fd);
		tunnel_close(t.fd);
	}
	expect_log_line(
		ppp, "health upstream=u0 state=sick hold_off=[0-9.]+ %s$", refused);
	expect_log(dcsd[0], " user=ann reason=\"wrong password\"");
	expect_log(dcsd[1], " user=ann rule=");
	(void)expect_client_reset(mustdial(daemon_port(ppp, 1)));
	expect_log_line(
		ppp, " route=s .* upstream=u0 .* end=connect-failed rep=- %s$", refused);
	for (int i = 0; i < UPSTREAMS; i++)
		ck_assert_int_eq(log_count(dcsd[i], PASSWORD), 0);
	ck_assert_int_eq(log_count(ppp, PASSWORD), 0);
	finish();
}
END_TEST

/* ---- identity ---- */

START_TEST(dcsd_sees_the_client_that_the_upstreams_header_names)
{
	static const char keys[] = "proxy_protocol = true;";
	char client[64], id[64];
	struct tunnel t;

	start_targets();
	for (int i = 0; i < UPSTREAMS; i++)
		start_upstream(i,
			"proxy_protocol = [ \"127.0.0.0/8\" ];\n"
			"rules = ( { name = \"two\"; action = \"allow\";"
			" clients = \"127.0.0.2\"; } );\n");
	start_ppp(keys, keys, route("", targets("012", "111")));
	t = open_from("127.0.0.2");
	tunnel_check(t.fd);
	snprintf(
		client, sizeof(client), "client=127.0.0.2:%d ", local_port(t.fd[CLIENT]));
	tunnel_close(t.fd);
	expect_log(ppp, "%s", client);
	log_word(ppp, "tunnel id=", id, sizeof(id));
	expect_log_line(dcsd[t.upstream], "tunnel id=%s %suser=- rule=two ", id, client);
	/* One that its rules know nothing of. */
	(void)expect_client_reset(
		mustdial_from("127.0.0.3", "127.0.0.1", daemon_port(ppp, 0)));
	expect_log_line(
		ppp, " client=127\\.0\\.0\\.3:[0-9]+ .* end=connect-failed rep=2 ");
	expect_log_line(dcsd[0], " client=127\\.0\\.0\\.3:[0-9]+ .* end=denied rep=2");
	ck_assert_int_eq(log_count(ppp, "health "), 0);
	finish();
}
END_TEST

/* The header that the target is to get. Returns its size. */
static size_t
build_header(char buf[128], int version, uint16_t from, uint16_t to)
{
	static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\2\x7f\0\0\1";
	const uint16_t ports[2] = { htons(from), htons(to) };

	if (version == 1)
		return (size_t)snprintf(
			buf, 128, "PROXY TCP4 127.0.0.2 127.0.0.1 %d %d\r\n", from, to);
	memcpy(buf, v2, sizeof(v2) - 1);
	memcpy(buf + sizeof(v2) - 1, ports, sizeof(ports));
	return sizeof(v2) - 1 + sizeof(ports);
}

START_TEST(target_gets_the_header_and_then_the_clients_bytes)
{
	char header[128], key[64];
	struct tunnel t;
	size_t n;

	start_targets();
	start_upstreams();
	snprintf(key, sizeof(key), "proxy_protocol = %d;", _i);
	start_ppp("", "", route(key, targets("012", "111")));
	t.fd[CLIENT] = mustdial_from("127.0.0.2", "127.0.0.1", daemon_port(ppp, 0));
	mustsend(t.fd[CLIENT], BYTES("early"));
	t = arrive(t.fd[CLIENT]);
	n = build_header(header, _i, local_port(t.fd[CLIENT]), daemon_port(ppp, 0));
	expect_bytes(t.fd[TARGET], header, n);
	expect_bytes(t.fd[TARGET], BYTES("early"));
	tunnel_check(t.fd);
	tunnel_close(t.fd);
	/* It is not the client's, and not counted. */
	expect_log(ppp, " up=13 down=6 ");
	finish();
}
END_TEST

/* ---- policy ---- */

START_TEST(upstream_that_may_not_is_passed_by_and_not_sick)
{
	start_targets();
	start_upstream(0, "rules = ( );\n");
	start_upstream(1, "");
	start_ppp("", "", route("", targets("012", "111")));
	for (int i = 0; i < 6; i++) {
		struct tunnel t = open_tunnel(0);

		ck_assert_int_eq(t.upstream, 1);
		tunnel_check(t.fd);
		tunnel_close(t.fd);
	}
	expect_log(dcsd[0], " end=denied ");
	ck_assert_int_eq(log_count(ppp, "health "), 0);
	finish();
}
END_TEST

START_TEST(target_that_the_upstreams_may_not_reach_is_passed_by_and_not_sick)
{
	char rules[256];

	start_targets();
	snprintf(rules, sizeof(rules),
		"rules = ( { action = \"deny\"; ports = %d; }, { action = \"allow\"; } "
		");\n",
		port[0]);
	for (int i = 0; i < UPSTREAMS; i++)
		start_upstream(i, rules);
	start_ppp("", "", route("", targets("012", "111")));
	for (int i = 0; i < 6; i++) {
		struct tunnel t = open_tunnel(0);

		ck_assert_int_ne(t.target, 0);
		tunnel_check(t.fd);
		tunnel_close(t.fd);
	}
	expect_log(dcsd[0], " end=denied ");
	ck_assert_int_eq(log_count(ppp, "health "), 0);
	finish();
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("routing");
	int status;

	make_file(users_path, "ann:" HASH);
	make_file(right_path, PASSWORD);
	make_file(wrong_path, WRONG);
	tcase_add_test(tc, three_thousand_clients_are_shared_out_by_the_weights);
	tcase_add_test(tc, target_whose_tunnels_last_gets_fewer_new_ones);
	tcase_add_test(tc, upstream_that_another_route_keeps_busy_gets_fewer_tunnels);
	tcase_add_test(
		tc, source_keeps_its_target_over_a_restart_and_when_another_one_goes);
	tcase_add_test(tc, backups_get_clients_only_while_the_first_is_dead);
	tcase_add_test(tc, route_uses_its_own_upstreams_only);
	tcase_add_test(tc, range_of_ports_leads_to_a_range_one_to_one_or_to_one_port);
	tcase_add_test(tc, client_that_a_route_does_not_admit_is_reset);
	tcase_add_test(
		tc, client_beyond_the_limit_of_a_route_is_reset_until_one_has_left);
	tcase_add_test(tc, idle_time_of_a_route_is_its_own);
	tcase_add_loop_test(tc,
		upstream_that_refuses_the_password_is_sick_and_the_next_one_serves, 0,
		COUNT(ways_to_ask));
	tcase_add_test(tc, dcsd_sees_the_client_that_the_upstreams_header_names);
	tcase_add_loop_test(tc, target_gets_the_header_and_then_the_clients_bytes, 1, 3);
	tcase_add_test(tc, upstream_that_may_not_is_passed_by_and_not_sick);
	tcase_add_test(
		tc, target_that_the_upstreams_may_not_reach_is_passed_by_and_not_sick);
	status = harness_run("routing", tc);
	unlink(users_path);
	unlink(right_path);
	unlink(wrong_path);
	return status;
}
