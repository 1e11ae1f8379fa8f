/* SPDX-License-Identifier: ISC */
/*
 * Inherited fds. What is to be seen is a process of its own each time, as it has its fds
 * at 3 and above; it tells by its exit status, 0 for "as it should be".
 */
#include "config.h"
#include "inherit.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "compat.h"
#include "net.h"

static char why[128];
static int next_fd; /* where the next inherited fd is put */

static int
status_of(void run(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ne(child, -1);
	if (child == 0) {
		compat_close_from(INHERIT_FIRST);
		next_fd = INHERIT_FIRST;
		run();
		inherit_close_rest(NULL, NULL);
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In such a process: ends it with this status if something is not as it should be. */
static void
need(bool right, int status)
{
	if (right)
		return;
	fprintf(stderr, "%d: %s, %s\n", status, strerror(errno), why);
	_exit(status);
}

/* Inherits it: at the next fd, and not close-on-exec. */
static int
give(int fd)
{
	need(fd != -1, 80);
	if (fd != next_fd) {
		need(dup2(fd, next_fd) == next_fd, 81);
		close(fd);
	}
	fcntl(next_fd, F_SETFD, 0);
	return next_fd++;
}

static void
announce_for(pid_t pid, const char *names)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", (long)pid);
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%d", next_fd - INHERIT_FIRST);
	setenv("LISTEN_FDS", text, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	setenv("LISTEN_PIDFDID", "1", 1);
}

static void
announce(const char *names)
{
	announce_for(getpid(), names);
}

/* A bound socket of ip, on a port that the system picks; *addr is where. */
static int
bound(const char *ip, int type, struct addr *addr)
{
	int fd, zero = 0;

	need(addr_from_text(addr, ip, 0), 82);
	fd = socket(addr_family(addr), type, 0);
	if (addr_family(addr) == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	need(bind(fd, &addr->u.sa, addr->len) == 0 && net_local(fd, addr) == 0, 83);
	return fd;
}

static int
listening(const char *ip, struct addr *addr)
{
	int fd = bound(ip, SOCK_STREAM, addr);

	need(listen(fd, 1) == 0, 84);
	return fd;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	getsockopt(fd, SOL_SOCKET, name, &value, &size);
	return value;
}

static void
take_by_address(void)
{
	struct addr at[3], other;
	int fd[3];

	fd[0] = give(listening("127.0.0.1", &at[0]));
	fd[1] = give(bound("127.0.0.1", SOCK_DGRAM, &at[1]));
	fd[2] = give(listening("127.0.0.1", &at[2]));
	announce(NULL);
	need(inherit_is_ours() && inherit_end() == 6, 1);
	need(inherit_take(why, sizeof(why)) == 3 && inherit_count() == 3, 2);
	need(inherit_is_ours() && inherit_end() == 6, 3);
	need(inherit_socket(&at[2], SOCK_STREAM) == fd[2], 4);
	need(inherit_socket(&at[1], SOCK_DGRAM) == fd[1], 5);
	need(inherit_socket(&at[0], SOCK_DGRAM) == -1 && errno == ENOENT, 6);
	need(inherit_socket(&at[0], SOCK_STREAM) == fd[0], 7);
	need(inherit_socket(&at[0], SOCK_STREAM) == -1 && errno == ENOENT, 8);
	addr_from_text(&other, "127.0.0.2", addr_port(&at[0]));
	need(inherit_socket(&other, SOCK_STREAM) == -1 && errno == ENOENT, 9);
	need(inherit_count() == 0, 10);
	inherit_close_rest(NULL, NULL);
	for (int i = 0; i < 3; i++)
		need(fcntl(fd[i], F_GETFD) & FD_CLOEXEC, 11);
}

START_TEST(a_socket_is_found_by_its_address_and_type_once)
{
	ck_assert_int_eq(status_of(take_by_address), 0);
}
END_TEST

static void
take_and_look_at_environment(void)
{
	struct addr at;

	give(listening("127.0.0.1", &at));
	announce("x");
	need(inherit_take(why, sizeof(why)) == 1, 1);
	need(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS"), 2);
	need(!getenv("LISTEN_FDNAMES") && !getenv("LISTEN_PIDFDID"), 3);
}

START_TEST(the_variables_are_removed)
{
	ck_assert_int_eq(status_of(take_and_look_at_environment), 0);
}
END_TEST

static void
take_those_of_another(void)
{
	struct addr at;
	int fd = give(listening("127.0.0.1", &at));

	announce_for(getppid(), "x");
	need(!inherit_is_ours() && inherit_end() == INHERIT_FIRST, 1);
	need(inherit_take(why, sizeof(why)) == 0, 2);
	need(inherit_socket(&at, SOCK_STREAM) == -1 && inherit_named("x") == -1, 3);
	need(fcntl(fd, F_GETFD) == 0 && !getenv("LISTEN_PID"), 4);
}

START_TEST(what_is_meant_for_another_process_is_not_taken)
{
	ck_assert_int_eq(status_of(take_those_of_another), 0);
}
END_TEST

static void
take_nothing(void)
{
	need(inherit_end() == INHERIT_FIRST && !inherit_is_ours(), 1);
	need(inherit_take(why, sizeof(why)) == 0 && inherit_count() == 0, 2);
	announce(NULL);
	inherit_close_rest(NULL, NULL);
}

START_TEST(nothing_inherited_is_no_error)
{
	ck_assert_int_eq(status_of(take_nothing), 0);
}
END_TEST

static void
take_odd_numbers(void)
{
	static const char *const texts[] = { "", "x", "-1", " 1", "1x", "65537",
		"99999999999999999999" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			announce(NULL);
			setenv("LISTEN_FDS", texts[i], 1);
			need(inherit_end() == INHERIT_FIRST, 1);
			need(inherit_take(why, sizeof(why)) == -1, 2);
			need(strstr(why, "LISTEN_FDS") && !getenv("LISTEN_FDS"), 3);
			_exit(0);
		}
		need(waitpid(child, &status, 0) == child && status == 0, 4);
	}
}

START_TEST(a_count_that_is_none_is_an_error)
{
	ck_assert_int_eq(status_of(take_odd_numbers), 0);
}
END_TEST

static void
take_what_is_not_open(void)
{
	struct addr at;
	int fd = give(listening("127.0.0.1", &at));

	next_fd++;
	announce("a:b");
	need(inherit_take(why, sizeof(why)) == -1, 1);
	need(strncmp(why, "fd 4: ", 6) == 0, 2);
	need(inherit_count() == 1 && inherit_socket(&at, SOCK_STREAM) == fd, 3);
}

START_TEST(an_fd_that_is_not_open_is_an_error_and_the_others_are_taken)
{
	ck_assert_int_eq(status_of(take_what_is_not_open), 0);
}
END_TEST

/* As of "Accept=yes" in a .socket unit. */
static void
take_a_connection(void)
{
	struct addr at;
	int listener = listening("127.0.0.1", &at), client;

	client = socket(AF_INET, SOCK_STREAM, 0);
	need(connect(client, &at.u.sa, at.len) == 0, 1);
	need(listener == 3 && client == 4 && accept(listener, NULL, NULL) == 5, 2);
	next_fd = 6;
	announce(NULL);
	need(inherit_take(why, sizeof(why)) == -1, 3);
	need(strcmp(why, "fd 4: a connection, where a socket that listens is wanted") ==
			0,
		4);
	need(inherit_socket(&at, SOCK_STREAM) == listener, 5);
	need(inherit_socket(&at, SOCK_STREAM) == -1, 6);
}

START_TEST(a_connection_is_an_error)
{
	ck_assert_int_eq(status_of(take_a_connection), 0);
}
END_TEST

/* One that refused clients at the time of an upgrade, and one that blocks. */
static void
take_in_other_states(void)
{
	struct addr at[3];
	int fd[3];

	fd[0] = give(bound("127.0.0.1", SOCK_STREAM, &at[0]));
	fd[1] = give(listening("127.0.0.1", &at[1]));
	fd[2] = give(bound("127.0.0.1", SOCK_DGRAM, &at[2]));
	fcntl(fd[2], F_SETFL, O_NONBLOCK);
	announce(NULL);
	need(inherit_take(why, sizeof(why)) == 3, 1);
	need(!option(fd[0], SO_ACCEPTCONN), 2);
	for (int i = 0; i < 3; i++)
		need(inherit_socket(&at[i], i < 2 ? SOCK_STREAM : SOCK_DGRAM) == fd[i],
			3);
	for (int i = 0; i < 2; i++) {
		need(option(fd[i], SO_ACCEPTCONN) == 1, 4);
		need(fcntl(fd[i], F_GETFL) & O_NONBLOCK, 5);
		need(option(fd[i], SO_KEEPALIVE) == 1, 6);
	}
	need(!(fcntl(fd[2], F_GETFL) & O_NONBLOCK), 7);
}

START_TEST(a_socket_handed_out_is_as_one_of_our_own)
{
	ck_assert_int_eq(status_of(take_in_other_states), 0);
}
END_TEST

static void
take_dual(void)
{
	struct addr at, four, other, local;
	int fd = give(listening("::", &at));

	addr_from_text(&four, "0.0.0.0", addr_port(&at));
	addr_from_text(&other, "0.0.0.0", (uint16_t)(addr_port(&at) ^ 1));
	addr_from_text(&local, "127.0.0.1", addr_port(&at));
	announce(NULL);
	need(inherit_take(why, sizeof(why)) == 1, 1);
	for (int i = 0; i < 2; i++) {
		need(inherit_covers(&four, SOCK_STREAM), 2);
		need(!inherit_covers(&four, SOCK_DGRAM), 3);
		need(!inherit_covers(&other, SOCK_STREAM), 4);
		need(!inherit_covers(&local, SOCK_STREAM), 5);
		need(!inherit_covers(&at, SOCK_STREAM), 6);
		need(inherit_socket(&four, SOCK_STREAM) == -1, 7);
		need(inherit_socket(&at, SOCK_STREAM) == (i == 0 ? fd : -1), 8);
	}
	/* A reload asks again, much later, while the socket is in use. */
	inherit_close_rest(NULL, NULL);
	need(inherit_count() == 0 && inherit_covers(&four, SOCK_STREAM), 9);
	close(fd);
	need(!inherit_covers(&four, SOCK_STREAM), 10);
	need(dup2(STDIN_FILENO, fd) == fd && !inherit_covers(&four, SOCK_STREAM), 11);
}

static void
take_only_ipv6(void)
{
	struct addr at, four;
	int fd, one = 1;

	addr_from_text(&at, "::", 0);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	need(bind(fd, &at.u.sa, at.len) == 0 && listen(fd, 1) == 0, 1);
	need(net_local(fd, &at) == 0, 2);
	addr_from_text(&four, "0.0.0.0", addr_port(&at));
	give(fd);
	announce(NULL);
	need(inherit_take(why, sizeof(why)) == 1, 3);
	need(!inherit_covers(&four, SOCK_STREAM), 4);
}

START_TEST(a_socket_of_both_families_covers_ipv4)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd == -1)
		return; /* no IPv6 here */
	close(fd);
	ck_assert_int_eq(status_of(take_dual), 0);
	ck_assert_int_eq(status_of(take_only_ipv6), 0);
}
END_TEST

static void
take_by_name(void)
{
	int fd[4];

	for (int i = 0; i < 4; i++)
		fd[i] = give(open("/dev/null", O_RDWR));
	announce("pidfile::a:a");
	need(inherit_take(why, sizeof(why)) == 4, 1);
	need(inherit_named("b") == -1 && inherit_named("") == -1, 2);
	need(inherit_named("a") == fd[2] && inherit_named("a") == fd[3], 3);
	need(inherit_named(INHERIT_PIDFILE) == fd[0], 4);
	need(inherit_named(INHERIT_PIDFILE) == -1 && inherit_count() == 1, 5);
	need(fcntl(fd[0], F_GETFD) & FD_CLOEXEC, 6);
}

START_TEST(a_name_is_found_once_for_each_fd_that_has_it)
{
	ck_assert_int_eq(status_of(take_by_name), 0);
}
END_TEST

static void
note(void *arg, const char *what)
{
	strcat(arg, what);
	strcat(arg, "|");
}

static void
close_what_nothing_wants(void)
{
	struct addr at[2];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char told[512] = "", wanted[512], text[ADDR_TEXT];
	int wanted_fd = give(listening("127.0.0.1", &at[0])), fd;

	give(listening("127.0.0.1", &at[1]));
	give(open("/dev/null", O_RDWR));
	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/test_inherit.%ld",
		(long)getpid());
	fd = give(socket(AF_UNIX, SOCK_STREAM, 0));
	need(bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0, 1);
	unlink(un.sun_path);
	give(socket(AF_UNIX, SOCK_STREAM, 0));
	announce("a:web:b:c");
	need(inherit_take(why, sizeof(why)) == 5, 2);
	need(inherit_socket(&at[0], SOCK_STREAM) == wanted_fd, 3);
	inherit_close_rest(note, told);
	snprintf(wanted, sizeof(wanted), "%s, web|fd 5, b|%s, c|fd 7|",
		addr_text(&at[1], text), un.sun_path);
	strcpy(why, told);
	need(strcmp(told, wanted) == 0, 4);
	need(fcntl(wanted_fd, F_GETFD) != -1, 5);
	for (fd = wanted_fd + 1; fd < next_fd; fd++)
		need(fcntl(fd, F_GETFD) == -1, 6);
	need(inherit_count() == 0 && inherit_named("b") == -1, 7);
}

START_TEST(what_nothing_wanted_is_told_and_closed)
{
	ck_assert_int_eq(status_of(close_what_nothing_wants), 0);
}
END_TEST

/* How often a variable is in an environment, and its last value. */
static int
find(char **envp, const char *name, const char **value)
{
	size_t len = strlen(name);
	int n = 0;

	for (; *envp; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=') {
			*value = *envp + len + 1;
			n++;
		}
	return n;
}

static void
expect_variable(char **envp, const char *name, const char *wanted)
{
	const char *value = NULL;

	ck_assert_int_eq(find(envp, name, &value), wanted ? 1 : 0);
	if (wanted)
		ck_assert_str_eq(value, wanted);
}

START_TEST(the_environment_of_a_child_is_ours_with_new_variables)
{
	static const char *const names[] = { "control", NULL, "pidfile", NULL };
	struct inherit_environment e;

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "77", 1);
	setenv("LISTEN_FDNAMES", "old", 1);
	setenv("LISTEN_PIDFDID", "old", 1);
	setenv("EXTRA", "old", 1);
	setenv("EXTRAS", "stays", 1);
	ck_assert_int_eq(inherit_environment(&e, names, 4, "EXTRA=new"), 0);
	expect_variable(e.envp, "LISTEN_FDS", "4");
	expect_variable(e.envp, "LISTEN_FDNAMES", "control::pidfile:");
	expect_variable(e.envp, "LISTEN_PID", "");
	expect_variable(e.envp, "LISTEN_PIDFDID", NULL);
	expect_variable(e.envp, "EXTRA", "new");
	expect_variable(e.envp, "EXTRAS", "stays");
	expect_variable(e.envp, "PATH", getenv("PATH"));
	memset(e.pid_text, '9', CHILD_PID_ROOM - 1);
	expect_variable(e.envp, "LISTEN_PID", "99999999999999999999999");
	inherit_environment_free(&e);
	ck_assert_int_eq(inherit_environment(&e, NULL, 0, NULL), 0);
	expect_variable(e.envp, "LISTEN_FDS", "0");
	expect_variable(e.envp, "LISTEN_FDNAMES", "");
	expect_variable(e.envp, "EXTRA", "old");
	inherit_environment_free(&e);
}
END_TEST

