/* SPDX-License-Identifier: ISC */
/*
 * System calls and memory that fail under both daemons, by shim.so: the one client
 * concerned may suffer, in a way that it can see; the daemon lives, keeps nothing, and
 * serves the next. (FAULTS E2 to E6, E8, E15, E16.)
 */
#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define MIB   (1024 * 1024)
#define SITES 60 /* allocations that fail, one in each run; every client makes some */

/* The daemon that is hurt, the other one of a chain if there is, and a target. */
static struct daemon *d, *dcsd;
static int listener, fd[2];

/* What daemons that start from now on have laid over the C library. */
static void
set_shim(const char *faults, const char *short_io)
{
	setenv("LD_PRELOAD", getenv("SHIM_SO"), 1);
	setenv("SHIM", faults, 1);
	if (short_io)
		setenv("SHORT", short_io, 1);
	else
		unsetenv("SHORT");
}

static void
unset_shim(void)
{
	unsetenv("LD_PRELOAD");
}

static void
begin_dcsd(const char *faults)
{
	uint16_t port;

	listener = mustlisten("127.0.0.1", &port);
	set_shim(faults, NULL);
	d = start_dcsd("%s", "timeouts: { connect = 5; drain = 0; };");
	unset_shim();
	dcsd = NULL;
	daemon_mark(d);
}

static struct daemon *
start_ppp(void)
{
	struct daemon *ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { address = \"127.0.0.1:%d\"; } );\n"
		"routes = ( { listen = \"127.0.0.1:0\"; target = \"127.0.0.1:%d\"; } );\n"
		"timeouts: { drain = 0; };\n",
		daemon_port(dcsd, 0), local_port(listener));

	daemon_await_ready(ppp);
	return ppp;
}

static void
begin_ppp(const char *faults)
{
	uint16_t port;

	listener = mustlisten("127.0.0.1", &port);
	dcsd = start_dcsd("%s", "timeouts: { drain = 0; };");
	set_shim(faults, NULL);
	d = start_ppp();
	unset_shim();
	daemon_mark(d);
}

static void
begin(enum program program, const char *faults)
{
	if (program == DCSD)
		begin_dcsd(faults);
	else
		begin_ppp(faults);
	harness_row = faults;
}

static void
open_tunnel(void)
{
	if (!dcsd) {
		tunnel_open(d, listener, fd);
		return;
	}
	fd[CLIENT] = mustdial(daemon_port(d, 0));
	fd[TARGET] = mustaccept(listener);
}

static void
serve_one(void)
{
	open_tunnel();
	tunnel_check(fd);
	tunnel_close(fd);
}

/* The next client is served, and then nothing is left. */
static void
finish(void)
{
	serve_one();
	expect_baseline(d);
	stop_daemon(d);
	if (dcsd)
		stop_daemon(dcsd);
	close(listener);
}

/* How many threads it has; 0 where there is no /proc. */
static int
threads(void)
{
	char line[256], path[64];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon_pid(d));
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

START_TEST(accept_out_of_something_waits_and_then_serves)
{
	static const char *const faults[] = { "accept4:1:EMFILE", "accept4:1:ENFILE",
		"accept4:1:ENOBUFS", "accept4:1:ENOMEM" };

	begin(_i % 2 ? PPPD_SOCKS : DCSD, faults[_i / 2]);
	serve_one();
	expect_log(d, "shim: accept4 1 fails");
	expect_log(d, "accept: ");
	ck_assert_int_eq(log_count(d, "accept: "), 1);
	finish();
}
END_TEST

START_TEST(accept_of_a_client_that_has_gone_is_tried_again_at_once)
{
	static const char *const faults[] = { "accept4:1:ECONNABORTED", "accept4:1:EINTR",
		"accept4:1:EPROTO", "accept4:1:ENETDOWN", "accept4:1:EHOSTUNREACH",
		"accept4:1:ENETUNREACH", "accept4:1:EPERM" };

	begin(_i % 2 ? PPPD_SOCKS : DCSD, faults[_i / 2]);
	serve_one();
	expect_log(d, "shim: accept4 1 fails");
	expect_log(d, " end=");
	ck_assert_int_eq(log_count(d, "accept: "), 0); /* which goes with the wait */
	finish();
}
END_TEST

START_TEST(dcsd_without_a_socket_for_the_target_says_rep_1)
{
	begin(DCSD, "socket:1:EMFILE");
	fd[CLIENT] = socks_dial(d);
	socks_ask(fd[CLIENT], "127.0.0.1", local_port(listener));
	expect_failure(fd[CLIENT], 1);
	close(fd[CLIENT]);
	expect_log(d, "end=connect-failed rep=1 error=\"%s\"", strerror(EMFILE));
	finish();
}
END_TEST

START_TEST(ppp_without_a_socket_for_its_upstream_resets)
{
	begin(PPPD_SOCKS, "socket:1:EMFILE");
	expect_no_service(daemon_port(d, 0));
	expect_log(d, "end=connect-failed rep=- error=\"%s\"", strerror(EMFILE));
	finish();
}
END_TEST

