/* SPDX-License-Identifier: ISC */
/* datagram: sockets for datagrams, on the thread of the test. */
#include "config.h"

#include "datagram.h"

#include <sys/time.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#undef expect_datagram
#undef expect_text

socklen_t
size_of(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

union address
make_address(const char *ip, uint16_t port)
{
	union address a = { .in.sin_family = AF_INET };

	if (inet_pton(AF_INET, ip, &a.in.sin_addr) == 1) {
		a.in.sin_port = htons(port);
		return a;
	}
	a.sa.sa_family = AF_INET6;
	ck_assert(inet_pton(AF_INET6, ip, &a.in6.sin6_addr) == 1);
	a.in6.sin6_port = htons(port);
	return a;
}

int
open_socket_at(const union address *at)
{
	struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	int fd = socket(at->sa.sa_family, SOCK_DGRAM, 0);

	ck_assert(fd >= 0 && bind(fd, &at->sa, size_of(at)) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

int
open_socket(const char *ip, uint16_t *port)
{
	union address a = make_address(ip, 0);
	int fd = open_socket_at(&a);

	if (port)
		*port = local_port(fd);
	return fd;
}

void
send_raw(int fd, const union address *to, const void *data, size_t size)
{
	if (sendto(fd, data, size, 0, &to->sa, size_of(to)) != (ssize_t)size)
		fail_test("sendto: %s", strerror(errno));
}

union address
expect_datagram(int fd, const void *data, size_t size)
{
	static char got[LARGEST + 29];
	union address from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, got, sizeof(got), 0, &from.sa, &len);

	if (n < 0)
		fail_test("no datagram: %s", strerror(errno));
	if ((size_t)n != size || memcmp(got, data, size) != 0)
		fail_test("got a datagram of %zd bytes, \"%.40s\", instead of %zu, "
			  "\"%.40s\"",
			n, n > 10 ? got : "", size, size > 0 ? (const char *)data : "");
	return from;
}

union address
expect_text(int fd, const char *text)
{
	return expect_datagram(fd, text, strlen(text));
}

uint8_t *
make_payload(size_t size)
{
	uint8_t *data = malloc(size);

	ck_assert(data != NULL);
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return data;
}
