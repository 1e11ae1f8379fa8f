/* SPDX-License-Identifier: ISC */
/*
 * shim.so: laid over the C library by LD_PRELOAD, it lets calls of a daemon fail.
 *
 *	SHIM=accept4:3:EMFILE,splice:1+:EINVAL
 *
 * fails the third accept4 and every splice from the first on. Each function has one
 * counter for all threads; malloc, calloc and realloc share "malloc". Counting begins
 * with the first accept4, so that the start of the daemon does not matter. A call that
 * fails is told on stderr, of several by one rule the first. With SHORT=1 every send,
 *recv and splice moves less than it could. Runs in all threads of the daemon; may not
 *allocate.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The headers that declare these are left out: C libraries disagree about the types (a
 * transparent union for a sockaddr, an int or a long for ioctl), the ABI does not.
 */
int accept4(int fd, void *addr, void *len, int flags);
int connect(int fd, const void *addr, unsigned len);
int getsockname(int fd, void *addr, void *len);
int getsockopt(int fd, int level, int name, void *value, void *len);
int ioctl(int fd, unsigned long request, ...);
int poll(void *fds, unsigned long n, int timeout);
int setsockopt(int fd, int level, int name, const void *value, unsigned len);
int socket(int domain, int type, int protocol);
ssize_t recv(int fd, void *buf, size_t size, int flags);
ssize_t send(int fd, const void *buf, size_t size, int flags);
ssize_t splice(int in, void *in_at, int out, void *out_at, size_t size, unsigned flags);

#define FUNCTIONS(X)                                                                     \
	X(accept4)                                                                       \
	X(connect)                                                                       \
	X(getsockname)                                                                   \
	X(getsockopt)                                                                    \
	X(ioctl)                                                                         \
	X(malloc)                                                                        \
	X(pipe2)                                                                         \
	X(poll)                                                                          \
	X(pthread_create)                                                                \
	X(recv)                                                                          \
	X(send)                                                                          \
	X(setsockopt)                                                                    \
	X(socket)                                                                        \
	X(splice)

#define ERRORS(X)                                                                        \
	X(EAGAIN)                                                                        \
	X(ECONNABORTED)                                                                  \
	X(EHOSTUNREACH)                                                                  \
	X(EINTR)                                                                         \
	X(EINVAL)                                                                        \
	X(EMFILE)                                                                        \
	X(ENETDOWN)                                                                      \
	X(ENETUNREACH)                                                                   \
	X(ENFILE)                                                                        \
	X(ENOBUFS)                                                                       \
	X(ENOMEM)                                                                        \
	X(ENOSYS)                                                                        \
	X(EPERM)                                                                         \
	X(EPROTO)

#define FN_ENUM(name)	FN_##name,
#define FN_NAME(name)	#name,
#define ERROR_ROW(name) { #name, name },

enum fn { FUNCTIONS(FN_ENUM) FN_COUNT };
static const char *const fn_name[] = { FUNCTIONS(FN_NAME) };
static const struct {
	const char *name;
	int error;
} errors[] = { ERRORS(ERROR_ROW) };

struct fault {
	enum fn fn;
	int n;		/* fails at this call, */
	bool and_after; /* and at all behind it */
	int error;
};

#define FAULTS 8
static struct fault faults[FAULTS];
static int fault_count;
static bool short_io;
static atomic_bool counting;
static atomic_int calls[FN_COUNT], moves;

/* The C library's own function. Not cached: only speed would gain. */
#define REAL(name, ...) (call.f = dlsym(RTLD_NEXT, #name), call.name(__VA_ARGS__))

static _Noreturn void
bad_spec(const char *at)
{
	fprintf(stderr, "shim: not understood: %s\n", at);
	_exit(99);
}

static int
find_error(const char *at, size_t size)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strlen(errors[i].name) == size &&
			memcmp(errors[i].name, at, size) == 0)
			return errors[i].error;
	bad_spec(at);
}

/* One FUNCTION:N[+]:ERROR. Returns what is behind it. */
static const char *
read_fault(const char *at)
{
	size_t size = strcspn(at, ":");
	struct fault *fault = &faults[fault_count];
	char *end;

	while (fault->fn < FN_COUNT &&
		(strlen(fn_name[fault->fn]) != size ||
			memcmp(fn_name[fault->fn], at, size) != 0))
		fault->fn++;
	if (fault->fn == FN_COUNT || at[size] != ':' || fault_count == FAULTS - 1)
		bad_spec(at);
	fault->n = (int)strtol(at + size + 1, &end, 10);
	fault->and_after = *end == '+';
	end += fault->and_after;
	if (fault->n < 1 || *end != ':')
		bad_spec(at);
	size = strcspn(++end, ",");
	fault->error = find_error(end, size);
	fault_count++;
	return end + size + (end[size] == ',');
}

static __attribute__((constructor)) void
read_spec(void)
{
	const char *at = getenv("SHIM");

	while (at && *at)
		at = read_fault(at);
	short_io = getenv("SHORT") != NULL;
}

