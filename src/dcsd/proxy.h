/* SPDX-License-Identifier: ISC */
/* proxy: reads the PROXY header that a trusted peer sends before anything else. */
#ifndef PROXY_H
#define PROXY_H

#include "io.h"
#include "proxy_proto.h"

/*
 * Reads the header from fd through in, where what came behind it stays. Blocks until the
 * limit. Returns 0, or -1 with errno and a static text in *why: EPROTO: malformed, or
 * there is none; EPIPE: end of file; ETIMEDOUT; or what the connection failed with.
 */
int proxy_read(struct proxy_header *header, struct inbox *in, int fd,
	const struct io_limit *limit, const char **why);

#endif
