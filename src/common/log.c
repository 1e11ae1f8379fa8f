/* SPDX-License-Identifier: ISC */
/*
 * The log. A caller copies its line into the queue and goes on; one thread takes lines
 * out and writes them with no lock held, because any place they go to may hang. A line
 * that cannot be written is tried again every second, and the queue fills behind it. What
 * did not fit is counted and told later in a line of its own. Before log_start and after
 * log_stop the caller writes. Fatal to nobody: an error of the log ends nothing.
 */
#include "config.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "cond.h"
#include "io.h"
#include "log_out.h"
#include "log_queue.h"

#define STACK_SIZE (256 * 1024)
#define RETRY_MS   1000	 /* for what is gone, or full */
#define RATED_MS   60000 /* log_rated tells so often */
#define BUSY_MS	   10
#define NAP_MS	   10 /* lines that come within so long after another share a wake-up */

/* Once lines are lost, this much must be free before the next is taken: few gaps. */
#define ROOM_AGAIN (16 * 1024)

static _Atomic int max_level = LOG_L_INFO;

/* Of the thread that starts and stops. */
static pthread_t writer;
static bool started; /* and not joined */

/* Who holds it writes, while there is no thread for that. */
static pthread_mutex_t direct = PTHREAD_MUTEX_INITIALIZER;

/* Everything below is under lock, which nobody holds while writing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work, ended; /* while running */
static bool running, stopping;
static bool napping;	/* the thread looks again soon by itself */
static bool reopened;	/* there is a new file, and the thread does not know */
static uint64_t lost;	/* messages to be told as lost */
static uint64_t failed; /* not written: told when a write succeeds again */
static struct log_queue queue;

static int64_t
date_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
log_open(const char *ident, int facility, enum log_level level, bool to_stderr)
{
	log_set_level(level);
	log_out_open(ident, facility, to_stderr);
}

