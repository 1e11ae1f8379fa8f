/* SPDX-License-Identifier: ISC */
/*
 * commands: what a daemon answers at its control socket, and writes into its log on USR1:
 * status, tunnels, kill, drain, resume, disable, enable, reload, log, metrics.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "control.h"
#include "life.h"

/* The table for control_start; its arg is the struct life. */
extern const struct control_command commands_table[];

/* The lines of status. Any thread. */
void commands_status(struct life *life, service_line *line, void *to);

#endif
