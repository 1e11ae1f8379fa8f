/* SPDX-License-Identifier: ISC */
/*
 * The limits of the system, of this process, its user and its cgroups. All but that of
 * fds come from Linux's proc and cgroup files, and bind nothing elsewhere: what others
 * call a limit of processes does not count threads. What cannot be read is left out.
 * Main thread, at the start; does not log.
 */
#include "config.h"
#include "capacity.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

/* As Linux numbers them. */
#define CAP_SYS_ADMIN	 (UINT64_C(1) << 21)
#define CAP_SYS_RESOURCE (UINT64_C(1) << 24)

/* What is tried when the hard limit of fds cannot be taken, and half of it, and so on. */
#define NOFILE_MOST (1 << 20)

#define PATH 4200 /* of a cgroup: its 4096 bytes, and what stands before it in a line */

/* What the status file of a process says. */
struct task {
	uint64_t uid; /* the real one, which pays for its threads */
	uint64_t threads;
	uint64_t caps; /* the effective ones */
};

/* Who serves and what it finds, while they are put together. */
struct survey {
	struct capacity_facts *facts;
	const struct capacity_self *self;
	int root; /* fd of the folder */
	struct task own, leaving;
};

/* Sets the soft limit; *limit follows. */
static bool
raise_to(struct rlimit *limit, rlim_t n)
{
	struct rlimit to = { n, limit->rlim_max };

	if (setrlimit(RLIMIT_NOFILE, &to) == -1)
		return false;
	*limit = to;
	return true;
}

uint64_t
capacity_raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return CAPACITY_UNLIMITED;
	/* Where "unlimited" is only a word and not taken: as much as is. */
	if (!raise_to(&limit, limit.rlim_max))
		for (rlim_t n = NOFILE_MOST; n > limit.rlim_cur; n /= 2)
			if (raise_to(&limit, n))
				break;
	return limit.rlim_cur == RLIM_INFINITY ? CAPACITY_UNLIMITED : limit.rlim_cur;
}

/* When the table is full, what is left are distant parents of a deep cgroup. */
static void
add(struct capacity_facts *facts, enum capacity_kind kind, uint64_t max, uint64_t used,
	const char *cgroup)
{
	struct capacity_limit *limit = &facts->limits[facts->n];

	if (max == CAPACITY_UNLIMITED ||
		facts->n == sizeof(facts->limits) / sizeof(facts->limits[0]))
		return;
	limit->kind = kind;
	limit->max = max;
	limit->used = used;
	log_escape(limit->cgroup, sizeof(limit->cgroup), cgroup, strlen(cgroup));
	facts->n++;
}

/* The number that text begins with, after blanks; false for words as "max". */
static bool
number(const char *text, int base, uint64_t *n)
{
	char *end;

	text += strspn(text, " \t");
	if (*text == '-')
		return false;
	*n = strtoull(text, &end, base);
	return end != text;
}

/* The same, of a line that begins with key. */
static bool
number_behind(const char *line, const char *key, int base, uint64_t *n)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) == 0 && number(line + len, base, n);
}

/* Returns NULL when it is not there. */
static FILE *
open_at(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	FILE *file = fd == -1 ? NULL : fdopen(fd, "r");

	if (!file)
		io_close(&fd);
	return file;
}

/* The first line. Returns false when there is none. */
static bool
line_of(int dir, const char *path, char *line, int size)
{
	FILE *file = open_at(dir, path);
	bool read = file && fgets(line, size, file);

	if (file)
		fclose(file);
	return read;
}

static bool
number_of(int dir, const char *path, uint64_t *n)
{
	char line[64];

	return line_of(dir, path, line, sizeof(line)) && number(line, 10, n);
}

/* Returns false, and *task has no threads, when there is no such process. */
static bool
read_task(int proc, const char *pid, struct task *task)
{
	char path[300], line[256];
	FILE *file;

	*task = (struct task){ CAPACITY_UNLIMITED, 0, 0 };
	snprintf(path, sizeof(path), "%s/status", pid);
	file = open_at(proc, path);
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		(void)(number_behind(line, "Uid:", 10, &task->uid) ||
			number_behind(line, "Threads:", 10, &task->threads) ||
			number_behind(line, "CapEff:", 16, &task->caps));
	fclose(file);
	return true;
}

/* What is left of n threads without this process's own and those of the leaving one. */
static uint64_t
without_ours(const struct survey *s, uint64_t n)
{
	uint64_t ours = s->own.threads + s->leaving.threads;

	return n > ours ? n - ours : 0;
}

/* How many threads others than this process and the leaving one have as this user. */
static uint64_t
threads_of_user(const struct survey *s)
{
	int fd = openat(s->root, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *proc = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct task task;
	uint64_t n = 0, ours = 0;

	if (!proc) {
		io_close(&fd);
		return 0;
	}
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			read_task(fd, entry->d_name, &task) && task.uid == s->self->uid)
			n += task.threads;
	closedir(proc);
	if (s->own.uid == s->self->uid)
		ours += s->own.threads;
	if (s->leaving.uid == s->self->uid)
		ours += s->leaving.threads;
	return n > ours ? n - ours : 0;
}

/* The capabilities that are left when it serves: whoever becomes another has none. */
static bool
may(const struct survey *s, uint64_t caps)
{
	return s->own.uid == s->self->uid && (s->own.caps & caps) != 0;
}

/* Threads of a user; root has no limit of them, whatever its capabilities. */
static void
add_nproc(struct survey *s, uint64_t max)
{
	if (s->self->uid != 0 && !may(s, CAP_SYS_ADMIN | CAP_SYS_RESOURCE))
		add(s->facts, CAPACITY_NPROC, max, threads_of_user(s), "");
}

