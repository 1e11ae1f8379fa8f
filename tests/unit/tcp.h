/* SPDX-License-Identifier: ISC */
/* tcp: connected TCP sockets on loopback for the tests. */
#ifndef TCP_H
#define TCP_H

#include <stddef.h>

/* A listening socket on a free port of 127.0.0.1, or of ::1 (-1 where there is none). */
int tcp_listen(int family);

/* Connects to a listening socket of this process. Aborts the test when it cannot. */
int tcp_connect(int listener);

/*
 * Sends until nothing more fits, also when what was sent has been acknowledged: the peer
 * does not read meanwhile. Returns how much did.
 */
size_t tcp_fill(int fd);

/* Two ends of one TCP connection. Aborts the test when it cannot be had. */
void tcp_pair(int end[2]);

/* Closes with RST. */
void tcp_reset(int fd);

#endif
