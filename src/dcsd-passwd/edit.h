/* SPDX-License-Identifier: ISC */
/* edit: a users file with one entry added, changed or removed, all or nothing. */
#ifndef EDIT_H
#define EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include "users.h"

/* What is to become of the entry of that name. */
struct change {
	const char *fields[USERS_FIELDS]; /* NULL: as it is, or empty; NAME is given */
	bool remove;
};

/*
 * Changes the file, which another process may do at the same time: each waits for the
 * other. Comments, order and other entries stay as they are. Without a HASH, and to
 * remove, the entry has to be there; else the file is made, if need be. The new file has
 * mode 0600 and the old one's owner, and is on the disk when this returns. Returns 0; or
 * -1, a text in why, and the file is as it was.
 */
int edit_file(const char *path, const struct change *change, char *why, size_t size);

#endif
