/* SPDX-License-Identifier: ISC */
/* log_queue: lines of the log that wait to be written; bounded. Not locked: log does it.
 */
#ifndef LOG_QUEUE_H
#define LOG_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "log_text.h"

#define LOG_LINE  2048	       /* bytes of text at most */
#define LOG_QUEUE (256 * 1024) /* bytes of lines that wait, with their records */

/* What is known of a line. */
struct log_record {
	int64_t at_ms;	   /* when it was said, since 1970 */
	uint64_t messages; /* that it stands for: itself, or those lost */
	enum log_level level;
	size_t len; /* of its text; LOG_LINE at most */
};

/* Empty when all zero. */
struct log_queue {
	size_t head, used;
	char bytes[LOG_QUEUE];
};

/* Whether it is empty. */
bool log_queue_idle(const struct log_queue *q);

/* How many bytes are free. */
size_t log_queue_free(const struct log_queue *q);

/* Copies a line to the end. Returns false when it does not fit. */
bool log_queue_put(struct log_queue *q, const struct log_record *r, const char *text);

/* Takes the first line, into r and text. Returns false when there is none. */
bool log_queue_take(struct log_queue *q, struct log_record *r, char text[LOG_LINE]);

#endif
