/* SPDX-License-Identifier: ISC */
/*
 * The two directions of a tunnel, on the two threads of a crew. Each watches the limits
 * while it waits. An error of a socket is seen by
 * whichever thread uses it first, and the kernel tells it only once: hence the flags.
 * Does not log; blocks in poll(2) and carry_piece.
 */
#include "config.h"
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "carry.h"
#include "compat.h"
#include "io.h"
#include "net.h"

/* So much fits into the socket of a peer that was sent little yet, as a rule. */
#define FIRST_BYTES (16 * 1024)

/* After so many pieces there is more, though the end has been seen behind them. */
#define ENDING_PIECES 3

#define LONG_MS 1000000000 /* fits into poll's int */

/* After a reset: how long a peer may take nothing of what is still on its way to it. */
#define SETTLE_MS 10000

int
relay_init(struct relay *r, int client_fd)
{
	*r = (struct relay){ .fd = { client_fd, -1 } };
	errno = pthread_mutex_init(&r->lock, NULL);
	return errno == 0 ? 0 : -1;
}

void
relay_attach(struct relay *r, int target_fd, int64_t idle_ms, int64_t half_closed_ms)
{
	r->idle_ms = idle_ms;
	r->half_closed_ms = half_closed_ms;
	atomic_store(&r->last_ms, io_now_ms());
	pthread_mutex_lock(&r->lock);
	r->fd[TARGET] = target_fd;
	if (atomic_load(&r->stopped))
		shutdown(target_fd, SHUT_RD);
	pthread_mutex_unlock(&r->lock);
}

static bool
is_eof(int end)
{
	return end == END_CLIENT_EOF || end == END_TARGET_EOF;
}

void
relay_note(struct relay *r, enum end end)
{
	int was = END_NONE;

	while (!atomic_compare_exchange_weak(&r->end, &was, (int)end))
		if (was != END_NONE && (!is_eof(was) || is_eof((int)end)))
			return;
}

static bool
half_closed(const struct relay *r)
{
	return atomic_load(&r->fin_sent[CLIENT]) || atomic_load(&r->fin_sent[TARGET]);
}

bool
relay_is_half_closed(const struct relay *r)
{
	return half_closed(r) && !atomic_load(&r->stopped);
}

enum end
relay_end(const struct relay *r)
{
	return (enum end)atomic_load(&r->end);
}

/*
 * Both directions are to end. SHUT_RD wakes a reader without telling the peer anything;
 * a writer sees the flag within NET_WRITE_TICK_MS. Before there is a target the owner may
 * be dialling, and only a full shutdown ends that.
 */
static void
stop(struct relay *r)
{
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->stopped, true);
	if (r->fd[TARGET] != -1)
		shutdown(r->fd[TARGET], SHUT_RD);
	if (r->fd[CLIENT] != -1)
		shutdown(r->fd[CLIENT], r->fd[TARGET] == -1 ? SHUT_RDWR : SHUT_RD);
	pthread_mutex_unlock(&r->lock);
}

void
relay_reset(struct relay *r, enum end end)
{
	relay_note(r, end);
	atomic_store(&r->reset, true);
}

void
relay_cut(struct relay *r, enum end end)
{
	relay_reset(r, end);
	stop(r);
}

/* A side's connection is broken. */
static void
broken(struct relay *r, enum side side)
{
	relay_reset(r, side == CLIENT ? END_CLIENT_RESET : END_TARGET_RESET);
}

/* When the tunnel will have been quiet for too long, as things are. */
static int64_t
quiet_until(const struct relay *r)
{
	int64_t limit = half_closed(r) ? r->half_closed_ms : r->idle_ms;

	return limit == 0 ? IO_FOREVER : atomic_load(&r->last_ms) + limit;
}

/* Whether the direction is to end; ends the whole tunnel when it was quiet for too long.
 */
static bool
is_over(struct relay *r)
{
	if (atomic_load(&r->stopped))
		return true;
	if (io_left_ms(quiet_until(r)) != 0)
		return false;
	relay_cut(r, half_closed(r) ? END_HALF_CLOSED : END_IDLE);
	return true;
}

/*
 * How long a direction may wait before it looks at the limits, as poll(2) wants it. The
 * other one may end meanwhile, which does not wake it: its own limit counts from then on.
 */
static int
patience_ms(const struct relay *r)
{
	int left_ms = io_left_ms(quiet_until(r));
	int64_t other_ms = r->half_closed_ms;

	if (half_closed(r) || other_ms == 0 || (left_ms != -1 && left_ms <= other_ms))
		return left_ms;
	return other_ms < LONG_MS ? (int)other_ms : LONG_MS;
}

/*
 * Blocks until one of the n sockets has something, and poll says what. Returns false when
 * it is over.
 */
static bool
wait_data(struct relay *r, struct pollfd *p, nfds_t n)
{
	while (!atomic_load(&r->stopped)) {
		if (poll(p, n, patience_ms(r)) > 0)
			return true;
		if (is_over(r))
			break;
	}
	return false;
}

void
relay_count(struct relay *r, enum side from, size_t n)
{
	atomic_fetch_add_explicit(&r->bytes[from], n, memory_order_relaxed);
	atomic_store_explicit(&r->last_ms, io_now_ms(), memory_order_relaxed);
}

/* One of the two directions: what carry is told. */
struct direction {
	struct relay *r;
	enum side from;
};

