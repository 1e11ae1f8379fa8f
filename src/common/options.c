/* SPDX-License-Identifier: ISC */
/*
 * The command line. Rows of a table say what there is; getopt_long(3) and the usage text
 * are both made from them, so that neither can forget an option. Writes to stdout and
 * stderr, because that is its work; the exit is left to main. Before threads.
 */
#include "config.h"
#include "options.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 32

const struct option_row options_common[] = {
	{ 'c', "config", "FILE", "read this configuration file, not the default one" },
	{ 'f', "foreground", NULL,
		"stay in the foreground and log to stderr, not to syslog" },
	{ 't', "test", NULL, "check the configuration and exit" },
	{ 'p', "pidfile", "FILE",
		"where the process id goes; overrides the configuration" },
	{ 'u', "user", "USER[:GROUP]", "who to run as; overrides the configuration" },
	{ 'v', "verbose", NULL, "log level debug" },
	{ 'V', "version", NULL, "print the version and exit" },
	{ 'h', "help", NULL, "print this text and exit" },
	{ 0, NULL, NULL, NULL },
};

/* All options of one daemon, and what getopt_long makes of them. */
struct table {
	const struct option_row *rows[ROWS_MAX];
	struct option longs[ROWS_MAX + 1];
	char shorts[3 * ROWS_MAX + 3];
};

/* Where the parts of one run of options_parse meet. */
struct parse {
	struct options *o;
	const struct table *table;
	options_own *own;
	void *into;
};

static const struct option_row *
find_row(const struct table *t, int letter)
{
	for (size_t i = 0; t->rows[i]; i++)
		if (t->rows[i]->letter == letter)
			return t->rows[i];
	return NULL;
}

/* An option that has only a long name has a number there that nobody can type. */
static bool
has_letter(const struct option_row *row)
{
	return row->letter > ' ';
}

/* As struct option has it. "[ADDR:]PORT" is in brackets only in part. */
static int
has_arg(const struct option_row *row)
{
	const char *closing = row->arg ? strchr(row->arg, ']') : NULL;

	if (!row->arg)
		return no_argument;
	return *row->arg == '[' && closing && closing[1] == '\0' ? optional_argument
								 : required_argument;
}

static void
add_rows(struct table *t, const struct option_row *rows)
{
	size_t n = 0, longs = 0;
	char *at = t->shorts + strlen(t->shorts);

	while (t->rows[n])
		n++;
	while (t->longs[longs].name)
		longs++;
	for (; rows->letter; rows++) {
		assert(n < ROWS_MAX - 1 && !find_row(t, rows->letter));
		t->rows[n++] = rows;
		if (has_letter(rows))
			*at++ = rows->letter;
		/* The number of its kind is that of the colons, see getopt_long(3). */
		for (int i = 0; has_letter(rows) && i < has_arg(rows); i++)
			*at++ = ':';
		if (rows->name)
			t->longs[longs++] = (struct option){ rows->name, has_arg(rows),
				NULL, rows->letter };
	}
}

/* The left column of a row's help; returns its width. out NULL: only that. */
static int
print_left(FILE *out, const struct option_row *row)
{
	char text[128], letter[8] = "    ";
	int width;

	if (has_letter(row))
		snprintf(letter, sizeof(letter), "-%c%s", row->letter,
			row->name ? ", " : "");
	width = snprintf(text, sizeof(text), "  %s%s%s%s%s", letter,
		row->name ? "--" : "", row->name ? row->name : "", row->arg ? " " : "",
		row->arg ? row->arg : "");
	if (out)
		fputs(text, out);
	return width;
}

static void
print_usage(FILE *out, const char *program, const struct table *t)
{
	int widest = 0;

	for (size_t i = 0; t->rows[i]; i++) {
		int width = print_left(NULL, t->rows[i]);

		widest = width > widest ? width : widest;
	}
	fprintf(out, "Usage: %s [OPTION]...\n\n", program);
	for (size_t i = 0; t->rows[i]; i++) {
		int width = print_left(out, t->rows[i]);

		fprintf(out, "%*s%s\n", widest - width + 2, "", t->rows[i]->help);
	}
}

/* The end of an error message on stderr. */
static int
usage_hint(const char *program)
{
	fprintf(stderr, "Try %s --help\n", program);
	return EXIT_USAGE;
}

