/* SPDX-License-Identifier: ISC */
/*
 * Opening the file of a log. The folder may belong to the daemon's user, and so what is
 * in it may be whatever that user, or who broke into it, put there for root to open:
 * links and other kinds of files are refused, and only a file that is made here is given
 * away. Does not log, and writes no lines. Any thread, once there is a place.
 */
#include "config.h"
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

#define MODE 0640
/* O_NONBLOCK: what was put there in the last moment does not hang the open. */
#define FLAGS (O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static const char not_plain[] = "not a plain file";

static int
open_folder(const char *path, const char *name)
{
	/* With its slash, so that "/name" gives "/". */
	char *folder = strndup(path, (size_t)(name - path));
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(folder);
	return fd;
}

const char *
log_file_place(struct log_file *f, const char *path, uid_t owner)
{
	char *copy = strdup(path);
	const char *slash = copy ? strrchr(copy, '/') : NULL;
	int dir_fd;

	if (!slash) {
		free(copy);
		return copy ? "not an absolute path" : strerror(ENOMEM);
	}
	dir_fd = open_folder(copy, slash + 1);
	if (dir_fd == -1) {
		int error = errno;

		free(copy);
		return strerror(error);
	}
	*f = (struct log_file){ copy, slash + 1, dir_fd, owner };
	return NULL;
}

/* Lets the daemon's user open again what root made. Returns NULL, or what is wrong. */
static const char *
give(const struct log_file *f, int *fd)
{
	const char *why;

	if (f->owner == geteuid() || fchown(*fd, f->owner, (gid_t)-1) == 0)
		return NULL;
	why = strerror(errno);
	unlinkat(f->dir_fd, f->name, 0);
	io_close(fd);
	return why;
}

/* A full disk, or the end of the machine, may have cut the last line that was written. */
static void
end_cut_line(int fd, off_t size)
{
	char last = '\n';
	ssize_t n = size > 0 ? pread(fd, &last, 1, size - 1) : 0;

	if (n == 1 && last != '\n')
		n = write(fd, "\n", 1); /* if that fails, what follows does as well */
}

/* Of an open one that was there. Returns NULL, or what is wrong. */
static const char *
check(int fd, uid_t owner)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return not_plain;
	if (st.st_uid != owner)
		return "it belongs to another user than the one that the daemon runs as";
	end_cut_line(fd, st.st_size);
	return NULL;
}

/* One that is there already. Looked at before it is opened: an open may do something to a
 * device. */
static const char *
open_old(const struct log_file *f, int *fd)
{
	struct stat st;
	const char *why;

	if (fstatat(f->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return not_plain;
	*fd = openat(f->dir_fd, f->name, FLAGS);
	if (*fd == -1)
		return strerror(errno);
	why = check(*fd, f->owner);
	if (why)
		io_close(fd);
	return why;
}

const char *
log_file_open(const struct log_file *f, int *fd)
{
	*fd = openat(f->dir_fd, f->name, FLAGS | O_CREAT | O_EXCL, MODE);
	if (*fd != -1)
		return give(f, fd);
	return errno == EEXIST ? open_old(f, fd) : strerror(errno);
}

bool
log_file_deleted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

void
log_file_forget(struct log_file *f)
{
	if (!f->path)
		return;
	io_close(&f->dir_fd);
	free(f->path);
	*f = (struct log_file){ 0 };
}
