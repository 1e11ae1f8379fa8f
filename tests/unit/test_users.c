/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of hash and users, with the system's own crypt(3). Methods that it does not
 * know are passed over.
 */
#include "config.h"
#include "users.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt_call.h"
#include "hash.h"
#include "siphash.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of "secret", so that files need no hashing when they are made. */
#define HASH                                                                             \
	"$6$rounds=1000$salt$HNxBeBnDfSfUrTj6KiLnmd7tGCvHEmcExh8kl/S0"                   \
	"cZ5WrCciNZgfhbpkeFQ4JfkHX.8vPq45lY0iINnCx1Lkm."

static char dir[] = "/tmp/test_users.XXXXXX"; /* of all tests, one after the other */
static char path[64], why[1024];

static void
make_dir(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/u", dir);
}

static void
remove_dir(void)
{
	unlink(path);
	rmdir(dir);
}

static void
write_bytes(const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd != -1 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static struct users *
read_users(const char *text)
{
	struct stat st;
	int fd;

	write_bytes(text, strlen(text));
	fd = users_open(path, &st, why, sizeof(why));
	ck_assert_msg(fd != -1, "%s", why);
	return users_read(fd, "F", why, sizeof(why));
}

static void
refused(const char *text, const char *said)
{
	struct users *users = read_users(text);

	ck_assert_msg(!users, "accepted: %s", text);
	ck_assert_str_eq(why, said);
}

START_TEST(every_method_makes_hashes_that_match)
{
	unsigned known = 0;

	for (size_t i = 0; hash_methods[i]; i++) {
		char hash[HASH_SIZE], other[HASH_SIZE];
		const char *text;

		if (hash_make(hash, hash_methods[i], "sec\xffret") == -1) {
			ck_assert_int_eq(errno, ENOTSUP);
			continue;
		}
		known++;
		ck_assert_int_eq(hash_make(other, hash_methods[i], "sec\xffret"), 0);
		ck_assert_str_ne(hash, other);
		ck_assert_msg(hash_well_formed(hash, &text), "%s: %s", hash, text);
		ck_assert(hash_known(hash));
		ck_assert(hash_same_method(hash, other));
		ck_assert(hash_matches(hash, "sec\xffret"));
		ck_assert(!hash_matches(hash, "sec\xferet") && errno == EACCES);
		ck_assert(!hash_matches(hash, "sec\xffre"));
		ck_assert(!hash_matches(hash, ""));
	}
	ck_assert_uint_ge(known, 1);
}
END_TEST

START_TEST(the_best_method_that_the_system_knows_is_the_default)
{
	char hash[HASH_SIZE], best[HASH_SIZE];
	size_t i = 0;

	while (hash_make(best, hash_methods[i], "secret") == -1)
		ck_assert_ptr_nonnull(hash_methods[++i]);
	ck_assert_int_eq(hash_make(hash, NULL, "secret"), 0);
	ck_assert(hash_same_method(hash, best));
	ck_assert_int_eq(hash_make(hash, "rot13", "secret"), -1);
	ck_assert_int_eq(errno, ENOTSUP);
}
END_TEST

START_TEST(long_passwords_are_not_cut)
{
	char hash[HASH_SIZE], password[256];

	memset(password, 'x', 255);
	password[255] = '\0';
	ck_assert_int_eq(hash_make(hash, NULL, password), 0);
	ck_assert(hash_matches(hash, password));
	password[254] = 'y';
	ck_assert(!hash_matches(hash, password));
}
END_TEST

/* bcrypt itself would say yes to the longer one. */
START_TEST(bcrypt_refuses_what_it_would_cut)
{
	char hash[HASH_SIZE], password[74];

	memset(password, 'x', 73);
	password[73] = '\0';
	ck_assert_int_eq(hash_make(hash, "bcrypt", password), -1);
	ck_assert_int_eq(errno, E2BIG);
	password[72] = '\0';
	if (hash_make(hash, "bcrypt", password) == -1)
		return;
	ck_assert(hash_matches(hash, password));
	password[72] = 'x';
	ck_assert(!hash_matches(hash, password));
	ck_assert_int_eq(errno, EACCES);
}
END_TEST

START_TEST(malformed_hashes_are_not_well_formed)
{
	static const char *const bad[] = { "", "x", "secret", "*", "!", "!" HASH, "$",
		"$6$", "$6$salt$", "$6$salt$short", HASH "x", HASH "=", " " HASH,
		HASH " ", "$6$sa:lt$x", "ab012345678ab", "$0$" HASH, "$2x$10$" HASH,
		"$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz0123",
		"$1$salt$aaaaaaaaaaaaaaaaaaaaa", "$1$salt$aaaaaaaaaaaaaaaaaaaaa=",
		"$y$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x80" };
	const char *text;

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!hash_well_formed(bad[i], &text), "%s", bad[i]);
	ck_assert(hash_well_formed(HASH, &text));
}
END_TEST

