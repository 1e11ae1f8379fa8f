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
#include <netinet/udp.h>
#include <stdatomic.h>
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

static bool
close_by_range(int lowest)
{
#ifdef HAVE_CLOSE_RANGE
	/* Also compiled in where an older kernel, or a sandbox, refuses it. */
	return close_range((unsigned)lowest, ~0U, 0) == 0;
#else
	(void)lowest;
	return false;
#endif
}

/* opendir takes memory: the lock of that may be held for good in a forked child. */
void
compat_close_from_in_child(int lowest)
{
	if (close_by_range(lowest))
		return;
	for (int fd = lowest; fd < CLOSE_AT_MOST; fd++)
		close(fd);
}

void
compat_close_from(int lowest)
{
	if (close_by_range(lowest) || close_listed("/proc/self/fd", lowest) ||
		close_listed("/dev/fd", lowest))
		return;
	compat_close_from_in_child(lowest);
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

#if defined(UDP_SEGMENT) && defined(UDP_GRO)
#define JOINS
#endif
#define JOINED_MAX 65507 /* the most that a datagram of IPv4 carries */
#define PIECES	   2	 /* a header and what is behind it */
#ifdef HAVE_STRUCT_IN_PKTINFO_IPI_SPEC_DST
#define PKTINFO_SIZE CMSG_SPACE(sizeof(struct in_pktinfo))
#else
#define PKTINFO_SIZE 0
#endif
#ifdef IPV6_RECVPKTINFO
#define PKTINFO6_SIZE CMSG_SPACE(sizeof(struct in6_pktinfo))
#else
#define PKTINFO6_SIZE 0
#endif

#define SEGMENT_SIZE CMSG_SPACE(sizeof(int))

/* What goes with a datagram: its local address, of either family, and of joined ones the
 * size. */
struct control {
	_Alignas(struct cmsghdr)
		uint8_t bytes[PKTINFO_SIZE + PKTINFO6_SIZE + SEGMENT_SIZE];
};

void
compat_tell_local(int fd, int family)
{
	int one = 1;

#ifdef HAVE_STRUCT_IN_PKTINFO_IPI_SPEC_DST
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
#endif
#ifdef IPV6_RECVPKTINFO
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
#endif
	(void)fd;
	(void)family;
	(void)one;
}

static void
read_local(struct compat_local *local, struct msghdr *m)
{
	*local = (struct compat_local){ .family = AF_UNSPEC };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
#ifdef HAVE_STRUCT_IN_PKTINFO_IPI_SPEC_DST
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			/* Not ipi_addr, which may be a broadcast address. */
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local->family = AF_INET;
			memcpy(local->ip, &info.ipi_spec_dst, 4);
		}
#endif
#ifdef IPV6_RECVPKTINFO
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				continue;
			local->family = AF_INET6;
			memcpy(local->ip, &info.ipi6_addr, 16);
		}
#endif
	}
}

void
compat_join_received(int fd)
{
#ifdef JOINS
	int one = 1;

	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one));
#else
	(void)fd;
#endif
}

/* Of each of those that came joined, or of the one. */
static size_t
read_segment(struct msghdr *m, size_t size)
{
#ifdef JOINS
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int segment;

		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&segment, CMSG_DATA(c), sizeof(segment));
		if (segment > 0 && (size_t)segment < size)
			return (size_t)segment;
	}
#else
	(void)m;
#endif
	return size;
}

/* One more message for the socket to send, in the room that control is. */
static void
put_message(struct msghdr *m, struct control *control, int level, int type,
	const void *data, size_t size)
{
	struct cmsghdr *c = (void *)(control->bytes + m->msg_controllen);

	m->msg_control = control;
	m->msg_controllen += CMSG_SPACE(size);
	memset(c, 0, CMSG_SPACE(size));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
}

