/* SPDX-License-Identifier: ISC */
/*
 * notify: tells the service manager how this process is, as sd_notify(3) does. Nothing
 * where there is none. Never blocks; what cannot be told is lost.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <sys/types.h>

/*
 * Opens the socket that NOTIFY_SOCKET names, so that it can be reached after a chroot and
 * without privileges. The variable stays for a process that takes over. Before threads,
 * after daemon_clean_start. Returns 0, also where there is no manager; or -1 with errno.
 */
int notify_take(void);

/* Lines "NAME=VALUE". Any thread. */
void notify_send(const char *state);

void notify_ready(void);     /* READY=1 */
void notify_reloading(void); /* RELOADING=1, and when; notify_ready ends it */
void notify_stopping(void);  /* STOPPING=1 */

/* MAINPID=: which process is the daemon from now on. */
void notify_main_pid(pid_t pid);

/* Closes the socket. No other thread may send any more. */
void notify_close(void);

#endif
