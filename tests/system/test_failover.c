/* SPDX-License-Identifier: ISC */
/*
 * Targets and upstreams that die, stand still and come back, while clients keep coming:
 * pppd-socks with one route to three targets through two dcsd. The targets are processes
 * of their own, which say their number and then echo.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "peer.h"

#define TARGETS	  3
#define UPSTREAMS 2
#define CLIENTS	  6    /* at a time */
#define SERVED	  60   /* so many are to come between two events */
#define TALK	  4096 /* bytes that each client sends and gets back */

static struct daemon *dcsd[UPSTREAMS], *ppp;
static struct target {
	pid_t pid;
	uint16_t port;
} target[TARGETS];

#define TALKS 64 /* clients that a target has at a time, at most */

/* Sends back what has come. False: it is over. */
static bool
talk(int fd)
{
	char buf[8192];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	return n > 0 && send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

/*
 * The process of a target. It was forked from one with threads, and makes none. Clients
 * may be gone at any time.
 */
static _Noreturn void
serve_target(int listener, char number)
{
	struct pollfd p[1 + TALKS] = { { listener, POLLIN, 0 } };
	nfds_t n = 1;

	/* The clients' connections are not to be held by it. */
	for (int fd = 3; fd < 1024; fd++)
		if (fd != listener)
			close(fd);
	for (;;) {
		p[0].events = n <= TALKS ? POLLIN : 0;
		if (poll(p, n, -1) == -1)
			_exit(1);
		for (nfds_t i = n - 1; i > 0; i--)
			if (p[i].revents && !talk(p[i].fd)) {
				close(p[i].fd);
				p[i] = p[--n];
			}
		if (!p[0].revents)
			continue;
		p[n] = (struct pollfd){ accept(listener, NULL, NULL), POLLIN, 0 };
		if (p[n].fd != -1)
			(void)send(p[n++].fd, &number, 1, MSG_NOSIGNAL);
	}
}

/* Of connections that a target has not accepted: a short one is full soon. */
static int queue = 512;

/* Starts it, on the port it had before if it had one. */
static void
start_target(int i)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(target[i].port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert(bind(listener, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	ck_assert(listen(listener, queue) == 0);
	target[i].port = local_port(listener);
	target[i].pid = fork();
	ck_assert(target[i].pid != -1);
	if (target[i].pid == 0)
		serve_target(listener, (char)('0' + i));
	close(listener);
}

static void
start_upstream(int i, uint16_t port)
{
	dcsd[i] = daemon_spawn(
		DCSD, "listen = \"127.0.0.1:%d\"; timeouts: { connect = 1; };\n", port);
	daemon_await_ready(dcsd[i]);
}

static void
begin(const char *of_upstream, const char *of_route)
{
	for (int i = 0; i < TARGETS; i++)
		start_target(i);
	for (int i = 0; i < UPSTREAMS; i++)
		start_upstream(i, 0);
	ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { name = \"u0\"; address = \"127.0.0.1:%d\"; %s },\n"
		" { name = \"u1\"; address = \"127.0.0.1:%d\"; %s } );\n"
		"routes = ( { name = \"r\"; listen = \"127.0.0.1:0\"; %s\n"
		" targets = [ \"127.0.0.1:%d\", \"127.0.0.1:%d\", \"127.0.0.1:%d\" ]; } "
		");\n"
		"hold_off: { first = 0.2; most = 1; };\n"
		"timeouts: { connect = 8; handshake = 2; };\n",
		daemon_port(dcsd[0], 0), of_upstream, daemon_port(dcsd[1], 0),
		of_upstream, of_route, target[0].port, target[1].port, target[2].port);
	daemon_await_ready(ppp);
	daemon_mark(ppp);
}

static void
kill_target(int i)
{
	kill(target[i].pid, SIGKILL);
	ck_assert(waitpid(target[i].pid, NULL, 0) == target[i].pid);
}

static void
finish(void)
{
	stop_daemon(ppp);
	for (int i = 0; i < UPSTREAMS; i++)
		stop_daemon(dcsd[i]);
	for (int i = 0; i < TARGETS; i++)
		kill_target(i);
}

/*
 * The load: clients that come one after another on each of some threads. One that fails
 * is a failure of the daemon, unless something was killed while it was there.
 */
static struct {
	pthread_t thread[CLIENTS];
	atomic_bool over;
	atomic_int kills;	    /* how many there have been, and begun */
	atomic_int served[TARGETS]; /* clients */
	_Atomic(const char *) failure;
} load;

/* Returns the number of the target that served it, or -1 with what went wrong. */
static int
one_client(const char **why)
{
	static const char sent[TALK];
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(daemon_port(ppp, 0)),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char number = '?', got[TALK];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	*why = NULL;
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		*why = "connect";
	else if (recv(fd, &number, 1, 0) != 1)
		*why = "no number of a target";
	else if (send(fd, sent, sizeof(sent), MSG_NOSIGNAL) != sizeof(sent))
		*why = "send";
	else if (recv(fd, got, sizeof(got), MSG_WAITALL) != sizeof(got))
		*why = "no echo";
	close(fd);
	return *why ? -1 : number - '0';
}

static void *
run_load(void *arg)
{
	while (!atomic_load(&load.over)) {
		int kills = atomic_load(&load.kills);
		const char *why;
		int number = one_client(&why);

		if (number != -1)
			atomic_fetch_add(&load.served[number], 1);
		else if (atomic_load(&load.kills) == kills)
			atomic_store(&load.failure, why);
	}
	return arg;
}

static void
start_load(void)
{
	for (int i = 0; i < CLIENTS; i++)
		ck_assert(pthread_create(&load.thread[i], NULL, run_load, NULL) == 0);
}

static int
served(void)
{
	int sum = 0;

	for (int i = 0; i < TARGETS; i++)
		sum += atomic_load(&load.served[i]);
	return sum;
}

static void
expect_no_failure(void)
{
	const char *why = atomic_load(&load.failure);

	if (why)
		fail_test("a client failed: %s", why);
}

/* Waits until n more clients have been served than there were. */
static void
expect_served(int n)
{
	int64_t until = now_ms() + WAIT_MS;

	for (int goal = served() + n; served() < goal; poll(NULL, 0, 10)) {
		expect_no_failure();
		if (now_ms() > until)
			fail_test("%d clients were served, not %d", served(), goal);
	}
	expect_no_failure();
}

/* Waits until that target serves clients again. */
static void
expect_in_use(int i)
{
	int before = atomic_load(&load.served[i]);
	int64_t until = now_ms() + WAIT_MS;

	for (; atomic_load(&load.served[i]) == before; poll(NULL, 0, 10))
		if (now_ms() > until)
			fail_test("target %d is not in use", i);
	expect_no_failure();
}

static void
stop_load(void)
{
	atomic_store(&load.over, true);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(load.thread[i], NULL);
	expect_no_failure();
}

/* A tunnel that stays, and which target it leads to. */
static int
open_tunnel(int *number)
{
	int fd = mustdial(daemon_port(ppp, 0));
	char c;

	ck_assert(recv(fd, &c, 1, 0) == 1);
	*number = c - '0';
	return fd;
}

static void
check_tunnel(int fd)
{
	mustsend(fd, BYTES("still there"));
	expect_bytes(fd, BYTES("still there"));
}

START_TEST(a_target_that_is_killed_is_missed_by_no_client_and_used_again)
{
	int tunnel[TARGETS], number;

	begin("", "");
	/* One tunnel to each. */
	for (int i = 0; i < TARGETS; i++) {
		int fd = open_tunnel(&number);

		tunnel[number] = fd;
	}
	start_load();
	for (int i = 0; i < TARGETS; i++) {
		expect_served(SERVED);
		atomic_fetch_add(&load.kills, 1);
		kill_target(i);
		atomic_fetch_add(&load.kills, 1);
		expect_end(tunnel[i]);
		close(tunnel[i]);
		for (int other = i + 1; other < TARGETS; other++)
			check_tunnel(tunnel[other]);
		expect_served(SERVED);
		expect_log_line(ppp,
			"health route=r target=127.0.0.1:%d upstream=u[01] state=sick "
			"hold_off=0.[0-9]+ error=\"",
			target[i].port);
		start_target(i);
		expect_in_use(i);
		expect_log_line(ppp,
			"health route=r target=127.0.0.1:%d upstream=u[01] state=well",
			target[i].port);
	}
	stop_load();
	expect_baseline(ppp);
	finish();
}
END_TEST

START_TEST(a_target_that_stands_still_is_passed_by_and_used_again)
{
	queue = 1;
	begin("", "");
	start_load();
	for (int i = 0; i < TARGETS; i++) {
		expect_served(SERVED);
		kill(target[i].pid, SIGSTOP);
		expect_log_line(ppp,
			"health route=r target=127.0.0.1:%d upstream=u[01] state=sick",
			target[i].port);
		expect_served(SERVED);
		kill(target[i].pid, SIGCONT);
		expect_in_use(i);
	}
	stop_load();
	expect_baseline(ppp);
	finish();
}
END_TEST

/* An upstream's way to fail, and to come back. */
static uint16_t upstream_port;

static void
kill_upstream(int i)
{
	upstream_port = daemon_port(dcsd[i], 0);
	atomic_fetch_add(&load.kills, 1);
	kill(daemon_pid(dcsd[i]), SIGKILL);
	expect_exit(dcsd[i], 256 + SIGKILL);
	atomic_fetch_add(&load.kills, 1);
}

static void
revive_upstream(int i)
{
	start_upstream(i, upstream_port);
}

static void
stop_upstream(int i)
{
	kill(daemon_pid(dcsd[i]), SIGSTOP);
}

static void
continue_upstream(int i)
{
	kill(daemon_pid(dcsd[i]), SIGCONT);
}

static const struct way {
	const char *name, *of_upstream;
	void (*leave)(int i);
	void (*come_back)(int i);
} ways[] = {
	{ "killed", "", kill_upstream, revive_upstream },
	{ "stopped", "", stop_upstream, continue_upstream },
	{ "killed, with spares", "spare = 4;", kill_upstream, revive_upstream },
	{ "stopped, with spares", "spare = 4;", stop_upstream, continue_upstream },
	{ "killed, pipelined", "handshake = \"pipelined\";", kill_upstream,
		revive_upstream },
	{ "stopped, pipelined", "handshake = \"pipelined\";", stop_upstream,
		continue_upstream },
};

START_TEST(an_upstream_that_fails_is_missed_by_no_client_and_used_again)
{
	const struct way *way = &ways[_i];

	harness_row = way->name;
	begin(way->of_upstream, "");
	start_load();
	for (int i = 0; i < UPSTREAMS; i++) {
		expect_served(SERVED);
		daemon_mark(ppp);
		way->leave(i);
		expect_log_line(ppp, "health upstream=u%d state=sick ", i);
		expect_served(SERVED);
		way->come_back(i);
		expect_log_line(ppp, "health upstream=u%d state=well", i);
		expect_log_line(dcsd[i], "tunnel .* end=");
	}
	stop_load();
	finish();
}
END_TEST

/* Tunnels through one upstream go on, whatever becomes of the other. */
START_TEST(tunnels_through_the_other_upstream_go_on)
{
	int fd[4], number;

	begin("", "");
	for (int i = 0; i < 4; i++)
		fd[i] = open_tunnel(&number);
	kill_upstream(0);
	for (int i = 0, ended = 0; i < 4; i++) {
		struct pollfd p = { .fd = fd[i], .events = POLLIN };

		/* They take turns: every other one goes through the first. */
		if (i % 2 == 0) {
			expect_end(fd[i]);
			ended++;
		} else {
			ck_assert(poll(&p, 1, 0) == 0);
			check_tunnel(fd[i]);
		}
		close(fd[i]);
	}
	revive_upstream(0);
	finish();
}
END_TEST

START_TEST(a_port_refuses_clients_until_a_target_is_back)
{
	const char *why;

	begin("", "on_failure = \"refuse\";");
	ck_assert(one_client(&why) != -1);
	for (int i = 0; i < TARGETS; i++)
		kill_target(i);
	/* The first to find out is reset. */
	ck_assert(one_client(&why) == -1);
	expect_log(ppp, "route r refuses clients: no target is well");
	expect_refused(daemon_port(ppp, 0));
	start_target(1);
	expect_log(ppp, "route r takes clients again");
	for (int64_t until = now_ms() + WAIT_MS; one_client(&why) == -1;)
		if (now_ms() > until)
			fail_test("the port does not take clients again: %s", why);
	/* And once more. */
	daemon_mark(ppp);
	kill_target(1);
	while (one_client(&why) != -1)
		;
	expect_log(ppp, "route r refuses clients: no target is well");
	expect_refused(daemon_port(ppp, 0));
	stop_daemon(ppp);
	for (int i = 0; i < UPSTREAMS; i++)
		stop_daemon(dcsd[i]);
}
END_TEST

START_TEST(a_port_refuses_while_the_upstreams_are_away)
{
	uint16_t port[UPSTREAMS];
	const char *why;

	begin("", "on_failure = \"refuse\";");
	for (int i = 0; i < UPSTREAMS; i++) {
		kill_upstream(i);
		port[i] = upstream_port;
	}
	ck_assert(one_client(&why) == -1);
	expect_refused(daemon_port(ppp, 0));
	for (int i = 0; i < UPSTREAMS; i++)
		start_upstream(i, port[i]);
	expect_log(ppp, "route r takes clients again");
	for (int64_t until = now_ms() + WAIT_MS; one_client(&why) == -1;)
		if (now_ms() > until)
			fail_test("the port does not take clients again: %s", why);
	finish();
}
END_TEST

/* Nobody comes, and all the same it is known how the targets are. */
START_TEST(probes_see_a_target_go_and_come_without_any_client)
{
	begin("", "probe: { interval = 0.1; };");
	kill_target(2);
	for (int u = 0; u < UPSTREAMS; u++)
		expect_log_line(ppp,
			"health route=r target=127.0.0.1:%d upstream=u%d state=sick",
			target[2].port, u);
	daemon_mark(ppp);
	start_target(2);
	for (int u = 0; u < UPSTREAMS; u++)
		expect_log_line(ppp,
			"health route=r target=127.0.0.1:%d upstream=u%d state=well",
			target[2].port, u);
	finish();
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("failover");

	tcase_add_test(tc, a_target_that_is_killed_is_missed_by_no_client_and_used_again);
	tcase_add_test(tc, a_target_that_stands_still_is_passed_by_and_used_again);
	tcase_add_loop_test(tc,
		an_upstream_that_fails_is_missed_by_no_client_and_used_again, 0,
		COUNT(ways));
	tcase_add_test(tc, tunnels_through_the_other_upstream_go_on);
	tcase_add_test(tc, a_port_refuses_clients_until_a_target_is_back);
	tcase_add_test(tc, a_port_refuses_while_the_upstreams_are_away);
	tcase_add_test(tc, probes_see_a_target_go_and_come_without_any_client);
	return harness_run("failover", tc);
}
