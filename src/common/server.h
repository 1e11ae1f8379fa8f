/* SPDX-License-Identifier: ISC */
/*
 * server: the listening sockets and the one thread that accepts. Each client becomes a
 * conn and is handed to a crew. While it runs a socket may be told to refuse clients.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stddef.h>
#include "addr.h"
#include "conns.h"
#include "crew.h"

struct server;

/* Serves one client on a crew's first thread. Must call conn_end at its end. */
typedef void server_serve(struct conn *conn, struct crew *crew, void *arg);

/* A place to listen; via is handed on to the conns accepted there. */
struct server_place {
	struct listen_addr at;
	const void *via;
};

/*
 * max_conns: 0 for no limit. gate: whom to let in, see conns.h; it is copied; NULL:
 * there is none. Returns NULL with errno when out of memory.
 */
struct server *server_new(
	server_serve *serve, void *arg, int max_conns, const struct gate *gate);

/*
 * Binds every place (at least one); nothing is accepted yet. Returns 0, or -1 with errno
 * and the place that failed in *failed. A family that may lack is left out, but at
 * least one socket is bound for each via.
 */
int server_bind(struct server *s, const struct server_place *places, size_t n,
	const struct server_place **failed);

/* Starts the accepting thread. Returns 0, or -1 with errno. */
int server_start(struct server *s);

/* The sockets that were bound: how many, and the address and via of the i-th. */
size_t server_listeners(const struct server *s);
const struct addr *server_listener(const struct server *s, size_t i, const void **via);

/* Whether who connects to addr gets to one of the listening sockets. */
bool server_owns(const struct server *s, const struct addr *addr);

struct conns *server_conns(struct server *s);

/*
 * Any thread, until server_free: the listening sockets opened for that via refuse clients
 * (ECONNREFUSED) from very soon on, or take them again. One that cannot be opened again
 * is told of in the log, and tried every second; all else is left to the caller to tell.
 */
void server_refuse(struct server *s, const void *via, bool refuse);

/*
 * Any thread, until server_free: has a client served as if it had been accepted, but
 * it has no socket (fd -1): it sends datagrams. The gate and the limit apply; own is put
 * into its conn. Returns 0; or -1 with errno, told in the log, and own is not taken.
 */
int server_take(struct server *s, const struct addr *client, const void *via, void *own);

/* Any thread but the accepting one: stops accepting, closes the listening sockets, ends
 * the thread. */
void server_quiesce(struct server *s);

/*
 * After server_quiesce: waits at most wait_ms for the last threads and frees all. Returns
 * 0, or -1 when some are still busy (in the resolver, say); s is then left as it is.
 */
int server_free(struct server *s, int wait_ms);

#endif
