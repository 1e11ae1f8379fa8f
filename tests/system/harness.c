/* SPDX-License-Identifier: ISC */
/*
 * harness: starts daemons in the foreground, reads their stderr on a thread of its own
 * for each (a daemon must not wait for its test), and looks into /proc where there is
 * one. All other functions run on the test's thread.
 */
#include "config.h"

#include "harness.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#undef daemon_reload
#undef expect_exit
#undef stop_daemon
#undef expect_baseline
#undef expect_log
#undef expect_log_line

#define DAEMONS 8
#define PORTS	8

struct daemon {
	pid_t pid;
	int err;		/* its stderr, read by the thread */
	char dir[64], conf[80]; /* empty once removed */
	int fds, threads;	/* of daemon_mark */
	uint16_t port[PORTS];
	int ports;
	pthread_t reader;
	pthread_mutex_t lock; /* log..., over */
	pthread_cond_t grown;
	char *log; /* ends with NUL */
	size_t log_len, log_mark;
	bool over; /* it has closed its stderr: it is gone */
};

_Thread_local int harness_line;
const char *harness_row;
static struct daemon *daemons[DAEMONS]; /* those alive, for their logs */

void
fail_test(const char *fmt, ...)
{
	va_list ap;
	char text[1024];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (int i = 0; i < DAEMONS; i++) {
		if (daemons[i] == NULL)
			continue;
		pthread_mutex_lock(&daemons[i]->lock);
		fprintf(stderr, "--- log of %d\n%s---\n", (int)daemons[i]->pid,
			daemons[i]->log);
		pthread_mutex_unlock(&daemons[i]->lock);
	}
	ck_abort_msg("line %d%s%s: %s", harness_line, harness_row ? ", row " : "",
		harness_row ? harness_row : "", text);
	abort();
}

/* The wall clock: all that pthread_cond_timedwait has everywhere. */
static struct timespec
deadline(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += WAIT_MS / 1000;
	return at;
}

static void *
read_log(void *arg)
{
	struct daemon *d = arg;
	char piece[4096];
	ssize_t n;

	while ((n = read(d->err, piece, sizeof(piece))) > 0 ||
		(n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		pthread_mutex_lock(&d->lock);
		d->log = realloc(d->log, d->log_len + (size_t)n + 1);
		if (d->log == NULL)
			abort();
		memcpy(d->log + d->log_len, piece, (size_t)n);
		d->log_len += (size_t)n;
		d->log[d->log_len] = '\0';
		pthread_cond_broadcast(&d->grown);
		pthread_mutex_unlock(&d->lock);
	}
	pthread_mutex_lock(&d->lock);
	d->over = true;
	pthread_cond_broadcast(&d->grown);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* Waits until found says so of the log, which is locked meanwhile, or it cannot grow. */
static bool
await(struct daemon *d, bool (*found)(const struct daemon *d, const void *arg),
	const void *arg)
{
	struct timespec until = deadline();
	bool yes;
	int err = 0;

	pthread_mutex_lock(&d->lock);
	while (!(yes = found(d, arg)) && !d->over && err == 0)
		err = pthread_cond_timedwait(&d->grown, &d->lock, &until);
	pthread_mutex_unlock(&d->lock);
	return yes;
}

static bool
has_text(const struct daemon *d, const void *arg)
{
	return strstr(d->log + d->log_mark, arg) != NULL;
}

static bool
has_line(const struct daemon *d, const void *arg)
{
	return regexec(arg, d->log + d->log_mark, 0, NULL, 0) == 0;
}

static bool
is_over(const struct daemon *d, const void *arg)
{
	(void)arg;
	return d->over;
}

static void
remove_conf(struct daemon *d)
{
	if (d->dir[0] == '\0')
		return;
	unlink(d->conf);
	rmdir(d->dir);
	d->dir[0] = '\0';
}

static void
make_dir(struct daemon *d)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || strlen(tmp) > sizeof(d->dir) - sizeof("/dcsd-test-XXXXXX"))
		tmp = "/tmp";
	snprintf(d->dir, sizeof(d->dir), "%s/dcsd-test-XXXXXX", tmp);
	if (mkdtemp(d->dir) == NULL)
		fail_test("mkdtemp %s: %s", d->dir, strerror(errno));
	snprintf(d->conf, sizeof(d->conf), "%s/conf", d->dir);
}

