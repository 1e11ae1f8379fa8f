/* SPDX-License-Identifier: ISC */
/*
 * load: clients of a daemon that is reloaded or replaced meanwhile, none of whom may
 * notice. It says "load: echo PORT", the port of 127.0.0.1 where it is the target itself
 * and sends back what it gets. What it is to do it reads from stdin, a line each:
 *
 *	dial HOW AT	one connection after another, by several threads: a few bytes or
 *			100 KB are sent, must come back whole, and then the end
 *	hold HOW AT	several tunnels that carry bytes there and back all the time
 *	check		has each thread that dials begin and end a connection, and each
 *			held tunnel carry bytes
 *	stop		ends all that, tells what came of it, and exits
 *
 * HOW is socks, through a SOCKS5 server, or plain, through a port that leads to the echo;
 * AT is its ADDRESS:PORT. "load: done" follows when the work is under way, or the check
 * is over.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIALLERS   4 /* threads for each "dial" */
#define HELD	   8 /* tunnels for each "hold" */
#define THREADS	   256
#define SMALL	   100
#define LARGE	   100000
#define PAUSE_US   2000 /* so that ports do not run out, and others have a processor */
#define PATIENCE_S 60	/* only a failure waits for so long */

/* What came of something. */
struct result {
	pthread_mutex_t lock;
	unsigned long n, failed;
	char first[160]; /* why the first failed */
};

struct worker {
	pthread_t thread;
	bool socks;
	struct sockaddr_in to;
	atomic_ulong rounds;
};

static struct result dialled = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct result held = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct worker workers[THREADS];
static size_t worker_count;
static atomic_bool stopping;
static int echo_port;
static _Thread_local char why[160]; /* of the failure that was last, on this thread */

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool
fault(const char *what)
{
	snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
	return false;
}

static void
count(struct result *r, bool ok)
{
	pthread_mutex_lock(&r->lock);
	r->n++;
	if (!ok && r->failed++ == 0)
		strcpy(r->first, why);
	pthread_mutex_unlock(&r->lock);
}

/* ---- the target ---- */

static void *
echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char data[16384];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		if (send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	close(fd);
	return NULL;
}

static void
start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	errno = pthread_create(thread, NULL, run, arg);
	if (errno)
		die("thread");
}

/* It ends with the process. */
static void
start_alone(void *(*run)(void *), int fd)
{
	pthread_t thread;

	start_thread(&thread, run, (void *)(intptr_t)fd);
	pthread_detach(thread);
}

static void *
accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;

	while ((fd = accept(listener, NULL, NULL)) != -1)
		start_alone(echo, fd);
	die("accept");
	return NULL;
}

static void
start_echo(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t len = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&here, sizeof(here)) == -1 ||
		listen(fd, 1024) == -1 ||
		getsockname(fd, (struct sockaddr *)&here, &len) == -1)
		die("listen");
	echo_port = ntohs(here.sin_port);
	start_alone(accept_all, fd);
	printf("load: echo %d\n", echo_port);
}

/* ---- a client ---- */

static bool
give(int fd, const void *data, size_t size)
{
	return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size || fault("send");
}

/* Takes that many bytes. */
static bool
take(int fd, void *data, size_t size)
{
	ssize_t n = recv(fd, data, size, MSG_WAITALL);

	if (n >= 0 && (size_t)n < size)
		snprintf(why, sizeof(why), "end of file after %zd of %zu bytes", n, size);
	else if (n == -1)
		fault("receive");
	return n == (ssize_t)size;
}

static bool
ask_socks(int fd)
{
	unsigned char request[] = { 5, 1, 0, 1, 127, 0, 0, 1,
		(unsigned char)(echo_port >> 8), (unsigned char)echo_port };
	unsigned char reply[10];

	if (!give(fd, "\5\1\0", 3) || !take(fd, reply, 2) ||
		!give(fd, request, sizeof(request)) || !take(fd, reply, sizeof(reply)))
		return false;
	if (reply[1] != 0)
		snprintf(why, sizeof(why), "SOCKS5 reply %d", reply[1]);
	return reply[1] == 0;
}

/* Returns the socket of a connection to the echo, or -1. */
static int
open_tunnel(const struct worker *w)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&w->to, sizeof(w->to)) == 0) {
		if (!w->socks || ask_socks(fd))
			return fd;
	} else {
		fault("connect");
	}
	close(fd);
	return -1;
}