const char *
log_to_file(const char *path, uid_t owner)
{
	return log_out_to_file(path, owner);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

bool
log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

static bool
nothing_to_do(void)
{
	return log_queue_idle(&queue) && lost == 0 && !reopened;
}

/* Whether the thread is to be woken for that line; else it comes by itself. */
static bool
wakes(const struct log_record *r)
{
	if (!napping)
		return nothing_to_do();
	return r->level <= LOG_L_WARNING || log_queue_free(&queue) < LOG_QUEUE / 2;
}

/* Lets a line about lost messages stand in the queue where they would have stood. */
static void
enqueue_lost(void)
{
	struct log_record r = { date_ms(), lost, LOG_L_WARNING, 0 };
	char text[64];

	if (lost == 0 || log_queue_free(&queue) < ROOM_AGAIN)
		return;
	r.len = (size_t)snprintf(
		text, sizeof(text), "log: %" PRIu64 " messages lost", lost);
	if (log_queue_put(&queue, &r, text))
		lost = 0;
}

/*
 * Waits until it is worth to write again what failed with that error. Returns false when
 * it is not: the log ends, and nobody is there; or it is the line's own fault.
 */
static bool
may_try_again(int error)
{
	int64_t until_ms = io_now_ms() + RETRY_MS;
	bool again;

	if (error == ENOBUFS)
		poll(NULL, 0, BUSY_MS);
	if (error == EMSGSIZE || error == EAGAIN || error == ENOBUFS)
		return error != EMSGSIZE;
	pthread_mutex_lock(&lock);
	again = !stopping;
	while (!stopping && io_now_ms() < until_ms)
		cond_wait(&work, &lock, until_ms);
	pthread_mutex_unlock(&lock);
	return again;
}

/* A line was written, or given up. */
static void
settle(const struct log_record *r, bool written)
{
	pthread_mutex_lock(&lock);
	lost += written ? failed : 0;
	failed = written ? 0 : failed + r->messages;
	pthread_mutex_unlock(&lock);
}

static void
deliver(const struct log_record *r, const char *text)
{
	struct log_line line;
	bool written;

	log_out_begin(&line, r, text);
	do
		written = log_out_write(&line) == 0;
	while (!written && may_try_again(errno));
	settle(r, written);
}

/*
 * Waits for work, under the lock. A busy daemon ends many tunnels in a short time, and a
 * wake-up costs as much as the line: after a line the thread naps, and nobody wakes it.
 */
static void
wait_for_work(bool nap)
{
	napping = nap;
	cond_wait(&work, &lock, nap ? io_now_ms() + NAP_MS : IO_FOREVER);
	napping = false;
}

static void *
write_until_stopped(void *arg)
{
	char text[LOG_LINE];
	bool wrote = false;

	(void)arg;
	pthread_mutex_lock(&lock);
	while (!stopping || !nothing_to_do()) {
		struct log_record r;
		bool taken;

		if (nothing_to_do()) {
			wait_for_work(wrote);
			wrote = false;
			continue;
		}
		wrote = true;
		taken = log_queue_take(&queue, &r, text);
		enqueue_lost();
		reopened = false;
		pthread_mutex_unlock(&lock);
		log_out_renew();
		if (taken)
			deliver(&r, text);
		pthread_mutex_lock(&lock);
	}
	running = false;
	pthread_cond_signal(&ended);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Starts the thread with all signals blocked. Returns 0, or an error number. */
static int
start_writer(void)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int error;

	error = pthread_attr_init(&attr);
	if (error)
		return error;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&writer, &attr, write_until_stopped, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

/* The conditions that a thread needs. Returns 0, or -1 with errno. */
static int
make_conditions(void)
{
	if (cond_init(&work) == -1)
		return -1;
	if (cond_init(&ended) == 0)
		return 0;
	pthread_cond_destroy(&work);
	return -1;
}

static void
destroy_conditions(void)
{
	pthread_cond_destroy(&work);
	pthread_cond_destroy(&ended);
}

int
log_start(void)
{
	int error;

	assert(!started);
	if (make_conditions() == -1)
		return -1;
	log_out_start();
	stopping = false;
	running = true;
	error = start_writer();
	started = error == 0;
	if (started)
		return 0;
	running = false;
	destroy_conditions();
	errno = error;
	return -1;
}

int
log_reopen(void)
{
	const char *why = log_out_reopen();

	if (why) {
		log_msg(LOG_L_ERROR,
			"log: %s: %s: not opened again, the old file goes on",
			log_out_path(), why);
		return -1;
	}
	pthread_mutex_lock(&lock);
	reopened = true;
	if (running)
		pthread_cond_signal(&work);
	pthread_mutex_unlock(&lock);
	return 0;
}

void
log_stop(int wait_ms)
{
	int64_t until_ms = io_now_ms() + wait_ms;
	bool hangs;

	if (!started)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&work);
	while (running && io_now_ms() < until_ms)
		cond_wait(&ended, &lock, until_ms);
	hangs = running;
	pthread_mutex_unlock(&lock);
	if (hangs)
		return; /* in a write; the end of the process ends it */
	pthread_join(writer, NULL);
	started = false;
	destroy_conditions();
}

/* Queues the line, or counts it as lost. Returns false when no thread would write it. */
static bool
hand_over(struct log_record *r, const char *text)
{
	bool taken;

	pthread_mutex_lock(&lock);
	r->at_ms = date_ms(); /* here, so that the queue is in the order of time */
	taken = running;
	if (taken) {
		if (wakes(r))
			pthread_cond_signal(&work);
		enqueue_lost();
		/* A short line may fit, but not in front of the news of a loss. */
		if (lost > 0 || !log_queue_put(&queue, r, text))
			lost++;
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

/* The caller's own writing, when there is no thread for it: once. */
static void
write_now(const struct log_record *r, const char *text)
{
	pthread_mutex_lock(&direct);
	settle(r, log_out_write_both(r, text) == 0);
	pthread_mutex_unlock(&direct);
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE + 1];
	struct log_record r = { 0, 1, level, 0 };
	int keep = errno;
	va_list ap;
	int n;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = snprintf(text, sizeof(text), "log: a message that cannot be printed");
	r.len = n < LOG_LINE ? (size_t)n : LOG_LINE;
	/* Our own text may have a newline of some library in it; a line stays one. */
	log_flatten(text, r.len);
	if (!hand_over(&r, text))
		write_now(&r, text);
	errno = keep;
}

bool
log_due(struct log_rate *rate, int64_t every_ms, unsigned *held)
{
	int64_t now = io_now_ms();
	int64_t next = atomic_load(&rate->next_ms);

	/* Of several that find it due at once, one tells it. */
	if (now < next ||
		!atomic_compare_exchange_strong(&rate->next_ms, &next, now + every_ms)) {
		atomic_fetch_add(&rate->held, 1);
		return false;
	}
	*held = atomic_exchange(&rate->held, 0);
	return true;
}

void
log_rated(struct log_rate *rate, const char *fmt, ...)
{
	char text[LOG_LINE], times[48] = "";
	int keep = errno;
	unsigned held;
	va_list ap;

	if (!log_due(rate, RATED_MS, &held))
		return;
	errno = keep;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (held > 0)
		snprintf(times, sizeof(times), " (and %u times since last told)", held);
	log_msg(LOG_L_WARNING, "%s%s", text, times);
	errno = keep;
}
