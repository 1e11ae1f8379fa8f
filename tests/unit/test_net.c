/* SPDX-License-Identifier: ISC */
/* Tests of net: listening, look-ups, dialling over several addresses, the last message.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net.h"
#include "tcp.h"

static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_from_text(&a, text, port));
	return a;
}

/* An address of loopback where nobody listens. */
static struct addr
dead_address(void)
{
	int fd = tcp_listen(AF_INET);
	struct addr a;

	ck_assert_int_eq(net_local(fd, &a), 0);
	close(fd);
	return a;
}

static struct io_limit
in_ms(int ms)
{
	return (struct io_limit){ io_now_ms() + ms, -1 };
}

static int
int_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static int
write_tick_ms(int fd)
{
	struct timeval tick;
	socklen_t len = sizeof(tick);

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, &len), 0);
	return (int)(tick.tv_sec * 1000 + tick.tv_usec / 1000);
}

static void
check_options(int fd)
{
	ck_assert_int_eq(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(int_option(fd, SOL_SOCKET, SO_OOBINLINE), 1);
	ck_assert_int_eq(write_tick_ms(fd), NET_WRITE_TICK_MS);
}

START_TEST(both_legs_have_nodelay_keepalive_and_inline_urgent_data)
{
	struct addr any = address("127.0.0.1", 0), at, used;
	struct io_limit limit = in_ms(30000);
	int listening = net_listen(&any), dialled, accepted;

	ck_assert_int_ne(listening, -1);
	ck_assert_int_eq(net_local(listening, &at), 0);
	dialled = net_dial(&at, 1, NULL, &limit, &used);
	ck_assert_int_ne(dialled, -1);
	ck_assert(addr_equal(&at, &used));
	accepted = accept(listening, NULL, NULL);
	ck_assert_int_ne(accepted, -1);
	check_options(dialled);
	check_options(accepted);
	close(dialled);
	close(accepted);
	close(listening);
}
END_TEST

START_TEST(who_came_before_a_socket_was_ours_gets_the_options_too)
{
	int listening = tcp_listen(AF_INET), peer[2], accepted[2];

	peer[0] = tcp_connect(listening);
	ck_assert_int_eq(net_adopt(listening), 0);
	peer[1] = tcp_connect(listening);
	for (int i = 0; i < 2; i++) {
		accepted[i] = accept(listening, NULL, NULL);
		ck_assert_int_ne(accepted[i], -1);
		ck_assert_int_eq(net_complete(accepted[i]), i == 0);
		check_options(accepted[i]);
	}
	for (int i = 0; i < 2; i++) {
		close(accepted[i]);
		close(peer[i]);
	}
	close(listening);
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
	struct addr at = address("127.0.0.1", 0);
	int first = net_listen(&at);

	ck_assert_int_eq(net_local(first, &at), 0);
	ck_assert_int_eq(net_listen(&at), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(first);
}
END_TEST

/* As expected of a dial that takes no time. */
static void
expect_refused(const struct addr *at)
{
	struct io_limit limit = in_ms(30000);
	struct addr used;

	ck_assert_int_eq(net_dial(at, 1, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}

/* A connection made and accepted there, over which a byte goes each way. */
static void
expect_served(int listening, const struct addr *at)
{
	struct io_limit limit = in_ms(30000);
	struct addr used;
	int dialled = net_dial(at, 1, NULL, &limit, &used), accepted;
	char c;

	ck_assert_int_ne(dialled, -1);
	accepted = accept(listening, NULL, NULL);
	ck_assert_int_ne(accepted, -1);
	check_options(accepted);
	ck_assert_int_eq(io_write(dialled, "a", 1, &limit), 0);
	ck_assert_int_eq(io_read(accepted, &c, 1, &limit), 1);
	ck_assert_int_eq(io_write(accepted, "b", 1, &limit), 0);
	ck_assert_int_eq(io_read(dialled, &c, 1, &limit), 1);
	close(dialled);
	close(accepted);
}

/*
 * A socket of net_listen on a free port of loopback; bit 0 of how: the port was named to
 * it, not chosen by the system; bit 1: IPv6. -1: there is none of that family.
 */
static int
listen_how(int how, struct addr *at)
{
	int fd;

	*at = address(how & 2 ? "::1" : "127.0.0.1", 0);
	fd = net_listen(at);
	if (fd == -1 && how & 2)
		return -1;
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, at), 0);
	if (how & 1) {
		close(fd);
		fd = net_listen(at);
		ck_assert_int_ne(fd, -1);
	}
	return fd;
}

START_TEST(a_socket_that_listens_no_more_refuses_until_it_listens_again)
{
	struct addr at, local;
	int fd = listen_how(_i, &at);

	if (fd == -1)
		return;
	for (int i = 0; i < 3; i++) {
		expect_served(fd, &at);
		net_unlisten(&fd);
		expect_refused(&at);
		ck_assert_int_eq(net_relisten(&fd, &at), 0);
		ck_assert_int_eq(net_local(fd, &local), 0);
		ck_assert(addr_equal(&local, &at));
		ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	}
	expect_served(fd, &at);
	close(fd);
}
END_TEST

START_TEST(who_waits_in_the_queue_when_listening_ends_is_reset)
{
	struct io_limit limit = in_ms(30000);
	struct addr at, used;
	int fd = listen_how(0, &at);
	int dialled = net_dial(&at, 1, NULL, &limit, &used);
	char c;

	ck_assert_int_ne(dialled, -1);
	net_unlisten(&fd);
	ck_assert_int_eq(io_read(dialled, &c, 1, &limit), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(dialled);
	io_close(&fd);
}
END_TEST

START_TEST(a_port_that_was_taken_meanwhile_can_be_had_when_it_is_free)
{
	struct addr at;
	int fd = listen_how(_i, &at), other;

	if (fd == -1)
		return;
	net_unlisten(&fd);
	other = net_listen(&at);
	ck_assert_int_ne(other, -1);
	ck_assert_int_eq(net_relisten(&fd, &at), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	expect_served(other, &at);
	close(other);
	ck_assert_int_eq(net_relisten(&fd, &at), 0);
	expect_served(fd, &at);
	close(fd);
}
END_TEST

/* As where a shutdown fails, or spoils the socket. */
START_TEST(a_socket_that_cannot_listen_again_is_replaced)
{
	struct addr at;
	int fd = listen_how(0, &at), spoilt[2];

	io_close(&fd);
	ck_assert_int_eq(net_relisten(&fd, &at), 0);
	expect_served(fd, &at);
	io_close(&fd);
	tcp_pair(spoilt);
	ck_assert_int_eq(net_relisten(&spoilt[0], &at), 0);
	expect_served(spoilt[0], &at);
	close(spoilt[0]);
	close(spoilt[1]);
}
END_TEST

/* A free port that only root may bind. */
static int
listen_below_1024(struct addr *at)
{
	int fd = -1;

	for (uint16_t port = 1023; fd == -1 && port > 512; port--) {
		*at = address("127.0.0.1", port);
		fd = net_listen(at);
	}
	return fd;
}

/* Exits with what it found. */
static _Noreturn void
relisten_as_nobody(int fd, const struct addr *at)
{
	net_unlisten(&fd);
	if (setgid(65534) == -1 || setuid(65534) == -1)
		_exit(2);
	_exit(net_relisten(&fd, at) == 0 && listen(fd, 1) == 0 ? 0 : 1);
}

START_TEST(a_port_of_root_is_listened_at_again_without_privileges)
{
	struct addr at;
	int fd = geteuid() == 0 ? listen_below_1024(&at) : -1, status;
	pid_t child;

	if (fd == -1)
		return;
	child = fork();
	if (child == 0)
		relisten_as_nobody(fd, &at);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_ne(WEXITSTATUS(status), 1);
	close(fd);
}
END_TEST

START_TEST(numeric_text_needs_no_lookup)
{
	struct hostport hp = { "192.0.2.7", 80 };
	struct addr list[NET_ADDRS], want = address("192.0.2.7", 80);

	ck_assert_int_eq(net_resolve(&hp, list, NET_ADDRS), 1);
	ck_assert(addr_equal(&list[0], &want));
}
END_TEST

START_TEST(localhost_is_found_with_its_port)
{
	struct hostport hp = { "localhost", 4711 };
	struct addr list[NET_ADDRS];
	int n = net_resolve(&hp, list, NET_ADDRS);

	ck_assert_int_ge(n, 1);
	for (int i = 0; i < n; i++) {
		ck_assert(addr_is_loopback(&list[i]));
		ck_assert_int_eq(addr_port(&list[i]), 4711);
	}
}
END_TEST

START_TEST(the_list_of_addresses_is_not_overrun)
{
	struct hostport hp = { "localhost", 1 };
	struct addr list[1];

	ck_assert_int_eq(net_resolve(&hp, list, 1), 1);
}
END_TEST

START_TEST(a_refused_address_gives_way_to_the_next)
{
	int listening = tcp_listen(AF_INET), fd;
	struct addr list[3] = { dead_address(), dead_address() }, used;
	struct io_limit limit = in_ms(30000);

	ck_assert_int_eq(net_local(listening, &list[2]), 0);
	fd = net_dial(list, 3, NULL, &limit, &used);
	ck_assert_int_ne(fd, -1);
	ck_assert(addr_equal(&used, &list[2]));
	close(fd);
	close(listening);
}
END_TEST

START_TEST(refused_by_all_is_refused)
{
	struct addr list[2] = { dead_address(), dead_address() }, used;
	struct io_limit limit = in_ms(30000);

	ck_assert_int_eq(net_dial(list, 2, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}
END_TEST

/*
 * A listening socket whose queue is full drops what comes: its address does not answer.
 * fill must hold it full; both are to be closed.
 */
static void
mute_address(struct addr *at, int *listening, int fill[8])
{
	*listening = socket(AF_INET, SOCK_STREAM, 0);
	*at = address("127.0.0.1", 0);
	ck_assert_int_eq(bind(*listening, &at->u.sa, at->len), 0);
	ck_assert_int_eq(listen(*listening, 0), 0);
	ck_assert_int_eq(net_local(*listening, at), 0);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], &at->u.sa, at->len);
	}
}

static void
close_mute(int listening, const int fill[8])
{
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(listening);
}

START_TEST(an_address_that_does_not_answer_costs_only_the_attempt_delay)
{
	int mute, fill[8], listening = tcp_listen(AF_INET), fd;
	struct addr list[2], used;
	struct io_limit limit = in_ms(60000);
	int64_t begin;

	mute_address(&list[0], &mute, fill);
	ck_assert_int_eq(net_local(listening, &list[1]), 0);
	begin = io_now_ms();
	fd = net_dial(list, 2, NULL, &limit, &used);
	ck_assert_int_ne(fd, -1);
	ck_assert(addr_equal(&used, &list[1]));
	ck_assert_int_ge(io_now_ms() - begin, 240);
	close(fd);
	close(listening);
	close_mute(mute, fill);
}
END_TEST

START_TEST(the_deadline_ends_a_dial)
{
	int mute, fill[8];
	struct addr at, used;
	struct io_limit limit;

	mute_address(&at, &mute, fill);
	limit = in_ms(100);
	ck_assert_int_eq(net_dial(&at, 1, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	close_mute(mute, fill);
}
END_TEST

START_TEST(a_client_that_is_reset_ends_a_dial)
{
	int mute, fill[8], client[2];
	struct addr at, used;
	struct io_limit limit = in_ms(60000);

	mute_address(&at, &mute, fill);
	tcp_pair(client);
	limit.watch = client[0];
	tcp_reset(client[1]);
	ck_assert_int_eq(net_dial(&at, 1, NULL, &limit, &used), -1);
	ck_assert_int_eq(errno, ECANCELED);
	close(client[0]);
	close_mute(mute, fill);
}
END_TEST

/*
 * Dials a port of the ephemeral range where nobody listens until the system connects it
 * to itself. Linux gives ports of one parity to bind and of the other to connect, hence
 * the neighbour. Some other test may get the port meanwhile.
 */
START_TEST(a_socket_connected_to_itself_counts_as_refused)
{
	struct addr at = dead_address(), used, local;

	at = address("127.0.0.1", addr_port(&at) ^ 1);
	for (int i = 0; i < 60000; i++) {
		struct io_limit limit = in_ms(30000);
		int fd = net_dial(&at, 1, NULL, &limit, &used);

		if (fd == -1) {
			ck_assert(errno == ECONNREFUSED || errno == ECONNRESET);
			continue;
		}
		ck_assert_int_eq(net_local(fd, &local), 0);
		ck_assert(!addr_equal(&local, &at));
		close(fd);
	}
}
END_TEST

static void *
send_much(void *arg)
{
	static const char buf[32 * 1024];
	struct io_limit limit = in_ms(30000);

	(void)io_write(*(int *)arg, buf, sizeof(buf), &limit);
	return NULL;
}

START_TEST(the_last_message_reaches_a_peer_that_is_still_sending)
{
	struct io_limit limit = in_ms(30000);
	char buf[8];
	pthread_t sender;
	int end[2];

	tcp_pair(end);
	pthread_create(&sender, NULL, send_much, &end[0]);
	ck_assert_int_eq(io_write(end[1], "no", 2, &limit), 0);
	pthread_join(sender, NULL);
	net_finish(end[1], 200);
	close(end[1]);
	ck_assert_int_eq(io_read(end[0], buf, sizeof(buf), &limit), 2);
	ck_assert_mem_eq(buf, "no", 2);
	close(end[0]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("net");
	TCase *tc = tcase_create("net");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, both_legs_have_nodelay_keepalive_and_inline_urgent_data);
	tcase_add_test(tc, who_came_before_a_socket_was_ours_gets_the_options_too);
	tcase_add_test(tc, a_port_in_use_is_refused);
	tcase_add_loop_test(
		tc, a_socket_that_listens_no_more_refuses_until_it_listens_again, 0, 4);
	tcase_add_test(tc, who_waits_in_the_queue_when_listening_ends_is_reset);
	tcase_add_loop_test(
		tc, a_port_that_was_taken_meanwhile_can_be_had_when_it_is_free, 0, 4);
	tcase_add_test(tc, a_socket_that_cannot_listen_again_is_replaced);
	tcase_add_test(tc, a_port_of_root_is_listened_at_again_without_privileges);
	tcase_add_test(tc, numeric_text_needs_no_lookup);
	tcase_add_test(tc, localhost_is_found_with_its_port);
	tcase_add_test(tc, the_list_of_addresses_is_not_overrun);
	tcase_add_test(tc, a_refused_address_gives_way_to_the_next);
	tcase_add_test(tc, refused_by_all_is_refused);
	tcase_add_test(tc, an_address_that_does_not_answer_costs_only_the_attempt_delay);
	tcase_add_test(tc, the_deadline_ends_a_dial);
	tcase_add_test(tc, a_client_that_is_reset_ends_a_dial);
	tcase_add_test(tc, a_socket_connected_to_itself_counts_as_refused);
	tcase_add_test(tc, the_last_message_reaches_a_peer_that_is_still_sending);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
