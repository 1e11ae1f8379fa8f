/* SPDX-License-Identifier: ISC */
/*
 * udp_counts: what is counted of datagrams, in the words of the log lines. One table for
 * the code, the log and the man pages; dcsd and pppd-socks do not count all of it.
 */
#ifndef UDP_COUNTS_H
#define UDP_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define UDP_COUNT_TABLE(X)                                                               \
	X(UP, "dgrams_up", "datagrams sent to targets")                                  \
	X(DOWN, "dgrams_down", "datagrams sent to the client")                           \
	X(SOURCE, "drop_source", "from another address or port than the client's")       \
	X(HEADER, "drop_header", "with a header that is short or wrong")                 \
	X(RULE, "drop_rule", "to a target that the rules do not allow")                  \
	X(NAME, "drop_name", "to a name that could not be looked up, or too many")       \
	X(FRAG, "drop_frag", "fragments of a datagram that did not get whole")           \
	X(SIZE, "drop_size", "too large, an answer with its header, say")                \
	X(SEND, "drop_send", "that the system would not send")                           \
	X(ANSWER, "drop_answer", "from hosts that the client has not sent to")           \
	X(EARLY, "drop_early",                                                           \
		"too many before there was an association, or there was none")

#define UDP_COUNT_ENUM(name, word, text) UDP_##name,
enum udp_count { UDP_COUNT_TABLE(UDP_COUNT_ENUM) UDP_COUNTS };
#undef UDP_COUNT_ENUM

#define UDP_COUNTS_TEXT 512 /* holds all of them */

/*
 * " dgrams_up=2 dgrams_down=1 drop_size=1": what two threads have counted, both dgrams_
 * and the drops that there were. Returns out.
 */
char *udp_counts_text(uint64_t count[2][UDP_COUNTS], char *out, size_t size);

#endif
