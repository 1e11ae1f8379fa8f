/* SPDX-License-Identifier: ISC */
/*
 * Connections through an upstream. The test itself is the SOCKS server, and says what it
 * hears and answers; the hop runs on a thread of its own meanwhile. Each test ends with
 * no fd more than before, and nobody left who waits to be accepted.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "../system/peer.h"
#include "hop.h"
#include "log.h"
#include "pipes.h"
#include "spares.h"
#include "tcp.h"

#define SILENCE_MS 300 /* the limit where nothing comes */
#define NEVER_MS   3600000
#define FDS	   1024

/* What is sent and answered, unless the test is about something else. */
#define OFFER_PASSWORD	"\5\1\2"
#define METHOD_PASSWORD "\5\2"
#define PASSWORD	"\1\4user\6secret"
#define STATUS_GOOD	"\1\0"
#define TARGET_NAME	"target.example"
#define REQUEST		"\5\1\0\3\16" TARGET_NAME "\1\273"
#define REPLY		"\5\0\0\1\0\0\0\0\0\0"
#define REPLY_REFUSED	"\5\5\0\1\0\0\0\0\0\0"
#define PAYLOAD		"SSH-2.0-early"

/* The one hop of a test. */
static struct ask {
	struct upstream *upstream;
	struct hop hop;
	bool open_only; /* hop_open instead of hop_request */
	pthread_t thread;
	enum hop_result result;
} ask;

static int listener = -1, fds;
static uint16_t port;
static int64_t end_ms; /* of a wait that has no other limit */

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < FDS; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

/* Those that messages go through stay: as many as there are threads that send. */
static void
make_pipes(void)
{
	struct pipe_pair *pair[4];

	for (int i = 0; i < 4; i++)
		pair[i] = pipes_take();
	for (int i = 0; i < 4; i++)
		if (pair[i])
			pipes_give(pair[i]);
}

static void
set_up(void)
{
	struct hostport address = { .host = "127.0.0.1" };

	make_pipes();
	fds = count_fds();
	listener = mustlisten("127.0.0.1", &port);
	address.port = port;
	ask.upstream = upstream_new(&address);
	ck_assert_ptr_nonnull(ask.upstream);
	end_ms = now_ms() + WAIT_MS;
	ask.hop.limits = (struct hop_limits){
		.all = { end_ms, -1 },
		.handshake_ms = WAIT_MS,
		.reply_ms = end_ms,
	};
}

/* A hop that has ended has connected to all that it ever will. */
static void
expect_nobody(void)
{
	struct pollfd p = { listener, POLLIN, 0 };

	ck_assert_int_eq(poll(&p, 1, 0), 0);
}

static void
tear_down(void)
{
	if (listener != -1) {
		expect_nobody();
		close(listener);
	}
	hop_close(&ask.hop);
	if (ask.upstream->spares)
		ck_assert_int_eq(spares_stop(ask.upstream->spares, WAIT_MS), 0);
	spares_free(ask.upstream->spares);
	upstream_free(ask.upstream);
	ck_assert_int_eq(count_fds(), fds);
}

static void
stop_listening(void)
{
	close(listener);
	listener = -1;
}

static void
use_password(void)
{
	ask.upstream->credentials = (struct socks_credentials){ 4, 6, "user", "secret" };
}

static void
use_pipelining(enum pipelining known)
{
	ask.upstream->pipelined = true;
	atomic_store(&ask.upstream->state->pipelining, known);
}

static enum pipelining
known(void)
{
	return atomic_load(&ask.upstream->state->pipelining);
}

static void *
run_hop(void *arg)
{
	struct socks_request request = { .cmd = SOCKS_CONNECT };
	const struct hostport target = { TARGET_NAME, 443 };

	(void)arg;
	socks_dest_from_hostport(&request.dst, &target);
	ask.result = ask.open_only ? hop_open(&ask.hop) : hop_request(&ask.hop, &request);
	return NULL;
}

static void
begin(void)
{
	ask.hop.upstream = ask.upstream;
	ask.hop.socks = (struct socks_client){ .fd = -1 };
	ask.hop.error = NULL;
	ck_assert_int_eq(pthread_create(&ask.thread, NULL, run_hop, NULL), 0);
}

/* error: NULL, or what it begins with. */
static void
expect_result(enum hop_result result, const char *error)
{
	const char *got;

	pthread_join(ask.thread, NULL);
	got = ask.hop.error;
	if (ask.result != result)
		fail_test("result %d (%s) instead of %d", ask.result, got ? got : "-",
			result);
	if (error ? !got || strncmp(got, error, strlen(error)) != 0 : got != NULL)
		fail_test("error '%s' instead of '%s'", got ? got : "-",
			error ? error : "-");
}
#define expect_result(...) AT(expect_result(__VA_ARGS__))

/* What comes as one piece, and nothing else with it. */
static void
expect_segment(int fd, const void *want, size_t len)
{
	char got[2048];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	if (n != (ssize_t)len || memcmp(got, want, len) != 0)
		fail_test("%zd other bytes instead of a segment of %zu", n, len);
}
#define expect_segment(...) AT(expect_segment(__VA_ARGS__))

