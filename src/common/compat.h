/* SPDX-License-Identifier: ISC */
/* compat: what some platforms have and others lack, behind one name each. */
#ifndef COMPAT_H
#define COMPAT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/socket.h>

/* As socket(2), accept(2) and pipe(2); every fd is close-on-exec. errno is theirs. */
int compat_socket(int family, int type);
int compat_accept(int fd, struct sockaddr *sa, socklen_t *len);
int compat_pipe(int fd[2]);

/* An event of poll(2): the peer has sent FIN. 0 where poll does not tell. */
#ifdef POLLRDHUP
#define COMPAT_POLLRDHUP POLLRDHUP
#else
#define COMPAT_POLLRDHUP 0
#endif

/* Closes every fd from lowest on, however large the limit on fds is. */
void compat_close_from(int lowest);

/*
 * As compat_close_from, between fork and exec in the child of a process with threads.
 * Where the system has no call for it, fds above 65535 stay open.
 */
void compat_close_from_in_child(int lowest);

/* Sets real, effective and saved ids for good. Returns 0, or -1 with errno. */
int compat_setresgid(gid_t gid);
int compat_setresuid(uid_t uid);

/* Whether this is the real, the effective and, where that can be asked, the saved id. */
bool compat_gid_is(gid_t gid);
bool compat_uid_is(uid_t uid);

/* Lets fd use that device alone. Returns 0, or -1 with errno; EOPNOTSUPP: cannot be. */
int compat_bind_device(int fd, const char *device);

/* A bind of port 0 that follows takes no port: connect does. Where the system knows it.
 */
void compat_bind_late_port(int fd);

/* Overwrites what must not stay in memory; no compiler leaves it out. */
void compat_wipe(void *data, size_t size);

/* The address of this machine that a datagram came to, or is to go out from. */
struct compat_local {
	int family; /* AF_INET, AF_INET6; AF_UNSPEC: not known, as the system chooses */
	uint8_t ip[16]; /* 4 or 16 bytes in network order, then zeros */
};

/*
 * One datagram: size bytes of data, from or to the address sa. Both addresses may be left
 * out (NULL), sa on a connected socket. What is sent may have a header of head_size bytes
 * in front. What came may be several datagrams of one sender, one behind the other: each
 * of segment bytes, but for the last, which may be shorter. Else segment is size.
 */
struct compat_datagram {
	const void *head;
	size_t head_size;
	void *data;
	size_t size;
	size_t segment;
	struct sockaddr *sa;
	socklen_t sa_len;
	struct compat_local *local;
};

/*
 * Has the datagrams that come to fd, a socket of that family, tell their local address.
 * Not every system can: on others it stays unknown.
 */
void compat_tell_local(int fd, int family);

/*
 * Has datagrams that come to fd joined: what one sender has sent at once comes as one
 * (UDP_GRO). Not every system can: on others each comes alone. For good, as what waits in
 * fd is joined already.
 */
void compat_join_received(int fd);

#define COMPAT_MANY 32 /* datagrams that one call takes at most */

/*
 * Takes what fd has, without waiting, at most n datagrams: size and sa_len are the room,
 * then what came; local is written. Returns how many, or -1 with errno; EAGAIN: there is
 * none.
 */
int compat_recv_many(int fd, struct compat_datagram *list, int n);

/*
 * Sends n datagrams in order, up to the first that cannot be sent. Those of one size to
 * one address are joined for the way through the system (UDP_SEGMENT), if it can do that
 * and they have less than apart bytes, 0: whatever they have. Returns how many were sent,
 * at least 1; or -1 with errno, why the very first, with what was joined to it, was not:
 * by EINVAL, EMSGSIZE and EIO it may be that they must not be joined.
 */
int compat_send_many(int fd, const struct compat_datagram *list, int n, size_t apart);

/* How many bytes of fd's send queue the peer has not acknowledged; 0 if not known. */
int compat_unsent(int fd);

#endif
