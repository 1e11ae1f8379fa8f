/* SPDX-License-Identifier: ISC */
/*
 * rows: lines of "tunnel id=5f1c-42 client=10.0.0.1:4711 up=512 ...": find a value, sift,
 * sort. A value has no spaces in it. Pure, but for memory.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include "cidr.h"

struct rows {
	char **line; /* rows_free's; the lines themselves are the text's */
	size_t n;
};

/* A value in a line; no NUL behind it. */
struct value {
	const char *at;
	size_t len;
};

/* Cuts text into its lines, in place. Returns 0, or -1 with errno. */
int rows_split(struct rows *rows, char *text);
void rows_free(struct rows *rows);

/* The value of KEY=VALUE in a line; false: there is none. */
bool row_value(const char *line, const char *key, struct value *value);

/* As strcmp(3). */
int value_compare(const struct value *a, const struct value *b);

/* The value as a number; 0: it is none. */
double row_number(const char *line, const char *key);

/* Whether any line has that key. */
bool rows_have(const struct rows *rows, const char *key);

/* Wants a value like this of a line. */
struct filter {
	char *key;
	const char *value;
	bool is_net;
	struct cidr net;
};

/*
 * "KEY=VALUE", in place. Returns NULL, or a text of what is wrong. A line is wanted whose
 * value is VALUE, in which '*' stands for any text, or is so without its port; or, when
 * VALUE is an address or a network, is of it, with or without a port.
 */
const char *filter_parse(struct filter *f, char *word);

/* Keeps the lines that, of each key among the filters, one filter wants. */
void rows_sift(struct rows *rows, const struct filter *filters, size_t n);

/*
 * Numbers first, the largest one first; then texts in alphabetical order; then "-" and
 * lines without the key. Equal ones stay in their order. Returns 0, or -1 with errno.
 */
int rows_sort(struct rows *rows, const char *key);

#endif
