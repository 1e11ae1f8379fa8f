/* SPDX-License-Identifier: ISC */
/*
 * The man pages against the code, both ways: options, keys of the configuration with
 * their ranges and defaults, and end reasons. In the pages these stand in lists, as
 * ".It Fl c , -config ...", ".It Va log.level" and, under "End reasons", ".It Li idle".
 * The pages are those in $srcdir/doc.
 */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dcsd.h"
#include "ends.h"
#include "options.h"
#include "ppp_conf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH_SIZE    128 /* of a key with its groups, as "routes.listen" */

static struct dcsd_conf dcsd;
static struct ppp_conf ppp;

#define END_WORD(name, word, text) word,
static const char *const ends[] = { END_TABLE(END_WORD) };

/* A daemon and its two pages. */
static const struct manual {
	const char *page, *conf_page;
	const struct option_row *options;
	const struct conf_key *keys;
	const void *defaults;  /* the struct that keys fill */
	const char *no_end[6]; /* reasons that this daemon never gives */
} manuals[] = {
	{ "dcsd.8", "dcsd.conf.5", dcsd_options, dcsd_keys, &dcsd, { NULL } },
	{ "pppd-socks.8", "pppd-socks.conf.5", ppp_options, ppp_keys, &ppp,
		{ "bad-request", "handshake-timeout", "auth-failed", NULL } },
};

/* The page that a test looks at. */
static const char *page;
static char text[256 * 1024];

static void
open_page(const char *name)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *f;
	size_t n;

	page = name;
	snprintf(path, sizeof(path), "%s/doc/%s", srcdir ? srcdir : ".", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s cannot be opened", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	ck_assert_msg(n > 0 && n < sizeof(text) - 1, "%s: empty or too large", path);
	text[n] = '\0';
}

/* Leaves only what stands under that heading, up to the next one. */
static void
cut_section(const char *head)
{
	static const char *const next[] = { "\n.Ss ", "\n.Sh " };
	char *begin = strstr(text, head), *end;

	ck_assert_msg(begin != NULL, "%s: there is no %s", page, head);
	begin += strlen(head);
	for (size_t i = 0; i < COUNT(next); i++) {
		end = strstr(begin, next[i]);
		if (end)
			*end = '\0';
	}
	memmove(text, begin, strlen(begin) + 1);
}

/*
 * The next item of a list with that macro, "Va"; copies what stands behind the macro.
 * Returns where its text begins, or NULL. Starts with at NULL.
 */
static const char *
next_item(const char *at, const char *macro, char *item, size_t size)
{
	char begin[16];
	size_t len;

	snprintf(begin, sizeof(begin), "\n.It %s ", macro);
	at = strstr(at ? at : text, begin);
	if (!at)
		return NULL;
	at += strlen(begin);
	len = strcspn(at, "\n");
	ck_assert_msg(len < size, "%s: an item is too long", page);
	memcpy(item, at, len);
	item[len] = '\0';
	return at + len;
}

/* Where the text of that very item begins, or NULL. */
static const char *
find_item(const char *macro, const char *wanted)
{
	char item[PATH_SIZE];
	const char *at = NULL;

	while ((at = next_item(at, macro, item, sizeof(item))))
		if (strcmp(item, wanted) == 0)
			return at;
	return NULL;
}

static const struct manual *
open_manual(int i)
{
	open_page(manuals[i].page);
	return &manuals[i];
}

static const struct manual *
open_conf_manual(int i)
{
	open_page(manuals[i].conf_page);
	return &manuals[i];
}

/*
 * Whether the item, "c , -config Ar file", "L Ar route" or "-explain Ar question", is of
 * that row.
 */
static bool
is_option(const char *item, const struct option_row *row)
{
	char names[64];
	size_t len;

	if (row->letter < ' ')
		snprintf(names, sizeof(names), "-%s", row->name);
	else
		snprintf(names, sizeof(names), "%c%s%s", row->letter,
			row->name ? " , -" : "", row->name ? row->name : "");
	len = strlen(names);
	return strncmp(item, names, len) == 0 && item[len] == (row->arg ? ' ' : '\0');
}

static bool
has_row(const struct option_row *rows, const char *item)
{
	for (; rows->letter; rows++)
		if (is_option(item, rows))
			return true;
	return false;
}

static void
expect_options(const struct option_row *rows)
{
	for (; rows->letter; rows++) {
		char item[PATH_SIZE];
		const char *at = NULL;

		while ((at = next_item(at, "Fl", item, sizeof(item))))
			if (is_option(item, rows))
				break;
		ck_assert_msg(at != NULL, "%s: -%c %s is not there, or not like this",
			page, rows->letter, rows->name);
	}
}

START_TEST(every_option_is_in_the_manual)
{
	const struct manual *manual = open_manual(_i);

	expect_options(options_common);
	expect_options(manual->options);
}
END_TEST

START_TEST(every_option_of_the_manual_exists)
{
	const struct manual *manual = open_manual(_i);
	char item[PATH_SIZE];
	const char *at = NULL;

	while ((at = next_item(at, "Fl", item, sizeof(item))))
		ck_assert_msg(
			has_row(options_common, item) || has_row(manual->options, item),
			"%s: there is no option %s", page, item);
}
END_TEST

/* What a walk does with each key that is not itself a group, or a list of groups. */
typedef void key_visit(const char *path, const struct conf_key *key, const void *value);

