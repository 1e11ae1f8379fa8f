/* SPDX-License-Identifier: ISC */
/*
 * Spare connections. Up to four openers make them, and a watch closes those that are no
 * use any more; each of these threads belongs to one struct spares. spares_take and
 * spares_distrust are called by any thread, and make no connection themselves.
 *
 * The youngest one is handed out first: of two that look alive it is the one less likely
 * to be dead without our having been told, as after the upstream's crash, or in a
 * firewall that forgot it. The price is that some grow old unused; age_ms bounds it.
 *
 * The lock is a leaf. Not held for open nor for a poll that waits; close and a poll that
 * does not wait are done under it.
 */
#include "config.h"
#include "spares.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "compat.h"
#include "cond.h"
#include "io.h"
#include "random.h"

#define OPENERS	    4
#define STACK_BYTES (256 * 1024) /* as of crew.c: open may look up a name */
#define YOUNG_MS    1000	 /* one that dies younger was no good from the start */
#define REST_MS	    10		 /* the watch is not woken again before that is over */

struct spare {
	int fd;
	bool trial; /* made while the upstream was held off: whether it lives will tell */
	int64_t born_ms, until_ms; /* it is too old from until_ms on */
};

struct spares {
	struct spares_plan plan;
	pthread_mutex_t lock;		/* what follows, up to woken */
	pthread_cond_t missing;		/* for openers: another one is to be made */
	pthread_cond_t quitting;	/* it began, or an open came back since */
	struct spare ready[SPARES_MAX]; /* the youngest at the end */
	int n_ready, n_pending;		/* pending: in open now */
	struct health health;		/* of making them */
	uint32_t chance;
	bool quit;
	bool paused; /* none is wanted for now */
	bool woken;  /* the watch will look at ready again before it waits */

	int wake[2]; /* pipe; a byte for each time woken became true */
	struct pollfd fds[SPARES_MAX + 1]; /* only the watch's */
	pthread_t threads[OPENERS + 1];	   /* only of who starts and frees */
	int n_threads;
};

struct spares *
spares_new(const struct spares_plan *plan)
{
	struct spares *s = calloc(1, sizeof(*s));
	int error;

	assert(plan->n >= 1 && plan->n <= SPARES_MAX && plan->age_ms > 0);
	if (!s)
		return NULL;
	s->plan = *plan;
	/* It only keeps many from acting at once, and a chroot may lack the device. */
	if (random_fill(&s->chance, sizeof(s->chance)) == -1)
		s->chance = (uint32_t)io_now_ms();
	pthread_mutex_init(&s->lock, NULL);
	if (cond_init(&s->missing) == 0 && cond_init(&s->quitting) == 0 &&
		compat_pipe(s->wake) == 0)
		return s;
	error = errno;
	free(s);
	errno = error;
	return NULL;
}

/* Any number; better in its high bits than in its low ones. With the lock. */
static uint32_t
chance(struct spares *s)
{
	s->chance = s->chance * 1664525 + 1013904223;
	return s->chance >> 8;
}

/* Gives the lock back, and lets the watch see what has changed. */
static void
unlock_and_wake(struct spares *s)
{
	bool wake = !s->woken;

	s->woken = true;
	pthread_mutex_unlock(&s->lock);
	if (wake)
		(void)!write(s->wake[1], "", 1);
}

/* Nothing is made for a while. With the lock. */
static void
note_failure(struct spares *s, int64_t now)
{
	health_failed(&s->health, &s->plan.pause, now, chance(s));
}

/* Making them works again. With the lock. */
static void
resume(struct spares *s)
{
	if (health_passed(&s->health) == HEALTH_WELL)
		pthread_cond_broadcast(&s->missing);
}

/*
 * Whether a spare may stay; closes it if not. spoilt: it is closed from the other side,
 * or something has come on it. A trial succeeds by living on, as a server that closes
 * what it has just accepted would else be connected to for ever. With the lock.
 */
static bool
stays(struct spares *s, struct spare *sp, bool spoilt, int64_t now)
{
	bool young = now - sp->born_ms < YOUNG_MS;
	bool old = now >= sp->until_ms;

	if (spoilt && young)
		note_failure(s, now);
	if (!spoilt && sp->trial && (old || !young)) {
		sp->trial = false;
		resume(s);
	}
	if (!spoilt && !old)
		return true;
	io_close(&sp->fd);
	return false;
}

