/* SPDX-License-Identifier: ISC */
/*
 * dcsd-passwd: adds, changes and removes entries of a users file of dcsd. A password is
 * never shown, logged or written, but as its hash.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "edit.h"
#include "hash.h"
#include "options.h"
#include "secret.h"
#include "users.h"

static const char program[] = "dcsd-passwd";

static const char usage_text[] =
	"Usage: dcsd-passwd [OPTION]... FILE NAME\n"
	"Adds the user NAME to FILE, or changes it. Asks for the password on the\n"
	"terminal; where there is none, it is the first line of the standard input.\n"
	"\n"
	"  -D, --delete             remove the user\n"
	"  -e, --expires DATE       the last day that is good, as 2026-12-31, in UTC\n"
	"  -g, --groups LIST        groups, separated by commas\n"
	"  -k, --keep               keep the password, change only the rest\n"
	"  -M, --method METHOD      hash by yescrypt, sha512 or bcrypt\n"
	"  -m, --max-tunnels N      tunnels at a time; 0: no limit\n"
	"  -n, --networks LIST      where the user may come from, separated by commas\n"
	"  -V, --version            print the version and exit\n"
	"  -h, --help               print this text and exit\n"
	"\n"
	"What is not given stays as it is; '' takes it away.\n";

static const struct option longs[] = {
	{ "delete", no_argument, NULL, 'D' },
	{ "expires", required_argument, NULL, 'e' },
	{ "groups", required_argument, NULL, 'g' },
	{ "keep", no_argument, NULL, 'k' },
	{ "method", required_argument, NULL, 'M' },
	{ "max-tunnels", required_argument, NULL, 'm' },
	{ "networks", required_argument, NULL, 'n' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says. */
struct wish {
	struct change change;
	const char *file, *method; /* method NULL: the best */
	char *networks;		   /* malloc'd, as the file wants them */
	bool keep;
};

static int
usage_error(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s%s%s\nTry %s --help\n", program, what, why ? ": " : "",
		why ? why : "", program);
	return EXIT_USAGE;
}

static int
finish(FILE *out)
{
	return fflush(out) == 0 ? EXIT_OK : EXIT_START;
}

/* Puts each IPv6 network into the [ ] that it needs in the file. NULL: no memory. */
static char *
bracket(const char *list)
{
	char *out = malloc(2 * strlen(list) + 3), *to = out;

	if (!out)
		return NULL;
	for (;;) {
		size_t len = strcspn(list, ",");
		bool bare = memchr(list, ':', len) && list[0] != '[';

		to += sprintf(
			to, "%s%.*s%s", bare ? "[" : "", (int)len, list, bare ? "]" : "");
		if (list[len] == '\0')
			return out;
		*to++ = ',';
		*to = '\0';
		list += len + 1;
	}
}

static bool
known_method(const char *name)
{
	for (size_t i = 0; hash_methods[i]; i++)
		if (strcmp(hash_methods[i], name) == 0)
			return true;
	return false;
}

/* One option. Returns -1 to go on, or the exit status. */
static int
take(struct wish *w, int letter)
{
	const char **fields = w->change.fields;

	switch (letter) {
	case 'D':
		w->change.remove = true;
		return -1;
	case 'e':
		fields[USERS_EXPIRES] = optarg;
		return -1;
	case 'g':
		fields[USERS_GROUPS] = optarg;
		return -1;
	case 'k':
		w->keep = true;
		return -1;
	case 'M':
		w->method = optarg;
		return known_method(optarg) ? -1 : usage_error(optarg, "unknown method");
	case 'm':
		fields[USERS_MAX_TUNNELS] = optarg;
		return -1;
	case 'n':
		fields[USERS_NETWORKS] = optarg;
		return -1;
	case 'V':
		printf("%s (%s) %s\n", program, PACKAGE_NAME, PACKAGE_VERSION);
		return finish(stdout);
	case 'h':
		fputs(usage_text, stdout);
		return finish(stdout);
	default:
		fprintf(stderr, "Try %s --help\n", program);
		return EXIT_USAGE;
	}
}

/* The fields must be good before anybody types a password. */
static int
check_fields(struct wish *w)
{
	static const char *const names[USERS_FIELDS] = { "NAME", NULL, "-e", "-m", "-n",
		"-g" };
	const char **fields = w->change.fields;
	bool some = false;

	if (fields[USERS_NETWORKS]) {
		w->networks = bracket(fields[USERS_NETWORKS]);
		if (!w->networks)
			return EXIT_START;
		fields[USERS_NETWORKS] = w->networks;
	}
	for (int i = 0; i < USERS_FIELDS; i++) {
		const char *wrong = fields[i] ? users_check(i, fields[i]) : NULL;

		if (wrong)
			return usage_error(names[i], wrong);
		some |= i > USERS_NAME && fields[i];
	}
	if (w->change.remove && (some || w->keep || w->method))
		return usage_error("-D does not go with other options", NULL);
	if (w->keep && w->method)
		return usage_error("-k and -M do not go together", NULL);
	if (w->keep && !some)
		return usage_error("-k: nothing would change", NULL);
	return -1;
}

static int
parse(struct wish *w, int argc, char **argv)
{
	int status = -1, c;

	while (status == -1 &&
		(c = getopt_long(argc, argv, "De:g:kM:m:n:Vh", longs, NULL)) != -1)
		status = take(w, c);
	if (status != -1)
		return status;
	if (argc - optind != 2)
		return usage_error("FILE and NAME are wanted", NULL);
	w->file = argv[optind];
	w->change.fields[USERS_NAME] = argv[optind + 1];
	return check_fields(w);
}

static const char *
hash_error(int error)
{
	if (error == ENOTSUP)
		return "this system's crypt(3) does not know the method";
	if (error == E2BIG)
		return "bcrypt looks at the first 72 bytes of a password only";
	return strerror(error);
}

/* Returns 0, or -1 and a text. */
static int
ask_and_hash(char hash[HASH_SIZE], const struct wish *w, const char **why)
{
	char secret[SECRET_SIZE] = "";
	int result;

	if (secret_ask(secret, w->change.fields[USERS_NAME], why) == -1)
		return -1;
	result = hash_make(hash, w->method, secret);
	if (result == -1)
		*why = hash_error(errno);
	compat_wipe(secret, sizeof(secret));
	return result;
}

static int
carry_out(struct wish *w)
{
	char hash[HASH_SIZE], text[512];
	const char *why = NULL;

	if (!w->change.remove && !w->keep) {
		if (ask_and_hash(hash, w, &why) == -1) {
			fprintf(stderr, "%s: %s\n", program, why);
			return EXIT_START;
		}
		w->change.fields[USERS_HASH] = hash;
	}
	if (edit_file(w->file, &w->change, text, sizeof(text)) == 0)
		return EXIT_OK;
	fprintf(stderr, "%s: %s\n", program, text);
	return EXIT_START;
}

int
main(int argc, char **argv)
{
	struct wish wish = { .keep = false };
	int status = parse(&wish, argc, argv);

	if (status == -1)
		status = carry_out(&wish);
	free(wish.networks);
	return status;
}
