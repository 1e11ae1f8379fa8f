/* SPDX-License-Identifier: ISC */
/* Tests of crew: whole pairs, parking, and what is left when threads cannot be had. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "crew.h"
#include "io.h"

/* A job that splits. Its end, which is run by the half that stays, waits to be let go. */
struct job {
	atomic_int halves[2];
	_Atomic pthread_t thread[2], last;
	int stays; /* the half that is over last */
	sem_t other_over, running, go;
};

static void
job_init(struct job *job)
{
	atomic_init(&job->halves[0], 0);
	atomic_init(&job->halves[1], 0);
	job->stays = 0;
	sem_init(&job->other_over, 0, 0);
	sem_init(&job->running, 0, 0);
	sem_init(&job->go, 0, 0);
}

static void
run_half(struct crew *crew, void *arg, int half)
{
	struct job *job = arg;

	if (half == 0)
		crew_second(crew);
	atomic_fetch_add(&job->halves[half], 1);
	job->thread[half] = pthread_self();
	if (half == job->stays)
		sem_wait(&job->other_over);
	else
		sem_post(&job->other_over);
}

static void
end_job(void *arg)
{
	struct job *job = arg;

	job->last = pthread_self();
	sem_post(&job->running);
	sem_wait(&job->go);
}

static void
run_job(struct crew *crew, void *arg)
{
	crew_split(crew, run_half, end_job, arg);
}

static void
run_alone(struct crew *crew, void *arg)
{
	(void)crew;
	sem_post(arg);
}

static void
wait_threads(struct crews *crews, size_t n)
{
	int64_t until = io_now_ms() + 30000;

	while (crews_threads(crews) != n && io_now_ms() < until)
		sched_yield();
	ck_assert_uint_eq(crews_threads(crews), n);
}

START_TEST(both_halves_run_once_on_two_threads)
{
	struct crews *crews = crews_new(4);
	struct job job;

	job_init(&job);
	ck_assert_int_eq(crews_run(crews, run_job, &job), 0);
	sem_wait(&job.running);
	ck_assert_int_eq(atomic_load(&job.halves[0]), 1);
	ck_assert_int_eq(atomic_load(&job.halves[1]), 1);
	ck_assert(!pthread_equal(job.thread[0], job.thread[1]));
	ck_assert_uint_eq(crews_threads(crews), 2);
	sem_post(&job.go);
	ck_assert_int_eq(crews_stop(crews, 30000), 0);
}
END_TEST

/* On either thread: which one leaves last is not for the halves to say. */
START_TEST(the_end_runs_when_both_halves_are_over)
{
	struct crews *crews = crews_new(4);
	struct job job;

	job_init(&job);
	for (int round = 1; round <= 500; round++) {
		job.stays = round % 2;
		ck_assert_int_eq(crews_run(crews, run_job, &job), 0);
		sem_wait(&job.running);
		ck_assert_int_eq(atomic_load(&job.halves[0]), round);
		ck_assert_int_eq(atomic_load(&job.halves[1]), round);
		ck_assert(pthread_equal(job.last, job.thread[0]) ||
			pthread_equal(job.last, job.thread[1]));
		sem_post(&job.go);
	}
	ck_assert_int_eq(crews_stop(crews, 30000), 0);
}
END_TEST

/* A second crew, if the job is over before the first one has parked; not more. */
START_TEST(a_job_that_does_not_split_parks_the_crew_too)
{
	struct crews *crews = crews_new(1);
	sem_t done;

	sem_init(&done, 0, 0);
	for (int round = 0; round < 500; round++) {
		ck_assert_int_eq(crews_run(crews, run_alone, &done), 0);
		sem_wait(&done);
	}
	ck_assert_uint_le(crews_threads(crews), 4);
	ck_assert_int_eq(crews_stop(crews, 30000), 0);
}
END_TEST

/* Runs two jobs at a time, rounds times. The last ones may go on when it returns. */
static void
run_rounds(struct crews *crews, int rounds)
{
	static struct job job[2];

	for (int i = 0; i < 2; i++)
		job_init(&job[i]);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(crews_run(crews, run_job, &job[i]), 0);
		for (int i = 0; i < 2; i++)
			sem_wait(&job[i].running);
		for (int i = 0; i < 2; i++)
			sem_post(&job[i].go);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(atomic_load(&job[i].halves[1]), rounds);
}

START_TEST(parked_crews_are_used_again_and_bounded)
{
	struct crews *crews = crews_new(1);

	run_rounds(crews, 200);
	/* Of the two at the end, one parks and the other ends. */
	wait_threads(crews, 2);
	ck_assert_int_eq(crews_stop(crews, 30000), 0);
}
END_TEST

START_TEST(without_parking_no_thread_stays)
{
	struct crews *crews = crews_new(0);

	run_rounds(crews, 100);
	wait_threads(crews, 0);
	ck_assert_int_eq(crews_stop(crews, 0), 0);
}
END_TEST

START_TEST(stop_waits_for_work_but_not_longer_than_told)
{
	struct crews *crews = crews_new(4);
	struct job job;

	job_init(&job);
	ck_assert_int_eq(crews_run(crews, run_job, &job), 0);
	sem_wait(&job.running);
	ck_assert_int_eq(crews_stop(crews, 20), -1);
	sem_post(&job.go);
	ck_assert_int_eq(crews_stop(crews, 30000), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("crew");
	TCase *tc = tcase_create("crew");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, both_halves_run_once_on_two_threads);
	tcase_add_test(tc, the_end_runs_when_both_halves_are_over);
	tcase_add_test(tc, a_job_that_does_not_split_parks_the_crew_too);
	tcase_add_test(tc, parked_crews_are_used_again_and_bounded);
	tcase_add_test(tc, without_parking_no_thread_stays);
	tcase_add_test(tc, stop_waits_for_work_but_not_longer_than_told);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
