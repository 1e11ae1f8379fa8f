/* SPDX-License-Identifier: ISC */
/*
 * UDP ASSOCIATE from outside: who may send and who may answer, what is dropped, what is
 * carried whole, and when an association ends. That something was dropped is seen by
 * what comes behind it arriving first, and by the counts in the log.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datagram.h"

/* A client: its control connection and its socket, and where the relay socket is. */
struct client {
	int control, fd;
	union address relay;
};

/* RFC 1928 section 4, for UDP ASSOCIATE: what request_ip and request_name made. */
static void
ask_association(int control, uint8_t *request, size_t size)
{
	request[1] = 3;
	mustsend(control, request, size);
}

static union address
read_bnd(int control)
{
	union address a = { .in.sin_family = AF_INET };
	char head[4];

	ck_assert(recv(control, head, 4, MSG_WAITALL) == 4);
	ck_assert_msg(memcmp(head, "\5\0\0", 3) == 0, "REP %d", head[1]);
	if (head[3] == 1) {
		ck_assert(recv(control, &a.in.sin_addr, 4, MSG_WAITALL) == 4);
		ck_assert(recv(control, &a.in.sin_port, 2, MSG_WAITALL) == 2);
		return a;
	}
	a.sa.sa_family = AF_INET6;
	ck_assert_int_eq(head[3], 4);
	ck_assert(recv(control, &a.in6.sin6_addr, 16, MSG_WAITALL) == 16);
	ck_assert(recv(control, &a.in6.sin6_port, 2, MSG_WAITALL) == 2);
	return a;
}

/* A client of 127.0.0.1 that declares nothing. */
static struct client
associate(struct daemon *d)
{
	struct client c = { .control = socks_dial(d) };
	uint8_t request[REQUEST_SIZE];

	ask_association(c.control, request, request_ip(request, "0.0.0.0", 0));
	c.relay = read_bnd(c.control);
	c.fd = open_socket("127.0.0.1", NULL);
	return c;
}

static void
leave(struct client *c)
{
	close(c->control);
	close(c->fd);
}

/* The header is that of a request but for its first three bytes. Returns its size. */
static size_t
header(uint8_t *buf, uint8_t frag, const char *host, uint16_t port)
{
	union address a;
	bool ip = inet_pton(AF_INET, host, &a.in.sin_addr) == 1 ||
		inet_pton(AF_INET6, host, &a.in6.sin6_addr) == 1;
	size_t n = ip ? request_ip(buf, host, port)
		      : request_name(buf, host, strlen(host), port);

	memcpy(buf, "\0\0", 2);
	buf[2] = frag;
	return n;
}

static void
send_fragment(const struct client *c, int fd, uint8_t frag, const char *host,
	uint16_t port, const void *data, size_t size)
{
	uint8_t *buf = malloc(REQUEST_SIZE + size);
	size_t n = header(buf, frag, host, port);

	memcpy(buf + n, data, size);
	send_raw(fd, &c->relay, buf, n + size);
	free(buf);
}

/* A datagram of text through the association, from its own socket or another. */
static void
send_from(
	const struct client *c, int fd, const char *host, uint16_t port, const char *text)
{
	send_fragment(c, fd, 0, host, port, text, strlen(text));
}

static void
send_to(const struct client *c, const char *host, uint16_t port, const char *text)
{
	send_from(c, c->fd, host, port, text);
}

/* An answer that the client gets, with its source in front. */
static void
expect_answer(const struct client *c, const char *ip, uint16_t port, const char *text)
{
	uint8_t buf[REQUEST_SIZE + 256];
	size_t n = header(buf, 0, ip, port);

	memcpy(buf + n, text, strlen(text));
	expect_datagram(c->fd, buf, n + strlen(text));
}

#define expect_answer(...) AT(expect_answer(__VA_ARGS__))

/* There and back, by whatever the target is called. */
static void
exchange(const struct client *c, int target, const char *host, const char *ip)
{
	uint16_t port = local_port(target);
	union address from;

	send_to(c, host, port, "question");
	from = expect_text(target, "question");
	send_raw(target, &from, "answer", 6);
	expect_answer(c, ip, port, "answer");
}

struct way {
	const char *host, *ip;
};

static const struct way ways[] = {
	{ "127.0.0.1", "127.0.0.1" },
	{ "127.0.0.2", "127.0.0.2" },
	{ "::ffff:127.0.0.1", "127.0.0.1" },
	{ "127.1", "127.0.0.1" },
	{ "::1", "::1" },
};

