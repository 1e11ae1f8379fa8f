/* SPDX-License-Identifier: ISC */
/*
 * udp_counts: what an association counts, in the words of its log line. One table for the
 * code, the log and the man page.
 */
#ifndef UDP_COUNTS_H
#define UDP_COUNTS_H

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
	X(ANSWER, "drop_answer", "from hosts that the client has not sent to")

#define UDP_COUNT_ENUM(name, word, text) UDP_##name,
enum udp_count { UDP_COUNT_TABLE(UDP_COUNT_ENUM) UDP_COUNTS };
#undef UDP_COUNT_ENUM

#endif
