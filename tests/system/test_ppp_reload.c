/* SPDX-License-Identifier: ISC */
/*
 * pppd-socks and HUP: what becomes of tunnels and sessions that there are, and of what is
 * known; and what an administrator wishes by tunnelctl, which outlasts it. dcsd is the
 * upstream; the clients and the targets are the test's.
 */
#include "config.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datagram.h"

static char dir[64]; /* for the control socket */
static struct daemon *dcsd, *ppp;
static char head[512]; /* of each configuration: the upstream, and the control socket */
static int target[2];  /* listeners on 127.0.0.1 */
static uint16_t target_port[2];

/* In the process that outlives a test, however that ends. */
static void
make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/ppp-reload-XXXXXX",
		tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
remove_dir(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/ctl", dir);
	unlink(path);
	rmdir(dir);
}

/* Two targets, and dcsd; more: further keys for pppd-socks. */
static void
begin(const char *more)
{
	for (int i = 0; i < 2; i++)
		target[i] = mustlisten("127.0.0.1", &target_port[i]);
	dcsd = start_dcsd("%s", "");
	snprintf(head, sizeof(head),
		"control = \"%s/ctl\"; timeouts: { drain = 0; };\n"
		"upstreams = ( { name = \"dcs\"; address = \"127.0.0.1:%d\"; } );\n%s\n",
		dir, daemon_port(dcsd, 0), more);
}

/* A route called so, at that address, to the n-th target, with more keys. */
static const char *
route(const char *name, const char *listen, int n, const char *keys)
{
	static char texts[4][512];
	static int next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]),
		"{ name = \"%s\"; listen = \"%s\"; target = \"127.0.0.1:%d\"; %s }", name,
		listen, target_port[n], keys);
	return text;
}

static void
start_ppp(const char *routes)
{
	ppp = daemon_spawn(PPPD_SOCKS, "%sroutes = ( %s );\n", head, routes);
	daemon_await_ready(ppp);
}

static void
reload(const char *more, const char *routes)
{
	daemon_reload(ppp, "done", "%s%sroutes = ( %s );\n", head, more, routes);
}

/* Two routes in one list. */
static const char *
both(const char *one, const char *other)
{
	static char text[1100];

	snprintf(text, sizeof(text), "%s, %s", one, other);
	return text;
}

static void
finish(void)
{
	stop_daemon(ppp);
	stop_daemon(dcsd);
}

/* A client of the port, and the n-th target's end of its tunnel. */
static void
open_tunnel(int fd[2], uint16_t port, int n)
{
	fd[CLIENT] = mustdial(port);
	fd[TARGET] = mustaccept(target[n]);
	tunnel_check(fd);
}

/* The same, where clients that have left may stand before it at the target. */
static void
open_tunnel_behind_others(int fd[2], uint16_t port, int n)
{
	char c;

	fd[CLIENT] = mustdial(port);
	mustsend(fd[CLIENT], BYTES("x"));
	while (recv(fd[TARGET] = mustaccept(target[n]), &c, 1, 0) != 1)
		close(fd[TARGET]);
	tunnel_check(fd);
}

/* tunnelctl with these words. Its output is returned; its exit status must be that. */
static const char *
ctl(int status, const char *words)
{
	static char out[65536];
	const char *program = getenv("TUNNELCTL");
	char command[512];
	size_t n;
	FILE *from;

	snprintf(command, sizeof(command), "'%s' -s '%s/ctl' %s 2>&1",
		program ? program : "./tunnelctl", dir, words);
	from = popen(command, "r");
	ck_assert_ptr_nonnull(from);
	n = fread(out, 1, sizeof(out) - 1, from);
	out[n] = '\0';
	if (pclose(from) != status << 8)
		fail_test("tunnelctl %s: not %d: %s", words, status, out);
	return out;
}
#define ctl(...) AT(ctl(__VA_ARGS__))

/* A piece of a line of the status. */
static void
expect_status(const char *text)
{
	const char *all = ctl(0, "status");

	if (!strstr(all, text))
		fail_test("there is no '%s' in the status: %s", text, all);
}
#define expect_status(text) AT(expect_status(text))

/* ---- routes ---- */

START_TEST(a_route_that_is_added_serves_and_the_others_are_left_alone)
{
	int fd[2], other[2];
	char port[8];

	begin("");
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	reload("",
		both(route("a", "127.0.0.1:0", 0, ""), route("b", "127.0.0.2:0", 1, "")));
	log_word(ppp, ": listening on 127.0.0.2:", port, sizeof(port));
	other[CLIENT] = mustdial_ip("127.0.0.2", (uint16_t)atoi(port));
	other[TARGET] = mustaccept(target[1]);
	tunnel_check(other);
	tunnel_check(fd);
	open_tunnel(other, daemon_port(ppp, 0), 0);
	finish();
}
END_TEST

