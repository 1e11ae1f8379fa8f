/* SPDX-License-Identifier: ISC */
/*
 * Children. All that the new process needs is prepared before the fork; between fork and
 * exec it only makes system calls, as another thread may have held any lock at the fork.
 * Why an exec failed comes back by a pipe that the exec closes. The ends of a child are
 * looked for again and again, not waited for by SIGCHLD, which belongs to the process.
 * One thread for each child; does not log.
 */
#include "config.h"
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"

#define SIGNALS 128 /* no system has more */
#define STEP_MS 20  /* between looks whether a child has ended */

extern char **environ;

static const struct child none = CHILD_NONE;

/* What the new process needs. fds: those of the plan, then where to tell an error. */
struct launch {
	const struct child_plan *plan;
	int *fds;
	size_t n;
	int out;
};

/* Writes the digits of a pid; by hand, since printf is not for a forked child. */
static void
write_digits(char *out, pid_t pid)
{
	long rest = (long)pid;
	size_t n = 0;

	do
		n++;
	while ((rest /= 10) > 0);
	for (rest = (long)pid; n > 0; rest /= 10)
		out[--n] = (char)('0' + rest % 10);
}

/* Defaults before the mask: no handler of ours may run in the child. */
static void
reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t no_signal;

	for (int sig = 1; sig < SIGNALS; sig++)
		(void)sigaction(sig, &action, NULL);
	sigemptyset(&no_signal);
	sigprocmask(SIG_SETMASK, &no_signal, NULL);
}

/*
 * Brings the fds to 3, 4, ...: all that may be in the way first move above. The last one
 * is closed by the exec. 0, or -1 with errno.
 */
static int
place_fds(struct launch *l)
{
	const int first = STDERR_FILENO + 1, above = first + (int)l->n;

	for (size_t i = 0; i < l->n; i++) {
		int fd = l->fds[i];

		if (fd < above && (fd = fcntl(fd, F_DUPFD, above)) == -1)
			return -1;
		l->fds[i] = fd;
	}
	if (dup2(l->out, STDOUT_FILENO) == -1 || dup2(l->out, STDERR_FILENO) == -1)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		if (dup2(l->fds[i], first + (int)i) == -1)
			return -1;
		l->fds[i] = first + (int)i;
	}
	compat_close_from_in_child(above);
	return fcntl(l->fds[l->n - 1], F_SETFD, FD_CLOEXEC);
}

/* Where that folder is closed to us, the program may do without it. */
static void
enter(const char *folder)
{
	int entered = folder ? chdir(folder) : 0;

	(void)entered;
}

/* The new process. */
static _Noreturn void
become(struct launch *l)
{
	const struct child_plan *plan = l->plan;
	int error;

	if (plan->pid_text)
		write_digits(plan->pid_text, getpid());
	reset_signals();
	if (place_fds(l) == 0) {
		enter(plan->cwd);
		execve(plan->path, plan->argv, plan->envp);
	}
	error = errno;
	_exit(write(l->fds[l->n - 1], &error, sizeof(error)) == -1 ? 126 : 127);
}

/* No signal in the child before its handlers are gone. */
static pid_t
fork_and_become(struct launch *l)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void
reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
}

/* Returns 0 once the program runs; or the errno of why it does not, and it is reaped. */
static int
wait_for_exec(int fd, pid_t pid)
{
	int error = 0;
	ssize_t n;

	while ((n = read(fd, &error, sizeof(error))) == -1 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(error))
		return 0;
	reap(pid);
	return error;
}

/* With both pipes open. Returns 0, or an errno. */
static int
launch(struct child *c, struct launch *l, const int out[2], int failed[2])
{
	c->pid = fork_and_become(l);
	if (c->pid == -1)
		return errno;
	io_close(&failed[1]);
	(void)fcntl(out[0], F_SETFL, O_NONBLOCK);
	return wait_for_exec(failed[0], c->pid);
}

int
child_start(struct child *c, const struct child_plan *plan)
{
	struct child_plan whole = *plan;
	struct launch l = { .plan = &whole, .n = plan->n + 1 };
	int out[2] = { -1, -1 }, failed[2] = { -1, -1 }, error;

	*c = none;
	if (!whole.envp)
		whole.envp = environ;
	l.fds = calloc(l.n, sizeof(*l.fds));
	if (l.fds && compat_pipe(out) == 0 && compat_pipe(failed) == 0) {
		if (plan->n > 0)
			memcpy(l.fds, plan->fds, plan->n * sizeof(*l.fds));
		l.fds[plan->n] = failed[1];
		l.out = out[1];
		error = launch(c, &l, out, failed);
	} else {
		error = errno;
	}
	free(l.fds);
	io_close(&failed[0]);
	io_close(&failed[1]);
	io_close(&out[1]);
	c->out = out[0];
	if (error == 0)
		return 0;
	io_close(&c->out);
	*c = none;
	errno = error;
	return -1;
}

/* A line is whole. */
static void
give(struct child *c, child_line *line, void *arg)
{
	c->line[c->len] = '\0';
	c->len = 0;
	if (line && c->lines < CHILD_LINES)
		line(arg, c->line);
	c->lines++;
}

bool
child_read(struct child *c, child_line *line, void *arg)
{
	char data[4096];
	ssize_t n = c->out == -1 ? -1 : read(c->out, data, sizeof(data));

	for (ssize_t i = 0; i < n; i++)
		if (data[i] == '\n')
			give(c, line, arg);
		else if (c->len < sizeof(c->line) - 1)
			c->line[c->len++] = data[i];
	if (n > 0)
		return true;
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return false;
	if (c->len > 0)
		give(c, line, arg);
	io_close(&c->out);
	return false;
}

bool
child_ended(struct child *c, int *status)
{
	if (c->pid == -1 || waitpid(c->pid, status, WNOHANG) != c->pid)
		return false;
	c->pid = -1;
	return true;
}

void
child_kill(struct child *c)
{
	if (c->pid != -1) {
		kill(c->pid, SIGKILL);
		reap(c->pid);
	}
	io_close(&c->out);
	*c = none;
}

void
child_poll(const struct child *c, int other, int64_t until_ms)
{
	struct pollfd p[2] = { { c->out, POLLIN, 0 }, { other, POLLIN, 0 } };
	int left_ms = io_left_ms(until_ms);

	(void)poll(p, 2, left_ms >= 0 && left_ms < STEP_MS ? left_ms : STEP_MS);
}

int
child_run(const struct child_plan *plan, child_line *line, void *arg, int timeout_ms,
	int *status)
{
	const int64_t until_ms = io_now_ms() + timeout_ms;
	struct child c;
	bool ended;

	if (child_start(&c, plan) == -1)
		return -1;
	while (!(ended = child_ended(&c, status)) && io_left_ms(until_ms) != 0) {
		child_poll(&c, -1, until_ms);
		child_read(&c, line, arg);
	}
	while (child_read(&c, line, arg))
		;
	child_kill(&c);
	errno = ETIMEDOUT;
	return ended ? 0 : -1;
}

char *
child_status_text(int status, char out[CHILD_STATUS_TEXT])
{
	if (WIFSIGNALED(status))
		snprintf(out, CHILD_STATUS_TEXT, "by signal %d", WTERMSIG(status));
	else
		snprintf(out, CHILD_STATUS_TEXT, "with status %d", WEXITSTATUS(status));
	return out;
}
