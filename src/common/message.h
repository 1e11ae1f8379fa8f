/* SPDX-License-Identifier: ISC */
/* message: sends the short messages of a handshake, and what came along with them. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>

#include "io.h"

/*
 * As io_write, on a socket of net.h, without what a thread that sends keeps: on Linux
 * send(2) leaves 32 KiB with the thread for its next one, as long as it lives, and a
 * thread of a tunnel may wait for years. SIGPIPE has to be ignored.
 */
int message_send(int fd, const void *buf, size_t size, const struct io_limit *limit);

#endif
