/* SPDX-License-Identifier: ISC */
/*
 * Pairs of threads. Each thread has a slot and waits until it is filled; what it is then
 * to do stands in the crew: the job for the first thread, the half for the second.
 *
 * Locks: crews.lock (the parked list, the counts) and crew.lock (the slots of a crew) are
 * both leaves; neither is held while the other is taken.
 */
#include "config.h"
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cond.h"
#include "io.h"

/*
 * Virtual; what is touched is a page or two. Not below 64 KiB where getaddrinfo runs, and
 * not above 256 KiB, so that the C library keeps the stacks of threads that ended.
 */
#define STACK_BYTES (256 * 1024)

/* Where one thread of a crew waits for work. */
struct slot {
	pthread_cond_t changed;
	bool busy; /* filled, and its work is not finished */
	bool quit; /* the work is to end */
};

struct crew {
	struct crews *crews;
	pthread_mutex_t lock; /* the slots */
	struct slot slot[2];
	crew_job *job;
	void *job_arg;
	crew_half *half;
	void *half_arg;
	struct crew *next; /* in the parked list */
};

struct crews {
	pthread_mutex_t lock;
	pthread_cond_t gone; /* a thread has ended */
	struct crew *parked;
	int parked_n, parked_max;
	size_t threads;
	bool stopping;
};

struct crews *
crews_new(int parked_max)
{
	struct crews *crews = calloc(1, sizeof(*crews));

	if (!crews)
		return NULL;
	crews->parked_max = parked_max;
	pthread_mutex_init(&crews->lock, NULL);
	if (cond_init(&crews->gone) == -1) {
		free(crews);
		return NULL;
	}
	return crews;
}

static void
crew_free(struct crew *crew)
{
	pthread_cond_destroy(&crew->slot[0].changed);
	pthread_cond_destroy(&crew->slot[1].changed);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}

static struct crew *
crew_new(struct crews *crews)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	crew->crews = crews;
	pthread_mutex_init(&crew->lock, NULL);
	if (cond_init(&crew->slot[0].changed) == -1 ||
		cond_init(&crew->slot[1].changed) == -1) {
		free(crew);
		return NULL;
	}
	return crew;
}

static void
fill(struct crew *crew, int i, bool quit)
{
	struct slot *slot = &crew->slot[i];

	pthread_mutex_lock(&crew->lock);
	slot->quit = quit;
	slot->busy = true;
	pthread_cond_signal(&slot->changed);
	pthread_mutex_unlock(&crew->lock);
}

/* Waits for work. False: the thread is to end. */
static bool
wait_filled(struct crew *crew, int i)
{
	struct slot *slot = &crew->slot[i];
	bool quit;

	pthread_mutex_lock(&crew->lock);
	while (!slot->busy)
		cond_wait(&slot->changed, &crew->lock, IO_FOREVER);
	quit = slot->quit;
	pthread_mutex_unlock(&crew->lock);
	return !quit;
}

static void
set_idle(struct crew *crew, int i)
{
	pthread_mutex_lock(&crew->lock);
	crew->slot[i].busy = false;
	pthread_cond_broadcast(&crew->slot[i].changed);
	pthread_mutex_unlock(&crew->lock);
}

static void
wait_idle(struct crew *crew, int i)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->slot[i].busy)
		cond_wait(&crew->slot[i].changed, &crew->lock, IO_FOREVER);
	pthread_mutex_unlock(&crew->lock);
}

/* Parks the crew. False: there are enough, or all are to end. */
static bool
park(struct crew *crew)
{
	struct crews *crews = crew->crews;
	bool ok;

	pthread_mutex_lock(&crews->lock);
	ok = !crews->stopping && crews->parked_n < crews->parked_max;
	if (ok) {
		crew->next = crews->parked;
		crews->parked = crew;
		crews->parked_n++;
	}
	pthread_mutex_unlock(&crews->lock);
	return ok;
}

/* The last thing a thread does: from then on crews may be gone. */
static void
thread_gone(struct crews *crews)
{
	pthread_mutex_lock(&crews->lock);
	crews->threads--;
	pthread_cond_broadcast(&crews->gone);
	pthread_mutex_unlock(&crews->lock);
}

