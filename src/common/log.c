/* SPDX-License-Identifier: ISC */
/*
 * The log. A caller copies its line into a ring of bytes and goes on; one thread takes
 * lines out in batches and writes them with no lock held, because syslog(3) hangs for
 * ever, under a lock of its own, when its daemon does. What did not fit, or could not be
 * written, is counted and told later in a line of its own. Before log_start and after
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
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cond.h"
#include "io.h"

#define RING_SIZE   (256 * 1024)
#define BATCH_SIZE  (16 * 1024)
#define PREFIX_SIZE 96
#define STACK_SIZE  (256 * 1024)

/* What one write(2) carries: no more than a pipe takes as one piece among other writers.
 */
#define WRITE_SIZE 4096
_Static_assert(PREFIX_SIZE + LOG_LINE + 1 <= WRITE_SIZE, "a line is written whole");

/* Stands before each text in the ring, and in a batch. */
struct record {
	unsigned messages; /* that this line stands for: itself, or those lost */
	enum log_level level;
	size_t len;
};

static const struct level_row {
	const char *name;
	int priority;
} levels[] = {
	[LOG_L_ERROR] = { "error", LOG_ERR },
	[LOG_L_WARNING] = { "warning", LOG_WARNING },
	[LOG_L_NOTICE] = { "notice", LOG_NOTICE },
	[LOG_L_INFO] = { "info", LOG_INFO },
	[LOG_L_DEBUG] = { "debug", LOG_DEBUG },
};

