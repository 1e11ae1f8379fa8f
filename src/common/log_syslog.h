/* SPDX-License-Identifier: ISC */
/*
 * log_syslog: lines to the system's logger, by its socket. Unlike syslog(3), it tells
 * when a line did not get there, sends it with the date on which it was said, and waits a
 * second at most. One thread at a time.
 */
#ifndef LOG_SYSLOG_H
#define LOG_SYSLOG_H

#include "log_queue.h"

/*
 * Connects, if the logger is there: a later chroot may hide its socket. ident must stay
 * valid. Where the logger has no such socket, syslog(3) is what log_syslog_send uses.
 */
void log_syslog_open(const char *ident, int facility);

void log_syslog_close(void);

/*
 * Sends one line; connects again where needed. Returns 0, or -1 with errno: EAGAIN or
 * ENOBUFS: the logger is there and takes nothing; EMSGSIZE: not this line; others: it is
 * not there.
 */
int log_syslog_send(const struct log_record *r, const char *text);

#endif