/* The interface is left to the system, as it is for any other datagram. */
static void
put_local(struct msghdr *m, struct control *control, const struct compat_local *local)
{
#ifdef HAVE_STRUCT_IN_PKTINFO_IPI_SPEC_DST
	if (local->family == AF_INET) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, local->ip, 4);
		put_message(m, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
#endif
#ifdef IPV6_RECVPKTINFO
	if (local->family == AF_INET6) {
		struct in6_pktinfo info = { .ipi6_ifindex = 0 };

		memcpy(&info.ipi6_addr, local->ip, 16);
		put_message(m, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
#endif
}

/*
 * Whether the system knows UDP_SEGMENT. It must be asked: one that does not would send
 * what is joined as one large datagram.
 */
static bool
can_join(int fd)
{
#ifdef JOINS
	static _Atomic int known; /* 0: not yet; 1: it does; -1: it does not */
	int segment;
	socklen_t len = sizeof(segment);

	if (atomic_load_explicit(&known, memory_order_relaxed) == 0)
		known = getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, &len) == 0
			? 1
			: -1;
	return known == 1;
#else
	(void)fd;
	return false;
#endif
}

static size_t
whole_size(const struct compat_datagram *d)
{
	return d->head_size + d->size;
}

static bool
same_ends(const struct compat_datagram *a, const struct compat_datagram *b)
{
	return a->local == b->local && a->sa_len == b->sa_len &&
		(a->sa_len == 0 || memcmp(a->sa, b->sa, a->sa_len) == 0);
}

/*
 * How many datagrams, of n at list, go as one: the first, and behind it those that are as
 * large, and one that is smaller. An empty one would be lost.
 */
static int
joined(int fd, const struct compat_datagram *list, int n, size_t apart)
{
	const size_t size = whole_size(list);
	size_t last = size, total = size;
	int i = 1;

	if (n == 1 || (apart != 0 && size >= apart) || !can_join(fd))
		return 1;
	for (; i < n && last == size && same_ends(list, &list[i]); i++) {
		last = whole_size(&list[i]);
		total += last;
		if (last == 0 || last > size || total > JOINED_MAX)
			break;
	}
	return i;
}

static void
put_segment(struct msghdr *m, struct control *control, size_t size)
{
#ifdef JOINS
	const uint16_t segment = (uint16_t)size;

	put_message(m, control, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
#else
	(void)m;
	(void)control;
	(void)size;
#endif
}

/* A message of the system to send n datagrams as one. There are PIECES for each. */
static void
make_to_send(struct msghdr *m, struct iovec *iov, struct control *control,
	const struct compat_datagram *list, int n)
{
	*m = (struct msghdr){
		.msg_name = list->sa, .msg_namelen = list->sa_len, .msg_iov = iov
	};
	for (int i = 0; i < n; i++) {
		/* It is not written to, though a struct iovec cannot say so. */
		if (list[i].head_size > 0)
			iov[m->msg_iovlen++] =
				(struct iovec){ (void *)(uintptr_t)list[i].head,
					list[i].head_size };
		iov[m->msg_iovlen++] = (struct iovec){ list[i].data, list[i].size };
	}
	if (list->local)
		put_local(m, control, list->local);
	if (n > 1)
		put_segment(m, control, whole_size(list));
}

/* A message of the system with room for a datagram. */
static void
make_to_fill(struct msghdr *m, struct iovec *iov, struct control *control,
	const struct compat_datagram *d)
{
	*iov = (struct iovec){ d->data, d->size };
	*m = (struct msghdr){ .msg_name = d->sa,
		.msg_namelen = d->sa_len,
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(*control) };
}

static void
read_message(struct compat_datagram *d, struct msghdr *m, size_t size)
{
	d->size = size;
	d->segment = read_segment(m, size);
	d->sa_len = m->msg_namelen;
	if (d->local)
		read_local(d->local, m);
}

#if defined(HAVE_RECVMMSG) && defined(HAVE_SENDMMSG)
int
compat_recv_many(int fd, struct compat_datagram *list, int n)
{
	struct mmsghdr m[COMPAT_MANY];
	struct iovec iov[COMPAT_MANY];
	struct control control[COMPAT_MANY];
	int came;

	if (n > COMPAT_MANY)
		n = COMPAT_MANY;
	for (int i = 0; i < n; i++)
		make_to_fill(&m[i].msg_hdr, &iov[i], &control[i], &list[i]);
	came = (int)recvmmsg(fd, m, (unsigned)n, MSG_DONTWAIT, NULL);
	for (int i = 0; i < came; i++)
		read_message(&list[i], &m[i].msg_hdr, m[i].msg_len);
	return came;
}

int
compat_send_many(int fd, const struct compat_datagram *list, int n, size_t apart)
{
	struct mmsghdr m[COMPAT_MANY];
	struct iovec iov[COMPAT_MANY * PIECES];
	struct control control[COMPAT_MANY];
	int upto[COMPAT_MANY + 1] = { 0 }, messages = 0, sent;

	if (n > COMPAT_MANY)
		n = COMPAT_MANY;
	for (int i = 0; i < n; i = upto[messages]) {
		int count = joined(fd, &list[i], n - i, apart);

		make_to_send(&m[messages].msg_hdr, &iov[i * PIECES], &control[messages],
			&list[i], count);
		upto[++messages] = i + count;
	}
	sent = (int)sendmmsg(fd, m, (unsigned)messages, MSG_NOSIGNAL);
	return sent == -1 ? -1 : upto[sent];
}
#else
int
compat_recv_many(int fd, struct compat_datagram *list, int n)
{
	struct control control;
	struct msghdr m;
	struct iovec iov;
	ssize_t size;

	(void)n;
	make_to_fill(&m, &iov, &control, list);
	size = recvmsg(fd, &m, MSG_DONTWAIT);
	if (size == -1)
		return -1;
	read_message(list, &m, (size_t)size);
	return 1;
}

int
compat_send_many(int fd, const struct compat_datagram *list, int n, size_t apart)
{
	struct control control;
	struct msghdr m;
	struct iovec iov[COMPAT_MANY * PIECES];

	if (n > COMPAT_MANY)
		n = COMPAT_MANY;
	n = joined(fd, list, n, apart);
	make_to_send(&m, iov, &control, list, n);
	return sendmsg(fd, &m, MSG_NOSIGNAL) == -1 ? -1 : n;
}
#endif
