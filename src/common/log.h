/* SPDX-License-Identifier: ISC */
/*
 * log: messages to syslog, to a file, or to stderr. Callers never wait for any: once
 * log_start has run, a message goes into a bounded queue that one thread empties, and
 * waits there while the logger is away or the disk is full; what does not fit is counted,
 * and the count is told when there is room again.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "log_queue.h"
#include "log_text.h"

/*
 * Before the first message, and before threads. ident must stay valid. Until log_start,
 * messages are written by the caller itself, to stderr and, unless to_stderr, to syslog.
 */
void log_open(const char *ident, int facility, enum log_level level, bool to_stderr);

/*
 * After log_open, as root, before log_start: messages are appended to this file, instead
 * of going to syslog or, from log_start on, to stderr. It is made if it is not there; it
 * is, or must be, owner's, who will open it again. Returns NULL, or a text of what is
 * wrong, good until the next call: then messages go where they went before.
 */
const char *log_to_file(const char *path, uid_t owner);

/* Starts the writing thread, after the last fork. Returns 0, or -1 with errno. */
int log_start(void);

/*
 * Opens the file anew, for HUP and who renames it: the messages that follow go there.
 * Returns 0, also when the log is no file; or -1 when that cannot be: it is told, and
 * what is open goes on. One thread at a time.
 */
int log_reopen(void);

/*
 * Waits until the queue is written, at most wait_ms, and ends the thread if it can. Lines
 * for a logger that is not there, or a disk that is full, are given up.
 */
void log_stop(int wait_ms);

/* What is logged from now on. Any thread. */
void log_set_level(enum log_level level);

/* Whether messages of this level are wanted; to save the work of making one. */
bool log_wants(enum log_level level);

/*
 * One line; no newline at its end. Keeps errno, so that it may stand before a use of it.
 * Peer text must have gone through log_escape. A line over LOG_LINE bytes is cut.
 */
void log_msg(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * For an error that may repeat without end. Returns true when it is due to be told, at
 * most once in every_ms for each struct, and then how many times it was held back since.
 * Any thread. Zero initialised.
 */
struct log_rate {
	_Atomic int64_t next_ms;
	_Atomic unsigned held;
};
bool log_due(struct log_rate *rate, int64_t every_ms, unsigned *held);

/*
 * A warning that may repeat with every client: at most once a minute for each struct, and
 * then with the number of times that it was held back. Keeps errno.
 */
void log_rated(struct log_rate *rate, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
