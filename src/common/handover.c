/* SPDX-License-Identifier: ISC */
/*
 * The program that is installed now, in the place of this process: it inherits the
 * listening sockets, the control socket and the pidfile with its lock, reads the
 * configuration, and says when it serves. Clients that come in between wait in the
 * sockets, which are never without a process. Main thread.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inherit.h"
#include "life.h"
#include "log.h"
#include "self.h"
#include "upgrade.h"

/* What the new process gets. */
struct estate {
	struct upgrade_fd *list;
	char (*names)[LISTEN_NAME];
	size_t n, room;
	bool short_of_memory;
};

/* Grows by doubling. Returns false when there is no memory. */
static bool
make_room(struct estate *e)
{
	size_t room = e->room ? 2 * e->room : 16;
	void *list, *names;

	if (e->n < e->room)
		return true;
	list = realloc(e->list, room * sizeof(*e->list));
	if (list)
		e->list = list;
	names = realloc(e->names, room * sizeof(*e->names));
	if (names)
		e->names = names;
	if (!list || !names) {
		e->short_of_memory = true;
		return false;
	}
	e->room = room;
	return true;
}

/* name "": it is found by its address. */
static void
bequeath(struct estate *e, int fd, const char *name)
{
	if (fd == -1 || !make_room(e))
		return;
	e->list[e->n].fd = fd;
	strcpy(e->names[e->n], name);
	e->n++;
}

static void
bequeath_listener(const struct listener *listener, void *arg)
{
	char name[LISTEN_NAME];

	bequeath(arg, listener->socket->fd, listen_name(&listener->socket->asked, name));
}

static void
bequeath_socket(void *arg, int fd)
{
	bequeath(arg, fd, "");
}

/* Returns 0, or -1 with errno. */
static int
collect(struct life *life, struct estate *e)
{
	server_each_listener(life->server, bequeath_listener, e);
	if (life->service->sockets)
		life->service->sockets(life->now->config, bequeath_socket, e);
	if (life->control)
		bequeath(e, control_fd(life->control), INHERIT_CONTROL);
	bequeath(e, life->pidfile.fd, INHERIT_PIDFILE);
	if (e->short_of_memory) {
		errno = ENOMEM;
		return -1;
	}
	/* Only now, as names does not move any more. */
	for (size_t i = 0; i < e->n; i++)
		e->list[i].name = e->names[i][0] ? e->names[i] : NULL;
	return 0;
}

/* What the new process has printed, until it is known what to make of it. */
struct printed {
	char *lines[CHILD_LINES];
	size_t n;
};

static void
keep_line(void *arg, const char *line)
{
	struct printed *printed = arg;
	char *copy = printed->n < CHILD_LINES ? strdup(line) : NULL;

	if (copy)
		printed->lines[printed->n++] = copy;
}

/* Frees it, too. */
static void
tell_lines(struct printed *printed, enum log_level level)
{
	for (size_t i = 0; i < printed->n; i++) {
		log_msg(level, "upgrade: %s", printed->lines[i]);
		free(printed->lines[i]);
	}
}

/* Waits for what was started. Returns 0, or -1: told why it does not serve. */
static int
await(struct upgrade *upgrade, const char *path)
{
	struct printed printed = { .n = 0 };
	char why[256];
	int result =
		upgrade_wait(upgrade, HANDOVER_MS, keep_line, &printed, why, sizeof(why));

	tell_lines(&printed, result == 0 ? LOG_L_NOTICE : LOG_L_ERROR);
	if (result == -1)
		log_msg(LOG_L_ERROR, "upgrade: %s: %s", path, why);
	return result;
}

/* Returns whether the new process serves; else it is told why not. */
static bool
start_new(struct life *life)
{
	struct upgrade upgrade = UPGRADE_NONE;
	struct estate e = { .n = 0 };
	const char *path = self_path();

	errno = ENOENT;
	if (!path || collect(life, &e) == -1 ||
		upgrade_start(&upgrade, path, self_argv(), e.list, e.n) == -1)
		log_msg(LOG_L_ERROR, "upgrade: %s: %s", path ? path : life->service->name,
			strerror(errno));
	else if (await(&upgrade, path) == 0)
		log_msg(LOG_L_NOTICE, "upgrade: done, process %ld serves",
			(long)upgrade.child.pid);
	free(e.list);
	free(e.names);
	return upgrade.child.pid > 0;
}

/* Under changing. */
static bool
handover_now(struct life *life)
{
	if (life->service->settings(life->now->config)->chroot) {
		log_msg(LOG_L_ERROR, "upgrade: not out of a chroot, restart it");
		return false;
	}
	log_msg(LOG_L_NOTICE, "upgrade: %s is started", self_path());
	return start_new(life);
}

bool
handover(struct life *life)
{
	bool done;

	pthread_mutex_lock(&life->changing);
	done = handover_now(life);
	life->over = done;
	pthread_mutex_unlock(&life->changing);
	if (!done)
		log_msg(LOG_L_ERROR, "upgrade: failed: this process goes on");
	return done;
}