START_TEST(datagrams_go_both_ways_and_answers_tell_their_source)
{
	struct daemon *d = start_warm("");
	struct client c = associate(d);

	for (size_t i = 0; i < COUNT(ways); i++) {
		uint16_t port;
		int target;

		harness_row = ways[i].host;
		if (strcmp(ways[i].ip, "::1") == 0 && !has_ipv6())
			continue;
		target = open_socket(ways[i].ip, &port);
		exchange(&c, target, ways[i].host, ways[i].ip);
		close(target);
	}
	harness_row = NULL;
	leave(&c);
	expect_log_line(d,
		" cmd=udp target=0\\.0\\.0\\.0:0 addr=- up=(32|40) down=(24|30) .*"
		" end=client-eof dgrams_up=[45] dgrams_down=[45]$");
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

/* "localhost" may be either family: one that is not there is tried as well. */
START_TEST(names_are_looked_up)
{
	struct daemon *d = start_dcsd("outgoing: { prefer = \"ipv4-only\"; };");
	struct client c = associate(d);
	int target = open_socket("127.0.0.1", NULL);

	for (int i = 0; i < 3; i++)
		exchange(&c, target, "localhost", "127.0.0.1");
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(a_client_of_ipv6_has_its_relay_there)
{
	struct client c;
	struct daemon *d;
	int target = open_socket("127.0.0.1", NULL);
	uint8_t request[REQUEST_SIZE];

	if (!has_ipv6())
		return;
	d = daemon_spawn(DCSD, "listen = \"[::1]:0\";");
	daemon_await_ready(d);
	c.control = mustdial_ip("::1", daemon_port(d, 0));
	mustsend(c.control, BYTES(GREETING));
	expect_bytes(c.control, BYTES(METHOD_NONE));
	ask_association(c.control, request, request_ip(request, "::", 0));
	c.relay = read_bnd(c.control);
	ck_assert_int_eq(c.relay.sa.sa_family, AF_INET6);
	ck_assert(memcmp(&c.relay.in6.sin6_addr, &in6addr_loopback, 16) == 0);
	c.fd = open_socket("::1", NULL);
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(one_association_has_any_number_of_targets_at_once)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	union address from[20];
	uint16_t port[20];
	int target[20];
	char text[32];

	for (int i = 0; i < 20; i++) {
		target[i] = open_socket(i % 2 ? "127.0.0.1" : "127.0.0.2", &port[i]);
		snprintf(text, sizeof(text), "query %d", i);
		send_to(&c, i % 2 ? "127.0.0.1" : "127.0.0.2", port[i], text);
	}
	for (int i = 19; i >= 0; i--) {
		snprintf(text, sizeof(text), "query %d", i);
		from[i] = expect_text(target[i], text);
		send_raw(target[i], &from[i], text, strlen(text));
		expect_answer(&c, i % 2 ? "127.0.0.1" : "127.0.0.2", port[i], text);
	}
	leave(&c);
	stop_daemon(d);
}
END_TEST

/* As a resolver does it: one socket, many questions under way, answers in any order. */
START_TEST(questions_of_dns_are_answered)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);
	char query[] = "\0\0\1\0\0\1\0\0\0\0\0\0\7example\0\0\1\0\1";
	union address from = make_address("127.0.0.1", 0);

	for (char id = 0; id < 50; id++) {
		query[1] = id;
		send_fragment(&c, c.fd, 0, "127.0.0.1", port, query, sizeof(query) - 1);
	}
	for (char id = 0; id < 50; id++) {
		query[1] = id;
		from = expect_datagram(target, query, sizeof(query) - 1);
	}
	for (char id = 49; id >= 0; id--) {
		char answer[10 + sizeof(query) - 1];

		query[1] = id;
		query[2] = (char)0x81;
		header((uint8_t *)answer, 0, "127.0.0.1", port);
		memcpy(answer + 10, query, sizeof(query) - 1);
		send_raw(target, &from, query, sizeof(query) - 1);
		expect_datagram(c.fd, answer, sizeof(answer));
	}
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(bnd_is_the_address_that_the_client_has_come_to)
{
	struct daemon *d = daemon_spawn(DCSD,
		"listen = \"0.0.0.0:0\"; rules = ( { action = \"allow\"; "
		"clients = \"127.0.0.0/8\"; } );");
	union address want = make_address("127.0.0.3", 0), relay;
	uint8_t request[REQUEST_SIZE];
	int control;

	daemon_await_ready(d);
	control = mustdial_ip("127.0.0.3", daemon_port(d, 0));
	mustsend(control, BYTES(GREETING));
	expect_bytes(control, BYTES(METHOD_NONE));
	ask_association(control, request, request_ip(request, "0.0.0.0", 0));
	relay = read_bnd(control);
	ck_assert(relay.in.sin_addr.s_addr == want.in.sin_addr.s_addr);
	ck_assert(relay.in.sin_port != 0);
	close(control);
	stop_daemon(d);
}
END_TEST

START_TEST(bnd_may_be_another_address_that_is_configured)
{
	struct daemon *d = start_dcsd("udp: { advertise = \"203.0.113.5\"; };");
	struct client c = associate(d);
	union address want = make_address("203.0.113.5", 0);
	int target = open_socket("127.0.0.1", NULL);

	ck_assert(c.relay.in.sin_addr.s_addr == want.in.sin_addr.s_addr);
	c.relay.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(no_free_port_is_rep_1)
{
	uint16_t port;
	int hold = open_socket("127.0.0.1", &port);
	struct daemon *d = start_dcsd("udp: { ports = %d; };", port);
	uint8_t request[REQUEST_SIZE];
	int control = socks_dial(d);

	ask_association(control, request, request_ip(request, "0.0.0.0", 0));
	expect_failure(control, 1);
	expect_log(d, " end=connect-failed rep=1 error=\"Address already in use\"\n");
	close(control);
	close(hold);
	stop_daemon(d);
}
END_TEST

START_TEST(only_the_clients_address_may_send)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);
	int stranger = open_socket("127.0.0.2", NULL);

	send_from(&c, stranger, "127.0.0.1", port, "from a stranger");
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	send_from(&c, stranger, "127.0.0.1", port, "again");
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	expect_log(d, " end=client-eof dgrams_up=2 dgrams_down=2 drop_source=2\n");
	stop_daemon(d);
}
END_TEST

