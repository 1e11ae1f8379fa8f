/* SPDX-License-Identifier: ISC */
/*
 * Both daemons in a row: plain clients, pppd-socks with three routes, dcsd, and three
 * targets that are listening sockets of the test.
 */
#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define ROUTES	3
#define MIB	(1024 * 1024)
#define TUNNELS 200

static struct daemon *dcsd, *ppp;
static int target[ROUTES], fd[2];

/* The daemons, with these targets for their routes; HOST:PORT each. */
static void
begin_for(const char *t0, const char *t1, const char *t2)
{
	dcsd = start_dcsd("%s", "");
	ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { name = \"dcs\"; address = \"127.0.0.1:%d\"; } );\n"
		"routes = ( { name = \"r0\"; listen = \"127.0.0.1:0\"; target = \"%s\"; "
		"},\n"
		" { name = \"r1\"; listen = \"127.0.0.1:0\"; target = \"%s\"; },\n"
		" { name = \"r2\"; listen = \"127.0.0.1:0\"; target = \"%s\"; } );\n",
		daemon_port(dcsd, 0), t0, t1, t2);
	daemon_await_ready(ppp);
}

/* A client of a route and what comes of it at its target. */
static void
dial(int route, int ends[2])
{
	ends[CLIENT] = mustdial(daemon_port(ppp, route));
	ends[TARGET] = mustaccept(target[route]);
}

static void
mark(void)
{
	daemon_mark(dcsd);
	daemon_mark(ppp);
}

static void
expect_baselines(void)
{
	expect_baseline(ppp);
	expect_baseline(dcsd);
}

/* With targets of ours: by address, by name, and (where there is one) by IPv6. */
static void
begin(void)
{
	static const char *const name[] = { "127.0.0.1", "localhost", "[::1]" };
	char at[ROUTES][32];
	uint16_t port;

	for (int i = 0; i < ROUTES; i++) {
		int how = i == 2 && !has_ipv6() ? 0 : i;

		target[i] = mustlisten(how == 2 ? "::1" : "127.0.0.1", &port);
		snprintf(at[i], sizeof(at[i]), "%s:%d", name[how], port);
	}
	begin_for(at[0], at[1], at[2]);
	mark();
	dial(0, fd);
	tunnel_check(fd);
	tunnel_close(fd);
	expect_log(dcsd, " end=");
	expect_log(ppp, " end=");
	expect_baselines();
	mark();
}

static void
finish(void)
{
	expect_baselines();
	stop_daemon(ppp);
	stop_daemon(dcsd);
}

START_TEST(three_ports_lead_to_three_targets_at_once)
{
	int ends[ROUTES][2];

	begin();
	for (int i = 0; i < ROUTES; i++)
		dial(i, ends[i]);
	for (int i = 0; i < ROUTES; i++)
		tunnel_check(ends[i]);
	for (int i = 0; i < ROUTES; i++) {
		tunnel_close(ends[i]);
		expect_log_line(ppp, " route=r%d .* upstream=dcs up=8 down=6 ", i);
	}
	finish();
}
END_TEST

START_TEST(sixty_four_mebibytes_each_way_arrive_unchanged)
{
	struct flow *flow[4];

	begin();
	dial(0, fd);
	for (int end = CLIENT; end <= TARGET; end++) {
		flow[end] = send_pattern(fd[end], 64 * MIB, THEN_EOF);
		flow[2 + end] = recv_pattern(fd[end], 64 * MIB, THEN_EOF);
	}
	for (int i = 0; i < 4; i++)
		flow_wait(flow[i]);
	tunnel_close(fd);
	expect_log(dcsd, " up=%d down=%d ", 64 * MIB, 64 * MIB);
	expect_log(ppp, " up=%d down=%d ", 64 * MIB, 64 * MIB);
	finish();
}
END_TEST

START_TEST(half_close_goes_through_both)
{
	struct flow *flow[4];

	begin();
	dial(1, fd);
	flow[0] = send_pattern(fd[CLIENT], 8 * MIB, THEN_EOF);
	flow[1] = recv_pattern(fd[TARGET], 8 * MIB, THEN_EOF);
	flow_wait(flow[1]);
	flow_wait(flow[0]);
	flow[2] = send_pattern(fd[TARGET], MIB, THEN_EOF);
	flow[3] = recv_pattern(fd[CLIENT], MIB, THEN_EOF);
	flow_wait(flow[2]);
	flow_wait(flow[3]);
	tunnel_close(fd);
	expect_log(dcsd, " end=client-eof\n");
	expect_log(ppp, " end=client-eof\n");
	finish();
}
END_TEST