static void *
first_thread(void *arg)
{
	struct crew *crew = arg;
	struct crews *crews = crew->crews;
	bool go_on = wait_filled(crew, 0);

	while (go_on) {
		crew->job(crew, crew->job_arg);
		/* Idle before parked: whoever takes it from the list may fill it at once.
		 */
		set_idle(crew, 0);
		go_on = park(crew) && wait_filled(crew, 0);
	}
	fill(crew, 1, true);
	wait_idle(crew, 1);
	crew_free(crew);
	thread_gone(crews);
	return NULL;
}

static void *
second_thread(void *arg)
{
	struct crew *crew = arg;
	struct crews *crews = crew->crews;

	while (wait_filled(crew, 1)) {
		crew->half(crew->half_arg, 1);
		set_idle(crew, 1);
	}
	set_idle(crew, 1);
	thread_gone(crews);
	return NULL;
}

/* Starts a detached thread; it inherits the signal mask. Returns 0, or -1 with errno. */
static int
start_thread(void *(*body)(void *), struct crew *crew)
{
	struct crews *crews = crew->crews;
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	/* Counted first: it may be over before pthread_create returns. */
	pthread_mutex_lock(&crews->lock);
	crews->threads++;
	pthread_mutex_unlock(&crews->lock);
	error = pthread_attr_init(&attr);
	if (error == 0) {
		pthread_attr_setstacksize(&attr, STACK_BYTES);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		error = pthread_create(&thread, &attr, body, crew);
		pthread_attr_destroy(&attr);
	}
	if (error != 0)
		thread_gone(crews);
	errno = error;
	return error ? -1 : 0;
}

/* A crew of two running threads, or NULL with errno. */
static struct crew *
crew_start(struct crews *crews)
{
	struct crew *crew = crew_new(crews);
	int error;

	if (!crew)
		return NULL;
	if (start_thread(second_thread, crew) == -1) {
		error = errno;
		crew_free(crew);
		errno = error;
		return NULL;
	}
	if (start_thread(first_thread, crew) == -1) {
		error = errno;
		fill(crew, 1, true);
		wait_idle(crew, 1);
		crew_free(crew);
		errno = error;
		return NULL;
	}
	return crew;
}

static struct crew *
unpark(struct crews *crews)
{
	struct crew *crew;

	pthread_mutex_lock(&crews->lock);
	crew = crews->parked;
	if (crew) {
		crews->parked = crew->next;
		crews->parked_n--;
	}
	pthread_mutex_unlock(&crews->lock);
	return crew;
}

int
crews_run(struct crews *crews, crew_job *job, void *arg)
{
	struct crew *crew = unpark(crews);

	if (!crew)
		crew = crew_start(crews);
	if (!crew)
		return -1;
	crew->job = job;
	crew->job_arg = arg;
	fill(crew, 0, false);
	return 0;
}

void
crew_split(struct crew *crew, crew_half *half, void *arg)
{
	crew->half = half;
	crew->half_arg = arg;
	fill(crew, 1, false);
	half(arg, 0);
	wait_idle(crew, 1);
}

size_t
crews_threads(struct crews *crews)
{
	size_t n;

	pthread_mutex_lock(&crews->lock);
	n = crews->threads;
	pthread_mutex_unlock(&crews->lock);
	return n;
}

int
crews_stop(struct crews *crews, int wait_ms)
{
	int64_t until = io_now_ms() + wait_ms;
	struct crew *crew;
	bool left;

	pthread_mutex_lock(&crews->lock);
	crews->stopping = true;
	pthread_mutex_unlock(&crews->lock);
	while ((crew = unpark(crews)))
		fill(crew, 0, true);
	pthread_mutex_lock(&crews->lock);
	while (crews->threads > 0 && io_left_ms(until) > 0)
		cond_wait(&crews->gone, &crews->lock, until);
	left = crews->threads > 0;
	pthread_mutex_unlock(&crews->lock);
	if (left)
		return -1;
	pthread_cond_destroy(&crews->gone);
	pthread_mutex_destroy(&crews->lock);
	free(crews);
	return 0;
}