START_TEST(the_first_valid_datagram_pins_the_port)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);
	int other = open_socket("127.0.0.1", NULL);

	send_raw(other, &c.relay, "garbage", 7);
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	send_from(&c, other, "127.0.0.1", port, "from another port");
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	expect_log(d, " dgrams_up=2 dgrams_down=2 drop_source=1 drop_header=1\n");
	stop_daemon(d);
}
END_TEST

/* DST of the request, and whether its port is the only one that may send. */
struct declared {
	const char *host;
	size_t name_len; /* 0: an address */
	bool narrows;
};

static const struct declared declareds[] = {
	{ "0.0.0.0", 0, true },
	{ "127.0.0.1", 0, true },
	{ "::ffff:127.0.0.1", 0, true },
	{ "::", 0, true },
	{ BYTES("0"), true }, /* as PySocks sends it */
	{ BYTES("0.0.0.0"), true },
	{ BYTES("127.0.0.1"), true },
	{ BYTES("some.name"), true },
	{ "10.9.8.7", 0, false }, /* a client behind NAT */
	{ BYTES("10.9.8.7"), false },
};

START_TEST(the_declared_port_is_honoured_unless_the_address_is_not_the_clients)
{
	struct daemon *d = start_dcsd("%s", "");

	for (size_t i = 0; i < COUNT(declareds); i++) {
		const struct declared *row = &declareds[i];
		struct client c = { .control = socks_dial(d) };
		uint8_t request[REQUEST_SIZE];
		uint16_t mine, port;
		int target = open_socket("127.0.0.1", &port);
		int other = open_socket("127.0.0.1", NULL);

		harness_row = row->host;
		c.fd = open_socket("127.0.0.1", &mine);
		ask_association(c.control, request,
			row->name_len > 0
				? request_name(request, row->host, row->name_len, mine)
				: request_ip(request, row->host, mine));
		c.relay = read_bnd(c.control);
		send_from(&c, other, "127.0.0.1", port, "from the other");
		send_from(&c, c.fd, "127.0.0.1", port, "from the declared");
		expect_text(
			target, row->narrows ? "from the declared" : "from the other");
		leave(&c);
		close(target);
		close(other);
	}
	stop_daemon(d);
}
END_TEST

struct malformed {
	const char *what, *bytes;
	size_t size;
};

static const struct malformed malformeds[] = {
	{ "RSV", BYTES("\0\1\0\1\x7f\0\0\1\0\x35x") },
	{ "nothing", BYTES("") },
	{ "short", BYTES("\0\0\0") },
	{ "header cut", BYTES("\0\0\0\1\x7f\0\0\1\0") },
	{ "ATYP 0", BYTES("\0\0\0\0\x7f\0\0\1\0\x35x") },
	{ "ATYP 9", BYTES("\0\0\0\x09\x7f\0\0\1\0\x35x") },
	{ "name overrun",
		BYTES("\0\0\0\3\x40"
		      "abc\0\x35") },
	{ "empty name", BYTES("\0\0\0\3\0\0\x35x") },
	{ "name with NUL", BYTES("\0\0\0\3\3a\0b\0\x35x") },
	{ "port 0", BYTES("\0\0\0\1\x7f\0\0\1\0\0x") },
};

START_TEST(malformed_datagrams_are_dropped_and_the_association_lives)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	int target = open_socket("127.0.0.1", NULL);

	for (size_t i = 0; i < COUNT(malformeds); i++) {
		harness_row = malformeds[i].what;
		send_raw(c.fd, &c.relay, malformeds[i].bytes, malformeds[i].size);
		exchange(&c, target, "127.0.0.1", "127.0.0.1");
	}
	harness_row = NULL;
	leave(&c);
	expect_log(d, " drop_header=%zu\n", COUNT(malformeds));
	stop_daemon(d);
}
END_TEST

