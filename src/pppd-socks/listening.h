/* SPDX-License-Identifier: ISC */
/*
 * listening: where the ports of routes listen, as somebody asks for them on the command
 * line, and in words. Pure.
 */
#ifndef LISTENING_H
#define LISTENING_H

#include <stdbool.h>
#include <stdint.h>
#include "ppp_conf.h"

/* What is asked for: a port, at whatever address; or the addresses that a text means. */
struct listening {
	bool any_address;
	uint16_t port; /* with any_address */
	struct listen_addr at[2];
	int n;
};

/*
 * "8001"; or "127.0.0.1:8001", "[::1]:8001", "*:8001". Port 0 stands for those that the
 * system picks. Returns 0, or -1 and a text in *why that can follow "TEXT: ".
 */
int listening_parse(struct listening *asked, const char *text, const char **why);

/* Whether a client that connects there, or sends its datagrams there, gets to the port.
 */
bool listening_holds(const struct listening *asked, const struct ppp_conf *conf,
	const struct route_port *port);

/*
 * The places where the port listens, one after another: the first after NULL, then the
 * one after that. NULL: that was the last.
 */
const struct server_place *listening_next(const struct ppp_conf *conf,
	const struct route_port *port, const struct server_place *last);

/* As `listen` has it: "8001", "*:8001", "127.0.0.1:8001"; "8001/udp". Returns out. */
#define LISTENING_TEXT 64
char *listening_text(const struct ppp_conf *conf, const struct route_port *port,
	char out[LISTENING_TEXT]);

#endif
