/* SPDX-License-Identifier: ISC */
/*
 * peer: blocking sockets with timeouts, on the thread of the test, but for flows and echo
 * targets, which have their own.
 */
#include "config.h"

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#undef mustaccept
#undef mustdial
#undef mustsend
#undef expect_bytes
#undef expect_eof
#undef expect_reset
#undef expect_no_service
#undef expect_end
#undef expect_silence
#undef expect_failure
#undef expect_success
#undef flow_wait
#undef tunnel_open
#undef tunnel_check

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Returns the size, or 0 when text is not an address. */
static socklen_t
address_from(union address *a, const char *text, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		return sizeof(a->in);
	}
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		return sizeof(a->in6);
	}
	return 0;
}

static int
set_up(int fd)
{
	struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static int
bind_any(const char *ip, uint16_t *port)
{
	union address a;
	socklen_t len = address_from(&a, ip, 0);
	int fd = socket(a.sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, &a.sa, len) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	set_up(fd);
	*port = local_port(fd);
	return fd;
}

int
mustlisten(const char *ip, uint16_t *port)
{
	int fd = bind_any(ip, port);

	if (fd < 0 || listen(fd, 512) < 0)
		fail_test("listen on %s: %s", ip, strerror(errno));
	return fd;
}

int
mustaccept(int listener)
{
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	int fd;

	if (poll(&pfd, 1, WAIT_MS) != 1)
		fail_test("no connection comes");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		fail_test("accept: %s", strerror(errno));
	return set_up(fd);
}

int
mustdial_ip(const char *ip, uint16_t port)
{
	union address a;
	socklen_t len = address_from(&a, ip, port);
	int fd = socket(a.sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0 || connect(set_up(fd), &a.sa, len) < 0)
		fail_test("connect to %s port %d: %s", ip, port, strerror(errno));
	return fd;
}

int
mustdial_from(const char *from, const char *ip, uint16_t port)
{
	union address a;
	socklen_t len = address_from(&a, ip, port);
	uint16_t any;
	int fd = bind_any(from, &any);

	if (fd < 0 || connect(fd, &a.sa, len) < 0)
		fail_test("connect from %s to %s port %d: %s", from, ip, port,
			strerror(errno));
	return fd;
}

int
mustdial(uint16_t port)
{
	return mustdial_ip("127.0.0.1", port);
}

void
expect_refused(uint16_t port)
{
	union address a;
	socklen_t len = address_from(&a, "127.0.0.1", port);

	for (int tries = WAIT_MS / 10; tries > 0; tries--) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		int refused = connect(fd, &a.sa, len) < 0 && errno == ECONNREFUSED;

		close(fd);
		if (refused)
			return;
		poll(NULL, 0, 10); /* nothing tells that another process has closed it */
	}
	fail_test("connections are still accepted");
}

uint16_t
local_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	ck_assert(getsockname(fd, &a.sa, &len) == 0);
	return ntohs(a.sa.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
}

bool
has_ipv6(void)
{
	uint16_t port;
	int fd = bind_any("::1", &port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
closed_port(uint16_t *port)
{
	int fd = bind_any("127.0.0.1", port);

	ck_assert(fd >= 0);
	return fd;
}

int
full_port(uint16_t *port)
{
	union address a;
	int fd = closed_port(port);
	socklen_t len = address_from(&a, "127.0.0.1", *port);

	ck_assert(listen(fd, 0) == 0);
	for (int i = 0; i < 16; i++) {
		struct pollfd pfd = { .events = POLLOUT };

		pfd.fd = set_up(socket(AF_INET, SOCK_STREAM, 0));
		fcntl(pfd.fd, F_SETFL, O_NONBLOCK);
		if (connect(pfd.fd, &a.sa, len) < 0 && poll(&pfd, 1, 300) == 0)
			return fd; /* the clients stay open: they fill it */
	}
	close(fd);
	return -1;
}

/* Returns 0, or -1 with errno. */
static int
send_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = send(fd, p, len, 0)) < 0)
			return -1;
	return 0;
}

void
mustsend(int fd, const void *data, size_t len)
{
	if (send_all(fd, data, len) < 0)
		fail_test("send: %s", strerror(errno));
}

void
try_send(int fd, const void *data, size_t len)
{
	(void)send_all(fd, data, len);
}

void
half_close(int fd)
{
	shutdown(fd, SHUT_WR);
}

