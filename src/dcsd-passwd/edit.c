/* SPDX-License-Identifier: ISC */
/*
 * The users file is never written to: a new one is made beside it and renamed. The lock
 * is on the old one, so that whoever gets it must look whether that is still the file
 * that the name means. One thread; fcntl(2) locks go with the first close of the file,
 * which is therefore opened once only.
 */
#include "config.h"
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

#define FILE_MAX   (16 * 1024 * 1024) /* users.c reads no more */
#define TRIES	   1000 /* that the file may be replaced while we wait for it */
#define FIELD_ROOM 16384

struct edit {
	const struct change *change;
	char *path; /* what a symbolic link leads to */
	char *temp; /* path of the new file; NULL: there is none */
	char *why;
	size_t size;
	int fd;	   /* of the old file, locked */
	bool made; /* by us, and empty */
	struct stat st;
	char *text; /* of the old file */
};

static int
fail(struct edit *e, const char *what)
{
	snprintf(e->why, e->size, "%s: %s", e->path, what);
	return -1;
}

static int
fail_errno(struct edit *e)
{
	return fail(e, strerror(errno));
}

/* Opens the file, or makes it if there is to be one. Returns 0, or -1 with errno. */
static int
open_or_make(struct edit *e)
{
	const int flags = O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	bool may_make = !e->change->remove && e->change->fields[USERS_HASH];

	e->fd = open(e->path, flags);
	e->made = e->fd == -1 && errno == ENOENT && may_make;
	if (e->made)
		e->fd = open(e->path, flags | O_CREAT | O_EXCL, 0600);
	return e->fd == -1 ? -1 : 0;
}

/* Whether the name still means the file that is locked now. */
static bool
in_place(struct edit *e)
{
	struct stat named;

	return fstat(e->fd, &e->st) == 0 && stat(e->path, &named) == 0 &&
		named.st_dev == e->st.st_dev && named.st_ino == e->st.st_ino;
}

/* Returns 0: it is ours alone. */
static int
lock_file(struct edit *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (int i = 0; i < TRIES; i++) {
		if (open_or_make(e) == -1) {
			if (e->made && errno == EEXIST)
				continue;
			return fail_errno(e);
		}
		while (fcntl(e->fd, F_SETLKW, &lock) == -1)
			if (errno != EINTR)
				return fail_errno(e);
		if (in_place(e))
			return S_ISREG(e->st.st_mode) ? 0 : fail(e, "not a regular file");
		io_close(&e->fd);
	}
	return fail(e, "it does not stay in its place");
}

static int
read_text(struct edit *e)
{
	size_t len = 0, size = (size_t)e->st.st_size;
	ssize_t n = 1;

	if (e->st.st_size > FILE_MAX)
		return fail(e, "larger than 16 MiB");
	e->text = malloc(size + 1);
	if (!e->text)
		return fail_errno(e);
	while (len < size && n > 0) {
		n = read(e->fd, e->text + len, size - len);
		if (n == -1)
			return fail_errno(e);
		len += (size_t)n;
	}
	e->text[len] = '\0';
	return strlen(e->text) == len ? 0 : fail(e, "it has a NUL byte");
}

static bool
is_entry_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncmp(line, name, len) == 0 && (line[len] == ':' || line[len] == '\0');
}

/* The line of the new entry, from the old fields. Returns 0, or -1 and why. */
static int
make_line(struct edit *e, const char *old[USERS_FIELDS], unsigned number, char *line)
{
	size_t len = 0, last = 0;
	struct user user;
	char wrong[128];

	for (size_t i = 0; i < USERS_FIELDS; i++) {
		const char *given = e->change->fields[i];
		const char *field = given ? given : old[i];

		len += (size_t)snprintf(line + len,
			len < FIELD_ROOM ? FIELD_ROOM - len : 0, "%s%s", i > 0 ? ":" : "",
			field);
		if (len >= FIELD_ROOM)
			return fail(e, "the entry would be too long");
		if (field[0] != '\0')
			last = len;
	}
	line[last] = '\0'; /* empty fields at the end are left out */
	if (user_parse(&user, line, wrong, sizeof(wrong)) == 0) {
		user_free(&user);
		return 0;
	}
	snprintf(e->why, e->size, "%s:%u: %s", e->path, number, wrong);
	return -1;
}

