/* SPDX-License-Identifier: ISC */
/*
 * Reads a configuration file and its includes into one text. A scanner goes over each
 * file once and knows just enough of libconfig's grammar for that: comments, strings,
 * numbers, names, and nothing of what they mean. It copies what libconfig shall see into
 * the text, newline for newline, and goes on after an error, so that all are told. Runs
 * in the main thread, or whichever reads a configuration; no state of its own, no log.
 */
#include "config.h"
#include "conf_text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 1024 * 1024, DEPTH_MAX = 10, NO_HOLE = 0 };

/* The path of a file that was read; kept for messages. */
struct file {
	struct file *next;
	char path[];
};

/* From line number first of the text on, lines are those of file from line on. */
struct segment {
	unsigned first, line;
	const struct file *file;
};

struct conf_text {
	char *buf;
	size_t len, size;
	unsigned line; /* the one that is being written, from 1 */
	struct segment *segments;
	size_t segment_count;
	struct file *files;
};

/* What is common to all files of one conf_text_read. */
struct reader {
	struct conf_text *text;
	conf_complain *complain;
	void *arg;
	bool failed;
	size_t left; /* bytes that may still be read */
	size_t hole; /* in the text: the blank behind the last string, or NO_HOLE */
};

/* A file that is being scanned; data ends with a NUL, and holds no other one. */
struct source {
	struct source *up; /* the one that includes it */
	const struct file *file;
	struct stat st;
	char *data;
	const char *p;
	unsigned line;
	bool fresh; /* nothing but blanks so far in this line */
};

/* An error in at's line, or, when at is NULL, of a path that message names itself. */
static void __attribute__((format(printf, 4, 5)))
fail(struct reader *r, const struct source *at, unsigned line, const char *fmt, ...)
{
	char message[2048];
	int n = 0;
	va_list ap;

	if (at != NULL)
		n = snprintf(message, sizeof(message), "%s:%u: ", at->file->path, line);
	if (n < 0 || (size_t)n >= sizeof(message))
		n = 0;
	va_start(ap, fmt);
	vsnprintf(message + n, sizeof(message) - (size_t)n, fmt, ap);
	va_end(ap);
	r->failed = true;
	r->complain(r->arg, message);
}

/* room_for saw to it that there is room. */
static void
put(struct reader *r, const char *bytes, size_t n)
{
	struct conf_text *text = r->text;

	assert(n < text->size - text->len);
	memcpy(text->buf + text->len, bytes, n);
	text->len += n;
}

static void
put_char(struct reader *r, char c)
{
	put(r, &c, 1);
	if (c == '\n')
		r->text->line++;
}

/*
 * Room for all that a file of size bytes can become: a string (2 bytes or more) grows by
 * its hole, a large number by its L; a newline and a NUL stand at the end.
 */
static int
room_for(struct conf_text *text, size_t size)
{
	char *buf = realloc(text->buf, text->size + 2 * size + 2);

	if (buf == NULL)
		return -1;
	text->buf = buf;
	text->size += 2 * size + 2;
	return 0;
}

/* What is written from now on comes from s's present line on. */
static int
add_segment(struct conf_text *text, const struct source *s)
{
	size_t n = text->segment_count;
	struct segment *grown = realloc(text->segments, (n + 1) * sizeof(*grown));

	if (grown == NULL)
		return -1;
	text->segments = grown;
	grown[n] = (struct segment){ text->line, s->line, s->file };
	text->segment_count++;
	return 0;
}

static const struct file *
add_file(struct conf_text *text, const char *path)
{
	size_t size = strlen(path) + 1;
	struct file *f = malloc(sizeof(*f) + size);

	if (f == NULL)
		return NULL;
	memcpy(f->path, path, size);
	f->next = text->files;
	text->files = f;
	return f;
}

/* Reads at most size bytes; a regular file does not keep anyone waiting. */
static ssize_t
read_all(int fd, char *data, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < size && n > 0) {
		n = read(fd, data + len, size - len);
		if (n > 0)
			len += (size_t)n;
	}
	return n < 0 ? -1 : (ssize_t)len;
}

