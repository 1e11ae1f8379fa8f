/* SPDX-License-Identifier: ISC */
/*
 * Tests of message, with pipes or without, as it was built: what is sent arrives, whoever
 * does not read is not waited for for ever, and no pipe keeps what was not sent.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"
#include "net.h"
#include "tcp.h"

static const struct io_limit patient = { IO_FOREVER, -1 };
static struct io_limit soon = { 0, -1 };
static int here, there;

static void
set_up(void)
{
	struct timeval tick = { 0, 50000 };
	int end[2];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(end);
	here = end[0];
	there = end[1];
	/* As net.h has it, and shorter. */
	ck_assert_int_eq(
		setsockopt(here, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick)), 0);
}

static void
expect(const char *text, size_t size)
{
	char buf[8192];
	size_t got = 0;

	while (got < size) {
		ssize_t n = io_read(there, buf + got, size - got, &patient);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_mem_eq(buf, text, size);
}

START_TEST(messages_arrive_whole_and_in_order)
{
	char large[8192];

	memset(large, 'x', sizeof(large));
	ck_assert_int_eq(message_send(here, "\5\0", 2, &patient), 0);
	ck_assert_int_eq(message_send(here, large, sizeof(large), &patient), 0);
	ck_assert_int_eq(message_send(here, "", 0, &patient), 0);
	ck_assert_int_eq(message_send(here, large, 4096, &patient), 0);
	ck_assert_int_eq(message_send(here, "end", 3, &patient), 0);
	expect("\5\0", 2);
	expect(large, sizeof(large));
	expect(large, 4096);
	expect("end", 3);
}
END_TEST

/* As often as a little still fits. Returns what the last one does. */
static int
send_in_vain(const struct io_limit *limit)
{
	int result;

	do
		result = message_send(here, "secret", 6, limit);
	while (result == 0);
	return result;
}

START_TEST(a_peer_that_does_not_read_is_given_up)
{
	tcp_fill(here);
	soon.until_ms = io_now_ms() + 300;
	ck_assert_int_eq(send_in_vain(&soon), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

START_TEST(who_is_watched_ends_the_wait_by_leaving)
{
	int client[2];

	tcp_pair(client);
	tcp_fill(here);
	tcp_reset(client[0]);
	soon.watch = client[1];
	soon.until_ms = IO_FOREVER;
	ck_assert_int_eq(send_in_vain(&soon), -1);
	ck_assert_int_eq(errno, ECANCELED);
}
END_TEST

static void *
read_all(void *arg)
{
	size_t left = *(size_t *)arg;
	static char buf[1 << 16];

	while (left > 0) {
		ssize_t n = recv(there, buf, left < sizeof(buf) ? left : sizeof(buf), 0);

		if (n <= 0)
			return NULL;
		left -= (size_t)n;
	}
	return arg;
}

START_TEST(a_peer_that_reads_late_gets_it)
{
	size_t filled = tcp_fill(here);
	pthread_t t;
	void *result;

	ck_assert_int_eq(pthread_create(&t, NULL, read_all, &filled), 0);
	ck_assert_int_eq(message_send(here, "late", 4, &patient), 0);
	pthread_join(t, &result);
	ck_assert_ptr_eq(result, &filled);
	expect("late", 4);
}
END_TEST

/* A pipe that kept something would give it to the next one. */
START_TEST(what_was_not_sent_is_not_sent_to_another)
{
	tcp_fill(here);
	soon.until_ms = io_now_ms() + 300;
	ck_assert_int_eq(send_in_vain(&soon), -1);
	set_up();
	ck_assert_int_eq(message_send(here, "hello", 5, &patient), 0);
	close(here);
	expect("hello", 5);
	ck_assert_int_eq(io_read(there, (char[8]){ 0 }, 8, &patient), 0);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
	struct pollfd reset = { here, 0, 0 };

	tcp_reset(there);
	ck_assert_int_eq(poll(&reset, 1, 10000), 1);
	ck_assert_int_eq(message_send(here, "hello", 5, &patient), -1);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("message");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, messages_arrive_whole_and_in_order);
	tcase_add_test(tc, a_peer_that_does_not_read_is_given_up);
	tcase_add_test(tc, who_is_watched_ends_the_wait_by_leaving);
	tcase_add_test(tc, a_peer_that_reads_late_gets_it);
	tcase_add_test(tc, what_was_not_sent_is_not_sent_to_another);
	tcase_add_test(tc, a_peer_that_is_gone_is_an_error_and_no_signal);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
