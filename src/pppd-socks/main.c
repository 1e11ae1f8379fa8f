/* SPDX-License-Identifier: ISC */
/* pppd-socks: plain TCP ports that lead through SOCKS5. Its life is in service.c. */
#include "config.h"

#include <stdio.h>

#include "forward.h"
#include "ppp_conf.h"
#include "service.h"

static struct settings *
settings(void *config)
{
	struct ppp_conf *conf = config;

	return &conf->common;
}

static const struct places *
places(void *config)
{
	struct ppp_conf *conf = config;

	return &conf->places;
}

static const char *
via_text(const void *via, char *buf, size_t size)
{
	const struct route *route = via;

	snprintf(buf, size, " for route %s", route->name);
	return buf;
}

static const struct service pppd_socks = {
	.name = "pppd-socks",
	.default_config = SYSCONFDIR "/pppd-socks.conf",
	.default_pidfile = RUNSTATEDIR "/pppd-socks.pid",
	.options = ppp_options,
	.option = ppp_option,
	.serve = forward_serve,
	.configure = ppp_configure,
	.settings = settings,
	.places = places,
	.via_text = via_text,
};

int
main(int argc, char **argv)
{
	struct ppp_conf conf;
	int status;

	ppp_conf_init(&conf);
	status = service_run(&pppd_socks, &conf, argc, argv);
	ppp_conf_free(&conf);
	return status;
}