/* A server's steps, up to where it has got the request, the password, the greeting. */
static int
accept_greeting(void)
{
	bool password = ask.upstream->credentials.name_len > 0;
	int fd = mustaccept(listener);

	if (password)
		expect_segment(fd, BYTES(OFFER_PASSWORD));
	else
		expect_segment(fd, BYTES(GREETING));
	return fd;
}

static int
accept_password(void)
{
	int fd = accept_greeting();

	mustsend(fd, BYTES(METHOD_PASSWORD));
	expect_segment(fd, BYTES(PASSWORD));
	return fd;
}

static int
accept_request(void)
{
	bool password = ask.upstream->credentials.name_len > 0;
	int fd = password ? accept_password() : accept_greeting();

	if (password)
		mustsend(fd, BYTES(STATUS_GOOD));
	else
		mustsend(fd, BYTES(METHOD_NONE));
	expect_segment(fd, BYTES(REQUEST));
	return fd;
}

static int
accept_pipelined(void)
{
	int fd = mustaccept(listener);

	if (ask.upstream->credentials.name_len > 0)
		expect_segment(fd, BYTES(OFFER_PASSWORD PASSWORD REQUEST));
	else
		expect_segment(fd, BYTES(GREETING REQUEST));
	return fd;
}

/* The hop's socket is connected to fd. */
static void
expect_connected(int fd)
{
	mustsend(ask.hop.socks.fd, BYTES("question"));
	expect_bytes(fd, BYTES("question"));
	mustsend(fd, BYTES("answer"));
	expect_bytes(ask.hop.socks.fd, BYTES("answer"));
}

static void
send_slowly(int fd, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		mustsend(fd, data + i, 1);
		sched_yield();
	}
}

/* ---- step by step ---- */

START_TEST(a_request_goes_step_by_step)
{
	int fd;

	begin();
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	ck_assert_uint_eq(ask.hop.socks.in.len, 0);
	expect_connected(fd);
	close(fd);
}
END_TEST

START_TEST(with_a_password_nothing_else_is_offered)
{
	int fd;

	use_password();
	begin();
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	expect_connected(fd);
	close(fd);
}
END_TEST

START_TEST(answers_may_come_in_pieces)
{
	int fd;

	use_password();
	begin();
	fd = accept_greeting();
	send_slowly(fd, BYTES(METHOD_PASSWORD));
	expect_segment(fd, BYTES(PASSWORD));
	send_slowly(fd, BYTES(STATUS_GOOD));
	expect_segment(fd, BYTES(REQUEST));
	send_slowly(fd, BYTES("\5\0\0\3\3bnd\1\2"));
	expect_result(HOP_OK, NULL);
	expect_connected(fd);
	close(fd);
}
END_TEST

START_TEST(payload_behind_the_reply_stays_in_the_inbox)
{
	int fd;

	begin();
	fd = accept_request();
	mustsend(fd, BYTES(REPLY PAYLOAD));
	expect_result(HOP_OK, NULL);
	ck_assert_uint_eq(ask.hop.socks.in.len, strlen(PAYLOAD));
	ck_assert_mem_eq(ask.hop.socks.in.data, PAYLOAD, strlen(PAYLOAD));
	close(fd);
}
END_TEST

START_TEST(open_stops_before_the_request)
{
	int fd;

	use_password();
	ask.open_only = true;
	begin();
	fd = accept_password();
	mustsend(fd, BYTES(STATUS_GOOD));
	expect_result(HOP_OK, NULL);
	expect_connected(fd);
	close(fd);
}
END_TEST

START_TEST(a_socket_that_was_taken_is_not_closed)
{
	int fd, taken;

	begin();
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	taken = hop_take_fd(&ask.hop);
	hop_close(&ask.hop);
	mustsend(taken, BYTES("still there"));
	expect_bytes(fd, BYTES("still there"));
	close(taken);
	close(fd);
}
END_TEST

/* ---- who is to blame ---- */

enum at { AT_GREETING, AT_PASSWORD, AT_REQUEST };
enum then_do { STAY, CLOSE, RESET };