/* Writes what becomes of one entry of the file. */
static int
put_changed(struct edit *e, FILE *out, char *line, unsigned number)
{
	const char *fields[USERS_FIELDS];
	char fresh[FIELD_ROOM];

	if (e->change->remove)
		return 0;
	line[strcspn(line, "\r")] = '\0';
	if (users_split(line, fields) == -1) {
		snprintf(e->why, e->size, "%s:%u: too many colons", e->path, number);
		return -1;
	}
	if (make_line(e, fields, number, fresh) == -1)
		return -1;
	fprintf(out, "%s\n", fresh);
	return 0;
}

static int
put_new(struct edit *e, FILE *out, unsigned number)
{
	static const char *const none[USERS_FIELDS] = { "", "", "", "", "", "" };
	const char *fields[USERS_FIELDS];
	char fresh[FIELD_ROOM];

	if (e->change->remove || !e->change->fields[USERS_HASH])
		return fail(e, "there is no such user");
	memcpy(fields, none, sizeof(fields));
	if (make_line(e, fields, number, fresh) == -1)
		return -1;
	fprintf(out, "%s\n", fresh);
	return 0;
}

/* Copies all lines, those of the name changed. */
static int
put_all(struct edit *e, FILE *out)
{
	const char *name = e->change->fields[USERS_NAME];
	unsigned number = 0, found = 0;

	for (char *line = e->text, *next; *line != '\0'; line = next) {
		size_t len = strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		number++;
		if (users_is_comment(line) || !is_entry_of(line, name)) {
			fprintf(out, "%s\n", line);
			continue;
		}
		if (found++ > 0 && !e->change->remove)
			return fail(e, "that user stands there twice");
		if (put_changed(e, out, line, number) == -1)
			return -1;
	}
	return found > 0 ? 0 : put_new(e, out, number + 1);
}

static char *
join(const char *text, const char *end)
{
	size_t size = strlen(text) + strlen(end) + 1;
	char *joined = malloc(size);

	if (joined)
		snprintf(joined, size, "%s%s", text, end);
	return joined;
}

/* The old one's owner; its group too, where we may. */
static int
own(struct edit *e, int fd)
{
	if (fchmod(fd, S_IRUSR | S_IWUSR) == -1)
		return -1;
	if (fchown(fd, e->st.st_uid, e->st.st_gid) == 0)
		return 0;
	return fchown(fd, e->st.st_uid, (gid_t)-1);
}

static int
write_temp(struct edit *e)
{
	char *temp = join(e->path, ".XXXXXX");
	int fd = temp ? mkstemp(temp) : -1;
	FILE *out = fd == -1 ? NULL : fdopen(fd, "w");
	int result;

	if (fd == -1)
		free(temp);
	else
		e->temp = temp;
	if (!out) {
		result = fail_errno(e);
		io_close(&fd);
		return result;
	}
	result = put_all(e, out);
	if (result == 0 &&
		(fflush(out) == EOF || ferror(out) || own(e, fd) == -1 ||
			fsync(fd) == -1))
		result = fail_errno(e);
	if (fclose(out) == EOF && result == 0)
		result = fail_errno(e);
	return result;
}

/* So that the new name, too, is still there after the power failed. */
static void
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd != -1)
		(void)fsync(fd);
	io_close(&fd);
	free(folder);
}

static int
edit(struct edit *e)
{
	if (lock_file(e) == -1 || read_text(e) == -1 || write_temp(e) == -1)
		return -1;
	if (rename(e->temp, e->path) == -1)
		return fail_errno(e);
	free(e->temp);
	e->temp = NULL;
	sync_folder(e->path);
	return 0;
}

int
edit_file(const char *path, const struct change *change, char *why, size_t size)
{
	struct edit e = { .change = change, .why = why, .size = size, .fd = -1 };
	int result;

	e.path = realpath(path, NULL);
	if (!e.path)
		e.path = strdup(path);
	if (!e.path) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	result = edit(&e);
	if (e.temp)
		unlink(e.temp);
	/* The one that we made for its lock, and that holds nothing. */
	if (result == -1 && e.made && e.fd != -1)
		unlink(e.path);
	io_close(&e.fd);
	free(e.temp);
	free(e.text);
	free(e.path);
	return result;
}
