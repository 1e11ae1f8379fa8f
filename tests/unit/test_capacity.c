/* SPDX-License-Identifier: ISC */
/* Room for tunnels: by limits as given here, and by those of made-up folders for "/". */
#include "config.h"
#include "capacity.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER 1000

static const struct capacity_needs needs = { .of = {
						     [CAPACITY_FDS] = { 2, 200 },
						     [CAPACITY_THREADS] = { 2, 10 },
						     [CAPACITY_AREAS] = { 4, 530 },
						     [CAPACITY_SPACE] = { 1000, 4096 },
						     [CAPACITY_MEMORY] = { 2048, 10240 },
					     } };

static struct capacity_facts facts;
static struct capacity_self self;
static char root[] = "/tmp/test_capacity.XXXXXX";
static char text[CAPACITY_TEXT];

static void
set_up(void)
{
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(root));
	memset(&facts, 0, sizeof(facts));
	self = (struct capacity_self){ CAPACITY_UNLIMITED, USER, 0 };
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static void
tear_down(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Makes a file below root, and the folders that lead to it. */
static void
put(const char *path, const char *content)
{
	char at[4600];
	FILE *file;

	snprintf(at, sizeof(at), "%s/%s", root, path);
	for (char *slash = at + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(at, 0700);
		*slash = '/';
	}
	file = fopen(at, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(content, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* A process: pid is its number or "self". */
static void
put_task(const char *pid, int uid, int threads, const char *caps)
{
	char path[64], content[512];

	snprintf(path, sizeof(path), "proc/%s/status", pid);
	snprintf(content, sizeof(content),
		"Name:\tUid:\t7\nState:\tR (running)\nPid:\t%s\nUid:\t%d\t0\t0\t0\n"
		"Gid:\t5\t5\t5\t5\nThreads:\t%d\nCapInh:\t%s\nCapEff:\t%s\n",
		pid, uid, threads, "ffffffffffffffff", caps);
	put(path, content);
}

#define NO_CAPS "0000000000000000"

/* This process, as pid 50 and with 3 threads. */
static void
put_self(int uid, const char *caps)
{
	put_task("self", uid, 3, caps);
	put_task("50", uid, 3, caps);
}

static void
put_limits(const char *processes, const char *space, const char *data)
{
	char content[512];

	snprintf(content, sizeof(content),
		"Limit                     Soft Limit           Hard Limit           "
		"Units     \n"
		"Max cpu time              1                    1                    "
		"seconds   \n"
		"Max data size             %-20s 5                    bytes     \n"
		"Max processes             %-20s 6                    processes \n"
		"Max open files            8                    8                    "
		"files     \n"
		"Max address space         %-20s 7                    bytes     \n",
		data, processes, space);
	put("proc/self/limits", content);
}

static void
put_nproc(const char *max)
{
	put_limits(max, "unlimited", "unlimited");
}

static struct capacity_limit *
limit(enum capacity_kind kind, uint64_t max, uint64_t used)
{
	struct capacity_limit *added = &facts.limits[facts.n++];

	*added = (struct capacity_limit){ kind, max, used, "" };
	return added;
}

static int
room(enum capacity_when when)
{
	return capacity_room(&facts, &needs, when).tunnels;
}

/* The limit of this kind that was found, the only one; NULL: none was. */
static const struct capacity_limit *
found(enum capacity_kind kind)
{
	const struct capacity_limit *one = NULL;

	for (size_t i = 0; i < facts.n; i++)
		if (facts.limits[i].kind == kind) {
			ck_assert_ptr_null(one);
			one = &facts.limits[i];
		}
	return one;
}

static void
collect(void)
{
	capacity_collect(&facts, root, &self);
}

/* Collects, and this kind must have been found once, with these. */
static void
must_find(enum capacity_kind kind, uint64_t max, uint64_t used)
{
	const struct capacity_limit *one;

	collect();
	one = found(kind);
	ck_assert_ptr_nonnull(one);
	ck_assert_uint_eq(one->max, max);
	ck_assert_uint_eq(one->used, used);
}

static void
must_find_none(enum capacity_kind kind)
{
	collect();
	ck_assert_ptr_null(found(kind));
}

/* Collects, and this cgroup must be the nth that was found. */
static void
must_find_cgroup(size_t nth, const char *cgroup, uint64_t max, uint64_t used)
{
	collect();
	ck_assert_uint_gt(facts.n, nth);
	ck_assert_str_eq(facts.limits[nth].cgroup, cgroup);
	ck_assert_uint_eq(facts.limits[nth].max, max);
	ck_assert_uint_eq(facts.limits[nth].used, used);
}

START_TEST(a_tunnel_takes_two_fds_beyond_the_reserve)
{
	limit(CAPACITY_NOFILE, 20000, 0);
	ck_assert_int_eq(room(CAPACITY_NOW), 9900);
	facts.limits[0].max = 20001;
	ck_assert_int_eq(room(CAPACITY_NOW), 9900);
	facts.limits[0].max = 20002;
	ck_assert_int_eq(room(CAPACITY_NOW), 9901);
}
END_TEST

START_TEST(every_limit_counts_in_what_it_limits)
{
	static const struct {
		enum capacity_kind kind;
		int tunnels;
	} each[] = { { CAPACITY_NOFILE, 49900 }, { CAPACITY_FILE_MAX, 49900 },
		{ CAPACITY_NPROC, 49995 }, { CAPACITY_CGROUP_PIDS, 49995 },
		{ CAPACITY_THREADS_MAX, 49995 }, { CAPACITY_PID_MAX, 49845 },
		{ CAPACITY_MAP_COUNT, 24867 }, { CAPACITY_AS, 95 }, { CAPACITY_DATA, 95 },
		{ CAPACITY_CGROUP_MEMORY, 43 } };

	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		facts.n = 0;
		limit(each[i].kind, 100000, 0);
		ck_assert_int_eq(room(CAPACITY_NOW), each[i].tunnels);
	}
}
END_TEST

START_TEST(the_smallest_room_binds)
{
	struct capacity_room least;

	limit(CAPACITY_NOFILE, 20000, 0);
	limit(CAPACITY_MAP_COUNT, 8530, 0);
	limit(CAPACITY_THREADS_MAX, 5000, 0);
	least = capacity_room(&facts, &needs, CAPACITY_NOW);
	ck_assert_int_eq(least.tunnels, 2000);
	ck_assert_int_eq(least.limit->kind, CAPACITY_MAP_COUNT);
}
END_TEST

START_TEST(what_others_use_is_taken_off_for_now_only)
{
	limit(CAPACITY_THREADS_MAX, 5010, 1000);
	ck_assert_int_eq(room(CAPACITY_NOW), 2000);
	ck_assert_int_eq(room(CAPACITY_AT_BEST), 2500);
}
END_TEST

START_TEST(a_limit_below_the_reserve_has_room_for_none)
{
	limit(CAPACITY_NOFILE, 64, 0);
	ck_assert_int_eq(room(CAPACITY_NOW), 0);
	facts.limits[0].max = 201;
	ck_assert_int_eq(room(CAPACITY_NOW), 0);
	facts.n = 0;
	limit(CAPACITY_THREADS_MAX, 5000, 6000);
	ck_assert_int_eq(room(CAPACITY_NOW), 0);
	facts.limits[0].used = UINT64_MAX;
	ck_assert_int_eq(room(CAPACITY_NOW), 0);
}
END_TEST

START_TEST(without_limits_nothing_binds)
{
	struct capacity_room all = capacity_room(&facts, &needs, CAPACITY_NOW);

	ck_assert_int_eq(all.tunnels, INT_MAX);
	ck_assert_ptr_null(all.limit);
	ck_assert_str_eq(capacity_text(&all, text), "no limit binds the tunnels");
	ck_assert(!capacity_short(&facts, &needs, CAPACITY_NOW, INT_MAX, 0, text));
	limit(CAPACITY_NOFILE, UINT64_MAX - 1, 0);
	ck_assert_ptr_null(capacity_room(&facts, &needs, CAPACITY_NOW).limit);
}
END_TEST

START_TEST(a_resource_that_does_not_matter_does_not_bind)
{
	struct capacity_needs fewer = needs;

	fewer.of[CAPACITY_MEMORY].each = 0;
	limit(CAPACITY_CGROUP_MEMORY, 1, 0);
	ck_assert_int_eq(capacity_room(&facts, &fewer, CAPACITY_NOW).tunnels, INT_MAX);
	ck_assert(!capacity_short(&facts, &fewer, CAPACITY_NOW, 5, 0, text));
}
END_TEST

static const char *
told(enum capacity_when when)
{
	struct capacity_room least = capacity_room(&facts, &needs, when);

	return capacity_text(&least, text);
}

START_TEST(the_text_names_what_binds)
{
	limit(CAPACITY_NOFILE, 20000, 0);
	ck_assert_str_eq(
		told(CAPACITY_NOW), "room for 9900 tunnels, bound by ulimit -n (20000)");
	limit(CAPACITY_PID_MAX, 18310, 2000);
	ck_assert_str_eq(told(CAPACITY_NOW),
		"room for 8000 tunnels, bound by kernel.pid_max (18310, 2000 in use)");
	ck_assert_str_eq(told(CAPACITY_AT_BEST),
		"room for 9000 tunnels, bound by kernel.pid_max (18310)");
	strcpy(limit(CAPACITY_CGROUP_PIDS, 4915, 0)->cgroup,
		"/system.slice/dcsd.service");
	ck_assert_str_eq(told(CAPACITY_NOW),
		"room for 2452 tunnels, bound by pids.max of cgroup "
		"/system.slice/dcsd.service (4915)");
	limit(CAPACITY_AS, 1024 * 1024 + 5, 0);
	ck_assert_str_eq(told(CAPACITY_NOW),
		"room for 1044 tunnels, bound by ulimit -v (1024 KiB)");
}
END_TEST

static const char *
lacking(int asked, size_t nth)
{
	text[0] = '\0';
	return capacity_short(&facts, &needs, CAPACITY_NOW, asked, nth, text) ? text
									      : NULL;
}

START_TEST(as_many_as_there_is_room_for_are_all_right)
{
	limit(CAPACITY_NOFILE, 20000, 0);
	ck_assert_ptr_null(lacking(9900, 0));
	ck_assert_ptr_null(lacking(0, 0));
	ck_assert_ptr_nonnull(lacking(9901, 0));
	ck_assert_ptr_null(lacking(9901, 1));
}
END_TEST

START_TEST(each_limit_that_is_short_is_named_with_what_it_would_have_to_be)
{
	limit(CAPACITY_NOFILE, 20000, 0);
	limit(CAPACITY_MAP_COUNT, 65530, 0);
	limit(CAPACITY_PID_MAX, 18310, 2000);
	ck_assert_str_eq(lacking(12000, 0),
		"limits.tunnels = 12000, but there is room for 9900 only, bound by "
		"ulimit -n (20000): 24200 are needed (ulimit -n 24200, or "
		"LimitNOFILE=24200 for systemd)");
	ck_assert_str_eq(lacking(12000, 1),
		"limits.tunnels = 12000, but there is room for 8000 only, bound by "
		"kernel.pid_max (18310, 2000 in use): 26310 are needed (sysctl -w "
		"kernel.pid_max=26310)");
	ck_assert_ptr_null(lacking(12000, 2));
}
END_TEST

START_TEST(what_is_said_to_be_needed_is_enough_and_no_more)
{
	static const enum capacity_kind kinds[] = { CAPACITY_NOFILE, CAPACITY_FILE_MAX,
		CAPACITY_NPROC, CAPACITY_CGROUP_PIDS, CAPACITY_THREADS_MAX,
		CAPACITY_PID_MAX, CAPACITY_MAP_COUNT };
	const char *behind;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		facts.n = 0;
		limit(kinds[i], 1000, 77);
		ck_assert_ptr_nonnull(lacking(777, 0));
		behind = strstr(text, "): ");
		ck_assert_ptr_nonnull(behind);
		facts.limits[0].max = strtoull(behind + 3, NULL, 10);
		ck_assert_int_eq(room(CAPACITY_NOW), 777);
		facts.limits[0].max--;
		ck_assert_int_eq(room(CAPACITY_NOW), 776);
	}
}
END_TEST

START_TEST(advice_is_for_the_knob_in_its_own_unit)
{
	limit(CAPACITY_DATA, 10240, 0);
	ck_assert_str_eq(strchr(lacking(7, 0), ':'),
		": 11 KiB are needed (ulimit -d 11, or LimitDATA=11K for systemd)");
	limit(CAPACITY_CGROUP_MEMORY, 10240, 0);
	ck_assert_str_eq(strchr(lacking(7, 1), ':'),
		": 24 KiB are needed (MemoryMax=24K for systemd)");
	facts.n = 0;
	strcpy(limit(CAPACITY_CGROUP_PIDS, 100, 0)->cgroup, "/a");
	ck_assert_str_eq(lacking(50, 0),
		"limits.tunnels = 50, but there is room for 45 only, bound by pids.max "
		"of "
		"cgroup /a (100): 110 are needed (TasksMax=110 for systemd)");
}
END_TEST

START_TEST(without_a_number_one_tunnel_at_least_is_asked_for)
{
	limit(CAPACITY_NOFILE, 64, 0);
	ck_assert_str_eq(lacking(0, 0),
		"there is no room for a tunnel, bound by ulimit -n (64): 202 are needed "
		"(ulimit -n 202, or LimitNOFILE=202 for systemd)");
	facts.limits[0].max = 202;
	ck_assert_ptr_null(lacking(0, 0));
}
END_TEST

START_TEST(the_longest_text_is_whole)
{
	struct capacity_limit *one = limit(CAPACITY_CGROUP_PIDS, 1, UINT64_MAX / 2);

	memset(one->cgroup, 'x', sizeof(one->cgroup) - 1);
	ck_assert_ptr_nonnull(lacking(INT_MAX, 0));
	ck_assert_ptr_nonnull(strstr(text, " for systemd)"));
}
END_TEST

START_TEST(an_empty_root_leaves_the_fds)
{
	collect();
	ck_assert_uint_eq(facts.n, 0);
	self.nofile = 20000;
	must_find(CAPACITY_NOFILE, 20000, 0);
	ck_assert_uint_eq(facts.n, 1);
	capacity_collect(&facts, "/nonexistent/root", &self);
	ck_assert_uint_eq(facts.n, 1);
	ck_assert_int_eq(room(CAPACITY_NOW), 9900);
}
END_TEST

START_TEST(sysctls_are_read)
{
	put("proc/sys/kernel/threads-max", "192731\n");
	put("proc/sys/kernel/pid_max", "32768\n");
	put("proc/sys/vm/max_map_count", "65530");
	must_find(CAPACITY_THREADS_MAX, 192731, 0);
	must_find(CAPACITY_PID_MAX, 32768, 0);
	must_find(CAPACITY_MAP_COUNT, 65530, 0);
	ck_assert_uint_eq(facts.n, 3);
}
END_TEST

START_TEST(threads_of_the_system_are_in_use_without_our_own)
{
	put("proc/sys/kernel/threads-max", "192731\n");
	put("proc/sys/kernel/pid_max", "32768\n");
	put("proc/sys/vm/max_map_count", "65530");
	put("proc/loadavg", "7.18 14.39 12.85 17/224 17787\n");
	must_find(CAPACITY_PID_MAX, 32768, 224);
	put_self(0, NO_CAPS);
	must_find(CAPACITY_PID_MAX, 32768, 221);
	must_find(CAPACITY_THREADS_MAX, 192731, 221);
	must_find(CAPACITY_MAP_COUNT, 65530, 0);
}
END_TEST

START_TEST(what_is_garbled_does_not_bind)
{
	static const char *const bad[] = { "", "\n", "max\n", "-5\n", "x5\n", " \n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("proc/sys/kernel/threads-max", bad[i]);
		put("proc/sys/kernel/pid_max", bad[i]);
		put("proc/sys/vm/max_map_count", bad[i]);
		put("proc/sys/fs/file-nr", bad[i]);
		put("proc/self/limits", bad[i]);
		put("proc/self/status", bad[i]);
		put("proc/loadavg", bad[i]);
		put("proc/self/cgroup", bad[i]);
		collect();
		ck_assert_uint_eq(facts.n, 0);
	}
	put("proc/sys/kernel/threads-max", "99999999999999999999999\n");
	collect();
	ck_assert_uint_eq(facts.n, 0);
}
END_TEST

START_TEST(lines_that_name_no_cgroup_are_passed_over)
{
	put("sys/fs/cgroup/pids.max", "5\n");
	put("sys/fs/cgroupa/pids.max", "5\n");
	put("proc/self/cgroup", "x\n0:\n0::\n0::a\n:::\n0:name=:/\n");
	collect();
	ck_assert_uint_eq(facts.n, 0);
	put("proc/self/cgroup", "x\n0::/a/b");
	put("sys/fs/cgroup/a/pids.max/no-file", "5\n");
	must_find_cgroup(0, "/", 5, 0);
	ck_assert_uint_eq(facts.n, 1);
}
END_TEST

START_TEST(open_files_of_the_system_bind_but_not_who_may_pass_them)
{
	put("proc/sys/fs/file-nr", "1984\t0\t65535\n");
	must_find(CAPACITY_FILE_MAX, 65535, 1984);
	put_self(0, "0000000000200000");
	must_find(CAPACITY_FILE_MAX, 65535, 1984);
	self.uid = 0;
	must_find_none(CAPACITY_FILE_MAX);
	put_self(0, NO_CAPS);
	must_find(CAPACITY_FILE_MAX, 65535, 1984);
}
END_TEST

START_TEST(threads_of_the_user_are_in_use_without_our_own)
{
	put_nproc("4096");
	put_self(USER, NO_CAPS);
	put_task("7", USER, 30, NO_CAPS);
	put_task("1234567", USER, 5, NO_CAPS);
	put_task("8", USER + 1, 700, NO_CAPS);
	put_task("0x9", USER, 9000, NO_CAPS);
	put("proc/60/comm", "gone\n");
	must_find(CAPACITY_NPROC, 4096, 35);
}
END_TEST

START_TEST(root_that_becomes_a_user_is_bound_by_what_that_user_has)
{
	put_nproc("4096");
	put_self(0, "ffffffffffffffff");
	put_task("7", USER, 30, NO_CAPS);
	must_find(CAPACITY_NPROC, 4096, 30);
}
END_TEST

START_TEST(root_and_the_privileged_have_no_limit_of_processes)
{
	static const char *const enough[] = { "0000000000200000", "0000000001000000" };

	put_nproc("4096");
	put_self(0, NO_CAPS);
	self.uid = 0;
	must_find_none(CAPACITY_NPROC);
	self.uid = USER;
	for (size_t i = 0; i < sizeof(enough) / sizeof(enough[0]); i++) {
		put_self(USER, enough[i]);
		must_find_none(CAPACITY_NPROC);
	}
	put_self(USER, "000001fffedfffff"); /* all but those two */
	must_find(CAPACITY_NPROC, 4096, 0);
}
END_TEST

START_TEST(an_unlimited_ulimit_does_not_bind)
{
	put_self(USER, NO_CAPS);
	put_limits("unlimited", "unlimited", "unlimited");
	collect();
	ck_assert_uint_eq(facts.n, 0);
}
END_TEST

START_TEST(ulimits_of_memory_are_read)
{
	put_limits("unlimited", "1073741824", "536870912");
	must_find(CAPACITY_AS, 1073741824, 0);
	must_find(CAPACITY_DATA, 536870912, 0);
	ck_assert_uint_eq(facts.n, 2);
}
END_TEST

START_TEST(a_process_that_leaves_is_not_in_the_way)
{
	put_nproc("4096");
	put("proc/sys/kernel/pid_max", "32768\n");
	put("proc/loadavg", "0.00 0.00 0.00 1/20224 777\n");
	put("proc/self/cgroup", "0::/a\n");
	put("sys/fs/cgroup/a/pids.max", "30000\n");
	put("sys/fs/cgroup/a/pids.current", "18103\n");
	put_self(USER, NO_CAPS);
	put_task("40", USER, 18000, NO_CAPS);
	must_find(CAPACITY_NPROC, 4096, 18000);
	must_find(CAPACITY_PID_MAX, 32768, 20221);
	must_find(CAPACITY_CGROUP_PIDS, 30000, 18100);
	self.leaving = 40;
	must_find(CAPACITY_NPROC, 4096, 0);
	must_find(CAPACITY_PID_MAX, 32768, 2221);
	must_find(CAPACITY_CGROUP_PIDS, 30000, 100);
	put_self(0, NO_CAPS); /* the new one has not dropped root yet */
	must_find(CAPACITY_NPROC, 4096, 0);
	self.leaving = 41;
	must_find(CAPACITY_NPROC, 4096, 18000);
}
END_TEST

START_TEST(the_limit_of_the_own_cgroup_is_found)
{
	put("proc/self/cgroup", "0::/system.slice/dcsd.service\n");
	put("sys/fs/cgroup/system.slice/dcsd.service/pids.max", "4915\n");
	put("sys/fs/cgroup/system.slice/dcsd.service/pids.current", "3\n");
	put_self(0, NO_CAPS);
	must_find_cgroup(0, "/system.slice/dcsd.service", 4915, 0);
	ck_assert_uint_eq(facts.n, 1);
	ck_assert_int_eq(room(CAPACITY_NOW), 2452);
}
END_TEST

START_TEST(the_smallest_limit_up_the_tree_of_cgroups_binds)
{
	struct capacity_room least;

	put("proc/self/cgroup", "0::/a/b/c\n");
	put("sys/fs/cgroup/a/b/c/pids.max", "max\n");
	put("sys/fs/cgroup/a/b/pids.max", "5010\n");
	put("sys/fs/cgroup/a/b/pids.current", "100\n");
	put("sys/fs/cgroup/a/pids.max", "6010\n");
	put("sys/fs/cgroup/a/pids.current", "4000\n");
	put("sys/fs/cgroup/other/pids.max", "1\n");
	put("sys/fs/pids.max", "1\n");
	must_find_cgroup(0, "/a/b", 5010, 100);
	must_find_cgroup(1, "/a", 6010, 4000);
	ck_assert_uint_eq(facts.n, 2);
	least = capacity_room(&facts, &needs, CAPACITY_NOW);
	ck_assert_int_eq(least.tunnels, 1000);
	ck_assert_str_eq(least.limit->cgroup, "/a");
	least = capacity_room(&facts, &needs, CAPACITY_AT_BEST);
	ck_assert_int_eq(least.tunnels, 2500);
	ck_assert_str_eq(least.limit->cgroup, "/a/b");
}
END_TEST

START_TEST(cgroups_of_version_1_are_found_by_their_controller)
{
	put("proc/self/cgroup",
		"9:name=systemd:/z\n8:cpu,pids,cpuacct:/a/b\n7:memory:/m\n6:xpids,pidsx:/"
		"y\n"
		"0::/z\n");
	put("sys/fs/cgroup/pids/a/b/pids.max", "500\n");
	put("sys/fs/cgroup/pids/a/b/pids.current", "20\n");
	put("sys/fs/cgroup/pids/a/pids.max", "400\n");
	put("sys/fs/cgroup/pids/z/pids.max", "1\n");
	put("sys/fs/cgroup/pids/y/pids.max", "1\n");
	put("sys/fs/cgroup/pids/m/pids.max", "1\n");
	put("sys/fs/cgroup/memory/m/memory.limit_in_bytes", "536870912\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	must_find_cgroup(0, "/a/b", 500, 20);
	must_find_cgroup(1, "/a", 400, 0);
	must_find_cgroup(2, "/m", 536870912, 0);
	must_find_cgroup(3, "/", 9223372036854771712U, 0);
	ck_assert_uint_eq(facts.n, 4);
	facts.limits[0] = facts.limits[3];
	facts.n = 1;
	ck_assert_int_eq(room(CAPACITY_NOW), INT_MAX);
}
END_TEST

START_TEST(the_memory_of_a_cgroup_is_found)
{
	put("proc/self/cgroup", "0::/a/b\n");
	put("sys/fs/cgroup/a/b/memory.max", "max\n");
	put("sys/fs/cgroup/a/memory.max", "268435456\n");
	must_find(CAPACITY_CGROUP_MEMORY, 268435456, 0);
	ck_assert_str_eq(facts.limits[0].cgroup, "/a");
}
END_TEST

START_TEST(a_container_that_sees_the_path_outside_has_its_own_as_the_topmost)
{
	put("proc/self/cgroup", "3:pids:/docker/0123456789abcdef\n0::/\n");
	put("sys/fs/cgroup/pids/pids.max", "700\n");
	put("sys/fs/cgroup/pids/pids.current", "5\n");
	put("sys/fs/cgroup/pids.max", "800\n");
	put_self(0, NO_CAPS);
	must_find_cgroup(0, "/", 700, 2);
	must_find_cgroup(1, "/", 800, 0);
	ck_assert_uint_eq(facts.n, 2);
}
END_TEST

START_TEST(nothing_is_looked_for_above_the_mount)
{
	put("proc/self/cgroup", "0::/../../x\n");
	put("sys/fs/cgroup/x/pids.max", "1\n");
	put("sys/fs/pids.max", "1\n");
	put("sys/x/pids.max", "1\n");
	put("sys/fs/cgroup/pids.max", "800\n");
	must_find_cgroup(0, "/", 800, 0);
	ck_assert_uint_eq(facts.n, 1);
}
END_TEST

START_TEST(the_name_of_a_cgroup_cannot_forge_a_line)
{
	put("proc/self/cgroup", "0::/a b\"\x1b\n");
	put("sys/fs/cgroup/a b\"\x1b/pids.max", "800\n");
	must_find_cgroup(0, "/a\\x20b\\x22\\x1b", 800, 0);
}
END_TEST

START_TEST(cgroups_without_end_fill_no_more_than_the_table)
{
	char path[400] = "", file[512];

	for (int i = 0; i < 50; i++) {
		strcat(path, "/d");
		snprintf(file, sizeof(file), "sys/fs/cgroup%s/pids.max", path);
		put(file, "900\n");
	}
	snprintf(file, sizeof(file), "0::%s\n", path);
	put("proc/self/cgroup", file);
	must_find_cgroup(0, path, 900, 0);
	ck_assert_uint_eq(facts.n, sizeof(facts.limits) / sizeof(facts.limits[0]));
}
END_TEST

START_TEST(a_path_as_long_as_they_get_is_followed_up_to_the_top)
{
	static char line[4200], file[4400];

	strcpy(line, "0::");
	while (strlen(line) < 3900)
		strcat(line, "/d2345");
	snprintf(file, sizeof(file), "sys/fs/cgroup%s/pids.max", line + 3);
	put(file, "800\n");
	put("sys/fs/cgroup/d2345/pids.max", "900\n");
	while (strlen(line) < 4090)
		strcat(line, "/d2345");
	put("proc/self/cgroup", strcat(line, "\n"));
	collect();
	ck_assert_uint_eq(facts.limits[0].max, 800);
	must_find_cgroup(1, "/d2345", 900, 0);
	ck_assert_uint_eq(facts.n, 2);
}
END_TEST

START_TEST(the_soft_limit_of_fds_is_raised_to_the_hard_one)
{
	struct rlimit before, after;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	after = before;
	after.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &after), 0);
	ck_assert_uint_eq(capacity_raise_nofile(), before.rlim_max);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
	ck_assert_uint_eq(after.rlim_cur, before.rlim_max);
	ck_assert_uint_eq(after.rlim_max, before.rlim_max);
	ck_assert_uint_eq(capacity_raise_nofile(), before.rlim_max);
}
END_TEST

static int
open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

START_TEST(this_machine_has_limits_and_no_fd_stays_open)
{
	int before = open_fds();

	self.nofile = 20000;
	self.uid = getuid() ? getuid() : USER;
	capacity_collect(&facts, "/", &self);
	ck_assert_int_eq(open_fds(), before);
	ck_assert_int_ge(room(CAPACITY_NOW), 0);
	ck_assert_int_ge(room(CAPACITY_AT_BEST), room(CAPACITY_NOW));
	ck_assert_int_le(room(CAPACITY_AT_BEST), 9900);
	if (access("/proc/sys/kernel/pid_max", R_OK) == 0)
		ck_assert_ptr_nonnull(found(CAPACITY_PID_MAX));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("capacity");
	TCase *tc = tcase_create("capacity");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_tunnel_takes_two_fds_beyond_the_reserve);
	tcase_add_test(tc, every_limit_counts_in_what_it_limits);
	tcase_add_test(tc, the_smallest_room_binds);
	tcase_add_test(tc, what_others_use_is_taken_off_for_now_only);
	tcase_add_test(tc, a_limit_below_the_reserve_has_room_for_none);
	tcase_add_test(tc, without_limits_nothing_binds);
	tcase_add_test(tc, a_resource_that_does_not_matter_does_not_bind);
	tcase_add_test(tc, the_text_names_what_binds);
	tcase_add_test(tc, as_many_as_there_is_room_for_are_all_right);
	tcase_add_test(
		tc, each_limit_that_is_short_is_named_with_what_it_would_have_to_be);
	tcase_add_test(tc, what_is_said_to_be_needed_is_enough_and_no_more);
	tcase_add_test(tc, advice_is_for_the_knob_in_its_own_unit);
	tcase_add_test(tc, without_a_number_one_tunnel_at_least_is_asked_for);
	tcase_add_test(tc, the_longest_text_is_whole);
	tcase_add_test(tc, an_empty_root_leaves_the_fds);
	tcase_add_test(tc, sysctls_are_read);
	tcase_add_test(tc, threads_of_the_system_are_in_use_without_our_own);
	tcase_add_test(tc, what_is_garbled_does_not_bind);
	tcase_add_test(tc, lines_that_name_no_cgroup_are_passed_over);
	tcase_add_test(tc, open_files_of_the_system_bind_but_not_who_may_pass_them);
	tcase_add_test(tc, threads_of_the_user_are_in_use_without_our_own);
	tcase_add_test(tc, root_that_becomes_a_user_is_bound_by_what_that_user_has);
	tcase_add_test(tc, root_and_the_privileged_have_no_limit_of_processes);
	tcase_add_test(tc, an_unlimited_ulimit_does_not_bind);
	tcase_add_test(tc, ulimits_of_memory_are_read);
	tcase_add_test(tc, a_process_that_leaves_is_not_in_the_way);
	tcase_add_test(tc, the_limit_of_the_own_cgroup_is_found);
	tcase_add_test(tc, the_smallest_limit_up_the_tree_of_cgroups_binds);
	tcase_add_test(tc, cgroups_of_version_1_are_found_by_their_controller);
	tcase_add_test(tc, the_memory_of_a_cgroup_is_found);
	tcase_add_test(
		tc, a_container_that_sees_the_path_outside_has_its_own_as_the_topmost);
	tcase_add_test(tc, nothing_is_looked_for_above_the_mount);
	tcase_add_test(tc, the_name_of_a_cgroup_cannot_forge_a_line);
	tcase_add_test(tc, cgroups_without_end_fill_no_more_than_the_table);
	tcase_add_test(tc, a_path_as_long_as_they_get_is_followed_up_to_the_top);
	tcase_add_test(tc, the_soft_limit_of_fds_is_raised_to_the_hard_one);
	tcase_add_test(tc, this_machine_has_limits_and_no_fd_stays_open);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
