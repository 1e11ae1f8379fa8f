/* SPDX-License-Identifier: ISC */
/*
 * Sets of sockets for datagrams: what one takes over from another, and when a socket is
 * closed. Ports are chosen by the system.
 */
#include "config.h"
#include "udp_sockets.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "../system/harness.h"

static const int one_via, other_via;
static const struct udp_sockets none;
static struct places places;
static struct udp_sockets set, next;

static void
tear_down(void)
{
	udp_sockets_close(&next);
	udp_sockets_close(&set);
	places_free(&places);
}

/* Opens a set that listens at text, and, unless it is NULL, at another. */
static void
open_set(struct udp_sockets *s, const char *text, const char *other,
	const struct udp_sockets *now)
{
	const struct server_place *failed;

	places_free(&places);
	ck_assert_ptr_null(places_add(&places, text, &one_via));
	if (other)
		ck_assert_ptr_null(places_add(&places, other, &other_via));
	ck_assert_int_eq(udp_sockets_open(s, &places, now, &failed), 0);
}

/* The address that a socket got, as text. */
static const char *
text_of(const struct udp_socket *socket)
{
	static char text[ADDR_TEXT];

	return addr_text(&socket->addr, text);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

START_TEST(a_socket_that_both_have_is_one)
{
	struct udp_socket *socket;
	int fd;

	open_set(&set, "127.0.0.1:0", NULL, &none);
	ck_assert_uint_eq(set.n, 1);
	socket = set.list[0].socket;
	fd = socket->fd;
	atomic_store(&socket->drained, true);
	open_set(&next, "127.0.0.1:0", "[::1]:0", &set);
	ck_assert_uint_eq(next.n, 2);
	ck_assert_ptr_eq(next.list[0].socket, socket);
	ck_assert(udp_sockets_have(&set, next.list[0].socket));
	ck_assert(!udp_sockets_have(&set, next.list[1].socket));
	udp_sockets_close(&set);
	ck_assert(is_open(fd));
	ck_assert(atomic_load(&next.list[0].socket->drained));
	udp_sockets_close(&next);
	ck_assert(!is_open(fd));
}
END_TEST

START_TEST(a_set_that_is_given_up_closes_its_own_only)
{
	int kept, lost;

	open_set(&set, "127.0.0.1:0", NULL, &none);
	open_set(&next, "127.0.0.1:0", "[::1]:0", &set);
	kept = next.list[0].socket->fd;
	lost = next.list[1].socket->fd;
	udp_sockets_close(&next);
	ck_assert(is_open(kept) && !is_open(lost));
	ck_assert_uint_eq(set.list[0].socket->sets, 1);
}
END_TEST

START_TEST(a_socket_without_a_route_is_taken_over_again)
{
	struct udp_socket *socket;

	open_set(&set, "127.0.0.1:0", NULL, &none);
	socket = set.list[0].socket;
	open_set(&next, "[::1]:0", NULL, &set);
	udp_sockets_add(&next, socket, NULL);
	udp_sockets_close(&set);
	open_set(&set, "127.0.0.1:0", NULL, &next);
	ck_assert_ptr_eq(set.list[0].socket, socket);
	ck_assert_ptr_eq(set.list[0].via, (const void *)&one_via);
}
END_TEST

START_TEST(what_is_taken_out_is_closed_and_the_others_stay)
{
	int fd[2];

	open_set(&set, "127.0.0.1:0", "[::1]:0", &none);
	for (int i = 0; i < 2; i++)
		fd[i] = set.list[i].socket->fd;
	udp_sockets_remove(&set, 0);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_int_eq(set.list[0].socket->fd, fd[1]);
	ck_assert_int_eq(set.fds[0].fd, fd[1]);
	ck_assert(!is_open(fd[0]) && is_open(fd[1]));
}
END_TEST

START_TEST(a_place_that_is_taken_is_told_and_nothing_is_left)
{
	const struct server_place *failed;

	open_set(&set, "127.0.0.1:0", NULL, &none);
	places_free(&places);
	ck_assert_ptr_null(places_add(&places, "[::1]:0", &one_via));
	ck_assert_ptr_null(places_add(&places, text_of(set.list[0].socket), &other_via));
	ck_assert_int_eq(udp_sockets_open(&next, &places, &none, &failed), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_ptr_eq(failed, &places.list[1]);
	ck_assert_uint_eq(next.n, 0);
	ck_assert_ptr_null(next.list);
	ck_assert_uint_eq(set.list[0].socket->sets, 1);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("udp_sockets");

	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, a_socket_that_both_have_is_one);
	tcase_add_test(tc, a_set_that_is_given_up_closes_its_own_only);
	tcase_add_test(tc, a_socket_without_a_route_is_taken_over_again);
	tcase_add_test(tc, what_is_taken_out_is_closed_and_the_others_stay);
	tcase_add_test(tc, a_place_that_is_taken_is_told_and_nothing_is_left);
	return harness_run("udp_sockets", tc);
}