static void
delivered(void *arg, size_t n)
{
	const struct direction *d = arg;

	relay_count(d->r, d->from, n);
}

/* This thread goes on with one direction; the other one is the second thread's. */
static void
share(struct relay *r, enum side mine)
{
	relay_start *start = r->start;

	r->start = NULL;
	r->seconds = !mine;
	start(r->start_arg);
}

/* Who does not take what it is sent may wait for the other side to be read. */
static bool
blocked(void *arg)
{
	const struct direction *d = arg;

	if (d->r->start)
		share(d->r, d->from);
	return is_over(d->r);
}

/*
 * The end of what a side sends. It was no clean one if the connection is gone as a whole
 * though we have not sent FIN there: the other thread, writing, has got the error then.
 */
static void
end_of_file(struct relay *r, enum side from, short revents)
{
	enum side to = !from;

	if (atomic_load(&r->stopped))
		return;
	if ((revents & (POLLERR | POLLHUP)) && !atomic_load(&r->fin_sent[from])) {
		broken(r, from);
		stop(r);
		return;
	}
	relay_note(r, from == CLIENT ? END_CLIENT_EOF : END_TARGET_EOF);
	atomic_store(&r->last_ms, io_now_ms());
	atomic_store(&r->fin_sent[to], true);
	/* When the other direction has ended before, relay_close is next. */
	if (!atomic_load(&r->fin_sent[from]))
		shutdown(r->fd[to], SHUT_WR);
	if (r->half_closed_ms == 0)
		stop(r);
}

/*
 * One of the sockets failed. When it was the one written to, what it has received may
 * still be read by the other direction, which then comes to the end by itself.
 */
static void
failure(struct relay *r, enum side from, bool reading)
{
	if (errno == ECANCELED)
		return;
	broken(r, reading ? from : !from);
	if (reading)
		stop(r);
}

/* Carries a piece, of that size at most. Returns whether the direction goes on. */
static bool
step(struct relay *r, enum side from, short revents, size_t most)
{
	struct direction d = { r, from };
	const struct carry carry = { r->fd[from], r->fd[!from], most, delivered, blocked,
		&d };
	int failed = -1;
	ssize_t n = carry_piece(&carry, &failed);

	if (n > 0 || (n == -1 && failed == carry.src && errno == EAGAIN))
		return true;
	if (n == 0)
		end_of_file(r, from, revents);
	else
		failure(r, from, failed == carry.src);
	return false;
}

static void
carry_on(struct relay *r, enum side from)
{
	struct pollfd p = { r->fd[from], POLLIN, 0 };

	while (wait_data(r, &p, 1) && step(r, from, p.revents, CARRY_MOST))
		continue;
}

/*
 * Whether a side that has sent pieces before has more to say than a request or an answer.
 * With its end behind it the data may be the rest of that.
 */
static bool
says_more(int pieces, short revents)
{
	return pieces > 0 && (revents == POLLIN || pieces == ENDING_PIECES);
}

void
relay_first(struct relay *r, relay_start *second, void *arg)
{
	struct pollfd p[2] = { { r->fd[CLIENT], POLLIN | COMPAT_POLLRDHUP, 0 },
		{ r->fd[TARGET], POLLIN | COMPAT_POLLRDHUP, 0 } };
	int pieces[2] = { 0, 0 };
	enum side from = CLIENT;
	bool goes_on = true;

	r->start = second;
	r->start_arg = arg;
	while (goes_on && r->start && wait_data(r, p, 2)) {
		from = p[CLIENT].revents ? CLIENT : TARGET;
		if (says_more(pieces[from]++, p[from].revents))
			share(r, from);
		else
			goes_on = step(r, from, p[from].revents, FIRST_BYTES);
	}
	if (!r->start && goes_on)
		carry_on(r, from);
	else if (r->start && !goes_on)
		carry_on(r, !from); /* the one that is left needs no second thread */
}

void
relay_second(struct relay *r)
{
	carry_on(r, r->seconds);
}

/*
 * Waits while the peer still takes what was sent to it, unless the tunnel was cut or its
 * connection is gone too. No call tells when all has arrived, hence the naps.
 */
static void
settle(const struct relay *r, int fd)
{
	int64_t until = io_now_ms() + SETTLE_MS;
	struct pollfd gone = { fd, 0, 0 };
	int nap_ms = 1, before = 0, unsent;

	while ((unsent = compat_unsent(fd)) > 0 && io_now_ms() < until) {
		enum end end = relay_end(r);

		if (end != END_CLIENT_RESET && end != END_TARGET_RESET)
			break;
		if (poll(&gone, 1, nap_ms) > 0)
			break;
		if (unsent != before)
			until = io_now_ms() + SETTLE_MS;
		before = unsent;
		if (nap_ms < 64)
			nap_ms *= 2;
	}
}

void
relay_close(struct relay *r)
{
	for (enum side side = CLIENT; side <= TARGET; side++) {
		int fd = r->fd[side];

		if (fd != -1 && atomic_load(&r->reset)) {
			settle(r, fd);
			net_reset_on_close(fd);
		}
		pthread_mutex_lock(&r->lock);
		r->fd[side] = -1;
		pthread_mutex_unlock(&r->lock);
		io_close(&fd);
	}
}

void
relay_destroy(struct relay *r)
{
	pthread_mutex_destroy(&r->lock);
}
