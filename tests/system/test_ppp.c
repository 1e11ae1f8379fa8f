/* SPDX-License-Identifier: ISC */
/*
 * pppd-socks against a SOCKS server that lies, stalls, or is not there. The test is that
 * server: the upstream is a listening socket of its own.
 */
#include "config.h"

#include <sys/socket.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define REQUEST "\5\1\0\3\13example.com\0\x50"
#define REPLY	"\5\0\0\1\x7f\0\0\1\x30\x39"
#define ROUTES                                                                           \
	"upstreams = ( { name = \"liar\"; address = \"127.0.0.1:%d\"; } );\n"            \
	"routes = ( { name = \"r\"; listen = \"127.0.0.1:0\";"                           \
	" target = \"example.com:80\"; } );\n"

static struct daemon *d;
static int upstream, fd[2]; /* fd[TARGET] is our end as the SOCKS server */

/* A plain client, and what comes from it to us, up to its request or its greeting. */
static void
dial(void)
{
	fd[CLIENT] = mustdial(daemon_port(d, 0));
	fd[TARGET] = mustaccept(upstream);
	expect_bytes(fd[TARGET], BYTES(GREETING));
}

static void
dial_request(void)
{
	dial();
	mustsend(fd[TARGET], BYTES(METHOD_NONE));
	expect_bytes(fd[TARGET], BYTES(REQUEST));
}

static void
dial_tunnel(void)
{
	dial_request();
	mustsend(fd[TARGET], BYTES(REPLY));
	tunnel_check(fd);
}

static void
start(const char *more)
{
	uint16_t port;

	upstream = mustlisten("127.0.0.1", &port);
	d = daemon_spawn(PPPD_SOCKS, ROUTES "%s", port, more);
	daemon_await_ready(d);
}

/* And a tunnel has come and gone, so that its fds can be told from those that stay. */
static void
begin(const char *more)
{
	start(more);
	daemon_mark(d);
	dial_tunnel();
	tunnel_close(fd);
	expect_log(d, " end=");
	expect_baseline(d);
	daemon_mark(d);
}

/* After a row or a test: nothing is left of it, and the next client is served. */
static void
expect_healthy(void)
{
	expect_baseline(d);
	dial_tunnel();
	tunnel_close(fd);
}

/* What the server does after its bytes. */
enum act { HOLD, END, RESET };

static void
act(enum act how)
{
	if (how == END)
		half_close(fd[TARGET]);
	else if (how == RESET)
		reset(fd[TARGET]);
}

struct lie {
	const char *what;
	const char *bytes;
	size_t len;
	enum act act;
	const char *log; /* NULL: the line says connect-failed, no more */
};

static const struct lie methods[] = {
	{ "end without a word", BYTES(""), END, NULL },
	{ "one byte and the end", BYTES("\5"), END, NULL },
	{ "VER 4", BYTES("\4\0"), HOLD, NULL },
	{ "VER 0", BYTES("\0\0"), HOLD, NULL },
	{ "a method that was not offered", BYTES("\5\2"), HOLD, NULL },
	{ "no method", BYTES("\5\xff"), HOLD, "accepts no method" },
	{ "HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), HOLD,
		"not a SOCKS5 server" },
	{ "HTTP and the end", BYTES("HTTP/1.0 200 OK\r\n\r\nhello"), END,
		"not a SOCKS5 server" },
	{ "TLS", BYTES("\x15\3\1\0\2\2\x28"), HOLD, "not a SOCKS5 server" },
	{ "SSH", BYTES("SSH-2.0-x\r\n"), HOLD, "not a SOCKS5 server" },
};

