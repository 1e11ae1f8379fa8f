/* SPDX-License-Identifier: ISC */
/* addr: socket addresses and host:port texts; parse, print, compare. Pure: no I/O. */
#ifndef ADDR_H
#define ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 socket address. */
struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
};

#define HOST_MAX 255 /* bytes in a host name: what a SOCKS5 request can carry */

/* Where to connect to: a name or the text of an address, and a port. */
struct hostport {
	char host[HOST_MAX + 1];
	uint16_t port;
};

/*
 * From 4 or 16 bytes in network order (family AF_INET or AF_INET6). An IPv4-mapped IPv6
 * address becomes the IPv4 one it means.
 */
void addr_from_bytes(struct addr *a, int family, const void *ip, uint16_t port);

/* As addr_from_bytes, from a socket address of the system. False: not an IP address. */
bool addr_from_sockaddr(struct addr *a, const struct sockaddr *sa);

/*
 * From numeric text alone: "192.0.2.1", "2001:db8::1". False, and a untouched: text is
 * anything else, as "127.1", "[::1]" or "fe80::1%lo".
 */
bool addr_from_text(struct addr *a, const char *text, uint16_t port);

/* The address bytes in network order, and their number. */
const uint8_t *addr_bytes(const struct addr *a, size_t *size);

int addr_family(const struct addr *a);
uint16_t addr_port(const struct addr *a);

/* "127.0.0.1:80", "[::1]:80". Returns out. */
#define ADDR_TEXT 56
char *addr_text(const struct addr *a, char out[ADDR_TEXT]);

/* Same family, address and port (and, for a link-local address, the same scope). */
bool addr_equal(const struct addr *a, const struct addr *b);

/* Kinds of address. Broadcast is 255.255.255.255; 0.0.0.0/8 counts as unspecified. */
bool addr_is_loopback(const struct addr *a);
bool addr_is_unspecified(const struct addr *a);
bool addr_is_multicast(const struct addr *a);
bool addr_is_broadcast(const struct addr *a); /* and the reserved 240.0.0.0/4 */

/*
 * "HOST:PORT" or "[V6]:PORT", port 1 to 65535, host 1 to HOST_MAX bytes without space or
 * control; it is kept without the brackets. Returns 0, or -1 and a text in *why that
 * follows "TEXT: ".
 */
int hostport_parse(struct hostport *hp, const char *text, const char **why);

/* "host:port", "[2001:db8::1]:port". Returns out. */
#define HOSTPORT_TEXT (HOST_MAX + 10)
char *hostport_text(const struct hostport *hp, char out[HOSTPORT_TEXT]);

/* Whether both are the same text, whatever the case of its letters, and port. */
bool hostport_equal(const struct hostport *a, const struct hostport *b);

/* The port that text is, all of it digits: min (0 or 1) to 65535. Returns it, or -1. */
int port_parse(const char *text, int min);

/*
 * Where to listen. "PORT": loopback, both families; "*:PORT": every address, both
 * families; a family that the machine lacks may be skipped there (may_lack). "ADDR:PORT",
 * "[V6]:PORT": that address; here port 0 is allowed, the system then picks one.
 */
struct listen_addr {
	struct addr addr;
	bool may_lack;
};

/* Returns how many (1 or 2) it put in out, or -1 and a text in *why. */
int listen_parse(struct listen_addr out[2], const char *text, const char **why);

/*
 * True when one socket of each cannot both be bound: the same port, not 0, and the same
 * address or one of them every address of that family.
 */
bool addr_collides(const struct addr *a, const struct addr *b);

#endif
