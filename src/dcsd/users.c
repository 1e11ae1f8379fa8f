/* SPDX-License-Identifier: ISC */
/*
 * The users file: a line, and all of them. Whoever writes it (dcsd-passwd) and whoever
 * reads it (dcsd) both go by this. Does not log. A struct users is not changed once it
 * is read, so that any thread may look things up.
 */
#include "config.h"
#include "users.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "io.h"
#include "secret_file.h"

#define FILE_MAX	(16 * 1024 * 1024)
#define MAX_TUNNELS_MAX 1000000

struct users {
	struct user *list; /* by name */
	size_t n;
	char first[HASH_SIZE]; /* of the entry that stands first in the file */
};

static bool
is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

bool
users_name_ok(const void *name, size_t len)
{
	const unsigned char *at = name;

	if (len == 0 || len > USERS_NAME_MAX || memchr("#@*", at[0], 3) || at[0] == ' ' ||
		at[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (is_control(at[i]) || at[i] == ':')
			return false;
	return true;
}

bool
users_is_comment(const char *line)
{
	return line[0] == '#' || line[0] == '\0';
}

/* The next colon, but none within [ ] of NETWORKS. */
static char *
field_end(char *at, int field)
{
	bool inside = false;

	for (; *at != '\0'; at++) {
		if (field == USERS_NETWORKS && (*at == '[' || *at == ']'))
			inside = *at == '[';
		else if (*at == ':' && !inside)
			break;
	}
	return at;
}

int
users_split(char *line, const char *fields[USERS_FIELDS])
{
	for (int i = 0; i < USERS_FIELDS; i++) {
		char *end = field_end(line, i);

		fields[i] = line;
		if (*end == ':') {
			*end++ = '\0';
			if (i == USERS_FIELDS - 1)
				return -1;
		}
		line = end;
	}
	return 0;
}

/* All digits, len of them. Returns the number, or -1. */
static int
digits(const char *text, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

static int
days_of(int month, int year)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Each parses one field that is not empty; returns NULL, or what is wrong. */
static const char *
parse_expires(struct user *user, const char *text)
{
	int year, month, day;

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
		return "not a date, as 2026-12-31";
	year = digits(text, 4);
	month = digits(text + 5, 2);
	day = digits(text + 8, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of(month, year))
		return "there is no such day";
	user->expires = (unsigned)(year * 10000 + month * 100 + day);
	return NULL;
}

static const char *
parse_max_tunnels(struct user *user, const char *text)
{
	int n = strlen(text) <= 7 ? digits(text, strlen(text)) : -1;

	if (n < 0 || n > MAX_TUNNELS_MAX)
		return "not a number from 0 to 1000000";
	user->max_tunnels = (unsigned)n;
	return NULL;
}

static const char *
add_network(struct cidrs *networks, const char *text, size_t len)
{
	bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	char one[CIDR_TEXT];
	const char *why;
	struct cidr cidr;

	if (bracketed) {
		text++;
		len -= 2;
	}
	snprintf(one, sizeof(one), "%.*s", len < sizeof(one) ? (int)len : 0, text);
	if (cidr_parse(&cidr, one, &why) == -1)
		return why;
	return cidrs_add(networks, &cidr) == -1 ? strerror(ENOMEM) : NULL;
}

static const char *
parse_networks(struct user *user, const char *text)
{
	const char *why = NULL;

	while (!why) {
		size_t len = strcspn(text, ",");

		why = add_network(&user->networks, text, len);
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	return why;
}

/* A group's name is as a user's, but without a space. */
static const char *
parse_groups(struct user *user, const char *text)
{
	if (strlen(text) > USERS_GROUPS_MAX)
		return "too long";
	user->groups = text;
	for (;;) {
		size_t len = strcspn(text, ",");

		if (!users_name_ok(text, len) || memchr(text, ' ', len))
			return "not the names of groups";
		if (text[len] == '\0')
			return NULL;
		text += len + 1;
	}
}

static const char *
parse_name(struct user *user, const char *text)
{
	user->name = text;
	return users_name_ok(text, strlen(text)) ? NULL : "not the name of a user";
}

static const char *
parse_hash(struct user *user, const char *text)
{
	const char *why;

	user->hash = text;
	return hash_well_formed(text, &why) ? NULL : why;
}

static const struct {
	const char *name;
	const char *(*parse)(struct user *user, const char *text);
	bool needed;
} rows[USERS_FIELDS] = {
	[USERS_NAME] = { "NAME", parse_name, true },
	[USERS_HASH] = { "HASH", parse_hash, true },
	[USERS_EXPIRES] = { "EXPIRES", parse_expires, false },
	[USERS_MAX_TUNNELS] = { "MAX_TUNNELS", parse_max_tunnels, false },
	[USERS_NETWORKS] = { "NETWORKS", parse_networks, false },
	[USERS_GROUPS] = { "GROUPS", parse_groups, false },
};

const char *
users_check(enum users_field field, const char *text)
{
	struct user user = { .text = NULL };
	const char *wrong = NULL;

	if (rows[field].needed || text[0] != '\0')
		wrong = rows[field].parse(&user, text);
	user_free(&user);
	return wrong;
}

static int
parse_fields(struct user *user, const char *fields[USERS_FIELDS], char *why, size_t size)
{
	for (int i = 0; i < USERS_FIELDS; i++) {
		const char *wrong = NULL;

		if (rows[i].needed || fields[i][0] != '\0')
			wrong = rows[i].parse(user, fields[i]);
		if (wrong) {
			snprintf(why, size, "%s: %s", rows[i].name, wrong);
			return -1;
		}
	}
	return 0;
}

int
user_parse(struct user *user, const char *line, char *why, size_t size)
{
	const char *fields[USERS_FIELDS];

	*user = (struct user){ .groups = "", .text = strdup(line) };
	if (!user->text)
		snprintf(why, size, "%s", strerror(ENOMEM));
	else if (users_split(user->text, fields) == -1)
		snprintf(why, size, "too many colons (an IPv6 network stands in [ ])");
	else if (parse_fields(user, fields, why, size) == 0)
		return 0;
	user_free(user);
	return -1;
}

void
user_free(struct user *user)
{
	cidrs_free(&user->networks);
	free(user->text);
	user->text = NULL;
}

bool
user_expired(const struct user *user, time_t now)
{
	struct tm tm;

	if (user->expires == 0)
		return false;
	if (!gmtime_r(&now, &tm))
		return true;
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday >
		(int)user->expires;
}

int
users_open(const char *path, struct stat *st, char *why, size_t size)
{
	const char *wrong;
	int fd = secret_file_open(path, st, &wrong);

	if (fd != -1 && st->st_size > FILE_MAX) {
		wrong = "larger than 16 MiB";
		io_close(&fd);
	}
	if (fd == -1)
		snprintf(why, size, "%s: %s", path, wrong);
	return fd;
}

/* The errors of a file, as far as there is room for them. */
struct errors {
	const char *path;
	char *text;
	size_t size, len;
	unsigned n;
};

static void tell(struct errors *e, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void
tell(struct errors *e, unsigned line, const char *fmt, ...)
{
	char what[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	len = snprintf(e->text + e->len, e->size - e->len, "%s%s:%u: %s",
		e->n > 0 ? "\n" : "", e->path, line, what);
	e->n++;
	/* One that does not fit is left out whole, unless it is the first. */
	if (len > 0 && (size_t)len < e->size - e->len)
		e->len += (size_t)len;
	else if (e->len > 0)
		e->text[e->len] = '\0';
	else
		e->len = strlen(e->text);
}

/* Room for one more user behind the last, or NULL. */
static struct user *
room(struct users *users)
{
	struct user *list;

	/* Doubled at each power of two. */
	if ((users->n & (users->n - 1)) != 0)
		return &users->list[users->n];
	list = realloc(users->list, (users->n ? 2 * users->n : 1) * sizeof(*list));
	if (!list)
		return NULL;
	users->list = list;
	return &list[users->n];
}

/* A hash for each method: the system is asked about those that are new in the file. */
static bool
method_known(const struct users *users, const char *hash)
{
	/* From the last on: files have runs of one method. */
	for (size_t i = users->n; i > 0; i--)
		if (hash_same_method(users->list[i - 1].hash, hash))
			return true;
	return hash_known(hash);
}

static void
read_line(struct users *users, struct errors *e, unsigned number, char *line, size_t len)
{
	struct user *user;
	char why[256];

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		line[--len] = '\0';
	if (strlen(line) != len) {
		tell(e, number, "a NUL byte");
		return;
	}
	if (users_is_comment(line))
		return;
	user = room(users);
	if (!user) {
		tell(e, number, "%s", strerror(ENOMEM));
	} else if (user_parse(user, line, why, sizeof(why)) == -1) {
		tell(e, number, "%s", why);
	} else if (!method_known(users, user->hash)) {
		tell(e, number, "HASH: this system does not know its method");
		user_free(user);
	} else {
		user->line = number;
		if (users->n++ == 0)
			snprintf(users->first, sizeof(users->first), "%s", user->hash);
	}
}

static int
by_name(const void *a, const void *b)
{
	const struct user *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	if (order != 0)
		return order;
	return one->line < other->line ? -1 : 1;
}

static void
sort(struct users *users, struct errors *e)
{
	if (users->n > 1)
		qsort(users->list, users->n, sizeof(*users->list), by_name);
	for (size_t i = 1; i < users->n; i++)
		if (strcmp(users->list[i - 1].name, users->list[i].name) == 0)
			tell(e, users->list[i].line, "NAME: it stands in line %u already",
				users->list[i - 1].line);
}

static void
read_lines(FILE *file, struct users *users, struct errors *e)
{
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t len;

	while ((len = getline(&line, &size, file)) != -1)
		read_line(users, e, ++number, line, (size_t)len);
	if (!feof(file))
		tell(e, number + 1, "%s", strerror(errno));
	free(line);
}

struct users *
users_read(int fd, const char *path, char *why, size_t size)
{
	struct errors e = { .path = path, .text = why, .size = size };
	struct users *users = calloc(1, sizeof(*users));
	FILE *file = users ? fdopen(fd, "r") : NULL;

	if (!file) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		free(users);
		io_close(&fd);
		return NULL;
	}
	read_lines(file, users, &e);
	fclose(file);
	sort(users, &e);
	if (e.n == 0)
		return users;
	users_free(users);
	return NULL;
}

size_t
users_count(const struct users *users)
{
	return users->n;
}

const struct user *
users_find(const struct users *users, const char *name)
{
	size_t from = 0, to = users->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(name, users->list[middle].name);

		if (order == 0)
			return &users->list[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

const char *
users_first_hash(const struct users *users)
{
	return users->n > 0 ? users->first : NULL;
}

void
users_free(struct users *users)
{
	if (!users)
		return;
	for (size_t i = 0; i < users->n; i++)
		user_free(&users->list[i]);
	free(users->list);
	free(users);
}
