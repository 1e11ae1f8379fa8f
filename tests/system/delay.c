/* SPDX-License-Identifier: ISC */
/*
 * delay MS ADDRESS:PORT: a relay that is as far away as the other end of a long cable.
 * Listens on a free port of 127.0.0.1. What it reads it passes on MS milliseconds later,
 * ends and resets in their order, as many bytes at a time as come. One thread, no end but
 * by a signal.
 *
 * A client's connect(2) to it is over at once, and on a cable it would take a round trip.
 * So the other side is connected to MS after the accept, when the SYN would be there; and
 * what the client sends before 2 * MS, when the SYN-ACK would be back, is taken as sent
 * at 2 * MS, as by a client that had waited. It is there at 3 * MS, and so is what such a
 * client had to say. Only what a client computes between connect(2) and its first bytes
 * is not seen, and that is next to nothing.
 *
 * So that tests need not look at the clock it says on stdout, with the number of the
 * connection first, where those that wait have to wait:
 *
 *	1 open		it was accepted
 *	1 turn 2	the client sends, for the second time; all that it sends before it
 *			has got an answer is one turn, because it did not wait for one
 *	1 answer 2	the first bytes behind that turn are given to the client
 *	1 end turns 2	it is over, and there were so many turns
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536
#define HELD_MAX  (16 << 20) /* bytes on the way in one direction; in practice, any */

enum { CLIENT, SERVER };
enum what { OPEN, DATA, END, RESET };

/* What is on its way. */
struct piece {
	struct piece *next;
	int64_t due_us;
	enum what what;
	size_t len, sent;
	char data[];
};

/* One end of a connection, and what is on its way there. */
struct end {
	int fd;	    /* -1: not open yet, or dead */
	bool dead;  /* reset by either side: nothing comes from there or goes there */
	bool ended; /* its EOF was read */
	bool told;  /* it was given the EOF of the other end */
	bool full;  /* it takes no more at the moment */
	size_t held;
	struct piece *first, **last;
};

struct link {
	struct link *next;
	unsigned number, turns;
	bool asking; /* the client has sent, and got nothing since */
	int64_t start_us;
	struct end end[2];
};

static int64_t delay_us;
static struct sockaddr_in server;
static struct link *links;

static void
die(const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
set_up(int fd)
{
	int on = 1;

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Sends something on its way to an end of the link. */
static void
put(struct link *l, int to, enum what what, const void *data, size_t len)
{
	struct end *end = &l->end[to];
	int64_t sent_us = now_us(), connected_us = l->start_us + 2 * delay_us;
	struct piece *p;

	if (end->dead)
		return;
	if (!(p = malloc(sizeof(*p) + len)))
		die("malloc");
	*p = (struct piece){ .what = what, .len = len };
	if (to == SERVER && what != OPEN && sent_us < connected_us)
		sent_us = connected_us;
	p->due_us = sent_us + delay_us;
	if (len > 0)
		memcpy(p->data, data, len);
	end->held += len;
	*end->last = p;
	end->last = &p->next;
}

static void
drop_first(struct end *end)
{
	struct piece *p = end->first;

	end->held -= p->len;
	if (!(end->first = p->next))
		end->last = &end->first;
	free(p);
}

static void
bury(struct end *end)
{
	while (end->first)
		drop_first(end);
	close(end->fd);
	end->fd = -1;
	end->dead = true;
}

/* A read from it or a write to it has failed: the peer has reset it, or refused. */
static void
failed(struct link *l, int from)
{
	put(l, !from, RESET, NULL, 0);
	bury(&l->end[from]);
}

static void
take(struct link *l, int from)
{
	static char data[READ_SIZE];
	struct end *end = &l->end[from];
	ssize_t n = recv(end->fd, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		failed(l, from);
		return;
	}
	if (from == CLIENT && n > 0 && !l->asking) {
		l->asking = true;
		printf("%u turn %u\n", l->number, ++l->turns);
	}
	end->ended = n == 0;
	put(l, !from, n > 0 ? DATA : END, data, (size_t)n);
}

/* The reset that follows an EOF. */
static bool
has_error(const struct end *end)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0;
}

static void
open_server(struct end *end)
{
	end->fd = set_up(socket(AF_INET, SOCK_STREAM, 0));
	/* If it is refused at once, so is what follows, and a read would say so too. */
	if (connect(end->fd, (struct sockaddr *)&server, sizeof(server)) < 0 &&
		errno != EINPROGRESS && errno != ECONNREFUSED)
		die("connect");
}

static void
reset(struct end *end)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	bury(end);
}

static void
give_data(struct link *l, int to)
{
	struct end *end = &l->end[to];
	struct piece *p = end->first;
	ssize_t n = send(end->fd, p->data + p->sent, p->len - p->sent, 0);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		failed(l, to);
		return;
	}
	if (to == CLIENT && n > 0 && l->asking) {
		l->asking = false;
		printf("%u answer %u\n", l->number, l->turns);
	}
	p->sent += n > 0 ? (size_t)n : 0;
	end->full = p->sent < p->len;
	if (!end->full)
		drop_first(end);
}