/* The server gets up to a message, says something else than it should, and may end. */
static const struct bad_server {
	const char *name;
	enum at at;
	const char *say;
	size_t len;
	enum then_do then;
	enum hop_result result;
	const char *error;
} bad_servers[] = {
	{ "no method", AT_GREETING, BYTES("\5\377"), STAY, HOP_UPSTREAM_FAILED,
		"accepts no method that was offered" },
	{ "another method", AT_GREETING, BYTES("\5\1"), STAY, HOP_UPSTREAM_FAILED,
		"chose a method that was not offered" },
	{ "no password wanted", AT_GREETING, BYTES("\5\0"), STAY, HOP_UPSTREAM_FAILED,
		"chose a method that was not offered" },
	{ "HTTP", AT_GREETING, BYTES("HTTP/1.1 400 Bad Request\r\n"), STAY,
		HOP_UPSTREAM_FAILED, "not a SOCKS5 server" },
	{ "SOCKS4", AT_GREETING, BYTES("\0\133"), STAY, HOP_UPSTREAM_FAILED,
		"not a SOCKS5 server" },
	{ "end at the greeting", AT_GREETING, "", 0, CLOSE, HOP_UPSTREAM_FAILED,
		"closed the connection during the handshake" },
	{ "end in the method", AT_GREETING, BYTES("\5"), CLOSE, HOP_UPSTREAM_FAILED,
		"closed the connection during the handshake" },
	{ "reset at the greeting", AT_GREETING, "", 0, RESET, HOP_UPSTREAM_FAILED,
		"Connection reset" },
	{ "wrong password", AT_PASSWORD, BYTES("\1\1"), STAY, HOP_UPSTREAM_FAILED,
		"refused the name or password" },
	{ "wrong password and end", AT_PASSWORD, BYTES("\1\377"), CLOSE,
		HOP_UPSTREAM_FAILED, "refused the name or password" },
	{ "no status", AT_PASSWORD, BYTES("\7\0"), STAY, HOP_UPSTREAM_FAILED,
		"sent a malformed answer to the password" },
	{ "end at the password", AT_PASSWORD, "", 0, CLOSE, HOP_UPSTREAM_FAILED,
		"closed the connection during the handshake" },
	{ "reset at the password", AT_PASSWORD, "", 0, RESET, HOP_UPSTREAM_FAILED,
		"Connection reset" },
	{ "no reply", AT_REQUEST, BYTES("\4\0"), STAY, HOP_UPSTREAM_FAILED,
		"sent a malformed reply" },
	{ "reply with a bad ATYP", AT_REQUEST, BYTES("\5\0\0\2"), STAY,
		HOP_UPSTREAM_FAILED, "sent a malformed reply" },
	{ "end at the request", AT_REQUEST, "", 0, CLOSE, HOP_LOST,
		"closed the connection during the handshake" },
	{ "end in the reply", AT_REQUEST, BYTES("\5\0\0\1\177"), CLOSE, HOP_LOST,
		"closed the connection during the handshake" },
	{ "reset at the request", AT_REQUEST, "", 0, RESET, HOP_LOST,
		"Connection reset" },
	{ "refused and end", AT_REQUEST, BYTES(REPLY_REFUSED), CLOSE, HOP_TARGET_FAILED,
		"connection refused" },
};

/* Says what the row wants, and ends as it wants. Returns the fd, or -1. */
static int
say(const struct bad_server *row, int fd)
{
	if (row->len > 0)
		mustsend(fd, row->say, row->len);
	if (row->then == CLOSE)
		close(fd);
	else if (row->then == RESET)
		tcp_reset(fd);
	return row->then == STAY ? fd : -1;
}

static void
finish(int fd)
{
	if (fd != -1)
		close(fd);
	hop_close(&ask.hop);
	expect_nobody();
}

START_TEST(a_bad_server_is_to_blame)
{
	static int (*const accept_message[])(
		void) = { accept_greeting, accept_password, accept_request };
	const struct bad_server *row = &bad_servers[_i];
	int fd;

	harness_row = row->name;
	use_password();
	begin();
	fd = say(row, accept_message[row->at]());
	expect_result(row->result, row->error);
	finish(fd);
}
END_TEST

START_TEST(a_bad_server_is_to_blame_pipelined)
{
	const struct bad_server *row = &bad_servers[_i];
	bool answers = row->result == HOP_TARGET_FAILED;
	int fd;

	harness_row = row->name;
	use_password();
	use_pipelining(PIPELINING_WORKS);
	begin();
	fd = accept_pipelined();
	if (row->at > AT_GREETING)
		mustsend(fd, BYTES(METHOD_PASSWORD));
	if (row->at > AT_PASSWORD)
		mustsend(fd, BYTES(STATUS_GOOD));
	fd = say(row, fd);
	expect_result(row->result, row->error);
	ck_assert_int_eq(known(), answers ? PIPELINING_WORKS : PIPELINING_UNKNOWN);
	finish(fd);
}
END_TEST

static enum hop_result
result_of_rep(int rep)
{
	switch (rep) {
	case 0:
		return HOP_OK;
	case 3:
	case 4:
	case 5:
	case 6:
		return HOP_TARGET_FAILED;
	default:
		return HOP_REFUSED;
	}
}

START_TEST(rep_says_whether_the_target_has_failed)
{
	char reply[] = REPLY;
	int fd;

	reply[1] = (char)_i;
	begin();
	fd = accept_request();
	mustsend(fd, reply, sizeof(reply) - 1);
	expect_result(result_of_rep(_i), _i == 0 ? NULL : socks_rep_text((uint8_t)_i));
	ck_assert(ask.hop.socks.replied);
	ck_assert_int_eq(ask.hop.socks.reply.rep, _i);
	close(fd);
}
END_TEST

START_TEST(an_upstream_where_nobody_listens_has_failed)
{
	use_pipelining(_i);
	stop_listening();
	begin();
	expect_result(HOP_UPSTREAM_FAILED, "Connection refused");
	ck_assert_int_eq(ask.hop.socks.fd, -1);
	ck_assert_int_eq(known(), _i == PIPELINING_WORKS ? PIPELINING_UNKNOWN : _i);
}
END_TEST

