/* SPDX-License-Identifier: ISC */
/*
 * tunnelctl: talks to the control socket of dcsd or pppd-socks. Commands are the daemon's
 * and go there as they are; only what is shown of tunnels, and top, is made here. One
 * thread; it blocks until there is an answer.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "rows.h"
#include "top.h"

static const char program[] = "tunnelctl";

static const char usage_text[] =
	"Usage: tunnelctl [-s SOCKET] COMMAND [ARGUMENT]...\n"
	"Sends a command to a running dcsd or pppd-socks. These are made here:\n"
	"\n"
	"  tunnels [sort=KEY] [KEY=VALUE]...  list the tunnels, all or those like this\n"
	"  top [-d SECONDS] [-n TIMES]        show those with the most traffic; q ends "
	"it\n"
	"\n"
	"All others are the daemon's: the command help lists them.\n"
	"\n"
	"  -s, --socket SOCKET      default: $TUNNELCTL_SOCKET, else that of the daemon "
	"in\n"
	"                           " RUNSTATEDIR "\n"
	"  -V, --version            print the version and exit\n"
	"  -h, --help               print this text and exit\n";

static const struct option longs[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int
usage_error(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\nTry %s --help\n", program, what, why, program);
	return EXIT_WRONG_USAGE;
}

/* What was printed must have got where it goes: it may be read by a program. */
static int
finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "%s: standard output: %s\n", program, strerror(errno));
	return status == 0 ? EXIT_REFUSED : status;
}

/* Asks, and tells if there is no answer. Returns 0, or the exit status. */
static int
ask_or_tell(struct answer *a, const char *path, const char *command)
{
	const char *why = ask(a, path, command, ASK_WAIT_MS);

	if (!why)
		return 0;
	fprintf(stderr, "%s: %s: %s\n", program, path, why);
	return EXIT_UNREACHED;
}

/* Behind the data: what the daemon said in the end. Returns the exit status. */
static int
end_answer(struct answer *a)
{
	int status = finish(a->error ? EXIT_REFUSED : 0);

	if (a->error)
		fprintf(stderr, "ERROR %s\n", a->error);
	answer_free(a);
	return status;
}

/* What the protocol cannot carry in a word, or NULL. */
static const char *
check_word(const char *word)
{
	if (*word == '\0')
		return "an empty word";
	for (; *word != '\0'; word++)
		if (*word <= ' ' || *word > '~')
			return "a word is of printable ASCII without spaces; other bytes "
			       "are "
			       "written \\xNN, as in the log";
	return NULL;
}

/* A command of the daemon: its words, as they are. */
static int
run_other(const char *path, int argc, char **argv)
{
	char line[ASK_LINE] = "";
	struct answer a;
	int status;

	for (int i = 0; i < argc; i++) {
		const char *why = check_word(argv[i]);

		if (why)
			return usage_error(argv[i], why);
		if (strlen(line) + strlen(argv[i]) + 2 > sizeof(line) - 1)
			return usage_error(argv[0], "the command is too long");
		strcat(line, i > 0 ? " " : "");
		strcat(line, argv[i]);
	}
	status = ask_or_tell(&a, path, line);
	if (status != 0)
		return status;
	fputs(a.text, stdout);
	return end_answer(&a);
}

/* How to show the tunnels. */
struct view {
	const char *sort; /* a key, or NULL */
	struct filter *filters;
	size_t n;
};

/* Returns 0, or the exit status. */
static int
parse_view(struct view *v, int argc, char **argv)
{
	static const char sort[] = "sort=";

	for (int i = 1; i < argc; i++) {
		const char *why;

		if (strncmp(argv[i], sort, sizeof(sort) - 1) == 0) {
			if (v->sort || argv[i][sizeof(sort) - 1] == '\0')
				return usage_error(argv[i], "one sort=KEY is wanted");
			v->sort = argv[i] + sizeof(sort) - 1;
			continue;
		}
		why = filter_parse(&v->filters[v->n], argv[i]);
		if (why)
			return usage_error(argv[i], why);
		v->n++;
	}
	return 0;
}

/* The key, of those that are named, that no tunnel has: a slip, most likely. */
static const char *
unknown_key(const struct view *v, const struct rows *rows)
{
	for (size_t i = 0; i < v->n; i++)
		if (!rows_have(rows, v->filters[i].key))
			return v->filters[i].key;
	return v->sort && !rows_have(rows, v->sort) ? v->sort : NULL;
}

