/* SPDX-License-Identifier: ISC */
/*
 * daemon: becoming a background process whose parent returns only when it is ready, and
 * a start that does not depend on what the starter left behind.
 */
#ifndef DAEMON_H
#define DAEMON_H

/*
 * First thing in main: fds 0 to 2 open, all others closed but those that were handed to
 * us (inherit, upgrade); signal mask and handlers at their defaults, SIGPIPE ignored;
 * umask 022. Returns 0, or -1 with errno.
 */
int daemon_clean_start(void);

/*
 * Forks into the background, a session of its own, folder /. The parent waits for
 * daemon_ready or the child's end, and leaves with that status: it does not return. The
 * child returns 0; or, when there was no child, -1 with errno. Before threads, after
 * inherit_take: the child has another pid.
 */
int daemon_detach(void);

/*
 * The child: the start is over. status 0: fds 0 to 2 become /dev/null, and the parent
 * exits 0; else the parent exits with status. Nothing in a process that did not detach.
 */
void daemon_ready(int status);

#endif
