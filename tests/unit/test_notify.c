/* SPDX-License-Identifier: ISC */
/* Datagrams to a service manager, which is a socket of the test. */
#include "config.h"
#include "notify.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char folder[64], path[128];
static int manager;

static int
bind_manager(const struct sockaddr_un *un, size_t len)
{
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ne(manager, -1);
	return bind(manager, (const struct sockaddr *)un, (socklen_t)len);
}

static void
start_manager(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	strcpy(folder, "/tmp/test_notify.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	strcpy(un.sun_path, path);
	ck_assert_int_eq(bind_manager(&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
}

static void
end_manager(void)
{
	notify_close();
	close(manager);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

/* What came; empty: nothing did. It is there already, as no network is between. */
static const char *
received(void)
{
	static char text[1024];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	ck_assert_int_eq((ssize_t)strlen(text), n > 0 ? n : 0);
	return text;
}

START_TEST(each_state_is_a_datagram)
{
	ck_assert_int_eq(notify_take(), 0);
	notify_ready();
	notify_stopping();
	notify_main_pid(4711);
	notify_send("A=1\nB=2");
	ck_assert_str_eq(received(), "READY=1");
	ck_assert_str_eq(received(), "STOPPING=1");
	ck_assert_str_eq(received(), "MAINPID=4711");
	ck_assert_str_eq(received(), "A=1\nB=2");
	ck_assert_str_eq(received(), "");
}
END_TEST

static long long
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

START_TEST(a_reload_tells_its_time)
{
	long long before = now_us(), at;

	ck_assert_int_eq(notify_take(), 0);
	notify_reloading();
	ck_assert_int_eq(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%lld", &at), 1);
	ck_assert(at >= before && at <= now_us());
}
END_TEST

START_TEST(the_variable_stays_for_the_next_process)
{
	ck_assert_int_eq(notify_take(), 0);
	ck_assert_str_eq(getenv("NOTIFY_SOCKET"), path);
}
END_TEST

START_TEST(without_a_manager_nothing_is_told)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_take(), 0);
	notify_ready();
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_take(), 0);
	notify_ready();
	ck_assert_str_eq(received(), "");
}
END_TEST

/* As after a chroot: the socket was opened before. */
START_TEST(it_works_when_the_name_is_gone)
{
	ck_assert_int_eq(notify_take(), 0);
	ck_assert_int_eq(unlink(path), 0);
	notify_ready();
	ck_assert_str_eq(received(), "READY=1");
}
END_TEST

START_TEST(the_name_may_be_an_abstract_one)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[64];
	int len = snprintf(text, sizeof(text), "@test_notify.%ld", (long)getpid());

	close(manager);
	memcpy(un.sun_path + 1, text + 1, (size_t)len - 1);
	if (bind_manager(&un, offsetof(struct sockaddr_un, sun_path) + (size_t)len) == -1)
		return; /* a system without such names */
	setenv("NOTIFY_SOCKET", text, 1);
	ck_assert_int_eq(notify_take(), 0);
	notify_ready();
	ck_assert_str_eq(received(), "READY=1");
}
END_TEST

static void
expect_error(const char *name, int error)
{
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_take(), -1);
	ck_assert_int_eq(errno, error);
	notify_ready();
}

START_TEST(a_name_that_cannot_be_is_an_error)
{
	const int room = (int)sizeof(((struct sockaddr_un *)NULL)->sun_path);
	char text[256];

	expect_error("relative", EINVAL);
	expect_error("vsock:2:1234", EINVAL);
	snprintf(text, sizeof(text), "/%0*d", room - 1, 0);
	expect_error(text, EINVAL);
	snprintf(text, sizeof(text), "/%0*d", room - 2, 0);
	expect_error(text, ENOENT);
	expect_error("/no/such/socket", ENOENT);
}
END_TEST

/* More than fits the queue of a manager that does not read: no sending blocks. */
START_TEST(a_manager_that_is_busy_or_gone_does_not_block)
{
	ck_assert_int_eq(notify_take(), 0);
	for (int i = 0; i < 10000; i++)
		notify_ready();
	ck_assert_str_eq(received(), "READY=1");
	close(manager);
	notify_ready();
	manager = -1;
}
END_TEST

START_TEST(the_socket_does_not_pass_an_exec)
{
	int next = dup(manager);

	close(next);
	ck_assert_int_eq(notify_take(), 0);
	ck_assert_int_eq(fcntl(next, F_GETFD), FD_CLOEXEC);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("notify");
	TCase *tc = tcase_create("notify");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, start_manager, end_manager);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_state_is_a_datagram);
	tcase_add_test(tc, a_reload_tells_its_time);
	tcase_add_test(tc, the_variable_stays_for_the_next_process);
	tcase_add_test(tc, without_a_manager_nothing_is_told);
	tcase_add_test(tc, it_works_when_the_name_is_gone);
	tcase_add_test(tc, the_name_may_be_an_abstract_one);
	tcase_add_test(tc, a_name_that_cannot_be_is_an_error);
	tcase_add_test(tc, a_manager_that_is_busy_or_gone_does_not_block);
	tcase_add_test(tc, the_socket_does_not_pass_an_exec);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