/* base: the struct that the keys fill; NULL: not known. */
static void
walk(const struct conf_key *keys, const char *prefix, const char *base, key_visit *visit)
{
	for (; keys->name; keys++) {
		const char *value = base ? base + keys->offset : NULL;
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "",
			keys->name);
		if (keys->keys)
			walk(keys->keys, path,
				keys->read == conf_read_group ? value : NULL, visit);
		else
			visit(path, keys, value);
	}
}

static void
expect_key(const char *path, const struct conf_key *key, const void *value)
{
	(void)key;
	(void)value;
	ck_assert_msg(find_item("Va", path) != NULL, "%s: %s is not there", page, path);
}

START_TEST(every_key_is_in_the_manual)
{
	walk(open_conf_manual(_i)->keys, "", NULL, expect_key);
}
END_TEST

/* Whether there is a key of that path, which is no group. */
static bool
is_key(const struct conf_key *keys, const char *path)
{
	size_t len = strcspn(path, ".");

	for (; keys->name; keys++)
		if (strlen(keys->name) == len && strncmp(keys->name, path, len) == 0)
			break;
	if (!keys->name)
		return false;
	if (path[len] == '\0')
		return !keys->keys;
	return keys->keys && is_key(keys->keys, path + len + 1);
}

START_TEST(every_key_of_the_manual_exists)
{
	const struct manual *manual = open_conf_manual(_i);
	char path[PATH_SIZE];
	const char *at = NULL;

	while ((at = next_item(at, "Va", path, sizeof(path))))
		ck_assert_msg(
			is_key(manual->keys, path), "%s: there is no key %s", page, path);
}
END_TEST

/* "0 to 3600 seconds, default 10."; false for a key that is no number. */
static bool
number_text(const struct conf_key *key, const void *value, char *out, size_t size)
{
	bool integer = key->read == conf_read_int;
	double min = key->min, now;

	if (!integer && key->read != conf_read_seconds && key->read != conf_read_timeout)
		return false;
	if (key->read == conf_read_timeout && min < 0.1)
		min = 0.1;
	now = integer ? *(const int *)value : (double)*(const int64_t *)value / 1000;
	snprintf(out, size, "%.10g to %d%s, default %.10g.", min, key->max,
		integer ? "" : " seconds", now);
	return true;
}

static void
expect_numbers(const char *path, const struct conf_key *key, const void *value)
{
	const char *entry = find_item("Va", path), *said;
	char wanted[PATH_SIZE];

	if (!value || !number_text(key, value, wanted, sizeof(wanted)))
		return;
	ck_assert_msg(entry != NULL, "%s: %s is not there", page, path);
	said = strstr(entry, wanted);
	ck_assert_msg(said != NULL && said < strstr(entry, "\n.El") &&
			(!strstr(entry, "\n.It ") || said < strstr(entry, "\n.It ")),
		"%s: %s: it does not say: %s", page, path, wanted);
}

START_TEST(numbers_are_there_with_their_range_and_default)
{
	const struct manual *manual = open_conf_manual(_i);

	walk(manual->keys, "", manual->defaults, expect_numbers);
}
END_TEST

static const struct manual *
open_end_reasons(int i)
{
	open_page(manuals[i].page);
	cut_section("\n.Ss End reasons\n");
	return &manuals[i];
}

/* Whether the daemon can give that reason. */
static bool
gives(const struct manual *manual, const char *word)
{
	for (size_t i = 0; manual->no_end[i]; i++)
		if (strcmp(manual->no_end[i], word) == 0)
			return false;
	for (size_t i = 0; i < COUNT(ends); i++)
		if (strcmp(ends[i], word) == 0)
			return true;
	return false;
}

START_TEST(every_end_reason_is_in_the_manual)
{
	const struct manual *manual = open_end_reasons(_i);

	for (size_t i = 0; i < COUNT(ends); i++)
		ck_assert_msg(!gives(manual, ends[i]) || find_item("Li", ends[i]),
			"%s: %s is not there", page, ends[i]);
}
END_TEST

START_TEST(every_end_reason_of_the_manual_exists)
{
	const struct manual *manual = open_end_reasons(_i);
	char word[PATH_SIZE];
	const char *at = NULL;

	while ((at = next_item(at, "Li", word, sizeof(word))))
		ck_assert_msg(
			gives(manual, word), "%s: there is no end reason %s", page, word);
}
END_TEST

static void
set_defaults(void)
{
	dcsd_conf_init(&dcsd);
	ppp_conf_init(&ppp);
}

int
main(void)
{
	Suite *suite = suite_create("manual");
	TCase *tc = tcase_create("manual");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_defaults, NULL);
	tcase_add_loop_test(tc, every_option_is_in_the_manual, 0, COUNT(manuals));
	tcase_add_loop_test(tc, every_option_of_the_manual_exists, 0, COUNT(manuals));
	tcase_add_loop_test(tc, every_key_is_in_the_manual, 0, COUNT(manuals));
	tcase_add_loop_test(tc, every_key_of_the_manual_exists, 0, COUNT(manuals));
	tcase_add_loop_test(
		tc, numbers_are_there_with_their_range_and_default, 0, COUNT(manuals));
	tcase_add_loop_test(tc, every_end_reason_is_in_the_manual, 0, COUNT(manuals));
	tcase_add_loop_test(tc, every_end_reason_of_the_manual_exists, 0, COUNT(manuals));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
