/* SPDX-License-Identifier: ISC */
/*
 * addr: socket addresses and host:port texts; parse, print, compare.
 *
 * Pure: no I/O, no allocation, no look-up of a name or an interface, so any thread may
 * call any of it. Every struct addr is made by addr_from_bytes() or addr_from_sockaddr(),
 * which turn IPv4-mapped IPv6 into IPv4: nothing else has to think of that form.
 */
#include "config.h"
#include "addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static struct addr
v4(const void *ip, uint16_t port)
{
	struct addr a = {
		.len = sizeof(a.u.in),
		.u.in = { .sin_family = AF_INET, .sin_port = htons(port) },
	};

	memcpy(&a.u.in.sin_addr, ip, sizeof(a.u.in.sin_addr));
	return a;
}

static struct addr
v6(const void *ip, uint16_t port)
{
	struct addr a = {
		.len = sizeof(a.u.in6),
		.u.in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) },
	};

	memcpy(&a.u.in6.sin6_addr, ip, sizeof(a.u.in6.sin6_addr));
	return a;
}

void
addr_from_bytes(struct addr *a, int family, const void *ip, uint16_t port)
{
	const uint8_t *bytes = ip;

	assert(family == AF_INET || family == AF_INET6);
	if (family == AF_INET)
		*a = v4(bytes, port);
	else if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0)
		*a = v4(bytes + sizeof(mapped_prefix), port);
	else
		*a = v6(bytes, port);
}

bool
addr_from_sockaddr(struct addr *a, const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	/* Copied, as sa may be aligned for a struct sockaddr only. */
	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		addr_from_bytes(a, AF_INET, &in.sin_addr, ntohs(in.sin_port));
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		addr_from_bytes(a, AF_INET6, &in6.sin6_addr, ntohs(in6.sin6_port));
		if (addr_family(a) == AF_INET6)
			a->u.in6.sin6_scope_id = in6.sin6_scope_id;
		return true;
	}
	return false;
}

bool
addr_from_text(struct addr *a, const char *text, uint16_t port)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	struct in6_addr ip; /* the larger of the two */

	if (inet_pton(family, text, &ip) != 1)
		return false;
	addr_from_bytes(a, family, &ip, port);
	return true;
}

const uint8_t *
addr_bytes(const struct addr *a, size_t *size)
{
	if (addr_family(a) == AF_INET) {
		*size = sizeof(a->u.in.sin_addr);
		return (const uint8_t *)&a->u.in.sin_addr;
	}
	*size = sizeof(a->u.in6.sin6_addr);
	return a->u.in6.sin6_addr.s6_addr;
}

int
addr_family(const struct addr *a)
{
	return a->u.sa.sa_family;
}

uint16_t
addr_port(const struct addr *a)
{
	return ntohs(addr_family(a) == AF_INET ? a->u.in.sin_port : a->u.in6.sin6_port);
}

char *
addr_text(const struct addr *a, char out[ADDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "";
	size_t size;

	inet_ntop(addr_family(a), addr_bytes(a, &size), ip, sizeof(ip));
	snprintf(out, ADDR_TEXT, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip,
		(unsigned)addr_port(a));
	return out;
}

/* The same address, whatever the port. */
static bool
same_host(const struct addr *a, const struct addr *b)
{
	const uint8_t *x, *y;
	size_t nx, ny;

	x = addr_bytes(a, &nx);
	y = addr_bytes(b, &ny);
	if (nx != ny || memcmp(x, y, nx) != 0)
		return false;
	return addr_family(a) == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&a->u.in6.sin6_addr) ||
		a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_port(a) == addr_port(b) && same_host(a, b);
}

/* The first byte of an IPv4 address; -1 for IPv6. */
static int
first_v4(const struct addr *a)
{
	size_t size;

	return addr_family(a) == AF_INET ? addr_bytes(a, &size)[0] : -1;
}

bool
addr_is_loopback(const struct addr *a)
{
	if (addr_family(a) == AF_INET)
		return first_v4(a) == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr);
}

bool
addr_is_unspecified(const struct addr *a)
{
	if (addr_family(a) == AF_INET)
		return first_v4(a) == 0;
	return IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

bool
addr_is_multicast(const struct addr *a)
{
	if (addr_family(a) == AF_INET)
		return first_v4(a) >> 4 == 14;
	return IN6_IS_ADDR_MULTICAST(&a->u.in6.sin6_addr);
}

bool
addr_is_broadcast(const struct addr *a)
{
	return first_v4(a) >= 240;
}

/* Digits and nothing else: strtol() would also take " 1", "+1" and "0x1". */
int
port_parse(const char *text, int min)
{
	int port = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		port = port * 10 + (*text - '0');
		if (port > UINT16_MAX)
			return -1;
	}
	return port >= min ? port : -1;
}