static void
collect_own_limits(struct survey *s)
{
	FILE *file = open_at(s->root, "proc/self/limits");
	char line[256];
	uint64_t max;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (number_behind(line, "Max processes ", 10, &max))
			add_nproc(s, max);
		else if (number_behind(line, "Max address space ", 10, &max))
			add(s->facts, CAPACITY_AS, max, 0, "");
		else if (number_behind(line, "Max data size ", 10, &max))
			add(s->facts, CAPACITY_DATA, max, 0, "");
	fclose(file);
}

/* How many threads others have on this machine: "0.01 0.05 0.10 running/ALL ...". */
static uint64_t
threads_of_system(const struct survey *s)
{
	char line[128];
	const char *slash;
	uint64_t n;

	if (!line_of(s->root, "proc/loadavg", line, sizeof(line)))
		return 0;
	slash = strchr(line, '/');
	return slash && number(slash + 1, 10, &n) ? without_ours(s, n) : 0;
}

static void
collect_sysctls(struct survey *s)
{
	uint64_t threads = threads_of_system(s), max;

	if (number_of(s->root, "proc/sys/kernel/threads-max", &max))
		add(s->facts, CAPACITY_THREADS_MAX, max, threads, "");
	if (number_of(s->root, "proc/sys/kernel/pid_max", &max))
		add(s->facts, CAPACITY_PID_MAX, max, threads, "");
	if (number_of(s->root, "proc/sys/vm/max_map_count", &max))
		add(s->facts, CAPACITY_MAP_COUNT, max, 0, "");
}

/* The open files of the machine, in file-nr: "used 0 max". */
static void
collect_file_max(struct survey *s)
{
	char line[128];
	uint64_t used, max;

	if (!may(s, CAP_SYS_ADMIN) &&
		line_of(s->root, "proc/sys/fs/file-nr", line, sizeof(line)) &&
		sscanf(line, "%" SCNu64 " %*u %" SCNu64, &used, &max) == 2)
		add(s->facts, CAPACITY_FILE_MAX, max, used, "");
}

/*
 * Where hierarchies of cgroups are by custom, and the files of their limits. Version 2
 * has one for all controllers, "" in /proc/self/cgroup.
 */
static const struct hierarchy {
	const char *controller, *mount;
	enum capacity_kind kind;
	const char *max, *used;
} hierarchies[] = {
	{ "", "sys/fs/cgroup", CAPACITY_CGROUP_PIDS, "pids.max", "pids.current" },
	{ "pids", "sys/fs/cgroup/pids", CAPACITY_CGROUP_PIDS, "pids.max",
		"pids.current" },
	{ "", "sys/fs/cgroup", CAPACITY_CGROUP_MEMORY, "memory.max", NULL },
	{ "memory", "sys/fs/cgroup/memory", CAPACITY_CGROUP_MEMORY,
		"memory.limit_in_bytes", NULL },
};

/* The limit of one cgroup, path being "" for the topmost. */
static void
collect_cgroup(struct survey *s, const struct hierarchy *h, const char *path)
{
	char at[PATH + 64];
	uint64_t max, used = 0;

	snprintf(at, sizeof(at), "%s%s/%s", h->mount, path, h->max);
	if (!number_of(s->root, at, &max))
		return;
	if (h->used) {
		snprintf(at, sizeof(at), "%s%s/%s", h->mount, path, h->used);
		(void)number_of(s->root, at, &used);
	}
	add(s->facts, h->kind, max, without_ours(s, used), path[0] ? path : "/");
}

/*
 * The limits of a cgroup and of all above it. A container may see the path that its
 * cgroup has outside: what is not there is passed over, up to the mount, which is its
 * own; and nothing is looked for above that.
 */
static void
collect_cgroups(struct survey *s, const struct hierarchy *h, const char *of)
{
	char path[PATH];
	char *slash = path;

	snprintf(path, sizeof(path), "%s", strstr(of, "/..") ? "/" : of);
	if (strcmp(path, "/") == 0)
		path[0] = '\0';
	while (slash) {
		collect_cgroup(s, h, path);
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	}
}

/* Whether name is in a list with commas; "" is in the empty one. */
static bool
listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (strncmp(list, name, len) != 0 || (list[len] != ',' && list[len] != '\0')) {
		list = strchr(list, ',');
		if (!list)
			return false;
		list++;
	}
	return true;
}

/* One line of /proc/self/cgroup: "number:controller,...:path". */
static void
collect_hierarchy(struct survey *s, char *line)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path || path[1] != '/')
		return;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++)
		if (listed(controllers + 1, hierarchies[i].controller))
			collect_cgroups(s, &hierarchies[i], path);
}

static void
collect_hierarchies(struct survey *s)
{
	FILE *file = open_at(s->root, "proc/self/cgroup");
	char line[PATH];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		collect_hierarchy(s, line);
	fclose(file);
}

/* This process, and the one that leaves. */
static void
read_ours(struct survey *s)
{
	char pid[40];

	(void)read_task(s->root, "proc/self", &s->own);
	snprintf(pid, sizeof(pid), "proc/%ld", (long)s->self->leaving);
	(void)read_task(s->root, pid, &s->leaving);
}

void
capacity_collect(
	struct capacity_facts *facts, const char *root, const struct capacity_self *self)
{
	struct survey s = { .facts = facts, .self = self };

	facts->n = 0;
	add(facts, CAPACITY_NOFILE, self->nofile, 0, "");
	s.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.root == -1)
		return;
	read_ours(&s);
	collect_own_limits(&s);
	collect_sysctls(&s);
	collect_file_max(&s);
	collect_hierarchies(&s);
	io_close(&s.root);
}