/* Counts a call. Returns 0, or the errno with which it is to fail. */
static int
fault(enum fn fn)
{
	char text[64];
	int n, size;

	if (fn == FN_accept4)
		atomic_store(&counting, true);
	if (!atomic_load(&counting))
		return 0;
	n = atomic_fetch_add(&calls[fn], 1) + 1;
	for (int i = 0; i < fault_count; i++) {
		const struct fault *f = &faults[i];

		if (f->fn != fn || (f->and_after ? n < f->n : n != f->n))
			continue;
		if (n == f->n) {
			size = snprintf(text, sizeof(text), "shim: %s %d fails\n",
				fn_name[fn], n);
			(void)!write(STDERR_FILENO, text, (size_t)size);
		}
		return f->error;
	}
	return 0;
}

/* Whether a call is to fail; errno is set then. */
static bool
fails(enum fn fn)
{
	int keep = errno, error = fault(fn);

	errno = error ? error : keep;
	return error != 0;
}

/* A size to move instead of this one: all powers of two up to 4096 in turn. */
static size_t
shorter(size_t size)
{
	size_t most = (size_t)1 << (atomic_fetch_add(&moves, 1) % 13);

	return short_io && size > most ? most : size;
}

/* A pointer to a function from one to an object, which ISO C knows no other way. */
union call {
	void *f;
	int (*accept4)(int, void *, void *, int);
	void *(*calloc)(size_t, size_t);
	int (*connect)(int, const void *, unsigned);
	int (*getsockname)(int, void *, void *);
	int (*getsockopt)(int, int, int, void *, void *);
	int (*ioctl)(int, unsigned long, ...);
	void *(*malloc)(size_t);
	int (*pipe2)(int *, int);
	int (*poll)(void *, unsigned long, int);
	int (*pthread_create)(
		pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	void *(*realloc)(void *, size_t);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*send)(int, const void *, size_t, int);
	int (*setsockopt)(int, int, int, const void *, unsigned);
	int (*socket)(int, int, int);
	ssize_t (*splice)(int, void *, int, void *, size_t, unsigned);
};

int
accept4(int fd, void *addr, void *len, int flags)
{
	union call call;

	return fails(FN_accept4) ? -1 : REAL(accept4, fd, addr, len, flags);
}

int
connect(int fd, const void *addr, unsigned len)
{
	union call call;

	return fails(FN_connect) ? -1 : REAL(connect, fd, addr, len);
}

int
getsockname(int fd, void *addr, void *len)
{
	union call call;

	return fails(FN_getsockname) ? -1 : REAL(getsockname, fd, addr, len);
}

int
getsockopt(int fd, int level, int name, void *value, void *len)
{
	union call call;

	return fails(FN_getsockopt) ? -1 : REAL(getsockopt, fd, level, name, value, len);
}

/* Every request that the daemons make has a pointer for its argument. */
int
ioctl(int fd, unsigned long request, ...)
{
	union call call;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fails(FN_ioctl) ? -1 : REAL(ioctl, fd, request, arg);
}

int
pipe2(int fd[2], int flags)
{
	union call call;

	return fails(FN_pipe2) ? -1 : REAL(pipe2, fd, flags);
}

int
poll(void *fds, unsigned long n, int timeout)
{
	union call call;

	return fails(FN_poll) ? -1 : REAL(poll, fds, n, timeout);
}

int
pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg)
{
	union call call;
	int error = fault(FN_pthread_create);

	return error ? error : REAL(pthread_create, thread, attr, body, arg);
}

ssize_t
recv(int fd, void *buf, size_t size, int flags)
{
	union call call;

	return fails(FN_recv) ? -1 : REAL(recv, fd, buf, shorter(size), flags);
}

ssize_t
send(int fd, const void *buf, size_t size, int flags)
{
	union call call;

	return fails(FN_send) ? -1 : REAL(send, fd, buf, shorter(size), flags);
}

int
setsockopt(int fd, int level, int name, const void *value, unsigned len)
{
	union call call;

	return fails(FN_setsockopt) ? -1 : REAL(setsockopt, fd, level, name, value, len);
}

int
socket(int domain, int type, int protocol)
{
	union call call;

	return fails(FN_socket) ? -1 : REAL(socket, domain, type, protocol);
}

ssize_t
splice(int in, void *in_at, int out, void *out_at, size_t size, unsigned flags)
{
	union call call;

	return fails(FN_splice)
		? -1
		: REAL(splice, in, in_at, out, out_at, shorter(size), flags);
}

/*
 * dlsym may allocate itself. It gets nothing then, and it is made to do without. The
 * first one is called before there are threads.
 */
static _Thread_local bool finding __attribute__((tls_model("initial-exec")));

static void *
find_allocator(const char *name)
{
	void *f;

	if (finding)
		return NULL;
	finding = true;
	f = dlsym(RTLD_NEXT, name);
	finding = false;
	return f;
}

void *
malloc(size_t size)
{
	union call call = { find_allocator("malloc") };

	return !call.f || fails(FN_malloc) ? NULL : call.malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	union call call = { find_allocator("calloc") };

	return !call.f || fails(FN_malloc) ? NULL : call.calloc(n, size);
}

void *
realloc(void *mem, size_t size)
{
	union call call = { find_allocator("realloc") };

	return !call.f || fails(FN_malloc) ? NULL : call.realloc(mem, size);
}
