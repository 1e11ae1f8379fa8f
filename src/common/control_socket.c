/* SPDX-License-Identifier: ISC */
/*
 * The name of a control socket. The folder may belong to the daemon's user, and root
 * works in it: so the socket is made in a folder of its own that only we may enter, gets
 * its mode and owner there, and is then renamed. Nobody can reach it before, and what
 * another puts in its way is not given away in its stead. Main thread, once, before
 * privileges are dropped, and at the end. Does not log.
 */
#include "config.h"
#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"

#define BACKLOG 16
#define NEST	".XXXXXX" /* behind the path: our own folder, for mkdtemp(3) */
#define EGG	"s"	  /* in it: the socket, before it has its name */

static const struct control_socket none = CONTROL_SOCKET_NONE;

/* Gives up what it holds. Keeps errno. */
static void
let_go(struct control_socket *s)
{
	io_close(&s->fd);
	io_close(&s->dir_fd);
	free(s->path);
	*s = none;
}

static const char *
take_path(struct control_socket *s, const char *path)
{
	const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (path[0] != '/')
		return "not an absolute path";
	if (strlen(path) + sizeof(NEST "/" EGG) > room)
		return "the path is too long for a socket";
	s->path = strdup(path);
	if (!s->path)
		return strerror(errno);
	s->name = strrchr(s->path, '/') + 1;
	return *s->name == '\0' ? strerror(EISDIR) : NULL;
}

static const char *
open_folder(struct control_socket *s)
{
	/* With its slash, so that "/name" gives "/". */
	char *folder = strndup(s->path, (size_t)(s->name - s->path));

	if (folder)
		s->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	return s->dir_fd == -1 ? strerror(errno) : NULL;
}

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, path, strlen(path) + 1); /* take_path has measured it */
	return un;
}

static int
set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* What becomes of a connection to path: 0, or its errno. */
static int
knock(const char *path)
{
	struct sockaddr_un un = address_of(path);
	int fd = compat_socket(AF_UNIX, SOCK_STREAM), error = 0;

	if (fd == -1 || set_nonblocking(fd) == -1 ||
		connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1)
		error = errno;
	io_close(&fd);
	return error;
}

/* Whether the name is free, or held by a socket at which nobody listens. */
static const char *
check_name(const struct control_socket *s)
{
	struct stat st;
	int error;

	if (fstatat(s->dir_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? NULL : strerror(errno);
	if (!S_ISSOCK(st.st_mode))
		return "something is there that is not a socket";
	error = knock(s->path);
	if (error == ECONNREFUSED || error == ENOENT)
		return NULL;
	/* EAGAIN: its backlog is full; EPROTOTYPE: it is no stream socket. */
	if (error == 0 || error == EAGAIN || error == EPROTOTYPE)
		return "in use: another process listens there";
	return strerror(error);
}

/* Whether it is the folder that we made, and not one that was put in its place. */
static int
check_nest(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_uid == geteuid() && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return 0;
	errno = EPERM;
	return -1;
}

/* Gives the socket in our folder its mode and owner, and notes which one it is. */
static int
dress(struct control_socket *s, int nest_fd, uid_t owner)
{
	struct stat st;

	if (fchmodat(nest_fd, EGG, S_IRUSR | S_IWUSR, 0) == -1)
		return -1;
	if (owner != geteuid() &&
		fchownat(nest_fd, EGG, owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (fstatat(nest_fd, EGG, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

/* All that is done in our folder, by name as bind wants it, else by its fd. */
static int
make_socket(struct control_socket *s, const char *nest, int nest_fd, uid_t owner)
{
	struct sockaddr_un un = address_of(nest);

	strcat(un.sun_path, "/" EGG);
	s->fd = compat_socket(AF_UNIX, SOCK_STREAM);
	if (s->fd == -1 || set_nonblocking(s->fd) == -1 ||
		bind(s->fd, (struct sockaddr *)&un, sizeof(un)) == -1 ||
		dress(s, nest_fd, owner) == -1 || listen(s->fd, BACKLOG) == -1)
		return -1;
	return renameat(nest_fd, EGG, s->dir_fd, s->name);
}

static int
make_and_rename(struct control_socket *s, uid_t owner)
{
	char nest[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int nest_fd, result = -1, keep;

	snprintf(nest, sizeof(nest), "%s" NEST, s->path);
	if (!mkdtemp(nest))
		return -1;
	nest_fd = open(nest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (nest_fd != -1 && check_nest(nest_fd) == 0)
		result = make_socket(s, nest, nest_fd, owner);
	keep = errno;
	if (result == -1 && nest_fd != -1)
		unlinkat(nest_fd, EGG, 0);
	io_close(&nest_fd);
	rmdir(nest);
	errno = keep;
	return result;
}

const char *
control_socket_bind(struct control_socket *s, const char *path, uid_t owner)
{
	const char *why;

	*s = none;
	why = take_path(s, path);
	if (!why)
		why = open_folder(s);
	if (!why)
		why = check_name(s);
	if (!why && make_and_rename(s, owner) == -1)
		why = strerror(errno);
	if (why)
		let_go(s);
	return why;
}

/* Whether a socket was bound where make_and_rename does it, for that path. */
static bool
was_made_for(const char *bound, const char *path)
{
	size_t len = strlen(path);

	return strncmp(bound, path, len) == 0 &&
		strlen(bound + len) == strlen(NEST "/" EGG) && bound[len] == '.' &&
		strcmp(bound + len + strlen(NEST), "/" EGG) == 0;
}

/*
 * Makes the name of an adopted socket ours. The system does not tell which file it has
 * once it was renamed, so that a socket of that name is taken for it. No name, no error:
 * there is less to remove then.
 */
static void
take_name(struct control_socket *s, const char *path)
{
	struct stat st;

	if (take_path(s, path) || open_folder(s) ||
		fstatat(s->dir_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		!S_ISSOCK(st.st_mode)) {
		let_go(s);
		return;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
}

int
control_socket_adopt(struct control_socket *s, int *fd, const char *path)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_storage ss;
	} u = { .ss = { 0 } };
	socklen_t len = sizeof(u) - 1, size = sizeof(int);
	int listens = 0;

	*s = none;
	if (getsockname(*fd, &u.sa, &len) == -1 ||
		getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == -1)
		return -1;
	if (u.sa.sa_family != AF_UNIX || !listens) {
		errno = u.sa.sa_family != AF_UNIX ? EAFNOSUPPORT : EINVAL;
		return -1;
	}
	if (set_nonblocking(*fd) == -1 || fcntl(*fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	if (path && was_made_for(u.un.sun_path, path))
		take_name(s, path);
	s->fd = *fd;
	*fd = -1;
	return 0;
}

void
control_socket_close(struct control_socket *s, bool remove)
{
	struct stat st;

	/* The fd is open still, so that no other file can have got our number. */
	if (remove && s->dir_fd != -1 &&
		fstatat(s->dir_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == s->dev && st.st_ino == s->ino)
		unlinkat(s->dir_fd, s->name, 0);
	let_go(s);
}