START_TEST(a_tunnel_of_a_route_that_is_gone_goes_on)
{
	int fd[2], other[2];

	begin("");
	start_ppp(
		both(route("a", "127.0.0.1:0", 0, ""), route("b", "127.0.0.1:0", 1, "")));
	open_tunnel(fd, daemon_port(ppp, 1), 1);
	reload("", route("a", "127.0.0.1:0", 0, ""));
	expect_refused(daemon_port(ppp, 1));
	tunnel_check(fd);
	open_tunnel(other, daemon_port(ppp, 0), 0);
	tunnel_close(fd);
	expect_log_line(ppp, " route=b target=.* end=");
	finish();
}
END_TEST

START_TEST(a_tunnel_of_a_route_that_is_gone_is_cut_if_so_wished)
{
	int fd[2], other[2];

	begin("on_reload = \"cut\";");
	start_ppp(
		both(route("a", "127.0.0.1:0", 0, ""), route("b", "127.0.0.1:0", 1, "")));
	open_tunnel(other, daemon_port(ppp, 0), 0);
	open_tunnel(fd, daemon_port(ppp, 1), 1);
	reload("", route("a", "127.0.0.1:0", 1, ""));
	expect_end(fd[CLIENT]);
	expect_log_line(ppp, " route=b target=.* end=killed");
	tunnel_check(other);
	finish();
}
END_TEST

START_TEST(clients_get_the_new_target_and_tunnels_keep_the_old)
{
	int fd[2], other[2];

	begin("");
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	reload("", route("a", "127.0.0.1:0", 1, ""));
	open_tunnel(other, daemon_port(ppp, 0), 1);
	tunnel_check(fd);
	finish();
}
END_TEST

START_TEST(the_limit_of_a_route_counts_the_tunnels_of_before)
{
	int fd[2], other[2];

	begin("");
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	reload("", route("a", "127.0.0.1:0", 0, "limit = 1;"));
	expect_no_service(daemon_port(ppp, 0));
	tunnel_close(fd);
	expect_log_line(ppp, " route=a .* up=8 down=6 .* end=");
	open_tunnel(other, daemon_port(ppp, 0), 0);
	finish();
}
END_TEST

START_TEST(an_error_in_the_file_changes_nothing)
{
	int fd[2], other[2];

	begin("");
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	daemon_reload(ppp, "failed", "%sroutes = ( { listen = 1; } );", head);
	tunnel_check(fd);
	open_tunnel(other, daemon_port(ppp, 0), 0);
	finish();
}
END_TEST

/* ---- health ---- */

/* The first target is down, the second is its backup. */
static const char *
first_is_down(uint16_t down, const char *keys)
{
	static char text[512];

	snprintf(text, sizeof(text),
		"{ name = \"a\"; listen = \"127.0.0.1:0\"; balance = \"first\";"
		"targets = [ \"127.0.0.1:%d\", \"127.0.0.1:%d\" ]; %s }",
		down, target_port[1], keys);
	return text;
}

