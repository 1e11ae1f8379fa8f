/* SPDX-License-Identifier: ISC */
/* pppd-socks: plain TCP ports that lead through SOCKS5. Its life is in service.c. */
#include "config.h"

#include "ppp.h"

int
main(int argc, char **argv)
{
	struct ppp ppp;
	int status;

	ppp_init(&ppp);
	status = service_run(&ppp_service, &ppp, argc, argv);
	ppp_free(&ppp);
	return status;
}
