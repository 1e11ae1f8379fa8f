/* SPDX-License-Identifier: ISC */
/* Tests of server, places and conns: accepting, limits, cutting, and what is left. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "log.h"
#include "net.h"
#include "places.h"
#include "server.h"
#include "tcp.h"

static const struct io_limit patient = { IO_FOREVER, -1 };
static struct places places;

/* What server_take is given: how its conn was served. */
struct taken {
	int hold; /* served until there is an end of file; -1: not so long */
	struct conn *conn;
	struct addr client;
	const void *via;
	int fd;
	pthread_t thread[2]; /* of the crew */
	enum end end;
};

static void
note_thread(struct crew *crew, void *arg, int half)
{
	struct taken *taken = arg;

	if (half == 0)
		crew_second(crew);
	taken->thread[half] = pthread_self();
}

static void
end_taken(void *arg)
{
	struct taken *taken = arg;
	char c;

	if (taken->hold != -1)
		(void)io_read(taken->hold, &c, 1, &patient);
	taken->end = relay_end(&taken->conn->relay);
	conn_end(taken->conn);
}

static void
serve_taken(struct conn *conn, struct crew *crew)
{
	struct taken *taken = conn->own;

	taken->conn = conn;
	taken->client = conn->client;
	taken->via = conn->via;
	taken->fd = conn->relay.fd[CLIENT];
	crew_split(crew, note_thread, end_taken, taken);
}

/* Serves by sending the text that the place was opened for, until the client ends. */
static void
serve(struct conn *conn, struct crew *crew)
{
	const char *text = conn->via;
	char c;

	if (conn->own) {
		serve_taken(conn, crew);
		return;
	}
	(void)io_write(conn->relay.fd[CLIENT], text, strlen(text), &patient);
	(void)io_read(conn->relay.fd[CLIENT], &c, 1, &patient);
	conn_end(conn);
}

/* A gate that counts the first clients, up to gate_most at a time, and refuses others. */
static int gate_most;
static _Atomic int gate_asked, gate_inside;
static struct addr gate_left; /* the last one that left */

static enum gate_answer
enter(void *arg, const struct addr *peer, const char **why)
{
	ck_assert_ptr_eq(arg, &gate_most);
	ck_assert(addr_is_loopback(peer));
	gate_asked++;
	*why = "the gate is shut";
	if (gate_inside >= gate_most)
		return GATE_REFUSES;
	gate_inside++;
	return GATE_COUNTS;
}

static void
leave(void *arg, const struct addr *client)
{
	ck_assert_ptr_eq(arg, &gate_most);
	gate_left = *client;
	gate_inside--;
}

static const struct gate gate = { enter, leave, false };

static _Atomic int freed; /* configurations */

static void
count_freed(void *config)
{
	(void)config;
	freed++;
}

static struct generation *
new_generation(void)
{
	struct generation *g = generation_new(&gate_most, count_freed);

	ck_assert_ptr_nonnull(g);
	return g;
}

/* Listens at the places, as of a new configuration. */
static void
change_places(struct server *s)
{
	struct generation *g = new_generation();
	const struct server_place *failed;

	ck_assert_int_eq(server_prepare(s, g, places.list, places.n, &failed), 0);
	server_commit(s);
	generation_release(g);
}

/* A server at the places that does not accept yet. */
static struct server *
make_gated(int max, const struct gate *with)
{
	struct server *s = server_new(serve, max, with, 0);

	log_open("test", 0, LOG_L_ERROR, true);
	ck_assert_ptr_nonnull(s);
	change_places(s);
	return s;
}

struct listeners_seen {
	size_t n;
	struct addr addr[8];
	const void *via[8];
};

static void
see_listener(const struct listener *listener, void *arg)
{
	struct listeners_seen *seen = arg;

	ck_assert_uint_lt(seen->n, 8);
	seen->addr[seen->n] = listener->socket->addr;
	seen->via[seen->n++] = listener->via;
}

static struct listeners_seen
listeners_of(struct server *s)
{
	struct listeners_seen seen = { .n = 0 };

	server_each_listener(s, see_listener, &seen);
	return seen;
}

static struct addr
address(struct server *s, size_t i)
{
	struct listeners_seen seen = listeners_of(s);

	ck_assert_uint_lt(i, seen.n);
	return seen.addr[i];
}