START_TEST(a_sick_target_is_left_alone_after_a_reload_as_well)
{
	int fd[2];
	uint16_t down;

	begin("log: { level = \"debug\"; }; hold_off: { first = 600; most = 600; };");
	close(closed_port(&down));
	start_ppp(first_is_down(down, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 1);
	expect_log(ppp, " state=sick ");
	expect_log(ppp, " failed rep="); /* the log may lag behind the tunnel */
	reload("", both(route("z", "127.0.0.2:0", 0, ""), first_is_down(down, "")));
	open_tunnel(fd, daemon_port(ppp, 0), 1);
	expect_status(" route=a upstream=dcs state=sick ");
	ck_assert_int_eq(log_count(ppp, " failed rep="), 0);
	finish();
}
END_TEST

/* A route that refuses clients, as its only target is down. */
static void
begin_refusing(void)
{
	char only[512];
	uint16_t down;

	begin("hold_off: { first = 600; most = 600; };");
	close(closed_port(&down));
	snprintf(only, sizeof(only),
		"{ name = \"a\"; listen = \"127.0.0.1:0\"; target = \"127.0.0.1:%d\";"
		"on_failure = \"refuse\"; }",
		down);
	start_ppp(only);
	expect_no_service(daemon_port(ppp, 0));
	expect_refused(daemon_port(ppp, 0));
	reload("", only);
	expect_refused(daemon_port(ppp, 0));
}

START_TEST(a_port_that_refuses_takes_clients_when_a_well_target_comes)
{
	static const char *const keys[] = { "on_failure = \"refuse\";", "" };
	int fd[2];

	begin_refusing();
	reload("", route("a", "127.0.0.1:0", 1, keys[_i]));
	open_tunnel(fd, daemon_port(ppp, 0), 1);
	finish();
}
END_TEST

START_TEST(a_port_does_not_refuse_any_more_when_it_is_told_so)
{
	int fd[2];

	begin_refusing();
	reload("", first_is_down(1, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 1);
	finish();
}
END_TEST

/* ---- what an administrator wishes ---- */

START_TEST(a_disabled_target_gets_nothing_new_over_a_reload_too)
{
	char words[64], status[128];
	int fd[2], other[2];

	begin("");
	start_ppp(first_is_down(target_port[0], ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	snprintf(words, sizeof(words), "disable 127.0.0.1:%d", target_port[0]);
	ctl(0, words);
	snprintf(status, sizeof(status),
		"target 127.0.0.1:%d route=a upstream=dcs state=disabled tunnels=1",
		target_port[0]);
	expect_status(status);
	open_tunnel(other, daemon_port(ppp, 0), 1);
	tunnel_check(fd);
	reload("", first_is_down(target_port[0], "idle = 100;"));
	expect_status(status);
	open_tunnel(other, daemon_port(ppp, 0), 1);
	tunnel_check(fd);
	snprintf(words, sizeof(words), "enable 127.0.0.1:%d", target_port[0]);
	ctl(0, words);
	open_tunnel(other, daemon_port(ppp, 0), 0);
	ctl(1, "disable nobody");
	finish();
}
END_TEST

START_TEST(behind_a_disabled_upstream_no_target_can_be_had)
{
	int fd[2], other[2];

	begin("");
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	ctl(0, "disable dcs");
	expect_status("upstream dcs address=127.0.0.1:");
	expect_status(" state=disabled tunnels=1 ");
	expect_no_service(daemon_port(ppp, 0));
	expect_log_line(ppp,
		" target=- upstream=- .* end=connect-failed rep=- "
		"error=\"all ways are disabled\"");
	reload("", route("a", "127.0.0.1:0", 0, "idle = 100;"));
	expect_no_service(daemon_port(ppp, 0));
	tunnel_check(fd);
	ctl(0, "enable dcs");
	open_tunnel(other, daemon_port(ppp, 0), 0);
	finish();
}
END_TEST

START_TEST(a_disabled_upstream_has_no_spares)
{
	begin("");
	snprintf(head, sizeof(head),
		"control = \"%s/ctl\"; upstreams = ( { name = \"dcs\"; address = "
		"\"127.0.0.1:%d\"; spare = 2; } );\n",
		dir, daemon_port(dcsd, 0));
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	while (!strstr(ctl(0, "status"), " spares=2"))
		usleep(10000);
	ctl(0, "disable dcs");
	expect_status(" spares=0");
	reload("", route("a", "127.0.0.1:0", 0, "idle = 100;"));
	expect_status(" state=disabled tunnels=0 spares=0");
	ctl(0, "enable dcs");
	while (!strstr(ctl(0, "status"), " spares=2"))
		usleep(10000);
	finish();
}
END_TEST

START_TEST(a_drained_route_refuses_clients_until_it_is_resumed)
{
	int fd[2], other[2];

	begin("");
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	open_tunnel(fd, daemon_port(ppp, 0), 0);
	ctl(0, "drain a");
	expect_refused(daemon_port(ppp, 0));
	tunnel_check(fd);
	reload("", route("a", "127.0.0.1:0", 0, "idle = 100;"));
	expect_refused(daemon_port(ppp, 0));
	ctl(0, "resume a");
	expect_log(ppp, "a is resumed");
	/* The socket listens again very soon. */
	while (!strstr(ctl(0, "status"), " for route a"))
		usleep(10000);
	while (strstr(ctl(0, "status"), "state=drained"))
		usleep(10000);
	open_tunnel_behind_others(other, daemon_port(ppp, 0), 0);
	finish();
}
END_TEST

/* ---- UDP ---- */

static int udp_target;
static union address udp_target_at, udp_route;

static const char *
udp(const char *listen, const char *keys)
{
	static char texts[2][512];
	static int next;
	char *text = texts[next++ % 2];

	snprintf(text, sizeof(texts[0]),
		"{ name = \"u\"; protocol = \"udp\"; listen = \"%s\";"
		"target = \"127.0.0.1:%d\"; %s }",
		listen, ntohs(udp_target_at.in.sin_port), keys);
	return text;
}

static void
begin_udp(const char *keys)
{
	uint16_t port;

	begin("");
	udp_target = open_socket("127.0.0.1", &port);
	udp_target_at = make_address("127.0.0.1", port);
	start_ppp(udp("127.0.0.1:0", keys));
	expect_log(ppp, "listening on 127.0.0.1:");
	udp_route = make_address("127.0.0.1", daemon_port(ppp, 0));
}

/* There and back. Returns the port that the target saw: that of the association. */
static uint16_t
exchange(int client)
{
	union address from;

	send_raw(client, &udp_route, BYTES("question"));
	from = expect_text(udp_target, "question");
	send_raw(udp_target, &from, BYTES("answer"));
	(void)expect_text(client, "answer");
	return from.in.sin_port;
}

/* The first datagram is dropped; what comes behind it by another way is the next. */
static void
expect_dropped(int client)
{
	int direct = open_socket("127.0.0.1", NULL);

	send_raw(client, &udp_route, BYTES("dropped"));
	usleep(50000);
	send_raw(direct, &udp_target_at, BYTES("direct"));
	(void)expect_text(udp_target, "direct");
	close(direct);
}

START_TEST(a_session_goes_on_over_a_reload)
{
	int client = open_socket("127.0.0.1", NULL), other;
	uint16_t port;

	begin_udp("");
	port = exchange(client);
	reload("",
		both(udp("127.0.0.1:0", "idle = 100; limit = 2;"),
			route("a", "127.0.0.1:0", 0, "")));
	ck_assert_uint_eq(exchange(client), port);
	other = open_socket("127.0.0.1", NULL);
	ck_assert_uint_ne(exchange(other), port);
	/* Two are there already: the one of before counts. */
	expect_dropped(open_socket("127.0.0.1", NULL));
	expect_log(ppp, "its limit is reached");
	ck_assert_uint_eq(exchange(client), port);
	finish();
}
END_TEST

START_TEST(a_session_of_a_route_that_is_gone_goes_on_and_no_other_begins)
{
	int client = open_socket("127.0.0.1", NULL), other;
	uint16_t port;

	begin_udp("idle = 2;");
	other = open_socket("127.0.0.1", NULL);
	port = exchange(client);
	reload("", route("a", "127.0.0.1:0", 0, ""));
	ck_assert_uint_eq(exchange(client), port);
	expect_dropped(other);
	/* The same socket is there for the route when that comes back. */
	reload("",
		both(route("a", "127.0.0.1:0", 0, ""), udp("127.0.0.1:0", "idle = 1;")));
	ck_assert_uint_eq(exchange(client), port);
	ck_assert_uint_ne(exchange(other), port);
	finish();
}
END_TEST

/* Whether a socket of the test's can have the address of the route. */
static bool
route_is_free(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool is_free = bind(fd, &udp_route.sa, sizeof(udp_route.in)) == 0;

	close(fd);
	return is_free;
}

START_TEST(the_socket_of_a_route_that_is_gone_closes_with_its_last_session)
{
	int client = open_socket("127.0.0.1", NULL);

	begin_udp("idle = 1;");
	exchange(client);
	reload("", route("a", "127.0.0.1:0", 0, ""));
	expect_log(ppp, "no longer listening on 127.0.0.1:%d for datagrams of route u",
		ntohs(udp_route.in.sin_port));
	ck_assert(!route_is_free());
	expect_log_line(ppp, " route=u .* end=idle");
	for (int64_t until = now_ms() + WAIT_MS; !route_is_free(); usleep(20000))
		ck_assert_int_lt(now_ms(), until);
	finish();
}
END_TEST

START_TEST(the_socket_of_a_route_without_sessions_closes_at_once)
{
	begin_udp("");
	reload("", route("a", "127.0.0.1:0", 0, ""));
	ck_assert(route_is_free());
	finish();
}
END_TEST

START_TEST(the_first_route_of_udp_may_come_by_a_reload)
{
	int client = open_socket("127.0.0.1", NULL);
	uint16_t port;
	char text[8];

	begin("");
	udp_target = open_socket("127.0.0.1", &port);
	udp_target_at = make_address("127.0.0.1", port);
	start_ppp(route("a", "127.0.0.1:0", 0, ""));
	reload("", udp("127.0.0.1:0", ""));
	log_word(ppp, ": listening on 127.0.0.1:", text, sizeof(text));
	udp_route = make_address("127.0.0.1", (uint16_t)atoi(text));
	exchange(client);
	finish();
}
END_TEST

START_TEST(a_drained_route_of_udp_takes_no_new_sessions)
{
	int client = open_socket("127.0.0.1", NULL);
	int other = open_socket("127.0.0.1", NULL);
	uint16_t port;

	begin_udp("");
	port = exchange(client);
	ctl(0, "drain u");
	expect_status(" for datagrams of route u state=drained");
	ck_assert_uint_eq(exchange(client), port);
	expect_dropped(other);
	reload("", udp("127.0.0.1:0", "idle = 100;"));
	expect_dropped(other);
	ctl(0, "resume u");
	exchange(other);
	ck_assert_uint_eq(exchange(client), port);
	finish();
}
END_TEST

START_TEST(a_session_of_a_route_that_is_gone_is_cut_if_so_wished)
{
	int client = open_socket("127.0.0.1", NULL);

	begin_udp("");
	exchange(client);
	reload("on_reload = \"cut\";\n", route("u", "127.0.0.1:0", 0, ""));
	expect_log_line(ppp, " route=u .* end=killed");
	finish();
}
END_TEST

/* Until pppd-socks takes no more clients at 127.0.0.2. */
static void
await_end_of_listening(void)
{
	union address at;
	char port[8];
	int fd;

	log_word(ppp, ": listening on 127.0.0.2:", port, sizeof(port));
	at = make_address("127.0.0.2", (uint16_t)atoi(port));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	while (connect(fd, &at.sa, sizeof(at.in)) == 0) {
		reset(fd); /* or its tunnel would hold up the end */
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	close(fd);
}

START_TEST(what_was_asked_is_answered_when_the_process_ends)
{
	int client = open_socket("127.0.0.1", NULL);
	union address from;

	begin_udp("");
	reload("", both(udp("127.0.0.1:0", ""), route("a", "127.0.0.2:0", 0, "")));
	exchange(client);
	send_raw(client, &udp_route, BYTES("question"));
	from = expect_text(udp_target, "question");
	kill(daemon_pid(ppp), SIGTERM);
	await_end_of_listening();
	send_raw(udp_target, &from, BYTES("late"));
	(void)expect_text(client, "late");
	expect_exit(ppp, 0);
	stop_daemon(dcsd);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ppp_reload");

	tcase_add_unchecked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, a_route_that_is_added_serves_and_the_others_are_left_alone);
	tcase_add_test(tc, a_tunnel_of_a_route_that_is_gone_goes_on);
	tcase_add_test(tc, a_tunnel_of_a_route_that_is_gone_is_cut_if_so_wished);
	tcase_add_test(tc, clients_get_the_new_target_and_tunnels_keep_the_old);
	tcase_add_test(tc, the_limit_of_a_route_counts_the_tunnels_of_before);
	tcase_add_test(tc, an_error_in_the_file_changes_nothing);
	tcase_add_test(tc, a_sick_target_is_left_alone_after_a_reload_as_well);
	tcase_add_loop_test(
		tc, a_port_that_refuses_takes_clients_when_a_well_target_comes, 0, 2);
	tcase_add_test(tc, a_port_does_not_refuse_any_more_when_it_is_told_so);
	tcase_add_test(tc, a_disabled_target_gets_nothing_new_over_a_reload_too);
	tcase_add_test(tc, behind_a_disabled_upstream_no_target_can_be_had);
	tcase_add_test(tc, a_disabled_upstream_has_no_spares);
	tcase_add_test(tc, a_drained_route_refuses_clients_until_it_is_resumed);
	tcase_add_test(tc, a_session_goes_on_over_a_reload);
	tcase_add_test(tc, a_session_of_a_route_that_is_gone_goes_on_and_no_other_begins);
	tcase_add_test(
		tc, the_socket_of_a_route_that_is_gone_closes_with_its_last_session);
	tcase_add_test(tc, the_socket_of_a_route_without_sessions_closes_at_once);
	tcase_add_test(tc, the_first_route_of_udp_may_come_by_a_reload);
	tcase_add_test(tc, a_drained_route_of_udp_takes_no_new_sessions);
	tcase_add_test(tc, a_session_of_a_route_that_is_gone_is_cut_if_so_wished);
	tcase_add_test(tc, what_was_asked_is_answered_when_the_process_ends);
	return harness_run("ppp_reload", tc);
}
