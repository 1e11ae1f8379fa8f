/* SPDX-License-Identifier: ISC */
/*
 * conf_text: a configuration file as one text that libconfig cannot misread. The @include
 * lines are replaced by what they name (an include of a directory ends the process inside
 * libconfig 1.5), comments are left out, and what the library would pass over or cut
 * without a word is an error here: an endless comment or string, a NUL byte, a byte order
 * mark, a loop of includes. A string has to end on its line.
 *
 * libconfig 1.5 wraps integers that do not fit 32 bits. In the text those have the suffix
 * L (cut to 64 bits if need be) and no others do, so that a setting of type INT is what
 * the file says, and one of type INT64 is too large for anything. Line numbers stay.
 */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include <stddef.h>

/* Called for every error found: "FILE:LINE: text", or "FILE: text". */
typedef void conf_complain(void *arg, const char *message);

struct conf_text;

/*
 * Reads path and what it includes: regular files, at most 1 MiB in all, nested at most 10
 * deep. A relative include is looked up in the folder of the file that names it. Returns
 * NULL when there was an error; each has been told.
 */
struct conf_text *conf_text_read(const char *path, conf_complain *complain, void *arg);

/* The whole text, NUL-terminated. */
const char *conf_text_string(const struct conf_text *text);

/*
 * Where line number line (from 1) of the whole text comes from; one behind the end counts
 * as the last. Returns the file, which lives as long as text.
 */
const char *conf_text_origin(
	const struct conf_text *text, unsigned line, unsigned *file_line);

void conf_text_free(struct conf_text *text);

#endif
