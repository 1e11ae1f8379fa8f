/* SPDX-License-Identifier: ISC */
/*
 * UDP routes: clients that send plain datagrams, pppd-socks, dcsd, and targets that are
 * sockets of the test; or, in the place of dcsd, a SOCKS server of the test's own. That
 * something was dropped is seen by what comes behind it arriving first, and in the log.
 */
#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datagram.h"

#define CLIENTS 200

static struct daemon *dcsd, *ppp;
static int target;		       /* of the route, on 127.0.0.1 */
static union address target_at, route; /* where the target, and the route, listen */

/* pppd-socks, with one route to the target and these keys for it. */
static void
start_ppp(const char *upstream, const char *listen, const char *host, const char *keys)
{
	uint16_t port;

	target = open_socket("127.0.0.1", &port);
	target_at = make_address("127.0.0.1", port);
	ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { name = \"dcs\"; address = \"%s\"; } );\n"
		"routes = ( { name = \"u\"; protocol = \"udp\"; listen = \"%s\"; "
		"target = \"%s:%d\"; %s } );\n",
		upstream, listen, host, port, keys);
	daemon_await_ready(ppp);
	route = make_address("127.0.0.1", daemon_port(ppp, 0));
	daemon_mark(ppp);
}

/* Both daemons: where the route listens, its target, and more keys for it. */
static void
start_both(const char *more, const char *listen, const char *host, const char *keys)
{
	char upstream[32];

	dcsd = start_dcsd("%s", more);
	daemon_mark(dcsd);
	snprintf(upstream, sizeof(upstream), "127.0.0.1:%d", daemon_port(dcsd, 0));
	start_ppp(upstream, listen, host, keys);
}

static void
begin(const char *keys)
{
	start_both("", "127.0.0.1:0", "127.0.0.1", keys);
}

/* Sessions end with pppd-socks, and leave nothing at either. */
static void
finish(void)
{
	stop_daemon(ppp);
	expect_baseline(dcsd);
	stop_daemon(dcsd);
}

static void
send_text(int client, const char *text)
{
	send_raw(client, &route, text, strlen(text));
}

static bool
same_address(const union address *a, const union address *b)
{
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr &&
		a->in.sin_port == b->in.sin_port;
}

/* There and back. Returns where the target saw it come from. */
static union address
exchange(int client, const char *question, const char *answer)
{
	union address from, to;

	send_text(client, question);
	from = expect_text(target, question);
	send_raw(target, &from, answer, strlen(answer));
	to = expect_text(client, answer);
	ck_assert(same_address(&to, &route));
	return from;
}

START_TEST(a_datagram_and_its_answer_go_through_both)
{
	int client;

	begin("");
	client = open_socket("127.0.0.1", NULL);
	exchange(client, "question", "answer");
	exchange(client, "another", "one");
	stop_daemon(ppp);
	expect_log_line(dcsd, " cmd=udp .* up=15 down=9 .* dgrams_up=2 dgrams_down=2$");
	expect_baseline(dcsd);
	stop_daemon(dcsd);
}
END_TEST

START_TEST(the_log_tells_of_a_session)
{
	int client;
	uint16_t port;

	begin("idle = 1;");
	client = open_socket("127.0.0.1", &port);
	exchange(client, "question", "answer");
	expect_log_line(ppp,
		"tunnel id=[^ ]+ client=127\\.0\\.0\\.1:%d route=u "
		"target=127\\.0\\.0\\.1:%d upstream=dcs up=8 down=6 dial=0\\.[0-9]+ "
		"time=[0-9.]+ end=idle dgrams_up=1 dgrams_down=1$",
		port, ntohs(target_at.in.sin_port));
	finish();
}
END_TEST

START_TEST(each_client_gets_its_own_answers)
{
	union address from[2];
	int client[2];

	begin("");
	for (int i = 0; i < 2; i++) {
		client[i] = open_socket("127.0.0.1", NULL);
		send_text(client[i], i ? "second" : "first");
		from[i] = expect_text(target, i ? "second" : "first");
	}
	ck_assert(!same_address(&from[0], &from[1]));
	send_raw(target, &from[1], "to the second", 13);
	send_raw(target, &from[0], "to the first", 12);
	send_raw(target, &from[0], "once more", 9);
	expect_text(client[0], "to the first");
	expect_text(client[0], "once more");
	expect_text(client[1], "to the second");
	finish();
}
END_TEST