START_TEST(an_upstream_whose_name_is_wrong_has_failed)
{
	strcpy(ask.upstream->address.host, "no-such-host.invalid");
	ask.open_only = true;
	begin();
	pthread_join(ask.thread, NULL);
	ck_assert_int_eq(ask.result, HOP_UPSTREAM_FAILED);
	ck_assert_ptr_nonnull(ask.hop.error);
}
END_TEST

/* What had no limit but a short one has not taken as long as the others. */
static void
expect_no_answer(enum hop_result result)
{
	expect_result(result, "no answer in time");
	ck_assert_int_lt(now_ms(), end_ms);
}
#define expect_no_answer(result) AT(expect_no_answer(result))

START_TEST(silence_after_the_greeting_is_the_upstream_s_failure)
{
	int fd;

	ask.hop.limits.handshake_ms = SILENCE_MS;
	begin();
	fd = accept_greeting();
	expect_no_answer(HOP_UPSTREAM_FAILED);
	close(fd);
}
END_TEST

START_TEST(the_greeting_takes_no_longer_than_all)
{
	int fd;

	ask.hop.limits.all.until_ms = now_ms() + SILENCE_MS;
	begin();
	fd = mustaccept(listener);
	expect_no_answer(HOP_UPSTREAM_FAILED);
	close(fd);
}
END_TEST

START_TEST(silence_after_the_password_is_the_upstream_s_failure)
{
	int fd;

	use_password();
	ask.hop.limits.handshake_ms = SILENCE_MS;
	begin();
	fd = mustaccept(listener);
	try_send(fd, BYTES(METHOD_PASSWORD));
	expect_no_answer(HOP_UPSTREAM_FAILED);
	close(fd);
}
END_TEST

START_TEST(silence_after_the_request_is_no_reply)
{
	int fd;

	ask.hop.limits.reply_ms = now_ms() + SILENCE_MS;
	begin();
	fd = accept_greeting();
	mustsend(fd, BYTES(METHOD_NONE));
	expect_segment(fd, BYTES(REQUEST));
	expect_no_answer(HOP_NO_REPLY);
	close(fd);
}
END_TEST

START_TEST(silence_in_the_reply_is_no_reply)
{
	int fd;

	ask.hop.limits.reply_ms = now_ms() + SILENCE_MS;
	begin();
	fd = accept_request();
	try_send(fd, BYTES("\5\0\0"));
	expect_no_answer(HOP_NO_REPLY);
	close(fd);
}
END_TEST

START_TEST(the_reply_may_take_longer_than_the_rest)
{
	int64_t until_ms = now_ms() + 2000;
	int fd;

	ask.hop.limits.all.until_ms = until_ms;
	begin();
	fd = accept_request();
	while (now_ms() <= until_ms)
		expect_silence(fd, 10);
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	close(fd);
}
END_TEST

START_TEST(without_fds_nobody_is_to_blame)
{
	struct rlimit limit, none;
	int fd = dup(STDERR_FILENO);

	ck_assert_int_ne(fd, -1);
	close(fd);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)fd;
	use_pipelining(_i);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	begin();
	pthread_join(ask.thread, NULL);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(ask.result, HOP_SHORT);
	ck_assert_ptr_nonnull(ask.hop.error);
	ck_assert_int_eq(known(), _i);
}
END_TEST

/* ---- the client that waits ---- */

START_TEST(a_client_that_leaves_ends_the_wait)
{
	static const struct {
		enum pipelining known;
		int (*accept)(void);
		const char *say;
		size_t len;
	} rows[] = {
		{ PIPELINING_FAILS, accept_greeting, "", 0 },
		{ PIPELINING_FAILS, accept_password, "", 0 },
		{ PIPELINING_FAILS, accept_request, "", 0 },
		{ PIPELINING_FAILS, accept_request, BYTES("\5") },
		{ PIPELINING_UNKNOWN, accept_pipelined, "", 0 },
		{ PIPELINING_UNKNOWN, accept_pipelined,
			BYTES(METHOD_PASSWORD STATUS_GOOD) },
		{ PIPELINING_WORKS, accept_pipelined, BYTES(METHOD_PASSWORD) },
		{ PIPELINING_WORKS, accept_pipelined,
			BYTES(METHOD_PASSWORD STATUS_GOOD) },
	};
	int client[2], fd;

	tcp_pair(client);
	ask.hop.limits.all.watch = client[0];
	use_password();
	use_pipelining(rows[_i].known);
	begin();
	fd = rows[_i].accept();
	mustsend(fd, rows[_i].say, rows[_i].len);
	tcp_reset(client[1]);
	expect_result(HOP_CLIENT_LEFT, NULL);
	ck_assert_int_eq(known(), rows[_i].known);
	close(fd);
	close(client[0]);
}
END_TEST