void
reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* What recv said, for a failure. */
static const char *
outcome(ssize_t n, const char *buf)
{
	static char text[64];

	if (n == 0)
		return "end of file";
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return "nothing";
	if (n < 0)
		return strerror(errno);
	for (int i = 0; i < n && i < 16; i++)
		snprintf(text + 3 * i, 4, "%02x ", (unsigned)(unsigned char)buf[i]);
	return text;
}

void
expect_bytes(int fd, const void *data, size_t len)
{
	const char *want = data;
	char got[4096];
	ssize_t n;

	for (size_t done = 0; done < len; done += (size_t)n) {
		size_t most = len - done < sizeof(got) ? len - done : sizeof(got);

		n = recv(fd, got, most, 0);
		if (n <= 0 || memcmp(got, want + done, (size_t)n) != 0)
			fail_test("got %s instead of byte %zu of %zu", outcome(n, got),
				done, len);
	}
}

void
expect_eof(int fd)
{
	char got[16];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	if (n != 0)
		fail_test("got %s instead of the end of file", outcome(n, got));
}

void
expect_reset(int fd)
{
	char got[16];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	if (n >= 0 || errno != ECONNRESET)
		fail_test("got %s instead of a reset", outcome(n, got));
}

void
expect_no_service(uint16_t port)
{
	union address a;
	socklen_t len = address_from(&a, "127.0.0.1", port);
	int fd = set_up(socket(AF_INET, SOCK_STREAM, 0));

	if (connect(fd, &a.sa, len) == 0)
		expect_reset(fd);
	else if (errno != ECONNRESET)
		fail_test("connect to port %d: %s", port, strerror(errno));
	close(fd);
}

void
expect_end(int fd)
{
	char got[16];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	if (n > 0 || (n < 0 && errno != ECONNRESET))
		fail_test("got %s instead of an end", outcome(n, got));
}

void
expect_silence(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char got[16];

	if (poll(&pfd, 1, ms) != 0)
		fail_test("got %s instead of silence",
			outcome(recv(fd, got, sizeof(got), 0), got));
}

#define PERIOD 65521 /* a prime: no block size of anybody divides it */

struct flow {
	pthread_t thread;
	int fd;
	size_t len;
	enum then then;
	char failed[80]; /* empty: it went well */
};

static unsigned char pattern[PERIOD];

static void
make_pattern(void)
{
	uint32_t x = 2463534242U;

	for (int i = 0; i < PERIOD; i++) {
		x = x * 1664525U + 1013904223U;
		pattern[i] = (unsigned char)(x >> 24);
	}
}

static void *
send_flow(void *arg)
{
	struct flow *flow = arg;
	size_t done = 0, n;

	for (; done < flow->len; done += n) {
		size_t at = done % PERIOD;

		n = flow->len - done < PERIOD - at ? flow->len - done : PERIOD - at;
		if (send_all(flow->fd, pattern + at, n) < 0) {
			snprintf(flow->failed, sizeof(flow->failed),
				"send after %zu bytes: %s", done, strerror(errno));
			return NULL;
		}
	}
	if (flow->then == THEN_EOF)
		half_close(flow->fd);
	return NULL;
}

static void *
recv_flow(void *arg)
{
	struct flow *flow = arg;
	char got[65536];
	size_t done = 0;
	ssize_t n = 1;

	while (n > 0 && (done < flow->len || flow->then == THEN_EOF)) {
		size_t at = done % PERIOD;
		size_t most = done < flow->len ? flow->len - done : 1;

		n = recv(flow->fd, got, most < PERIOD - at ? most : PERIOD - at, 0);
		if (n > 0 && memcmp(got, pattern + at, (size_t)n) != 0) {
			snprintf(flow->failed, sizeof(flow->failed),
				"wrong bytes behind byte %zu", done);
			return NULL;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	if (n < 0 || done != flow->len)
		snprintf(flow->failed, sizeof(flow->failed), "%s after %zu bytes of %zu",
			n < 0		 ? strerror(errno)
				: n == 0 ? "end of file"
					 : "more",
			done, flow->len);
	return NULL;
}

static struct flow *
start_flow(void *(*run)(void *), int fd, size_t len, enum then then)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct flow *flow = calloc(1, sizeof(*flow));

	pthread_once(&once, make_pattern);
	ck_assert(flow != NULL);
	flow->fd = fd;
	flow->len = len;
	flow->then = then;
	ck_assert(pthread_create(&flow->thread, NULL, run, flow) == 0);
	return flow;
}

struct flow *
send_pattern(int fd, size_t len, enum then then)
{
	return start_flow(send_flow, fd, len, then);
}

struct flow *
recv_pattern(int fd, size_t len, enum then then)
{
	return start_flow(recv_flow, fd, len, then);
}

void
flow_wait(struct flow *flow)
{
	pthread_join(flow->thread, NULL);
	if (flow->failed[0] != '\0')
		fail_test("%s", flow->failed);
	free(flow);
}

static void
start_detached(void *(*run)(void *), int fd)
{
	int *arg = malloc(sizeof(*arg));
	pthread_t thread;

	ck_assert(arg != NULL);
	*arg = fd;
	ck_assert(pthread_create(&thread, NULL, run, arg) == 0);
	pthread_detach(thread);
}

static void *
echo(void *arg)
{
	int fd = *(int *)arg;
	char buf[16384];
	ssize_t n;

	free(arg);
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0 &&
		send_all(fd, buf, (size_t)n) == 0)
		continue;
	close(fd);
	return NULL;
}

