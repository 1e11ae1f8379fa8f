/* SPDX-License-Identifier: ISC */
/* The control socket: its name in the file system, the protocol, and bad clients. */
#include "config.h"
#include "control.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "control_socket.h"
#include "io.h"

#define NOBODY	     65534
#define SOMEBODY     65533
#define PATIENCE_MS  30000 /* only a failure waits for so long */
#define IMPATIENT_MS 300

#define ANSWER(text) text "OK\n"

static char folder[64], path[128], other[128];
static struct control *control;
static int turn; /* what the commands get as arg points here */

static const char *
run_words(void *arg, struct control_reply *reply, int argc, char **argv)
{
	ck_assert_ptr_eq(arg, &turn);
	for (int i = 0; i < argc; i++)
		control_printf(reply, "%d=%s", i, argv[i]);
	return NULL;
}

static const char *
run_lines(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)arg;
	(void)argc;
	for (int i = 0, n = atoi(argv[1]); i < n; i++)
		control_printf(reply, "%07d", i);
	return NULL;
}

static const char *
run_long(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)arg;
	(void)argc;
	control_printf(reply, "%0*d", atoi(argv[1]), 1);
	return NULL;
}

static const char *
run_controls(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)arg;
	(void)argc;
	(void)argv;
	control_printf(reply, "a\nOK\n\033[2J\x7f.");
	return NULL;
}

static const char *
run_refuse(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)arg;
	(void)argc;
	(void)argv;
	control_printf(reply, "half");
	return "not today";
}

static const char *
run_error(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)arg;
	return control_error(reply, "no\ntunnel %s, %d words%0300d", argv[1], argc, 0);
}

static const struct control_command commands[] = {
	{ "words", "[WORD...]", "tell the words", run_words },
	{ "lines", "N", "so many lines", run_lines },
	{ "long", "N", "a line so long", run_long },
	{ "controls", "", "what nobody may say", run_controls },
	{ "refuse", "", "says no", run_refuse },
	{ "error", "ID", "says why", run_error },
	{ "two", "ONE [OTHER]", "one or two", run_words },
	{ NULL, NULL, NULL, NULL },
};