START_TEST(a_client_that_leaves_ends_the_connecting)
{
	int client[2], full;

	full = full_port(&ask.upstream->address.port);
	if (full == -1)
		return;
	fds = count_fds() - 1; /* the listener's */
	tcp_pair(client);
	ask.hop.limits.all.watch = client[0];
	begin();
	tcp_reset(client[1]);
	expect_result(HOP_CLIENT_LEFT, NULL);
	close(client[0]);
}
END_TEST

START_TEST(a_client_that_half_closes_still_waits)
{
	int client[2], fd;

	tcp_pair(client);
	ask.hop.limits.all.watch = client[0];
	begin();
	fd = accept_greeting();
	half_close(client[1]);
	expect_silence(fd, 50);
	mustsend(fd, BYTES(METHOD_NONE));
	expect_segment(fd, BYTES(REQUEST));
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	close(fd);
	close(client[0]);
	close(client[1]);
}
END_TEST

/* ---- whom it is for ---- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEADER_CLIENT                                                                    \
	SIGNATURE "\x21\x11\0\x29\xc0\0\2\1\x7f\0\0\1\x30\x39\x1f\x41"                   \
		  "\2\0\15proxy.example\5\0\12c0ffee-1.0"
#define HEADER_LOCAL SIGNATURE "\x20\0\0\0"

static void
use_header(void)
{
	static struct addr from, to;

	ask.upstream->proxy_protocol = true;
	ask.upstream->connect_as = strdup("proxy.example");
	ck_assert_ptr_nonnull(ask.upstream->connect_as);
	ck_assert(addr_from_text(&from, "192.0.2.1", 12345));
	ck_assert(addr_from_text(&to, "127.0.0.1", 8001));
	ask.hop.client = (struct hop_client){ &from, &to, "c0ffee-1.0" };
}

START_TEST(the_header_goes_before_the_greeting)
{
	int fd;

	use_header();
	begin();
	fd = mustaccept(listener);
	expect_bytes(fd, BYTES(HEADER_CLIENT GREETING));
	expect_silence(fd, 0);
	mustsend(fd, BYTES(METHOD_NONE));
	expect_segment(fd, BYTES(REQUEST));
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	close(fd);
}
END_TEST

START_TEST(the_header_is_in_the_one_segment)
{
	int fd;

	use_header();
	use_password();
	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = mustaccept(listener);
	expect_segment(fd, BYTES(HEADER_CLIENT OFFER_PASSWORD PASSWORD REQUEST));
	mustsend(fd, BYTES(METHOD_PASSWORD STATUS_GOOD REPLY));
	expect_result(HOP_OK, NULL);
	close(fd);
}
END_TEST

START_TEST(the_header_names_nobody_when_there_is_nobody)
{
	int fd;

	ask.upstream->proxy_protocol = true;
	begin();
	fd = mustaccept(listener);
	expect_bytes(fd, BYTES(HEADER_LOCAL GREETING));
	mustsend(fd, BYTES(METHOD_NONE));
	expect_segment(fd, BYTES(REQUEST));
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	close(fd);
}
END_TEST

/* ---- all in one segment ---- */

static int saved_stderr;
static FILE *log_file;

static void
open_log(void)
{
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ne(dup2(fileno(log_file), STDERR_FILENO), -1);
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
}

/* How many times the line is there that an upstream is spoken to step by step. */
static int
close_log(void)
{
	static const char line[] = "does not take a pipelined handshake";
	static char text[65536];
	int n = 0;

	rewind(log_file);
	text[fread(text, 1, sizeof(text) - 1, log_file)] = '\0';
	fclose(log_file);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	for (char *at = text; (at = strstr(at, line)); at += sizeof(line))
		n++;
	return n;
}

/* Another one, for which a server is ready that takes only one step after another. */
static void
expect_step_by_step(void)
{
	int fd;

	begin();
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	finish(fd);
}

/* What a server answers to a pipelined handshake, in one segment or byte by byte. */
static void
try_answers(const char *answers, size_t len, bool slowly)
{
	int fd;

	use_pipelining(PIPELINING_UNKNOWN);
	for (int i = 0; i < 2; i++) {
		begin();
		fd = accept_pipelined();
		if (slowly)
			send_slowly(fd, answers, len);
		else
			mustsend(fd, answers, len);
		expect_result(HOP_OK, NULL);
		ck_assert_int_eq(known(), PIPELINING_WORKS);
		expect_connected(fd);
		finish(fd);
	}
}

START_TEST(pipelined_all_is_one_segment)
{
	try_answers(BYTES(METHOD_NONE REPLY), _i);
}
END_TEST

START_TEST(pipelined_all_is_one_segment_with_a_password)
{
	use_password();
	try_answers(BYTES(METHOD_PASSWORD STATUS_GOOD REPLY), _i);
}
END_TEST

START_TEST(pipelined_payload_behind_the_reply_stays_in_the_inbox)
{
	int fd;

	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	mustsend(fd, BYTES(METHOD_NONE REPLY PAYLOAD));
	expect_result(HOP_OK, NULL);
	ck_assert_uint_eq(ask.hop.socks.in.len, strlen(PAYLOAD));
	ck_assert_mem_eq(ask.hop.socks.in.data, PAYLOAD, strlen(PAYLOAD));
	close(fd);
}
END_TEST