/* What is wrong with a host of a hostport that was not in brackets; NULL: nothing. */
static const char *
host_fault(const char *host)
{
	const char *p;

	if (*host == '\0')
		return "the host is missing";
	for (p = host; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "a space or control character in the host";
		if (strchr(":[]", *p))
			return "an IPv6 address must be written as [ADDRESS]:PORT";
	}
	return NULL;
}

/*
 * Parts "HOST:PORT" or "[V6]:PORT" at the colon before the port; host gets no brackets,
 * *port points into text. Returns what is wrong with it, or NULL.
 */
static const char *
split(const char *text, char host[HOST_MAX + 1], const char **port)
{
	bool brackets = *text == '[';
	const char *end = brackets ? strstr(text, "]:") : strrchr(text, ':');
	struct in6_addr ip;
	size_t size;

	if (!end)
		return "a port must follow, as in HOST:PORT or [ADDRESS]:PORT";
	*port = end + (brackets ? 2 : 1);
	text += brackets;
	size = (size_t)(end - text);
	if (size > HOST_MAX)
		return "the host is longer than 255 bytes";
	memcpy(host, text, size);
	host[size] = '\0';
	if (brackets && inet_pton(AF_INET6, host, &ip) != 1)
		return "no IPv6 address in the brackets";
	return brackets ? NULL : host_fault(host);
}

static const char bad_port[] = "the port must be a number from 1 to 65535";
static const char bad_port_or_0[] = "the port must be a number from 0 to 65535";

int
hostport_parse(struct hostport *hp, const char *text, const char **why)
{
	struct hostport got = { .port = 0 };
	const char *fault, *port_text;
	int port;

	fault = split(text, got.host, &port_text);
	if (fault) {
		*why = fault;
		return -1;
	}
	port = port_parse(port_text, 1);
	if (port == -1) {
		*why = bad_port;
		return -1;
	}
	got.port = (uint16_t)port;
	*hp = got;
	return 0;
}

bool
hostport_equal(const struct hostport *a, const struct hostport *b)
{
	return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

char *
hostport_text(const struct hostport *hp, char out[HOSTPORT_TEXT])
{
	snprintf(out, HOSTPORT_TEXT, strchr(hp->host, ':') ? "[%s]:%u" : "%s:%u",
		hp->host, (unsigned)hp->port);
	return out;
}

/* Loopback or every address in both families. */
static int
listen_both(struct listen_addr out[2], bool every, uint16_t port)
{
	static const uint8_t any_v4[4], loopback_v4[4] = { 127, 0, 0, 1 };

	addr_from_bytes(&out[0].addr, AF_INET, every ? any_v4 : loopback_v4, port);
	addr_from_bytes(
		&out[1].addr, AF_INET6, every ? &in6addr_any : &in6addr_loopback, port);
	out[0].may_lack = out[1].may_lack = true;
	return 2;
}

int
listen_parse(struct listen_addr out[2], const char *text, const char **why)
{
	char host[HOST_MAX + 1] = "";
	const char *fault, *port_text = text;
	bool bare = strpbrk(text, ":[") == NULL;
	bool every, both;
	int port;

	fault = bare ? NULL : split(text, host, &port_text);
	if (fault) {
		*why = fault;
		return -1;
	}
	every = strcmp(host, "*") == 0;
	both = bare || every;
	/* Not 0 for both: the two sockets would get two ports. */
	port = port_parse(port_text, both ? 1 : 0);
	if (port == -1) {
		*why = both ? bad_port : bad_port_or_0;
		return -1;
	}
	if (both)
		return listen_both(out, every, (uint16_t)port);
	if (!addr_from_text(&out[0].addr, host, (uint16_t)port)) {
		*why = "the address must be numeric, or * for every address";
		return -1;
	}
	out[0].may_lack = false;
	return 1;
}

/* 0.0.0.0 or ::, what a socket that takes every address is bound to; not all of 0/8. */
static bool
takes_every(const struct addr *a)
{
	static const uint8_t zeros[16];
	const uint8_t *bytes;
	size_t size;

	bytes = addr_bytes(a, &size);
	return memcmp(bytes, zeros, size) == 0;
}

bool
addr_collides(const struct addr *a, const struct addr *b)
{
	if (addr_family(a) != addr_family(b) || addr_port(a) != addr_port(b) ||
		addr_port(a) == 0)
		return false;
	return same_host(a, b) || takes_every(a) || takes_every(b);
}