/*
 * Reads the open file into s->data, and makes room for it in the text. Returns NULL, or
 * what is wrong with it.
 */
static const char *
load(struct reader *r, struct source *s, int fd)
{
	ssize_t n;

	if (fstat(fd, &s->st) == -1)
		return strerror(errno);
	if (S_ISDIR(s->st.st_mode))
		return strerror(EISDIR);
	if (!S_ISREG(s->st.st_mode))
		return "not a regular file";
	s->data = malloc(r->left + 2);
	if (s->data == NULL)
		return strerror(ENOMEM);
	n = read_all(fd, s->data, r->left + 1);
	if (n == -1)
		return strerror(errno);
	if ((size_t)n > r->left)
		return "more than 1 MiB of configuration";
	s->data[n] = '\0';
	r->left -= (size_t)n;
	return room_for(r->text, (size_t)n) == 0 ? NULL : strerror(ENOMEM);
}

static const char *
open_source(struct reader *r, struct source *s, const char *path)
{
	const char *why;
	int fd;

	s->file = add_file(r->text, path);
	if (s->file == NULL)
		return strerror(ENOMEM);
	/* O_NONBLOCK: the open of a FIFO would wait for its writer. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		return strerror(errno);
	why = load(r, s, fd);
	close(fd);
	return why;
}

/* Why a file may not be included where it is: a loop, or too deep. NULL if it may. */
static const char *
misplaced(const struct source *s)
{
	int depth = 0;

	for (const struct source *up = s->up; up != NULL; up = up->up) {
		if (up->st.st_dev == s->st.st_dev && up->st.st_ino == s->st.st_ino)
			return "includes itself";
		if (++depth > DEPTH_MAX)
			return "includes nested too deep";
	}
	return NULL;
}

static bool
is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '*';
}

static bool
is_name(char c)
{
	return isalnum((unsigned char)c) || c == '*' || c == '-' || c == '_';
}

static void
scan_name(struct reader *r, struct source *s)
{
	const char *start = s->p;

	while (is_name(*s->p))
		s->p++;
	put(r, start, (size_t)(s->p - start));
}

/* Also goes over what is left of a line that cannot be understood. */
static void
skip_line(struct source *s)
{
	s->p += strcspn(s->p, "\n");
}

static void
skip_comment(struct reader *r, struct source *s)
{
	unsigned opened = s->line;

	for (s->p += 2; *s->p != '\0'; s->p++) {
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			put_char(r, ' '); /* it parted what stands around it */
			return;
		}
		if (*s->p == '\n') {
			put_char(r, '\n');
			s->line++;
		}
	}
	fail(r, s, opened, "the comment that begins here has no end");
}

/*
 * Where a string on one line ends: behind its closing quote, or NULL. libconfig knows
 * more escapes than \" and \\, but no other that holds a quote.
 */
static const char *
string_end(const char *p)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (*p == '\0' || *p == '\n')
			return NULL;
	}
	return p + 1;
}

static bool
has_nul_escape(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p != '\\')
			continue;
		if (strncmp(p, "\\x00", 4) == 0)
			return true;
		p++;
	}
	return false;
}

static void
scan_string(struct reader *r, struct source *s)
{
	const char *start = s->p, *end = string_end(start);

	if (end == NULL) {
		fail(r, s, s->line,
			"the string that begins here does not end on its line");
		skip_line(s);
		return;
	}
	if (has_nul_escape(start, end))
		fail(r, s, s->line, "a NUL byte in a string");
	put(r, start, (size_t)(end - start));
	r->hole = r->text->len;
	put_char(r, ' ');
	s->p = end;
}

/* Behind digits, or a point and digits, or p itself: where the exponent ends. */
static const char *
exponent_end(const char *p)
{
	const char *q = p;

	if (*q != 'e' && *q != 'E')
		return p;
	q++;
	if (*q == '+' || *q == '-')
		q++;
	if (!isdigit((unsigned char)*q))
		return p;
	return q + strspn(q, "0123456789");
}

