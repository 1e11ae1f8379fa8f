/* SPDX-License-Identifier: ISC */
/*
 * log: messages to syslog, or to stderr. Callers never wait for either: once log_start
 * has run, a message goes into a bounded queue that one thread empties; what does not fit
 * is counted, and the count is told when there is room again.
 */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_L_ERROR, LOG_L_WARNING, LOG_L_NOTICE, LOG_L_INFO, LOG_L_DEBUG };

/*
 * Before the first message, and before threads. ident must stay valid. Until log_start,
 * messages are written by the caller itself, to stderr and, unless to_stderr, to syslog.
 */
void log_open(const char *ident, int facility, enum log_level level, bool to_stderr);

/* Starts the writing thread, after the last fork. Returns 0, or -1 with errno. */
int log_start(void);

/* Waits until the queue is written, at most wait_ms, and ends the thread if it can. */
void log_stop(int wait_ms);

/* Whether messages of this level are wanted; to save the work of making one. */
bool log_wants(enum log_level level);

/*
 * One line; no newline at its end. Keeps errno, so that it may stand before a use of it.
 * Peer text must have gone through log_escape. A line over LOG_LINE bytes is cut.
 */
void log_msg(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define LOG_LINE 2048

/*
 * Copies text of a peer (len bytes) into out as printable ASCII without space, quote or
 * backslash: those and all other bytes become \xNN. Ends with NUL; what does not fit is
 * cut. Returns out.
 */
char *log_escape(char *out, size_t out_size, const void *text, size_t len);

/* Milliseconds as seconds, "3.201"; "-" below 0. Returns out. */
#define LOG_SECONDS 24
char *log_seconds(char out[LOG_SECONDS], int64_t ms);

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
 * Syslog facilities and levels by their name in a configuration ("daemon", "local0";
 * "info"). Return -1 for an unknown one.
 */
int log_facility(const char *name);
int log_level(const char *name);

#endif
