/* SPDX-License-Identifier: ISC */
/*
 * The log in a file: which files are opened and which are not, by whom, and again; and
 * what comes of the lines when the file is renamed, deleted or full.
 */
#include "config.h"
#include "log_file.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

#define NOBODY	    65534
#define THREADS	    4
#define LINES	    500
#define LONG_ENOUGH 30000 /* ms; for what is to happen at once */

static char root[64], folder[80], path[96], old_path[104];
static char text[4 << 20];
static int saved_stderr;

/* In the process that runs the tests, so that it is removed whatever becomes of them. */
static void
make_root(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%.40s/log-test.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chmod(root, 0755), 0);
}

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static void
remove_root(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Each test has a folder, and stderr, for itself. */
static void
set_up(void)
{
	snprintf(folder, sizeof(folder), "%s/XXXXXX", root);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/t.log", folder);
	snprintf(old_path, sizeof(old_path), "%s.1", path);
	tzset(); /* with the zone of whoever runs this; the log must do it again */
	saved_stderr = dup(STDERR_FILENO);
}

static void
tear_down(void)
{
	log_stop(LONG_ENOUGH);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

static void
write_file(const char *name, const char *said)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(said, f);
	fclose(f);
}

/* Appends what the file has to text. */
static const char *
read_file(const char *name)
{
	FILE *f = fopen(name, "r");
	size_t len = strlen(text);

	if (!f) /* no assertion, for Check writes a file with each: it may not be full */
		return text;
	text[len + fread(text + len, 1, sizeof(text) - len - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* What opening it says. When it opens, *fd stays open. */
static const char *
open_it(uid_t owner, int *fd)
{
	struct log_file f = { 0 };
	const char *why = log_file_place(&f, path, owner);

	*fd = -1;
	if (!why)
		why = log_file_open(&f, fd);
	log_file_forget(&f);
	ck_assert((why == NULL) == (*fd != -1));
	return why;
}

static void
expect_refused(const char *expected)
{
	int fd;
	const char *why = open_it(geteuid(), &fd);

	ck_assert_ptr_nonnull(why);
	ck_assert_str_eq(why, expected);
}

START_TEST(file_that_is_not_there_is_made)
{
	struct stat st;
	int fd;

	ck_assert_ptr_null(open_it(geteuid(), &fd));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	close(fd);
}
END_TEST

START_TEST(file_that_is_there_is_kept)
{
	int fd;

	write_file(path, "old\n");
	ck_assert_ptr_null(open_it(geteuid(), &fd));
	ck_assert_int_eq(write(fd, "new\n", 4), 4);
	close(fd);
	ck_assert_str_eq(read_file(path), "old\nnew\n");
}
END_TEST

START_TEST(last_line_that_was_cut_is_ended)
{
	int fd;

	write_file(path, "whole\ncu");
	ck_assert_ptr_null(open_it(geteuid(), &fd));
	ck_assert_int_eq(write(fd, "new\n", 4), 4);
	close(fd);
	ck_assert_str_eq(read_file(path), "whole\ncu\nnew\n");
}
END_TEST

/* That it comes back is a part of it: nobody reads the FIFO. */
START_TEST(fifo_is_refused)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect_refused("not a plain file");
}
END_TEST

START_TEST(folder_is_refused)
{
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_refused("not a plain file");
}
END_TEST

START_TEST(link_is_refused)
{
	write_file(old_path, "");
	ck_assert_int_eq(symlink(old_path, path), 0);
	expect_refused("not a plain file");
	ck_assert_int_eq(unlink(old_path), 0);
	expect_refused("not a plain file"); /* and nothing made where it leads */
	ck_assert_int_eq(access(old_path, F_OK), -1);
}
END_TEST

START_TEST(socket_is_refused)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(sun.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	expect_refused("not a plain file");
	close(fd);
}
END_TEST

START_TEST(path_to_nowhere_is_refused)
{
	struct log_file f = { 0 };

	ck_assert_ptr_nonnull(log_file_place(&f, "relative", geteuid()));
	ck_assert_ptr_null(f.path);
	snprintf(path, sizeof(path), "%s/no/t.log", folder);
	expect_refused("No such file or directory");
	snprintf(path, sizeof(path), "%s/", folder);
	expect_refused("No such file or directory");
	snprintf(path, sizeof(path), "%s/..", folder);
	expect_refused("not a plain file");
}
END_TEST

START_TEST(file_of_another_user_is_refused)
{
	int fd;

	write_file(path, "");
	ck_assert_ptr_nonnull(open_it(geteuid() + 1, &fd));
	ck_assert_ptr_null(open_it(geteuid(), &fd));
	close(fd);
}
END_TEST

START_TEST(file_that_root_makes_is_its_users)
{
	struct stat st;
	int fd;

	if (geteuid() != 0)
		return;
	ck_assert_ptr_null(open_it(NOBODY, &fd));
	ck_assert_int_eq(fstat(fd, &st), 0);
	close(fd);
	ck_assert_uint_eq(st.st_uid, NOBODY);
	ck_assert_ptr_null(open_it(NOBODY, &fd));
	close(fd);
	ck_assert_ptr_nonnull(open_it(0, &fd));
}
END_TEST

START_TEST(deleted_file_is_known)
{
	int fd;

	ck_assert_ptr_null(open_it(geteuid(), &fd));
	ck_assert(!log_file_deleted(fd));
	ck_assert_int_eq(rename(path, old_path), 0);
	ck_assert(!log_file_deleted(fd));
	ck_assert_int_eq(unlink(old_path), 0);
	ck_assert(log_file_deleted(fd));
	close(fd);
}
END_TEST

/* From here on the log as a whole. Its stderr is a file, too, which is returned. */
static FILE *
open_log(void)
{
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(dup2(fileno(f), STDERR_FILENO), STDERR_FILENO);
	setenv("TZ", "CET-1", 1);
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
	ck_assert_ptr_null(log_to_file(path, geteuid()));
	return f;
}

static void
start_log(void)
{
	fclose(open_log());
	ck_assert_int_eq(log_start(), 0);
}

/* Numbered lines of all lengths up to 400 bytes; 200 on average. */
static void
write_numbered(int from, int to)
{
	for (int i = from; i < to; i++)
		log_msg(LOG_L_INFO, "line=%d %0*d", i, i * 37 % 389 + 1, 0);
}

/* The text of a whole line, behind its date and tag. */
static const char *
said_in(const char *line)
{
	char tag[64];
	int digits = 0;

	sscanf(line, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d+01:00 %n", &digits);
	ck_assert_msg(digits == 30, "no date: %s", line);
	snprintf(tag, sizeof(tag), "t[%ld]: ", (long)getpid());
	ck_assert_msg(strncmp(line + digits, tag, strlen(tag)) == 0, "no tag: %s", line);
	return line + digits + strlen(tag);
}

/* That text has lines 0 to n - 1 whole and in order. Returns how many were lost. */
static int
account_for(int n)
{
	char *at = text, *line;
	int seen = 0, lost = 0;

	while ((line = strtok_r(at, "\n", &at))) {
		const char *said = said_in(line);
		int number, len = 0;

		if (sscanf(said, "line=%d %*d%n", &number, &len) == 1) {
			ck_assert_int_eq(number, seen);
			ck_assert_int_eq(strlen(said), len);
			ck_assert_int_eq(
				strlen(strchr(said, ' ')), number * 37 % 389 + 2);
			seen++;
		} else {
			ck_assert_int_eq(
				sscanf(said, "log: %d messages lost", &number), 1);
			seen += number;
			lost += number;
		}
	}
	ck_assert_int_eq(seen, n);
	return lost;
}

/* The first line of text in which that is. */
static char *
line_with(const char *wanted)
{
	char *at = strstr(text, wanted);

	ck_assert_ptr_nonnull(at);
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

static void
wait_for_text(const char *name, const char *wanted)
{
	do {
		poll(NULL, 0, 1);
		text[0] = '\0';
	} while (!strstr(read_file(name), wanted));
	text[0] = '\0';
}

START_TEST(line_has_a_date_and_the_pid)
{
	FILE *f = open_log();
	char before[LOG_DATE], after[LOG_DATE];

	log_date_iso(before, (int64_t)time(NULL) * 1000);
	log_msg(LOG_L_ERROR, "early");
	ck_assert_int_eq(log_start(), 0);
	log_msg(LOG_L_INFO, "line=%d", 1);
	log_stop(LONG_ENOUGH);
	log_msg(LOG_L_INFO, "late");
	log_date_iso(after, (int64_t)time(NULL) * 1000 + 999);
	read_file(path);
	ck_assert_int_ge(strncmp(text, before, 29), 0);
	ck_assert_int_le(strncmp(text, after, 29), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const said[] = { "early", "line=1", "late" };
		char *line = strtok(i == 0 ? text : NULL, "\n");

		ck_assert_ptr_nonnull(line);
		ck_assert_str_eq(said_in(line), said[i]);
	}
	fclose(f);
}
END_TEST

/* -f with a file: stderr has what comes before the start, and where to look then. */
START_TEST(file_is_used_instead_of_stderr)
{
	FILE *f = open_log();
	char expected[256];

	log_msg(LOG_L_ERROR, "early");
	ck_assert_int_eq(log_start(), 0);
	log_msg(LOG_L_INFO, "on");
	log_stop(LONG_ENOUGH);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	snprintf(expected, sizeof(expected),
		"t: early\nt[%ld]: log: from here on in %s\n", (long)getpid(), path);
	ck_assert_str_eq(text, expected);
}
END_TEST

START_TEST(file_that_cannot_be_leaves_the_log_where_it_was)
{
	FILE *f = tmpfile();
	char expected[128];
	const char *why;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(dup2(fileno(f), STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
	why = log_to_file(path, geteuid());
	ck_assert_ptr_nonnull(why);
	ck_assert_int_eq(log_start(), 0);
	log_msg(LOG_L_ERROR, "%s: %s", "t.log", why);
	log_stop(LONG_ENOUGH);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	snprintf(expected, sizeof(expected), "t[%ld]: t.log: not a plain file\n",
		(long)getpid());
	ck_assert_str_eq(text, expected);
}
END_TEST

START_TEST(reopened_log_goes_to_a_new_file)
{
	start_log();
	write_numbered(0, 10);
	wait_for_text(path, "line=9 ");
	ck_assert_int_eq(rename(path, old_path), 0);
	write_numbered(10, 20);
	ck_assert_int_eq(log_reopen(), 0);
	ck_assert_int_eq(access(path, F_OK), 0);
	write_numbered(20, 30);
	log_stop(LONG_ENOUGH);
	ck_assert_ptr_nonnull(strstr(read_file(path), "line=20 "));
	ck_assert_ptr_null(strstr(text, "line=0 "));
	text[0] = '\0';
	ck_assert_ptr_null(strstr(read_file(old_path), "line=20 "));
	read_file(path);
	ck_assert_int_eq(account_for(30), 0);
}
END_TEST

/* Whether this process has that file open; a copy of it looks, in peace. */
static bool
is_open(const struct stat *st)
{
	pid_t child = fork();
	struct stat each;
	int held = 0;

	if (child == 0) {
		for (int fd = 0; fd < 64; fd++)
			held |= fstat(fd, &each) == 0 && each.st_ino == st->st_ino &&
				each.st_dev == st->st_dev;
		_exit(held);
	}
	waitpid(child, &held, 0);
	return held != 0;
}

START_TEST(idle_log_lets_the_old_file_go)
{
	struct stat st;

	start_log();
	log_msg(LOG_L_INFO, "first");
	wait_for_text(path, "first");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(is_open(&st));
	ck_assert_int_eq(rename(path, old_path), 0);
	ck_assert_int_eq(log_reopen(), 0);
	while (is_open(&st))
		;
}
END_TEST

START_TEST(reopening_that_fails_keeps_the_old_file)
{
	start_log();
	write_numbered(0, 10);
	ck_assert_int_eq(rename(path, old_path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(log_reopen(), -1);
	log_msg(LOG_L_INFO, "goes on");
	log_stop(LONG_ENOUGH);
	read_file(old_path);
	ck_assert_ptr_nonnull(strstr(text, "line=9 "));
	ck_assert_ptr_nonnull(strstr(text, "t.log: not a plain file: not opened again"));
	ck_assert_ptr_nonnull(strstr(text, ": goes on\n"));
}
END_TEST

START_TEST(log_is_reopened_before_the_start_and_after_the_end)
{
	fclose(open_log());
	write_numbered(0, 1);
	ck_assert_int_eq(rename(path, old_path), 0);
	ck_assert_int_eq(log_reopen(), 0);
	ck_assert_int_eq(log_reopen(), 0); /* the first was not even used */
	ck_assert_int_eq(log_start(), 0);
	write_numbered(1, 2);
	log_stop(LONG_ENOUGH);
	ck_assert_int_eq(unlink(path), 0);
	write_numbered(2, 3);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(log_reopen(), 0);
	write_numbered(3, 4);
	ck_assert_ptr_nonnull(strstr(read_file(path), "line=3 "));
	ck_assert_ptr_null(strstr(text, "line=2 "));
	text[0] = '\0';
	read_file(old_path);
	ck_assert_int_eq(account_for(1), 0);
}
END_TEST

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

START_TEST(reopening_leaks_nothing)
{
	int before;

	fclose(open_log());
	before = count_fds();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(log_reopen(), 0);
	ck_assert_int_le(count_fds(), before + 1); /* the one that is not used yet */
	write_numbered(0, 1);
	ck_assert_int_eq(count_fds(), before);
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
	ck_assert_int_eq(count_fds(), before - 2); /* neither file nor folder */
}
END_TEST

/* Its number is *arg. */
static void *
write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_msg(LOG_L_INFO, "thread=%d line=%d end", *(int *)arg, i);
	return NULL;
}

START_TEST(no_line_is_lost_or_cut_by_reopening)
{
	pthread_t threads[THREADS];
	int number[THREADS], next[THREADS] = { 0 };
	char *at = text, *line, name[128];

	start_log();
	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, write_lines, &number[i]), 0);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		ck_assert_int_eq(rename(path, name), 0);
		ck_assert_int_eq(log_reopen(), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop(LONG_ENOUGH);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		read_file(name);
	}
	read_file(path);
	while ((line = strtok_r(at, "\n", &at))) {
		int thread, n, len = 0;
		const char *said = said_in(line);

		ck_assert_int_eq(
			sscanf(said, "thread=%d line=%d end%n", &thread, &n, &len), 2);
		ck_assert_int_eq(len, strlen(said));
		ck_assert_int_eq(n, next[thread]);
		next[thread]++;
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(next[i], LINES);
}
END_TEST

/* A daemon that has dropped root, and, for _i 1, is in a chroot. Returns an exit status.
 */
static int
reopen_as_nobody(bool in_chroot)
{
	log_open("t", LOG_DAEMON, LOG_L_INFO, true);
	ck_assert_int_eq(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO), STDERR_FILENO);
	ck_assert_ptr_null(log_to_file(path, NOBODY));
	write_numbered(0, 1);
	/* logrotate(8) with "create 0640 nobody", in a folder that is root's */
	ck_assert_int_eq(rename(path, old_path), 0);
	write_file(path, "");
	ck_assert_int_eq(chown(path, NOBODY, 0), 0);
	ck_assert_int_eq(mkdir("empty", 0755), 0);
	if (in_chroot)
		ck_assert_int_eq(chroot("empty"), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(NOBODY), 0);
	ck_assert_int_eq(setuid(NOBODY), 0);
	ck_assert_int_eq(log_start(), 0);
	if (log_reopen() == -1)
		return 1;
	write_numbered(1, 2);
	log_stop(LONG_ENOUGH);
	return 0;
}

START_TEST(file_is_reopened_without_root)
{
	pid_t child;
	int status;

	if (geteuid() != 0)
		return;
	fflush(NULL);
	ck_assert_int_eq(chdir(folder), 0);
	child = fork();
	if (child == 0)
		_exit(reopen_as_nobody(_i));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(read_file(old_path), "line=0 "));
	ck_assert_ptr_nonnull(strstr(read_file(path), "line=1 "));
}
END_TEST

START_TEST(deleted_file_is_made_again)
{
	start_log();
	write_numbered(0, 10);
	wait_for_text(path, "line=9 ");
	read_file(path);
	ck_assert_int_eq(unlink(path), 0);
	write_numbered(10, 20);
	log_stop(LONG_ENOUGH);
	read_file(path);
	ck_assert_int_eq(account_for(20), 0);
}
END_TEST

START_TEST(lines_wait_for_a_deleted_file_that_cannot_be_made)
{
	start_log();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	write_numbered(0, 500);
	ck_assert_int_eq(rmdir(path), 0);
	wait_for_text(path, "line=499 ");
	log_stop(LONG_ENOUGH);
	read_file(path);
	ck_assert_int_eq(account_for(500), 0);
}
END_TEST

#define FULL_SIZE 50000 /* a quarter of the queue, and no multiple of a line */

static void
set_room(rlim_t size)
{
	const struct rlimit limit = { size, RLIM_INFINITY };

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Fills the file so that its last line is cut, as on a disk that is full. */
static void
fill_disk(int lines)
{
	struct stat st;

	set_room(FULL_SIZE);
	write_numbered(0, lines);
	while (stat(path, &st) == 0 && st.st_size < FULL_SIZE)
		poll(NULL, 0, 1);
}

START_TEST(lines_wait_for_a_full_disk_and_keep_their_dates)
{
	char now[LOG_DATE];

	start_log();
	fill_disk(500);
	log_date_iso(now, (int64_t)time(NULL) * 1000 + 999);
	set_room(RLIM_INFINITY);
	wait_for_text(path, "line=499 ");
	log_stop(LONG_ENOUGH);
	read_file(path);
	ck_assert_int_le(strncmp(line_with("line=499 "), now, 29), 0);
	ck_assert_int_eq(account_for(500), 0);
}
END_TEST

START_TEST(lines_that_do_not_fit_while_the_disk_is_full_are_counted)
{
	int64_t before = io_now_ms();

	start_log();
	fill_disk(500);
	write_numbered(500, 5000); /* more than the queue holds */
	ck_assert_int_lt(io_now_ms() - before, LONG_ENOUGH);
	set_room(RLIM_INFINITY);
	/* Taken when the news of the loss is in the file, and in the place of the lost.
	 */
	wait_for_text(path, "messages lost\n");
	write_numbered(5000, 5010);
	log_stop(LONG_ENOUGH);
	read_file(path);
	ck_assert_int_gt(account_for(5010), 0);
}
END_TEST

START_TEST(line_cut_by_a_full_disk_is_whole_in_the_new_file)
{
	char *cut;

	start_log();
	fill_disk(500);
	ck_assert_int_eq(rename(path, old_path), 0);
	ck_assert_int_eq(log_reopen(), 0);
	wait_for_text(path, "line=");
	set_room(RLIM_INFINITY);
	wait_for_text(path, "line=499 ");
	log_stop(LONG_ENOUGH);
	read_file(old_path);
	cut = strrchr(text, '\n');
	ck_assert_ptr_nonnull(cut);
	cut[1] = '\0';
	read_file(path);
	ck_assert_int_eq(account_for(500), 0);
}
END_TEST

START_TEST(end_does_not_wait_for_a_full_disk)
{
	int64_t before;
	char *again;

	start_log();
	fill_disk(500);
	before = io_now_ms();
	log_stop(LONG_ENOUGH);
	ck_assert_int_lt(io_now_ms() - before, LONG_ENOUGH);
	/* A daemon that starts then, with room, has whole lines. */
	set_room(RLIM_INFINITY);
	text[0] = '\0';
	start_log();
	log_msg(LOG_L_INFO, "again");
	log_stop(LONG_ENOUGH);
	read_file(path);
	again = line_with(": again\n");
	ck_assert_str_eq(said_in(strtok(again, "\n")), "again");
}
END_TEST

static TCase *
opening_tests(void)
{
	TCase *tc = tcase_create("opening");

	tcase_add_unchecked_fixture(tc, make_root, remove_root);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, file_that_is_not_there_is_made);
	tcase_add_test(tc, file_that_is_there_is_kept);
	tcase_add_test(tc, last_line_that_was_cut_is_ended);
	tcase_add_test(tc, fifo_is_refused);
	tcase_add_test(tc, folder_is_refused);
	tcase_add_test(tc, link_is_refused);
	tcase_add_test(tc, socket_is_refused);
	tcase_add_test(tc, path_to_nowhere_is_refused);
	tcase_add_test(tc, file_of_another_user_is_refused);
	tcase_add_test(tc, file_that_root_makes_is_its_users);
	tcase_add_test(tc, deleted_file_is_known);
	return tc;
}

static TCase *
logging_tests(void)
{
	TCase *tc = tcase_create("logging");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, make_root, remove_root);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, line_has_a_date_and_the_pid);
	tcase_add_test(tc, file_is_used_instead_of_stderr);
	tcase_add_test(tc, file_that_cannot_be_leaves_the_log_where_it_was);
	tcase_add_test(tc, reopened_log_goes_to_a_new_file);
	tcase_add_test(tc, idle_log_lets_the_old_file_go);
	tcase_add_test(tc, reopening_that_fails_keeps_the_old_file);
	tcase_add_test(tc, log_is_reopened_before_the_start_and_after_the_end);
	tcase_add_test(tc, reopening_leaks_nothing);
	tcase_add_test(tc, no_line_is_lost_or_cut_by_reopening);
	tcase_add_loop_test(tc, file_is_reopened_without_root, 0, 2);
	tcase_add_test(tc, deleted_file_is_made_again);
	tcase_add_test(tc, lines_wait_for_a_deleted_file_that_cannot_be_made);
	tcase_add_test(tc, lines_wait_for_a_full_disk_and_keep_their_dates);
	tcase_add_test(tc, lines_that_do_not_fit_while_the_disk_is_full_are_counted);
	tcase_add_test(tc, line_cut_by_a_full_disk_is_whole_in_the_new_file);
	tcase_add_test(tc, end_does_not_wait_for_a_full_disk);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("log_file");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, opening_tests());
	suite_add_tcase(suite, logging_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
