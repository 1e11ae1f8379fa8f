/* SPDX-License-Identifier: ISC */
/*
 * users: the users file. A line is
 *
 *	NAME:HASH[:EXPIRES[:MAX_TUNNELS[:NETWORKS[:GROUPS]]]]
 *
 * a comment that begins with #, or empty. EXPIRES is the last day that is good, in UTC,
 * as 2026-12-31; NETWORKS and GROUPS are separated by commas; an IPv6 network stands in
 * [ ], since it has colons: "10.0.0.0/8,[2001:db8::/32]".
 */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>
#include "lists.h"

enum users_field {
	USERS_NAME,
	USERS_HASH,
	USERS_EXPIRES,
	USERS_MAX_TUNNELS,
	USERS_NETWORKS,
	USERS_GROUPS,
	USERS_FIELDS
};

#define USERS_NAME_MAX	 255
#define USERS_GROUPS_MAX 511

/* One user. Strings point into text. */
struct user {
	const char *name, *hash;
	const char *groups;    /* "staff,ops"; "" for none */
	unsigned expires;      /* the last good day, as 20261231; 0: no end */
	unsigned max_tunnels;  /* 0: no limit */
	struct cidrs networks; /* that it may come from; empty: any */
	unsigned line;
	char *text;
};

/*
 * Whether a user may be called that: 1 to 255 bytes, no control byte, no colon, no space
 * at either end, no #, @ or * in front (@ and * mean something in rules).
 */
bool users_name_ok(const void *name, size_t len);

/*
 * Cuts a line in place. Fields that are not there become "". Returns 0, or -1: there are
 * too many.
 */
int users_split(char *line, const char *fields[USERS_FIELDS]);

/* Whether text may stand in a field. Returns NULL, or what is wrong, as "not a date". */
const char *users_check(enum users_field field, const char *text);

/* A line that is to be left alone: empty, or a comment. */
bool users_is_comment(const char *line);

/*
 * Parses one line, which is no comment. Returns 0 and a user that user_free frees; or -1
 * and in why, which has size bytes, what is wrong, as "EXPIRES: not a date".
 */
int user_parse(struct user *user, const char *line, char *why, size_t size);
void user_free(struct user *user);
bool user_expired(const struct user *user, time_t now);

/* All of a file. */
struct users;

/*
 * Opens a users file: one as of secret_file.h, of at most 16 MiB. Returns an fd, and what
 * fstat(2) says of it; or -1 with a text of "FILE: what" in why.
 */
int users_open(const char *path, struct stat *st, char *why, size_t size);

/*
 * Reads all of fd, which it closes. path is for errors only. Returns NULL with every
 * error in why, a line of "FILE:LINE: what" each, as far as size goes. Computes a hash
 * for each method in use, to know that the system knows it.
 */
struct users *users_read(int fd, const char *path, char *why, size_t size);

size_t users_count(const struct users *users);
const struct user *users_find(const struct users *users, const char *name);

/* The hash of the file's first entry: what an unknown user costs. NULL: no users. */
const char *users_first_hash(const struct users *users);

void users_free(struct users *users);

#endif