static const struct lie replies[] = {
	{ "end without a word", BYTES(""), END, NULL },
	{ "VER 4", BYTES("\4\0\0\1\x7f\0\0\1\x30\x39"), HOLD, NULL },
	{ "VER 0, as SOCKS4 has", BYTES("\0\x5a\0\1\x7f\0\0\1"), HOLD, NULL },
	{ "ATYP 0", BYTES("\5\0\0\0\x7f\0\0\1\x30\x39"), HOLD, NULL },
	{ "ATYP 2", BYTES("\5\0\0\2\x7f\0\0\1\x30\x39"), HOLD, NULL },
	{ "ATYP 9", BYTES("\5\0\0\x09\x7f\0\0\1\x30\x39"), HOLD, NULL },
	{ "cut in BND", BYTES("\5\0\0\1\x7f\0\0"), END, NULL },
	{ "cut in a name", BYTES("\5\0\0\3\5ab"), END, NULL },
	{ "REP 1", BYTES("\5\1\0\1\0\0\0\0\0\0"), HOLD, "rep=1 error=\"" },
	{ "REP 2", BYTES("\5\2\0\1\0\0\0\0\0\0"), END, "rep=2 error=\"" },
	{ "REP 3", BYTES("\5\3\0\1\0\0\0\0\0\0"), END, "rep=3 error=\"" },
	{ "REP 4", BYTES("\5\4\0\1\0\0\0\0\0\0"), END, "rep=4 error=\"" },
	{ "REP 5", BYTES("\5\5\0\1\0\0\0\0\0\0"), END, "rep=5 error=\"" },
	{ "REP 6", BYTES("\5\6\0\1\0\0\0\0\0\0"), END, "rep=6 error=\"" },
	{ "REP 7", BYTES("\5\7\0\1\0\0\0\0\0\0"), END, "rep=7 error=\"" },
	{ "REP 8", BYTES("\5\x08\0\1\0\0\0\0\0\0"), END, "rep=8 error=\"" },
	{ "REP 9", BYTES("\5\x09\0\1\0\0\0\0\0\0"), END, "rep=9 error=\"" },
	{ "REP 255", BYTES("\5\xff\0\1\0\0\0\0\0\0"), END, "rep=255 error=\"" },
	{ "REP 5 with a name", BYTES("\5\5\0\3\1x\0\0"), END, "rep=5 error=\"" },
};

static void
tell_lies(void (*dial_up)(void), const struct lie *lies, size_t n)
{
	begin("");
	for (size_t i = 0; i < n; i++) {
		harness_row = lies[i].what;
		daemon_mark(d);
		dial_up();
		mustsend(fd[TARGET], lies[i].bytes, lies[i].len);
		act(lies[i].act);
		expect_reset(fd[CLIENT]);
		expect_end(fd[TARGET]);
		tunnel_close(fd);
		expect_log(d, " end=connect-failed ");
		expect_log(d, "%s", lies[i].log != NULL ? lies[i].log : "");
		expect_baseline(d);
	}
	harness_row = NULL;
	expect_healthy();
	stop_daemon(d);
}

START_TEST(bad_method_replies_reset_the_client)
{
	tell_lies(dial, methods, COUNT(methods));
}
END_TEST

START_TEST(bad_and_failed_replies_reset_the_client)
{
	tell_lies(dial_request, replies, COUNT(replies));
}
END_TEST

