/* SPDX-License-Identifier: ISC */
/*
 * The queue of the log: a ring of bytes, in which each line is its record and its text,
 * as they come, over the end and on at the start. Allocates nothing, and waits for
 * nobody. Called under the lock of log.
 */
#include "config.h"
#include "log_queue.h"

#include <assert.h>
#include <string.h>

/* Appends bytes for which there is room. */
static void
put(struct log_queue *q, const void *from, size_t n)
{
	size_t at = (q->head + q->used) % LOG_QUEUE;
	size_t first = n < LOG_QUEUE - at ? n : LOG_QUEUE - at;

	memcpy(q->bytes + at, from, first);
	memcpy(q->bytes, (const char *)from + first, n - first);
	q->used += n;
}

/* Takes the first n bytes, which are there. */
static void
take(struct log_queue *q, void *to, size_t n)
{
	size_t first = n < LOG_QUEUE - q->head ? n : LOG_QUEUE - q->head;

	memcpy(to, q->bytes + q->head, first);
	memcpy((char *)to + first, q->bytes, n - first);
	q->used -= n;
	/* Back to the start when empty, so that a quiet daemon touches few pages. */
	q->head = q->used > 0 ? (q->head + n) % LOG_QUEUE : 0;
}

bool
log_queue_idle(const struct log_queue *q)
{
	return q->used == 0;
}

size_t
log_queue_free(const struct log_queue *q)
{
	return LOG_QUEUE - q->used;
}

bool
log_queue_put(struct log_queue *q, const struct log_record *r, const char *text)
{
	assert(r->len <= LOG_LINE);
	if (log_queue_free(q) < sizeof(*r) + r->len)
		return false;
	put(q, r, sizeof(*r));
	put(q, text, r->len);
	return true;
}

bool
log_queue_take(struct log_queue *q, struct log_record *r, char text[LOG_LINE])
{
	if (q->used == 0)
		return false;
	take(q, r, sizeof(*r));
	take(q, text, r->len);
	return true;
}
