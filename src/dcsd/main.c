/* SPDX-License-Identifier: ISC */
/* dcsd: a SOCKS5 server. Its life is in service.c, one client's in session.c. */
#include "config.h"

#include "dcsd_conf.h"
#include "service.h"
#include "session.h"

static struct settings *
settings(void *config)
{
	struct dcsd_conf *conf = config;

	return &conf->common;
}

static const struct places *
places(void *config)
{
	struct dcsd_conf *conf = config;

	return &conf->places;
}

static const char *
via_text(const void *via, char *buf, size_t size)
{
	(void)via;
	(void)buf;
	(void)size;
	return "";
}

static const struct service dcsd = {
	.name = "dcsd",
	.default_config = SYSCONFDIR "/dcsd.conf",
	.default_pidfile = RUNSTATEDIR "/dcsd.pid",
	.options = dcsd_options,
	.option = dcsd_option,
	.serve = session_serve,
	.configure = dcsd_configure,
	.settings = settings,
	.places = places,
	.via_text = via_text,
};

int
main(int argc, char **argv)
{
	struct dcsd_conf conf;
	int status;

	dcsd_conf_init(&conf);
	status = service_run(&dcsd, &conf, argc, argv);
	dcsd_conf_free(&conf);
	return status;
}
