/* SPDX-License-Identifier: ISC */
/*
 * Pairs of threads. Each thread waits at a semaphore of its own; what it is to do when
 * that is posted stands in the crew: the job for the first thread, the half for the
 * second. A semaphore takes one system call to wake a thread and one to wait, where a
 * condition takes more: who is woken often finds the mutex still locked.
 *
 * crews.lock (the parked list, the counts) is a leaf.
 */
#include "config.h"
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cond.h"
#include "io.h"

/*
 * Virtual; what is touched is a page or two. Not below 64 KiB where getaddrinfo runs, and
 * not above 256 KiB, so that the C library keeps the stacks of threads that ended.
 */
#define STACK_BYTES (256 * 1024)

struct crew {
	struct crews *crews;
	sem_t go[2];   /* by thread: there is work */
	sem_t done;    /* the second has done its half */
	crew_job *job; /* NULL: the crew is to end */
	void *job_arg;
	crew_half *half; /* NULL: the second thread is to end */
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
	sem_destroy(&crew->go[0]);
	sem_destroy(&crew->go[1]);
	sem_destroy(&crew->done);
	free(crew);
}

static struct crew *
crew_new(struct crews *crews)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	crew->crews = crews;
	if (sem_init(&crew->go[0], 0, 0) == 0 && sem_init(&crew->go[1], 0, 0) == 0 &&
		sem_init(&crew->done, 0, 0) == 0)
		return crew;
	free(crew);
	return NULL;
}

static void
wait_posted(sem_t *sem)
{
	while (sem_wait(sem) == -1)
		; /* a signal */
}

/* Gives the first thread its job. From then on the crew belongs to that thread. */
static void
give_job(struct crew *crew, crew_job *job, void *arg)
{
	crew->job = job;
	crew->job_arg = arg;
	sem_post(&crew->go[0]);
}

static void
give_half(struct crew *crew, crew_half *half, void *arg)
{
	crew->half = half;
	crew->half_arg = arg;
	sem_post(&crew->go[1]);
}

/* Waits for a job. False: the thread is to end. */
static bool
take_job(struct crew *crew)
{
	wait_posted(&crew->go[0]);
	return crew->job != NULL;
}

static bool
take_half(struct crew *crew)
{
	wait_posted(&crew->go[1]);
	return crew->half != NULL;
}

/* Ends the second thread. The crew is nobody's any more. */
static void
crew_end(struct crew *crew)
{
	give_half(crew, NULL, NULL);
	wait_posted(&crew->done);
	crew_free(crew);
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
	bool go_on = take_job(crew);

	while (go_on) {
		crew->job(crew, crew->job_arg);
		go_on = park(crew) && take_job(crew);
	}
	crew_end(crew);
	thread_gone(crews);
	return NULL;
}

static void *
second_thread(void *arg)
{
	struct crew *crew = arg;
	struct crews *crews = crew->crews;

	while (take_half(crew)) {
		crew->half(crew->half_arg, 1);
		sem_post(&crew->done);
	}
	sem_post(&crew->done);
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
		crew_end(crew);
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
	give_job(crew, job, arg);
	return 0;
}

void
crew_split(struct crew *crew, crew_half *half, void *arg)
{
	give_half(crew, half, arg);
	half(arg, 0);
	wait_posted(&crew->done);
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
		give_job(crew, NULL, NULL);
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