START_TEST(pipelined_a_no_is_an_answer)
{
	int fd;

	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	mustsend(fd, BYTES(METHOD_NONE "\5\4\0\1\0\0\0\0\0\0"));
	expect_result(HOP_TARGET_FAILED, socks_rep_text(4));
	ck_assert_int_eq(known(), PIPELINING_WORKS);
	close(fd);
}
END_TEST

START_TEST(a_server_that_throws_the_request_away_is_asked_again)
{
	int fd;

	open_log();
	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	if (_i == 0)
		mustsend(fd, BYTES(METHOD_NONE));
	expect_end(fd);
	close(fd);
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	ck_assert_int_eq(known(), PIPELINING_FAILS);
	expect_connected(fd);
	finish(fd);
	expect_step_by_step();
	ck_assert_int_eq(close_log(), 1);
}
END_TEST

START_TEST(a_server_that_ends_at_a_pipelined_handshake_is_asked_again)
{
	int fd;

	open_log();
	for (int i = 0; i < 2; i++) {
		use_pipelining(PIPELINING_UNKNOWN);
		begin();
		fd = accept_pipelined();
		if (_i == 0)
			mustsend(fd, BYTES(METHOD_NONE));
		if (_i == 1)
			tcp_reset(fd);
		else
			close(fd);
		fd = accept_request();
		mustsend(fd, i == 0 ? REPLY : REPLY_REFUSED, sizeof(REPLY) - 1);
		expect_result(i == 0 ? HOP_OK : HOP_TARGET_FAILED,
			i == 0 ? NULL : socks_rep_text(5));
		ck_assert_int_eq(known(), PIPELINING_FAILS);
		finish(fd);
		expect_step_by_step();
		ck_assert_int_eq(known(), PIPELINING_FAILS);
	}
	ck_assert_int_eq(close_log(), 2);
}
END_TEST

/* Each of those who find it out at the same time, but the first. */
START_TEST(what_another_one_has_found_out_is_not_told_again)
{
	int fd;

	open_log();
	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	atomic_store(&ask.upstream->state->pipelining, PIPELINING_FAILS);
	close(fd);
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	finish(fd);
	use_pipelining(PIPELINING_WORKS);
	begin();
	fd = accept_pipelined();
	atomic_store(&ask.upstream->state->pipelining, PIPELINING_FAILS);
	close(fd);
	expect_result(HOP_UPSTREAM_FAILED, "closed the connection during the handshake");
	ck_assert_int_eq(known(), PIPELINING_FAILS);
	ck_assert_int_eq(close_log(), 0);
}
END_TEST

START_TEST(a_server_that_is_bad_in_both_ways_is_asked_no_third_time)
{
	int fd;

	open_log();
	use_password();
	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	mustsend(fd, BYTES(METHOD_PASSWORD "\1\1"));
	close(fd);
	fd = accept_password();
	mustsend(fd, BYTES("\1\1"));
	expect_result(HOP_UPSTREAM_FAILED, "refused the name or password");
	ck_assert_int_eq(known(), PIPELINING_UNKNOWN);
	finish(fd);
	ck_assert_int_eq(close_log(), 0);
}
END_TEST

/* The first way gets half of two seconds; the answer to the second takes longer. */
START_TEST(a_slow_target_does_not_speak_against_pipelining)
{
	int64_t since_ms;
	int fd;

	open_log();
	ask.hop.limits.all.until_ms = now_ms() + 2000;
	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	mustsend(fd, BYTES(METHOD_NONE));
	expect_end(fd);
	close(fd);
	fd = accept_request();
	since_ms = now_ms();
	while (now_ms() - since_ms <= 1000)
		expect_silence(fd, 10);
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	ck_assert_int_eq(known(), PIPELINING_UNKNOWN);
	finish(fd);
	ck_assert_int_eq(close_log(), 0);
}
END_TEST

START_TEST(a_target_that_is_silent_in_both_ways_gives_no_reply)
{
	int fd;

	ask.hop.limits.all.until_ms = now_ms() + 2000;
	ask.hop.limits.reply_ms = ask.hop.limits.all.until_ms;
	use_pipelining(PIPELINING_UNKNOWN);
	begin();
	fd = accept_pipelined();
	mustsend(fd, BYTES(METHOD_NONE));
	expect_end(fd);
	close(fd);
	fd = accept_request();
	expect_no_answer(HOP_NO_REPLY);
	ck_assert_int_eq(known(), PIPELINING_UNKNOWN);
	close(fd);
}
END_TEST

START_TEST(pipelining_that_worked_is_doubted_after_silence)
{
	int fd;

	ask.hop.limits.reply_ms = now_ms() + SILENCE_MS;
	use_pipelining(PIPELINING_WORKS);
	begin();
	fd = mustaccept(listener);
	try_send(fd, BYTES(METHOD_NONE));
	expect_no_answer(HOP_NO_REPLY);
	ck_assert_int_eq(known(), PIPELINING_UNKNOWN);
	close(fd);
}
END_TEST