/* Gives an end what has arrived by now. */
static void
give(struct link *l, int to)
{
	struct end *end = &l->end[to];

	end->full = false;
	while (end->first && end->first->due_us <= now_us() && !end->full) {
		enum what what = end->first->what;

		if (what == DATA) {
			give_data(l, to);
		} else if (what == RESET) {
			reset(end);
		} else {
			drop_first(end);
			if (what == OPEN)
				open_server(end);
			else if (shutdown(end->fd, SHUT_WR) == 0)
				end->told = true;
			else
				failed(l, to);
		}
	}
}

static bool
is_over(const struct end *end)
{
	return end->dead || (end->ended && end->told);
}

static void
add_link(int fd)
{
	static unsigned number;
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		die("calloc");
	l->number = ++number;
	l->start_us = now_us();
	l->end[CLIENT] = (struct end){ .fd = set_up(fd), .last = &l->end[CLIENT].first };
	l->end[SERVER] = (struct end){ .fd = -1, .last = &l->end[SERVER].first };
	put(l, SERVER, OPEN, NULL, 0);
	l->next = links;
	links = l;
	printf("%u open\n", l->number);
}

/* Frees those that are over. */
static void
sweep(void)
{
	for (struct link **at = &links; *at;) {
		struct link *l = *at;

		if (!is_over(&l->end[CLIENT]) || !is_over(&l->end[SERVER])) {
			at = &l->next;
			continue;
		}
		printf("%u end turns %u\n", l->number, l->turns);
		for (int i = CLIENT; i <= SERVER; i++)
			if (!l->end[i].dead)
				bury(&l->end[i]);
		*at = l->next;
		free(l);
	}
}

/* What to wait for at an end. Lowers the time that may be waited to when it is due. */
static struct pollfd
plan(const struct link *l, int i, int64_t *wait_us)
{
	const struct end *end = &l->end[i];
	struct pollfd pfd = { .fd = is_over(end) ? -1 : end->fd };
	int64_t left_us = end->first ? end->first->due_us - now_us() : INT64_MAX;

	if (!end->ended && l->end[!i].held < HELD_MAX)
		pfd.events |= POLLIN;
	if (end->full)
		pfd.events |= POLLOUT;
	else if (left_us < *wait_us)
		*wait_us = left_us < 0 ? 0 : left_us;
	return pfd;
}

static void
handle(struct link *l, int i, short revents)
{
	struct end *end = &l->end[i];

	if (revents != 0 && !end->dead && !end->ended)
		take(l, i);
	else if ((revents & (POLLERR | POLLHUP)) && !end->dead && has_error(end))
		failed(l, i);
}

/* One wait, and all that is due behind it. */
static void
step(int listener)
{
	static struct pollfd *pfd;
	size_t n = 1, max = 1;
	int64_t wait_us = 3600 * (int64_t)1000000;

	for (struct link *l = links; l; l = l->next)
		max += 2;
	if (!(pfd = realloc(pfd, max * sizeof(*pfd))))
		die("realloc");
	pfd[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (struct link *l = links; l; l = l->next)
		for (int i = CLIENT; i <= SERVER; i++)
			pfd[n++] = plan(l, i, &wait_us);
	/* The last part of a millisecond is spent in here again and again. */
	if (poll(pfd, n, (int)(wait_us / 1000)) < 0 && errno != EINTR)
		die("poll");
	n = 1;
	for (struct link *l = links; l; l = l->next) {
		handle(l, CLIENT, pfd[n++].revents);
		handle(l, SERVER, pfd[n++].revents);
		give(l, CLIENT);
		give(l, SERVER);
	}
	if (pfd[0].revents & POLLIN)
		add_link(accept(listener, NULL, NULL));
	sweep();
}

static bool
parse(const char *ms, const char *at)
{
	char host[64], *end;
	const char *colon = strrchr(at, ':');
	long port = colon ? strtol(colon + 1, &end, 10) : 0;

	if (port < 1 || port > 65535 || *end != '\0')
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - at), at);
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)port);
	delay_us = 1000 * strtol(ms, &end, 10);
	return inet_pton(AF_INET, host, &server.sin_addr) == 1 && delay_us >= 0 &&
		*end == '\0';
}

int
main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t len = sizeof(here);
	int fd;

	if (argc != 3 || !parse(argv[1], argv[2])) {
		fprintf(stderr, "Usage: delay MS ADDRESS:PORT\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = set_up(socket(AF_INET, SOCK_STREAM, 0));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 128) < 0 ||
		getsockname(fd, (struct sockaddr *)&here, &len) < 0)
		die("listen");
	printf("delay: listening on 127.0.0.1:%d\n", ntohs(here.sin_port));
	for (;;)
		step(fd);
}
