/* SPDX-License-Identifier: ISC */
/*
 * Lines to stderr, to syslog or to a file. Run by the thread that writes the log, and by
 * whoever logs while there is none. A new file is opened by another thread and handed
 * over in new_fd, for only who writes may close the old one. Does not log.
 */
#include "config.h"
#include "log_out.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "log_file.h"
#include "log_syslog.h"

enum place { TO_STDERR, TO_SYSLOG, TO_FILE };

/* One write, no larger than a pipe takes as one piece among other writers. */
#define PREFIX_SIZE (LOG_DATE + 128)
_Static_assert(PREFIX_SIZE + LOG_LINE + 1 <= sizeof(((struct log_line *)0)->bytes),
	"a line is written whole");

/* Set while there is one thread, and only read then. */
static const char *ident = "";
static char prefix[PREFIX_SIZE]; /* of a line on stderr */
static bool foreground = true;
static enum place place = TO_STDERR;
static struct log_file file;

static int file_fd = -1; /* of who writes */
static _Atomic int new_fd = -1;

static void
close_files(void)
{
	int fd = atomic_exchange(&new_fd, -1);

	io_close(&fd);
	io_close(&file_fd);
	log_file_forget(&file);
}

void
log_out_open(const char *name, int facility, bool to_stderr)
{
	ident = name;
	snprintf(prefix, sizeof(prefix), "%.64s: ", name);
	foreground = to_stderr;
	place = to_stderr ? TO_STDERR : TO_SYSLOG;
	tzset();
	close_files();
	if (to_stderr)
		log_syslog_close();
	else
		log_syslog_open(name, facility);
}

const char *
log_out_to_file(const char *path, uid_t owner)
{
	const char *why;

	close_files();
	why = log_file_place(&file, path, owner);
	if (!why)
		why = log_file_open(&file, &file_fd);
	if (why) {
		log_file_forget(&file);
		return why;
	}
	log_syslog_close();
	place = TO_FILE;
	return NULL;
}

void
log_out_start(void)
{
	snprintf(prefix, sizeof(prefix), "%.64s[%ld]: ", ident, (long)getpid());
	if (place == TO_FILE && foreground)
		dprintf(STDERR_FILENO, "%slog: from here on in %s\n", prefix, file.path);
}

static void
begin(struct log_line *l, const struct log_record *r, const char *text, enum place to)
{
	char date[LOG_DATE];

	l->r = r;
	l->text = text;
	l->done = 0;
	if (to == TO_FILE)
		l->len = (size_t)snprintf(l->bytes, PREFIX_SIZE,
			"%s %.64s[%ld]: ", log_date_iso(date, r->at_ms), ident,
			(long)getpid());
	else
		l->len = (size_t)snprintf(l->bytes, PREFIX_SIZE, "%s", prefix);
	memcpy(l->bytes + l->len, text, r->len);
	l->len += r->len;
	l->bytes[l->len++] = '\n';
}

static int
write_rest(int fd, struct log_line *l)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	while (l->done < l->len) {
		ssize_t n = write(fd, l->bytes + l->done, l->len - l->done);

		if (n >= 0)
			l->done += (size_t)n;
		else if (errno == EAGAIN)
			/* Another user of the same terminal or pipe made it so. */
			poll(&p, 1, -1);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

static int
write_stderr(struct log_line *l)
{
	return write_rest(STDERR_FILENO, l);
}

static int
write_syslog(struct log_line *l)
{
	return log_syslog_send(l->r, l->text);
}

/* Changes to a new file, if fd is one. Returns whether it is. */
static bool
change_to(int fd)
{
	if (fd == -1)
		return false;
	io_close(&file_fd);
	file_fd = fd;
	return true;
}

/* A deleted file is made again, since what is written to it would be lost unseen. */
static int
write_file(struct log_line *l)
{
	bool changed = change_to(atomic_exchange(&new_fd, -1));
	int fd = -1;

	if (log_file_deleted(file_fd)) {
		if (log_file_open(&file, &fd)) {
			errno = ENOENT;
			return -1;
		}
		changed = change_to(fd);
	}
	if (changed)
		l->done = 0; /* what the old file has of it helps nobody here */
	return write_rest(file_fd, l);
}

static int (*const write_to[])(struct log_line *l) = {
	[TO_STDERR] = write_stderr,
	[TO_SYSLOG] = write_syslog,
	[TO_FILE] = write_file,
};

void
log_out_begin(struct log_line *l, const struct log_record *r, const char *text)
{
	begin(l, r, text, place);
}

int
log_out_write(struct log_line *l)
{
	return write_to[place](l);
}

int
log_out_write_both(const struct log_record *r, const char *text)
{
	struct log_line l;
	int result;

	begin(&l, r, text, TO_STDERR);
	result = write_stderr(&l);
	if (place == TO_STDERR)
		return result;
	begin(&l, r, text, place);
	return log_out_write(&l);
}

const char *
log_out_reopen(void)
{
	const char *why;
	int fd = -1;

	if (place != TO_FILE)
		return NULL;
	why = log_file_open(&file, &fd);
	if (why)
		return why;
	fd = atomic_exchange(&new_fd, fd);
	io_close(&fd); /* the one before, if nobody has taken it */
	return NULL;
}

void
log_out_renew(void)
{
	(void)change_to(atomic_exchange(&new_fd, -1));
}

const char *
log_out_path(void)
{
	return file.path;
}
