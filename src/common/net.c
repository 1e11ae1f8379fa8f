/* SPDX-License-Identifier: ISC */
/*
 * TCP sockets: listening, look-ups, dialling over all addresses of a name (RFC 8305), and
 * the ways to end a connection. Runs on the thread of the tunnel concerned, which it
 * blocks; keeps no state. Does not log.
 */
#include "config.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "compat.h"

/* RFC 8305 section 5: the Connection Attempt Delay. */
#define ATTEMPT_DELAY_MS 250

/* Keepalive: a peer that is gone is noticed after 120 + 4 * 30 seconds of silence. */
#define KEEP_IDLE_S	120
#define KEEP_INTERVAL_S 30
#define KEEP_COUNT	4

#define DRAIN_BYTES (64 * 1024) /* net_finish discards at most so much */

#define LOOKUP_WAIT_MS 1000 /* no resolver waits less for an answer (resolv.conf(5)) */

static void
set_int(int fd, int level, int option, int value)
{
	/* None of the options set here is worth a connection. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* What both legs of a tunnel have; accepted sockets inherit it from the listening one. */
static void
set_options(int fd)
{
	static const struct timeval tick = { NET_WRITE_TICK_MS / 1000,
		NET_WRITE_TICK_MS % 1000 * 1000 };

	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick));
}

static void
set_blocking(int fd, int on)
{
	int nonblocking = !on;

	(void)ioctl(fd, FIONBIO, &nonblocking);
}

int
net_listen(const struct addr *addr)
{
	int fd = compat_socket(addr_family(addr), SOCK_STREAM);

	if (fd == -1)
		return -1;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (addr_family(addr) == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set_options(fd);
	/* accept must not block when a client went away after poll saw it. */
	set_blocking(fd, 0);
	if (bind(fd, &addr->u.sa, addr->len) == -1 || listen(fd, SOMAXCONN) == -1)
		io_close(&fd);
	return fd;
}

int
net_adopt(int fd)
{
	set_options(fd);
	set_blocking(fd, 0);
	return listen(fd, SOMAXCONN);
}

/* By the one that no other process is likely to set, in just this way. */
bool
net_complete(int fd)
{
	struct timeval tick = { 0, 0 };
	socklen_t len = sizeof(tick);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, &len) == 0 &&
		tick.tv_sec * 1000 + tick.tv_usec / 1000 == NET_WRITE_TICK_MS)
		return false;
	set_options(fd);
	return true;
}

/*
 * Linux ends the listening and nothing else. A second call would be kept in the socket,
 * and by all that are accepted from it later: they would read an end of file at once.
 */
void
net_unlisten(int *fd)
{
	if (shutdown(*fd, SHUT_RDWR) == -1)
		io_close(fd);
}

/*
 * A port that the system chose was given back by net_unlisten, any other is still bound:
 * EINVAL says so, or EACCES before it, to one who is no longer root.
 */
static int
listen_again(int fd, const struct addr *addr)
{
	if (bind(fd, &addr->u.sa, addr->len) == -1 && errno != EINVAL && errno != EACCES)
		return -1;
	return listen(fd, SOMAXCONN);
}

int
net_relisten(int *fd, const struct addr *addr)
{
	if (*fd != -1 && listen_again(*fd, addr) == 0)
		return 0;
	/* EINVAL: there are systems where the shutdown has been the end of the socket. */
	if (*fd != -1 && errno != EINVAL)
		return -1;
	io_close(fd);
	*fd = net_listen(addr);
	return *fd == -1 ? -1 : 0;
}

bool
net_listens(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

int
net_local(int fd, struct addr *addr)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
	} u;
	socklen_t len = sizeof(u);

	if (getsockname(fd, &u.sa, &len) == -1)
		return -1;
	if (!addr_from_sockaddr(addr, &u.sa)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return 0;
}

