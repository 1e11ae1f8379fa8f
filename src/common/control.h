/* SPDX-License-Identifier: ISC */
/*
 * control: commands to a running daemon over a local socket. A client sends one line,
 * "COMMAND ARGUMENT...\n", words with spaces between; it gets lines of data and then a
 * last line, "OK" or "ERROR text", and the end of the connection. One thread serves the
 * clients, one after another. For the program of the client see tunnelctl(8).
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

struct control;
struct control_reply;

#define CONTROL_LINE	  1024 /* bytes of a command with its newline, at most */
#define CONTROL_WORDS	  32   /* of a command, at most */
#define CONTROL_REPLY_MAX (64 * 1024 * 1024) /* bytes of data, at most */
#define CONTROL_CLIENT_MS 5000 /* for control_start: good for people and scripts */

/*
 * Runs a command, on the thread of the socket; argv[0] is its name. May take locks, since
 * nothing goes to the client before it returns, but while it runs other clients wait,
 * and so does control_free. Returns NULL, or what is wrong, for the client: a static text
 * or control_error's.
 */
typedef const char *control_run(
	void *arg, struct control_reply *reply, int argc, char **argv);

/*
 * A command. args is for people, and says how many there may be: a word for each, one
 * that begins with '[' may be left out, and with "..." in it there may be any number
 * more: "", "ID", "[LEVEL]", "NAME...", "[KEY=VALUE...]". A run is only called with as
 * many. help is a line of text.
 */
struct control_command {
	const char *name, *args, *help;
	control_run *run;
};

/*
 * One line of data; no newline at its end. Any length; control bytes become spaces. Text
 * of a peer must have gone through log_escape. When memory or CONTROL_REPLY_MAX does not
 * suffice, the client is told ERROR in the end.
 */
void control_printf(struct control_reply *reply, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes a text for a control_run to return; of one line, cut at 256 bytes. */
const char *control_error(struct control_reply *reply, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Before privileges are dropped and before there are threads: a socket at path, for owner
 * and root alone; see control_socket_bind. Returns NULL and *c, or a text of what is
 * wrong.
 */
const char *control_open(struct control **c, const char *path, uid_t owner);

/*
 * Takes an inherited socket instead; path is that of the configuration. See
 * control_socket_adopt. Returns NULL with errno.
 */
struct control *control_adopt(int *fd, const char *path);

/* The listening socket, to be handed to a new process. It stays ours. */
int control_fd(const struct control *c);

/*
 * Starts the thread. The commands, up to a row with name NULL, must stay; "help" is there
 * without being one of them. A client may take client_ms to send its line, and as long
 * again to take the reply; then it is cut off. Returns 0, or -1 with errno.
 */
int control_start(struct control *c, const struct control_command *commands, void *arg,
	int client_ms);

/*
 * Waits for the command that runs, if any, cuts off the client, ends the thread and frees
 * c; NULL: nothing. Not from a control_run. With remove, the socket's name is removed,
 * if we made it and it is still ours; without it, it is left to another process that has
 * the socket from us.
 */
void control_free(struct control *c, bool remove);

#endif
