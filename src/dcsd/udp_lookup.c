/* SPDX-License-Identifier: ISC */
/*
 * Threads that do nothing but look names up, first come, first served; started when there
 * is more to do than threads wait, and gone after a while without work. An association
 * and each of its look-ups hold a reference to its struct lookups.
 *
 * Locks: pool.lock and that of a lookups are leaves. No look-up is done under either.
 */
#include "config.h"
#include "udp_lookup.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "cond.h"

#define STACK_BYTES (256 * 1024) /* as of a crew; getaddrinfo needs more than 64 KiB */
#define LINGER_MS   10000	 /* how long a thread waits for more work */

struct lookups {
	pthread_mutex_t lock;
	int wake[2]; /* a byte is in it while done is not empty */
	struct lookup *done;
	unsigned under_way;
	bool left; /* the association has gone */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool ready; /* more is */
	struct lookup *first, **last;
	int queued, threads, idle;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct lookups *
lookups_new(void)
{
	struct lookups *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	if (compat_pipe(l->wake) == -1) {
		free(l);
		return NULL;
	}
	errno = pthread_mutex_init(&l->lock, NULL);
	if (errno == 0)
		return l;
	io_close(&l->wake[0]);
	io_close(&l->wake[1]);
	free(l);
	return NULL;
}

/* Frees it when its association and its last look-up have gone. Unlocks. */
static void
unlock_or_free(struct lookups *l)
{
	bool last = l->left && l->under_way == 0;

	pthread_mutex_unlock(&l->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void
lookups_free(struct lookups *l)
{
	struct lookup *done;

	pthread_mutex_lock(&l->lock);
	l->left = true;
	while ((done = l->done)) {
		l->done = done->next;
		free(done);
	}
	io_close(&l->wake[0]);
	io_close(&l->wake[1]);
	unlock_or_free(l);
}

int
lookups_fd(const struct lookups *l)
{
	return l->wake[0];
}

struct lookup *
lookups_take(struct lookups *l)
{
	struct lookup *done;
	char byte;

	pthread_mutex_lock(&l->lock);
	done = l->done;
	if (done) {
		l->done = done->next;
		/* It is there, so neither this read nor the write below can block. */
		if (!l->done)
			(void)!read(l->wake[0], &byte, 1);
	}
	pthread_mutex_unlock(&l->lock);
	return done;
}

/* Gives the look-up to its association, if that is still there. */
static void
deliver(struct lookup *one)
{
	struct lookups *l = one->lookups;

	pthread_mutex_lock(&l->lock);
	l->under_way--;
	if (l->left) {
		free(one);
	} else {
		one->next = l->done;
		l->done = one;
		if (!one->next)
			(void)!write(l->wake[1], "", 1);
	}
	unlock_or_free(l);
}

static bool
is_wanted(const struct lookup *one)
{
	struct lookups *l = one->lookups;
	bool yes;

	pthread_mutex_lock(&l->lock);
	yes = !l->left;
	pthread_mutex_unlock(&l->lock);
	return yes;
}

static void
look_up(struct lookup *one)
{
	struct hostport hp = { .port = 0 };

	memcpy(hp.host, one->host, sizeof(hp.host));
	one->n = net_resolve(&hp, one->list, NET_ADDRS);
}

/* The next look-up, or NULL: there was none for a while, and the thread is to end. */
static struct lookup *
next_lookup(void)
{
	int64_t until = io_now_ms() + LINGER_MS;
	struct lookup *one;

	pthread_mutex_lock(&pool.lock);
	pool.idle++;
	while (!pool.first && io_left_ms(until) > 0)
		cond_wait(&pool.more, &pool.lock, until);
	pool.idle--;
	one = pool.first;
	if (one) {
		pool.first = one->next;
		pool.queued--;
	} else {
		pool.threads--;
	}
	pthread_mutex_unlock(&pool.lock);
	return one;
}

static void *
run(void *arg)
{
	struct lookup *one;

	(void)arg;
	while ((one = next_lookup())) {
		if (is_wanted(one))
			look_up(one);
		deliver(one);
	}
	return NULL;
}

/* With the pool locked. Returns 0, or -1 with errno. */
static int
start_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (!pool.ready && cond_init(&pool.more) == -1)
		return -1;
	pool.ready = true;
	errno = pthread_attr_init(&attr);
	if (errno != 0)
		return -1;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	errno = pthread_create(&thread, &attr, run, NULL);
	pthread_attr_destroy(&attr);
	if (errno != 0)
		return -1;
	pool.threads++;
	return 0;
}

/* Puts it into the queue, with a thread for it. Returns 0, or -1 with errno. */
static int
enqueue(struct lookup *one)
{
	int done = 0;

	pthread_mutex_lock(&pool.lock);
	if (pool.queued >= pool.idle && pool.threads < UDP_LOOKUP_THREADS)
		done = start_thread();
	if (done == 0 || pool.threads > 0) {
		if (!pool.first)
			pool.last = &pool.first;
		*pool.last = one;
		pool.last = &one->next;
		pool.queued++;
		pthread_cond_signal(&pool.more);
		done = 0;
	}
	pthread_mutex_unlock(&pool.lock);
	return done;
}

/* Counts one that begins, or with -1 one that did not. False: there are enough. */
static bool
count(struct lookups *l, int n)
{
	bool ok;

	pthread_mutex_lock(&l->lock);
	ok = n < 0 || l->under_way < UDP_LOOKUPS;
	if (ok)
		l->under_way += (unsigned)n;
	pthread_mutex_unlock(&l->lock);
	return ok;
}

int
lookups_start(struct lookups *l, const char *host)
{
	struct lookup *one;

	if (!count(l, 1)) {
		errno = EAGAIN;
		return -1;
	}
	one = calloc(1, sizeof(*one));
	if (one) {
		one->lookups = l;
		memcpy(one->host, host, strlen(host) + 1);
		if (enqueue(one) == 0)
			return 0;
		free(one);
	}
	(void)count(l, -1);
	return -1;
}
