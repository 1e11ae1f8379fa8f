/* SPDX-License-Identifier: ISC */
/*
 * Tests of service: in which order a daemon's hooks are called, and which are not. It
 * runs in a process of its own, since it closes all it does not know, and each hook
 * writes a letter: o for open, s for start, b for begin, p for stop, n for end, f for
 * free; and of a client, t when it is served, e at its end.
 */
#include "config.h"
#include "service.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"
#include "net.h"

static const struct io_limit patient = { IO_FOREVER, -1 };

/* A daemon that is nothing but its hooks, and what the test wants of them. */
static struct {
	struct settings settings;
	struct places places;
	const char *open_says;
	int start_errno; /* 0: it succeeds */
	bool stop_busy;
	bool with_client;
	bool no_threads; /* from the end of start on */
	int let_end[2];	 /* a pipe: its end lets the client end */
	struct addr at;
} fake;

static void
say(char letter)
{
	ck_assert_int_eq(write(STDOUT_FILENO, &letter, 1), 1);
}

static struct conf *
fake_configure(void *config, const char *path)
{
	static const struct conf_key none[] = { { NULL, NULL, 0, 0, 0, NULL } };

	return conf_read(path, none, config);
}

static struct settings *
fake_settings(void *config)
{
	(void)config;
	return &fake.settings;
}

static const struct places *
fake_places(void *config)
{
	(void)config;
	return &fake.places;
}

static char *
fake_via_name(const void *via, char *buf, size_t size)
{
	(void)via;
	(void)size;
	*buf = '\0';
	return buf;
}

static void *
fake_make(void)
{
	return &fake;
}

static const char *
fake_open(void *config, void *before)
{
	(void)config;
	ck_assert_ptr_null(before);
	say('o');
	return fake.open_says;
}

static void
fake_free(void *config)
{
	(void)config;
	say('f');
}

static void
fake_begin(void *config)
{
	(void)config;
	/* A client that start has taken speaks whenever it likes. */
	if (!fake.with_client)
		say('b');
}

static int
fake_end(void *config)
{
	(void)config;
	if (!fake.with_client)
		say('n');
	return 0;
}

static void
fake_needs(const void *config, struct capacity_needs *needs)
{
	(void)config;
	*needs = (struct capacity_needs){ .of = { [CAPACITY_FDS] = { 2, 0 } } };
}

static void
fake_serve(struct conn *conn, struct crew *crew)
{
	char c;

	(void)crew;
	say('t');
	kill(getpid(), SIGTERM);
	if (read(fake.let_end[0], &c, 1) == 0)
		say('e');
	conn_end(conn);
}

static void
forbid_threads(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_NPROC, &none) == -1)
		_exit(99);
	if (geteuid() == 0 && (setgid(65534) == -1 || setuid(65534) == -1))
		_exit(99);
}

static void
take_address(const struct listener *listener, void *arg)
{
	(void)arg;
	fake.at = listener->socket->addr;
}

static int
fake_start(void *config, struct server *server, struct generation *generation)
{
	(void)config;
	say('s');
	server_each_listener(server, take_address, NULL);
	errno = fake.start_errno;
	if (errno != 0)
		return -1;
	if (fake.no_threads)
		forbid_threads();
	if (!fake.with_client)
		return kill(getpid(), SIGTERM);
	if (compat_pipe(fake.let_end) == -1)
		return -1;
	return server_take(server, generation, &fake.at, NULL, &fake);
}

static int
fake_stop(void *config)
{
	struct addr used;

	(void)config;
	if (net_dial(&fake.at, 1, NULL, &patient, &used) != -1 || errno != ECONNREFUSED)
		say('!');
	say('p');
	io_close(&fake.let_end[1]);
	return fake.stop_busy ? -1 : 0;
}