static void
make_folder(void)
{
	strcpy(folder, "/tmp/test_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/d.ctl", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
}

static void
remove_folder(void)
{
	control_free(control, true);
	control = NULL;
	unlink(path);
	rmdir(path);
	unlink(other);
	/* Nothing else is left there. */
	ck_assert_int_eq(rmdir(folder), 0);
}

static void
serve_for(int client_ms)
{
	ck_assert_ptr_null(control_open(&control, path, geteuid()));
	ck_assert_int_eq(control_start(control, commands, &turn, client_ms), 0);
}

static void
serve(void)
{
	serve_for(PATIENCE_MS);
}

static int
try_reach(int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	ck_assert_int_ne(fd, -1);
	strcpy(un.sun_path, path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1)
		io_close(&fd);
	return fd;
}

static int
reach(void)
{
	int fd = try_reach(SOCK_STREAM);

	ck_assert_int_ne(fd, -1);
	return fd;
}

static void
put(int fd, const void *data, size_t size)
{
	struct io_limit limit = { io_now_ms() + PATIENCE_MS, -1 };

	ck_assert_int_eq(io_write(fd, data, size, &limit), 0);
}

/* All that comes up to the end, which may be a reset, and closes. The caller frees it. */
static char *
take(int fd)
{
	struct io_limit limit = { io_now_ms() + PATIENCE_MS, -1 };
	size_t len = 0, size = 1 << 16;
	char *text = malloc(size);
	ssize_t n;

	ck_assert_ptr_nonnull(text);
	while ((n = io_read(fd, text + len, size - len - 1, &limit)) > 0) {
		len += (size_t)n;
		if (size - len < 4096)
			text = realloc(text, size *= 2);
		ck_assert_ptr_nonnull(text);
	}
	ck_assert(n == 0 || errno == ECONNRESET);
	text[len] = '\0';
	close(fd);
	return text;
}

static void
expect_taken(int fd, const char *wanted)
{
	char *text = take(fd);

	ck_assert_str_eq(text, wanted);
	free(text);
}

static void
expect_bytes(const void *data, size_t size, const char *wanted)
{
	int fd = reach();

	put(fd, data, size);
	shutdown(fd, SHUT_WR);
	expect_taken(fd, wanted);
}

static void
expect(const char *line, const char *wanted)
{
	expect_bytes(line, strlen(line), wanted);
}

static void
expect_works(void)
{
	expect("words\n", ANSWER("0=words\n"));
}

START_TEST(a_command_gets_its_words_and_its_arg)
{
	serve();
	expect("words one two\n", ANSWER("0=words\n1=one\n2=two\n"));
	expect("  words   one  \n", ANSWER("0=words\n1=one\n"));
	expect_works();
}
END_TEST

START_TEST(a_line_in_single_bytes_is_one_line)
{
	const char *line = "words one\n";
	int fd;

	serve();
	fd = reach();
	for (size_t i = 0; line[i] != '\0'; i++)
		put(fd, line + i, 1);
	expect_taken(fd, ANSWER("0=words\n1=one\n"));
}
END_TEST

START_TEST(an_error_is_the_last_line)
{
	serve();
	expect("refuse\n", "half\nERROR not today\n");
	expect("nothing\n", "ERROR no such command: nothing; try help\n");
	expect("word\n", "ERROR no such command: word; try help\n");
}
END_TEST

START_TEST(a_made_error_is_one_line_and_is_cut)
{
	char *text;
	int fd;

	serve();
	fd = reach();
	put(fd, "error 7\n", 8);
	text = take(fd);
	ck_assert_int_eq(strncmp(text, "ERROR no tunnel 7, 2 words000", 29), 0);
	ck_assert_uint_eq(strlen(text), 6 + 255 + 1);
	ck_assert_ptr_eq(strchr(text, '\n'), text + 6 + 255);
	free(text);
}
END_TEST

START_TEST(a_wrong_number_of_words_gets_the_usage)
{
	serve();
	expect("lines\n", "ERROR usage: lines N\n");
	expect("lines 1 2\n", "ERROR usage: lines N\n");
	expect("refuse x\n", "ERROR usage: refuse\n");
	expect("two\n", "ERROR usage: two ONE [OTHER]\n");
	expect("two 1\n", ANSWER("0=two\n1=1\n"));
	expect("two 1 2\n", ANSWER("0=two\n1=1\n2=2\n"));
	expect("two 1 2 3\n", "ERROR usage: two ONE [OTHER]\n");
	expect("help x\n", "ERROR usage: help\n");
}
END_TEST

START_TEST(help_lists_all_commands_and_itself)
{
	serve();
	expect("help\n",
		ANSWER("words [WORD...]            tell the words\n"
		       "lines N                    so many lines\n"
		       "long N                     a line so long\n"
		       "controls                   what nobody may say\n"
		       "refuse                     says no\n"
		       "error ID                   says why\n"
		       "two ONE [OTHER]            one or two\n"
		       "help                       list the commands\n"));
}
END_TEST

START_TEST(what_is_not_one_line_of_words_is_refused)
{
	serve();
	expect("", "ERROR the line has no end\n");
	expect("words", "ERROR the line has no end\n");
	expect("\n", "ERROR there is no command\n");
	expect("   \n", "ERROR there is no command\n");
	expect("words\nwords\n", "ERROR one line is wanted\n");
	expect("words a\tb\n",
		"ERROR there is a byte in it that is not printable ASCII\n");
	expect("words\r\n", "ERROR there is a byte in it that is not printable ASCII\n");
	expect("words \x7f\n",
		"ERROR there is a byte in it that is not printable ASCII\n");
	expect("words \xc3\xa4\n",
		"ERROR there is a byte in it that is not printable ASCII\n");
	expect_bytes("wo\0rds\n", 7,
		"ERROR there is a byte in it that is not printable ASCII\n");
	expect_works();
}
END_TEST

START_TEST(a_line_may_have_1024_bytes_and_no_more)
{
	char line[2 * CONTROL_LINE], wanted[2 * CONTROL_LINE];

	serve();
	memset(line, 'x', sizeof(line));
	memcpy(line, "words ", 6);
	line[CONTROL_LINE - 1] = '\n';
	snprintf(wanted, sizeof(wanted), ANSWER("0=words\n1=%.*s\n"), CONTROL_LINE - 7,
		line + 6);
	expect_bytes(line, CONTROL_LINE, wanted);
	line[CONTROL_LINE - 1] = 'x';
	line[CONTROL_LINE] = '\n';
	expect_bytes(line, CONTROL_LINE + 1, "ERROR the line is too long\n");
}
END_TEST

START_TEST(a_line_may_have_32_words_and_no_more)
{
	char line[CONTROL_LINE] = "words";
	char *text;
	int fd;

	serve();
	for (int i = 1; i < CONTROL_WORDS; i++)
		strcat(line, " x");
	fd = reach();
	put(fd, line, strlen(line));
	put(fd, "\n", 1);
	text = take(fd);
	ck_assert_ptr_nonnull(strstr(text, "\n31=x\nOK\n"));
	free(text);
	strcat(line, " x\n");
	expect(line, "ERROR there are too many words\n");
}
END_TEST

START_TEST(data_stays_one_line_whatever_is_in_it)
{
	serve();
	expect("controls\n", ANSWER("a OK  [2J .\n"));
}
END_TEST

START_TEST(a_long_reply_comes_whole)
{
	char *text, line[16];
	int fd;

	serve();
	fd = reach();
	put(fd, "lines 100000\n", 13);
	text = take(fd);
	ck_assert_uint_eq(strlen(text), 100000 * 8 + 3);
	for (int i = 0; i < 100000; i++) {
		snprintf(line, sizeof(line), "%07d\n", i);
		ck_assert_int_eq(memcmp(text + 8 * i, line, 8), 0);
	}
	ck_assert_str_eq(text + 100000 * 8, "OK\n");
	free(text);
	expect_works();
}
END_TEST

START_TEST(a_long_line_comes_whole)
{
	char *text;
	int fd;

	serve();
	fd = reach();
	put(fd, "long 100000\n", 12);
	text = take(fd);
	ck_assert_uint_eq(strlen(text), 100000 + 1 + 3);
	ck_assert_str_eq(text + 100000 - 1, "1\nOK\n");
	free(text);
}
END_TEST

START_TEST(a_reply_over_the_limit_ends_with_an_error)
{
	serve();
	expect("long 67108864\n", "ERROR the reply is too long\n");
	expect_works();
}
END_TEST

/* The clients wait in the backlog, behind one that says nothing. */
START_TEST(a_client_that_says_nothing_is_cut_off)
{
	int silent, half;

	serve_for(IMPATIENT_MS);
	silent = reach();
	half = reach();
	put(half, "wor", 3);
	expect_works();
	expect_taken(silent, "ERROR no whole line came in time\n");
	expect_taken(half, "ERROR no whole line came in time\n");
}
END_TEST

START_TEST(a_client_that_dribbles_is_cut_off)
{
	int64_t begin = io_now_ms();
	struct io_limit limit;
	char byte = 'x';
	int fd;

	serve_for(IMPATIENT_MS);
	fd = reach();
	do {
		limit = (struct io_limit){ io_now_ms() + IMPATIENT_MS / 10, -1 };
		if (send(fd, &byte, 1, MSG_NOSIGNAL) == -1)
			break;
	} while (io_wait(fd, 0, &limit) == -1 && io_now_ms() - begin < PATIENCE_MS);
	expect_taken(fd, "ERROR no whole line came in time\n");
}
END_TEST

START_TEST(a_client_that_does_not_read_is_cut_off)
{
	char *text;
	int fd;

	serve_for(IMPATIENT_MS);
	fd = reach();
	put(fd, "lines 100000\n", 13);
	expect_works();
	text = take(fd);
	ck_assert_uint_lt(strlen(text), 100000 * 8);
	free(text);
}
END_TEST

START_TEST(a_client_that_leaves_harms_nobody)
{
	struct linger linger = { 1, 0 };
	int fd;

	serve();
	close(reach());
	fd = reach();
	put(fd, "lines 100000\n", 13);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	expect_works();
}
END_TEST

START_TEST(it_ends_at_once_though_a_client_says_nothing)
{
	int64_t begin = io_now_ms();
	int fd;

	serve();
	fd = reach();
	put(fd, "wor", 3);
	/* Read, and so waited for more. */
	while (compat_unsent(fd) > 0)
		sched_yield();
	control_free(control, true);
	control = NULL;
	ck_assert_int_lt(io_now_ms() - begin, PATIENCE_MS / 2);
	close(fd);
}
END_TEST

START_TEST(it_ends_at_once_though_a_client_does_not_read)
{
	int64_t begin = io_now_ms();
	char byte;
	int fd;

	serve();
	fd = reach();
	put(fd, "lines 100000\n", 13);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
	control_free(control, true);
	control = NULL;
	ck_assert_int_lt(io_now_ms() - begin, PATIENCE_MS / 2);
	close(fd);
}
END_TEST

START_TEST(a_client_is_served_when_fds_have_run_out)
{
	struct rlimit few = { 64, 64 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fds[64], n = 0, fd;

	serve();
	for (int i = 0; i < 3; i++) {
		strcpy(un.sun_path, path);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_ne(fd, -1);
		while ((fds[n] = dup(fd)) != -1)
			n++;
		ck_assert_int_eq(errno, EMFILE);
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
		put(fd, "words\n", 6);
		shutdown(fd, SHUT_WR);
		expect_taken(fd, ANSWER("0=words\n"));
		while (n > 0)
			close(fds[--n]);
	}
}
END_TEST

static void
expect_mode(uid_t owner)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_uid, owner);
}