/* A tunnel that carries much, both ways at once, to the end of either. */
static void
carry(size_t len)
{
	struct flow *flow[4];

	open_tunnel();
	for (int end = CLIENT; end <= TARGET; end++) {
		flow[end] = send_pattern(fd[end], len, THEN_EOF);
		flow[2 + end] = recv_pattern(fd[end], len, THEN_EOF);
	}
	for (int i = 0; i < 4; i++)
		flow_wait(flow[i]);
	tunnel_close(fd);
}

START_TEST(data_is_copied_where_it_cannot_be_spliced)
{
	static const char *const faults[] = { "pipe2:1+:EMFILE", "splice:1+:EINVAL",
		"splice:1+:ENOSYS" };

	begin(_i % 2 ? PPPD_SOCKS : DCSD, faults[_i / 2]);
	carry(MIB);
	finish();
}
END_TEST

START_TEST(interrupted_transfer_loses_nothing)
{
	static const char *const faults[] = { "splice:1:EINTR,splice:2:EINTR",
		"splice:4:EINTR,recv:2:EINTR,send:1:EINTR",
		"poll:2:EINTR,poll:4:EINTR,poll:7:EINTR,poll:9:EINTR",
		"pipe2:1+:EMFILE,recv:3:EINTR,send:3:EINTR,recv:4:EINTR,send:4:EINTR" };

	begin(_i % 2 ? PPPD_SOCKS : DCSD, faults[_i / 2]);
	carry(MIB);
	finish();
}
END_TEST

START_TEST(client_without_both_threads_is_reset)
{
	static const char *const faults[] = { "pthread_create:1:EAGAIN",
		"pthread_create:2:EAGAIN" };
	int before;

	begin(_i % 2 ? PPPD_SOCKS : DCSD, faults[_i / 2]);
	before = threads();
	expect_no_service(daemon_port(d, 0));
	expect_log(d, "client turned away, no thread for it: ");
	for (int tries = WAIT_MS / 10; threads() > before && tries > 0; tries--)
		poll(NULL, 0, 10);
	ck_assert_int_eq(threads(), before);
	serve_one();
	if (before > 0)
		ck_assert_int_eq(threads(), before + 2);
	finish();
}
END_TEST

/* Reads to the end. Returns how much came, or -1 when the end was a reset. */
static ssize_t
read_all(int from, char *buf, size_t size)
{
	size_t done = 0;
	ssize_t n = 1;

	while (n > 0 && done < size) {
		n = recv(from, buf + done, size - done, 0);
		done += n > 0 ? (size_t)n : 0;
	}
	if (n < 0 && errno != ECONNRESET && errno != EPIPE)
		fail_test("a client hangs: %s", strerror(errno));
	return n < 0 ? -1 : (ssize_t)done;
}

/* What a client of an echoing target sends, at once. Returns its size. */
#define QUESTION "question"
static size_t
build_all(char *out)
{
	uint8_t request[REQUEST_SIZE];
	size_t size = 0, len;

	if (!dcsd) {
		len = request_ip(request, "127.0.0.1", local_port(listener));
		memcpy(out, GREETING, 3);
		memcpy(out + 3, request, len);
		size = 3 + len;
	}
	memcpy(out + size, QUESTION, sizeof(QUESTION) - 1);
	return size + sizeof(QUESTION) - 1;
}

/*
 * A client of an echoing target. It is served, or refused, or reset, but never told that
 * an answer that is not whole is all. Returns whether it was served.
 */
static bool
try_client(void)
{
	char all[REQUEST_SIZE + 64], got[512];
	size_t size = build_all(all), head = dcsd ? 0 : 2 + 10;
	ssize_t n = -1;

	fd[CLIENT] = mustdial(daemon_port(d, 0));
	/* Whoever tells the reset tells it once. */
	if (send(fd[CLIENT], all, size, MSG_NOSIGNAL) == (ssize_t)size) {
		half_close(fd[CLIENT]);
		n = read_all(fd[CLIENT], got, sizeof(got));
	}
	close(fd[CLIENT]);
	if (n == -1 || (!dcsd && n >= 4 && got[3] != 0))
		return false;
	if ((size_t)n != head + sizeof(QUESTION) - 1)
		fail_test("an answer of %zd bytes looks whole", n);
	return true;
}

/*
 * Lets every allocation behind the start fail in turn, also those inside the C library,
 * but for getaddrinfo, which does not always survive it (glibc 2.36): no names here.
 */
static void
run_out_of_memory(enum program program, const char *more)
{
	char faults[64];
	int n, hits = 0;

	for (n = 1; n <= SITES; n++) {
		snprintf(faults, sizeof(faults), "malloc:%d:ENOMEM%s", n, more);
		begin(program, faults);
		echo_serve(listener);
		for (int i = 0; i < SITES && log_count(d, "shim: malloc") == 0; i++)
			(void)try_client();
		hits += log_count(d, "shim: malloc") > 0;
		if (!try_client())
			fail_test("the next client is not served");
		expect_baseline(d);
		stop_daemon(d);
		if (dcsd)
			stop_daemon(dcsd);
	}
	ck_assert_int_eq(hits, SITES);
}

