/* SPDX-License-Identifier: ISC */
/*
 * pidfile: a file that holds the process id, and is locked for as long as the process
 * lives. The lock decides whether a daemon runs, never the number.
 */
#ifndef PIDFILE_H
#define PIDFILE_H

#include <sys/types.h>

/* Starts as PIDFILE_NONE. */
struct pidfile {
	int fd;	    /* locked; -1: none */
	int dir_fd; /* its folder, so that it can be removed after a chroot */
	char *name; /* in that folder */
};

#define PIDFILE_NONE                                                                     \
	{                                                                                \
		-1, -1, NULL                                                             \
	}

/*
 * Opens or makes the file, locks it and writes the pid. A symbolic link or a folder is
 * refused with the errno of open(2) (ELOOP, EISDIR); a FIFO, a device, a file of another
 * owner or with a second name with EPERM. When it is locked already: -1, EEXIST, and
 * *holder is the pid that stands in it (0: unknown). On an error *p is PIDFILE_NONE and
 * nothing is left: no empty file on a full disk. Does not block.
 */
int pidfile_hold(struct pidfile *p, const char *path, pid_t *holder);

/*
 * Takes over the locked file that another process of this daemon holds, *fd (set to -1),
 * inherited from it. Its text stays. Returns 0; or -1 with errno and takes nothing:
 * ESTALE: path does not mean that file; EEXIST: it is not locked by that fd.
 */
int pidfile_adopt(struct pidfile *p, const char *path, int *fd);

/* Writes our pid into it. Returns 0, or -1 with errno. Nothing for PIDFILE_NONE. */
int pidfile_write(struct pidfile *p);

/* Closes it and leaves file and lock to who has adopted them; *p becomes PIDFILE_NONE. */
void pidfile_forget(struct pidfile *p);

/*
 * Removes the file and gives up the lock; *p becomes PIDFILE_NONE. Where the folder does
 * not let this user remove it, it is emptied instead. Nothing for PIDFILE_NONE.
 */
void pidfile_drop(struct pidfile *p);

#endif