/* A running server at the places. */
static struct server *
start_gated(int max, const struct gate *with)
{
	struct server *s = make_gated(max, with);

	ck_assert_int_eq(server_start(s), 0);
	return s;
}

static struct server *
start(int max)
{
	return start_gated(max, NULL);
}

static int
dial(const struct addr *to)
{
	struct addr used;
	int fd = net_dial(to, 1, NULL, &patient, &used);

	ck_assert_int_ne(fd, -1);
	return fd;
}

static void
expect_text(int fd, const char *text)
{
	char buf[16];

	ck_assert_int_eq(io_read(fd, buf, sizeof(buf), &patient), (ssize_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void
finish(struct server *s)
{
	server_quiesce(s);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	ck_assert_int_eq(server_free(s, 30000), 0);
	places_free(&places);
}

/* Connects, and is turned away; the reset may be there as soon as the connection is. */
static void
expect_reset(const struct addr *at)
{
	struct addr used;
	int fd = net_dial(at, 1, NULL, &patient, &used);
	char c;

	if (fd != -1)
		ck_assert_int_eq(io_read(fd, &c, 1, &patient), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	io_close(&fd);
}

START_TEST(each_place_hands_on_what_it_was_opened_for)
{
	static const char a[] = "a", b[] = "b";
	struct listeners_seen seen;
	struct server *s;
	int fd[2];

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", a));
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", b));
	s = start(0);
	seen = listeners_of(s);
	ck_assert_uint_eq(seen.n, 2);
	for (size_t i = 0; i < 2; i++) {
		fd[i] = dial(&seen.addr[i]);
		expect_text(fd[i], seen.via[i]);
	}
	ck_assert_uint_eq(conns_count(server_conns(s)), 2);
	close(fd[0]);
	close(fd[1]);
	finish(s);
}
END_TEST

START_TEST(at_the_limit_clients_are_reset_and_later_ones_served)
{
	struct server *s;
	struct addr at;
	int first;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	s = start(1);
	at = address(s, 0);
	first = dial(&at);
	expect_text(first, "x");
	expect_reset(&at);
	close(first);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	first = dial(&at);
	expect_text(first, "x");
	close(first);
	finish(s);
}
END_TEST

START_TEST(whom_the_gate_refuses_is_reset_and_never_served)
{
	struct server *s;
	struct addr at;
	int fd;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	gate_most = 1;
	s = start_gated(0, &gate);
	at = address(s, 0);
	fd = dial(&at);
	expect_text(fd, "x");
	expect_reset(&at);
	ck_assert_uint_eq(conns_count(server_conns(s)), 1);
	close(fd);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	ck_assert_int_eq(gate_inside, 0);
	fd = dial(&at);
	expect_text(fd, "x");
	ck_assert_int_eq(gate_asked, 3);
	close(fd);
	finish(s);
	ck_assert_int_eq(gate_inside, 0);
}
END_TEST

START_TEST(a_client_that_the_limit_turns_away_leaves_the_gate)
{
	struct server *s;
	struct addr at;
	int fd;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	gate_most = 100;
	s = start_gated(1, &gate);
	at = address(s, 0);
	fd = dial(&at);
	expect_text(fd, "x");
	expect_reset(&at);
	ck_assert_int_eq(gate_inside, 1);
	close(fd);
	finish(s);
	ck_assert_int_eq(gate_inside, 0);
}
END_TEST

static enum gate_answer
pass(void *arg, const struct addr *peer, const char **why)
{
	(void)arg;
	(void)peer;
	(void)why;
	return GATE_PASSES;
}

START_TEST(a_conn_leaves_the_gate_as_the_client_it_was_counted_as)
{
	const struct gate open = { pass, leave, false };
	struct conns *conns = conns_new(0, &open, 0);
	struct generation *g = new_generation();
	struct addr peer, client;
	const char *why;
	struct conn *conn;
	int ends[2];

	ck_assert(addr_from_text(&peer, "127.0.0.1", 1));
	ck_assert(addr_from_text(&client, "192.0.2.1", 2));
	tcp_pair(ends);
	conn = conns_add(conns, g, &ends[0], &peer, NULL, &why);
	ck_assert_ptr_nonnull(conn);
	ck_assert_int_eq(ends[0], -1);
	ck_assert(!conn->counted);
	conn_set_client(conn, &client, "its-id");
	ck_assert_str_eq(conn->id, "its-id");
	ck_assert(addr_equal(&conn->client, &client));
	ck_assert(addr_equal(&conn->peer, &peer));
	conn->counted = true;
	gate_inside = 1;
	conn_end(conn);
	ck_assert_int_eq(gate_inside, 0);
	ck_assert(addr_equal(&gate_left, &client));
	ck_assert_int_eq(freed, 0);
	generation_release(g);
	ck_assert_int_eq(freed, 1);
	conns_free(conns);
	close(ends[1]);
}
END_TEST

START_TEST(an_id_that_is_too_long_is_cut_and_none_keeps_the_own)
{
	struct conns *conns = conns_new(0, NULL, 0);
	struct generation *g = new_generation();
	char id[2 * CONN_ID], own[CONN_ID];
	struct addr peer;
	const char *why;
	struct conn *conn;
	int ends[2];

	ck_assert(addr_from_text(&peer, "127.0.0.1", 1));
	tcp_pair(ends);
	conn = conns_add(conns, g, &ends[0], &peer, NULL, &why);
	ck_assert_ptr_nonnull(conn);
	memcpy(own, conn->id, sizeof(own));
	conn_set_client(conn, &peer, NULL);
	ck_assert_str_eq(conn->id, own);
	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	conn_set_client(conn, &peer, id);
	ck_assert_uint_eq(strlen(conn->id), CONN_ID - 1);
	conn_end(conn);
	ck_assert_int_eq(freed, 0);
	generation_release(g);
	ck_assert_int_eq(freed, 1);
	conns_free(conns);
	close(ends[1]);
}
END_TEST

START_TEST(quiesce_closes_the_port_and_keeps_the_connections)
{
	struct server *s;
	struct addr at, used;
	int fd;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	s = start(0);
	at = address(s, 0);
	fd = dial(&at);
	expect_text(fd, "x");
	server_quiesce(s);
	ck_assert_int_eq(net_dial(&at, 1, NULL, &patient, &used), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert_uint_eq(conns_count(server_conns(s)), 1);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 20), -1);
	ck_assert_uint_eq(conns_cut(server_conns(s), END_SHUTDOWN), 1);
	finish(s);
	close(fd);
}
END_TEST

/* Dials until it is refused: soon, but there is no moment at which it must be. */
static void
wait_refused(const struct addr *at)
{
	int64_t until = io_now_ms() + 30000;
	struct addr used;
	int fd = -1;

	do {
		io_close(&fd);
		fd = net_dial(at, 1, NULL, &patient, &used);
		ck_assert(io_now_ms() < until);
	} while (fd != -1 || errno != ECONNREFUSED);
}

/* Dials until it is served with that text. */
static void
wait_served(const struct addr *at, const char *text)
{
	int64_t until = io_now_ms() + 30000;
	struct addr used;
	int fd = -1;

	while (fd == -1) {
		fd = net_dial(at, 1, NULL, &patient, &used);
		ck_assert(io_now_ms() < until);
	}
	expect_text(fd, text);
	close(fd);
}

static const char via_a[] = "a", via_b[] = "b";

/* Places at two ports for via_a, and one for via_b, in this order. */
static void
add_places(struct addr at[3], struct server *(*begin)(int), struct server **s)
{

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", via_a));
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", via_a));
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", via_b));
	*s = begin(0);
	for (size_t i = 0; i < 3; i++)
		at[i] = address(*s, i);
}

START_TEST(what_refuses_is_one_via_and_it_comes_back_at_its_ports)
{
	struct server *s;
	struct addr at[3], again;
	int fd;

	add_places(at, start, &s);
	fd = dial(&at[0]);
	expect_text(fd, "a");
	for (int round = 0; round < 3; round++) {
		server_refuse(s, via_a, true);
		server_refuse(s, via_a, true);
		wait_refused(&at[0]);
		wait_refused(&at[1]);
		wait_served(&at[2], "b");
		ck_assert(server_owns(s, &at[0]));
		server_refuse(s, via_a, false);
		server_refuse(s, via_a, false);
		wait_served(&at[0], "a");
		wait_served(&at[1], "a");
		again = address(s, 0);
		ck_assert(addr_equal(&again, &at[0]));
	}
	/* Who was there before has noticed nothing. */
	ck_assert_int_eq(recv(fd, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close(fd);
	finish(s);
}
END_TEST

static struct server *
make(int max)
{
	return make_gated(max, NULL);
}

START_TEST(a_wish_from_before_the_start_is_heeded)
{
	struct server *s;
	struct addr at[3];

	add_places(at, make, &s);
	server_refuse(s, via_a, true);
	ck_assert_int_eq(server_start(s), 0);
	wait_refused(&at[0]);
	wait_served(&at[2], "b");
	finish(s);
}
END_TEST

struct wisher {
	struct server *server;
	const void *via;
};

static void *
wish_often(void *arg)
{
	const struct wisher *wisher = arg;

	for (int i = 0; i < 300; i++)
		server_refuse(wisher->server, wisher->via, i % 2 == 0);
	return NULL;
}

START_TEST(the_last_of_many_wishes_holds)
{
	struct server *s;
	struct addr at[3];
	struct wisher wisher[4];
	pthread_t thread[4];

	add_places(at, start, &s);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 4; i++) {
			wisher[i] = (struct wisher){ s, i % 2 ? via_a : via_b };
			pthread_create(&thread[i], NULL, wish_often, &wisher[i]);
		}
		for (int i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
		server_refuse(s, via_a, round % 2 == 0);
		server_refuse(s, via_b, round % 2 == 1);
		for (int i = 0; i < 3; i++)
			if (i == 2 ? round % 2 == 1 : round % 2 == 0)
				wait_refused(&at[i]);
			else
				wait_served(&at[i], i == 2 ? "b" : "a");
	}
	finish(s);
}
END_TEST

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

START_TEST(quiesce_ends_a_server_that_refuses_and_wishes_are_in_vain_then)
{
	int before = count_fds();
	struct server *s;
	struct addr at[3];

	add_places(at, start, &s);
	server_refuse(s, via_a, true);
	wait_refused(&at[0]);
	server_quiesce(s);
	server_refuse(s, via_a, false);
	server_refuse(s, via_b, true);
	for (int i = 0; i < 3; i++)
		wait_refused(&at[i]);
	/* As many as would fill a pipe that blocks. */
	for (int i = 0; i < 2 * 65536; i++)
		server_refuse(s, via_b, i % 2 == 0);
	finish(s);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

static int64_t
cpu_ms(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

START_TEST(a_server_that_refuses_does_not_spin)
{
	struct server *s;
	struct addr at[3];
	int64_t begin;

	add_places(at, start, &s);
	server_refuse(s, via_a, true);
	wait_refused(&at[1]);
	begin = cpu_ms();
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	poll(NULL, 0, 500);
	ck_assert_int_lt(cpu_ms() - begin, 250);
	finish(s);
}
END_TEST

/* Reads what is logged until text is there. */
static void
wait_logged(int fd, const char *text)
{
	static char buf[4096];
	size_t len = 0;

	while (!strstr(buf, text)) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

		ck_assert_int_gt(n, 0);
		len += (size_t)n;
		buf[len] = '\0';
	}
}

START_TEST(a_port_that_was_taken_is_told_of_and_tried_until_it_is_free)
{
	struct server *s;
	struct addr at[3];
	int other, err[2], saved = dup(STDERR_FILENO);
	char text[ADDR_TEXT], line[ADDR_TEXT + 64];

	add_places(at, start, &s);
	server_refuse(s, via_a, true);
	wait_refused(&at[0]);
	wait_refused(&at[1]);
	other = net_listen(&at[0]);
	ck_assert_int_ne(other, -1);
	ck_assert_int_eq(pipe(err), 0);
	ck_assert_int_eq(dup2(err[1], STDERR_FILENO), STDERR_FILENO);
	log_open("test", 0, LOG_L_WARNING, true);
	server_refuse(s, via_a, false);
	snprintf(line, sizeof(line), "listening on %s again: %s", addr_text(&at[0], text),
		strerror(EADDRINUSE));
	wait_logged(err[0], line);
	wait_served(&at[1], "a");
	wait_served(&at[2], "b");
	close(other);
	wait_served(&at[0], "a");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(err[0]);
	close(err[1]);
	finish(s);
}
END_TEST

static const char datagrams[] = "datagrams";

static int
take(struct server *s, const struct addr *client, const void *via, void *own)
{
	struct generation *g = new_generation();
	int taken = server_take(s, g, client, via, own);
	int keep = errno;

	generation_release(g);
	errno = keep;
	return taken;
}

START_TEST(a_client_without_a_socket_is_served_by_a_crew)
{
	struct server *s;
	struct addr at[3], client;
	struct taken taken = { .hold = -1 };

	ck_assert(addr_from_text(&client, "192.0.2.1", 53));
	add_places(at, start, &s);
	ck_assert_int_eq(take(s, &client, datagrams, &taken), 0);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	ck_assert(addr_equal(&taken.client, &client));
	ck_assert_ptr_eq(taken.via, datagrams);
	ck_assert_int_eq(taken.fd, -1);
	ck_assert(!pthread_equal(taken.thread[0], taken.thread[1]));
	ck_assert(!pthread_equal(taken.thread[0], pthread_self()));
	ck_assert_int_eq(taken.end, END_NONE);
	finish(s);
}
END_TEST

START_TEST(a_client_without_a_socket_is_counted_and_cut_like_others)
{
	struct server *s;
	struct addr at[3], client;
	struct taken taken;
	int hold[2];

	ck_assert(addr_from_text(&client, "192.0.2.1", 53));
	tcp_pair(hold);
	taken = (struct taken){ .hold = hold[0] };
	add_places(at, start, &s);
	ck_assert_int_eq(take(s, &client, datagrams, &taken), 0);
	ck_assert_uint_eq(conns_count(server_conns(s)), 1);
	ck_assert_uint_eq(conns_cut(server_conns(s), END_SHUTDOWN), 1);
	close(hold[1]);
	finish(s);
	ck_assert_int_eq(taken.end, END_SHUTDOWN);
	close(hold[0]);
}
END_TEST

START_TEST(gate_and_limit_hold_for_clients_without_a_socket)
{
	struct server *s;
	struct addr client;
	struct taken taken, refused = { .hold = -1, .fd = 77 };
	int hold[2];

	ck_assert(addr_from_text(&client, "127.0.0.1", 53));
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", via_a));
	tcp_pair(hold);
	taken = (struct taken){ .hold = hold[0] };
	gate_most = 1;
	s = start_gated(_i == 0 ? 0 : 1, &gate);
	ck_assert_int_eq(take(s, &client, datagrams, &taken), 0);
	ck_assert_int_eq(gate_inside, 1);
	if (_i == 1)
		gate_most = 2;
	ck_assert_int_eq(take(s, &client, datagrams, &refused), -1);
	ck_assert_int_eq(errno, _i == 0 ? EACCES : EUSERS);
	ck_assert_int_eq(gate_inside, 1);
	ck_assert_int_eq(gate_asked, 2);
	ck_assert_uint_eq(conns_count(server_conns(s)), 1);
	close(hold[1]);
	finish(s);
	ck_assert_int_eq(gate_inside, 0);
	ck_assert_int_eq(refused.fd, 77);
	close(hold[0]);
}
END_TEST

/*
 * The rest of a process that may have no threads, and may not be root's for that. Exits
 * with 0 if a client cannot be taken and nothing is left of it.
 */
static _Noreturn void
take_without_threads(struct server *s, const struct addr *client)
{
	const struct rlimit none = { 0, 0 };
	struct taken taken = { .hold = -1, .fd = 77 };
	bool ok = setrlimit(RLIMIT_NPROC, &none) == 0;

	if (geteuid() == 0)
		ok = ok && setgid(65534) == 0 && setuid(65534) == 0;
	ok = ok && take(s, client, datagrams, &taken) == -1 && errno == EAGAIN;
	ok = ok && gate_asked == 1 && gate_inside == 0;
	ok = ok && conns_count(server_conns(s)) == 0 && taken.fd == 77;
	_exit(ok ? 0 : 1);
}

START_TEST(a_client_without_a_socket_and_without_a_crew_leaves_nothing)
{
	struct server *s;
	struct addr client;
	pid_t child;
	int status;

	ck_assert(addr_from_text(&client, "127.0.0.1", 53));
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", via_a));
	gate_most = 1;
	s = make_gated(0, &gate);
	child = fork();
	if (child == 0)
		take_without_threads(s, &client);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	finish(s);
}
END_TEST

#define TAKEN_EACH 50

struct taker {
	struct server *server;
	struct taken taken[TAKEN_EACH];
};

static void *
take_many(void *arg)
{
	struct taker *taker = arg;
	struct addr client;

	ck_assert(addr_from_text(&client, "127.0.0.1", 53));
	for (int i = 0; i < TAKEN_EACH; i++) {
		taker->taken[i] = (struct taken){ .hold = -1, .fd = 77 };
		ck_assert_int_eq(
			take(taker->server, &client, datagrams, &taker->taken[i]), 0);
	}
	return NULL;
}

START_TEST(several_threads_take_clients_while_others_are_accepted)
{
	static struct taker taker[3];
	pthread_t thread[3];
	struct server *s;
	struct addr at[3];

	add_places(at, start, &s);
	for (int i = 0; i < 3; i++) {
		taker[i].server = s;
		pthread_create(&thread[i], NULL, take_many, &taker[i]);
	}
	for (int i = 0; i < 20; i++)
		wait_served(&at[0], "a");
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	finish(s);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < TAKEN_EACH; j++)
			ck_assert_int_eq(taker[i].taken[j].fd, -1);
}
END_TEST

START_TEST(a_port_in_use_names_its_place)
{
	struct server *s = server_new(serve, 0, NULL, 0);
	struct generation *g = new_generation();
	const struct server_place *failed;
	int fd = tcp_listen(AF_INET);
	struct addr at;
	char text[ADDR_TEXT];

	ck_assert_int_eq(net_local(fd, &at), 0);
	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	ck_assert_ptr_null(places_add(&places, addr_text(&at, text), "y"));
	ck_assert_int_eq(server_prepare(s, g, places.list, places.n, &failed), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	generation_release(g);
	ck_assert_int_eq(freed, 1);
	ck_assert(addr_equal(&failed->at.addr, &at));
	ck_assert_int_eq(server_free(s, 0), 0);
	places_free(&places);
	close(fd);
}
END_TEST

START_TEST(the_server_knows_its_own_sockets)
{
	struct server *s;
	struct addr at;

	ck_assert_ptr_null(places_add(&places, "127.0.0.1:0", "x"));
	s = start(0);
	at = address(s, 0);
	ck_assert(server_owns(s, &at));
	ck_assert(addr_from_text(&at, "127.0.0.2", addr_port(&at)));
	ck_assert(!server_owns(s, &at));
	finish(s);
}
END_TEST

START_TEST(a_socket_of_every_address_is_known_at_those_of_this_machine_only)
{
	struct server *s;
	struct addr at;
	uint16_t port;

	ck_assert_ptr_null(places_add(&places, "0.0.0.0:0", "x"));
	s = start(0);
	at = address(s, 0);
	port = addr_port(&at);
	ck_assert(addr_from_text(&at, "127.0.0.9", port));
	ck_assert(server_owns(s, &at));
	ck_assert(addr_from_text(&at, "192.0.2.1", port)); /* TEST-NET-1: nobody's */
	ck_assert(!server_owns(s, &at));
	finish(s);
}
END_TEST

START_TEST(a_place_is_listened_at_once_only)
{
	ck_assert_ptr_null(places_add(&places, "8887", NULL));
	ck_assert_uint_eq(places.n, 2);
	ck_assert_ptr_nonnull(places_add(&places, "127.0.0.1:8887", NULL));
	ck_assert_ptr_nonnull(places_add(&places, "*:8887", NULL));
	ck_assert_ptr_nonnull(places_add(&places, "[::1]:8887", NULL));
	ck_assert_ptr_nonnull(places_add(&places, "nonsense", NULL));
	ck_assert_uint_eq(places.n, 2);
	ck_assert_ptr_null(places_add(&places, "127.0.0.2:8887", NULL));
	ck_assert_uint_eq(places.n, 3);
	places_free(&places);
}
END_TEST

/* ---- changes of the places ---- */

static void
replace_places(const char *first, const char *via, const char *second, const char *other)
{
	places_free(&places);
	ck_assert_ptr_null(places_add(&places, first, via));
	if (second)
		ck_assert_ptr_null(places_add(&places, second, other));
}

START_TEST(a_change_keeps_the_sockets_that_both_have)
{
	struct addr at[3], before;
	struct server *s;

	add_places(at, start, &s);
	before = at[0];
	replace_places("127.0.0.1:0", "new", NULL, NULL);
	change_places(s);
	ck_assert_uint_eq(listeners_of(s).n, 1);
	at[0] = address(s, 0);
	ck_assert(addr_equal(&at[0], &before));
	wait_served(&before, "new");
	wait_refused(&at[1]);
	wait_refused(&at[2]);
	finish(s);
}
END_TEST

START_TEST(a_change_adds_and_leaves_out)
{
	struct addr at[3], added;
	struct server *s;
	int fd;

	add_places(at, start, &s);
	fd = dial(&at[0]);
	expect_text(fd, "a");
	replace_places("127.0.0.2:0", "2", NULL, NULL);
	change_places(s);
	added = address(s, 0);
	wait_served(&added, "2");
	for (int i = 0; i < 3; i++) {
		wait_refused(&at[i]);
		ck_assert(!server_owns(s, &at[i]));
	}
	ck_assert(server_owns(s, &added));
	/* Who was served goes on, and the old configuration with it. */
	ck_assert_int_eq(recv(fd, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(freed, 0);
	close(fd);
	ck_assert_int_eq(conns_wait(server_conns(s), io_now_ms() + 30000), 0);
	finish(s);
	ck_assert_int_eq(freed, 2);
}
END_TEST

START_TEST(a_change_that_is_given_up_changes_nothing)
{
	int before, taken = tcp_listen(AF_INET);
	struct server *s;
	struct addr at[3], used;
	struct generation *g = new_generation();
	const struct server_place *failed;
	char text[ADDR_TEXT];

	ck_assert_int_eq(net_local(taken, &used), 0);
	add_places(at, start, &s);
	before = count_fds();
	replace_places("127.0.0.2:0", "x", addr_text(&used, text), "y");
	ck_assert_int_eq(server_prepare(s, g, places.list, places.n, &failed), -1);
	ck_assert(addr_equal(&failed->at.addr, &used));
	replace_places("127.0.0.2:0", "x", NULL, NULL);
	ck_assert_int_eq(server_prepare(s, g, places.list, places.n, &failed), 0);
	ck_assert_int_eq(count_fds(), before + 1);
	server_discard(s);
	ck_assert_int_eq(count_fds(), before);
	generation_release(g);
	ck_assert_int_eq(freed, 1);
	for (int i = 0; i < 3; i++)
		wait_served(&at[i], i == 2 ? "b" : "a");
	finish(s);
	close(taken);
}
END_TEST

START_TEST(who_waits_at_a_socket_that_goes_is_served_all_the_same)
{
	struct server *s;
	struct addr at[3];
	int fd[8];

	for (int round = 0; round < 50; round++) {
		add_places(at, start, &s);
		for (int i = 0; i < 8; i++)
			fd[i] = dial(&at[0]);
		replace_places("127.0.0.2:0", "2", NULL, NULL);
		change_places(s);
		for (int i = 0; i < 8; i++) {
			expect_text(fd[i], "a");
			close(fd[i]);
		}
		finish(s);
	}
}
END_TEST

static atomic_bool dialling;

/* Nobody who dials is refused, reset, or not served. */
static void *
dial_often(void *arg)
{
	const struct addr *at = arg;
	long n = 0;

	while (atomic_load(&dialling)) {
		struct addr used;
		int fd = net_dial(at, 1, NULL, &patient, &used);
		char c;

		ck_assert_int_ne(fd, -1);
		ck_assert_int_eq(io_read(fd, &c, 1, &patient), 1);
		close(fd);
		n++;
	}
	ck_assert_int_gt(n, 0);
	return NULL;
}

START_TEST(changes_under_load_lose_nobody)
{
	struct server *s;
	struct addr at[3];
	pthread_t thread[2];

	add_places(at, start, &s);
	atomic_store(&dialling, true);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, dial_often, &at[0]);
	for (int i = 0; i < 200; i++) {
		replace_places("127.0.0.1:0", "x", i % 2 ? "127.0.0.2:0" : NULL, "y");
		change_places(s);
	}
	atomic_store(&dialling, false);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	finish(s);
	ck_assert_int_eq(freed, 201);
}
END_TEST

static bool
is_via_a(const struct listener *listener, void *arg)
{
	(void)arg;
	return listener->via == via_a || strcmp(listener->via, "new") == 0;
}

START_TEST(what_is_drained_refuses_until_it_is_resumed)
{
	struct server *s;
	struct addr at[3];

	add_places(at, start, &s);
	ck_assert_uint_eq(server_drain(s, is_via_a, NULL, true), 2);
	wait_refused(&at[0]);
	wait_served(&at[2], "b");
	/* What the daemon wishes does not undo it, nor does a change. */
	server_refuse(s, via_a, true);
	server_refuse(s, via_a, false);
	wait_refused(&at[0]);
	replace_places("127.0.0.1:0", "new", NULL, NULL);
	change_places(s);
	wait_refused(&at[0]);
	ck_assert_uint_eq(server_drain(s, is_via_a, NULL, false), 1);
	wait_served(&at[0], "new");
	finish(s);
}
END_TEST

struct changes {
	size_t comes, goes;
};

static void
count_comes(const struct listener *listener, void *arg)
{
	struct changes *changes = arg;

	(void)listener;
	changes->comes++;
}

static void
count_goes(const struct listener *listener, void *arg)
{
	struct changes *changes = arg;

	(void)listener;
	changes->goes++;
}

START_TEST(what_comes_and_goes_can_be_told_before_it_does)
{
	struct server *s;
	struct addr at[3];
	struct changes changes = { 0, 0 };
	struct generation *g = new_generation();
	const struct server_place *failed;

	add_places(at, start, &s);
	replace_places("127.0.0.1:0", "x", "127.0.0.2:0", "y");
	ck_assert_int_eq(server_prepare(s, g, places.list, places.n, &failed), 0);
	server_each_change(s, count_comes, count_goes, &changes);
	ck_assert_uint_eq(changes.comes, 1);
	ck_assert_uint_eq(changes.goes, 2);
	server_commit(s);
	generation_release(g);
	finish(s);
}
END_TEST

START_TEST(the_limit_can_change_while_clients_are_there)
{
	struct server *s;
	struct addr at[3];
	int fd[2];

	add_places(at, start, &s);
	fd[0] = dial(&at[0]);
	expect_text(fd[0], "a");
	conns_set_max(server_conns(s), 1);
	ck_assert_int_eq(conns_max(server_conns(s)), 1);
	expect_reset(&at[0]);
	conns_set_max(server_conns(s), 2);
	fd[1] = dial(&at[0]);
	expect_text(fd[1], "a");
	close(fd[0]);
	close(fd[1]);
	finish(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("server");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_place_hands_on_what_it_was_opened_for);
	tcase_add_test(tc, at_the_limit_clients_are_reset_and_later_ones_served);
	tcase_add_test(tc, whom_the_gate_refuses_is_reset_and_never_served);
	tcase_add_test(tc, a_client_that_the_limit_turns_away_leaves_the_gate);
	tcase_add_test(tc, a_conn_leaves_the_gate_as_the_client_it_was_counted_as);
	tcase_add_test(tc, an_id_that_is_too_long_is_cut_and_none_keeps_the_own);
	tcase_add_test(tc, quiesce_closes_the_port_and_keeps_the_connections);
	tcase_add_test(tc, what_refuses_is_one_via_and_it_comes_back_at_its_ports);
	tcase_add_test(tc, a_wish_from_before_the_start_is_heeded);
	tcase_add_test(tc, the_last_of_many_wishes_holds);
	tcase_add_test(
		tc, quiesce_ends_a_server_that_refuses_and_wishes_are_in_vain_then);
	tcase_add_test(tc, a_server_that_refuses_does_not_spin);
	tcase_add_test(tc, a_port_that_was_taken_is_told_of_and_tried_until_it_is_free);
	tcase_add_test(tc, a_client_without_a_socket_is_served_by_a_crew);
	tcase_add_test(tc, a_client_without_a_socket_is_counted_and_cut_like_others);
	tcase_add_loop_test(tc, gate_and_limit_hold_for_clients_without_a_socket, 0, 2);
	tcase_add_test(tc, a_client_without_a_socket_and_without_a_crew_leaves_nothing);
	tcase_add_test(tc, several_threads_take_clients_while_others_are_accepted);
	tcase_add_test(tc, a_change_keeps_the_sockets_that_both_have);
	tcase_add_test(tc, a_change_adds_and_leaves_out);
	tcase_add_test(tc, a_change_that_is_given_up_changes_nothing);
	tcase_add_test(tc, who_waits_at_a_socket_that_goes_is_served_all_the_same);
	tcase_add_test(tc, changes_under_load_lose_nobody);
	tcase_add_test(tc, what_is_drained_refuses_until_it_is_resumed);
	tcase_add_test(tc, what_comes_and_goes_can_be_told_before_it_does);
	tcase_add_test(tc, the_limit_can_change_while_clients_are_there);
	tcase_add_test(tc, a_port_in_use_names_its_place);
	tcase_add_test(tc, the_server_knows_its_own_sockets);
	tcase_add_test(
		tc, a_socket_of_every_address_is_known_at_those_of_this_machine_only);
	tcase_add_test(tc, a_place_is_listened_at_once_only);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