START_TEST(empty_datagrams_are_datagrams)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);
	union address from;

	send_to(&c, "127.0.0.1", port, "");
	from = expect_text(target, "");
	send_raw(target, &from, "", 0);
	expect_answer(&c, "127.0.0.1", port, "");
	leave(&c);
	expect_log(d, " up=0 down=0 ");
	expect_log(d, " dgrams_up=1 dgrams_down=1\n");
	stop_daemon(d);
}
END_TEST

START_TEST(the_largest_datagrams_are_carried_whole)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);
	uint8_t *data = make_payload(10 + LARGEST);
	union address from;

	/* 10 bytes of it are the header, on both ways. */
	send_fragment(&c, c.fd, 0, "127.0.0.1", port, data + 10, LARGEST - 10);
	from = expect_datagram(target, data + 10, LARGEST - 10);
	send_raw(target, &from, data + 10, LARGEST - 10);
	header(data, 0, "127.0.0.1", port);
	expect_datagram(c.fd, data, LARGEST);
	/* In fragments the header does not count. */
	send_fragment(&c, c.fd, 1, "127.0.0.1", port, data, 40000);
	send_fragment(&c, c.fd, 0x82, "127.0.0.1", port, data + 40000, LARGEST - 40000);
	expect_datagram(target, data, LARGEST);
	free(data);
	leave(&c);
	expect_log(d, " dgrams_up=2 dgrams_down=1\n");
	stop_daemon(d);
}
END_TEST

START_TEST(an_answer_that_is_too_large_with_its_header_is_dropped_alone)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);
	uint8_t *data = make_payload(LARGEST);
	union address from;

	send_to(&c, "127.0.0.1", port, "question");
	from = expect_text(target, "question");
	send_raw(target, &from, data, LARGEST);
	send_raw(target, &from, data, LARGEST - 9);
	send_raw(target, &from, "small", 5);
	expect_answer(&c, "127.0.0.1", port, "small");
	free(data);
	leave(&c);
	expect_log(d, " dgrams_up=1 dgrams_down=1 drop_size=2\n");
	stop_daemon(d);
}
END_TEST

START_TEST(a_port_where_nobody_listens_costs_no_other_datagram)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port, dead;
	int target = open_socket("127.0.0.1", &port);

	close(open_socket("127.0.0.1", &dead));
	for (int i = 0; i < 20; i++) {
		send_to(&c, "127.0.0.1", dead, "into the void");
		exchange(&c, target, "127.0.0.1", "127.0.0.1");
	}
	leave(&c);
	expect_log(d, " end=client-eof dgrams_up=40 dgrams_down=20\n");
	stop_daemon(d);
}
END_TEST

START_TEST(a_name_that_is_not_found_holds_up_nothing_else)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	int target = open_socket("127.0.0.1", NULL);
	char name[64];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "no-such-host-%d.invalid", i);
		send_to(&c, name, 53, "x");
		exchange(&c, target, "127.0.0.1", "127.0.0.1");
		exchange(&c, target, "127.1", "127.0.0.1");
	}
	leave(&c);
	expect_log(d, " dgrams_up=8 dgrams_down=8 drop_name=4\n");
	stop_daemon(d);
}
END_TEST

/* Also what the resolver still works at when its association ends. */
START_TEST(an_association_may_end_while_names_are_looked_up)
{
	struct daemon *d = start_warm("");
	char name[64];

	for (int i = 0; i < 20; i++) {
		struct client c = associate(d);

		for (int j = 0; j < 12; j++) {
			snprintf(name, sizeof(name), "host-%d-%d.invalid", i, j);
			send_to(&c, name, 53, "x");
		}
		leave(&c);
	}
	expect_baseline(d);
	leave(&(struct client){ socks_dial(d), open_socket("127.0.0.1", NULL),
		make_address("127.0.0.1", 0) });
	stop_daemon(d);
}
END_TEST

START_TEST(fragments_become_one_datagram_or_nothing)
{
	static const struct {
		const char *what;
		uint8_t frags[5];  /* each carries its own position as a digit */
		const char *whole; /* NULL: nothing comes */
	} rows[] = {
		{ "in order", { 1, 2, 0x83 }, "123" },
		{ "alone", { 0x81 }, "1" },
		{ "out of order", { 2, 1, 0x83 }, NULL },
		{ "last first", { 0x82, 1 }, NULL },
		{ "a gap", { 1, 0x83 }, NULL },
		{ "begun anew", { 1, 2, 1, 0x82 }, "12" },
		{ "no end", { 1, 2, 3 }, NULL },
		{ "no beginning", { 0x85 }, NULL },
		{ "the end of nothing", { 0x80 }, NULL },
	};
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);

	for (size_t i = 0; i < COUNT(rows); i++) {
		harness_row = rows[i].what;
		for (int j = 0; rows[i].frags[j] != 0; j++) {
			char digit = (char)('0' + (rows[i].frags[j] & 0x7f));

			send_fragment(
				&c, c.fd, rows[i].frags[j], "127.0.0.1", port, &digit, 1);
		}
		if (rows[i].whole)
			expect_text(target, rows[i].whole);
		exchange(&c, target, "127.0.0.1", "127.0.0.1");
	}
	harness_row = NULL;
	leave(&c);
	expect_log(d, " dgrams_up=12 dgrams_down=9 drop_header=1 drop_frag=13\n");
	stop_daemon(d);
}
END_TEST

