/* SPDX-License-Identifier: ISC */
/*
 * Who may do what, live: methods and passwords (RFC 1929), rules, limits, penalties, the
 * PROXY header, and where connections of dcsd come from. Raw bytes against the daemon.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

/* SHA-512 with few rounds, of the password "sesame". */
#define HASH                                                                             \
	"$6$rounds=1000$saltsaltsalt$"                                                   \
	"Np..HltI19w3y4MiKjEr7ThGWhG9McoUaNpfknJO/E5/"                                   \
	"wgVNHUbAUaHlAFh4Q4aetfsv1Nn2s4muHXgTMefXp/"

/* ann and bob, their password "sesame"; bob: two tunnels at a time, of the group ops. */
#define PASSWORD "auth: { methods = [ \"password\" ]; users = \"%s\"; };\n"

#define OFFER_PASSWORD "\5\1\2"
#define ANN	       "\1\3ann\6sesame"
#define BOB	       "\1\3bob\6sesame"

static char users_path[] = "/tmp/test_access.XXXXXX";

/* Makes the users file, for all tests: it is there before they run. */
static void
make_users(void)
{
	int fd = mkstemp(users_path);

	if (fd == -1)
		abort();
	dprintf(fd, "ann:%s\nbob:%s::2::ops\nold:%s:2001-01-01\nfar:%s:::10.0.0.0/8\n",
		HASH, HASH, HASH, HASH);
	close(fd);
}

