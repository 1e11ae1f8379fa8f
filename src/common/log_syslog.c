/* SPDX-License-Identifier: ISC */
/*
 * The client of the system's logger: one datagram for a line, as the C library sends it.
 * That one is not used where it need not be: it loses what it cannot send without a word,
 * and hangs for ever with a logger that does. Keeps nothing, tries no longer than a
 * second: what is to become of a line is for log to decide.
 */
#include "config.h"
#include "log_syslog.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "compat.h"
#include "io.h"

#define WAIT_S 1

/* Where it listens: Linux, NetBSD and OpenBSD; FreeBSD; macOS. */
static const char *const places[] = { "/dev/log", "/var/run/log", "/var/run/syslog" };

static const int priorities[] = {
	[LOG_L_ERROR] = LOG_ERR,
	[LOG_L_WARNING] = LOG_WARNING,
	[LOG_L_NOTICE] = LOG_NOTICE,
	[LOG_L_INFO] = LOG_INFO,
	[LOG_L_DEBUG] = LOG_DEBUG,
};

static const char *ident = "";
static int facility;
static bool by_library; /* known from log_syslog_open on */
static int fd = -1;

static int
dial_place(const char *path)
{
	const struct timeval wait = { WAIT_S, 0 };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s = compat_socket(AF_UNIX, SOCK_DGRAM);

	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	if (s == -1)
		return -1;
	(void)setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(s, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		io_close(&s);
	return s;
}

/* Returns a socket, or -1 with the errno of the place that is most likely. */
static int
dial(void)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int s = dial_place(places[i]);

		if (s != -1)
			return s;
		if (i == 0)
			error = errno;
	}
	errno = error;
	return -1;
}

/* A stream socket, or no socket at all but a device, as Solaris has it. */
static bool
is_another_kind(int error)
{
	struct stat st;

	return error == EPROTOTYPE || (stat(places[0], &st) == 0 && S_ISCHR(st.st_mode));
}

void
log_syslog_open(const char *name, int to)
{
	log_syslog_close();
	ident = name;
	facility = to;
	fd = dial();
	if (fd == -1 && is_another_kind(errno)) {
		by_library = true;
		openlog(name, LOG_PID | LOG_NDELAY, to);
	}
}

void
log_syslog_close(void)
{
	io_close(&fd);
	if (by_library)
		closelog();
	by_library = false;
}

static int
send_once(const char *packet, size_t len)
{
	ssize_t n;

	do
		n = send(fd, packet, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

/* Connects anew, if that can be. Keeps errno. */
static bool
renew(void)
{
	int keep = errno, s = dial();

	if (s != -1) {
		io_close(&fd);
		fd = s;
	}
	errno = keep;
	return s != -1;
}

static int
send_packet(const char *packet, size_t len)
{
	if (fd != -1 && send_once(packet, len) == 0)
		return 0;
	if (fd == -1)
		errno = ENOTCONN;
	if (errno == ENOBUFS || errno == EMSGSIZE)
		return -1;
	/* It was started anew; or who hangs may have a successor under the same name. */
	if (!renew() || errno == EAGAIN)
		return -1;
	return send_once(packet, len);
}

int
log_syslog_send(const struct log_record *r, const char *text)
{
	char packet[LOG_DATE + 128 + LOG_LINE], date[LOG_DATE];
	int len;

	if (by_library) {
		syslog(priorities[r->level], "%.*s", (int)r->len, text);
		return 0;
	}
	len = snprintf(packet, sizeof(packet), "<%d>%s %.64s[%ld]: %.*s",
		facility | priorities[r->level], log_date_syslog(date, r->at_ms), ident,
		(long)getpid(), (int)r->len, text);
	return send_packet(packet, (size_t)len);
}