static void *
echo_accept(void *arg)
{
	int listener = *(int *)arg, fd;

	free(arg);
	while ((fd = accept(listener, NULL, NULL)) >= 0 || errno == EAGAIN)
		if (fd >= 0)
			start_detached(echo, set_up(fd));
	return NULL;
}

void
echo_serve(int listener)
{
	start_detached(echo_accept, listener);
}

size_t
request_ip(uint8_t *buf, const char *ip, uint16_t port)
{
	union address a;
	socklen_t len = address_from(&a, ip, port);
	bool v4 = len == sizeof(a.in);
	size_t size = v4 ? 4 : 16;

	ck_assert(len != 0);
	memcpy(buf, "\5\1\0", 3);
	buf[3] = v4 ? 1 : 4;
	memcpy(buf + 4, v4 ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr, size);
	buf[4 + size] = (uint8_t)(port >> 8);
	buf[5 + size] = (uint8_t)port;
	return size + 6;
}

size_t
request_name(uint8_t *buf, const char *name, size_t len, uint16_t port)
{
	memcpy(buf, "\5\1\0\3", 4);
	buf[4] = (uint8_t)len;
	memcpy(buf + 5, name, len);
	buf[5 + len] = (uint8_t)(port >> 8);
	buf[6 + len] = (uint8_t)port;
	return len + 7;
}

int
socks_dial(struct daemon *d)
{
	int fd = mustdial(daemon_port(d, 0));

	mustsend(fd, BYTES(GREETING));
	expect_bytes(fd, BYTES(METHOD_NONE));
	return fd;
}

void
socks_ask(int fd, const char *ip, uint16_t port)
{
	uint8_t buf[REQUEST_SIZE];

	mustsend(fd, buf, request_ip(buf, ip, port));
}

void
expect_failure(int fd, int rep)
{
	char reply[10] = { 5, (char)rep, 0, 1 };

	expect_bytes(fd, reply, sizeof(reply));
	expect_eof(fd);
}

void
expect_success(int fd, int target)
{
	union address bnd;
	socklen_t len = sizeof(bnd);
	bool v4;

	ck_assert(getpeername(target, &bnd.sa, &len) == 0);
	v4 = bnd.sa.sa_family == AF_INET;
	expect_bytes(fd, v4 ? "\5\0\0\1" : "\5\0\0\4", 4);
	if (v4)
		expect_bytes(fd, &bnd.in.sin_addr, 4);
	else
		expect_bytes(fd, &bnd.in6.sin6_addr, 16);
	expect_bytes(fd, v4 ? &bnd.in.sin_port : &bnd.in6.sin6_port, 2);
}

void
tunnel_open(struct daemon *d, int listener, int fd[2])
{
	fd[CLIENT] = socks_dial(d);
	socks_ask(fd[CLIENT], "127.0.0.1", local_port(listener));
	fd[TARGET] = mustaccept(listener);
	expect_success(fd[CLIENT], fd[TARGET]);
}

void
tunnel_check(const int fd[2])
{
	mustsend(fd[CLIENT], BYTES("question"));
	expect_bytes(fd[TARGET], BYTES("question"));
	mustsend(fd[TARGET], BYTES("answer"));
	expect_bytes(fd[CLIENT], BYTES("answer"));
}

void
tunnel_close(int fd[2])
{
	close(fd[CLIENT]);
	close(fd[TARGET]);
}

struct daemon *
start_warm(const char *more)
{
	struct daemon *d = start_dcsd("%s", more);
	uint16_t port;
	int listener = mustlisten("127.0.0.1", &port), fd[2];

	daemon_mark(d);
	tunnel_open(d, listener, fd);
	tunnel_close(fd);
	close(listener);
	expect_baseline(d);
	expect_log(d, " end=");
	daemon_mark(d);
	return d;
}