START_TEST(datagrams_of_all_sizes_are_carried)
{
	/* 10 bytes are the header on the way to dcsd, and back. */
	static const size_t sizes[] = { 0, 1, 1472, 65000, LARGEST - 10, 0 };
	uint8_t *data = make_payload(LARGEST);
	union address from;
	int client;

	begin("");
	client = open_socket("127.0.0.1", NULL);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		send_raw(client, &route, data, sizes[i]);
		from = expect_datagram(target, data, sizes[i]);
		send_raw(target, &from, data, sizes[i]);
		expect_datagram(client, data, sizes[i]);
	}
	free(data);
	finish();
}
END_TEST

START_TEST(one_that_is_too_large_with_its_header_is_dropped_alone)
{
	uint8_t *data = make_payload(LARGEST);
	int client;

	begin("idle = 2;");
	client = open_socket("127.0.0.1", NULL);
	send_raw(client, &route, data, LARGEST); /* the first one, and a later one */
	exchange(client, "question", "answer");
	send_raw(client, &route, data, LARGEST - 9);
	exchange(client, "question", "answer");
	expect_log(ppp, " end=idle dgrams_up=2 dgrams_down=2 drop_size=2\n");
	free(data);
	finish();
}
END_TEST

START_TEST(a_target_by_name_is_looked_up_by_dcsd)
{
	int client;

	start_both("outgoing: { prefer = \"ipv4-only\"; };", "127.0.0.1:0", "localhost",
		"idle = 1;");
	client = open_socket("127.0.0.1", NULL);
	exchange(client, "question", "answer");
	expect_log(ppp, " target=localhost:%d ", ntohs(target_at.in.sin_port));
	finish();
}
END_TEST

START_TEST(an_idle_session_ends_and_the_next_datagram_opens_another)
{
	union address from[2];
	int client;

	begin("idle = 1;");
	client = open_socket("127.0.0.1", NULL);
	from[0] = exchange(client, "question", "answer");
	expect_log(ppp, " end=idle dgrams_up=1 dgrams_down=1\n");
	expect_baseline(ppp);
	daemon_mark(ppp);
	from[1] = exchange(client, "question", "answer");
	ck_assert(!same_address(&from[0], &from[1]));
	expect_log(ppp, " end=idle dgrams_up=1 dgrams_down=1\n");
	expect_baseline(ppp);
	finish();
}
END_TEST

START_TEST(the_limit_of_the_route_holds)
{
	int client[3];

	begin("limit = 2; idle = 2;");
	for (int i = 0; i < 3; i++)
		client[i] = open_socket("127.0.0.1", NULL);
	exchange(client[0], "question", "answer");
	exchange(client[1], "question", "answer");
	send_text(client[2], "one too many");
	expect_log(ppp, " route u: its limit is reached\n");
	exchange(client[0], "question", "answer");
	expect_log(ppp, " end=idle ");
	exchange(client[2], "now", "there is room");
	finish();
}
END_TEST

START_TEST(strangers_get_nothing)
{
	int client, stranger;

	begin("clients = \"127.0.0.2\";");
	client = open_socket("127.0.0.2", NULL);
	stranger = open_socket("127.0.0.1", NULL);
	send_text(stranger, "let me in");
	send_text(stranger, "let me in");
	exchange(client, "question", "answer");
	expect_log(ppp,
		"datagram of client 127.0.0.1:%d dropped, route u: not one of "
		"its clients\n",
		local_port(stranger));
	ck_assert_int_eq(log_count(ppp, "let me in"), 0);
	ck_assert_int_eq(log_count(ppp, " dropped, "), 1); /* once a minute */
	expect_silence(stranger, 0);
	finish();
}
END_TEST

static void
freeze(struct daemon *d)
{
	ck_assert(kill(daemon_pid(d), SIGSTOP) == 0);
	ck_assert(waitpid(daemon_pid(d), NULL, WUNTRACED) == daemon_pid(d));
}

/*
 * That pppd-socks has taken all that was sent before: a stranger's datagram comes behind
 * it, and is told of.
 */
