/* SPDX-License-Identifier: ISC */
/*
 * Start and background. The parent sits on a pipe until the daemon says how its start
 * went; an end of the pipe with nothing said means that the daemon died. Main thread,
 * before there are others. Does not log: what went wrong is told by the daemon, on the
 * stderr that it has until it is ready.
 */
#include "config.h"
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"
#include "options.h"
#include "upgrade.h"

/* No system has more signals; sigaction(2) refuses those that this one lacks. */
#define SIGNALS 128

/* Of a daemon that is not yet ready. null_fd: there may be no /dev in the chroot. */
static int ready_fd = -1, null_fd = -1;

/* A socket with one of these numbers would get what is meant for stdout or stderr. */
static int
open_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

/* After an exec a signal is at its default or ignored; only the latter is inherited. */
static int
reset_signals(void)
{
	struct sigaction action;
	sigset_t no_signal;

	for (int sig = 1; sig < SIGNALS; sig++)
		if (sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log file that is too large fails by EFBIG */
	sigemptyset(&no_signal);
	return sigprocmask(SIG_SETMASK, &no_signal, NULL);
}

int
daemon_clean_start(void)
{
	if (open_standard_fds() == -1)
		return -1;
	compat_close_from(upgrade_end());
	umask(022);
	return reset_signals();
}

/* The parent: passes on what the daemon says, or EXIT_START if it says nothing. */
static _Noreturn void
wait_and_exit(int fd, pid_t child)
{
	unsigned char status = EXIT_START;

	while (waitpid(child, NULL, 0) == -1 && errno == EINTR)
		;
	while (read(fd, &status, 1) == -1 && errno == EINTR)
		;
	_exit(status);
}

/*
 * Two forks with setsid between: the daemon leads no session, so that no terminal it may
 * open becomes its own. A process in which a step fails is the one to return -1.
 */
static int
fork_twice(const int pipe[2])
{
	pid_t pid = fork();

	if (pid == -1)
		return -1;
	if (pid > 0) {
		close(pipe[1]);
		wait_and_exit(pipe[0], pid);
	}
	if (setsid() == -1)
		return -1;
	pid = fork();
	if (pid == -1)
		return -1;
	if (pid > 0)
		_exit(0);
	return 0;
}

int
daemon_detach(void)
{
	int pipe[2] = { -1, -1 };

	fflush(NULL); /* or each process would write what stands in the buffers */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd == -1 || compat_pipe(pipe) == -1 || fork_twice(pipe) == -1 ||
		chdir("/") == -1) {
		io_close(&null_fd);
		io_close(&pipe[0]);
		io_close(&pipe[1]);
		return -1;
	}
	close(pipe[0]);
	ready_fd = pipe[1];
	return 0;
}

void
daemon_ready(int status)
{
	unsigned char byte = (unsigned char)status;

	if (ready_fd == -1)
		return;
	if (status == 0)
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			dup2(null_fd, fd);
	while (write(ready_fd, &byte, 1) == -1 && errno == EINTR)
		;
	io_close(&null_fd);
	io_close(&ready_fd);
}
