/* SPDX-License-Identifier: ISC */
/* dcsd: a SOCKS5 server. Its life is in service.c, one client's in serve.c. */
#include "config.h"

#include "dcsd.h"
#include "service.h"

int
main(int argc, char **argv)
{
	struct dcsd dcsd;
	int status;

	dcsd_init(&dcsd);
	status = service_run(&dcsd_service, &dcsd, argc, argv);
	dcsd_free(&dcsd);
	return status;
}