/* Whatever the mask is. */
START_TEST(the_socket_is_its_owners_alone)
{
	mode_t before = umask(_i ? 077 : 0);

	serve();
	umask(before);
	expect_mode(geteuid());
	expect_works();
}
END_TEST

/* Whether that user gets in: 0, or the errno. */
static int
reach_as(uid_t uid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (setgid(uid) == -1 || setuid(uid) == -1)
			_exit(EINVAL);
		_exit(try_reach(SOCK_STREAM) == -1 ? errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(it_is_given_to_the_user_of_the_daemon)
{
	if (geteuid() != 0)
		return;
	ck_assert_ptr_null(control_open(&control, path, NOBODY));
	expect_mode(NOBODY);
	ck_assert_int_eq(reach_as(NOBODY), 0);
	ck_assert_int_eq(reach_as(SOMEBODY), EACCES);
	ck_assert_int_eq(reach_as(0), 0);
}
END_TEST

START_TEST(who_is_not_root_cannot_give_it_away)
{
	pid_t pid = geteuid() == 0 ? fork() : -1;
	int status;

	if (pid == 0) {
		if (chown(folder, NOBODY, NOBODY) == -1 || setuid(NOBODY) == -1)
			_exit(2);
		_exit(control_open(&control, path, SOMEBODY) == NULL);
	}
	if (pid == -1)
		return;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* A socket file; listening or not. Returns the fd. */
static int
put_socket(int type, bool listening)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	strcpy(un.sun_path, path);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(the_socket_of_a_dead_daemon_is_replaced)
{
	close(put_socket(SOCK_STREAM, true));
	serve();
	expect_mode(geteuid());
	expect_works();
}
END_TEST

static void
expect_refused(const char *wanted)
{
	struct stat before, after;
	const char *why;

	ck_assert_int_eq(lstat(path, &before), 0);
	why = control_open(&control, path, geteuid());
	ck_assert_ptr_nonnull(why);
	ck_assert_str_eq(why, wanted);
	ck_assert_ptr_null(control);
	ck_assert_int_eq(lstat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
}

START_TEST(the_socket_of_a_live_daemon_is_in_use)
{
	struct control *first;

	serve();
	first = control;
	expect_refused("in use: another process listens there");
	control = first;
	expect_works();
}
END_TEST

START_TEST(a_socket_with_a_full_backlog_is_in_use)
{
	int fd = put_socket(SOCK_STREAM, true), clients[8];

	for (int i = 0; i < 8; i++) {
		struct sockaddr_un un = { .sun_family = AF_UNIX };

		strcpy(un.sun_path, path);
		clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		fcntl(clients[i], F_SETFL, O_NONBLOCK);
		(void)connect(clients[i], (struct sockaddr *)&un, sizeof(un));
	}
	expect_refused("in use: another process listens there");
	for (int i = 0; i < 8; i++)
		close(clients[i]);
	close(fd);
}
END_TEST

START_TEST(a_live_socket_of_another_kind_is_in_use)
{
	int fd = put_socket(SOCK_DGRAM, false);

	expect_refused("in use: another process listens there");
	close(fd);
}
END_TEST

START_TEST(what_is_no_socket_is_refused)
{
	static const char no_socket[] = "something is there that is not a socket";
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	ck_assert_int_ne(fd, -1);
	close(fd);
	expect_refused(no_socket);
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_refused(no_socket);
	rmdir(path);
	ck_assert_int_eq(symlink("other", path), 0);
	expect_refused(no_socket);
	ck_assert_int_eq(mkfifo(other, 0600), 0);
	expect_refused(no_socket);
	ck_assert_int_eq(rename(other, path), 0);
	expect_refused(no_socket);
}
END_TEST

static void
expect_no_path(const char *wrong, const char *wanted)
{
	const char *why = control_open(&control, wrong, geteuid());

	ck_assert_ptr_nonnull(why);
	ck_assert_str_eq(why, wanted);
	ck_assert_ptr_null(control);
}

START_TEST(a_path_that_cannot_be_is_refused)
{
	char text[256];

	expect_no_path("d.ctl", "not an absolute path");
	expect_no_path("", "not an absolute path");
	snprintf(text, sizeof(text), "%s/none/d.ctl", folder);
	expect_no_path(text, strerror(ENOENT));
	snprintf(text, sizeof(text), "%s/", folder);
	expect_no_path(text, strerror(EISDIR));
	snprintf(text, sizeof(text), "%s/%0120d", folder, 0);
	expect_no_path(text, "the path is too long for a socket");
}
END_TEST

START_TEST(the_longest_path_works)
{
	const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	snprintf(path, sizeof(path), "%s/%0*d", folder,
		(int)(room - sizeof(".XXXXXX/s") - strlen(folder) - 1), 0);
	serve();
	expect_works();
	control_free(control, true);
	control = NULL;
	strcat(path, "0");
	expect_no_path(path, "the path is too long for a socket");
}
END_TEST

static bool
is_there(void)
{
	return access(path, F_OK) == 0;
}

START_TEST(at_the_end_the_name_is_removed_if_that_is_wanted)
{
	serve();
	control_free(control, true);
	ck_assert(!is_there());
	serve();
	control_free(control, false);
	control = NULL;
	ck_assert(is_there());
}
END_TEST

START_TEST(what_another_has_put_there_is_not_removed)
{
	int fd;

	serve();
	ck_assert_int_eq(unlink(path), 0);
	fd = put_socket(SOCK_STREAM, true);
	control_free(control, true);
	control = NULL;
	ck_assert(is_there());
	close(fd);
}
END_TEST

START_TEST(the_name_is_removed_from_within_a_chroot)
{
	pid_t pid = geteuid() == 0 ? fork() : -1;
	int status;

	if (pid == 0) {
		serve();
		if (mkdir(other, 0700) == -1 || chroot(other) == -1)
			_exit(2);
		control_free(control, true);
		_exit(0);
	}
	if (pid == -1)
		return;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(!is_there());
	ck_assert_int_eq(rmdir(other), 0);
}
END_TEST

/* As in an upgrade: who waits in the backlog meanwhile is served by the next one. */
START_TEST(an_inherited_socket_is_served_on)
{
	int handed, waiting;

	ck_assert_ptr_null(control_open(&control, path, geteuid()));
	waiting = reach();
	put(waiting, "words\n", 6);
	handed = dup(control_fd(control));
	control_free(control, false);
	control = control_adopt(&handed, path);
	ck_assert_ptr_nonnull(control);
	ck_assert_int_eq(handed, -1);
	ck_assert_int_ne(fcntl(control_fd(control), F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(control_start(control, commands, &turn, PATIENCE_MS), 0);
	expect_taken(waiting, ANSWER("0=words\n"));
	expect_works();
}
END_TEST

/* Leaves a listening socket at path as one that was inherited. */
static void
adopt(int fd, const char *configured)
{
	control = control_adopt(&fd, configured);
	ck_assert_ptr_nonnull(control);
	ck_assert_int_eq(control_start(control, commands, &turn, PATIENCE_MS), 0);
	expect_works();
}

static void
make_and_adopt(const char *configured)
{
	int fd;

	ck_assert_ptr_null(control_open(&control, path, geteuid()));
	fd = dup(control_fd(control));
	control_free(control, false);
	adopt(fd, configured);
}

START_TEST(the_name_of_an_inherited_socket_of_ours_is_removed)
{
	make_and_adopt(path);
	control_free(control, false);
	control = NULL;
	ck_assert(is_there());
	ck_assert_int_eq(unlink(path), 0);
	make_and_adopt(path);
	control_free(control, true);
	control = NULL;
	ck_assert(!is_there());
}
END_TEST

START_TEST(the_name_of_an_inherited_socket_of_others_stays)
{
	/* As systemd made it, which may want it again. */
	adopt(put_socket(SOCK_STREAM, true), path);
	control_free(control, true);
	control = NULL;
	ck_assert(is_there());
	ck_assert_int_eq(unlink(path), 0);
	/* One that is not where the configuration says, and one of no configuration. */
	for (int i = 0; i < 2; i++) {
		make_and_adopt(i == 0 ? other : NULL);
		control_free(control, true);
		control = NULL;
		ck_assert(is_there());
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

START_TEST(what_has_replaced_an_inherited_socket_is_not_removed)
{
	int fd;

	make_and_adopt(path);
	ck_assert_int_eq(unlink(path), 0);
	fd = put_socket(SOCK_STREAM, true);
	control_free(control, true);
	control = NULL;
	ck_assert(is_there());
	close(fd);
}
END_TEST

START_TEST(two_may_serve_one_socket_until_one_has_enough)
{
	struct control *old;
	int handed;

	serve();
	old = control;
	handed = dup(control_fd(control));
	control = control_adopt(&handed, path);
	ck_assert_ptr_nonnull(control);
	ck_assert_int_eq(control_start(control, commands, &turn, PATIENCE_MS), 0);
	for (int i = 0; i < 100; i++)
		expect_works();
	control_free(old, false);
	for (int i = 0; i < 100; i++)
		expect_works();
}
END_TEST

START_TEST(what_cannot_be_served_is_not_adopted)
{
	int fd = open("/dev/null", O_RDWR), keep = fd;

	ck_assert_ptr_null(control_adopt(&fd, NULL));
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_int_eq(fd, keep);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_ptr_null(control_adopt(&fd, NULL));
	ck_assert_int_eq(errno, EINVAL);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_ptr_null(control_adopt(&fd, NULL));
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	close(fd);
}
END_TEST

static void
add_protocol(TCase *tc)
{
	tcase_add_test(tc, a_command_gets_its_words_and_its_arg);
	tcase_add_test(tc, a_line_in_single_bytes_is_one_line);
	tcase_add_test(tc, an_error_is_the_last_line);
	tcase_add_test(tc, a_made_error_is_one_line_and_is_cut);
	tcase_add_test(tc, a_wrong_number_of_words_gets_the_usage);
	tcase_add_test(tc, help_lists_all_commands_and_itself);
	tcase_add_test(tc, what_is_not_one_line_of_words_is_refused);
	tcase_add_test(tc, a_line_may_have_1024_bytes_and_no_more);
	tcase_add_test(tc, a_line_may_have_32_words_and_no_more);
	tcase_add_test(tc, data_stays_one_line_whatever_is_in_it);
	tcase_add_test(tc, a_long_reply_comes_whole);
	tcase_add_test(tc, a_long_line_comes_whole);
	tcase_add_test(tc, a_reply_over_the_limit_ends_with_an_error);
}

static void
add_clients(TCase *tc)
{
	tcase_add_test(tc, a_client_that_says_nothing_is_cut_off);
	tcase_add_test(tc, a_client_that_dribbles_is_cut_off);
	tcase_add_test(tc, a_client_that_does_not_read_is_cut_off);
	tcase_add_test(tc, a_client_that_leaves_harms_nobody);
	tcase_add_test(tc, it_ends_at_once_though_a_client_says_nothing);
	tcase_add_test(tc, it_ends_at_once_though_a_client_does_not_read);
	tcase_add_test(tc, a_client_is_served_when_fds_have_run_out);
}

static void
add_name(TCase *tc)
{
	tcase_add_loop_test(tc, the_socket_is_its_owners_alone, 0, 2);
	tcase_add_test(tc, it_is_given_to_the_user_of_the_daemon);
	tcase_add_test(tc, who_is_not_root_cannot_give_it_away);
	tcase_add_test(tc, the_socket_of_a_dead_daemon_is_replaced);
	tcase_add_test(tc, the_socket_of_a_live_daemon_is_in_use);
	tcase_add_test(tc, a_socket_with_a_full_backlog_is_in_use);
	tcase_add_test(tc, a_live_socket_of_another_kind_is_in_use);
	tcase_add_test(tc, what_is_no_socket_is_refused);
	tcase_add_test(tc, a_path_that_cannot_be_is_refused);
	tcase_add_test(tc, the_longest_path_works);
	tcase_add_test(tc, at_the_end_the_name_is_removed_if_that_is_wanted);
	tcase_add_test(tc, what_another_has_put_there_is_not_removed);
	tcase_add_test(tc, the_name_is_removed_from_within_a_chroot);
	tcase_add_test(tc, an_inherited_socket_is_served_on);
	tcase_add_test(tc, the_name_of_an_inherited_socket_of_ours_is_removed);
	tcase_add_test(tc, the_name_of_an_inherited_socket_of_others_stays);
	tcase_add_test(tc, what_has_replaced_an_inherited_socket_is_not_removed);
	tcase_add_test(tc, two_may_serve_one_socket_until_one_has_enough);
	tcase_add_test(tc, what_cannot_be_served_is_not_adopted);
}

static void
add(Suite *suite, const char *name, void (*fill)(TCase *tc))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_set_timeout(tc, 60);
	fill(tc);
	suite_add_tcase(suite, tc);
}

int
main(void)
{
	Suite *suite = suite_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	add(suite, "protocol", add_protocol);
	add(suite, "clients", add_clients);
	add(suite, "name", add_name);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
