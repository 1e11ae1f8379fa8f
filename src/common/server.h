/* SPDX-License-Identifier: ISC */
/*
 * server: the listening sockets and the one thread that accepts. Each client becomes a
 * conn and is handed to a crew. While it runs a socket may be told to refuse clients, and
 * the places to listen at, with all that clients begin with, may be changed.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stddef.h>
#include "addr.h"
#include "conns.h"
#include "crew.h"
#include "listeners.h"

struct server;

/*
 * Serves one client on a crew's first thread. conn_end must be called at its end, on that
 * thread, or where conn_carry or crew_split come to theirs.
 */
typedef void server_serve(struct conn *conn, struct crew *crew);

/*
 * max_conns: 0 for no limit. gate: whom to let in, see conns.h; it is copied; NULL:
 * there is none. room: the bytes of conn->room. Returns NULL with errno when out of
 * memory.
 */
struct server *server_new(
	server_serve *serve, int max_conns, const struct gate *gate, size_t room);

/*
 * A change of the places, of one thread at a time: server_prepare opens what is not open
 * yet, as listeners_open, and then either server_commit makes it so, or server_discard
 * closes that again. From the commit on clients begin with that generation; sockets that
 * both have are never without somebody who accepts; those that are left out are closed
 * when those who wait there have been taken. Also the first time, before server_start.
 */
int server_prepare(struct server *s, struct generation *generation,
	const struct server_place *places, size_t n, const struct server_place **failed);
void server_commit(struct server *s);
void server_discard(struct server *s);

/* Calls visit for each socket, under the lock of the server: it must not block. */
typedef void server_visit(const struct listener *listener, void *arg);
void server_each_listener(struct server *s, server_visit *visit, void *arg);

/*
 * Between prepare and commit: calls visit for each socket that will be new, and for each
 * that will be gone. Under no lock.
 */
void server_each_change(
	struct server *s, server_visit *comes, server_visit *goes, void *arg);

/* Starts the accepting thread. Returns 0, or -1 with errno. */
int server_start(struct server *s);

/* Whether who connects to addr gets to one of the listening sockets. */
bool server_owns(struct server *s, const struct addr *addr);

struct conns *server_conns(struct server *s);

/*
 * The owner of a conn that was accepted some time ago: has it live by the generation that
 * clients begin with now, as conn_set_generation. Returns whether that is another one.
 */
bool server_renew(struct conn *conn);

/*
 * Any thread, until server_free: the listening sockets opened for that via refuse clients
 * (ECONNREFUSED) from very soon on, or take them again. One that cannot be opened again
 * is told of in the log, and tried every second; all else is left to the caller to tell.
 */
void server_refuse(struct server *s, const void *via, bool refuse);

/*
 * The same, as an administrator wishes it, for those that the question is answered yes
 * for. It outlasts a change of the places. Returns how many these are.
 */
typedef bool server_question(const struct listener *listener, void *arg);
size_t server_drain(struct server *s, server_question *question, void *arg, bool drain);

/*
 * Any thread, until server_free: has a client served as if it had been accepted, but
 * it has no socket (fd -1): it sends datagrams. The gate and the limit apply; own is put
 * into its conn; via is of the generation. Returns 0; or -1 with errno, told in the log,
 * and own is not taken.
 */
int server_take(struct server *s, struct generation *generation,
	const struct addr *client, const void *via, void *own);

/* Any thread but the accepting one: stops accepting, closes the listening sockets, ends
 * the thread. */
void server_quiesce(struct server *s);

/*
 * After server_quiesce: waits at most wait_ms for the last threads and frees all. Returns
 * 0, or -1 when some are still busy (in the resolver, say); s is then left as it is.
 */
int server_free(struct server *s, int wait_ms);

#endif
