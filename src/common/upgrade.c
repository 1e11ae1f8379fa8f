/* SPDX-License-Identifier: ISC */
/*
 * Handing over to a new program. Its fds are, from 3 on: those that inherit takes, the
 * report pipe (UPGRADE_FD), and our stdout and stderr, which it gets back when it is
 * ready: what it prints before is for us. A variable that does not fit LISTEN_FDS, or
 * comes with the LISTEN_PID of another process, is left over from elsewhere and ignored.
 * Main thread of each process; does not log.
 */
#include "config.h"
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "inherit.h"
#include "io.h"
#include "self.h"

#define VARIABLE "UPGRADE_FD"
#define EXTRA	 3    /* fds beside those that inherit takes */
#define GRACE_MS 2000 /* for one that has let go of the pipe and should be ending */

static const struct upgrade none = UPGRADE_NONE;

/* The new process: the pipe, and what stdout and stderr become. */
static int report = -1, outputs[2] = { -1, -1 };

/* With both arrays made. */
static int
start_with(struct upgrade *u, const struct child_plan *base, const char **names, size_t n)
{
	struct inherit_environment e;
	struct child_plan plan = *base;
	char variable[40];
	int result;

	snprintf(variable, sizeof(variable), VARIABLE "=%zu", INHERIT_FIRST + n);
	if (inherit_environment(&e, names, n, variable) == -1)
		return -1;
	plan.envp = e.envp;
	plan.pid_text = e.pid_text;
	result = child_start(&u->child, &plan);
	inherit_environment_free(&e);
	return result;
}

/* Splits the list in fds and names, and adds ours. */
static int
start_list(struct upgrade *u, struct child_plan *plan, const struct upgrade_fd *fds,
	size_t n, int write_end)
{
	int *numbers = calloc(n + EXTRA, sizeof(*numbers));
	const char **names = calloc(n + EXTRA, sizeof(*names));
	int result = -1, keep;

	if (numbers && names) {
		for (size_t i = 0; i < n; i++) {
			numbers[i] = fds[i].fd;
			names[i] = fds[i].name;
		}
		numbers[n] = write_end;
		numbers[n + 1] = STDOUT_FILENO;
		numbers[n + 2] = STDERR_FILENO;
		plan->fds = numbers;
		plan->n = n + EXTRA;
		result = start_with(u, plan, names, n);
	}
	keep = errno;
	free(numbers);
	free(names);
	errno = keep;
	return result;
}

int
upgrade_start(struct upgrade *u, const char *path, char *const argv[],
	const struct upgrade_fd *fds, size_t n)
{
	struct child_plan plan = { .path = path, .argv = argv, .cwd = self_cwd() };
	int pipe[2], result;

	*u = none;
	if (n > INHERIT_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (compat_pipe(pipe) == -1)
		return -1;
	(void)fcntl(pipe[0], F_SETFL, O_NONBLOCK);
	result = start_list(u, &plan, fds, n, pipe[1]);
	io_close(&pipe[1]);
	u->report = pipe[0];
	if (result == -1)
		io_close(&u->report);
	return result;
}

/* Whether it has said that it is ready. Closes a pipe of which there is nothing to come.
 */
static bool
has_reported(struct upgrade *u, int64_t *until_ms)
{
	const int64_t soon_ms = io_now_ms() + GRACE_MS;
	char byte;
	ssize_t n = u->report == -1 ? -1 : read(u->report, &byte, 1);

	if (n != 0)
		return n == 1;
	io_close(&u->report);
	if (soon_ms < *until_ms)
		*until_ms = soon_ms;
	return false;
}

/* Its last lines, and what is left of it. */
static void
finish(struct upgrade *u, child_line *line, void *arg)
{
	while (child_read(&u->child, line, arg))
		;
	io_close(&u->child.out);
	io_close(&u->report);
}

/* Whether that has been asked of this process, which has the signals blocked. */
static bool
is_told_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
		(sigismember(&pending, SIGTERM) == 1 ||
			sigismember(&pending, SIGINT) == 1 ||
			sigismember(&pending, SIGQUIT) == 1);
}

int
upgrade_wait(struct upgrade *u, int timeout_ms, child_line *line, void *arg, char *why,
	size_t size)
{
	int64_t until_ms = io_now_ms() + timeout_ms;
	char text[CHILD_STATUS_TEXT];
	bool ready, ended = false, told = false;
	int status = 0;

	while (!(ready = has_reported(u, &until_ms)) &&
		!(ended = child_ended(&u->child, &status)) &&
		!(told = is_told_to_end()) && io_left_ms(until_ms) != 0) {
		child_poll(&u->child, u->report, until_ms);
		child_read(&u->child, line, arg);
	}
	finish(u, line, arg);
	if (ready)
		return 0;
	if (ended)
		snprintf(why, size, "ended %s", child_status_text(status, text));
	else if (told)
		snprintf(why, size, "was not ready when this process was told to end");
	else
		snprintf(why, size, "was not ready in time");
	upgrade_cancel(u);
	return -1;
}

void
upgrade_cancel(struct upgrade *u)
{
	child_kill(&u->child);
	io_close(&u->report);
}

/* The fd of the variable, if it is from a process that knows where inherit ends. */
static int
announced(void)
{
	const char *text = getenv(VARIABLE);
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "%d", inherit_end());
	return text && inherit_is_ours() && strcmp(text, wanted) == 0 ? inherit_end()
								      : -1;
}

int
upgrade_end(void)
{
	return announced() == -1 ? inherit_end() : inherit_end() + EXTRA;
}

void
upgrade_take(void)
{
	report = announced();
	unsetenv(VARIABLE);
	if (report == -1)
		return;
	for (int fd = report; fd < report + EXTRA; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	outputs[0] = report + 1;
	outputs[1] = report + 2;
}

bool
upgrade_in_progress(void)
{
	return report != -1;
}

void
upgrade_ready(void)
{
	if (report == -1)
		return;
	/* First, as the old one reads no more once it knows. */
	(void)dup2(outputs[0], STDOUT_FILENO);
	(void)dup2(outputs[1], STDERR_FILENO);
	io_close(&outputs[0]);
	io_close(&outputs[1]);
	while (write(report, "", 1) == -1 && errno == EINTR)
		;
	io_close(&report);
}
