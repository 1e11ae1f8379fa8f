/* SPDX-License-Identifier: ISC */
/* The table of end reasons as words and texts. Pure. */
#include "config.h"
#include "ends.h"

#define END_WORD(name, word, text) word,
#define END_TEXT(name, word, text) text,

static const char *const words[] = { END_TABLE(END_WORD) };
static const char *const texts[] = { END_TABLE(END_TEXT) };

const char *
end_word(enum end end)
{
	return words[end];
}

const char *
end_text(enum end end)
{
	return texts[end];
}
