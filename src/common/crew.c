/* SPDX-License-Identifier: ISC */
/*
 * Pairs of threads. Each thread waits at a semaphore of its own; what it is to do when
 * that is posted stands in the crew: the job for the first thread, the half for the
 * second. A semaphore takes one system call to wake a thread and one to wait, where a
 * condition takes more: who is woken often finds the mutex still locked.
 *
 * Neither thread ever waits for the other. The one that leaves the work last ends it, and
 * parks the crew; the other one is at its semaphore by then, or on its way there, and the
 * next work may be given to both.
 *
 * crews.lock (the parked list, the counts) is a leaf.
 */
#include "config.h"
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cond.h"
#include "io.h"

/*
 * Virtual; what is touched is a page or two. Not below 64 KiB where getaddrinfo runs, and
 * not above 256 KiB, so that the C library keeps the stacks of threads that ended.
 */
#define STACK_BYTES (256 * 1024)

/* One of the two threads. */
struct member {
	struct crew *crew;
	sem_t go; /* there is work, or it is to end */
};

struct crew {
	struct crews *crews;
	struct member member[2];
	crew_job *job; /* of the first thread */
	void *job_arg;
	crew_half *half; /* of the second thread, by crew_second */
	crew_end *end;	 /* of the one that is over last; NULL: the job has not split */
	void *split_arg;
	atomic_int at_work;    /* threads that have not left the present work */
	atomic_int there;      /* threads that have not ended */
	atomic_bool dismissed; /* they are to end */
	struct crew *next;     /* in the parked list */
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
	sem_destroy(&crew->member[0].go);
	sem_destroy(&crew->member[1].go);
	free(crew);
}

static struct crew *
crew_new(struct crews *crews)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	crew->crews = crews;
	atomic_init(&crew->there, 2);
	for (int i = 0; i < 2; i++) {
		crew->member[i].crew = crew;
		if (sem_init(&crew->member[i].go, 0, 0) == -1) {
			free(crew);
			return NULL;
		}
	}
	return crew;
}

/* Gives the first thread its job. From then on the crew belongs to that thread. */
static void
give_job(struct crew *crew, crew_job *job, void *arg)
{
	crew->job = job;
	crew->job_arg = arg;
	crew->end = NULL;
	atomic_store(&crew->at_work, 1);
	sem_post(&crew->member[0].go);
}

void
crew_split(struct crew *crew, crew_half *half, crew_end *end, void *arg)
{
	crew->half = half;
	crew->end = end;
	crew->split_arg = arg;
	half(crew, arg, 0);
}

void
crew_second(struct crew *crew)
{
	atomic_store(&crew->at_work, 2);
	sem_post(&crew->member[1].go);
}

/* Waits for work. False: the thread is to end. */
static bool
take_work(struct member *member)
{
	while (sem_wait(&member->go) == -1)
		; /* a signal */
	return !atomic_load(&member->crew->dismissed);
}

/* Both threads are to end. From then on the crew is theirs. */
static void
dismiss(struct crew *crew)
{
	atomic_store(&crew->dismissed, true);
	/* When the second post is made, the first one's thread may have ended. */
	sem_post(&crew->member[0].go);
	sem_post(&crew->member[1].go);
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

/* The thread has done its part. The last one ends the work; the crew is then free. */
static void
leave_work(struct crew *crew)
{
	if (atomic_fetch_sub(&crew->at_work, 1) != 1)
		return;
	if (crew->end)
		crew->end(crew->split_arg);
	if (!park(crew))
		dismiss(crew);
}

/* The thread ends; with the last one the crew is gone. */
static void
leave_crew(struct crew *crew)
{
	if (atomic_fetch_sub(&crew->there, 1) == 1)
		crew_free(crew);
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

static void
work(struct crew *crew, bool first)
{
	if (first)
		crew->job(crew, crew->job_arg);
	else
		crew->half(crew, crew->split_arg, 1);
}

static void *
member_thread(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	struct crews *crews = crew->crews;

	while (take_work(member)) {
		work(crew, member == &crew->member[0]);
		leave_work(crew);
	}
	leave_crew(crew);
	thread_gone(crews);
	return NULL;
}

/* Starts a detached thread; it inherits the signal mask. Returns 0, or -1 with errno. */
static int
start_thread(struct member *member)
{
	struct crews *crews = member->crew->crews;
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
		error = pthread_create(&thread, &attr, member_thread, member);
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
	if (start_thread(&crew->member[1]) == -1) {
		error = errno;
		crew_free(crew);
		errno = error;
		return NULL;
	}
	if (start_thread(&crew->member[0]) == -1) {
		error = errno;
		leave_crew(crew); /* for the thread that is not there */
		dismiss(crew);
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
		dismiss(crew);
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
