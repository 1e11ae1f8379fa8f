/* SPDX-License-Identifier: ISC */
/*
 * The screen of tunnels: what the daemon says of itself, packed, and a table as wide and
 * as long as the terminal. Which columns there are depends on the keys that tunnels have.
 */
#include "config.h"
#include "top.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "io.h"
#include "rows.h"
#include "sample.h"
#include "screen.h"

/* For an answer, on a terminal: while waiting for it, no key is seen. */
#define LIVE_WAIT_MS 2000

#define LINE 1024 /* bytes of a line; wider terminals have not been seen */
#define CELL 256

/* Three digits and a unit: "999", "1.23k", "45.6M". */
static void
put_amount(char out[CELL], double n)
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;

	while (n >= 999.5 && units[unit + 1] != '\0') {
		n /= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(out, CELL, "%.0f", n);
	else
		snprintf(out, CELL, "%.3g%c", n, units[unit]);
}

static void
put_seconds(char out[CELL], double seconds)
{
	long s = seconds < 1e9 ? (long)seconds : 1000000000;

	if (s < 60)
		snprintf(out, CELL, "%lds", s);
	else if (s < 3600)
		snprintf(out, CELL, "%ldm%02lds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, CELL, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, CELL, "%ldd%02ldh", s / 86400, s / 3600 % 24);
}

/* The cells of the columns. */

static void
cell_up_rate(char out[CELL], const struct item *item, const char *key)
{
	(void)key;
	put_amount(out, item->rate[UP]);
}

static void
cell_down_rate(char out[CELL], const struct item *item, const char *key)
{
	(void)key;
	put_amount(out, item->rate[DOWN]);
}

static void
cell_bytes(char out[CELL], const struct item *item, const char *key)
{
	put_amount(out, row_number(item->line, key));
}

static void
cell_seconds(char out[CELL], const struct item *item, const char *key)
{
	put_seconds(out, row_number(item->line, key));
}

static void
cell_text(char out[CELL], const struct item *item, const char *key)
{
	struct value value = { "-", 1 };

	(void)row_value(item->line, key, &value);
	snprintf(out, CELL, "%.*s", (int)(value.len < CELL ? value.len : CELL - 1),
		value.at);
}

/*
 * From left to right; a narrow terminal lacks the last ones. A column of text is as wide
 * as its longest cell, within these bounds, and is not there if no tunnel has the key.
 */
static const struct column {
	const char *title, *key;
	int least, most;
	void (*cell)(char out[CELL], const struct item *item, const char *key);
} columns[] = {
	{ "UP/s", NULL, 5, 5, cell_up_rate },
	{ "DOWN/s", NULL, 6, 6, cell_down_rate },
	{ "TIME", "time", 6, 8, cell_seconds },
	{ "ID", "id", 2, 20, cell_text },
	{ "CLIENT", "client", 6, 47, cell_text },
	{ "TARGET", "target", 6, 64, cell_text },
	{ "USER", "user", 4, 20, cell_text },
	{ "ROUTE", "route", 5, 20, cell_text },
	{ "UPSTREAM", "upstream", 8, 20, cell_text },
	{ "UP", "up", 5, 5, cell_bytes },
	{ "DOWN", "down", 5, 5, cell_bytes },
	{ "IDLE", "idle", 6, 8, cell_seconds },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* The width of a column for the first n items; 0: it is not there. */
static int
width_of(const struct column *column, const struct item *items, size_t n)
{
	int width = column->least;
	bool has = !column->key || n == 0;
	char text[CELL];
	struct value value;

	for (size_t i = 0; i < n; i++) {
		int len;

		column->cell(text, &items[i], column->key);
		len = (int)strlen(text);
		width = len > width ? len : width;
		has = has || row_value(items[i].line, column->key, &value);
	}
	if (!has)
		return 0;
	return width < column->most ? width : column->most;
}

/* Appends to a line what fits. */
static void
append(char line[LINE], const char *text)
{
	size_t len = strlen(line);

	snprintf(line + len, LINE - len, "%s", text);
}

/* Appends a cell; numbers stand to the right. */
static void
append_cell(char line[LINE], const struct column *column, int width, const char *text)
{
	char padded[CELL + 2];
	bool left = column->cell == cell_text;

	snprintf(padded, sizeof(padded), "%s%*.*s", line[0] != '\0' ? " " : "",
		left ? -width : width, width, text);
	append(line, padded);
}

static void
show_tunnels(const struct sample *s)
{
	int room = screen_free() - 1;
	size_t n = room > 0 && s->n > (size_t)room ? (size_t)room : s->n;
	int widths[COLUMNS];
	char line[LINE] = "", text[CELL];

	for (size_t c = 0; c < COLUMNS; c++) {
		widths[c] = width_of(&columns[c], s->items, n);
		if (widths[c] > 0)
			append_cell(line, &columns[c], widths[c], columns[c].title);
	}
	screen_title(line);
	for (size_t i = 0; i < n; i++) {
		line[0] = '\0';
		for (size_t c = 0; c < COLUMNS; c++)
			if (widths[c] > 0) {
				columns[c].cell(text, &s->items[i], columns[c].key);
				append_cell(line, &columns[c], widths[c], text);
			}
		screen_line(line);
	}
}

/* The lines of status, as many in one as 78 columns hold, and not more than four. */
static void
show_status(const char *status)
{
	char line[LINE] = "", pair[CELL];

	for (int lines = 0; lines < 4; status += strspn(status, "\n")) {
		size_t len = strcspn(status, "\n");

		snprintf(pair, sizeof(pair), "%.*s", (int)(len < CELL ? len : CELL - 1),
			status);
		if (line[0] != '\0' && (len == 0 || strlen(line) + strlen(pair) > 75)) {
			screen_line(line);
			lines++;
			line[0] = '\0';
		}
		if (len == 0)
			break;
		append(line, line[0] != '\0' ? "   " : "");
		append(line, pair);
		status += len;
	}
}

static void
show_head(const struct sample *s, const char *path)
{
	char line[LINE], date[16] = "", up[CELL], down[CELL];
	double sum[2] = { 0, 0 };
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(date, sizeof(date), "%H:%M:%S", &tm);
	for (size_t i = 0; i < s->n; i++)
		for (int d = UP; d <= DOWN; d++)
			sum[d] += s->items[i].rate[d];
	put_amount(up, sum[UP]);
	put_amount(down, sum[DOWN]);
	if (s->why)
		snprintf(line, sizeof(line), "%s  %s  %s", date, s->why, path);
	else
		snprintf(line, sizeof(line), "%s  %zu tunnels, up %s/s, down %s/s  %s",
			date, s->n, up, down, path);
	screen_line(line);
}

/* Sorts the items by rate, but leaves s as it was: by id. */
static int
show(const struct sample *s, const char *path)
{
	struct sample sorted = *s;

	screen_begin();
	show_head(s, path);
	if (s->why)
		return screen_end();
	sorted.items = calloc(s->n + 1, sizeof(*s->items));
	if (!sorted.items)
		return -1;
	memcpy(sorted.items, s->items, s->n * sizeof(*s->items));
	sample_sort(&sorted);
	show_status(s->status.text);
	show_tunnels(&sorted);
	free(sorted.items);
	return screen_end();
}

/* Shows it until it is time for the next one. Returns as show, and what ended it. */
static int
show_until(const struct sample *s, const char *path, int64_t until_ms,
	enum screen_event *event)
{
	do {
		if (show(s, path) == -1)
			return -1;
		*event = screen_wait(until_ms);
	} while (*event == SCREEN_RESIZED);
	return 0;
}

/* Told when the terminal is as it was. Returns the exit status. */
static int
tell(const char *path, const struct sample *s)
{
	if (s->error)
		fprintf(stderr, "ERROR %s\n", s->why);
	else
		fprintf(stderr, "tunnelctl: %s: %s\n", path, s->why);
	return s->error ? EXIT_REFUSED : EXIT_UNREACHED;
}

int
top_run(const char *path, int64_t delay_ms, int times)
{
	struct sample now = { .items = NULL }, before = { .items = NULL };
	enum screen_event event = SCREEN_TIME;
	int status = 0;

	screen_open(times == 0);
	for (int n = 1; event != SCREEN_QUIT && status == 0; n++) {
		int64_t until_ms = io_now_ms() + (n == times ? 0 : delay_ms);

		sample_take(&now, path, screen_is_live() ? LIVE_WAIT_MS : ASK_WAIT_MS);
		sample_set_rates(&now, &before);
		if (now.why && !screen_is_live())
			status = tell(path, &now);
		else if (show_until(&now, path, until_ms, &event) == -1)
			status = EXIT_REFUSED;
		if (times > 0 && n == times)
			event = SCREEN_QUIT;
		sample_free(&before);
		before = now;
	}
	screen_close();
	sample_free(&before);
	return status;
}