/* ---- on a spare connection ---- */

static _Atomic int spares_left;

/* A connection on which the greeting is over. */
static int
open_spare(void *arg)
{
	(void)arg;
	if (atomic_fetch_sub(&spares_left, 1) <= 0)
		return -1;
	return mustdial(port);
}

/* Makes n spares, and never another one. server gets their other ends. */
static void
use_spares(int n, int *server)
{
	const struct spares_plan plan = {
		.n = n,
		.age_ms = NEVER_MS,
		.pause = { NEVER_MS, NEVER_MS },
		.open = open_spare,
	};
	int64_t until_ms = now_ms() + WAIT_MS;

	atomic_store(&spares_left, n);
	ask.upstream->spares = spares_new(&plan);
	ck_assert_ptr_nonnull(ask.upstream->spares);
	ck_assert_int_eq(spares_start(ask.upstream->spares), 0);
	for (int i = 0; i < n; i++)
		server[i] = mustaccept(listener);
	while (spares_ready(ask.upstream->spares) != (size_t)n && now_ms() < until_ms)
		sched_yield();
	ck_assert_uint_eq(spares_ready(ask.upstream->spares), n);
}

START_TEST(on_a_spare_the_request_is_all_that_is_sent)
{
	int fd;

	use_password();
	use_pipelining(PIPELINING_UNKNOWN);
	use_spares(1, &fd);
	begin();
	expect_segment(fd, BYTES(REQUEST));
	mustsend(fd, BYTES(REPLY PAYLOAD));
	expect_result(HOP_OK, NULL);
	ck_assert_uint_eq(ask.hop.socks.in.len, strlen(PAYLOAD));
	ck_assert_int_eq(known(), PIPELINING_UNKNOWN);
	expect_connected(fd);
	close(fd);
}
END_TEST

START_TEST(on_a_spare_a_no_is_an_answer)
{
	int fd;

	use_spares(1, &fd);
	begin();
	expect_segment(fd, BYTES(REQUEST));
	mustsend(fd, BYTES("\5\2\0\1\0\0\0\0\0\0"));
	close(fd);
	expect_result(HOP_REFUSED, socks_rep_text(2));
}
END_TEST

START_TEST(without_a_spare_the_connection_is_a_fresh_one)
{
	int fd;

	use_spares(1, &fd);
	begin();
	expect_segment(fd, BYTES(REQUEST));
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	finish(fd);
	expect_step_by_step();
}
END_TEST

/* Which of them has got the request. */
static int
find_used(const int *server, int n)
{
	struct pollfd p[8];

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ server[i], POLLIN, 0 };
	ck_assert_int_eq(poll(p, (nfds_t)n, WAIT_MS), 1);
	for (int i = 0; i < n; i++)
		if (p[i].revents)
			return i;
	return -1;
}

/* All but one are closed, and so not taken any more. */
static void
expect_distrust(const int *server, int n, int used)
{
	ck_assert_uint_eq(spares_ready(ask.upstream->spares), 0);
	for (int i = 0; i < n; i++) {
		if (i == used)
			continue;
		expect_end(server[i]);
		close(server[i]);
	}
}

START_TEST(a_spare_that_dies_is_replaced_by_a_fresh_connection)
{
	static const struct bad_server deaths[] = {
		{ "end", AT_REQUEST, "", 0, CLOSE, HOP_OK, NULL },
		{ "reset", AT_REQUEST, "", 0, RESET, HOP_OK, NULL },
		{ "end in the reply", AT_REQUEST, BYTES("\5\0\0"), CLOSE, HOP_OK, NULL },
		{ "no reply", AT_REQUEST, BYTES("\4"), CLOSE, HOP_OK, NULL },
	};
	int server[3], used, fd;

	harness_row = deaths[_i].name;
	use_spares(3, server);
	begin();
	used = find_used(server, 3);
	expect_segment(server[used], BYTES(REQUEST));
	say(&deaths[_i], server[used]);
	fd = accept_request();
	mustsend(fd, BYTES(REPLY));
	expect_result(HOP_OK, NULL);
	ck_assert_uint_eq(ask.hop.socks.in.len, 0);
	expect_connected(fd);
	expect_distrust(server, 3, used);
	close(fd);
}
END_TEST

START_TEST(a_spare_that_dies_is_replaced_only_once)
{
	int fd;

	use_spares(1, &fd);
	begin();
	expect_segment(fd, BYTES(REQUEST));
	close(fd);
	fd = accept_request();
	close(fd);
	expect_result(HOP_LOST, "closed the connection during the handshake");
}
END_TEST

START_TEST(a_spare_that_dies_is_replaced_by_a_pipelined_connection)
{
	int fd;

	use_pipelining(PIPELINING_UNKNOWN);
	use_spares(1, &fd);
	begin();
	expect_segment(fd, BYTES(REQUEST));
	close(fd);
	fd = accept_pipelined();
	mustsend(fd, BYTES(METHOD_NONE REPLY));
	expect_result(HOP_OK, NULL);
	ck_assert_int_eq(known(), PIPELINING_WORKS);
	close(fd);
}
END_TEST

