/* SPDX-License-Identifier: ISC */
/* tcp: connected TCP sockets on loopback for the tests. */
#ifndef TCP_H
#define TCP_H

/* A listening socket on a free port of 127.0.0.1, or of ::1 (-1 where there is none). */
int tcp_listen(int family);

/* Two ends of one TCP connection. Aborts the test when it cannot be had. */
void tcp_pair(int end[2]);

/* Closes with RST. */
void tcp_reset(int fd);

#endif