__attribute__((format(printf, 2, 0))) static void
write_conf(struct daemon *d, const char *config, va_list ap)
{
	FILE *f = fopen(d->conf, "w");

	if (f == NULL || vfprintf(f, config, ap) < 0 || fclose(f) != 0)
		fail_test("%s: %s", d->conf, strerror(errno));
}

/* The child of a process with threads: system calls only. */
static _Noreturn void
exec_daemon(const char *path, char *conf, int err)
{
	char foreground[] = "-f", config[] = "-c";
	char *argv[] = { (char *)(uintptr_t)path, foreground, config, conf, NULL };

	dup2(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL); /* as a shell would start it */
	execv(path, argv);
	_exit(127);
}

__attribute__((format(printf, 2, 0))) static struct daemon *
daemon_vspawn(enum program program, const char *config, va_list ap)
{
	static const char *const names[][2] = { [DCSD] = { "DCSD", "./dcsd" },
		[PPPD_SOCKS] = { "PPPD_SOCKS", "./pppd-socks" } };
	const char *path = getenv(names[program][0]);
	struct daemon *d = calloc(1, sizeof(*d));
	int slot = 0, err[2];

	while (slot < DAEMONS && daemons[slot] != NULL)
		slot++;
	ck_assert(d != NULL && slot < DAEMONS);
	d->log = calloc(1, 1);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->grown, NULL);
	make_dir(d);
	write_conf(d, config, ap);
	if (path == NULL)
		path = names[program][1];
	/* The resolver of a machine without network should not use up the test's time. */
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	ck_assert(pipe(err) == 0);
	fcntl(err[0], F_SETFD, FD_CLOEXEC);
	fcntl(err[1], F_SETFD, FD_CLOEXEC);
	d->pid = fork();
	if (d->pid == 0)
		exec_daemon(path, d->conf, err[1]);
	close(err[1]);
	d->err = err[0];
	ck_assert(d->pid > 0 && pthread_create(&d->reader, NULL, read_log, d) == 0);
	daemons[slot] = d;
	return d;
}

struct daemon *
daemon_spawn(enum program program, const char *config, ...)
{
	struct daemon *d;
	va_list ap;

	va_start(ap, config);
	d = daemon_vspawn(program, config, ap);
	va_end(ap);
	return d;
}

void
daemon_await_ready(struct daemon *d)
{
	static const char said[] = ": listening on ";

	if (!await(d, has_text, " ready\n"))
		fail_test("the daemon is not ready");
	remove_conf(d);
	pthread_mutex_lock(&d->lock);
	for (char *p = d->log; (p = strstr(p, said)) != NULL && d->ports < PORTS;) {
		char *end;

		p += sizeof(said) - 1;
		end = p + strcspn(p, " \n");
		while (end > p && end[-1] != ':')
			end--;
		d->port[d->ports++] = (uint16_t)strtoul(end, NULL, 10);
	}
	pthread_mutex_unlock(&d->lock);
}

/* The folder that was removed has the same name again. */
static void
make_dir_again(struct daemon *d)
{
	snprintf(d->dir, sizeof(d->dir), "%.*s", (int)(strlen(d->conf) - strlen("/conf")),
		d->conf);
	if (mkdir(d->dir, 0700) == -1)
		fail_test("mkdir %s: %s", d->dir, strerror(errno));
}

void
daemon_reload(struct daemon *d, const char *result, const char *config, ...)
{
	va_list ap;

	make_dir_again(d);
	va_start(ap, config);
	write_conf(d, config, ap);
	va_end(ap);
	daemon_mark(d);
	kill(d->pid, SIGHUP);
	expect_log(d, "reload: %s", result);
	remove_conf(d);
}

