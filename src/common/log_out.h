/* SPDX-License-Identifier: ISC */
/*
 * log_out: where the lines of the log go, one of stderr, syslog and a file. Tries once:
 * when and how often is for log. One thread at a time, but for log_out_reopen.
 */
#ifndef LOG_OUT_H
#define LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "log_queue.h"

/* As log_open; gives up what was open before. */
void log_out_open(const char *ident, int facility, bool to_stderr);

/* As log_to_file. */
const char *log_out_to_file(const char *path, uid_t owner);

/* There will be no other process: stderr gets the pid as well, and who reads it may be
 * told where to look. */
void log_out_start(void);

/* A line on its way out. What it was begun with must stay valid. */
struct log_line {
	const struct log_record *r;
	const char *text;
	size_t len, done; /* of bytes, and of those written */
	char bytes[4096];
};

void log_out_begin(struct log_line *l, const struct log_record *r, const char *text);

/*
 * Writes the line, or what is left of it after a failure. Returns 0, or -1 with errno: of
 * write(2), or as log_syslog_send; it may block on stderr.
 */
int log_out_write(struct log_line *l);

/* Writes a line to stderr, and then to where lines go, if that is elsewhere. Returns as
 * log_out_write, for the latter. */
int log_out_write_both(const struct log_record *r, const char *text);

/*
 * Opens the file anew, for log_out_write or log_out_renew to change to. Any one thread,
 * while another writes. Returns NULL, also when it is no file, or what is wrong.
 */
const char *log_out_reopen(void);

/* Changes to the file that log_out_reopen opened, and closes the old one. */
void log_out_renew(void);

/* Its path; NULL: it is no file. */
const char *log_out_path(void);

#endif