static void
reset_passes(enum end_of from, const char *end)
{
	enum end_of to = from == CLIENT ? TARGET : CLIENT;

	begin();
	dial(0, fd);
	mustsend(fd[from], BYTES("truncated"));
	expect_bytes(fd[to], BYTES("truncated"));
	reset(fd[from]);
	expect_reset(fd[to]);
	close(fd[to]);
	expect_log(dcsd, " end=%s\n", end);
	expect_log(ppp, " end=%s\n", end);
	finish();
}

START_TEST(reset_of_the_client_goes_through_both)
{
	reset_passes(CLIENT, "client-reset");
}
END_TEST

START_TEST(reset_of_the_target_goes_through_both)
{
	reset_passes(TARGET, "target-reset");
}
END_TEST

/*
 * An address that this machine's kernel calls unreachable at once: it is asked for some
 * that nobody has. Returns the REP that is due for it, or 0 when none is.
 */
static int
find_unreachable(char *out, size_t size, uint16_t port)
{
	static const char *const nobody[] = { "192.0.2.1", "198.51.100.1",
		"203.0.113.1" };

	for (size_t i = 0; i < COUNT(nobody); i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons(port) };
		int s = socket(AF_INET, SOCK_STREAM, 0), err;

		inet_pton(AF_INET, nobody[i], &in.sin_addr);
		fcntl(s, F_SETFL, O_NONBLOCK);
		err = connect(s, (struct sockaddr *)&in, sizeof(in)) < 0 ? errno : 0;
		close(s);
		snprintf(out, size, "%s:%d", nobody[i], port);
		if (err == ENETUNREACH || err == EHOSTUNREACH)
			return err == ENETUNREACH ? 3 : 4;
	}
	return 0;
}

static void
expect_failed(int route, const char *rep)
{
	expect_no_service(daemon_port(ppp, route));
	expect_log_line(ppp, " route=r%d .* end=connect-failed rep=%s error=\"[^\"]+\"$",
		route, rep);
	expect_log_line(dcsd, " end=connect-failed rep=%s error=\"[^\"]+\"$", rep);
}

START_TEST(failures_of_dcsd_reset_the_plain_client)
{
	char refused[32], unreachable[32];
	uint16_t port;
	int rep, hold = closed_port(&port);

	snprintf(refused, sizeof(refused), "127.0.0.1:%d", port);
	rep = find_unreachable(unreachable, sizeof(unreachable), port);
	begin_for(refused, "no-such-host.invalid:80", rep == 0 ? refused : unreachable);
	expect_failed(0, "5");
	expect_failed(1, "[146]"); /* 1 or 6: no resolver answers here */
	expect_failed(2, rep == 3 ? "3" : rep == 4 ? "4" : "5");
	close(hold);
	stop_daemon(ppp);
	stop_daemon(dcsd);
}
END_TEST

START_TEST(two_hundred_clients_at_once_leave_nothing)
{
	int client[TUNNELS];
	char text[32];

	begin();
	for (int i = 0; i < ROUTES; i++)
		echo_serve(target[i]);
	for (int i = 0; i < TUNNELS; i++) {
		client[i] = mustdial(daemon_port(ppp, i % ROUTES));
		snprintf(text, sizeof(text), "I am client %d.", i);
		mustsend(client[i], text, strlen(text));
	}
	for (int i = 0; i < TUNNELS; i++) {
		snprintf(text, sizeof(text), "I am client %d.", i);
		expect_bytes(client[i], text, strlen(text));
	}
	for (int i = 0; i < TUNNELS; i++) {
		half_close(client[i]);
		expect_eof(client[i]);
		close(client[i]);
	}
	finish();
}
END_TEST

START_TEST(death_of_dcsd_ends_every_client)
{
	int ends[50][2];

	begin();
	for (size_t i = 0; i < COUNT(ends); i++) {
		dial((int)i % ROUTES, ends[i]);
		tunnel_check(ends[i]);
	}
	kill(daemon_pid(dcsd), SIGKILL);
	for (size_t i = 0; i < COUNT(ends); i++) {
		expect_end(ends[i][CLIENT]);
		expect_end(ends[i][TARGET]);
		tunnel_close(ends[i]);
	}
	expect_exit(dcsd, 256 + SIGKILL);
	expect_baseline(ppp);
	stop_daemon(ppp);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("chain");

	tcase_add_test(tc, three_ports_lead_to_three_targets_at_once);
	tcase_add_test(tc, sixty_four_mebibytes_each_way_arrive_unchanged);
	tcase_add_test(tc, half_close_goes_through_both);
	tcase_add_test(tc, reset_of_the_client_goes_through_both);
	tcase_add_test(tc, reset_of_the_target_goes_through_both);
	tcase_add_test(tc, failures_of_dcsd_reset_the_plain_client);
	tcase_add_test(tc, two_hundred_clients_at_once_leave_nothing);
	tcase_add_test(tc, death_of_dcsd_ends_every_client);
	return harness_run("chain", tc);
}
