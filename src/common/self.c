/* SPDX-License-Identifier: ISC */
/*
 * What this process was started as. Not /proc/self/exe: that goes on meaning the file
 * that was executed, also when an installation has put another one in its place. Noted
 * on the main thread, once, and read only from then on.
 */
#include "config.h"
#include "self.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path, *cwd, **args;

/* malloc'd, or NULL with errno. */
static char *
current_folder(void)
{
	for (size_t size = 256;; size *= 2) {
		char *text = malloc(size);

		if (!text || getcwd(text, size))
			return text;
		free(text);
		if (errno != ERANGE)
			return NULL;
	}
}

/* FOLDER/NAME, absolute; len bytes of folder, which may be relative or empty. */
static char *
join(const char *folder, size_t len, const char *name)
{
	bool absolute = len > 0 && folder[0] == '/';
	const char *start = absolute || !cwd ? "" : cwd;
	size_t size = strlen(start) + len + strlen(name) + 3;
	char *text = NULL;

	if (!absolute && !cwd)
		errno = ENOENT;
	else
		text = malloc(size);
	if (text)
		snprintf(text, size, "%s%s%.*s%s%s", start, absolute ? "" : "/", (int)len,
			folder, len > 0 ? "/" : "", name);
	return text;
}

static bool
is_program(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0;
}

/* An empty part of PATH is the current folder. */
static char *
find_in_path(const char *name)
{
	const char *at = getenv("PATH");
	size_t len;

	for (; at; at = at[len] == ':' ? at + len + 1 : NULL) {
		char *file;

		len = strcspn(at, ":");
		file = join(at, len, name);
		if (file && is_program(file))
			return file;
		free(file);
	}
	errno = ENOENT;
	return NULL;
}

char *
self_absolute(const char *file)
{
	return file[0] == '/' ? strdup(file) : join("", 0, file);
}

static char *
find(const char *name)
{
	return strchr(name, '/') ? self_absolute(name) : find_in_path(name);
}

/* argv[0] becomes the path: it means the same in any folder, and with any PATH. */
static int
copy_args(int argc, char **argv)
{
	args = calloc((size_t)argc + 1, sizeof(*args));
	for (int i = 0; args && i < argc; i++) {
		args[i] = strdup(i == 0 && path ? path : argv[i]);
		if (!args[i])
			return -1;
	}
	return args ? 0 : -1;
}

int
self_note(int argc, char **argv)
{
	int error;

	cwd = current_folder();
	error = cwd ? 0 : errno;
	errno = EINVAL; /* no argv[0]: there are such starts */
	path = argc > 0 ? find(argv[0]) : NULL;
	if (!path)
		error = errno;
	if (copy_args(argc, argv) == -1)
		error = errno;
	errno = error;
	return error == 0 ? 0 : -1;
}

const char *
self_path(void)
{
	return path;
}

char *const *
self_argv(void)
{
	return args;
}

const char *
self_cwd(void)
{
	return cwd;
}