/* The daemon finds them all waiting, and takes several at a time where it can. */
START_TEST(datagrams_that_come_together_are_kept_apart)
{
	uint16_t port, other_port;
	int target = open_socket("127.0.0.1", &port);
	int other = open_socket("127.0.0.1", &other_port);
	struct daemon *d = start_dcsd("outgoing: { bind = \"127.0.0.5\"; }; "
				      "rules = ( { action = \"allow\"; ports = %d; "
				      "outgoing: { bind = \"127.0.0.6\"; }; }, "
				      "{ action = \"allow\"; } );",
		other_port);
	struct client c = associate(d);
	union address five = make_address("127.0.0.5", 0), from;
	union address six = make_address("127.0.0.6", 0);

	ck_assert(kill(daemon_pid(d), SIGSTOP) == 0);
	ck_assert(waitpid(daemon_pid(d), NULL, WUNTRACED) == daemon_pid(d));
	send_fragment(&c, c.fd, 1, "127.0.0.1", port, "on", 2);
	send_fragment(&c, c.fd, 0x82, "127.0.0.1", port, "e", 1);
	send_fragment(&c, c.fd, 1, "127.0.0.1", port, "tw", 2);
	send_fragment(&c, c.fd, 0x82, "127.0.0.1", port, "o", 1);
	send_to(&c, "127.0.0.1", port, "three");
	send_to(&c, "127.0.0.1", other_port, "elsewhere");
	send_to(&c, "127.0.0.1", port, "four");
	kill(daemon_pid(d), SIGCONT);
	expect_text(target, "one");
	expect_text(target, "two");
	expect_text(target, "three");
	from = expect_text(target, "four");
	ck_assert(from.in.sin_addr.s_addr == five.in.sin_addr.s_addr);
	from = expect_text(other, "elsewhere");
	ck_assert(from.in.sin_addr.s_addr == six.in.sin_addr.s_addr);
	leave(&c);
	stop_daemon(d);
}
END_TEST

/* Datagrams of each bytes, the last one maybe shorter: at once, where the system can. */
static void
send_joined(int fd, const union address *to, const uint8_t *data, size_t size, int each)
{
#ifdef UDP_SEGMENT
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &each, sizeof(each)) == 0) {
		send_raw(fd, to, data, size);
		return;
	}
#endif
	for (; size > (size_t)each; data += each, size -= (size_t)each)
		send_raw(fd, to, data, (size_t)each);
	send_raw(fd, to, data, size);
}

/* Linux hands on what was sent at once as one datagram, to who has asked for that. */
START_TEST(datagrams_that_come_joined_are_kept_apart)
{
	enum { MANY = 50, SIZE = 100, HEADER = 10 };
	static uint8_t bare[MANY][SIZE], headed[MANY][HEADER + SIZE];
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	union address from;
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);

	for (int i = 0; i < MANY; i++) {
		memset(bare[i], '0' + i, SIZE);
		header(headed[i], 0, "127.0.0.1", port);
		memcpy(headed[i] + HEADER, bare[i], SIZE);
	}
	send_joined(c.fd, &c.relay, headed[0], sizeof(headed) - 1, HEADER + SIZE);
	for (int i = 0; i < MANY; i++)
		from = expect_datagram(target, bare[i], i < MANY - 1 ? SIZE : SIZE - 1);
	send_joined(target, &from, bare[0], sizeof(bare) - 1, SIZE);
	for (int i = 0; i < MANY; i++)
		expect_datagram(
			c.fd, headed[i], HEADER + (i < MANY - 1 ? SIZE : SIZE - 1));
	leave(&c);
	expect_log(d, " up=4999 down=4999 ");
	expect_log(d, " dgrams_up=50 dgrams_down=50\n");
	stop_daemon(d);
}
END_TEST

START_TEST(only_hosts_that_were_sent_to_may_answer)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	uint16_t port, other_port;
	int target = open_socket("127.0.0.1", &port);
	int other = open_socket("127.0.0.1", &other_port);
	int stranger = open_socket("127.0.0.2", NULL);
	union address from;

	send_to(&c, "127.0.0.1", port, "question");
	from = expect_text(target, "question");
	from.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	send_raw(stranger, &from, "from a stranger", 15);
	send_raw(other, &from, "from another port", 17);
	expect_answer(&c, "127.0.0.1", other_port, "from another port");
	leave(&c);
	expect_log(d, " dgrams_up=1 dgrams_down=1 drop_answer=1\n");
	stop_daemon(d);
}
END_TEST