/* Waits until one is to be made, and counts it as pending. False: quit. With the lock. */
static bool
await_missing(struct spares *s)
{
	while (!s->quit) {
		int64_t now = io_now_ms();

		if (s->paused || s->n_ready + s->n_pending >= s->plan.n) {
			cond_wait(&s->missing, &s->lock, IO_FOREVER);
		} else if (!health_ready(&s->health, now)) {
			cond_wait(&s->missing, &s->lock, s->health.until_ms);
		} else {
			health_try(&s->health, &s->plan.pause, now);
			s->n_pending++;
			return true;
		}
	}
	return false;
}

/*
 * Adds a new one. It may live up to a quarter shorter than planned, so that those made
 * at the same time do not go at the same time. With the lock.
 */
static void
add(struct spares *s, int fd, int64_t now)
{
	s->ready[s->n_ready++] = (struct spare){
		.fd = fd,
		.trial = s->health.failures > 0,
		.born_ms = now,
		.until_ms = now + s->plan.age_ms - chance(s) % (s->plan.age_ms / 4 + 1),
	};
}

static void *
opener(void *arg)
{
	struct spares *s = arg;

	pthread_mutex_lock(&s->lock);
	while (await_missing(s)) {
		int fd;

		pthread_mutex_unlock(&s->lock);
		fd = s->plan.open(s->plan.arg);
		pthread_mutex_lock(&s->lock);
		s->n_pending--;
		if (s->quit) {
			io_close(&fd);
			pthread_cond_broadcast(&s->quitting);
		} else if (s->paused) {
			io_close(&fd);
		} else if (fd == -1) {
			note_failure(s, io_now_ms());
		} else {
			add(s, fd, io_now_ms());
			unlock_and_wake(s);
			pthread_mutex_lock(&s->lock);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Writes down what is ready for a poll. Returns how many. With the lock. */
static nfds_t
list_ready(struct spares *s)
{
	nfds_t n = (nfds_t)s->n_ready;

	for (nfds_t i = 0; i < n; i++)
		s->fds[i] = (struct pollfd){ s->ready[i].fd, POLLIN, 0 };
	return n;
}

/* Closes what is spoilt or too old. With the lock. */
static void
sweep(struct spares *s)
{
	int64_t now = io_now_ms();
	int n = s->n_ready;

	poll(s->fds, list_ready(s), 0);
	s->n_ready = 0;
	for (int i = 0; i < n; i++) {
		if (stays(s, &s->ready[i], s->fds[i].revents != 0, now))
			s->ready[s->n_ready++] = s->ready[i];
		else
			pthread_cond_signal(&s->missing);
	}
}

/* When sweep has something to do even if nothing comes. With the lock. */
static int64_t
next_due(const struct spares *s)
{
	int64_t due = IO_FOREVER;

	for (int i = 0; i < s->n_ready; i++) {
		const struct spare *sp = &s->ready[i];
		int64_t at = sp->until_ms;

		if (sp->trial && sp->born_ms + YOUNG_MS < at)
			at = sp->born_ms + YOUNG_MS;
		if (at < due)
			due = at;
	}
	return due;
}

/*
 * Waits until sweep has something to do, or ready has changed. Whoever takes one wakes
 * the watch out of its poll, for a socket that is polled here would not end by being
 * closed there. With the lock, which it gives back meanwhile.
 */
static void
wait_for_news(struct spares *s)
{
	nfds_t n = list_ready(s);
	struct pollfd *wake = &s->fds[n];
	int64_t due = next_due(s);
	char byte;

	*wake = (struct pollfd){ s->wake[0], POLLIN, 0 };
	pthread_mutex_unlock(&s->lock);
	poll(s->fds, n + 1, io_left_ms(due));
	if (wake->revents)
		(void)!read(s->wake[0], &byte, 1);
	pthread_mutex_lock(&s->lock);
	if (!wake->revents)
		return;
	/* As long as woken stays true, no other change costs anybody a system call. */
	if (!s->quit)
		cond_wait(&s->quitting, &s->lock, io_now_ms() + REST_MS);
	s->woken = false;
}

static void *
watch(void *arg)
{
	struct spares *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		sweep(s);
		wait_for_news(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Starts one thread; it inherits the signal mask. Returns 0, or -1 with errno. */
static int
start_thread(struct spares *s, void *(*body)(void *))
{
	pthread_attr_t attr;
	int error = pthread_attr_init(&attr);

	if (error == 0) {
		pthread_attr_setstacksize(&attr, STACK_BYTES);
		error = pthread_create(&s->threads[s->n_threads], &attr, body, s);
		pthread_attr_destroy(&attr);
	}
	if (error == 0)
		s->n_threads++;
	errno = error;
	return error ? -1 : 0;
}

int
spares_start(struct spares *s)
{
	if (start_thread(s, watch) == -1)
		return -1;
	for (int i = 0; i < OPENERS && i < s->plan.n; i++)
		if (start_thread(s, opener) == -1)
			return -1;
	return 0;
}

/* Whether something has come on it, if only its end. */
static bool
is_spoilt(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) != 0;
}

/* Takes out the youngest one, if it is any good. Returns its fd, or -1. With the lock. */
static int
take_youngest(struct spares *s, int64_t now)
{
	struct spare *sp = &s->ready[--s->n_ready];

	pthread_cond_signal(&s->missing);
	if (!stays(s, sp, is_spoilt(sp->fd), now))
		return -1;
	/* It will not be seen to live on: that it is alive now has to do. */
	if (sp->trial)
		resume(s);
	return sp->fd;
}

int
spares_take(struct spares *s)
{
	int64_t now = io_now_ms();
	int fd = -1;

	pthread_mutex_lock(&s->lock);
	if (s->n_ready == 0) {
		pthread_mutex_unlock(&s->lock);
		return -1;
	}
	while (fd == -1 && s->n_ready > 0)
		fd = take_youngest(s, now);
	unlock_and_wake(s);
	return fd;
}

void
spares_distrust(struct spares *s)
{
	int64_t now = io_now_ms();

	pthread_mutex_lock(&s->lock);
	while (s->n_ready > 0)
		(void)stays(s, &s->ready[--s->n_ready], true, now);
	pthread_cond_broadcast(&s->missing);
	unlock_and_wake(s);
}

void
spares_pause(struct spares *s, bool pause)
{
	pthread_mutex_lock(&s->lock);
	s->paused = pause;
	while (pause && s->n_ready > 0)
		io_close(&s->ready[--s->n_ready].fd);
	pthread_cond_broadcast(&s->missing);
	unlock_and_wake(s);
}

size_t
spares_ready(struct spares *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = (size_t)s->n_ready;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Tells all threads to end. False: one of them is still in open after wait_ms. */
static bool
end_threads(struct spares *s, int wait_ms)
{
	int64_t until = io_now_ms() + wait_ms;
	bool idle;

	pthread_mutex_lock(&s->lock);
	s->quit = true;
	while (s->n_ready > 0)
		io_close(&s->ready[--s->n_ready].fd);
	pthread_cond_broadcast(&s->missing);
	pthread_cond_broadcast(&s->quitting);
	unlock_and_wake(s);
	pthread_mutex_lock(&s->lock);
	while (s->n_pending > 0 && io_left_ms(until) > 0)
		cond_wait(&s->quitting, &s->lock, until);
	idle = s->n_pending == 0;
	pthread_mutex_unlock(&s->lock);
	return idle;
}

int
spares_stop(struct spares *s, int wait_ms)
{
	if (!end_threads(s, wait_ms))
		return -1;
	/* None of them has anything to wait for any more. */
	for (int i = 0; i < s->n_threads; i++)
		pthread_join(s->threads[i], NULL);
	s->n_threads = 0;
	return 0;
}

void
spares_free(struct spares *s)
{
	if (!s)
		return;
	assert(s->n_threads == 0);
	io_close(&s->wake[0]);
	io_close(&s->wake[1]);
	pthread_cond_destroy(&s->missing);
	pthread_cond_destroy(&s->quitting);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