/* An integer from s->p to end, without its suffix. */
static void
scan_integer(struct reader *r, struct source *s, const char *end, int base)
{
	char large[32];
	long long value = strtoll(s->p, NULL, base); /* cut to the largest it can be */
	int n;

	if (value >= INT_MIN && value <= INT_MAX) {
		put(r, s->p, (size_t)(end - s->p));
		large[0] = ' ';
		n = *end == 'L';
	} else {
		n = snprintf(large, sizeof(large), "%lldL", value);
	}
	put(r, large, (size_t)n);
	s->p = end;
	for (int i = 0; i < 2 && *s->p == 'L'; i++)
		s->p++;
}

/* As libconfig reads it: the longest that is a number, whatever comes behind. */
static void
scan_number(struct reader *r, struct source *s)
{
	const char *digits = s->p + (*s->p == '+' || *s->p == '-');
	const char *end = digits + strspn(digits, "0123456789");
	bool whole = end > digits;

	if (strncmp(s->p, "0x", 2) == 0 || strncmp(s->p, "0X", 2) == 0) {
		size_t n = strspn(s->p + 2, "0123456789ABCDEFabcdef");

		if (n > 0) {
			scan_integer(r, s, s->p + 2 + n, 16);
			return;
		}
	}
	if (*end == '.') {
		whole = false;
		end++;
		end += strspn(end, "0123456789");
	}
	if (whole && exponent_end(end) == end) {
		scan_integer(r, s, end, 10);
		return;
	}
	end = exponent_end(end);
	put(r, s->p, (size_t)(end - s->p));
	s->p = end;
}

/*
 * libconfig looks beyond a string for the next piece of it before it takes it, and then
 * gives it the line of what it saw. In a list written one string a line that is the line
 * of the closing bracket; so what follows the string is moved up into the hole behind it.
 */
static void
scan_other(struct reader *r, struct source *s, size_t hole)
{
	char c = *s->p++;

	if (hole != NO_HOLE && strchr(",)]", c) != NULL) {
		r->text->buf[hole] = c;
		c = ' ';
	}
	put_char(r, c);
}

static void scan_include(struct reader *r, struct source *s);

/* One token that is not blank. */
static void
scan_token(struct reader *r, struct source *s)
{
	size_t hole = r->hole;
	char c = *s->p;

	r->hole = NO_HOLE;
	if (c == '@')
		scan_include(r, s);
	else if (c == '"')
		scan_string(r, s);
	else if (is_name_start(c))
		scan_name(r, s);
	else if (isdigit((unsigned char)c) || c == '+' || c == '-' || c == '.')
		scan_number(r, s);
	else
		scan_other(r, s, hole);
	s->fresh = false;
}

static void
scan(struct reader *r, struct source *s)
{
	while (*s->p != '\0') {
		if (*s->p == '\n') {
			put_char(r, *s->p++);
			s->line++;
			s->fresh = true;
		} else if (isspace((unsigned char)*s->p)) {
			put_char(r, *s->p++);
		} else if (*s->p == '#' || strncmp(s->p, "//", 2) == 0) {
			skip_line(s);
		} else if (strncmp(s->p, "/*", 2) == 0) {
			skip_comment(r, s);
		} else {
			scan_token(r, s);
		}
	}
	if (r->text->len > 0 && r->text->buf[r->text->len - 1] != '\n')
		put_char(r, '\n');
}

/* What would hide the rest of the file from a reader of C strings. False: scan no
 * further. */
static bool
is_text(struct reader *r, struct source *s, size_t size)
{
	const char *nul = memchr(s->data, '\0', size);
	unsigned line = 1;

	if (strncmp(s->data, "\xEF\xBB\xBF", 3) == 0) {
		fail(r, s, 1, "a byte order mark (BOM) at the start of the file");
		s->p += 3;
	}
	if (nul == NULL)
		return true;
	for (const char *p = s->data; p < nul; p++)
		line += *p == '\n';
	fail(r, s, line, "a NUL byte");
	return false;
}