/* Only one's own addresses can be bound to, and a datagram socket disturbs nobody. */
bool
net_is_local(const struct addr *addr)
{
	struct addr any_port;
	size_t size;
	int fd = compat_socket(addr_family(addr), SOCK_DGRAM);
	bool local;

	addr_from_bytes(&any_port, addr_family(addr), addr_bytes(addr, &size), 0);
	local = fd != -1 && bind(fd, &any_port.u.sa, any_port.len) == 0;
	io_close(&fd);
	return local;
}

/*
 * The errno that stands for an error of getaddrinfo. EAI_AGAIN is a server that said it
 * failed, or one that said nothing: no resolver tells which, but only silence takes as
 * long as it waits for an answer.
 */
static int
lookup_errno(int error, int64_t took_ms)
{
	switch (error) {
	case EAI_AGAIN:
		return took_ms >= LOOKUP_WAIT_MS ? ETIMEDOUT : EAGAIN;
	case EAI_MEMORY:
		return ENOMEM;
	case EAI_SYSTEM:
		return errno;
	case EAI_FAIL:
		return EAGAIN;
	default:
		return ENOENT;
	}
}

/* The next address of that family (or of the other, with other) from ai on, or NULL. */
static const struct addrinfo *
next_of(const struct addrinfo *ai, int family, bool other)
{
	while (ai && (ai->ai_family == family) == other)
		ai = ai->ai_next;
	return ai;
}

/* RFC 8305 section 4: the families take turns; the resolver's first one begins. */
static int
interleave(struct addr *list, int size, const struct addrinfo *all)
{
	const struct addrinfo *next[2];
	int n = 0;

	next[0] = all;
	next[1] = next_of(all, all->ai_family, true);
	for (int turn = 0; n < size && (next[0] || next[1]); turn ^= 1) {
		const struct addrinfo *ai = next[turn];

		if (!ai)
			continue;
		if (addr_from_sockaddr(&list[n], ai->ai_addr))
			n++;
		next[turn] = next_of(ai->ai_next, all->ai_family, turn == 1);
	}
	return n;
}

int
net_resolve(const struct hostport *hp, struct addr *list, int size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	char port[8];
	int64_t begin = io_now_ms();
	int error, n;

	if (addr_from_text(&list[0], hp->host, hp->port))
		return 1;
	snprintf(port, sizeof(port), "%u", hp->port);
	errno = 0;
	error = getaddrinfo(hp->host, port, &hints, &all);
	if (error != 0) {
		errno = lookup_errno(error, io_now_ms() - begin);
		return -1;
	}
	n = interleave(list, size, all);
	freeaddrinfo(all);
	if (n == 0) {
		errno = ENOENT;
		return -1;
	}
	return n;
}

bool
net_family_lacks(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL ||
		error == EPROTONOSUPPORT;
}

const char *
net_error_text(int error)
{
	if (error == ENOENT)
		return "name not found";
	if (error == EAGAIN)
		return "the name server failed";
	return strerror(error);
}

int
net_bind_source(int fd, int family, const struct net_source *source)
{
	const struct addr *addr = family == AF_INET ? &source->ipv4 : &source->ipv6;

	if (source->device && compat_bind_device(fd, source->device) == -1)
		return -1;
	if (addr->len == 0)
		return 0;
	/* The port is chosen by connect, which may share it between targets. */
	compat_bind_late_port(fd);
	return bind(fd, &addr->u.sa, addr->len);
}

/* The attempts of one dial: p[0] watches the client, p[1 + i] is the i-th address. */
struct dial {
	const struct addr *list;
	const struct net_source *source;
	int n;
	int started;
	int error; /* of the last address that failed */
	int64_t next_ms;
	struct pollfd p[1 + NET_ADDRS];
};

/* A socket that has begun to connect, or -1 with errno. */
static int
begin_connect(const struct addr *to, const struct net_source *source)
{
	int fd = compat_socket(addr_family(to), SOCK_STREAM);

	if (fd == -1)
		return -1;
	set_blocking(fd, 0);
	if (source && net_bind_source(fd, addr_family(to), source) == -1)
		io_close(&fd);
	else if (connect(fd, &to->u.sa, to->len) == -1 && errno != EINPROGRESS)
		io_close(&fd);
	return fd;
}