/* In the child. */
static _Noreturn void
run_service(bool hooks)
{
	const struct option_row no_options[] = { { 0, NULL, NULL, NULL } };
	const struct service service = {
		.name = "fake",
		.default_config = "/nonexistent/fake.conf",
		.default_pidfile = "/nonexistent/fake.pid",
		.options = no_options,
		.serve = fake_serve,
		.needs = fake_needs,
		.configure = fake_configure,
		.settings = fake_settings,
		.places = fake_places,
		.make = fake_make,
		.free = fake_free,
		.open = fake_open,
		.start = hooks ? fake_start : NULL,
		.begin = hooks ? fake_begin : NULL,
		.stop = hooks ? fake_stop : NULL,
		.end = hooks ? fake_end : NULL,
		.via_name = fake_via_name,
	};
	char name[] = "fake", foreground[] = "-f";
	char *argv[] = { name, foreground, NULL };
	int status;

	settings_init(&fake.settings);
	if (places_add(&fake.places, "127.0.0.1:0", NULL))
		_exit(99);
	status = service_run(&service, 2, argv);
	places_free(&fake.places);
	settings_free(&fake.settings);
	_exit(status);
}

/* Starts the daemon; its letters can be read from *out. */
static pid_t
begin(bool hooks, int *out)
{
	int letters[2], null_fd;
	pid_t child;

	ck_assert_int_eq(compat_pipe(letters), 0);
	child = fork();
	if (child == 0) {
		null_fd = open("/dev/null", O_WRONLY);
		dup2(letters[1], STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
		run_service(hooks);
	}
	ck_assert_int_ne(child, -1);
	close(letters[1]);
	*out = letters[0];
	return child;
}

/* Its exit status and all it said. */
static void
expect_end(pid_t child, int out, int status, const char *letters)
{
	char said[64] = "";
	size_t len = 0;
	ssize_t n;
	int how;

	while ((n = read(out, said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(waitpid(child, &how, 0), child);
	ck_assert_str_eq(said, letters);
	ck_assert(WIFEXITED(how));
	ck_assert_int_eq(WEXITSTATUS(how), status);
	close(out);
}

static void
expect_life(int status, const char *letters)
{
	int out;
	pid_t child = begin(true, &out);

	expect_end(child, out, status, letters);
}

START_TEST(hooks_are_called_in_their_order)
{
	expect_life(EXIT_OK, "osbpnf");
}
END_TEST

START_TEST(threads_are_stopped_before_clients_have_time_to_end)
{
	fake.with_client = true;
	expect_life(EXIT_OK, "ostpef");
}
END_TEST

START_TEST(threads_that_cannot_be_stopped_are_left_what_they_use)
{
	fake.stop_busy = true;
	expect_life(EXIT_OK, "osbpn");
}
END_TEST

START_TEST(half_a_start_is_stopped)
{
	fake.start_errno = EAGAIN;
	expect_life(EXIT_START, "ospnf");
}
END_TEST

START_TEST(nothing_starts_when_open_has_failed)
{
	fake.open_says = "no";
	expect_life(EXIT_START, "onf");
}
END_TEST

START_TEST(what_started_is_stopped_when_the_server_does_not_start)
{
	fake.no_threads = true;
	expect_life(EXIT_START, "osbpnf");
}
END_TEST

START_TEST(start_and_stop_may_be_missing)
{
	int out;
	pid_t child = begin(false, &out);
	char c;

	ck_assert_int_eq(read(out, &c, 1), 1);
	ck_assert_int_eq(c, 'o');
	/* Before it is ready the signal waits for it. */
	ck_assert_int_eq(kill(child, SIGTERM), 0);
	expect_end(child, out, EXIT_OK, "f");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("service");
	TCase *tc = tcase_create("service");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, hooks_are_called_in_their_order);
	tcase_add_test(tc, threads_are_stopped_before_clients_have_time_to_end);
	tcase_add_test(tc, threads_that_cannot_be_stopped_are_left_what_they_use);
	tcase_add_test(tc, half_a_start_is_stopped);
	tcase_add_test(tc, nothing_starts_when_open_has_failed);
	tcase_add_test(tc, what_started_is_stopped_when_the_server_does_not_start);
	tcase_add_test(tc, start_and_stop_may_be_missing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
