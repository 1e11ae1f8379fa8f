/* SPDX-License-Identifier: ISC */
/*
 * inherit: fds that whoever started this process has opened for it, systemd or another
 * process of the same daemon: fds from 3 on, told in LISTEN_FDS, LISTEN_FDNAMES and
 * LISTEN_PID, see sd_listen_fds(3). Main thread, but for inherit_covers, which any may
 * call after inherit_close_rest. Does not log.
 */
#ifndef INHERIT_H
#define INHERIT_H

#include <stdbool.h>
#include <stddef.h>
#include "addr.h"

#define INHERIT_FIRST 3
#define INHERIT_MAX   65536 /* more are an error */

/* Names of what is found by name. A socket is found by its address, and needs none. */
#define INHERIT_CONTROL "control"
#define INHERIT_PIDFILE "pidfile"

/*
 * The lowest fd above those that LISTEN_FDS hands to this very process, by LISTEN_PID;
 * INHERIT_FIRST: none are. Before inherit_take, and as long after it.
 */
int inherit_end(void);

/* Whether the variables were for this process, also when they tell of no fds. */
bool inherit_is_ours(void);

/*
 * Takes the fds, which become close-on-exec, and removes the variables. Nothing when they
 * are meant for another process. Before the first fork of daemon_detach. Returns how
 * many, or -1 and a text of what is wrong in why; those without fault are taken then.
 */
int inherit_take(char *why, size_t size);

/* How many are here still. */
size_t inherit_count(void);

/*
 * The one with exactly that local address; type is SOCK_STREAM or SOCK_DGRAM. It is the
 * caller's from now on. One of SOCK_STREAM listens, and has all that net_listen gives.
 * Returns it; or -1 with errno, ENOENT: there is none.
 */
int inherit_socket(const struct addr *addr, int type);

/*
 * Whether addr, 0.0.0.0:PORT, cannot and need not be bound, since a socket at [::]:PORT
 * that was inherited takes IPv4 as well. It must be wanted too: it is not handed out
 * here. What inherit_socket has handed out counts still.
 */
bool inherit_covers(const struct addr *addr, int type);

/* The one of that name; the caller's from now on, as it came but close-on-exec. -1: none.
 */
int inherit_named(const char *name);

/* What is it: "127.0.0.1:1080", "/run/x.sock", or "fd 5", then ", NAME" if it has one. */
typedef void inherit_visit(void *arg, const char *what);
#define INHERIT_TEXT 192

/* Closes those that nothing wanted, and tells each (visit may be NULL). */
void inherit_close_rest(inherit_visit *visit, void *arg);

/* An environment for a child that inherits. Starts zero initialised. */
struct inherit_environment {
	char **envp;	/* malloc'd, as those of its strings that are made */
	size_t made;	/* the first so many strings are */
	char *pid_text; /* for struct child_plan, which knows the pid */
};

/*
 * Ours, with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID for n fds (names[i] NULL: it has
 * none; no ':' in a name), and with extra, "NAME=VALUE" or NULL. Returns 0, or -1 with
 * errno and nothing to free.
 */
int inherit_environment(struct inherit_environment *e, const char *const *names, size_t n,
	const char *extra);

/* Keeps errno. */
void inherit_environment_free(struct inherit_environment *e);

#endif
