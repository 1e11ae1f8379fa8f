/* SPDX-License-Identifier: ISC */
/*
 * crew: pairs of threads that serve one tunnel at a time. Both threads of a crew run
 * before it gets work; an idle crew parks and is taken again, last in, first out.
 */
#ifndef CREW_H
#define CREW_H

#include <stddef.h>

struct crew;  /* one pair of threads */
struct crews; /* all of them */

/* The work of a crew: runs on its first thread. */
typedef void crew_job(struct crew *crew, void *arg);

/* One half of a tunnel: half 0 on the first thread, 1 on the second. */
typedef void crew_half(struct crew *crew, void *arg, int half);

/* The end of a job that has split. */
typedef void crew_end(void *arg);

/* At most parked_max idle crews are kept. Returns NULL with errno when out of memory. */
struct crews *crews_new(int parked_max);

/*
 * Gives the job to a parked crew, or to a new one. Does not wait for it. Returns 0, or -1
 * with errno (EAGAIN: no more threads; ENOMEM), and then the job does not run.
 */
int crews_run(struct crews *crews, crew_job *job, void *arg);

/*
 * The last thing that a job does: runs half 0 here, and then end(arg) on the thread that
 * is over last. When it returns, arg is the job's no more: the other thread may be at
 * work, or may have ended it all.
 */
void crew_split(struct crew *crew, crew_half *half, crew_end *end, void *arg);

/* From half 0, once at most: half 1 begins, on the second thread, which slept so far. */
void crew_second(struct crew *crew);

/* How many threads there are, parked or at work. */
size_t crews_threads(struct crews *crews);

/*
 * Ends the parked crews, and the others when their job returns; waits for all at most
 * wait_ms. Frees crews and returns 0; or -1 if some still work, and crews stays valid.
 */
int crews_stop(struct crews *crews, int wait_ms);

#endif
