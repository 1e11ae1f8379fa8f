/* SPDX-License-Identifier: ISC */
/*
 * listeners: the set of sockets that a server listens at, each opened for something that
 * leads on: a route. A reload makes another set, which takes over the sockets that both
 * have, untouched. Whose threads may use what is said in server.c.
 */
#ifndef LISTENERS_H
#define LISTENERS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "addr.h"
#include "generation.h"
#include "log.h"

/* A place to listen; via is handed on to the conns accepted there. */
struct server_place {
	struct listen_addr at;
	const void *via;
};

/* A socket, for as long as any set has it. */
struct listen_socket {
	struct addr asked; /* as the place has it: port 0 stays 0 */
	struct addr addr;  /* with the port the system chose, if it did */
	int fd;		   /* -1: refuses clients, where that closes the socket */
	bool accepts;	   /* it listens; else it refuses */
	bool inherited;	   /* who waits there may have come before it was ours */
	bool refuse;	   /* it is to refuse clients: the daemon wishes it */
	bool drained;	   /* the same: an administrator does */
	int64_t reopen_ms; /* not before */
	struct log_rate reopen_rate;
};

struct listener {
	struct listen_socket *socket;
	const void *via; /* of the set's generation */
};

/* Starts zero initialised: none. */
struct listeners {
	struct listener *list;
	struct pollfd *fds; /* one for each (fd -1: it refuses), and one to spare */
	size_t n;
	struct generation *generation; /* of the configuration that has the places */
};

/*
 * Makes set listen at every place (at least one): at a socket of now, where that was
 * opened for the same address, or at a new one; and holds the generation. A family that
 * may lack is left out, but there is a socket for each via. Returns 0; or -1 with errno
 * and the place that failed in *failed, and nothing is left. Nothing of now changes. None
 * is polled before listeners_heed.
 */
int listeners_open(struct listeners *set, const struct server_place *places, size_t n,
	struct generation *generation, const struct listeners *now,
	const struct server_place **failed);

/*
 * What a socket that was opened for that address is called when another process inherits
 * it: "" where its address tells, a name of its own where the system chose the port.
 * Returns out.
 */
#define LISTEN_NAME 48
char *listen_name(const struct addr *asked, char out[LISTEN_NAME]);

/* Whether set has that socket. */
bool listeners_have(const struct listeners *set, const struct listen_socket *socket);

/* Closes and frees what other (NULL: nothing) has not, and frees the set. */
void listeners_close(struct listeners *set, const struct listeners *other);

/*
 * Has each socket listen, or refuse clients, as is wished. Returns when it is to be
 * called again at the latest: one that cannot listen again is told of in the log, and
 * tried every second.
 */
int64_t listeners_heed(struct listeners *set);

#endif