START_TEST(megabyte_of_garbage_resets_the_client)
{
	static const char garbage[1 << 20] = "garbage";

	begin("");
	dial();
	try_send(fd[TARGET], garbage, sizeof(garbage));
	expect_reset(fd[CLIENT]);
	tunnel_close(fd);
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(reset_or_end_at_any_byte_of_the_handshake_resets_the_client)
{
	static const char said[] = METHOD_NONE REPLY;

	begin("");
	for (size_t len = 0; len <= sizeof(said) - 2; len++)
		for (enum act how = END; how <= RESET; how++) {
			dial();
			mustsend(fd[TARGET], said, len < 2 ? len : 2);
			if (len >= 2)
				expect_bytes(fd[TARGET], BYTES(REQUEST));
			mustsend(fd[TARGET], said + 2, len < 2 ? 0 : len - 2);
			act(how);
			expect_reset(fd[CLIENT]);
			close(fd[CLIENT]);
			if (how == END)
				close(fd[TARGET]);
		}
	expect_healthy();
	stop_daemon(d);
}
END_TEST

static const struct lie good[] = {
	{ "RSV ff", BYTES("\5\0\xff\1\x7f\0\0\1\x30\x39payload"), HOLD, NULL },
	{ "BND 0.0.0.0:0", BYTES("\5\0\0\1\0\0\0\0\0\0payload"), HOLD, NULL },
	{ "BND IPv6", BYTES("\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0payload"), HOLD,
		NULL },
	{ "BND name", BYTES("\5\0\0\3\1x\x30\x39payload"), HOLD, NULL },
	{ "BND empty name", BYTES("\5\0\0\3\0\0\0payload"), HOLD, NULL },
	{ "payload like a reply", BYTES(REPLY "payload"), HOLD, NULL },
};

START_TEST(payload_behind_any_good_reply_is_not_lost)
{
	begin("");
	for (size_t i = 0; i < COUNT(good); i++) {
		harness_row = good[i].what;
		dial_request();
		mustsend(fd[TARGET], good[i].bytes, good[i].len);
		expect_bytes(fd[CLIENT], BYTES("payload"));
		tunnel_check(fd);
		tunnel_close(fd);
	}
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(bnd_may_be_a_name_of_255_bytes)
{
	char reply[4 + 1 + 255 + 2] = "\5\0\0\3\xff";

	begin("");
	dial_request();
	mustsend(fd[TARGET], reply, sizeof(reply));
	tunnel_check(fd);
	tunnel_close(fd);
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(reply_and_payload_may_come_byte_by_byte)
{
	static const char said[] = METHOD_NONE REPLY REPLY "payload";

	begin("");
	dial();
	for (size_t i = 0; i < sizeof(said) - 1; i++) {
		mustsend(fd[TARGET], said + i, 1);
		poll(NULL, 0, 1); /* makes segments of their own likely, no more */
	}
	expect_bytes(fd[TARGET], BYTES(REQUEST));
	expect_bytes(fd[CLIENT], BYTES(REPLY "payload"));
	tunnel_check(fd);
	tunnel_close(fd);
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(dribbled_reply_ends_at_the_handshake_deadline)
{
	struct pollfd pfd = { .events = POLLIN };
	int64_t start;

	begin("timeouts: { handshake = 1; connect = 1; };");
	start = now_ms();
	dial_request();
	mustsend(fd[TARGET], BYTES("\5\0\0\3\xff"));
	pfd.fd = fd[CLIENT];
	do
		try_send(fd[TARGET], "x", 1);
	while (poll(&pfd, 1, 100) == 0 && now_ms() - start < WAIT_MS);
	expect_reset(fd[CLIENT]);
	ck_assert_int_ge(now_ms() - start, 990);
	tunnel_close(fd);
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(server_that_only_accepts_is_given_up_at_the_deadline)
{
	begin("timeouts: { handshake = 0.5; connect = 0.5; };");
	expect_no_service(daemon_port(d, 0));
	expect_log(d, " end=connect-failed ");
	close(mustaccept(upstream));
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(client_is_reset_while_the_server_is_down_and_served_once_it_is_up)
{
	uint16_t port;

	upstream = closed_port(&port);
	d = daemon_spawn(PPPD_SOCKS, ROUTES, port);
	daemon_await_ready(d);
	for (int i = 0; i < 3; i++) {
		expect_no_service(daemon_port(d, 0));
	}
	expect_log(d, " end=connect-failed ");
	expect_log(d, "Connection refused");
	ck_assert(listen(upstream, 8) == 0);
	dial_tunnel();
	tunnel_close(fd);
	stop_daemon(d);
}
END_TEST

START_TEST(client_that_half_closes_while_waiting_gets_its_answer)
{
	begin("");
	dial_request();
	mustsend(fd[CLIENT], BYTES("early"));
	half_close(fd[CLIENT]);
	expect_silence(fd[TARGET], 50);
	mustsend(fd[TARGET], BYTES(REPLY));
	expect_bytes(fd[TARGET], BYTES("early"));
	expect_eof(fd[TARGET]);
	mustsend(fd[TARGET], BYTES("answer"));
	half_close(fd[TARGET]);
	expect_bytes(fd[CLIENT], BYTES("answer"));
	expect_eof(fd[CLIENT]);
	tunnel_close(fd);
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(client_that_resets_while_waiting_ends_the_handshake)
{
	begin("timeouts: { handshake = 3600; connect = 3600; };");
	dial_request();
	reset(fd[CLIENT]);
	expect_end(fd[TARGET]);
	close(fd[TARGET]);
	expect_log(d, " end=client-reset\n");
	expect_healthy();
	stop_daemon(d);
}
END_TEST

START_TEST(client_over_the_limit_is_reset)
{
	start("limits: { tunnels = 1; };");
	dial_tunnel();
	expect_no_service(daemon_port(d, 0));
	expect_log(d, "limit of 1 tunnels reached, half_closed_cut=0 refused=1, ");
	tunnel_check(fd);
	tunnel_close(fd);
	stop_daemon(d);
}
END_TEST

#define SECONDS "[0-9]+\\.[0-9]{3}"

START_TEST(log_line_has_every_field_in_its_order)
{
	uint16_t client;

	begin("");
	dial_tunnel();
	client = local_port(fd[CLIENT]);
	half_close(fd[CLIENT]);
	expect_eof(fd[TARGET]);
	tunnel_close(fd);
	expect_log_line(d,
		"^pppd-socks\\[%d\\]: tunnel id=[0-9a-f]+-[0-9a-f]+"
		" client=127\\.0\\.0\\.1:%d route=r target=example\\.com:80 upstream=liar"
		" up=8 down=6 dial=" SECONDS " time=" SECONDS " end=client-eof$",
		(int)daemon_pid(d), client);
	stop_daemon(d);
}
END_TEST

START_TEST(drain_deadline_cuts_a_tunnel_with_a_reset)
{
	begin("timeouts: { drain = 0.3; };");
	dial_tunnel();
	kill(daemon_pid(d), SIGTERM);
	expect_reset(fd[CLIENT]);
	expect_reset(fd[TARGET]);
	expect_log(d, " end=drained\n");
	expect_exit(d, 0);
}
END_TEST

START_TEST(unknown_key_is_exit_78_with_file_and_line)
{
	d = daemon_spawn(PPPD_SOCKS,
		"routes = ( { listen = \"127.0.0.1:0\"; target = \"x:1\";\n"
		"balanced = \"least\"; } );");
	expect_log_line(d, "/conf:2: .*balanced");
	expect_exit(d, 78);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ppp");

	tcase_add_test(tc, bad_method_replies_reset_the_client);
	tcase_add_test(tc, bad_and_failed_replies_reset_the_client);
	tcase_add_test(tc, megabyte_of_garbage_resets_the_client);
	tcase_add_test(tc, reset_or_end_at_any_byte_of_the_handshake_resets_the_client);
	tcase_add_test(tc, payload_behind_any_good_reply_is_not_lost);
	tcase_add_test(tc, bnd_may_be_a_name_of_255_bytes);
	tcase_add_test(tc, reply_and_payload_may_come_byte_by_byte);
	tcase_add_test(tc, dribbled_reply_ends_at_the_handshake_deadline);
	tcase_add_test(tc, server_that_only_accepts_is_given_up_at_the_deadline);
	tcase_add_test(
		tc, client_is_reset_while_the_server_is_down_and_served_once_it_is_up);
	tcase_add_test(tc, client_that_half_closes_while_waiting_gets_its_answer);
	tcase_add_test(tc, client_that_resets_while_waiting_ends_the_handshake);
	tcase_add_test(tc, client_over_the_limit_is_reset);
	tcase_add_test(tc, log_line_has_every_field_in_its_order);
	tcase_add_test(tc, drain_deadline_cuts_a_tunnel_with_a_reset);
	tcase_add_test(tc, unknown_key_is_exit_78_with_file_and_line);
	return harness_run("ppp", tc);
}
