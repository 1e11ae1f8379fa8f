/* SPDX-License-Identifier: ISC */
/*
 * socks5-probe: tests a SOCKS5 server from outside, as a plugin of Nagios and its kin:
 * one line of result, and its meaning as the exit status. Here is the command line; the
 * test is in probe.c. A password never comes from argv, where others can read it.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "probe.h"
#include "secret_file.h"

#define TIMEOUT_S     10
#define TIMEOUT_MAX_S 3600

static const char usage[] =
	"Usage: socks5-probe [OPTION]... SERVER connect|bind|udp|auth [TARGET]\n"
	"SERVER and TARGET are HOST:PORT or [ADDRESS]:PORT.\n\n"
	"  -u, --user NAME           authenticate as this user; the password comes from\n"
	"                            the file, or from SOCKS5_PASSWORD in the "
	"environment\n"
	"  -F, --password-file FILE  the first line of this file is the password\n"
	"  -t, --timeout SECONDS     for all of it; default 10\n"
	"  -w, --warning SECONDS     slower than this is a warning\n"
	"  -p, --proxy-protocol      send a PROXY header first, as a proxy's own check "
	"does\n"
	"  -P, --payload TEXT        udp: send this to an echo server, not a DNS query\n"
	"  -4                        reach the server by IPv4\n"
	"  -6                        reach the server by IPv6\n"
	"  -V, --version             print the version and exit\n"
	"  -h, --help                print this text and exit\n";

static const struct option options[] = {
	{ "user", required_argument, NULL, 'u' },
	{ "password-file", required_argument, NULL, 'F' },
	{ "timeout", required_argument, NULL, 't' },
	{ "warning", required_argument, NULL, 'w' },
	{ "proxy-protocol", no_argument, NULL, 'p' },
	{ "payload", required_argument, NULL, 'P' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* What the options say that is not yet as the probe wants it. */
struct words {
	const char *user, *password_file;
};

/* The result cannot be had, for what stands on the command line. */
static int
unknown(const char *what, const char *why)
{
	printf("SOCKS5 UNKNOWN - %s: %s\n", what, why);
	return PROBE_UNKNOWN;
}

/* Returns 0, or -1: it is no time. */
static int
read_seconds(const char *text, int64_t *ms)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 || !(s >= 0.001) ||
		s > TIMEOUT_MAX_S)
		return -1;
	*ms = (int64_t)(s * 1000 + 0.5);
	return 0;
}

/* One option. Returns -1 to go on, or the exit status. */
static int
take(struct probe_args *args, struct words *words, int letter, const char *word)
{
	switch (letter) {
	case 'u':
		words->user = optarg;
		return -1;
	case 'F':
		words->password_file = optarg;
		return -1;
	case 't':
		return read_seconds(optarg, &args->timeout_ms) == 0
			? -1
			: unknown(optarg, "seconds are wanted, 0.001 to 3600");
	case 'w':
		return read_seconds(optarg, &args->warning_ms) == 0
			? -1
			: unknown(optarg, "seconds are wanted, 0.001 to 3600");
	case 'p':
		args->proxy_header = true;
		return -1;
	case 'P':
		args->payload = optarg;
		return -1;
	case '4':
		args->family = AF_INET;
		return -1;
	case '6':
		args->family = AF_INET6;
		return -1;
	case 'V':
		printf("socks5-probe (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		return PROBE_OK;
	case 'h':
		fputs(usage, stdout);
		return PROBE_OK;
	default:
		return unknown(word, "unknown option, or its argument is missing");
	}
}

/* Copies 1 to 255 bytes. Returns their number, or 0: there are none, or more. */
static uint8_t
copy_field(uint8_t field[256], const char *text)
{
	size_t len = strlen(text);

	if (len > UINT8_MAX)
		return 0;
	memcpy(field, text, len);
	return (uint8_t)len;
}

/* From the file, if there is one. Returns -1 to go on, or the exit status. */
static int
read_password(struct socks_credentials *c, const char *file)
{
	const char *password = getenv("SOCKS5_PASSWORD"), *why;
	int len;

	if (file) {
		len = secret_file_line(c->password, file, &why);
		if (len == -1)
			return unknown(file, why);
		c->password_len = (uint8_t)len;
		return -1;
	}
	if (!password)
		return unknown("password", "no --password-file and no SOCKS5_PASSWORD");
	c->password_len = copy_field(c->password, password);
	return c->password_len > 0
		? -1
		: unknown("SOCKS5_PASSWORD", "1 to 255 bytes are wanted");
}

/* The name and the password. Returns -1 to go on, or the exit status. */
static int
read_credentials(struct probe_args *args, const struct words *words)
{
	struct socks_credentials *c = &args->credentials;

	if (!words->user)
		return words->password_file
			? unknown("usage", "a password, but no --user")
			: -1;
	c->name_len = copy_field(c->name, words->user);
	if (c->name_len == 0)
		return unknown("user", "1 to 255 bytes are wanted");
	args->with_password = true;
	return read_password(c, words->password_file);
}

/* SERVER, MODE and TARGET. Returns -1 to go on, or the exit status. */
static int
read_words(struct probe_args *args, int n, char **words)
{
	const char *why;

	if (n < 2 || n > 3)
		return unknown("usage", "SERVER, a mode and perhaps TARGET are wanted");
	if (hostport_parse(&args->server, words[0], &why) == -1)
		return unknown(words[0], why);
	for (args->mode = probe_modes; args->mode->word; args->mode++)
		if (strcmp(words[1], args->mode->word) == 0)
			break;
	if (!args->mode->word)
		return unknown(words[1], "connect, bind, udp or auth is wanted");
	if (n == 3 && hostport_parse(&args->target, words[2], &why) == -1)
		return unknown(words[2], why);
	if (n == 2 && args->mode->wants_target)
		return unknown(words[1], "this mode wants a TARGET");
	if (n == 3 && !args->mode->run)
		return unknown(words[1], "this mode has no TARGET");
	return -1;
}

/* Returns -1 to go on, or the exit status. */
static int
parse(struct probe_args *args, int argc, char **argv)
{
	struct words words = { NULL, NULL };
	int status = -1, letter;

	opterr = 0; /* the one line of the result tells it */
	while (status == -1 &&
		(letter = getopt_long(argc, argv, "46u:F:t:w:pP:Vh", options, NULL)) !=
			-1)
		status = take(args, &words, letter, argv[optind - 1]);
	if (status == -1)
		status = read_credentials(args, &words);
	return status == -1 ? read_words(args, argc - optind, argv + optind) : status;
}

/* The system's resolver knows nothing of deadlines. */
static _Noreturn void
out_of_time(int signal)
{
	static const char text[] = "SOCKS5 CRITICAL - no result in time\n";

	(void)signal;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) == -1)
		_exit(PROBE_UNKNOWN);
	_exit(PROBE_CRITICAL);
}

int
main(int argc, char **argv)
{
	struct probe_args args = { .family = AF_UNSPEC, .timeout_ms = TIMEOUT_S * 1000 };
	int status = parse(&args, argc, argv);

	if (status != -1)
		return status;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, out_of_time);
	alarm((unsigned)(args.timeout_ms / 1000) + 2);
	status = probe_run(&args);
	compat_wipe(&args.credentials, sizeof(args.credentials));
	return status;
}