/* Those of POSIX that a daemon may use. */
static const struct facility_row {
	const char *name;
	int facility;
} facilities[] = {
	{ "auth", LOG_AUTH },
	{ "cron", LOG_CRON },
	{ "daemon", LOG_DAEMON },
	{ "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 },
	{ "lpr", LOG_LPR },
	{ "mail", LOG_MAIL },
	{ "news", LOG_NEWS },
	{ "user", LOG_USER },
	{ "uucp", LOG_UUCP },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Set while there is one thread, and only read then. */
static const char *ident = "";
static char prefix[PREFIX_SIZE]; /* of a line on stderr */
static enum log_level max_level = LOG_L_INFO;
static bool stderr_only = true;

/* Of the thread that starts and stops. */
static pthread_t writer;
static bool started; /* and not joined */

/* Everything below is under lock, which nobody holds while writing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static pthread_cond_t ended; /* while started */
static bool running, stopping;
static unsigned lost;	/* messages to be told as lost */
static unsigned failed; /* not written: told when a write succeeds again */
static struct {
	size_t head, used;
	char bytes[RING_SIZE];
} ring;

void
log_open(const char *name, int facility, enum log_level level, bool to_stderr)
{
	ident = name;
	snprintf(prefix, sizeof(prefix), "%.64s: ", name);
	max_level = level;
	stderr_only = to_stderr;
	/* LOG_NDELAY: a later chroot may hide the socket of syslog. */
	if (!to_stderr)
		openlog(name, LOG_PID | LOG_NDELAY, facility);
}

bool
log_wants(enum log_level level)
{
	return level <= max_level;
}

/* Appends to the ring, which has room. */
static void
ring_put(const void *from, size_t n)
{
	size_t at = (ring.head + ring.used) % RING_SIZE;
	size_t first = n < RING_SIZE - at ? n : RING_SIZE - at;

	memcpy(ring.bytes + at, from, first);
	memcpy(ring.bytes, (const char *)from + first, n - first);
	ring.used += n;
}

/* Copies the first n bytes of the ring, which are there. */
static void
ring_peek(void *to, size_t n)
{
	size_t first = n < RING_SIZE - ring.head ? n : RING_SIZE - ring.head;

	memcpy(to, ring.bytes + ring.head, first);
	memcpy((char *)to + first, ring.bytes, n - first);
}

static void
ring_skip(size_t n)
{
	ring.used -= n;
	/* Back to the start when empty, so that a quiet daemon touches few pages. */
	ring.head = ring.used > 0 ? (ring.head + n) % RING_SIZE : 0;
}

static bool
enqueue(const struct record *r, const char *text)
{
	if (RING_SIZE - ring.used < sizeof(*r) + r->len)
		return false;
	ring_put(r, sizeof(*r));
	ring_put(text, r->len);
	return true;
}

/* Lets a line about lost messages stand in the queue where they would have stood. */
static void
enqueue_lost(void)
{
	struct record r = { lost, LOG_L_WARNING, 0 };
	char text[64];

	if (lost == 0)
		return;
	r.len = (size_t)snprintf(text, sizeof(text), "log: %u messages lost", lost);
	if (enqueue(&r, text))
		lost = 0;
}

/* Moves whole records into batch; returns their bytes. */
static size_t
dequeue(char *batch)
{
	size_t n = 0;

	while (ring.used > 0) {
		struct record r;

		ring_peek(&r, sizeof(r));
		if (BATCH_SIZE - n < sizeof(r) + r.len)
			break;
		ring_peek(batch + n, sizeof(r) + r.len);
		ring_skip(sizeof(r) + r.len);
		n += sizeof(r) + r.len;
	}
	return n;
}

/* Lines that go to stderr in one write. */
struct lines {
	unsigned messages;
	size_t len;
	char bytes[WRITE_SIZE];
};

static int
write_all(int fd, const char *from, size_t size)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	while (size > 0) {
		ssize_t n = write(fd, from, size);

		if (n >= 0) {
			from += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			/* Another user of the same terminal or pipe made it so. */
			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static void
flush(struct lines *l)
{
	bool written;

	if (l->len == 0)
		return;
	written = write_all(STDERR_FILENO, l->bytes, l->len) == 0;
	pthread_mutex_lock(&lock);
	lost += written ? failed : 0;
	failed = written ? 0 : failed + l->messages;
	pthread_mutex_unlock(&lock);
	l->messages = 0;
	l->len = 0;
}

static void
append(struct lines *l, const struct record *r, const char *text)
{
	size_t prefix_len = strlen(prefix);

	if (WRITE_SIZE - l->len < prefix_len + r->len + 1)
		flush(l);
	memcpy(l->bytes + l->len, prefix, prefix_len);
	l->len += prefix_len;
	memcpy(l->bytes + l->len, text, r->len);
	l->len += r->len;
	l->bytes[l->len++] = '\n';
	l->messages += r->messages;
}

static void
to_syslog(const struct record *r, const char *text)
{
	syslog(levels[r->level].priority, "%.*s", (int)r->len, text);
}

static void
write_batch(const char *batch, size_t size)
{
	struct lines l;

	l.messages = 0;
	l.len = 0;
	for (size_t at = 0; at < size;) {
		struct record r;

		memcpy(&r, batch + at, sizeof(r));
		at += sizeof(r);
		if (stderr_only)
			append(&l, &r, batch + at);
		else
			to_syslog(&r, batch + at);
		at += r.len;
	}
	flush(&l);
}

static void *
write_until_stopped(void *arg)
{
	char batch[BATCH_SIZE];

	(void)arg;
	pthread_mutex_lock(&lock);
	while (!stopping || ring.used > 0 || lost > 0) {
		size_t n;

		if (ring.used == 0 && lost == 0) {
			pthread_cond_wait(&work, &lock);
			continue;
		}
		n = dequeue(batch);
		enqueue_lost();
		pthread_mutex_unlock(&lock);
		write_batch(batch, n);
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

int
log_start(void)
{
	int error;

	assert(!started);
	if (cond_init(&ended) == -1)
		return -1;
	snprintf(prefix, sizeof(prefix), "%.64s[%ld]: ", ident, (long)getpid());
	stopping = false;
	running = true;
	error = start_writer();
	started = error == 0;
	if (started)
		return 0;
	running = false;
	pthread_cond_destroy(&ended);
	errno = error;
	return -1;
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
	pthread_cond_destroy(&ended);
}

/* The caller's own writing, when there is no thread for it. */
static void
write_now(const struct record *r, const char *text)
{
	struct lines l;

	l.messages = 0;
	l.len = 0;
	append(&l, r, text);
	flush(&l);
	if (!stderr_only)
		to_syslog(r, text);
}

/* Queues the line, or counts it as lost. Returns false when no thread would write it. */
static bool
hand_over(const struct record *r, const char *text)
{
	bool taken;

	pthread_mutex_lock(&lock);
	taken = running;
	if (taken) {
		enqueue_lost();
		/* A short line may fit, but not in front of the news of a loss. */
		if (lost > 0 || !enqueue(r, text))
			lost++;
		pthread_cond_signal(&work);
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

/* Our own text may have a newline of some library in it; a line stays one line. */
static void
flatten(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE + 1];
	struct record r = { 1, level, 0 };
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
	flatten(text, r.len);
	if (!hand_over(&r, text))
		write_now(&r, text);
	errno = keep;
}

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\';
}

char *
log_escape(char *out, size_t out_size, const void *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *from = text;
	size_t at = 0;

	assert(out_size > 0);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = from[i];
		const char escaped[] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
		size_t n = is_plain(c) ? 1 : sizeof(escaped);

		if (out_size - at <= n)
			break;
		memcpy(out + at, n == 1 ? (const char *)&c : escaped, n);
		at += n;
	}
	out[at] = '\0';
	return out;
}

char *
log_seconds(char out[LOG_SECONDS], int64_t ms)
{
	if (ms < 0)
		snprintf(out, LOG_SECONDS, "-");
	else
		snprintf(out, LOG_SECONDS, "%" PRId64 ".%03d", ms / 1000,
			(int)(ms % 1000));
	return out;
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

int
log_facility(const char *name)
{
	for (size_t i = 0; i < COUNT(facilities); i++)
		if (strcmp(name, facilities[i].name) == 0)
			return facilities[i].facility;
	return -1;
}

int
log_level(const char *name)
{
	for (size_t i = 0; i < COUNT(levels); i++)
		if (strcmp(name, levels[i].name) == 0)
			return (int)i;
	return -1;
}
