/* SPDX-License-Identifier: ISC */
/*
 * The environment of a process that inherits from this one: strings made here, then our
 * own, but for those of the same names. LISTEN_PID is filled in after the fork, by who
 * knows it then. Main thread; does not log.
 */
#include "config.h"
#include "inherit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"

#define MADE 4 /* strings at most */

extern char **environ;

/* Ours do not go to the child, as what stands there may be meant for another. */
static const char *const removed[] = {
	"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "LISTEN_PIDFDID="
};

/* Whether both are of the same variable. */
static bool
same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=") + 1;

	return strncmp(a, b, len) == 0;
}

static bool
goes_on(const char *variable, const char *extra)
{
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		if (same_name(removed[i], variable))
			return false;
	return !extra || !same_name(extra, variable);
}

/* "LISTEN_FDNAMES=a:b:", malloc'd. NULL with errno: EINVAL, a colon in a name. */
static char *
join_names(const char *const *names, size_t n)
{
	static const char variable[] = "LISTEN_FDNAMES=";
	size_t size = sizeof(variable) + n;
	char *text, *at;

	for (size_t i = 0; i < n; i++) {
		size += names[i] ? strlen(names[i]) : 0;
		if (names[i] && strchr(names[i], ':')) {
			errno = EINVAL;
			return NULL;
		}
	}
	text = malloc(size);
	if (!text)
		return NULL;
	at = stpcpy(text, variable);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			at = stpcpy(at, ":");
		if (names[i])
			at = stpcpy(at, names[i]);
	}
	return text;
}

/* "LISTEN_PID=", with room for the digits. */
static char *
make_pid(struct inherit_environment *e)
{
	static const char variable[] = "LISTEN_PID=";
	char *text = calloc(1, sizeof(variable) + CHILD_PID_ROOM);

	if (!text)
		return NULL;
	e->pid_text = stpcpy(text, variable);
	return text;
}

static char *
make_count(size_t n)
{
	char text[40];

	snprintf(text, sizeof(text), "LISTEN_FDS=%zu", n);
	return strdup(text);
}

/* Returns 0, or -1 when text is NULL: there was no memory for it. */
static int
put(struct inherit_environment *e, char *text)
{
	if (!text)
		return -1;
	e->envp[e->made++] = text;
	return 0;
}

int
inherit_environment(struct inherit_environment *e, const char *const *names, size_t n,
	const char *extra)
{
	size_t ours = 0, at;

	while (environ && environ[ours])
		ours++;
	*e = (struct inherit_environment){ .envp = calloc(
						   ours + MADE + 1, sizeof(char *)) };
	if (!e->envp || put(e, make_count(n)) == -1 ||
		put(e, join_names(names, n)) == -1 || put(e, make_pid(e)) == -1 ||
		(extra && put(e, strdup(extra)) == -1)) {
		inherit_environment_free(e);
		return -1;
	}
	at = e->made;
	for (size_t i = 0; i < ours; i++)
		if (goes_on(environ[i], extra))
			e->envp[at++] = environ[i];
	return 0;
}

void
inherit_environment_free(struct inherit_environment *e)
{
	int keep = errno;

	for (size_t i = 0; i < e->made; i++)
		free(e->envp[i]);
	free(e->envp);
	errno = keep;
	*e = (struct inherit_environment){ .envp = NULL };
}
