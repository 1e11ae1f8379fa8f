/* SPDX-License-Identifier: ISC */
/*
 * peer: the other ends of the daemons' connections, in the system tests: clients, targets
 * and SOCKS servers that speak bytes. Every socket has WAIT_MS as its timeout, and what
 * does not happen fails the test.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "harness.h"

/* Bytes and how many, from a literal that may hold NULs. */
#define BYTES(literal) (literal), sizeof(literal) - 1
#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

int mustlisten(const char *ip, uint16_t *port); /* the system picks the port */
int mustaccept(int listener);
int mustdial(uint16_t port); /* on 127.0.0.1 */
int mustdial_ip(const char *ip, uint16_t port);
int mustdial_from(const char *from, const char *ip, uint16_t port);
void expect_refused(uint16_t port); /* soon, if not yet */
/* A client is accepted and reset, which may come before connect(2) is back. */
void expect_no_service(uint16_t port);
uint16_t local_port(int fd);
bool has_ipv6(void);
int64_t now_ms(void);

/* A port where nobody listens, held for as long as the returned fd is open. */
int closed_port(uint16_t *port);
/* A port where a connect hangs. -1: this system has none. */
int full_port(uint16_t *port);

void mustsend(int fd, const void *data, size_t len);
void try_send(int fd, const void *data, size_t len); /* the peer may have gone */
void half_close(int fd);
void reset(int fd); /* closes with RST */
void expect_bytes(int fd, const void *data, size_t len);
void expect_eof(int fd);
void expect_reset(int fd);
void expect_end(int fd);	     /* either of them, and no data before */
void expect_silence(int fd, int ms); /* open, and nothing comes */

/*
 * Bulk data: a pattern by offset, so that lost, doubled and moved bytes are seen. One
 * thread each; flow_wait joins and frees.
 */
enum then { THEN_NOTHING, THEN_EOF };
struct flow;
struct flow *send_pattern(int fd, size_t len, enum then then); /* THEN_EOF: half-closes */
struct flow *recv_pattern(int fd, size_t len, enum then then); /* THEN_EOF: expects it */
void flow_wait(struct flow *flow);

/* Threads of its own send back what comes, to the end of file. */
void echo_serve(int listener);

/*
 * SOCKS5 as a client with method none. Requests are built in buf, REQUEST_SIZE bytes; the
 * size is returned. A failure is the reply of RFC 1928 with nothing in BND, and the end.
 */
#define GREETING     "\5\1\0"
#define METHOD_NONE  "\5\0"
#define REQUEST_SIZE 262
size_t request_ip(uint8_t *buf, const char *ip, uint16_t port);
size_t request_name(uint8_t *buf, const char *name, size_t len, uint16_t port);
int socks_dial(struct daemon *d);		       /* with the greeting answered */
void socks_ask(int fd, const char *ip, uint16_t port); /* sends the request */
void expect_failure(int fd, int rep);
void expect_success(int fd, int target); /* BND is the peer of the target's socket */

/*
 * As start_dcsd, and one tunnel has come and gone, so that what is made on demand is
 * there when daemon_mark has been called.
 */
struct daemon *start_warm(const char *more);

/* A tunnel's two ends, by enum end_of. listener is a target's, on 127.0.0.1. */
enum end_of { CLIENT, TARGET };
void tunnel_open(struct daemon *d, int listener, int fd[2]);
void tunnel_check(const int fd[2]); /* bytes go through, both ways */
void tunnel_close(int fd[2]);

#define mustaccept(fd)		AT(mustaccept(fd))
#define mustdial(port)		AT(mustdial(port))
#define mustsend(...)		AT(mustsend(__VA_ARGS__))
#define expect_bytes(...)	AT(expect_bytes(__VA_ARGS__))
#define expect_eof(fd)		AT(expect_eof(fd))
#define expect_reset(fd)	AT(expect_reset(fd))
#define expect_no_service(port) AT(expect_no_service(port))
#define expect_end(fd)		AT(expect_end(fd))
#define expect_silence(...)	AT(expect_silence(__VA_ARGS__))
#define expect_failure(...)	AT(expect_failure(__VA_ARGS__))
#define expect_success(...)	AT(expect_success(__VA_ARGS__))
#define flow_wait(flow)		AT(flow_wait(flow))
#define tunnel_open(...)	AT(tunnel_open(__VA_ARGS__))
#define tunnel_check(fd)	AT(tunnel_check(fd))

#endif