START_TEST(any_source_may_answer_when_configured)
{
	struct daemon *d = start_dcsd("udp: { any_source = true; };");
	struct client c = associate(d);
	uint16_t port, stranger_port;
	int target = open_socket("127.0.0.1", &port);
	int stranger = open_socket("127.0.0.2", &stranger_port);
	union address from;

	send_to(&c, "127.0.0.1", port, "question");
	from = expect_text(target, "question");
	send_raw(stranger, &from, "hello", 5);
	expect_answer(&c, "127.0.0.2", stranger_port, "hello");
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(the_rules_decide_for_each_datagram)
{
	uint16_t open, shut;
	int good = open_socket("127.0.0.1", &open), bad = open_socket("127.0.0.1", &shut);
	int elsewhere = open_socket("127.0.0.2", NULL);
	struct daemon *d = start_dcsd("rules = ( { name = \"one\"; action = \"allow\"; "
				      "commands = \"udp\"; targets = \"127.0.0.1\"; "
				      "ports = %d; } );",
		open);
	struct client c = associate(d);

	send_to(&c, "127.0.0.1", shut, "wrong port");
	send_to(&c, "127.0.0.2", open, "wrong address");
	send_to(&c, "no.such.name", shut, "wrong port, by name");
	exchange(&c, good, "127.0.0.1", "127.0.0.1");
	exchange(&c, good, "127.1", "127.0.0.1");
	expect_silence(bad, 0);
	expect_silence(elsewhere, 0);
	leave(&c);
	expect_log_line(d, " rule=one cmd=udp .* dgrams_up=2 dgrams_down=2 drop_rule=3$");
	stop_daemon(d);
}
END_TEST

START_TEST(a_rule_for_a_name_allows_an_association)
{
	struct daemon *d = start_dcsd("outgoing: { prefer = \"ipv4-only\"; }; "
				      "rules = ( { action = \"allow\"; "
				      "targets = \"localhost\"; } );");
	struct client c = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);

	send_to(&c, "127.0.0.1", port, "by address");
	exchange(&c, target, "localhost", "127.0.0.1");
	leave(&c);
	expect_log(d, " drop_rule=1\n");
	stop_daemon(d);
}
END_TEST

START_TEST(no_association_where_no_rule_allows_any_datagram)
{
	static const char *const rules[] = {
		"rules = ( { action = \"allow\"; commands = \"connect\"; } );",
		("rules = ( { action = \"deny\"; commands = \"udp\"; }, "
		 "{ action = \"allow\"; } );"),
		"rules = ( { action = \"allow\"; clients = \"10.0.0.0/8\"; } );",
	};

	for (size_t i = 0; i < COUNT(rules); i++) {
		struct daemon *d = start_dcsd("%s", rules[i]);
		uint8_t request[REQUEST_SIZE];
		int control = socks_dial(d);

		ask_association(control, request, request_ip(request, "0.0.0.0", 0));
		expect_failure(control, 2);
		expect_log_line(d, " cmd=udp .* end=denied rep=2 error=\".+\"$");
		close(control);
		stop_daemon(d);
	}
}
END_TEST

START_TEST(special_addresses_and_our_own_sockets_are_no_targets)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d), victim = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", &port);

	send_to(&c, "0.0.0.0", port, "unspecified");
	send_to(&c, "::", port, "unspecified");
	send_to(&c, "224.0.0.1", port, "multicast");
	send_to(&c, "ff02::1", port, "multicast");
	send_to(&c, "255.255.255.255", port, "broadcast");
	send_to(&c, "240.0.0.1", port, "reserved");
	send_to(&c, "127.0.0.1", daemon_port(d, 0), "a listening socket");
	send_to(&c, "127.0.0.1", ntohs(victim.relay.in.sin_port), "a relay socket");
	send_to(&c, "127.0.0.1", ntohs(c.relay.in.sin_port), "its own");
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	exchange(&victim, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	expect_log(d, " dgrams_up=1 dgrams_down=1 drop_rule=9\n");
	leave(&victim);
	stop_daemon(d);
}
END_TEST

