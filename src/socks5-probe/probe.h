/* SPDX-License-Identifier: ISC */
/* probe: one test of a SOCKS5 server from outside: its steps, their times, its result. */
#ifndef PROBE_H
#define PROBE_H

#include "socks_client.h"

struct probe;

/* What to test, behind the authentication. */
struct probe_mode {
	const char *word;
	bool wants_target;
	/* Returns 0, or -1 and a text told by probe_fail. NULL: nothing more. */
	int (*run)(struct probe *p);
};
extern const struct probe_mode probe_modes[]; /* ends with word NULL */

/* The command line. */
struct probe_args {
	const struct probe_mode *mode;
	struct hostport server, target; /* the target's host is "": none was given */
	int family;			/* of the server: AF_INET, AF_INET6, AF_UNSPEC */
	bool proxy_header;		/* the server is one that believes us a proxy */
	bool with_password;
	struct socks_credentials credentials;
	int64_t timeout_ms, warning_ms; /* warning_ms 0: no such limit */
	const char *payload;		/* for udp: sent to an echo; NULL: a DNS query */
};

#define PROBE_STEPS 8

struct probe {
	const struct probe_args *args;
	struct socks_client socks;
	struct addr server; /* that is connected to */
	struct io_limit limit;
	int64_t begin_us, step_us; /* of the whole, of the step that is under way */
	struct {
		const char *label;
		int64_t us;
	} step[PROBE_STEPS];
	int steps;
	char error[256];
};

/* The exit status of a monitoring plugin. */
enum probe_status { PROBE_OK, PROBE_WARNING, PROBE_CRITICAL, PROBE_UNKNOWN };

/*
 * Does it all, and prints the line of the result to stdout. Blocks up to the timeout,
 * but for look-ups of names. Returns an enum probe_status.
 */
int probe_run(const struct probe_args *args);

/* For the modes. A step is done, and the next one begins. */
void probe_step(struct probe *p, const char *label);

/* What went wrong, in words. Always -1. */
int probe_fail(struct probe *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, of the SOCKS handshake: what the server did, by p->socks. */
int probe_fail_socks(struct probe *p, const char *what);

/*
 * Sends a request and takes its reply. BND, where the server is then to be reached, in
 * *bnd: with the server's own address if the reply has none. bnd may be NULL.
 */
int probe_request(struct probe *p, enum socks_command command,
	const struct hostport *target, struct addr *bnd);

/* probe_bind.c, probe_udp.c */
int probe_bind(struct probe *p);
int probe_udp(struct probe *p);

#endif
