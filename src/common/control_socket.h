/* SPDX-License-Identifier: ISC */
/*
 * control_socket: a listening AF_UNIX stream socket with a name in the file system, for
 * one user and root alone.
 */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/* Starts as CONTROL_SOCKET_NONE. */
struct control_socket {
	int fd;		  /* listening, not blocking; -1: none */
	int dir_fd;	  /* the folder of its name, -1: the name is not ours to remove */
	char *path;	  /* NULL: as dir_fd */
	const char *name; /* in path */
	dev_t dev;	  /* what the name meant when it was made */
	ino_t ino;
};

#define CONTROL_SOCKET_NONE                                                              \
	{                                                                                \
		-1, -1, NULL, NULL, 0, 0                                                 \
	}

/*
 * Makes a socket that listens at an absolute path, mode 0600 and owner's (an effective
 * uid of root may give it away). It has that mode and owner before it has that name. A
 * socket there at which nobody listens is replaced; anything else there is an error and
 * stays. Two that start in the same moment may both replace it, and the last one has the
 * name: what keeps a daemon from starting twice is its pidfile. Does not block. Returns
 * NULL, or a text of what is wrong, until the next one; *s is CONTROL_SOCKET_NONE then.
 */
const char *control_socket_bind(struct control_socket *s, const char *path, uid_t owner);

/*
 * Takes a socket that listens already, *fd (set to -1), from whom this process was
 * started by: another daemon, systemd. If control_socket_bind made it, in whatever
 * process, and path (may be NULL) means a socket, that name is ours as well. Returns 0,
 * or -1 with errno and takes nothing: ENOTSOCK, EAFNOSUPPORT (no AF_UNIX), EINVAL (it
 * does not listen).
 */
int control_socket_adopt(struct control_socket *s, int *fd, const char *path);

/*
 * Closes it; *s becomes CONTROL_SOCKET_NONE. With remove, its name is removed first, if
 * it is ours and still means this socket, and if the folder lets this user do so: if not
 * it stays, and the next bind replaces it. Works after a chroot.
 */
void control_socket_close(struct control_socket *s, bool remove);

#endif