START_TEST(hash_of_parameters_that_the_system_does_not_know_is_an_error_not_a_no)
{
	static const char hash[] = "$y$zzzzzzzz$salt$abcdefghijklmnopqrstuvwxyz0123456789"
				   "ABCDEFG";

	ck_assert(!hash_matches(hash, "secret"));
	ck_assert_int_ne(errno, EACCES);
}
END_TEST

START_TEST(siphash_is_that_of_the_paper)
{
	uint8_t key[SIPHASH_KEY], data[15];

	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof(data); i++)
		data[i] = i;
	ck_assert(siphash(key, data, sizeof(data)) == UINT64_C(0xa129ca6149be45e5));
	ck_assert(siphash(key, data, 8) == UINT64_C(0x93f5f5799a932462));
	ck_assert(siphash(key, data, 0) == UINT64_C(0x726fdb47dd0e0e31));
}
END_TEST

START_TEST(every_field_is_read)
{
	struct users *users = read_users("# the staff\n\n"
					 "ann:" HASH ":2026-12-31:7:"
					 "10.0.0.0/8,[2001:db8::/32],[::1]:staff,ops\n"
					 "bob:" HASH "\n"
					 "j\xc3\xb6rg [x a.b@c:" HASH "::::\r\n"
					 "zoe:" HASH "::::night");
	const struct user *user;

	ck_assert_msg(users != NULL, "%s", why);
	ck_assert_uint_eq(users_count(users), 4);
	user = users_find(users, "ann");
	ck_assert_str_eq(user->name, "ann");
	ck_assert_str_eq(user->hash, HASH);
	ck_assert_uint_eq(user->expires, 20261231);
	ck_assert_uint_eq(user->max_tunnels, 7);
	ck_assert_uint_eq(user->networks.n, 3);
	ck_assert_int_eq(user->networks.list[1].family, AF_INET6);
	ck_assert_uint_eq(user->networks.list[1].bits, 32);
	ck_assert_str_eq(user->groups, "staff,ops");
	user = users_find(users, "bob");
	ck_assert(user->expires == 0 && user->max_tunnels == 0 && user->networks.n == 0);
	ck_assert_str_eq(user->groups, "");
	ck_assert_ptr_nonnull(users_find(users, "j\xc3\xb6rg [x a.b@c"));
	ck_assert_str_eq(users_find(users, "zoe")->groups, "night");
	ck_assert_ptr_null(users_find(users, "an"));
	ck_assert_ptr_null(users_find(users, "annn"));
	ck_assert_ptr_null(users_find(users, "Ann"));
	ck_assert_ptr_null(users_find(users, ""));
	ck_assert_str_eq(users_first_hash(users), HASH);
	users_free(users);
}
END_TEST

START_TEST(file_without_users_is_good)
{
	struct users *users = read_users("# nobody yet\n");

	ck_assert_msg(users != NULL, "%s", why);
	ck_assert_uint_eq(users_count(users), 0);
	ck_assert_ptr_null(users_first_hash(users));
	ck_assert_ptr_null(users_find(users, "ann"));
	users_free(users);
}
END_TEST

START_TEST(a_thousand_users_are_all_found)
{
	static char text[1000 * 200];
	struct users *users;
	char name[16];
	size_t len = 0;

	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "u%d:" HASH "\n", i * 7 % 1000);
	users = read_users(text);
	ck_assert_msg(users != NULL, "%s", why);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		ck_assert_str_eq(users_find(users, name)->name, name);
	}
	users_free(users);
}
END_TEST

