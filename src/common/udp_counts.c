/* SPDX-License-Identifier: ISC */
/* The table of what is counted of datagrams as text. Pure. */
#include "config.h"
#include "udp_counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD(name, word, text) word,
static const char *const words[] = { UDP_COUNT_TABLE(WORD) };
#undef WORD

char *
udp_counts_text(uint64_t count[2][UDP_COUNTS], char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < UDP_COUNTS; i++) {
		uint64_t n = count[0][i] + count[1][i];
		char text[64];
		int one = snprintf(text, sizeof(text), " %s=%" PRIu64, words[i], n);

		if ((n == 0 && i > UDP_DOWN) || len + (size_t)one >= size)
			continue;
		memcpy(out + len, text, (size_t)one + 1);
		len += (size_t)one;
	}
	return out;
}
