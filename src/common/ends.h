/* SPDX-License-Identifier: ISC */
/*
 * ends: why a tunnel ended, the `end=` of its log line. One table for the code, the log
 * and (a test compares them) the man pages.
 */
#ifndef ENDS_H
#define ENDS_H

#define END_TABLE(X)                                                                     \
	X(NONE, "-", "it has not ended")                                                 \
	X(CLIENT_EOF, "client-eof", "the client ended first")                            \
	X(TARGET_EOF, "target-eof", "the target ended first")                            \
	X(CLIENT_RESET, "client-reset", "the client's connection was reset or lost")     \
	X(TARGET_RESET, "target-reset", "the target's connection was reset or lost")     \
	X(IDLE, "idle", "no traffic for timeouts.idle")                                  \
	X(HALF_CLOSED, "half-closed",                                                    \
		"one side had ended, no traffic from the other for "                     \
		"timeouts.half_closed")                                                  \
	X(DRAINED, "drained", "cut when timeouts.drain was over")                        \
	X(AUTH_FAILED, "auth-failed", "the client's name or password was not right")     \
	X(LIMIT, "limit",                                                                \
		"a limit was reached; a half-closed tunnel: its place was needed")       \
	X(DENIED, "denied", "the rules do not allow it")                                 \
	X(BAD_REQUEST, "bad-request", "the client did not speak SOCKS5, or not well")    \
	X(HANDSHAKE_TIMEOUT, "handshake-timeout",                                        \
		"the client's request did not come in time")                             \
	X(CONNECT_FAILED, "connect-failed", "the target could not be reached")           \
	X(KILLED, "killed", "cut by an administrator, at the control socket")            \
	X(SHUTDOWN, "shutdown", "the daemon was told to end at once")

#define END_ENUM(name, word, text) END_##name,
enum end { END_TABLE(END_ENUM) END_COUNT };
#undef END_ENUM

/* "client-eof". The texts of the table are for whoever reads it. */
const char *end_word(enum end end);

#endif
