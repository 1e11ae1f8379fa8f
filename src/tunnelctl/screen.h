/* SPDX-License-Identifier: ISC */
/*
 * screen: lines of text, on a terminal in place of those before, or else one after the
 * other. The terminal is given back as it was by screen_close, whatever ends the program
 * by a signal included. One at a time.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* On a terminal, if live is wanted and the standard output is one that can do it. */
void screen_open(bool live);
void screen_close(void);

/* Whether it is a terminal. */
bool screen_is_live(void);

/* Lines that are free until the screen is full; a large number where there is no end. */
int screen_free(void);

/* Begins a new screen, of the size that the terminal has now. */
void screen_begin(void);

/* One line, cut to the width; bytes that are not printable ASCII are shown as '?'. */
void screen_line(const char *text);
void screen_title(const char *text); /* the same, in reverse */

/* Ends it. Returns 0, or -1 with errno: it could not be written. */
int screen_end(void);

/* What ended a wait: its time, the terminal's new size, or the wish to end. */
enum screen_event { SCREEN_TIME, SCREEN_RESIZED, SCREEN_QUIT };

/* Waits until until_ms of io_now_ms, or until something happens. */
enum screen_event screen_wait(int64_t until_ms);

#endif