/* What getopt_long refused: c is ':' for an argument that is missing, else '?'. */
static int
refuse(const struct parse *p, int c, const char *word)
{
	const struct option_row *row = find_row(p->table, optopt);
	const char *program = p->o->program;

	if (c == ':' && row && has_letter(row))
		fprintf(stderr, "%s: option -%c needs its argument %s\n", program, optopt,
			row->arg);
	else if (c == ':' && row)
		fprintf(stderr, "%s: option --%s needs its argument %s\n", program,
			row->name, row->arg);
	else if (row)
		fprintf(stderr, "%s: option takes no argument: %s\n", program, word);
	else if (optopt)
		fprintf(stderr, "%s: unknown option: -%c\n", program, optopt);
	else
		fprintf(stderr, "%s: unknown option: %s\n", program, word);
	return usage_hint(program);
}

/* Splits USER[:GROUP]. Returns NULL, or what is wrong. */
static const char *
set_user(struct options *o, const char *arg)
{
	const char *colon = strchr(arg, ':');
	size_t user_len = colon ? (size_t)(colon - arg) : strlen(arg);

	if (user_len == 0 || (colon && colon[1] == '\0'))
		return "expected USER or USER:GROUP";
	options_free(o);
	o->user = strndup(arg, user_len);
	o->group = colon ? strdup(colon + 1) : NULL;
	if (!o->user || (colon && !o->group))
		return "out of memory";
	return NULL;
}

static int
print_version(const char *program)
{
	printf("%s (%s) %s\n", program, PACKAGE_NAME, PACKAGE_VERSION);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_START;
}

static int
print_help(const struct parse *p)
{
	print_usage(stdout, p->o->program, p->table);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_START;
}

static int
check_arg(const struct parse *p, int letter, const char *wrong)
{
	const struct option_row *row = find_row(p->table, letter);

	if (!wrong)
		return -1;
	fprintf(stderr, "%s: ", p->o->program);
	if (has_letter(row))
		fprintf(stderr, "-%c", letter);
	else
		fprintf(stderr, "--%s", row->name);
	fprintf(stderr, "%s%s: %s\n", optarg ? " " : "", optarg ? optarg : "", wrong);
	return usage_hint(p->o->program);
}

/* One option. Returns -1 to go on, or the exit status. */
static int
take(const struct parse *p, int letter)
{
	struct options *o = p->o;

	switch (letter) {
	case 'c':
		o->config = optarg;
		return -1;
	case 'f':
		o->foreground = true;
		return -1;
	case 't':
		o->test = true;
		return -1;
	case 'p':
		o->pidfile = optarg;
		return -1;
	case 'u':
		return check_arg(p, letter, set_user(o, optarg));
	case 'v':
		o->verbose = true;
		return -1;
	case 'V':
		return print_version(o->program);
	case 'h':
		return print_help(p);
	default:
		return check_arg(p, letter, p->own(p->into, (char)letter, optarg));
	}
}

/* What getopt_long does not do: an argument that may be left out is the next word. */
static void
take_next_word(const struct parse *p, int letter, int argc, char **argv)
{
	const struct option_row *row = find_row(p->table, letter);

	if (!optarg && has_arg(row) == optional_argument && optind < argc &&
		*argv[optind] != '-')
		optarg = argv[optind++];
}

static int
parse_all(const struct parse *p, int argc, char **argv)
{
	int status = -1;

	optind = 0; /* a second run starts anew: so with glibc, musl and the BSDs */
	while (status == -1) {
		int c = getopt_long(argc, argv, p->table->shorts, p->table->longs, NULL);

		if (c == -1)
			break;
		if (c == '?' || c == ':') {
			status = refuse(p, c, argv[optind - 1]);
		} else {
			take_next_word(p, c, argc, argv);
			status = take(p, c);
		}
	}
	if (status == -1 && optind < argc) {
		fprintf(stderr, "%s: unexpected argument: %s\n", p->o->program,
			argv[optind]);
		status = usage_hint(p->o->program);
	}
	return status;
}

int
options_parse(struct options *o, int argc, char **argv, const char *program,
	const struct option_row *rows, options_own *own, void *into)
{
	/* +: no reordering of argv; the colon: missing arguments are told as such. */
	struct table table = { .shorts = "+:" };
	const struct parse p = { o, &table, own, into };
	int status;

	*o = (struct options){ .program = program };
	add_rows(&table, options_common);
	add_rows(&table, rows);
	status = parse_all(&p, argc, argv);
	if (status != -1)
		options_free(o);
	return status;
}

void
options_free(struct options *o)
{
	free(o->user);
	free(o->group);
	o->user = o->group = NULL;
}
