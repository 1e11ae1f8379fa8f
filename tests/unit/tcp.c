/* SPDX-License-Identifier: ISC */
/* Connected TCP sockets on loopback. Any thread. */
#include "config.h"
#include "tcp.h"

#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"

int
tcp_listen(int family)
{
	struct addr addr;
	int fd = socket(family, SOCK_STREAM, 0);

	ck_assert(addr_from_text(&addr, family == AF_INET ? "127.0.0.1" : "::1", 0));
	if (fd == -1 || bind(fd, &addr.u.sa, addr.len) == -1 || listen(fd, 16) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
tcp_connect(int listener)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, len), 0);
	return fd;
}

void
tcp_pair(int end[2])
{
	int fd = tcp_listen(AF_INET);

	ck_assert_int_ne(fd, -1);
	end[0] = tcp_connect(fd);
	end[1] = accept(fd, NULL, NULL);
	ck_assert_int_ne(end[1], -1);
	close(fd);
}

size_t
tcp_fill(int fd)
{
	static char much[64 * 1024];
	size_t sum = 0, before;
	ssize_t n;

	do {
		before = sum;
		while ((n = send(fd, much, sizeof(much), MSG_DONTWAIT)) > 0)
			sum += (size_t)n;
		poll(NULL, 0, 200);
	} while (sum > before);
	return sum;
}

void
tcp_reset(int fd)
{
	struct linger linger = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}
