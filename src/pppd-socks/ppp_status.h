/* SPDX-License-Identifier: ISC */
/* ppp_status: what pppd-socks adds to the command status: upstreams and targets. */
#ifndef PPP_STATUS_H
#define PPP_STATUS_H

#include "service.h"

/* As struct service wants it; config is the struct ppp. */
void ppp_status(const void *config, service_line *line, void *to);

#endif