static void
await_taken(void)
{
	int stranger = open_socket("127.0.0.9", NULL);

	send_text(stranger, "taken?");
	expect_log(ppp, "datagram of client 127.0.0.9:%d dropped", local_port(stranger));
	close(stranger);
}

START_TEST(what_is_sent_before_there_is_an_association_arrives_in_order)
{
	char text[16];
	int client;

	begin("clients = \"127.0.0.1\"; idle = 1;");
	client = open_socket("127.0.0.1", NULL);
	freeze(dcsd);
	for (int i = 0; i < 11; i++) {
		snprintf(text, sizeof(text), "datagram %d", i);
		send_text(client, text);
	}
	await_taken();
	kill(daemon_pid(dcsd), SIGCONT);
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "datagram %d", i);
		expect_text(target, text);
	}
	exchange(client, "question", "answer");
	expect_log(ppp, " end=idle dgrams_up=9 dgrams_down=1 drop_early=3\n");
	finish();
}
END_TEST

/* Two dcsd; the first is preferred, and is killed. */
START_TEST(after_the_death_of_an_upstream_the_next_datagram_uses_another)
{
	struct daemon *first = start_dcsd("%s", "");
	uint16_t port;
	int client;

	dcsd = start_dcsd("%s", "");
	target = open_socket("127.0.0.1", &port);
	ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { name = \"a\"; address = \"127.0.0.1:%d\"; },\n"
		" { name = \"b\"; address = \"127.0.0.1:%d\"; } );\n"
		"routes = ( { name = \"u\"; protocol = \"udp\"; listen = \"127.0.0.1:0\";"
		" target = \"127.0.0.1:%d\"; upstream_balance = \"first\"; } );\n",
		daemon_port(first, 0), daemon_port(dcsd, 0), port);
	daemon_await_ready(ppp);
	daemon_mark(dcsd);
	route = make_address("127.0.0.1", daemon_port(ppp, 0));
	client = open_socket("127.0.0.1", NULL);
	exchange(client, "question", "answer");
	kill(daemon_pid(first), SIGKILL);
	expect_exit(first, 256 + SIGKILL);
	expect_log_line(ppp, " upstream=a .* end=target-(eof|reset) dgrams_up=1");
	exchange(client, "question", "answer");
	stop_daemon(ppp);
	expect_log(dcsd, " dgrams_up=1 dgrams_down=1\n");
	expect_baseline(dcsd);
	stop_daemon(dcsd);
}
END_TEST

/* One that listens at every address answers from the one that was sent to. */
START_TEST(answers_come_from_the_address_that_was_sent_to)
{
	static const struct {
		const char *listen, *from, *to;
	} rows[] = {
		{ "0.0.0.0:0", "127.0.0.1", "127.0.0.1" },
		{ "0.0.0.0:0", "127.0.0.1", "127.0.0.2" },
		{ "0.0.0.0:0", "127.0.0.3", "127.0.0.4" },
		{ "[::]:0", "::1", "::1" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		union address to, from;
		int client;

		harness_row = rows[i].to;
		if (rows[i].listen[0] == '[' && !has_ipv6())
			continue;
		start_both("", rows[i].listen, "127.0.0.1", "");
		to = make_address(rows[i].to, daemon_port(ppp, 0));
		client = open_socket(rows[i].from, NULL);
		/* Connected, it hears nobody else. */
		ck_assert(connect(client, &to.sa, size_of(&to)) == 0);
		mustsend(client, BYTES("question"));
		from = expect_text(target, "question");
		send_raw(target, &from, "answer", 6);
		expect_bytes(client, BYTES("answer"));
		close(client);
		close(target);
		finish();
	}
	harness_row = NULL;
}
END_TEST

START_TEST(one_client_of_two_addresses_has_two_sessions)
{
	union address to[2], from[2];
	int client;

	start_both("", "0.0.0.0:0", "127.0.0.1", "");
	client = open_socket("127.0.0.1", NULL);
	for (int i = 0; i < 2; i++) {
		to[i] = make_address(i ? "127.0.0.3" : "127.0.0.2", daemon_port(ppp, 0));
		send_raw(client, &to[i], "question", 8);
		from[i] = expect_text(target, "question");
	}
	for (int i = 0; i < 2; i++) {
		union address came;

		send_raw(target, &from[i], "answer", 6);
		came = expect_text(client, "answer");
		ck_assert(same_address(&came, &to[i]));
	}
	finish();
}
END_TEST

START_TEST(two_hundred_clients_at_once_leave_nothing)
{
	static int client[CLIENTS];
	union address from;
	char text[32], got[32];

	begin("idle = 2;");
	for (int i = 0; i < CLIENTS; i++) {
		client[i] = open_socket("127.0.0.1", NULL);
		snprintf(text, sizeof(text), "I am client %d.", i);
		send_text(client[i], text);
	}
	for (int i = 0; i < CLIENTS; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(target, got, sizeof(got), 0, &from.sa, &len);

		if (n < 0)
			fail_test("datagram %d: %s", i, strerror(errno));
		send_raw(target, &from, got, (size_t)n);
	}
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof(text), "I am client %d.", i);
		expect_text(client[i], text);
		close(client[i]);
	}
	expect_baseline(ppp);
	finish();
}
END_TEST

