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

/* A job that splits, and then waits until it is let go. */
struct job {
	atomic_int halves[2];
	_Atomic pthread_t thread[2];
	sem_t running, go;
};

static void
job_init(struct job *job)
{
	atomic_init(&job->halves[0], 0);
	atomic_init(&job->halves[1], 0);
	sem_init(&job->running, 0, 0);
	sem_init(&job->go, 0, 0);
}

static void
run_half(void *arg, int half)
{
	struct job *job = arg;

	atomic_fetch_add(&job->halves[half], 1);
	job->thread[half] = pthread_self();
}

static void
run_job(struct crew *crew, void *arg)
{
	struct job *job = arg;

	crew_split(crew, run_half, job);
	sem_post(&job->running);
	sem_wait(&job->go);
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
