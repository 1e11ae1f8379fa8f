/* SPDX-License-Identifier: ISC */
/*
 * Samples of the tunnels. Two of them, by the ids of the tunnels, give the rates. An id
 * may come twice, where a proxy makes them: the rates are then wrong, no more.
 */
#include "config.h"
#include "sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"

static const char *const keys[] = { [UP] = "up", [DOWN] = "down" };

void
sample_free(struct sample *s)
{
	answer_free(&s->status);
	answer_free(&s->tunnels);
	rows_free(&s->rows);
	free(s->items);
	*s = (struct sample){ .items = NULL };
}

static int
by_id(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	return value_compare(&a->id, &b->id);
}

static int
by_rate(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	double x = a->rate[UP] + a->rate[DOWN], y = b->rate[UP] + b->rate[DOWN];

	if (x != y)
		return x < y ? 1 : -1;
	x = a->bytes[UP] + a->bytes[DOWN];
	y = b->bytes[UP] + b->bytes[DOWN];
	return x != y ? (x < y ? 1 : -1) : by_id(a, b);
}

/* The items of a sample, sorted by id. Returns 0, or -1 with errno. */
static int
make_items(struct sample *s)
{
	if (rows_split(&s->rows, s->tunnels.text) == -1)
		return -1;
	s->items = calloc(s->rows.n + 1, sizeof(*s->items));
	if (!s->items)
		return -1;
	for (size_t i = 0; i < s->rows.n; i++) {
		struct item *item = &s->items[s->n];

		item->line = s->rows.line[i];
		for (int d = UP; d <= DOWN; d++)
			item->bytes[d] = row_number(item->line, keys[d]);
		if (row_value(item->line, "id", &item->id))
			s->n++;
	}
	qsort(s->items, s->n, sizeof(*s->items), by_id);
	return 0;
}

void
sample_set_rates(struct sample *s, const struct sample *before)
{
	double seconds = (double)(s->at_ms - before->at_ms) / 1000;

	for (size_t i = 0; i < s->n; i++) {
		struct item *item = &s->items[i];
		const struct item *old = before->n == 0
			? NULL
			: bsearch(item, before->items, before->n, sizeof(*item), by_id);
		double age = row_number(item->line, "time");

		for (int d = UP; d <= DOWN; d++)
			if (old && seconds > 0 && old->bytes[d] <= item->bytes[d])
				item->rate[d] =
					(item->bytes[d] - old->bytes[d]) / seconds;
			else
				item->rate[d] = item->bytes[d] / (age < 1 ? 1 : age);
	}
}

static void
ask_for(struct sample *s, struct answer *a, const char *path, const char *command,
	int64_t wait_ms)
{
	s->why = ask(a, path, command, wait_ms);
	s->error = !s->why && a->error;
	if (s->error)
		s->why = a->error;
}

void
sample_take(struct sample *s, const char *path, int64_t wait_ms)
{
	*s = (struct sample){ .items = NULL };
	ask_for(s, &s->status, path, "status", wait_ms);
	if (!s->why)
		ask_for(s, &s->tunnels, path, "tunnels", wait_ms);
	s->at_ms = io_now_ms();
	if (!s->why && make_items(s) == -1)
		s->why = strerror(errno);
}

void
sample_sort(struct sample *s)
{
	qsort(s->items, s->n, sizeof(*s->items), by_rate);
}
