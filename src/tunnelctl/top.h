/* SPDX-License-Identifier: ISC */
/* top: the tunnels with the most traffic, again and again. */
#ifndef TOP_H
#define TOP_H

#include <stdint.h>

#define TOP_DELAY_MS 1000

/*
 * Asks the socket at path each delay_ms, and shows the answer: times times, as plain
 * lines; or, with 0, until told to end, on the terminal if there is one. There it goes on
 * when the daemon cannot be reached; else that is told on stderr. Returns the exit
 * status.
 */
int top_run(const char *path, int64_t delay_ms, int times);

#endif
