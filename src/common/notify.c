/* SPDX-License-Identifier: ISC */
/*
 * Datagrams to the service manager. The socket is connected at the start, since neither
 * its name nor the right to reach it need be there later. It is not closed while other
 * threads may use it. Does not log.
 */
#include "config.h"
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "compat.h"
#include "io.h"

static int manager = -1;

/* "/PATH" or "@NAME", of the abstract ones. Returns the length of the address, or 0. */
static socklen_t
parse(struct sockaddr_un *un, const char *text)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len >= sizeof(un->sun_path))
		return 0;
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(un->sun_path, text, len);
	if (text[0] == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
		(text[0] == '/'));
}

int
notify_take(void)
{
	const char *text = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un;
	socklen_t len;

	if (!text || *text == '\0')
		return 0;
	len = parse(&un, text);
	if (len == 0) {
		errno = EINVAL;
		return -1;
	}
	notify_close();
	manager = compat_socket(AF_UNIX, SOCK_DGRAM);
	if (manager != -1 && connect(manager, (struct sockaddr *)&un, len) == -1)
		io_close(&manager);
	return manager == -1 ? -1 : 0;
}

void
notify_send(const char *state)
{
	if (manager != -1)
		(void)send(manager, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
notify_ready(void)
{
	notify_send("READY=1");
}

/* The time lets the manager tell this reload from an earlier one. */
void
notify_reloading(void)
{
	char text[80];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(text);
}

void
notify_stopping(void)
{
	notify_send("STOPPING=1");
}

void
notify_main_pid(pid_t pid)
{
	char text[40];

	snprintf(text, sizeof(text), "MAINPID=%ld", (long)pid);
	notify_send(text);
}

void
notify_close(void)
{
	io_close(&manager);
}
