/* SPDX-License-Identifier: ISC */
/*
 * Giving up root. Each step is checked, and at the end the result is: a step that only
 * seemed to work must not leave a daemon that serves strangers as root. Main thread,
 * once, when the ports are bound and the pidfile is held. Does not log.
 */
#include "config.h"
#include "privs.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compat.h"

/* A number that stands for a user or group; the largest means "none" to the system. */
static bool
parse_id(const char *text, uint32_t *id)
{
	unsigned long long n;

	if (*text == '\0' || strlen(text) > 10 ||
		strspn(text, "0123456789") < strlen(text))
		return false;
	n = strtoull(text, NULL, 10);
	if (n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

/* A number without an entry is good, too: it has no name and no group of its own. */
static const char *
find_user(struct privs *p, const char *user, bool group_given)
{
	const struct passwd *pw = getpwnam(user);
	uint32_t id = 0;

	if (!pw && !parse_id(user, &id))
		return "no such user";
	if (!pw)
		pw = getpwuid((uid_t)id);
	if (!pw && !group_given)
		return "this user is not known: a group must be given as well";
	if (pw && strlen(pw->pw_name) >= sizeof(p->name))
		return "the user's name is too long";
	p->uid = pw ? pw->pw_uid : (uid_t)id;
	if (p->uid == 0)
		return "this is root: name no user to stay root";
	if (pw) {
		p->gid = pw->pw_gid;
		strcpy(p->name, pw->pw_name);
	}
	return NULL;
}

static const char *
find_group(struct privs *p, const char *group)
{
	const struct group *gr = getgrnam(group);
	uint32_t id = 0;

	if (!gr && !parse_id(group, &id))
		return "no such group";
	p->gid = gr ? gr->gr_gid : (gid_t)id;
	return NULL;
}

const char *
privs_lookup(struct privs *p, const char *user, const char *group)
{
	const char *wrong;

	*p = (struct privs){ .change = user != NULL };
	if (!user)
		return group ? "a group needs a user" : NULL;
	wrong = find_user(p, user, group != NULL);
	if (!wrong && group)
		wrong = find_group(p, group);
	return wrong;
}

/*
 * What libraries read when first used, and would not find in a chroot: the modules of the
 * name service, and the time zone of the log. Without a chroot too: the C library may
 * crash when memory is short at its first look-up.
 */
static void
preload(void)
{
	struct addrinfo *list;

	tzset();
	if (getaddrinfo("localhost", NULL, NULL, &list) == 0)
		freeaddrinfo(list);
}

/* Returns whether there is nothing to change: a supervisor has done it. */
static bool
is_already(const struct privs *p)
{
	return compat_uid_is(p->uid) && compat_gid_is(p->gid);
}

static int
set_groups(const struct privs *p)
{
	if (p->name[0] != '\0')
		return initgroups(p->name, p->gid);
	return setgroups(1, &p->gid);
}

/* The group of root may be there only when it was asked for as the group. */
static bool
groups_are_clean(const struct privs *p)
{
	int n = getgroups(0, NULL);
	gid_t *list = n > 0 ? calloc((size_t)n, sizeof(*list)) : NULL;
	bool clean = n == 0 || (list && getgroups(n, list) == n);

	for (int i = 0; clean && i < n; i++)
		clean = list[i] != 0 || p->gid == 0;
	free(list);
	return clean;
}

static const char *
verify(const struct privs *p)
{
	errno = EPERM;
	if (!compat_gid_is(p->gid))
		return "the group did not change";
	if (!compat_uid_is(p->uid))
		return "the user did not change";
	if (!groups_are_clean(p))
		return "a supplementary group of root is left";
	if (setuid(0) == 0 || (p->gid != 0 && setgid(0) == 0)) {
		errno = EPERM;
		return "root can be taken again";
	}
	return NULL;
}

static const char *
enter(const char *dir)
{
	if (chroot(dir) == -1)
		return "chroot";
	return chdir("/") == -1 ? "chdir" : NULL;
}

const char *
privs_drop(const struct privs *p, const char *chroot_dir)
{
	bool change = p->change && !is_already(p);
	const char *failed;

	preload();
	/* Before the chroot, where the list of groups can be read. */
	if (change && set_groups(p) == -1)
		return "initgroups";
	failed = chroot_dir ? enter(chroot_dir) : NULL;
	if (failed)
		return failed;
	if (change && compat_setresgid(p->gid) == -1)
		return "setgid";
	if (change && compat_setresuid(p->uid) == -1)
		return "setuid";
	return p->change ? verify(p) : NULL;
}