/* Returns 0, or the exit status. */
static int
print_view(const struct view *v, struct rows *rows)
{
	const char *unknown = rows->n > 0 ? unknown_key(v, rows) : NULL;

	if (unknown) {
		fprintf(stderr, "%s: no tunnel has %s=\n", program, unknown);
		return EXIT_REFUSED;
	}
	rows_sift(rows, v->filters, v->n);
	if (v->sort && rows_sort(rows, v->sort) == -1) {
		fprintf(stderr, "%s: %s\n", program, strerror(errno));
		return EXIT_REFUSED;
	}
	for (size_t i = 0; i < rows->n; i++)
		puts(rows->line[i]);
	return 0;
}

static int
show_tunnels(const struct view *v, const char *path)
{
	struct answer a;
	struct rows rows;
	int status = ask_or_tell(&a, path, "tunnels"), said;

	if (status != 0)
		return status;
	if (rows_split(&rows, a.text) == -1) {
		fprintf(stderr, "%s: %s\n", program, strerror(errno));
		answer_free(&a);
		return EXIT_REFUSED;
	}
	status = print_view(v, &rows);
	rows_free(&rows);
	said = end_answer(&a);
	return status != 0 ? status : said;
}

static int
run_tunnels(const char *path, int argc, char **argv)
{
	struct view v = { NULL, calloc((size_t)argc, sizeof(*v.filters)), 0 };
	int status = EXIT_REFUSED;

	if (!v.filters)
		fprintf(stderr, "%s: %s\n", program, strerror(errno));
	else
		status = parse_view(&v, argc, argv);
	if (status == 0)
		status = show_tunnels(&v, path);
	free(v.filters);
	return status;
}

/* A number from least to most; -1: it is none. */
static double
parse_number(const char *text, double least, double most)
{
	char *end;
	double n = strtod(text, &end);

	return end == text || *end != '\0' || !(n >= least && n <= most) ? -1 : n;
}

static int
run_top(const char *path, int argc, char **argv)
{
	double delay_s = 1, times = 0;
	int letter;

	optind = 1;
	while ((letter = getopt(argc, argv, "d:n:")) != -1) {
		if (letter == 'd')
			delay_s = parse_number(optarg, 0.1, 3600);
		else if (letter == 'n')
			times = parse_number(optarg, 1, 1e9);
		else
			return usage_error("top", "[-d SECONDS] [-n TIMES] is wanted");
		if (delay_s < 0)
			return usage_error(optarg, "seconds are wanted, 0.1 to 3600");
		if (times < 0 || times != (int)times)
			return usage_error(optarg, "a number from 1 is wanted");
	}
	if (optind < argc)
		return usage_error(argv[optind], "top takes no arguments");
	return top_run(path, (int64_t)(delay_s * 1000 + 0.5), (int)times);
}

/* The commands that are more than the daemon's of that name; all others are run_other. */
static const struct command {
	const char *name;
	int (*run)(const char *path, int argc, char **argv);
} commands[] = {
	{ "tunnels", run_tunnels },
	{ "top", run_top },
};

static int
run(const char *path, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			return commands[i].run(path, argc, argv);
	return run_other(path, argc, argv);
}

/* The socket where none was named. Returns -1 and path, or the exit status. */
static int
find_socket(char *path, size_t size)
{
	const char *named = getenv("TUNNELCTL_SOCKET");
	int n;

	if (named && *named != '\0' && strlen(named) < size) {
		strcpy(path, named);
		return -1;
	}
	n = ask_default(path, size, RUNSTATEDIR);
	if (n == 1)
		return -1;
	if (n > 1)
		return usage_error(RUNSTATEDIR,
			"several control sockets are there: choose one with -s");
	fprintf(stderr, "%s: no control socket of dcsd or pppd-socks is in %s: use -s\n",
		program, RUNSTATEDIR);
	return EXIT_UNREACHED;
}

int
main(int argc, char **argv)
{
	char found[4096];
	const char *path = NULL;
	int letter, status;

	/* '+': what stands behind the command is the command's. */
	while ((letter = getopt_long(argc, argv, "+s:Vh", longs, NULL)) != -1)
		switch (letter) {
		case 's':
			path = optarg;
			break;
		case 'V':
			printf("%s (%s) %s\n", program, PACKAGE_NAME, PACKAGE_VERSION);
			return finish(0);
		case 'h':
			fputs(usage_text, stdout);
			return finish(0);
		default:
			fprintf(stderr, "Try %s --help\n", program);
			return EXIT_WRONG_USAGE;
		}
	if (optind == argc)
		return usage_error("COMMAND", "one is wanted");
	status = path ? -1 : find_socket(found, sizeof(found));
	return status != -1 ? status
			    : run(path ? path : found, argc - optind, argv + optind);
}