/* Begins the next attempt. Its failure is noted; the caller goes on to another one. */
static void
start_attempt(struct dial *d)
{
	struct pollfd *p = &d->p[1 + d->started];

	d->next_ms = io_now_ms() + ATTEMPT_DELAY_MS;
	p->events = POLLOUT;
	p->fd = begin_connect(&d->list[d->started], d->source);
	d->started++;
	if (p->fd == -1) {
		d->error = errno;
		d->next_ms = 0;
	}
}

/* The result of a finished attempt: 0, or the errno. */
static int
attempt_error(int fd, const struct addr *to)
{
	struct addr local;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	/* A port of the ephemeral range may have been connected to itself. */
	if (error == 0 && net_local(fd, &local) == 0 && addr_equal(&local, to))
		return ECONNREFUSED;
	return error;
}

/* Looks at the attempts poll has marked. Returns the index of one that connected, or -1.
 */
static int
check_attempts(struct dial *d)
{
	for (int i = 0; i < d->started; i++) {
		struct pollfd *p = &d->p[1 + i];
		int error;

		if (p->fd == -1 || p->revents == 0)
			continue;
		error = attempt_error(p->fd, &d->list[i]);
		if (error == 0)
			return i;
		d->error = error;
		d->next_ms = 0;
		io_close(&p->fd);
	}
	return -1;
}

static bool
attempts_under_way(const struct dial *d)
{
	for (int i = 0; i < d->started; i++)
		if (d->p[1 + i].fd != -1)
			return true;
	return false;
}

/* Waits for the next thing to happen. Returns 0, or -1 with errno when it is all over. */
static int
wait_attempts(struct dial *d, const struct io_limit *limit)
{
	int64_t until = limit->until_ms;
	int n;

	if (d->started < d->n && d->next_ms < until)
		until = d->next_ms;
	n = poll(d->p, (nfds_t)(1 + d->started), io_left_ms(until));
	if (n == -1)
		return errno == EINTR ? 0 : -1;
	if (n > 0 && d->p[0].revents) {
		errno = ECANCELED;
		return -1;
	}
	if (n == 0 && io_left_ms(limit->until_ms) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return 0;
}

/* Races the attempts. Returns the index of the winner, or -1 with errno. */
static int
race(struct dial *d, const struct io_limit *limit)
{
	int winner;

	for (;;) {
		while (d->started < d->n && io_now_ms() >= d->next_ms)
			start_attempt(d);
		if (!attempts_under_way(d) && d->started == d->n) {
			errno = d->error;
			return -1;
		}
		if (wait_attempts(d, limit) == -1)
			return -1;
		winner = check_attempts(d);
		if (winner != -1)
			return winner;
	}
}

int
net_dial(const struct addr *list, int n, const struct net_source *source,
	const struct io_limit *limit, struct addr *used)
{
	struct dial d = {
		.list = list,
		.source = source,
		.n = n > NET_ADDRS ? NET_ADDRS : n,
	};
	int winner, fd = -1;

	for (int i = 0; i <= NET_ADDRS; i++)
		d.p[i].fd = -1;
	d.p[0].fd = limit->watch;
	winner = race(&d, limit);
	if (winner != -1) {
		fd = d.p[1 + winner].fd;
		d.p[1 + winner].fd = -1;
		*used = list[winner];
		set_blocking(fd, 1);
		set_options(fd);
	}
	for (int i = 1; i <= d.started; i++)
		io_close(&d.p[i].fd);
	return fd;
}

void
net_reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void
net_finish(int fd, int wait_ms)
{
	struct io_limit limit = { io_now_ms() + wait_ms, -1 };
	char discard[2048];
	ssize_t n = 1;

	if (shutdown(fd, SHUT_WR) == -1)
		return;
	for (size_t sum = 0; sum < DRAIN_BYTES && n > 0; sum += (size_t)n)
		n = io_read(fd, discard, sizeof(discard), &limit);
}
