/* SPDX-License-Identifier: ISC */
/* datagram: as peer, for UDP: sockets with WAIT_MS as their timeout. */
#ifndef DATAGRAM_H
#define DATAGRAM_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "peer.h"

#define LARGEST 65507 /* bytes in a datagram of IPv4 */

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

socklen_t size_of(const union address *a);
union address make_address(const char *ip, uint16_t port);

/* A socket for datagrams on a port that the system picks; port may be NULL. */
int open_socket(const char *ip, uint16_t *port);
int open_socket_at(const union address *at);

void send_raw(int fd, const union address *to, const void *data, size_t size);

/* What comes next is just that. Return who sent it. */
union address expect_datagram(int fd, const void *data, size_t size);
union address expect_text(int fd, const char *text);

uint8_t *make_payload(size_t size); /* bytes that are not all the same; for free(3) */

#define expect_datagram(...) AT(expect_datagram(__VA_ARGS__))
#define expect_text(...)     AT(expect_text(__VA_ARGS__))

#endif
