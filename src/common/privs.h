/* SPDX-License-Identifier: ISC */
/* privs: give up root: chroot, groups, gid and uid, and make sure that they are gone. */
#ifndef PRIVS_H
#define PRIVS_H

#include <stdbool.h>
#include <sys/types.h>

/* Who to become. */
struct privs {
	bool change; /* false: stay who we are */
	uid_t uid;
	gid_t gid;
	char name[64]; /* for initgroups(3); empty: a number without an entry */
};

/*
 * Looks up user and group, names or numbers; user NULL: no change (then group must be
 * NULL too); group NULL: the user's own. Root as the user is refused. Returns NULL, or a
 * static text that says what is wrong.
 */
const char *privs_lookup(struct privs *p, const char *user, const char *group);

/*
 * The user's supplementary groups, chroot (NULL: none), gid, uid; then verifies that
 * nothing of root is left: ids and groups, and that uid 0 cannot be taken again. Who is
 * that user already keeps its groups. Returns NULL, or a static text of the step that
 * failed, with errno; the process must not go on then.
 */
const char *privs_drop(const struct privs *p, const char *chroot_dir);

#endif