START_TEST(errors_have_file_line_and_field)
{
	static const struct {
		const char *line, *said;
	} bad[] = {
		{ "ann", "F:1: HASH: not a hash of crypt(3), as $6$..." },
		{ ":" HASH, "F:1: NAME: not the name of a user" },
		{ "*:" HASH, "F:1: NAME: not the name of a user" },
		{ "@a:" HASH, "F:1: NAME: not the name of a user" },
		{ " ann:" HASH, "F:1: NAME: not the name of a user" },
		{ "ann :" HASH, "F:1: NAME: not the name of a user" },
		{ "a\tb:" HASH, "F:1: NAME: not the name of a user" },
		{ "a\x7f:" HASH, "F:1: NAME: not the name of a user" },
		{ "ann:secret", "F:1: HASH: not a hash of crypt(3), as $6$..." },
		{ "ann:" HASH ":2026-02-29", "F:1: EXPIRES: there is no such day" },
		{ "ann:" HASH ":2026-13-01", "F:1: EXPIRES: there is no such day" },
		{ "ann:" HASH ":2026-04-31", "F:1: EXPIRES: there is no such day" },
		{ "ann:" HASH ":2026-1-01", "F:1: EXPIRES: not a date, as 2026-12-31" },
		{ "ann:" HASH ":31.12.2026", "F:1: EXPIRES: not a date, as 2026-12-31" },
		{ "ann:" HASH ":2026-12-+1", "F:1: EXPIRES: there is no such day" },
		{ "ann:" HASH "::-1",
			"F:1: MAX_TUNNELS: not a number from 0 to 1000000" },
		{ "ann:" HASH "::1000001",
			"F:1: MAX_TUNNELS: not a number from 0 to 1000000" },
		{ "ann:" HASH "::4294967297",
			"F:1: MAX_TUNNELS: not a number from 0 to 1000000" },
		{ "ann:" HASH ":::10.0.0.1/8",
			"F:1: NETWORKS: bits are set behind the prefix length" },
		{ "ann:" HASH ":::10.0.0.0/8,",
			"F:1: NETWORKS: an address or a network is wanted, as "
			"192.0.2.0/24" },
		{ "ann:" HASH ":::[2001:db8::/32",
			"F:1: NETWORKS: an address or a network is wanted, as "
			"192.0.2.0/24" },
		{ "ann:" HASH ":::2001:db8::/32",
			"F:1: too many colons (an IPv6 network stands in [ ])" },
		{ "ann:" HASH "::::a,,b", "F:1: GROUPS: not the names of groups" },
		{ "ann:" HASH "::::@a", "F:1: GROUPS: not the names of groups" },
		{ "ann:" HASH "::::a b", "F:1: GROUPS: not the names of groups" },
		{ "ann:" HASH "::::a:b",
			"F:1: too many colons (an IPv6 network stands in [ ])" },
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		refused(bad[i].line, bad[i].said);
}
END_TEST

START_TEST(all_errors_are_told_at_once)
{
	refused("ann:x\nbob:" HASH "\n#\nbob:" HASH "\neve:" HASH ":x\nbob:" HASH "\n",
		"F:1: HASH: not a hash of crypt(3), as $6$...\n"
		"F:5: EXPIRES: not a date, as 2026-12-31\n"
		"F:4: NAME: it stands in line 2 already\n"
		"F:6: NAME: it stands in line 4 already");
}
END_TEST

START_TEST(errors_that_do_not_fit_are_left_out_whole)
{
	struct stat st;
	int fd;

	write_bytes("a\nb\nc\n", 6);
	fd = users_open(path, &st, why, sizeof(why));
	ck_assert_ptr_null(users_read(fd, "F", why, 100));
	ck_assert_str_eq(why,
		"F:1: HASH: not a hash of crypt(3), as $6$...\n"
		"F:2: HASH: not a hash of crypt(3), as $6$...");
	fd = users_open(path, &st, why, sizeof(why));
	ck_assert_ptr_null(users_read(fd, "F", why, 10));
	ck_assert_str_eq(why, "F:1: HASH");
}
END_TEST

START_TEST(nul_byte_is_told)
{
	static const char text[] = "ann:" HASH "\nbob\0:" HASH "\n";
	struct stat st;
	int fd;

	write_bytes(text, sizeof(text) - 1);
	fd = users_open(path, &st, why, sizeof(why));
	ck_assert_ptr_null(users_read(fd, "F", why, sizeof(why)));
	ck_assert_str_eq(why, "F:2: a NUL byte");
}
END_TEST

static void
not_opened(const char *said)
{
	char want[128];
	struct stat st;

	snprintf(want, sizeof(want), "%s: %s", path, said);
	ck_assert_int_eq(users_open(path, &st, why, sizeof(why)), -1);
	ck_assert_str_eq(why, want);
}

START_TEST(file_that_others_have_access_to_is_refused)
{
	static const mode_t modes[] = { 0640, 0620, 0604, 0602, 0644, 0610, 0777 };
	struct stat st;
	int fd;

	write_bytes("", 0);
	for (size_t i = 0; i < COUNT(modes); i++) {
		chmod(path, modes[i]);
		not_opened("group or others have access to it: its mode must be 0600 or "
			   "0400");
	}
	chmod(path, 0400);
	fd = users_open(path, &st, why, sizeof(why));
	ck_assert_msg(fd != -1, "%s", why);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	chmod(path, 0600);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused)
{
	unlink(path);
	not_opened(strerror(ENOENT));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	not_opened("not a regular file");
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	not_opened("not a regular file");
	rmdir(path);
}
END_TEST

START_TEST(a_file_larger_than_16_mib_is_refused)
{
	const off_t most = 16 * 1024 * 1024;
	struct stat st;
	int fd;

	write_bytes("", 0);
	ck_assert_int_eq(truncate(path, most + 1), 0);
	not_opened("larger than 16 MiB");
	ck_assert_int_eq(truncate(path, most), 0);
	fd = users_open(path, &st, why, sizeof(why));
	ck_assert_msg(fd != -1, "%s", why);
	ck_assert(st.st_size == most);
	close(fd);
}
END_TEST

START_TEST(a_user_expires_when_the_day_is_over_in_utc)
{
	struct user user = { .expires = 20261231 };
	const time_t midnight = 1798761600; /* 2027-01-01 00:00:00 UTC */

	ck_assert_int_eq(setenv("TZ", "UTC+12", 1), 0);
	ck_assert(!user_expired(&user, midnight - 1));
	ck_assert(user_expired(&user, midnight));
	user.expires = 0;
	ck_assert(!user_expired(&user, midnight));
}
END_TEST

START_TEST(names_with_a_nul_are_no_names)
{
	ck_assert(users_name_ok("ann", 3));
	ck_assert(!users_name_ok("ann\0x", 5));
	ck_assert(!users_name_ok("ann\0", 4));
	ck_assert(!users_name_ok("", 0));
	ck_assert(!users_name_ok("\0", 1));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("users");
	TCase *t = tcase_create("users");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_unchecked_fixture(t, make_dir, remove_dir);
	tcase_add_test(t, every_method_makes_hashes_that_match);
	tcase_add_test(t, the_best_method_that_the_system_knows_is_the_default);
	tcase_add_test(t, long_passwords_are_not_cut);
	tcase_add_test(t, bcrypt_refuses_what_it_would_cut);
	tcase_add_test(t, malformed_hashes_are_not_well_formed);
	tcase_add_test(
		t, hash_of_parameters_that_the_system_does_not_know_is_an_error_not_a_no);
	tcase_add_test(t, siphash_is_that_of_the_paper);
	tcase_add_test(t, every_field_is_read);
	tcase_add_test(t, file_without_users_is_good);
	tcase_add_test(t, a_thousand_users_are_all_found);
	tcase_add_test(t, errors_have_file_line_and_field);
	tcase_add_test(t, all_errors_are_told_at_once);
	tcase_add_test(t, errors_that_do_not_fit_are_left_out_whole);
	tcase_add_test(t, nul_byte_is_told);
	tcase_add_test(t, file_that_others_have_access_to_is_refused);
	tcase_add_test(t, what_is_no_regular_file_is_refused);
	tcase_add_test(t, a_file_larger_than_16_mib_is_refused);
	tcase_add_test(t, a_user_expires_when_the_day_is_over_in_utc);
	tcase_add_test(t, names_with_a_nul_are_no_names);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
