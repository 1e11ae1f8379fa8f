/* SPDX-License-Identifier: ISC */
/*
 * secret_file: files that hold a secret, such as a password. One that others have access
 * to is refused. Errors are texts that can follow "FILE: ".
 */
#ifndef SECRET_FILE_H
#define SECRET_FILE_H

#include <stdint.h>
#include <sys/stat.h>

#define SECRET_FILE_SIZE 256 /* 255 bytes, what RFC 1929 can carry, and a NUL */

/*
 * Opens for reading a regular file, or a link to one, that neither group nor others can
 * read, write or execute. Its owner does not matter: a daemon may read as root what is to
 * be its user's. Does not block. Returns an fd, and in *st what fstat(2) says of it; or
 * -1 with a text in *why, and *st as far as it came to that.
 */
int secret_file_open(const char *path, struct stat *st, const char **why);

/*
 * Reads the first line of such a file, without its LF or CR LF: 1 to 255 bytes of any
 * kind but NUL. Returns how many, with a NUL behind the last; or -1 with a text in *why,
 * and secret is wiped. To wipe it later is the caller's part.
 */
int secret_file_line(
	uint8_t secret[SECRET_FILE_SIZE], const char *path, const char **why);

#endif
