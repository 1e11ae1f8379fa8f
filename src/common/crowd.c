/* SPDX-License-Identifier: ISC */
/* At the limit of tunnels. The accepting thread; never blocks. */
#include "config.h"
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "source.h"

#define WAIT_MS 1000 /* how long clients are left in the backlog */
#define GONE_MS 100  /* how long tunnels that were cut may take to be gone */
#define IDLE_MS 500  /* a tunnel with traffic since then is not idle */
#define CUT_MAX 64   /* tunnels at a time */
#define TELL_MS 60000
#define TOP	5 /* clients that are named */

bool
crowd_holds(struct crowd *crowd, struct conns *conns)
{
	int64_t now_ms = io_now_ms();
	size_t n;

	if (!conns_full(conns)) {
		crowd->until_ms = 0;
		crowd->cut = crowd->refuses = false;
		return false;
	}
	if (crowd->refuses)
		return false;
	if (crowd->until_ms == 0)
		crowd->until_ms = now_ms + WAIT_MS;
	if (now_ms < crowd->until_ms)
		return true;
	n = crowd->cut ? 0 : conns_cut_idle(conns, CUT_MAX, IDLE_MS, END_LIMIT);
	crowd->cut = true;
	crowd->n_cut += n;
	crowd->until_ms = now_ms + GONE_MS;
	crowd->refuses = n == 0;
	return n > 0;
}

void
crowd_refused(struct crowd *crowd)
{
	crowd->n_refused++;
}

/* ---- who has the most connections ---- */

struct sources {
	struct cidr *list;
	size_t n, room;
};

static void
note_source(const struct conn *conn, void *arg)
{
	struct sources *s = arg;

	if (s->n < s->room)
		s->list[s->n++] = source_of(&conn->client);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct cidr));
}

struct share {
	const struct cidr *source;
	size_t n;
};

/* Puts a share in its place among the largest ones. */
static void
rank(struct share top[TOP], struct share share)
{
	for (int i = 0; i < TOP; i++)
		if (share.n > top[i].n) {
			struct share smaller = top[i];

			top[i] = share;
			share = smaller;
		}
}

/* The sources are sorted: those that are the same stand together. */
static void
find_top(const struct sources *s, struct share top[TOP])
{
	size_t begin = 0;

	for (size_t i = 1; i <= s->n; i++)
		if (i == s->n || compare(&s->list[i], &s->list[begin]) != 0) {
			rank(top, (struct share){ &s->list[begin], i - begin });
			begin = i;
		}
}

/* "192.0.2.1 500, 192.0.2.7 20". Returns out. */
static char *
top_text(struct conns *conns, char *out, size_t size)
{
	struct sources s = { .room = conns_count(conns) + 64 };
	struct share top[TOP] = { { NULL, 0 } };
	char text[CIDR_TEXT];
	size_t len = 0;

	out[0] = '\0';
	s.list = calloc(s.room, sizeof(*s.list));
	if (!s.list)
		return out;
	conns_each(conns, note_source, &s);
	qsort(s.list, s.n, sizeof(*s.list), compare);
	find_top(&s, top);
	for (int i = 0; i < TOP && top[i].n > 0 && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s %zu",
			i > 0 ? ", " : "", cidr_text(top[i].source, text), top[i].n);
	free(s.list);
	return out;
}

void
crowd_passed(struct crowd *crowd, struct conns *conns, bool anybody)
{
	char text[TOP * (CIDR_TEXT + 24)];
	unsigned ignored;

	if (crowd->refuses || !anybody) {
		crowd->until_ms = 0;
		crowd->cut = crowd->refuses = false;
	}
	if (crowd->n_cut + crowd->n_refused == 0 ||
		!log_due(&crowd->rate, TELL_MS, &ignored))
		return;
	log_msg(LOG_L_WARNING,
		"limit of %d tunnels reached, half_closed_cut=%zu refused=%zu, most "
		"tunnels: %s",
		conns_max(conns), crowd->n_cut, crowd->n_refused,
		top_text(conns, text, sizeof(text)));
	crowd->n_cut = crowd->n_refused = 0;
}