START_TEST(each_rule_may_have_its_own_source)
{
	uint16_t plain_port, ruled_port;
	int plain = open_socket("127.0.0.1", &plain_port);
	int ruled = open_socket("127.0.0.1", &ruled_port);
	struct daemon *d = start_dcsd("outgoing: { bind = \"127.0.0.5\"; }; "
				      "rules = ( { action = \"allow\"; ports = %d; "
				      "outgoing: { bind = \"127.0.0.6\"; }; }, "
				      "{ action = \"allow\"; } );",
		ruled_port);
	union address five = make_address("127.0.0.5", 0), from;
	union address six = make_address("127.0.0.6", 0);
	struct client c = associate(d);

	send_to(&c, "127.0.0.1", plain_port, "plain");
	from = expect_text(plain, "plain");
	ck_assert(from.in.sin_addr.s_addr == five.in.sin_addr.s_addr);
	send_to(&c, "127.0.0.1", ruled_port, "ruled");
	from = expect_text(ruled, "ruled");
	ck_assert(from.in.sin_addr.s_addr == six.in.sin_addr.s_addr);
	send_raw(ruled, &from, "answer", 6);
	expect_answer(&c, "127.0.0.1", ruled_port, "answer");
	leave(&c);
	stop_daemon(d);
}
END_TEST

/* Soon, if not yet. */
static void
expect_free(const union address *a)
{
	for (int tries = WAIT_MS / 10; tries > 0; tries--) {
		int fd = socket(a->sa.sa_family, SOCK_DGRAM, 0);
		int bound = bind(fd, &a->sa, size_of(a));

		close(fd);
		if (bound == 0)
			return;
		poll(NULL, 0, 10); /* nothing tells that another process has closed it */
	}
	fail_test("the relay socket is still there");
}

START_TEST(the_association_ends_with_its_control_connection)
{
	struct daemon *d = start_warm("");
	struct client c = associate(d);
	int target = open_socket("127.0.0.1", NULL);

	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	half_close(c.control);
	expect_eof(c.control);
	expect_free(&c.relay);
	expect_log(d, " end=client-eof dgrams_up=1");
	leave(&c);
	c = associate(d);
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	reset(c.control);
	close(c.fd);
	expect_free(&c.relay);
	expect_log(d, " end=client-reset dgrams_up=1");
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

START_TEST(the_place_of_a_relay_socket_that_has_gone_is_a_target)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client gone = associate(d), c = associate(d);
	int target;

	leave(&gone);
	expect_free(&gone.relay);
	expect_log(d, " cmd=udp ");
	target = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert(bind(target, &gone.relay.sa, sizeof(gone.relay.in)) == 0);
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(bytes_on_the_control_connection_are_nothing)
{
	static const char much[1 << 20] = "\5\1\0";
	struct daemon *d = start_dcsd("%s", "");
	struct client c = { .control = socks_dial(d) };
	int target = open_socket("127.0.0.1", NULL);
	uint8_t request[REQUEST_SIZE + 5];
	size_t size = request_ip(request, "0.0.0.0", 0);

	memcpy(request + size, "early", 5);
	ask_association(c.control, request, size + 5);
	c.relay = read_bnd(c.control);
	c.fd = open_socket("127.0.0.1", NULL);
	mustsend(c.control, much, sizeof(much));
	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	leave(&c);
	expect_log(d, " up=8 down=6 ");
	stop_daemon(d);
}
END_TEST

START_TEST(an_idle_association_ends)
{
	struct daemon *d = start_dcsd("udp: { idle = 1; };");
	struct client c = associate(d);
	int target = open_socket("127.0.0.1", NULL);
	int64_t begin;

	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	begin = now_ms();
	expect_eof(c.control);
	ck_assert_int_ge(now_ms() - begin, 900);
	expect_log(d, " end=idle dgrams_up=1 dgrams_down=1\n");
	expect_free(&c.relay);
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(strangers_do_not_keep_it_from_being_idle)
{
	struct daemon *d = start_dcsd("udp: { idle = 1; };");
	struct client c = associate(d);
	int stranger = open_socket("127.0.0.2", NULL);
	struct pollfd p = { .fd = c.control, .events = POLLIN };

	for (int i = 0; i < WAIT_MS / 50 && poll(&p, 1, 50) == 0; i++)
		send_raw(stranger, &c.relay, "x", 1);
	expect_eof(c.control);
	expect_log_line(d, " end=idle dgrams_up=0 dgrams_down=0 drop_source=[0-9]+$");
	leave(&c);
	stop_daemon(d);
}
END_TEST

START_TEST(the_end_of_the_daemon_ends_it)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d);
	int target = open_socket("127.0.0.1", NULL);

	exchange(&c, target, "127.0.0.1", "127.0.0.1");
	kill(daemon_pid(d), SIGQUIT);
	expect_log(d, " cmd=udp ");
	expect_log(d, " end=shutdown dgrams_up=1 dgrams_down=1\n");
	expect_exit(d, 0);
	expect_end(c.control);
	leave(&c);
}
END_TEST