START_TEST(the_end_of_the_daemon_ends_all_sessions_at_once)
{
	int client[20];
	int64_t begun;

	begin("");
	for (size_t i = 0; i < COUNT(client); i++) {
		client[i] = open_socket("127.0.0.1", NULL);
		exchange(client[i], "question", "answer");
	}
	begun = now_ms();
	kill(daemon_pid(ppp), SIGTERM);
	expect_log_line(ppp, " upstream=dcs .* end=shutdown dgrams_up=1 dgrams_down=1$");
	expect_exit(ppp, 0);
	ck_assert_int_lt(now_ms() - begun, 10000); /* timeouts.drain is 30 s */
	expect_baseline(dcsd);
	stop_daemon(dcsd);
}
END_TEST

START_TEST(the_end_of_the_daemon_ends_the_wait_for_an_association)
{
	int client;
	int64_t begun;

	begin("clients = \"127.0.0.1\";");
	client = open_socket("127.0.0.1", NULL);
	freeze(dcsd);
	send_text(client, "question");
	await_taken();
	begun = now_ms();
	kill(daemon_pid(ppp), SIGTERM);
	expect_log(ppp, " end=shutdown dgrams_up=0 dgrams_down=0 drop_early=1\n");
	expect_exit(ppp, 0);
	ck_assert_int_lt(now_ms() - begun, 9000); /* timeouts.handshake is 10 s */
	kill(daemon_pid(dcsd), SIGCONT);
	expect_baseline(dcsd);
	stop_daemon(dcsd);
}
END_TEST

/* One line for all that is sent meanwhile; after a while it is tried again. */
START_TEST(without_an_association_a_client_is_left_alone_for_a_while)
{
	int client;

	start_both("rules = ( { action = \"allow\"; commands = \"connect\"; } );",
		"127.0.0.1:0", "127.0.0.1", "clients = \"127.0.0.1\";");
	client = open_socket("127.0.0.1", NULL);
	send_text(client, "one");
	expect_log(dcsd, " cmd=udp ");
	for (int i = 0; i < 5; i++)
		send_text(client, "more");
	await_taken();
	expect_log_line(ppp,
		" upstream=dcs up=0 down=0 dial=- time=[0-9.]+ end=connect-failed rep=2 "
		"error=\"[^\"]+\" dgrams_up=0 dgrams_down=0 drop_early=[0-9]+$");
	/* One, if no machine is slow. */
	ck_assert_int_lt(log_count(ppp, " end="), 6);
	ck_assert_int_eq(log_count(ppp, " state=sick "), 0);
	daemon_mark(ppp);
	send_text(client, "again");
	expect_log(ppp, " drop_early=1\n");
	finish();
}
END_TEST

