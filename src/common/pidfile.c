/* SPDX-License-Identifier: ISC */
/*
 * The locked pidfile. flock(2) locks, since its lock belongs to the open file: it passes
 * through fork, and closing another fd of the same file does not lose it. All names are
 * resolved relative to the open folder. Main thread; does not log.
 */
#include "config.h"
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

/* How often a file may vanish between open and lock before we give up. */
#define TRIES 16

static const struct pidfile none = PIDFILE_NONE;

/* Gives up the fds and the name, and with them the lock. Keeps errno. */
static void
let_go(struct pidfile *p)
{
	io_close(&p->fd);
	io_close(&p->dir_fd);
	free(p->name);
	*p = none;
}

static int
open_dir(struct pidfile *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *dir;

	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		errno = EISDIR;
		return -1;
	}
	p->name = strdup(name);
	/* With its slash, so that "/name" gives "/". */
	dir = slash ? strndup(path, (size_t)(name - path)) : strdup(".");
	if (p->name && dir)
		p->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return p->dir_fd == -1 ? -1 : 0;
}

/* O_NONBLOCK: the open of a FIFO or device does not hang before it is refused. */
static int
open_file(struct pidfile *p, bool *made)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

	p->fd = openat(p->dir_fd, p->name, flags | O_CREAT | O_EXCL, 0644);
	*made = p->fd != -1;
	if (p->fd == -1 && errno == EEXIST)
		p->fd = openat(p->dir_fd, p->name, flags);
	return p->fd == -1 ? -1 : 0;
}

/* Refuses what is not a plain file of ours: others could hold it, or be hit by it. */
static int
check_file(const struct pidfile *p)
{
	struct stat st;

	if (fstat(p->fd, &st) == -1)
		return -1;
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink <= 1)
		return 0;
	errno = EPERM;
	return -1;
}

/* Whether the name still means the file that we have open. */
static bool
in_place(const struct pidfile *p)
{
	struct stat ours, named;

	return fstat(p->fd, &ours) == 0 &&
		fstatat(p->dir_fd, p->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static pid_t
read_pid(int fd)
{
	char text[24];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *end;
	long pid;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	pid = strtol(text, &end, 10);
	return *end == '\n' && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static int
write_pid(int fd)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ssize_t n;

	if (ftruncate(fd, 0) == -1)
		return -1;
	n = pwrite(fd, text, (size_t)len, 0);
	if (n >= 0 && n < len)
		errno = ENOSPC;
	return n == len ? 0 : -1;
}

/*
 * Opens and locks the file once. Returns 1 with the lock, 0 when the file vanished in
 * between and it is to be tried again, or -1 with errno.
 */
static int
try_lock(struct pidfile *p, pid_t *holder)
{
	bool made;

	if (open_file(p, &made) == -1)
		return errno == ENOENT ? 0 : -1;
	if (check_file(p) == -1)
		return -1;
	if (flock(p->fd, LOCK_EX | LOCK_NB) == 0)
		return in_place(p);
	if (errno == EWOULDBLOCK) {
		*holder = read_pid(p->fd);
		errno = EEXIST;
	} else if (made) {
		int keep = errno;

		unlinkat(p->dir_fd, p->name, 0);
		errno = keep;
	}
	return -1;
}

static int
lock_file(struct pidfile *p, pid_t *holder)
{
	for (int i = 0; i < TRIES; i++) {
		int locked = try_lock(p, holder);

		if (locked != 0)
			return locked == 1 ? 0 : -1;
		io_close(&p->fd);
	}
	errno = EBUSY;
	return -1;
}

int
pidfile_hold(struct pidfile *p, const char *path, pid_t *holder)
{
	int keep;

	*p = none;
	*holder = 0;
	if (open_dir(p, path) == -1 || lock_file(p, holder) == -1) {
		let_go(p);
		return -1;
	}
	if (write_pid(p->fd) == 0)
		return 0;
	/* Ours by the lock, and stale if it was there before. */
	keep = errno;
	unlinkat(p->dir_fd, p->name, 0);
	errno = keep;
	let_go(p);
	return -1;
}

/*
 * Whose the file is does not matter: root made it, and we may be root no more. A lock
 * that this very open file has may be taken once more.
 */
static int
check_adopted(const struct pidfile *p)
{
	if (!in_place(p)) {
		errno = ESTALE;
		return -1;
	}
	if (flock(p->fd, LOCK_EX | LOCK_NB) == 0)
		return fcntl(p->fd, F_SETFD, FD_CLOEXEC);
	if (errno == EWOULDBLOCK)
		errno = EEXIST;
	return -1;
}

int
pidfile_adopt(struct pidfile *p, const char *path, int *fd)
{
	*p = none;
	if (open_dir(p, path) == 0) {
		p->fd = *fd;
		if (check_adopted(p) == 0) {
			*fd = -1;
			return 0;
		}
		p->fd = -1; /* the caller's still */
	}
	let_go(p);
	return -1;
}

int
pidfile_write(struct pidfile *p)
{
	return p->fd == -1 ? 0 : write_pid(p->fd);
}

void
pidfile_forget(struct pidfile *p)
{
	let_go(p);
}

void
pidfile_drop(struct pidfile *p)
{
	bool gone;

	if (p->fd == -1)
		return;
	/* What another has put in its place is not ours to remove. */
	gone = (in_place(p) && unlinkat(p->dir_fd, p->name, 0) == 0) ||
		ftruncate(p->fd, 0) == 0;
	(void)gone; /* nothing is left to be tried */
	let_go(p);
}
