/* SPDX-License-Identifier: ISC */
/*
 * commands: what a daemon answers at its control socket, and writes into its log on USR1:
 * status, tunnels, kill, log, metrics.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>
#include "control.h"
#include "server.h"

/* Takes one line of an answer. */
typedef void commands_line(void *to, const char *text);

/* Of whom they tell: the arg of the commands. */
struct commands {
	const char *name; /* of the program */
	struct server *server;
	int max_tunnels; /* INT_MAX: no limit is known */
	int64_t start_ms;
	/* Words on a listening socket, as struct service has them. */
	const char *(*via_text)(const void *via, char *buf, size_t size);
	/* Further lines "key value" of the daemon's own; NULL: none. */
	void (*more)(const void *config, commands_line *line, void *to);
	const void *config;
};

/* The table for control_start; its arg is the struct commands. */
extern const struct control_command commands_table[];

/* The lines of status. */
void commands_status(const struct commands *c, commands_line *line, void *to);

#endif