START_TEST(dcsd_is_told_who_the_client_is)
{
	uint16_t port;
	int client;

	dcsd = start_dcsd(
		"proxy_protocol = \"127.0.0.1\";\n"
		"rules = ( { action = \"allow\"; clients = \"127.0.0.7\"; } );");
	daemon_mark(dcsd);
	target = open_socket("127.0.0.1", &port);
	ppp = daemon_spawn(PPPD_SOCKS,
		"upstreams = ( { address = \"127.0.0.1:%d\"; proxy_protocol = true; } "
		");\n"
		"routes = ( { name = \"u\"; protocol = \"udp\"; listen = \"127.0.0.1:0\";"
		" target = \"127.0.0.1:%d\"; idle = 1; } );\n",
		daemon_port(dcsd, 0), port);
	daemon_await_ready(ppp);
	route = make_address("127.0.0.1", daemon_port(ppp, 0));
	client = open_socket("127.0.0.7", &port);
	exchange(client, "question", "answer");
	expect_log(ppp, " end=idle dgrams_up=1 dgrams_down=1\n");
	expect_log_line(
		dcsd, " client=127\\.0\\.0\\.7:%d .* dgrams_up=1 dgrams_down=1$", port);
	finish();
}
END_TEST

/* A SOCKS server of the test's own: the control connection, and where datagrams go. */
static int upstream, control, relay;
static union address session; /* where the session sends from */

#define REQUEST "\5\3\0\1\0\0\0\0\0\0"
#define REPLY	"\5\0\0\1"
#define HEADER	"\0\0\0\1\x7f\0\0\1" /* and the target's port */

static void
begin_alone(const char *ip, const char *keys)
{
	char at[32];
	uint16_t port;

	upstream = mustlisten(ip, &port);
	snprintf(at, sizeof(at), "%s:%d", ip, port);
	start_ppp(at, "127.0.0.1:0", "127.0.0.1", keys);
}

/* Makes the association, at an address that is called bnd. Returns the client. */
static int
associate(const char *ip, const char *bnd)
{
	int client = open_socket("127.0.0.1", NULL);
	union address at;
	uint16_t port;

	relay = open_socket(ip, &port);
	at = make_address(bnd, port);
	send_text(client, "question");
	control = mustaccept(upstream);
	expect_bytes(control, BYTES(GREETING));
	mustsend(control, BYTES(METHOD_NONE));
	expect_bytes(control, BYTES(REQUEST));
	mustsend(control, BYTES(REPLY));
	mustsend(control, &at.in.sin_addr, 4);
	mustsend(control, &at.in.sin_port, 2);
	return client;
}

/* The header of a datagram to the target, or of an answer from it, and text. */
static size_t
build(char *buf, const char *text)
{
	memcpy(buf, HEADER, 8);
	memcpy(buf + 8, &target_at.in.sin_port, 2);
	memcpy(buf + 10, text, strlen(text));
	return 10 + strlen(text);
}

static void
expect_relayed(const char *text)
{
	char buf[64];

	session = expect_datagram(relay, buf, build(buf, text));
}

static void
answer_from(int fd, const char *text)
{
	char buf[64];

	send_raw(fd, &session, buf, build(buf, text));
}

START_TEST(the_unspecified_address_is_that_of_the_upstream)
{
	int client;

	begin_alone("127.0.0.2", "");
	client = associate("127.0.0.2", "0.0.0.0");
	expect_relayed("question");
	answer_from(relay, "answer");
	expect_text(client, "answer");
	stop_daemon(ppp);
	expect_end(control);
}
END_TEST

START_TEST(only_the_association_may_answer)
{
	int client, stranger[2];

	begin_alone("127.0.0.1", "");
	client = associate("127.0.0.1", "127.0.0.1");
	expect_relayed("question");
	stranger[0] = open_socket("127.0.0.1", NULL);
	stranger[1] = open_socket("127.0.0.2", NULL);
	answer_from(stranger[0], "from another port");
	answer_from(stranger[1], "from another address");
	answer_from(relay, "answer");
	expect_text(client, "answer");
	stop_daemon(ppp);
}
END_TEST

START_TEST(answers_that_are_no_whole_datagrams_are_dropped)
{
	static const char *const bad[] = { "\0\0\1\1\x7f\0\0\1\0\x35",	  /* FRAG */
		"\0\0\x82\1\x7f\0\0\1\0\x35", "\0\1\0\1\x7f\0\0\1\0\x35", /* RSV */
		"\0\0\0\x09\x7f\0\0\1\0\x35", "\0\0\0\1\x7f\0\0\1\0\0" };
	int client;

	begin_alone("127.0.0.1", "idle = 1;");
	client = associate("127.0.0.1", "127.0.0.1");
	expect_relayed("question");
	for (size_t i = 0; i < COUNT(bad); i++)
		send_raw(relay, &session, bad[i], 10);
	send_raw(relay, &session, "short", 5);
	send_raw(relay, &session, "", 0);
	answer_from(relay, "answer");
	expect_text(client, "answer");
	expect_log(
		ppp, " end=idle dgrams_up=1 dgrams_down=1 drop_header=5 drop_frag=2\n");
	stop_daemon(ppp);
}
END_TEST

