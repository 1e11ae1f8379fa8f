/* SPDX-License-Identifier: ISC */
/* Options and configuration file, as one. The main thread, or the one that reloads. */
#include "config.h"
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "self.h"

/* Whether the folder is still that of the start: a daemon in the background leaves it. */
static bool
is_where_it_started(void)
{
	const char *start = self_cwd();
	char now[4096];

	return start && getcwd(now, sizeof(now)) && strcmp(now, start) == 0;
}

/* The file to read: none when none was named and the default one is not there. */
static int
find_path(struct setup *setup)
{
	const char *path = setup->options.config;

	if (!path) {
		path = setup->service->default_config;
		if (access(path, F_OK) == -1 && errno == ENOENT)
			return 0;
	}
	/* At the start messages call the file as the user does. */
	setup->path = is_where_it_started() ? strdup(path) : self_absolute(path);
	return setup->path ? 0 : -1;
}

/* Reads and checks the file. Returns -1, or the exit status. */
static int
read_file(struct setup *setup, setup_error *tell)
{
	struct conf *conf = setup->service->configure(setup->config, setup->path);
	size_t n;

	if (!conf) {
		tell(strerror(errno));
		return EXIT_START;
	}
	n = conf_errors(conf);
	for (size_t i = 0; i < n; i++)
		tell(conf_error_text(conf, i));
	conf_free(conf);
	return n ? EXIT_CONFIG : -1;
}

static int
replace(char **text, char *by)
{
	free(*text);
	*text = by;
	return by ? 0 : -1;
}

/* What the command line overrides. Returns 0, or -1 with errno. */
static int
override(struct settings *s, const struct options *o)
{
	if (o->verbose)
		s->level = LOG_L_DEBUG;
	if (o->pidfile && replace(&s->pidfile, self_absolute(o->pidfile)) == -1)
		return -1;
	if (!o->user)
		return 0;
	(void)replace(&s->group, o->group ? strdup(o->group) : NULL);
	if (o->group && !s->group)
		return -1;
	return replace(&s->user, strdup(o->user));
}

int
setup_make(struct setup *setup, const struct service *service, int argc, char **argv,
	setup_error *tell)
{
	int status;

	*setup = (struct setup){ .service = service, .config = service->make() };
	if (!setup->config) {
		tell(strerror(errno));
		return EXIT_START;
	}
	status = options_parse(&setup->options, argc, argv, service->name,
		service->options, service->option, setup->config);
	if (status == -1 && find_path(setup) == -1) {
		tell(strerror(errno));
		return EXIT_START;
	}
	if (status == -1)
		status = read_file(setup, tell);
	if (status == -1 &&
		override(service->settings(setup->config), &setup->options) == -1) {
		tell(strerror(errno));
		return EXIT_START;
	}
	return status;
}

struct generation *
setup_take(struct setup *setup)
{
	struct generation *g = generation_new(setup->config, setup->service->free);

	if (g)
		setup->config = NULL;
	return g;
}

void
setup_free(struct setup *setup)
{
	if (setup->config)
		setup->service->free(setup->config);
	options_free(&setup->options);
	free(setup->path);
	*setup = (struct setup){ .service = NULL };
}
