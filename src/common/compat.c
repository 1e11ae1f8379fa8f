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
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
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
compat_bind_device(int fd, const char *device)
{
#ifdef SO_BINDTODEVICE
	return setsockopt(
		fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device));
#else
	(void)fd;
	(void)device;
	errno = EOPNOTSUPP;
	return -1;
#endif
}

void
compat_bind_late_port(int fd)
{
#ifdef IP_BIND_ADDRESS_NO_PORT
	int one = 1;

	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
#else
	(void)fd;
#endif
}

void
compat_wipe(void *data, size_t size)
{
#ifdef HAVE_EXPLICIT_BZERO
	explicit_bzero(data, size);
#else
	/* A call through a pointer that might change cannot be known to be useless. */
	static void *(*volatile set)(void *, int, size_t) = memset;

	set(data, 0, size);
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

#if defined(HAVE_RECVMMSG) && defined(HAVE_SENDMMSG)
static int
fill_many(struct mmsghdr *m, struct iovec *iov, const struct compat_datagram *list, int n)
{
	if (n > COMPAT_MANY)
		n = COMPAT_MANY;
	for (int i = 0; i < n; i++) {
		iov[i] = (struct iovec){ list[i].data, list[i].size };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = list[i].sa,
						 .msg_namelen = list[i].sa_len,
						 .msg_iov = &iov[i],
						 .msg_iovlen = 1 } };
	}
	return n;
}
#endif

int
compat_recv_many(int fd, struct compat_datagram *list, int n)
{
#if defined(HAVE_RECVMMSG) && defined(HAVE_SENDMMSG)
	struct mmsghdr m[COMPAT_MANY];
	struct iovec iov[COMPAT_MANY];
	int came;

	n = fill_many(m, iov, list, n);
	came = (int)recvmmsg(fd, m, (unsigned)n, MSG_DONTWAIT, NULL);
	for (int i = 0; i < came; i++) {
		list[i].size = m[i].msg_len;
		list[i].sa_len = m[i].msg_hdr.msg_namelen;
	}
	return came;
#else
	ssize_t size = recvfrom(
		fd, list->data, list->size, MSG_DONTWAIT, list->sa, &list->sa_len);

	(void)n;
	if (size == -1)
		return -1;
	list->size = (size_t)size;
	return 1;
#endif
}

int
compat_send_many(int fd, const struct compat_datagram *list, int n)
{
#if defined(HAVE_RECVMMSG) && defined(HAVE_SENDMMSG)
	struct mmsghdr m[COMPAT_MANY];
	struct iovec iov[COMPAT_MANY];

	n = fill_many(m, iov, list, n);
	return (int)sendmmsg(fd, m, (unsigned)n, MSG_NOSIGNAL);
#else
	(void)n;
	if (sendto(fd, list->data, list->size, MSG_NOSIGNAL, list->sa, list->sa_len) ==
		-1)
		return -1;
	return 1;
#endif
}
