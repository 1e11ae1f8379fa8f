/* SPDX-License-Identifier: ISC */
/* Connected TCP sockets on loopback. Any thread. */
#include "config.h"
#include "tcp.h"

#include <check.h>
#include <netinet/in.h>
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

void
tcp_pair(int end[2])
{
	int fd = tcp_listen(AF_INET);
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	end[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(end[0], (struct sockaddr *)&in, len), 0);
	end[1] = accept(fd, NULL, NULL);
	ck_assert_int_ne(end[1], -1);
	close(fd);
}

void
tcp_reset(int fd)
{
	struct linger linger = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}
