/* SPDX-License-Identifier: ISC */
/*
 * self: which program this process is, and how it was started, so that it can be started
 * again: the one that has that name by then, as after an installation.
 */
#ifndef SELF_H
#define SELF_H

/*
 * In main, while folder and environment are those of the start; once. Copies argv, finds
 * the program by argv[0] as a shell does: by PATH, or relative to the folder. Returns 0,
 * or -1 with errno; what could not be found then is NULL.
 */
int self_note(int argc, char **argv);

/* The absolute path of the program, symbolic links as they are; NULL: not known. */
const char *self_path(void);

/* A copy of argv; NULL before self_note. Relative paths in it are relative to self_cwd.
 */
char *const *self_argv(void);

/* The folder at the start; NULL: not known. */
const char *self_cwd(void);

/* A path of the start, malloc'd, absolute: good in any folder. NULL with errno. */
char *self_absolute(const char *file);

#endif
