/* SPDX-License-Identifier: ISC */
/* net: TCP sockets: listen, resolve, dial, and how to end a connection. Does not log. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include "addr.h"
#include "io.h"

/* How long a write to a peer that takes nothing blocks, before it fails with EAGAIN. */
#define NET_WRITE_TICK_MS 500

/*
 * A listening socket on addr. Connections accepted from it have TCP_NODELAY, keepalive,
 * in-line urgent data and NET_WRITE_TICK_MS. Returns the fd, or -1 with errno.
 */
int net_listen(const struct addr *addr);

/*
 * Makes a bound stream socket of another process's making one of net_listen: it listens,
 * whether it did or not. Returns 0, or -1 with errno.
 */
int net_adopt(int fd);

/*
 * For a connection accepted from a socket of net_adopt: gives it the options that it has
 * not inherited, because it came before. Returns whether that was so; if not, it has not
 * been for any later one.
 */
bool net_complete(int fd);

/*
 * Stops a socket of net_listen from listening: who connects is refused, who waits in its
 * queue is reset. Where the system can do that *fd stays, and keeps its port unless the
 * system chose it; else it is closed and set to -1. Not again before net_relisten.
 */
void net_unlisten(int *fd);

/*
 * Listens again, at the address where it did; as net_listen, but needs no privileges for
 * a port that was kept. Returns 0; or -1 with errno, to be tried again or closed.
 */
int net_relisten(int *fd, const struct addr *addr);

/* Whether fd listens: one that was inherited may not, any more. */
bool net_listens(int fd);

/* The address fd is bound to. Returns 0, or -1 with errno. */
int net_local(int fd, struct addr *addr);

/* Whether addr is one of this machine's own addresses; the port does not matter. */
bool net_is_local(const struct addr *addr);

#define NET_ADDRS 32 /* addresses of one name that are tried at most */

/*
 * All addresses of a name, IPv6 and IPv4 interleaved (RFC 8305 section 4), at most size.
 * Numeric text needs no look-up. May block for as long as the system's resolver does,
 * whatever the caller's deadline. Returns how many, or -1 with errno: ENOENT for a name
 * that does not exist or has no address, ETIMEDOUT, EAGAIN (the server failed), ENOMEM.
 */
int net_resolve(const struct hostport *hp, struct addr *list, int size);

/* Whether that errno of bind or socket says that the machine lacks that family. */
bool net_family_lacks(int error);

/* Words for an errno of net_resolve or net_dial. */
const char *net_error_text(int error);

/* Where connections come from. Zero initialised: as the system chooses. */
struct net_source {
	struct addr ipv4, ipv6; /* bound to, by the target's family; len 0: none */
	char *device;		/* of the machine; NULL: none */
};

/*
 * Binds a new socket for that family to the source. Returns 0, or -1 with errno;
 * EOPNOTSUPP: there is a device, and this system cannot bind to one.
 */
int net_bind_source(int fd, int family, const struct net_source *source);

/*
 * Connects to the first address of the list that answers: each next one is tried 250 ms
 * after the one before, or as soon as it has failed (RFC 8305 section 5). Blocks until
 * the limit. Returns a blocking socket with the options of net_listen, and the address
 * it is connected to in *used; or -1 with errno, that of the last address that failed.
 * A socket that got connected to itself counts as refused. source may be NULL.
 */
int net_dial(const struct addr *list, int n, const struct net_source *source,
	const struct io_limit *limit, struct addr *used);

/* Lets the next close of fd send RST instead of FIN, and drop what is unsent. */
void net_reset_on_close(int fd);

/*
 * Before a close, so that the peer gets what was written last even if it is still
 * sending (the kernel would reset, and the peer lose it): sends FIN, then discards a
 * bounded amount of what comes, for at most wait_ms.
 */
void net_finish(int fd, int wait_ms);

#endif
