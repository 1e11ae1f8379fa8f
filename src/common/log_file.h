/* SPDX-License-Identifier: ISC */
/*
 * log_file: the file that a log is appended to. Opened as root at the start, and again by
 * the daemon's user, for which it is made; never through a link, and never what is not a
 * plain file, or is another's.
 */
#ifndef LOG_FILE_H
#define LOG_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/* Where the file is. Not changed after log_file_place: any thread may open it. */
struct log_file {
	char *path;	  /* NULL: there is none */
	const char *name; /* in path */
	int dir_fd;	  /* its folder, held open: found again also in a chroot */
	uid_t owner;
};

/*
 * Takes the path, and the folder in it, for a file that is owner's; f is all zero.
 * Returns NULL, or a text of what is wrong, good until the next call; then f is as it
 * was.
 */
const char *log_file_place(struct log_file *f, const char *path, uid_t owner);

/*
 * Opens the file for appending; makes it (0640, owner's) if it is not there. Does not
 * block on a FIFO. A last line that was cut is ended. Returns NULL with *fd, which is
 * close-on-exec; or a text as above, and *fd is -1.
 */
const char *log_file_open(const struct log_file *f, int *fd);

/* Whether the open file has no name any more, and so nobody would find what it gets. */
bool log_file_deleted(int fd);

/* Gives up what log_file_place took; f is all zero then. */
void log_file_forget(struct log_file *f);

#endif
