/* SPDX-License-Identifier: ISC */
/*
 * The SOCKS5 of it is written out here, in the fewest bytes, so that the load is none of
 * what is measured.
 */
#include "config.h"
#include "way.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 20 /* only a failure waits for so long */

struct sockaddr_in
way_loopback(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

int
way_listen(int type, uint16_t *port)
{
	struct sockaddr_in here = way_loopback(*port);
	socklen_t len = sizeof(here);
	int fd = socket(AF_INET, type, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&here, len) == -1 ||
		(type == SOCK_STREAM && listen(fd, 4096) == -1) ||
		getsockname(fd, (struct sockaddr *)&here, &len) == -1)
		die("listen");
	*port = ntohs(here.sin_port);
	return fd;
}

bool
way_give(int fd, const void *data, size_t size)
{
	return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

bool
way_take(int fd, void *data, size_t size)
{
	ssize_t n = recv(fd, data, size, MSG_WAITALL);

	if (n >= 0 && (size_t)n < size)
		errno = ECONNRESET;
	return n == (ssize_t)size;
}

static int
dial(int type, uint16_t port)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_in to = way_loopback(port);
	int fd = socket(AF_INET, type, 0), on = 1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
put_ipv4(uint8_t *out, uint16_t port)
{
	memcpy(out, "\1\177\0\0\1", 5);
	out[5] = (uint8_t)(port >> 8);
	out[6] = (uint8_t)port;
}

/* The whole handshake. *bound is the port of the reply; servers here are of IPv4. */
static bool
ask(int fd, uint8_t command, uint16_t port, uint16_t *bound)
{
	uint8_t request[10] = { 5, command, 0 }, reply[10];

	put_ipv4(request + 3, port);
	if (command == 3)
		memset(request + 4, 0, 6);
	if (!way_give(fd, "\5\1\0", 3) || !way_take(fd, reply, 2) ||
		!way_give(fd, request, sizeof(request)) ||
		!way_take(fd, reply, sizeof(reply)))
		return false;
	*bound = (uint16_t)(reply[8] << 8 | reply[9]);
	if (reply[1] != 0 || reply[3] != 1)
		errno = EPROTO;
	return reply[1] == 0 && reply[3] == 1;
}

int
way_open(const struct plan *plan, enum wish wish)
{
	uint8_t first = (uint8_t)wish;
	uint16_t bound;
	int fd = dial(SOCK_STREAM, plan->at), error;

	if (fd == -1)
		return -1;
	if ((!plan->socks || ask(fd, 1, plan->target, &bound)) && way_give(fd, &first, 1))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
way_open_udp(const struct plan *plan, int *control, uint8_t header[WAY_UDP_HEADER],
	size_t *head)
{
	uint16_t port = plan->at;

	*control = -1;
	*head = 0;
	if (plan->socks) {
		*control = dial(SOCK_STREAM, plan->at);
		if (*control == -1 || !ask(*control, 3, 0, &port))
			return -1;
		*head = WAY_UDP_HEADER;
		memset(header, 0, 3);
		put_ipv4(header + 3, plan->target);
	}
	return dial(SOCK_DGRAM, port);
}
