/* SPDX-License-Identifier: ISC */
/* pppd-socks: plain TCP ports that lead through SOCKS5. Its life is in service.c. */
#include "config.h"

#include "ppp.h"

int
main(int argc, char **argv)
{
	return service_run(&ppp_service, argc, argv);
}
