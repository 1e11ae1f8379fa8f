/* SPDX-License-Identifier: ISC */
/*
 * The lines of a reply as rows of a table. Lines are searched each time, not taken apart:
 * which keys there are is the daemon's business, and may change.
 */
#include "config.h"
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
rows_split(struct rows *rows, char *text)
{
	size_t n = 0;
	char *end;

	for (const char *at = text; (at = strchr(at, '\n')); at++)
		n++;
	*rows = (struct rows){ calloc(n + 1, sizeof(*rows->line)), 0 };
	if (!rows->line)
		return -1;
	for (; (end = strchr(text, '\n')); text = end + 1) {
		*end = '\0';
		rows->line[rows->n++] = text;
	}
	return 0;
}

void
rows_free(struct rows *rows)
{
	free(rows->line);
	*rows = (struct rows){ NULL, 0 };
}

bool
row_value(const char *line, const char *key, struct value *value)
{
	size_t key_len = strlen(key);

	for (line += strspn(line, " "); *line != '\0'; line += strspn(line, " ")) {
		size_t len = strcspn(line, " ");

		if (len > key_len && line[key_len] == '=' &&
			memcmp(line, key, key_len) == 0) {
			*value = (struct value){ line + key_len + 1, len - key_len - 1 };
			return true;
		}
		line += len;
	}
	return false;
}

int
value_compare(const struct value *a, const struct value *b)
{
	int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Digits, and perhaps a fraction. */
static bool
parse_number(const struct value *value, double *number)
{
	char text[64];
	size_t digits, rest;

	if (value->len == 0 || value->len >= sizeof(text))
		return false;
	memcpy(text, value->at, value->len);
	text[value->len] = '\0';
	digits = strspn(text, "0123456789");
	rest = text[digits] == '.' ? 1 + strspn(text + digits + 1, "0123456789") : 0;
	if (digits == 0 || digits + rest < value->len)
		return false;
	*number = strtod(text, NULL);
	return true;
}

double
row_number(const char *line, const char *key)
{
	struct value value;
	double number;

	return row_value(line, key, &value) && parse_number(&value, &number) ? number : 0;
}

bool
rows_have(const struct rows *rows, const char *key)
{
	struct value value;

	for (size_t i = 0; i < rows->n; i++)
		if (row_value(rows->line[i], key, &value))
			return true;
	return false;
}

/* Whether VALUE was meant as a network, so that a mistake in it must be told. */
static bool
looks_like_net(const char *value)
{
	const char *digits =
		strchr(value, ':') ? "0123456789abcdefABCDEF.:/" : "0123456789./";

	return strchr(value, '/') && value[strspn(value, digits)] == '\0';
}

const char *
filter_parse(struct filter *f, char *word)
{
	char *equals = strchr(word, '=');
	const char *why;

	if (!equals || equals == word || equals[1] == '\0')
		return "KEY=VALUE is wanted";
	*equals = '\0';
	*f = (struct filter){ .key = word, .value = equals + 1 };
	f->is_net = cidr_parse(&f->net, f->value, &why) == 0;
	return !f->is_net && looks_like_net(f->value) ? why : NULL;
}

/* '*' is any text: after a mismatch behind one, it takes in one byte more. */
static bool
is_like(const struct value *value, const char *pattern)
{
	const char *at = value->at, *end = at + value->len;
	const char *star = NULL, *star_at = NULL;

	while (at < end) {
		if (*pattern == '*') {
			star = ++pattern;
			star_at = at;
		} else if (*pattern == *at) {
			pattern++;
			at++;
		} else if (star) {
			pattern = star;
			at = ++star_at;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* "HOST" of "HOST:PORT", "ADDRESS" of "[ADDRESS]:PORT"; else value as it is. */
static struct value
without_port(struct value value)
{
	size_t digits = 0;

	while (digits < value.len &&
		strchr("0123456789", value.at[value.len - 1 - digits]))
		digits++;
	if (digits == 0 || digits + 1 >= value.len ||
		value.at[value.len - 1 - digits] != ':')
		return value;
	value.len -= digits + 1;
	if (value.at[0] == '[' && value.at[value.len - 1] == ']')
		return (struct value){ value.at + 1, value.len - 2 };
	return value;
}

static bool
is_of_net(const struct value *host, const struct cidr *net)
{
	char text[64];
	struct addr addr;

	if (host->len >= sizeof(text))
		return false;
	memcpy(text, host->at, host->len);
	text[host->len] = '\0';
	return addr_from_text(&addr, text, 0) && cidr_holds(net, &addr);
}

static bool
wants(const struct filter *f, const char *line)
{
	struct value value, host;

	if (!row_value(line, f->key, &value))
		return false;
	host = without_port(value);
	if (f->is_net && (is_of_net(&value, &f->net) || is_of_net(&host, &f->net)))
		return true;
	return is_like(&value, f->value) || is_like(&host, f->value);
}

static bool
all_want(const struct filter *filters, size_t n, const char *line)
{
	for (size_t i = 0; i < n; i++) {
		bool wanted = false;

		for (size_t k = 0; k < n && !wanted; k++)
			wanted = strcmp(filters[k].key, filters[i].key) == 0 &&
				wants(&filters[k], line);
		if (!wanted)
			return false;
	}
	return true;
}

void
rows_sift(struct rows *rows, const struct filter *filters, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (all_want(filters, n, rows->line[i]))
			rows->line[kept++] = rows->line[i];
	rows->n = kept;
}

/* What a line is sorted by. */
struct place {
	char *line;
	size_t index;
	enum { PLACE_NUMBER, PLACE_TEXT, PLACE_NONE } kind;
	double number;
	struct value text;
};

static struct place
place_of(char *line, size_t index, const char *key)
{
	struct place p = { .line = line, .index = index, .kind = PLACE_NONE };

	if (!row_value(line, key, &p.text) || (p.text.len == 1 && *p.text.at == '-'))
		return p;
	p.kind = parse_number(&p.text, &p.number) ? PLACE_NUMBER : PLACE_TEXT;
	return p;
}

static int
compare(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int order = 0;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == PLACE_NUMBER)
		order = (a->number < b->number) - (a->number > b->number);
	else if (a->kind == PLACE_TEXT)
		order = value_compare(&a->text, &b->text);
	return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

int
rows_sort(struct rows *rows, const char *key)
{
	struct place *places = calloc(rows->n + 1, sizeof(*places));

	if (!places)
		return -1;
	for (size_t i = 0; i < rows->n; i++)
		places[i] = place_of(rows->line[i], i, key);
	qsort(places, rows->n, sizeof(*places), compare);
	for (size_t i = 0; i < rows->n; i++)
		rows->line[i] = places[i].line;
	free(places);
	return 0;
}