struct daemon *
start_dcsd(const char *more, ...)
{
	char text[1024] = "listen = \"127.0.0.1:0\";\n";
	struct daemon *d;
	va_list ap;

	va_start(ap, more);
	vsnprintf(text + strlen(text), sizeof(text) - strlen(text), more, ap);
	va_end(ap);
	d = daemon_spawn(DCSD, "%s", text);
	daemon_await_ready(d);
	return d;
}

uint16_t
daemon_port(const struct daemon *d, int nth)
{
	if (nth >= d->ports)
		fail_test("the daemon listens on %d ports only", d->ports);
	return d->port[nth];
}

pid_t
daemon_pid(const struct daemon *d)
{
	return d->pid;
}

static void
daemon_free(struct daemon *d)
{
	for (int i = 0; i < DAEMONS; i++)
		if (daemons[i] == d)
			daemons[i] = NULL;
	close(d->err);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->grown);
	free(d->log);
	free(d);
}

void
expect_exit(struct daemon *d, int status)
{
	int was;

	if (!await(d, is_over, NULL))
		fail_test("the daemon does not end");
	ck_assert(waitpid(d->pid, &was, 0) == d->pid);
	pthread_join(d->reader, NULL);
	remove_conf(d);
	was = WIFEXITED(was) ? WEXITSTATUS(was) : 256 + WTERMSIG(was);
	if (was != status)
		fail_test("the daemon ended with status %d instead of %d", was, status);
	daemon_free(d);
}

void
stop_daemon(struct daemon *d)
{
	kill(d->pid, SIGTERM);
	expect_exit(d, 0);
}

/* How many entries /proc/PID/what has, but pipes; 0 where there is no /proc. */
static int
count_proc(const struct daemon *d, const char *what)
{
	char path[64], to[64];
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)d->pid, what);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, to, sizeof(to));

		n += entry->d_name[0] != '.' && (len < 5 || memcmp(to, "pipe:", 5) != 0);
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

void
daemon_mark(struct daemon *d)
{
	d->fds = count_proc(d, "fd");
	d->threads = count_proc(d, "task");
	pthread_mutex_lock(&d->lock);
	d->log_mark = d->log_len;
	pthread_mutex_unlock(&d->lock);
}

void
expect_baseline(struct daemon *d)
{
	int fds = 0, threads = 0;

	for (int tries = WAIT_MS / 10; tries > 0; tries--) {
		fds = count_proc(d, "fd");
		threads = count_proc(d, "task");
		if (fds <= d->fds && threads <= d->threads + PARKED_THREADS)
			return;
		poll(NULL, 0, 10); /* nothing tells of another process's fds */
	}
	fail_test(
		"%d fds and %d threads were %d and %d", fds, threads, d->fds, d->threads);
}

void
expect_log(struct daemon *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!await(d, has_text, text))
		fail_test("not in the log: %s", text);
}

void
expect_log_line(struct daemon *d, const char *fmt, ...)
{
	char text[1024];
	regex_t regex;
	va_list ap;
	bool found;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
		fail_test("not a regular expression: %s", text);
	found = await(d, has_line, &regex);
	regfree(&regex);
	if (!found)
		fail_test("no line of the log is %s", text);
}

int
log_count(struct daemon *d, const char *text)
{
	int n = 0;

	pthread_mutex_lock(&d->lock);
	for (const char *p = d->log + d->log_mark; (p = strstr(p, text)) != NULL;
		p += strlen(text))
		n++;
	pthread_mutex_unlock(&d->lock);
	return n;
}

void
log_word(struct daemon *d, const char *text, char *out, size_t size)
{
	const char *p;

	pthread_mutex_lock(&d->lock);
	p = strstr(d->log + d->log_mark, text);
	if (p != NULL) {
		p += strlen(text);
		snprintf(out, size, "%.*s", (int)strcspn(p, " \n"), p);
	}
	pthread_mutex_unlock(&d->lock);
	if (p == NULL)
		fail_test("not in the log: %s", text);
}

int
harness_run(const char *name, TCase *tc)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, TEST_S);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
