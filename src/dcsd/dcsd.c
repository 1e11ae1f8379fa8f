/* SPDX-License-Identifier: ISC */
/*
 * What makes the common service dcsd: its options, its configuration, and the state that
 * all its sessions share. Runs on the main thread, or on one that reloads; what frees, on
 * that of the last session, too.
 */
#include "config.h"
#include "dcsd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "serve.h"
#include "session.h"

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

static void *
make(void)
{
	struct dcsd *dcsd = calloc(1, sizeof(*dcsd));

	if (dcsd)
		dcsd_conf_init(&dcsd->conf);
	return dcsd;
}

static void
free_dcsd(void *config)
{
	struct dcsd *dcsd = config;

	standing_release(dcsd->standing);
	auth_close(dcsd->auth);
	dcsd_conf_free(&dcsd->conf);
	free(dcsd);
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
					      [CAPACITY_FDS] = { 2, 200 + CONNS_REFUSED },
					      [CAPACITY_THREADS] = { 2,
						      40 + 2 * CONNS_REFUSED },
					      [CAPACITY_AREAS] = { 4, 1024 },
					      [CAPACITY_SPACE] = { 2 * 260 * 1024,
						      128 * 1024 * 1024 },
				      } };
}

static const char *
open_dcsd(void *config, void *before)
{
	struct dcsd *dcsd = config, *old = before;

	dcsd->standing = old ? standing_hold(old->standing) : standing_new();
	dcsd->admit = (struct admit){ &dcsd->conf, dcsd->standing };
	return dcsd->standing ? NULL : strerror(errno);
}

static enum gate_answer
admit_peer(void *config, const struct addr *peer, const char **why)
{
	struct dcsd *dcsd = config;

	return admit_enter(&dcsd->admit, peer, why);
}

static void
leave(void *config, const struct addr *client)
{
	struct dcsd *dcsd = config;

	admit_leave(&dcsd->admit, client);
}

static bool
is_gone(const void *config, const struct conn *conn)
{
	const struct dcsd *dcsd = config;
	const struct session *s = conn->subject;

	return s && session_is_gone(s, &dcsd->conf.rules, dcsd->auth);
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

/* There are no routes. */
static char *
via_name(const void *via, char *buf, size_t size)
{
	(void)via;
	if (size > 0)
		buf[0] = '\0';
	return buf;
}

const struct service dcsd_service = {
	.name = "dcsd",
	.default_config = SYSCONFDIR "/dcsd.conf",
	.default_pidfile = RUNSTATEDIR "/dcsd.pid",
	.options = dcsd_options,
	.make = make,
	.free = free_dcsd,
	.option = take_option,
	.serve = serve_client,
	.conn_room = sizeof(struct session),
	.needs = needs,
	.configure = configure,
	.settings = settings,
	.places = places,
	.instead = explain_instead,
	.open = open_dcsd,
	.admit = admit_peer,
	.leave = leave,
	.answers = true,
	.is_gone = is_gone,
	.via_name = via_name,
};