/* A client that has come from that address of loopback. */
static int
dial_from(const char *from, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(inet_pton(AF_INET, from, &in.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	in.sin_port = htons(port);
	ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.1", &in.sin_addr), 1);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A client that has authenticated. */
static int
login(struct daemon *d, const char *credentials, size_t len)
{
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, BYTES(OFFER_PASSWORD));
	expect_bytes(fd, "\5\2", 2);
	mustsend(fd, credentials, len);
	expect_bytes(fd, "\1\0", 2);
	return fd;
}

static struct daemon *
start_with_users(const char *more)
{
	return start_dcsd(PASSWORD "%s", users_path, more);
}

/* ---- methods ---- */

static const struct {
	const char *name, *methods, *offer;
	size_t len;
	const char *answer;
} choices[] = {
	{ "our order decides", "\"password\", \"none\"", BYTES("\5\2\0\2"), "\5\2" },
	{ "our order decides, none first", "\"none\", \"password\"", BYTES("\5\2\2\0"),
		"\5\0" },
	{ "the one that is offered", "\"password\", \"none\"", BYTES("\5\1\0"), "\5\0" },
	{ "twice and unknown ones", "\"password\"", BYTES("\5\5\x80\2\2\xfe\1"), "\5\2" },
	{ "none of ours", "\"password\"", BYTES("\5\1\0"), "\5\xff" },
	{ "no method at all", "\"password\"", BYTES("\5\0"), "\5\xff" },
	{ "GSSAPI alone", "\"password\"", BYTES("\5\1\1"), "\5\xff" },
};

START_TEST(method_is_chosen_by_our_preference)
{
	struct daemon *d = start_dcsd("auth: { methods = [ %s ]; users = \"%s\"; };\n",
		choices[_i].methods, users_path);
	int fd = mustdial(daemon_port(d, 0));

	harness_row = choices[_i].name;
	mustsend(fd, choices[_i].offer, choices[_i].len);
	expect_bytes(fd, choices[_i].answer, 2);
	if (choices[_i].answer[1] == '\xff')
		expect_eof(fd);
	close(fd);
	stop_daemon(d);
}
END_TEST

/* ---- RFC 1929 ---- */

START_TEST(right_password_leads_to_the_target_and_into_the_log)
{
	struct daemon *d = start_with_users("");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd = login(d, BYTES(ANN)), target;

	socks_ask(fd, "127.0.0.1", port);
	target = mustaccept(listener);
	expect_success(fd, target);
	close(target);
	expect_eof(fd);
	close(fd);
	expect_log_line(
		d, "tunnel id=[^ ]+ client=127.0.0.1:[0-9]+ user=ann rule=- cmd=connect");
	close(listener);
	stop_daemon(d);
}
END_TEST

START_TEST(authentication_works_a_byte_at_a_time_and_all_at_once)
{
	static const char all[] = OFFER_PASSWORD ANN;
	struct daemon *d = start_with_users("");
	int fd = mustdial(daemon_port(d, 0));

	for (size_t i = 0; i < sizeof(all) - 1; i++)
		mustsend(fd, all + i, 1);
	expect_bytes(fd, "\5\2\1\0", 4);
	close(fd);
	fd = mustdial(daemon_port(d, 0));
	mustsend(fd, all, sizeof(all) - 1);
	expect_bytes(fd, "\5\2\1\0", 4);
	close(fd);
	stop_daemon(d);
}
END_TEST

static const struct {
	const char *name, *message;
	size_t len;
	const char *reason;
} failures[] = {
	{ "wrong password", BYTES("\1\3ann\5wrong"), "" },
	{ "password with more behind it", BYTES("\1\3ann\7sesame!"), "" },
	{ "beginning of the password", BYTES("\1\3ann\5sesam"), "" },
	{ "password with a NUL behind it", BYTES("\1\3ann\7sesame\0"), "" },
	{ "name with a NUL behind it", BYTES("\1\4ann\0\6sesame"), "" },
	{ "unknown user", BYTES("\1\3eve\6sesame"), "" },
	{ "expired user", BYTES("\1\3old\6sesame"), "" },
	{ "user of another network", BYTES("\1\3far\6sesame"), "" },
	{ "no name", BYTES("\1\0\6sesame"), "" },
	{ "no password", BYTES("\1\3ann\0"), "" },
	{ "VER 5", BYTES("\5\3ann\6sesame"), "malformed" },
	{ "a request instead", BYTES("\5\1\0\1\x7f\0\0\1\0\x50"), "malformed" },
};

START_TEST(wrong_credentials_fail_and_the_connection_ends)
{
	struct daemon *d = start_with_users("");
	int fd = mustdial(daemon_port(d, 0));

	harness_row = failures[_i].name;
	mustsend(fd, BYTES(OFFER_PASSWORD));
	expect_bytes(fd, "\5\2", 2);
	mustsend(fd, failures[_i].message, failures[_i].len);
	expect_bytes(fd, "\1\1", 2);
	expect_eof(fd);
	close(fd);
	expect_log(d, "auth-failed client=127.0.0.1:");
	expect_log(d, "end=auth-failed");
	expect_log(d, "%s", failures[_i].reason);
	ck_assert_int_eq(log_count(d, "sesame"), 0);
	stop_daemon(d);
}
END_TEST

START_TEST(longest_credentials_are_well_formed)
{
	struct daemon *d = start_with_users("");
	int fd = mustdial(daemon_port(d, 0));
	uint8_t message[513];

	memset(message, 0xff, sizeof(message));
	message[0] = 1;
	mustsend(fd, BYTES(OFFER_PASSWORD));
	expect_bytes(fd, "\5\2", 2);
	mustsend(fd, message, sizeof(message));
	expect_bytes(fd, "\1\1", 2);
	expect_eof(fd);
	close(fd);
	stop_daemon(d);
}
END_TEST

/* ---- penalties ---- */

START_TEST(source_that_keeps_failing_is_refused_at_accept)
{
	struct daemon *d =
		start_dcsd("auth: { methods = [ \"password\" ]; users = \"%s\";\n"
			   "penalties: { after = 2; first = 60; }; };\n",
			users_path);
	int fd;
	char c;

	for (int i = 0; i < 2; i++) {
		fd = dial_from("127.0.0.9", daemon_port(d, 0));
		mustsend(fd, BYTES(OFFER_PASSWORD "\1\3eve\1x"));
		expect_bytes(fd, "\5\2\1\1", 4);
		expect_eof(fd);
		close(fd);
	}
	expect_log(d, "auth-refused source=127.0.0.9");
	fd = dial_from("127.0.0.9", daemon_port(d, 0));
	ck_assert(fd == -1 || recv(fd, &c, 1, 0) == -1);
	close(fd);
	fd = login(d, BYTES(ANN));
	close(fd);
	stop_daemon(d);
}
END_TEST

/* ---- rules, limits ---- */

#define RULES(text) "rules = ( " text " );\n"

START_TEST(rules_decide_and_are_named_in_the_log)
{
	struct daemon *d = start_with_users(
		RULES("{ name = \"no-mail\"; action = \"deny\"; ports = 25; },"
		      "{ name = \"ops\"; action = \"allow\"; users = \"@ops\"; }"));
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd, target;

	fd = login(d, BYTES(BOB));
	socks_ask(fd, "127.0.0.1", 25);
	expect_failure(fd, 2);
	expect_log(d, "user=bob rule=no-mail cmd=connect");
	fd = login(d, BYTES(ANN));
	socks_ask(fd, "127.0.0.1", port);
	expect_failure(fd, 2);
	expect_log(d, "user=ann rule=- cmd=connect");
	expect_log(d, "no rule matches");
	fd = login(d, BYTES(BOB));
	socks_ask(fd, "127.0.0.1", port);
	target = mustaccept(listener);
	expect_success(fd, target);
	close(fd);
	close(target);
	expect_log(d, "user=bob rule=ops cmd=connect");
	close(listener);
	stop_daemon(d);
}
END_TEST

START_TEST(name_is_decided_by_its_addresses_and_nothing_denied_is_dialled)
{
	struct daemon *d = start_dcsd(
		RULES("{ action = \"deny\"; targets = [ \"127.0.0.0/8\", \"::1\" ]; },"
		      "{ action = \"allow\"; }"));
	uint8_t buf[REQUEST_SIZE];
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd = socks_dial(d);

	mustsend(fd, buf, request_name(buf, "localhost", 9, port));
	expect_failure(fd, 2);
	fd = socks_dial(d);
	mustsend(fd, buf, request_ip(buf, "::ffff:127.0.0.1", port));
	expect_failure(fd, 2);
	close(listener);
	stop_daemon(d);
}
END_TEST

START_TEST(name_that_no_rule_could_allow_is_refused_before_it_is_looked_up)
{
	struct daemon *d =
		start_dcsd(RULES("{ action = \"allow\"; targets = \"a.org\"; }"));
	uint8_t buf[REQUEST_SIZE];
	int fd = socks_dial(d);

	/* It does not exist: looking it up would give REP 4, or 6. */
	mustsend(fd, buf, request_name(buf, "no.such.invalid", 15, 80));
	expect_failure(fd, 2);
	expect_log(d, " dns=- ");
	stop_daemon(d);
}
END_TEST

/* A tunnel that is open, to the listener at that port. */
static int
open_tunnel(int fd, int listener, uint16_t port, int *target)
{
	socks_ask(fd, "127.0.0.1", port);
	*target = mustaccept(listener);
	expect_success(fd, *target);
	return fd;
}

/* _i 0: the limit of a rule; 1: of a user. */
START_TEST(limit_of_a_rule_or_user_is_rep_2_and_given_back)
{
	struct daemon *d = _i == 0
		? start_dcsd(RULES("{ name = \"two\"; action = \"allow\"; limit = 2; }"))
		: start_with_users("");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd[3], target[2];

	for (int i = 0; i < 2; i++) {
		fd[i] = _i == 0 ? socks_dial(d) : login(d, BYTES(BOB));
		open_tunnel(fd[i], listener, port, &target[i]);
	}
	fd[2] = _i == 0 ? socks_dial(d) : login(d, BYTES(BOB));
	socks_ask(fd[2], "127.0.0.1", port);
	expect_failure(fd[2], 2);
	expect_log(d, "end=limit");
	daemon_mark(d);
	close(fd[0]);
	close(target[0]);
	expect_log(d, "end=");
	/* The place is given back just behind the log line. */
	for (int tries = 0;; tries++) {
		char reply[2];

		fd[0] = _i == 0 ? socks_dial(d) : login(d, BYTES(BOB));
		socks_ask(fd[0], "127.0.0.1", port);
		ck_assert_int_eq(recv(fd[0], reply, 2, MSG_WAITALL), 2);
		close(fd[0]);
		if (reply[1] == 0)
			break;
		ck_assert_int_lt(tries, 100);
	}
	close(fd[1]);
	close(target[1]);
	close(listener);
	stop_daemon(d);
}
END_TEST

START_TEST(client_over_per_client_is_reset_and_others_are_served)
{
	struct daemon *d = start_dcsd("limits: { per_client = 2; };\n");
	int fd[2], other;
	char c;

	for (int i = 0; i < 2; i++) {
		fd[i] = dial_from("127.0.0.2", daemon_port(d, 0));
		mustsend(fd[i], BYTES(GREETING));
		expect_bytes(fd[i], METHOD_NONE, 2);
	}
	other = dial_from("127.0.0.2", daemon_port(d, 0));
	ck_assert(other == -1 || recv(other, &c, 1, 0) == -1);
	close(other);
	other = dial_from("127.0.0.3", daemon_port(d, 0));
	mustsend(other, BYTES(GREETING));
	expect_bytes(other, METHOD_NONE, 2);
	close(other);
	close(fd[0]);
	close(fd[1]);
	stop_daemon(d);
}
END_TEST

START_TEST(idle_limit_of_a_rule_outdoes_the_general_one)
{
	struct daemon *d = start_dcsd(RULES("{ action = \"allow\"; idle = 0.3; }"));
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd = socks_dial(d), target;

	open_tunnel(fd, listener, port, &target);
	expect_reset(fd);
	expect_log(d, "end=idle");
	close(fd);
	close(target);
	close(listener);
	stop_daemon(d);
}
END_TEST

/* ---- outgoing ---- */

/* _i 0: of all; 1: a rule's own, which outdoes that of all. */
START_TEST(targets_see_the_source_address_that_is_configured)
{
	struct daemon *d = start_dcsd("outgoing: { bind = \"127.0.0.7\"; };\n%s",
		_i == 0 ? ""
			: RULES("{ action = \"allow\"; outgoing = { bind = "
				"\"127.0.0.8\"; }; }"));
	uint16_t port;
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	int listener = mustlisten("127.0.0.1", &port), fd = socks_dial(d), target;

	socks_ask(fd, "127.0.0.1", port);
	target = mustaccept(listener);
	ck_assert_int_eq(getpeername(target, (struct sockaddr *)&in, &len), 0);
	ck_assert_str_eq(inet_ntoa(in.sin_addr), _i == 0 ? "127.0.0.7" : "127.0.0.8");
	expect_success(fd, target);
	close(fd);
	close(target);
	close(listener);
	stop_daemon(d);
}
END_TEST

/* _i 0: loopback itself; 1: none of this machine's. */
START_TEST(device_is_the_only_way_out)
{
	struct daemon *d = start_dcsd(
		"outgoing: { device = \"%s\"; };\n", _i == 0 ? "lo" : "nosuch0");
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd = socks_dial(d), target;

	socks_ask(fd, "127.0.0.1", port);
	if (_i == 0) {
		target = mustaccept(listener);
		expect_success(fd, target);
		close(target);
		close(fd);
	} else {
		expect_failure(fd, 1);
		expect_log(d, "end=connect-failed rep=1 error=");
	}
	close(listener);
	stop_daemon(d);
}
END_TEST

START_TEST(family_that_is_excluded_is_rep_8)
{
	struct daemon *d = start_dcsd("outgoing: { prefer = \"ipv6-only\"; };\n");
	int fd = socks_dial(d);

	socks_ask(fd, "127.0.0.1", 80);
	expect_failure(fd, 8);
	stop_daemon(d);
}
END_TEST

/* ---- PROXY protocol ---- */

#define TRUST "proxy_protocol = [ \"127.0.0.0/8\" ];\n"

START_TEST(client_that_a_proxy_names_is_the_one_that_rules_and_log_see)
{
	struct daemon *d = start_dcsd(TRUST RULES(
		"{ name = \"a\"; action = \"deny\"; clients = \"192.0.2.1\"; },"
		"{ name = \"b\"; action = \"allow\"; clients = \"192.0.2.0/24\"; }"));
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd, target;

	fd = mustdial(daemon_port(d, 0));
	mustsend(fd, BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 4711 1081\r\n" GREETING));
	expect_bytes(fd, METHOD_NONE, 2);
	socks_ask(fd, "127.0.0.1", port);
	expect_failure(fd, 2);
	expect_log(d, "client=192.0.2.1:4711 user=- rule=a");
	fd = mustdial(daemon_port(d, 0));
	mustsend(fd,
		BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\2\xc6\x33\x64\1\x12\x67"
		      "\x04\x39"));
	mustsend(fd, BYTES(GREETING));
	expect_bytes(fd, METHOD_NONE, 2);
	socks_ask(fd, "127.0.0.1", port);
	target = mustaccept(listener);
	expect_success(fd, target);
	close(fd);
	close(target);
	expect_log(d, "client=192.0.2.2:4711 user=- rule=b");
	close(listener);
	stop_daemon(d);
}
END_TEST

START_TEST(trusted_peer_without_a_header_is_closed_with_a_reason)
{
	struct daemon *d = start_dcsd(TRUST);
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, BYTES(GREETING));
	expect_end(fd);
	close(fd);
	expect_log(d, "end=bad-request rep=- error=");
	stop_daemon(d);
}
END_TEST

START_TEST(header_of_a_peer_that_is_not_trusted_is_no_socks)
{
	struct daemon *d = start_dcsd("proxy_protocol = [ \"192.0.2.0/24\" ];\n");
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 4711 1081\r\n" GREETING));
	expect_end(fd);
	close(fd);
	expect_log(d, "not SOCKS5");
	stop_daemon(d);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("access");
	int status;

	make_users();
	tcase_add_loop_test(tc, method_is_chosen_by_our_preference, 0, COUNT(choices));
	tcase_add_test(tc, right_password_leads_to_the_target_and_into_the_log);
	tcase_add_test(tc, authentication_works_a_byte_at_a_time_and_all_at_once);
	tcase_add_loop_test(
		tc, wrong_credentials_fail_and_the_connection_ends, 0, COUNT(failures));
	tcase_add_test(tc, longest_credentials_are_well_formed);
	tcase_add_test(tc, source_that_keeps_failing_is_refused_at_accept);
	tcase_add_test(tc, rules_decide_and_are_named_in_the_log);
	tcase_add_test(
		tc, name_is_decided_by_its_addresses_and_nothing_denied_is_dialled);
	tcase_add_test(
		tc, name_that_no_rule_could_allow_is_refused_before_it_is_looked_up);
	tcase_add_loop_test(tc, limit_of_a_rule_or_user_is_rep_2_and_given_back, 0, 2);
	tcase_add_test(tc, client_over_per_client_is_reset_and_others_are_served);
	tcase_add_test(tc, idle_limit_of_a_rule_outdoes_the_general_one);
	tcase_add_loop_test(tc, targets_see_the_source_address_that_is_configured, 0, 2);
	tcase_add_loop_test(tc, device_is_the_only_way_out, 0, 2);
	tcase_add_test(tc, family_that_is_excluded_is_rep_8);
	tcase_add_test(tc, client_that_a_proxy_names_is_the_one_that_rules_and_log_see);
	tcase_add_test(tc, trusted_peer_without_a_header_is_closed_with_a_reason);
	tcase_add_test(tc, header_of_a_peer_that_is_not_trusted_is_no_socks);
	status = harness_run("access", tc);
	unlink(users_path);
	return status;
}