/* Reads a file into the text; up is the one that includes it, or NULL. */
static void
read_source(struct reader *r, struct source *up, const char *path)
{
	struct source s = { .up = up, .line = 1, .fresh = true };
	size_t before = r->left;
	const char *why = open_source(r, &s, path);

	if (why == NULL)
		why = misplaced(&s);
	s.p = s.data;
	if (why == NULL && add_segment(r->text, &s) == -1)
		why = strerror(ENOMEM);
	if (why != NULL)
		fail(r, up, up == NULL ? 0 : up->line, "%s: %s", path, why);
	else if (is_text(r, &s, before - r->left))
		scan(r, &s);
	free(s.data);
}

/*
 * The file name of an include: from the quote p stands at to end, without the backslashes
 * that quote, and in the folder of from. Returns it, malloc'd, or NULL.
 */
static char *
include_path(const char *from, const char *p, const char *end)
{
	const char *slash = strrchr(from, '/');
	size_t folder = p[1] == '/' || slash == NULL ? 0 : (size_t)(slash - from) + 1;
	char *path = malloc(folder + (size_t)(end - p)), *to;

	if (path == NULL)
		return NULL;
	memcpy(path, from, folder);
	to = path + folder;
	for (p++; p < end - 1; p++) {
		if (*p == '\\')
			p++;
		*to++ = *p;
	}
	*to = '\0';
	return path;
}

/*
 * libconfig must not see an include, nor does its grammar have another use for '@'. What
 * stands behind the include is read on as if it had a line to itself.
 */
static void
scan_include(struct reader *r, struct source *s)
{
	static const char word[] = "@include";
	size_t n = sizeof(word) - 1;
	const char *name = s->p, *end = NULL;
	char *path;

	if (s->fresh && strncmp(name, word, n) == 0) {
		name += n + strspn(name + n, " \t");
		if (*name == '"')
			end = string_end(name);
	}
	if (end == NULL) {
		fail(r, s, s->line,
			"syntax error: @include \"FILE\" wants a line to itself");
		skip_line(s);
		return;
	}
	s->p = end;
	path = include_path(s->file->path, name, end);
	if (path != NULL)
		read_source(r, s, path);
	if (path == NULL || add_segment(r->text, s) == -1)
		fail(r, s, s->line, "%s", strerror(ENOMEM));
	free(path);
}

struct conf_text *
conf_text_read(const char *path, conf_complain *complain, void *arg)
{
	struct reader r = { .complain = complain, .arg = arg, .left = TEXT_MAX };

	r.text = calloc(1, sizeof(*r.text));
	if (r.text == NULL) {
		fail(&r, NULL, 0, "%s: %s", path, strerror(ENOMEM));
		return NULL;
	}
	r.text->line = 1;
	read_source(&r, NULL, path);
	if (r.failed) {
		conf_text_free(r.text);
		return NULL;
	}
	r.text->buf[r.text->len] = '\0';
	return r.text;
}

const char *
conf_text_string(const struct conf_text *text)
{
	return text->buf;
}

const char *
conf_text_origin(const struct conf_text *text, unsigned line, unsigned *file_line)
{
	const struct segment *seg;
	unsigned last = text->line > 1 ? text->line - 1 : 1;

	if (line > last)
		line = last;
	seg = text->segments + text->segment_count - 1;
	while (seg > text->segments && seg->first > line)
		seg--;
	*file_line = seg->line + (line - seg->first);
	return seg->file->path;
}

void
conf_text_free(struct conf_text *text)
{
	if (text == NULL)
		return;
	while (text->files != NULL) {
		struct file *f = text->files;

		text->files = f->next;
		free(f);
	}
	free(text->segments);
	free(text->buf);
	free(text);
}
