/* SPDX-License-Identifier: ISC */
/* dcsd: a SOCKS5 server. Its life is in service.c, one client's in serve.c. */
#include "config.h"

#include "dcsd.h"
#include "service.h"

int
main(int argc, char **argv)
{
	return service_run(&dcsd_service, argc, argv);
}