/* Sends what no other exchange sends, and gets it back. */
static bool
exchange(int fd, size_t size)
{
	static atomic_uint exchanges;
	static _Thread_local unsigned char out[LARGE], in[LARGE];
	unsigned seed = atomic_fetch_add(&exchanges, 1);

	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)(seed + i * (1 + seed % 251) + (i >> 8));
	if (!give(fd, out, size) || !take(fd, in, size))
		return false;
	if (memcmp(in, out, size) == 0)
		return true;
	strcpy(why, "other bytes came back");
	return false;
}

/* Our end, and then that of the other side. */
static bool
finish(int fd)
{
	char byte;
	ssize_t n = shutdown(fd, SHUT_WR) == 0 ? recv(fd, &byte, 1, 0) : -1;

	if (n > 0)
		strcpy(why, "more came back than was sent");
	return n == -1 ? fault("end") : n == 0;
}

static void *
dial(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&stopping)) {
		bool large = atomic_load(&w->rounds) % 8 == 0;
		int fd = open_tunnel(w);
		bool ok = fd != -1 && exchange(fd, large ? LARGE : SMALL) && finish(fd);

		count(&dialled, ok);
		if (fd != -1)
			close(fd);
		atomic_fetch_add(&w->rounds, 1);
		usleep(PAUSE_US);
	}
	return NULL;
}

static void *
hold(void *arg)
{
	struct worker *w = arg;
	int fd = open_tunnel(w);
	bool ok = fd != -1;

	while (ok && !atomic_load(&stopping)) {
		ok = exchange(fd, SMALL);
		atomic_fetch_add(&w->rounds, 1);
		usleep(PAUSE_US);
	}
	count(&held, ok && finish(fd));
	if (fd != -1)
		close(fd);
	/* Nobody is to wait for one that is broken. */
	atomic_store(&w->rounds, ULONG_MAX / 2);
	return NULL;
}

/* ---- what it is told ---- */

/* Waits until each has done two rounds, so that one was begun after the call. */
static void
check(size_t from)
{
	unsigned long before[THREADS];

	for (size_t i = from; i < worker_count; i++)
		before[i] = atomic_load(&workers[i].rounds);
	for (size_t i = from; i < worker_count; i++)
		while (atomic_load(&workers[i].rounds) < before[i] + 2 &&
			atomic_load(&workers[i].rounds) < ULONG_MAX / 2)
			usleep(PAUSE_US);
}

static void
start(void *(*run)(void *), size_t n, struct worker plan)
{
	size_t from = worker_count;

	for (; worker_count < from + n && worker_count < THREADS; worker_count++) {
		struct worker *w = &workers[worker_count];

		w->socks = plan.socks;
		w->to = plan.to;
		start_thread(&w->thread, run, w);
	}
	check(from);
}

static void
tell(const struct result *r, const char *what, const char *failed)
{
	printf("load: %lu %s, %lu %s%s%s\n", r->n, what, r->failed, failed,
		r->failed > 0 ? ": " : "", r->first);
}

static void
stop(void)
{
	atomic_store(&stopping, true);
	for (size_t i = 0; i < worker_count; i++)
		pthread_join(workers[i].thread, NULL);
	tell(&dialled, "connections", "failed");
	tell(&held, "held", "broken");
}

/* Returns false when it makes no sense. */
static bool
heed(const char *line)
{
	struct worker plan = { .to.sin_family = AF_INET };
	char what[16], how[16], host[16];
	unsigned short port;

	if (strcmp(line, "check\n") == 0) {
		check(0);
		return true;
	}
	if (sscanf(line, "%15s %15s %15[0-9.]:%hu", what, how, host, &port) != 4 ||
		inet_pton(AF_INET, host, &plan.to.sin_addr) != 1)
		return false;
	plan.to.sin_port = htons(port);
	plan.socks = strcmp(how, "socks") == 0;
	if (strcmp(what, "dial") == 0)
		start(dial, DIALLERS, plan);
	else
		start(hold, HELD, plan);
	return true;
}

int
main(void)
{
	char line[80];

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	start_echo();
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "stop\n") != 0) {
		if (!heed(line)) {
			fprintf(stderr, "load: what is that: %s", line);
			return 64;
		}
		printf("load: done\n");
	}
	stop();
	return 0;
}
