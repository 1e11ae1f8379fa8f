/* SPDX-License-Identifier: ISC */
/*
 * What some platforms have and others lack. The only file with #ifdef: each call has a
 * portable twin, and a twin that is not compiled here is compiled with a config.h that
 * says the platform has nothing. Does not log. Any thread, but for compat_close_from.
 */
#include "config.h"
#include "compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef HAVE_LINUX_SOCKIOS_H
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

#if !defined(SOCK_CLOEXEC) || !defined(HAVE_ACCEPT4)
/* Not atomic, as the flags are: a child made just before this inherits fd. Returns fd. */
static int
close_on_exec(int fd)
{
	int keep;

	if (fd == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	keep = errno;
	close(fd);
	errno = keep;
	return -1;
}
#endif

int
compat_socket(int family, int type)
{
#ifdef SOCK_CLOEXEC
	return socket(family, type | SOCK_CLOEXEC, 0);
#else
	return close_on_exec(socket(family, type, 0));
#endif
}

int
compat_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
#ifdef HAVE_ACCEPT4
	return accept4(fd, sa, len, SOCK_CLOEXEC);
#else
	int taken = close_on_exec(accept(fd, sa, len));

	/* Some systems hand the O_NONBLOCK of the listening socket on, accept4 never. */
	if (taken != -1)
		fcntl(taken, F_SETFL, 0);
	return taken;
#endif
}

int
compat_pipe(int fd[2])
{
#ifdef HAVE_PIPE2
	return pipe2(fd, O_CLOEXEC);
#else
	if (pipe(fd) == -1)
		return -1;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	return 0;
#endif
}

/*
 * Closes the fds that a folder lists. A listing without the fd that it is read through
 * is not the whole truth (/dev/fd of some systems knows 0 to 2 only): returns false.
 */
static bool
close_listed(const char *folder, int lowest)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool whole = false;

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		if (end == entry->d_name || *end != '\0')
			continue;
		if (fd == dirfd(dir))
			whole = true;
		else if (fd >= lowest)
			close((int)fd);
	}
	closedir(dir);
	return whole;
}

/* No one knows how many there may be: a limit may be huge, or lower than it once was. */
#define CLOSE_AT_MOST 65536

void
compat_close_from(int lowest)
{
#ifdef HAVE_CLOSE_RANGE
	/* Also compiled in where an older kernel, or a sandbox, refuses it. */
	if (close_range((unsigned)lowest, ~0U, 0) == 0)
		return;
#endif
	if (close_listed("/proc/self/fd", lowest) || close_listed("/dev/fd", lowest))
		return;
	for (int fd = lowest; fd < CLOSE_AT_MOST; fd++)
		close(fd);
}

/* For root, POSIX has setgid and setuid set all three ids; privs verifies it. */
int
compat_setresgid(gid_t gid)
{
#ifdef HAVE_SETRESGID
	return setresgid(gid, gid, gid);
#else
	return setgid(gid);
#endif
}

int
compat_setresuid(uid_t uid)
{
#ifdef HAVE_SETRESUID
	return setresuid(uid, uid, uid);
#else
	return setuid(uid);
#endif
}

/* Who has setresgid has getresgid. */
bool
compat_gid_is(gid_t gid)
{
#ifdef HAVE_SETRESGID
	gid_t real, effective, saved;

	return getresgid(&real, &effective, &saved) == 0 && real == gid &&
		effective == gid && saved == gid;
#else
	return getgid() == gid && getegid() == gid;
#endif
}

bool
compat_uid_is(uid_t uid)
{
#ifdef HAVE_SETRESUID
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real == uid &&
		effective == uid && saved == uid;
#else
	return getuid() == uid && geteuid() == uid;
#endif
}

int
compat_unsent(int fd)
{
#ifdef HAVE_LINUX_SOCKIOS_H
	int unsent;

	return ioctl(fd, SIOCOUTQ, &unsent) == 0 ? unsent : 0;
#else
	(void)fd;
	return 0;
#endif
}
