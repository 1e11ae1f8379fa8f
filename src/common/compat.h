/* SPDX-License-Identifier: ISC */
/* compat: what some platforms have and others lack, behind one name each. */
#ifndef COMPAT_H
#define COMPAT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/socket.h>

/* As socket(2), accept(2) and pipe(2); every fd is close-on-exec. errno is theirs. */
int compat_socket(int family, int type);
int compat_accept(int fd, struct sockaddr *sa, socklen_t *len);
int compat_pipe(int fd[2]);

/* Closes every fd from lowest on, however large the limit on fds is. */
void compat_close_from(int lowest);

/* Sets real, effective and saved ids for good. Returns 0, or -1 with errno. */
int compat_setresgid(gid_t gid);
int compat_setresuid(uid_t uid);

/* Whether this is the real, the effective and, where that can be asked, the saved id. */
bool compat_gid_is(gid_t gid);
bool compat_uid_is(uid_t uid);

/* How many bytes of fd's send queue the peer has not acknowledged; 0 if not known. */
int compat_unsent(int fd);

#endif
