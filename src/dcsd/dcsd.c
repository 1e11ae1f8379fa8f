/* SPDX-License-Identifier: ISC */
/*
 * What makes the common service dcsd: its options, its configuration, and the state that
 * all its sessions share. Runs on the main thread, before and after sessions do.
 */
#include "config.h"
#include "dcsd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "serve.h"

/* Options that have only a long name. */
enum { OPT_EXPLAIN = 1, OPT_NO_RESOLVE };

const struct option_row dcsd_options[] = {
	{ 'l', "listen", "ADDR", "listen here; repeatable, replaces `listen'" },
	{ OPT_EXPLAIN, "explain", "QUESTION",
		"say which rule decides: \"client=ADDR user=NAME cmd=CMD "
		"target=HOST:PORT\"" },
	{ OPT_NO_RESOLVE, "no-resolve", NULL, "with --explain: do not look the name up" },
	{ 0, NULL, NULL, NULL },
};

void
dcsd_init(struct dcsd *dcsd)
{
	*dcsd = (struct dcsd){ .question = NULL };
	dcsd_conf_init(&dcsd->conf);
}

void
dcsd_free(struct dcsd *dcsd)
{
	auth_close(dcsd->auth);
	dcsd_conf_free(&dcsd->conf);
}

static const char *
take_option(void *config, char letter, const char *arg)
{
	struct dcsd *dcsd = config;

	if (letter == 'l')
		return dcsd_conf_listen(&dcsd->conf, arg);
	if (letter == OPT_EXPLAIN)
		dcsd->question = arg;
	else
		dcsd->no_resolve = true;
	return NULL;
}

/*
 * Opens the users, if anybody authenticates: each thing that is wrong with them is an
 * error of the configuration.
 */
static void
open_auth(struct dcsd *dcsd, struct conf *file)
{
	char why[4096], *rest = NULL;

	if (!auth_conf_offers(&dcsd->conf.auth, SOCKS_METHOD_PASSWORD))
		return;
	dcsd->auth = auth_open(&dcsd->conf.auth, why, sizeof(why));
	if (dcsd->auth)
		return;
	for (char *line = strtok_r(why, "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest))
		conf_error(file, conf_find(file, "auth"), "%s", line);
}

static struct conf *
configure(void *config, const char *path)
{
	struct dcsd *dcsd = config;
	struct conf *file = dcsd_conf_read(&dcsd->conf, path);

	if (file && conf_errors(file) == 0)
		open_auth(dcsd, file);
	return file;
}

static struct settings *
settings(void *config)
{
	struct dcsd *dcsd = config;

	return &dcsd->conf.common;
}

static const struct places *
places(void *config)
{
	struct dcsd *dcsd = config;

	return &dcsd->conf.places;
}

/*
 * Two threads of 256 KiB of stack, with a guard each, and two fds for a tunnel. Beside
 * that: fds of pipes that all share (128), of attempts to connect, and of files; threads
 * that look up names; libraries.
 */
static void
needs(const void *config, struct capacity_needs *n)
{
	(void)config;
	*n = (struct capacity_needs){ .of = {
					      [CAPACITY_FDS] = { 2, 200 },
					      [CAPACITY_THREADS] = { 2, 40 },
					      [CAPACITY_AREAS] = { 4, 1024 },
					      [CAPACITY_SPACE] = { 2 * 260 * 1024,
						      128 * 1024 * 1024 },
				      } };
}

static const char *
open_dcsd(void *config)
{
	struct dcsd *dcsd = config;

	dcsd->users = tally_new();
	dcsd->admit = admit_new(&dcsd->conf);
	if (!dcsd->users || !dcsd->admit)
		return strerror(errno);
	return NULL;
}

static void
close_dcsd(void *config)
{
	struct dcsd *dcsd = config;

	admit_free(dcsd->admit);
	tally_free(dcsd->users);
}

static enum gate_answer
admit_peer(void *config, const struct addr *peer, const char **why)
{
	struct dcsd *dcsd = config;

	return admit_enter(dcsd->admit, peer, why);
}

static void
leave(void *config, const struct addr *client)
{
	struct dcsd *dcsd = config;

	admit_leave(dcsd->admit, client);
}

static int
explain_instead(void *config)
{
	static const int status[] = {
		[EXPLAIN_ALLOWED] = 0,
		[EXPLAIN_DENIED] = 1,
		[EXPLAIN_BAD] = EXIT_USAGE,
	};
	struct dcsd *dcsd = config;
	const char *why;
	enum explained explained;

	if (!dcsd->question)
		return -1;
	explained = explain(&dcsd->conf.rules, dcsd->auth, dcsd->question,
		!dcsd->no_resolve, stdout, &why);
	if (explained == EXPLAIN_BAD)
		fprintf(stderr, "dcsd: --explain: %s\n", why);
	return status[explained];
}

static const char *
via_text(const void *via, char *buf, size_t size)
{
	(void)via;
	(void)buf;
	(void)size;
	return "";
}

const struct service dcsd_service = {
	.name = "dcsd",
	.default_config = SYSCONFDIR "/dcsd.conf",
	.default_pidfile = RUNSTATEDIR "/dcsd.pid",
	.options = dcsd_options,
	.option = take_option,
	.serve = serve_client,
	.needs = needs,
	.configure = configure,
	.settings = settings,
	.places = places,
	.instead = explain_instead,
	.open = open_dcsd,
	.close = close_dcsd,
	.admit = admit_peer,
	.leave = leave,
	.via_text = via_text,
};