START_TEST(a_name_with_a_colon_is_refused)
{
	static const char *const names[] = { "a", "b:c" };
	struct inherit_environment e;

	ck_assert_int_eq(inherit_environment(&e, names, 2, NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(e.envp);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("inherit");
	TCase *tc = tcase_create("inherit");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_socket_is_found_by_its_address_and_type_once);
	tcase_add_test(tc, the_variables_are_removed);
	tcase_add_test(tc, what_is_meant_for_another_process_is_not_taken);
	tcase_add_test(tc, nothing_inherited_is_no_error);
	tcase_add_test(tc, a_count_that_is_none_is_an_error);
	tcase_add_test(tc, an_fd_that_is_not_open_is_an_error_and_the_others_are_taken);
	tcase_add_test(tc, a_connection_is_an_error);
	tcase_add_test(tc, a_socket_handed_out_is_as_one_of_our_own);
	tcase_add_test(tc, a_socket_of_both_families_covers_ipv4);
	tcase_add_test(tc, a_name_is_found_once_for_each_fd_that_has_it);
	tcase_add_test(tc, what_nothing_wanted_is_told_and_closed);
	tcase_add_test(tc, the_environment_of_a_child_is_ours_with_new_variables);
	tcase_add_test(tc, a_name_with_a_colon_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
