/* SPDX-License-Identifier: ISC */
/* log_text: what the lines of a log are made of, as text. Pure; any thread. */
#ifndef LOG_TEXT_H
#define LOG_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_L_ERROR, LOG_L_WARNING, LOG_L_NOTICE, LOG_L_INFO, LOG_L_DEBUG };

/*
 * Copies text of a peer (len bytes) into out as printable ASCII without space, quote or
 * backslash: those and all other bytes become \xNN. Ends with NUL; what does not fit is
 * cut. Returns out.
 */
char *log_escape(char *out, size_t out_size, const void *text, size_t len);

/* Makes one line of text: control bytes become spaces. */
void log_flatten(char *text, size_t len);

/* Milliseconds as seconds, "3.201"; "-" below 0. Returns out. */
#define LOG_SECONDS 24
char *log_seconds(char out[LOG_SECONDS], int64_t ms);

/*
 * A date, in ms since 1970, in the time zone of the process: as of ISO 8601,
 * "2026-11-24T16:17:08.123+01:00", or as syslog has it, "Nov 24 16:17:08"; "-" when it is
 * none. Return out. tzset(3) must have been called.
 */
#define LOG_DATE 64
char *log_date_iso(char out[LOG_DATE], int64_t at_ms);
char *log_date_syslog(char out[LOG_DATE], int64_t at_ms);

/*
 * Syslog facilities and levels by their name in a configuration ("daemon", "local0";
 * "info"). Return -1 for an unknown one.
 */
int log_facility(const char *name);
int log_level(const char *name);

#endif