START_TEST(dcsd_survives_the_failure_of_any_allocation)
{
	run_out_of_memory(DCSD, _i ? ",pipe2:1+:EMFILE" : "");
}
END_TEST

START_TEST(ppp_survives_the_failure_of_any_allocation)
{
	run_out_of_memory(PPPD_SOCKS, _i ? ",pipe2:1+:EMFILE" : "");
}
END_TEST

START_TEST(socket_options_that_cannot_be_set_do_no_harm)
{
	static const char *const faults[] = { "setsockopt:1+:ENOBUFS", "ioctl:1+:EINVAL",
		"getsockname:1:ENOBUFS" };

	begin(_i % 2 ? PPPD_SOCKS : DCSD, faults[_i / 2]);
	carry(MIB);
	finish();
}
END_TEST

/* A connection of which the address, or the state, cannot be told is not used. */
START_TEST(target_without_an_address_is_rep_1)
{
	static const char *const faults[] = { "getsockname:2:ENOBUFS",
		"getsockopt:1:ENOBUFS" };

	begin(DCSD, faults[_i]);
	fd[CLIENT] = socks_dial(d);
	socks_ask(fd[CLIENT], "127.0.0.1", local_port(listener));
	expect_failure(fd[CLIENT], 1);
	close(fd[CLIENT]);
	expect_log(d, "end=connect-failed rep=1 error=\"%s\"", strerror(ENOBUFS));
	fd[TARGET] = mustaccept(listener);
	expect_end(fd[TARGET]);
	close(fd[TARGET]);
	finish();
}
END_TEST

START_TEST(short_reads_and_writes_through_both_change_nothing)
{
	uint16_t port;

	listener = mustlisten("127.0.0.1", &port);
	set_shim(_i ? "pipe2:1+:EMFILE" : "", "1");
	dcsd = start_dcsd("%s", "timeouts: { drain = 0; };");
	d = start_ppp();
	unset_shim();
	daemon_mark(d);
	carry(8 * MIB);
	expect_log(d, " up=%d down=%d ", 8 * MIB, 8 * MIB);
	finish();
}
END_TEST

static atomic_bool storm_over;

/* Signals for the daemon, about a thousand a second. */
static void *
storm(void *arg)
{
	pid_t pid = *(const pid_t *)arg;

	for (int i = 0; !atomic_load(&storm_over); i++) {
		kill(pid, i % 2 ? SIGUSR1 : SIGHUP);
		poll(NULL, 0, 1);
	}
	return NULL;
}

START_TEST(storm_of_signals_changes_nothing)
{
	pthread_t thread[2];
	pid_t pid[2];

	begin(PPPD_SOCKS, "");
	pid[0] = daemon_pid(d);
	pid[1] = daemon_pid(dcsd);
	for (int i = 0; i < 2; i++)
		ck_assert(pthread_create(&thread[i], NULL, storm, &pid[i]) == 0);
	carry(64 * MIB);
	for (int i = 0; i < 20; i++)
		serve_one();
	atomic_store(&storm_over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	finish();
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("shim");
	const char *shim = getenv("SHIM_SO");

	if (!shim || !*shim || access(shim, R_OK) < 0) {
		puts("SKIPPED: no shim.so: with sanitizers, or where the linker has no"
		     " LD_PRELOAD, calls cannot be made to fail");
		return 77;
	}
	/* Both daemons in turn: _i % 2 tells which, _i / 2 is the row. */
	tcase_add_loop_test(tc, accept_out_of_something_waits_and_then_serves, 0, 2 * 4);
	tcase_add_loop_test(
		tc, accept_of_a_client_that_has_gone_is_tried_again_at_once, 0, 2 * 7);
	tcase_add_test(tc, dcsd_without_a_socket_for_the_target_says_rep_1);
	tcase_add_test(tc, ppp_without_a_socket_for_its_upstream_resets);
	tcase_add_loop_test(tc, data_is_copied_where_it_cannot_be_spliced, 0, 2 * 3);
	tcase_add_loop_test(tc, interrupted_transfer_loses_nothing, 0, 2 * 4);
	tcase_add_loop_test(tc, client_without_both_threads_is_reset, 0, 2 * 2);
	tcase_add_loop_test(tc, dcsd_survives_the_failure_of_any_allocation, 0, 2);
	tcase_add_loop_test(tc, ppp_survives_the_failure_of_any_allocation, 0, 2);
	tcase_add_loop_test(tc, socket_options_that_cannot_be_set_do_no_harm, 0, 2 * 3);
	tcase_add_loop_test(tc, target_without_an_address_is_rep_1, 0, 2);
	tcase_add_loop_test(tc, short_reads_and_writes_through_both_change_nothing, 0, 2);
	tcase_add_test(tc, storm_of_signals_changes_nothing);
	return harness_run("shim", tc);
}