START_TEST(a_spare_that_is_silent_speaks_against_the_others)
{
	int server[3], used;

	use_spares(3, server);
	ask.hop.limits.reply_ms = now_ms() + SILENCE_MS;
	begin();
	used = find_used(server, 3);
	expect_segment(server[used], BYTES(REQUEST));
	expect_no_answer(HOP_NO_REPLY);
	expect_distrust(server, 3, used);
	close(server[used]);
}
END_TEST

START_TEST(a_client_that_leaves_speaks_against_no_spare)
{
	int client[2], server[3], used;

	tcp_pair(client);
	ask.hop.limits.all.watch = client[0];
	use_spares(3, server);
	begin();
	used = find_used(server, 3);
	tcp_reset(client[1]);
	expect_result(HOP_CLIENT_LEFT, NULL);
	ck_assert_uint_eq(spares_ready(ask.upstream->spares), 2);
	for (int i = 0; i < 3; i++)
		close(server[i]);
	ck_assert_int_ge(used, 0);
	close(client[0]);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("hop");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_request_goes_step_by_step);
	tcase_add_test(tc, with_a_password_nothing_else_is_offered);
	tcase_add_test(tc, answers_may_come_in_pieces);
	tcase_add_test(tc, payload_behind_the_reply_stays_in_the_inbox);
	tcase_add_test(tc, open_stops_before_the_request);
	tcase_add_test(tc, a_socket_that_was_taken_is_not_closed);
	tcase_add_loop_test(tc, a_bad_server_is_to_blame, 0, (int)COUNT(bad_servers));
	tcase_add_loop_test(
		tc, a_bad_server_is_to_blame_pipelined, 0, (int)COUNT(bad_servers));
	tcase_add_loop_test(tc, rep_says_whether_the_target_has_failed, 0, 10);
	tcase_add_loop_test(tc, rep_says_whether_the_target_has_failed, 255, 256);
	tcase_add_loop_test(tc, an_upstream_where_nobody_listens_has_failed, 0, 3);
	tcase_add_test(tc, an_upstream_whose_name_is_wrong_has_failed);
	tcase_add_test(tc, silence_after_the_greeting_is_the_upstream_s_failure);
	tcase_add_test(tc, the_greeting_takes_no_longer_than_all);
	tcase_add_test(tc, silence_after_the_password_is_the_upstream_s_failure);
	tcase_add_test(tc, silence_after_the_request_is_no_reply);
	tcase_add_test(tc, silence_in_the_reply_is_no_reply);
	tcase_add_test(tc, the_reply_may_take_longer_than_the_rest);
	tcase_add_loop_test(tc, without_fds_nobody_is_to_blame, 0, 3);
	tcase_add_loop_test(tc, a_client_that_leaves_ends_the_wait, 0, 8);
	tcase_add_test(tc, a_client_that_leaves_ends_the_connecting);
	tcase_add_test(tc, a_client_that_half_closes_still_waits);
	tcase_add_test(tc, the_header_goes_before_the_greeting);
	tcase_add_test(tc, the_header_is_in_the_one_segment);
	tcase_add_test(tc, the_header_names_nobody_when_there_is_nobody);
	tcase_add_loop_test(tc, pipelined_all_is_one_segment, 0, 2);
	tcase_add_loop_test(tc, pipelined_all_is_one_segment_with_a_password, 0, 2);
	tcase_add_test(tc, pipelined_payload_behind_the_reply_stays_in_the_inbox);
	tcase_add_test(tc, pipelined_a_no_is_an_answer);
	tcase_add_loop_test(
		tc, a_server_that_throws_the_request_away_is_asked_again, 0, 2);
	tcase_add_loop_test(
		tc, a_server_that_ends_at_a_pipelined_handshake_is_asked_again, 0, 3);
	tcase_add_test(tc, what_another_one_has_found_out_is_not_told_again);
	tcase_add_test(tc, a_server_that_is_bad_in_both_ways_is_asked_no_third_time);
	tcase_add_test(tc, a_slow_target_does_not_speak_against_pipelining);
	tcase_add_test(tc, a_target_that_is_silent_in_both_ways_gives_no_reply);
	tcase_add_test(tc, pipelining_that_worked_is_doubted_after_silence);
	tcase_add_test(tc, on_a_spare_the_request_is_all_that_is_sent);
	tcase_add_test(tc, on_a_spare_a_no_is_an_answer);
	tcase_add_test(tc, without_a_spare_the_connection_is_a_fresh_one);
	tcase_add_loop_test(
		tc, a_spare_that_dies_is_replaced_by_a_fresh_connection, 0, 4);
	tcase_add_test(tc, a_spare_that_dies_is_replaced_only_once);
	tcase_add_test(tc, a_spare_that_dies_is_replaced_by_a_pipelined_connection);
	tcase_add_test(tc, a_spare_that_is_silent_speaks_against_the_others);
	tcase_add_test(tc, a_client_that_leaves_speaks_against_no_spare);
	return harness_run("hop", tc);
}
