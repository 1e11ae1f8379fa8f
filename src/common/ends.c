/* SPDX-License-Identifier: ISC */
/* The table of end reasons as words. Pure. */
#include "config.h"
#include "ends.h"

#define END_WORD(name, word, text) word,

static const char *const words[] = { END_TABLE(END_WORD) };

const char *
end_word(enum end end)
{
	return words[end];
}
