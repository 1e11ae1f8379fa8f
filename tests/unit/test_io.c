/* SPDX-License-Identifier: ISC */
/* Tests of io: deadlines, the watched fd, and the inbox. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"
#include "tcp.h"

static int end[2];

static void
setup(void)
{
	tcp_pair(end);
}

static void
teardown(void)
{
	io_close(&end[0]);
	io_close(&end[1]);
}

static struct io_limit
in_ms(int ms, int watch)
{
	return (struct io_limit){ io_now_ms() + ms, watch };
}

START_TEST(what_is_left_is_never_negative_and_forever_is_minus_one)
{
	ck_assert_int_eq(io_left_ms(IO_FOREVER), -1);
	ck_assert_int_eq(io_left_ms(io_now_ms() - 5000), 0);
	ck_assert_int_gt(io_left_ms(io_now_ms() + 5000), 0);
	ck_assert_int_le(io_left_ms(io_now_ms() + 5000), 5000);
}
END_TEST

START_TEST(read_times_out_and_not_before)
{
	int64_t begin = io_now_ms();
	struct io_limit limit = in_ms(50, -1);
	char c;

	ck_assert_int_eq(io_read(end[0], &c, 1, &limit), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_ge(io_now_ms() - begin, 50);
}
END_TEST

START_TEST(read_gives_what_is_there_and_then_end_of_file)
{
	struct io_limit limit = in_ms(10000, -1);
	char buf[8];

	ck_assert_int_eq(io_write(end[1], "abc", 3, &limit), 0);
	ck_assert_int_eq(io_read(end[0], buf, sizeof(buf), &limit), 3);
	shutdown(end[1], SHUT_WR);
	ck_assert_int_eq(io_read(end[0], buf, sizeof(buf), &limit), 0);
}
END_TEST

START_TEST(a_reset_of_the_watched_fd_ends_the_wait)
{
	int other[2];
	struct io_limit limit;
	char c;

	tcp_pair(other);
	limit = in_ms(10000, other[0]);
	tcp_reset(other[1]);
	ck_assert_int_eq(io_read(end[0], &c, 1, &limit), -1);
	ck_assert_int_eq(errno, ECANCELED);
	io_close(&other[0]);
}
END_TEST

START_TEST(a_half_close_of_the_watched_fd_does_not_end_the_wait)
{
	int other[2];
	struct io_limit limit;
	char c;

	tcp_pair(other);
	limit = in_ms(50, other[0]);
	shutdown(other[1], SHUT_WR);
	ck_assert_int_eq(io_read(end[0], &c, 1, &limit), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	io_close(&other[0]);
	io_close(&other[1]);
}
END_TEST

START_TEST(write_to_a_closed_peer_is_an_error_and_no_signal)
{
	struct io_limit limit = in_ms(10000, -1);
	char buf[4096] = { 0 };
	int result = 0;

	tcp_reset(end[1]);
	end[1] = -1;
	for (int i = 0; i < 3 && result == 0; i++)
		result = io_write(end[0], buf, sizeof(buf), &limit);
	ck_assert_int_eq(result, -1);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
}
END_TEST

START_TEST(write_to_a_peer_that_does_not_read_times_out)
{
	struct io_limit limit = in_ms(50, -1);
	static char buf[64 * 1024 * 1024];

	ck_assert_int_eq(io_write(end[0], buf, sizeof(buf), &limit), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

START_TEST(close_keeps_errno_and_forgets_the_fd)
{
	int fd = dup(end[0]), was = fd;

	errno = ERANGE;
	io_close(&fd);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(fcntl(was, F_GETFD), -1);
	io_close(&fd);
}
END_TEST

START_TEST(inbox_collects_pieces_and_keeps_what_is_not_consumed)
{
	struct io_limit limit = in_ms(10000, -1);
	struct inbox in = { 0 };

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(io_write(end[1], "abc" + i, 1, &limit), 0);
		ck_assert_int_eq(inbox_fill(&in, end[0], &limit), 0);
	}
	ck_assert_uint_eq(in.len, 3);
	inbox_consume(&in, 2);
	ck_assert_uint_eq(in.len, 1);
	ck_assert_int_eq(in.data[0], 'c');
}
END_TEST

START_TEST(inbox_tells_end_of_file_and_full)
{
	struct io_limit limit = in_ms(10000, -1);
	struct inbox in = { 0 };
	char buf[sizeof(in.data)] = { 0 };

	ck_assert_int_eq(io_write(end[1], buf, sizeof(buf), &limit), 0);
	while (in.len < sizeof(in.data))
		ck_assert_int_eq(inbox_fill(&in, end[0], &limit), 0);
	ck_assert_int_eq(inbox_fill(&in, end[0], &limit), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	inbox_consume(&in, 1);
	shutdown(end[1], SHUT_WR);
	ck_assert_int_eq(inbox_fill(&in, end[0], &limit), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("io");
	TCase *tc = tcase_create("io");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_is_left_is_never_negative_and_forever_is_minus_one);
	tcase_add_test(tc, read_times_out_and_not_before);
	tcase_add_test(tc, read_gives_what_is_there_and_then_end_of_file);
	tcase_add_test(tc, a_reset_of_the_watched_fd_ends_the_wait);
	tcase_add_test(tc, a_half_close_of_the_watched_fd_does_not_end_the_wait);
	tcase_add_test(tc, write_to_a_closed_peer_is_an_error_and_no_signal);
	tcase_add_test(tc, write_to_a_peer_that_does_not_read_times_out);
	tcase_add_test(tc, close_keeps_errno_and_forgets_the_fd);
	tcase_add_test(tc, inbox_collects_pieces_and_keeps_what_is_not_consumed);
	tcase_add_test(tc, inbox_tells_end_of_file_and_full);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
