/* SPDX-License-Identifier: ISC */
/*
 * The target. One thread takes connections and their first byte, answers what is brief,
 * and keeps those that are to be held: they cost a descriptor each. Those that carry data
 * get a thread. It is always the target that closes first: the ports that rest for a
 * while afterwards are at the listening ends, and no client runs out of them.
 */
#include "config.h"
#include "gauge.h"
#include "way.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS	 256
#define PIECE	 (256 << 10)
#define DATAGRAM 2048
#define BATCH	 64

static void *
take_all(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *data = allocate(PIECE, 1);

	while (recv(fd, data, PIECE, 0) > 0)
		continue;
	free(data);
	close(fd);
	return NULL;
}

static void *
give_all(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *data = allocate(PIECE, 1);

	while (send(fd, data, PIECE, MSG_NOSIGNAL) > 0)
		continue;
	free(data);
	close(fd);
	return NULL;
}

static void *
echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char data[4096];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		if (!way_give(fd, data, (size_t)n))
			break;
	close(fd);
	return NULL;
}

/* The first byte, or that of one who is held: what comes then is an end. */
static void
heed(int fd)
{
	char wish;

	if (recv(fd, &wish, 1, 0) != 1) {
		close(fd);
	} else if (wish == WISH_HOLD || wish == WISH_BRIEF) {
		send(fd, &wish, 1, MSG_NOSIGNAL);
		if (wish == WISH_BRIEF)
			close(fd);
	} else {
		start_alone(wish == WISH_TAKE	    ? take_all
				: wish == WISH_GIVE ? give_all
						    : echo,
			(void *)(intptr_t)fd);
	}
}

/* Whether fd goes on to be watched is for the wish to say. */
static void
heed_event(int epoll, int fd)
{
	char wish;

	if (recv(fd, &wish, 1, MSG_PEEK) == 1 && wish != WISH_HOLD && wish != WISH_BRIEF)
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	heed(fd);
}

static void
accept_one(int epoll, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };

	event.data.fd = accept(listener, NULL, NULL);
	if (event.data.fd == -1 && errno != ECONNABORTED)
		die("accept");
	if (event.data.fd != -1)
		epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
}

static void *
echo_datagrams(void *arg)
{
	int fd = (int)(intptr_t)arg, n;
	static char data[BATCH][DATAGRAM];
	static struct sockaddr_in from[BATCH];
	struct mmsghdr all[BATCH];
	struct iovec piece[BATCH];

	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			piece[i] = (struct iovec){ data[i], DATAGRAM };
			all[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &from[i],
							   .msg_namelen = sizeof(from[i]),
							   .msg_iov = &piece[i],
							   .msg_iovlen = 1 } };
		}
		n = recvmmsg(fd, all, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			piece[i].iov_len = all[i].msg_len;
		if (n > 0)
			sendmmsg(fd, all, (unsigned)n, 0);
	}
	return NULL;
}

void
target_run(void)
{
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN };
	uint16_t port = 0;
	int listener = way_listen(SOCK_STREAM, &port), epoll = epoll_create1(0), n;

	start_alone(echo_datagrams, (void *)(intptr_t)way_listen(SOCK_DGRAM, &port));
	event.data.fd = listener;
	if (epoll == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == -1)
		die("epoll");
	printf("gauge: listening on 127.0.0.1:%u\n", port);
	fflush(stdout);
	while ((n = epoll_wait(epoll, events, EVENTS, -1)) != -1 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_one(epoll, listener);
			else
				heed_event(epoll, events[i].data.fd);
		}
	}
	die("epoll");
}