/* Resident kilobytes, 0 where there is no /proc. */
static long
resident(struct daemon *d)
{
	char path[64], line[128];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon_pid(d));
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* 4 KiB each to one target, and to names, hosts and fragments without end. */
static void
flood(const struct client *c, uint16_t port, int n)
{
	static const char data[4096];
	char host[32];

	for (int i = 0; i < n; i++) {
		snprintf(host, sizeof(host),
			i % 10 == 0 ? "127.%d.%d.1" : "h%d%d.invalid", i >> 8 & 0xff,
			i & 0xff);
		if (i % 5 == 0)
			send_fragment(c, c->fd, 0, host, port, data, sizeof(data));
		else if (i % 5 == 1)
			send_fragment(c, c->fd, (uint8_t)(1 + i % 3), "127.0.0.1", port,
				data, sizeof(data));
		else
			send_fragment(c, c->fd, 0, "127.0.0.1", port, data, sizeof(data));
	}
}

START_TEST(a_flood_costs_no_memory)
{
	struct daemon *d = start_dcsd("%s", "");
	struct client c = associate(d), other = associate(d);
	uint16_t port;
	int target = open_socket("127.0.0.1", NULL),
	    sink = open_socket("127.0.0.1", &port);
	long before;

	flood(&c, port, 10000);
	exchange(&other, target, "127.0.0.1", "127.0.0.1");
	before = resident(d);
	flood(&c, port, 40000);
	exchange(&other, target, "127.0.0.1", "127.0.0.1");
	/* 160 MB have passed; what remains is the store of freed memory of a sanitizer.
	 */
	ck_assert_msg(resident(d) < before + 65536, "%ld kB, and %ld kB before",
		resident(d), before);
	close(sink);
	leave(&c);
	expect_log(d, " end=client-eof dgrams_up=");
	leave(&other);
	stop_daemon(d);
}
END_TEST

START_TEST(many_associations_come_and_go)
{
	enum { MANY = 100 };
	static struct client c[MANY];
	struct daemon *d = start_warm("");
	int target = open_socket("127.0.0.1", NULL);

	for (int i = 0; i < MANY; i++)
		c[i] = associate(d);
	for (int i = 0; i < MANY; i++)
		exchange(&c[i], target, "127.0.0.1", "127.0.0.1");
	for (int i = 0; i < MANY; i++)
		leave(&c[i]);
	expect_baseline(d);
	stop_daemon(d);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("udp");

	tcase_add_test(tc, datagrams_go_both_ways_and_answers_tell_their_source);
	tcase_add_test(tc, names_are_looked_up);
	tcase_add_test(tc, a_client_of_ipv6_has_its_relay_there);
	tcase_add_test(tc, one_association_has_any_number_of_targets_at_once);
	tcase_add_test(tc, questions_of_dns_are_answered);
	tcase_add_test(tc, bnd_is_the_address_that_the_client_has_come_to);
	tcase_add_test(tc, bnd_may_be_another_address_that_is_configured);
	tcase_add_test(tc, no_free_port_is_rep_1);
	tcase_add_test(tc, only_the_clients_address_may_send);
	tcase_add_test(tc, the_first_valid_datagram_pins_the_port);
	tcase_add_test(
		tc, the_declared_port_is_honoured_unless_the_address_is_not_the_clients);
	tcase_add_test(tc, malformed_datagrams_are_dropped_and_the_association_lives);
	tcase_add_test(tc, empty_datagrams_are_datagrams);
	tcase_add_test(tc, the_largest_datagrams_are_carried_whole);
	tcase_add_test(tc, an_answer_that_is_too_large_with_its_header_is_dropped_alone);
	tcase_add_test(tc, a_port_where_nobody_listens_costs_no_other_datagram);
	tcase_add_test(tc, a_name_that_is_not_found_holds_up_nothing_else);
	tcase_add_test(tc, an_association_may_end_while_names_are_looked_up);
	tcase_add_test(tc, fragments_become_one_datagram_or_nothing);
	tcase_add_test(tc, datagrams_that_come_together_are_kept_apart);
	tcase_add_test(tc, datagrams_that_come_joined_are_kept_apart);
	tcase_add_test(tc, only_hosts_that_were_sent_to_may_answer);
	tcase_add_test(tc, any_source_may_answer_when_configured);
	tcase_add_test(tc, the_rules_decide_for_each_datagram);
	tcase_add_test(tc, a_rule_for_a_name_allows_an_association);
	tcase_add_test(tc, no_association_where_no_rule_allows_any_datagram);
	tcase_add_test(tc, special_addresses_and_our_own_sockets_are_no_targets);
	tcase_add_test(tc, each_rule_may_have_its_own_source);
	tcase_add_test(tc, the_association_ends_with_its_control_connection);
	tcase_add_test(tc, the_place_of_a_relay_socket_that_has_gone_is_a_target);
	tcase_add_test(tc, bytes_on_the_control_connection_are_nothing);
	tcase_add_test(tc, an_idle_association_ends);
	tcase_add_test(tc, strangers_do_not_keep_it_from_being_idle);
	tcase_add_test(tc, the_end_of_the_daemon_ends_it);
	tcase_add_test(tc, a_flood_costs_no_memory);
	tcase_add_test(tc, many_associations_come_and_go);
	return harness_run("udp", tc);
}