START_TEST(bytes_on_the_control_connection_are_nothing_and_its_end_is_the_end)
{
	int client;

	begin_alone("127.0.0.1", "");
	client = associate("127.0.0.1", "127.0.0.1");
	mustsend(control, BYTES("\5\1\0 whatever"));
	expect_relayed("question");
	mustsend(control, BYTES("more"));
	answer_from(relay, "answer");
	expect_text(client, "answer");
	half_close(control);
	expect_log(ppp, " end=target-eof dgrams_up=1 dgrams_down=1\n");
	expect_end(control);
	close(control);
	close(client);
	client = associate("127.0.0.1", "127.0.0.1");
	expect_relayed("question");
	reset(control);
	expect_log(ppp, " end=target-reset dgrams_up=1 dgrams_down=0\n");
	close(client);
	expect_baseline(ppp);
	stop_daemon(ppp);
}
END_TEST

/* The system tells that nobody listens there. */
START_TEST(an_icmp_message_ends_nothing)
{
	union address at;
	char got[64];
	int client;
	ssize_t n;

	begin_alone("127.0.0.1", "clients = \"127.0.0.1\";");
	client = associate("127.0.0.1", "127.0.0.1");
	expect_relayed("question");
	at = make_address("127.0.0.1", local_port(relay));
	close(relay);
	for (int i = 0; i < 5; i++)
		send_text(client, "into the void");
	await_taken();
	relay = open_socket_at(&at);
	send_text(client, "still there");
	/* Some of the others may still be on their way. */
	do
		n = recv(relay, got, sizeof(got), 0);
	while (n == 10 + 13);
	ck_assert_int_eq(n, 10 + 11);
	ck_assert_mem_eq(got + 10, "still there", 11);
	answer_from(relay, "answer");
	expect_text(client, "answer");
	ck_assert_int_eq(log_count(ppp, " end="), 0);
	stop_daemon(ppp);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("udp_route");

	tcase_add_test(tc, a_datagram_and_its_answer_go_through_both);
	tcase_add_test(tc, the_log_tells_of_a_session);
	tcase_add_test(tc, each_client_gets_its_own_answers);
	tcase_add_test(tc, datagrams_of_all_sizes_are_carried);
	tcase_add_test(tc, one_that_is_too_large_with_its_header_is_dropped_alone);
	tcase_add_test(tc, a_target_by_name_is_looked_up_by_dcsd);
	tcase_add_test(tc, an_idle_session_ends_and_the_next_datagram_opens_another);
	tcase_add_test(tc, the_limit_of_the_route_holds);
	tcase_add_test(tc, strangers_get_nothing);
	tcase_add_test(tc, what_is_sent_before_there_is_an_association_arrives_in_order);
	tcase_add_test(tc, after_the_death_of_an_upstream_the_next_datagram_uses_another);
	tcase_add_test(tc, answers_come_from_the_address_that_was_sent_to);
	tcase_add_test(tc, one_client_of_two_addresses_has_two_sessions);
	tcase_add_test(tc, two_hundred_clients_at_once_leave_nothing);
	tcase_add_test(tc, the_end_of_the_daemon_ends_all_sessions_at_once);
	tcase_add_test(tc, the_end_of_the_daemon_ends_the_wait_for_an_association);
	tcase_add_test(tc, without_an_association_a_client_is_left_alone_for_a_while);
	tcase_add_test(tc, dcsd_is_told_who_the_client_is);
	tcase_add_test(tc, the_unspecified_address_is_that_of_the_upstream);
	tcase_add_test(tc, only_the_association_may_answer);
	tcase_add_test(tc, answers_that_are_no_whole_datagrams_are_dropped);
	tcase_add_test(
		tc, bytes_on_the_control_connection_are_nothing_and_its_end_is_the_end);
	tcase_add_test(tc, an_icmp_message_ends_nothing);
	return harness_run("udp_route", tc);
}
