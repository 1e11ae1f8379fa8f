/* SPDX-License-Identifier: ISC */
/* Files that hold a secret: which are refused, and what of their first line is taken. */
#include "config.h"
#include "secret_file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes and their number, of a literal with NULs inside. */
#define BYTES(literal) literal, sizeof(literal) - 1

static char folder[64], path[128], other[128];
static uint8_t secret[SECRET_FILE_SIZE];

static void
make_folder(void)
{
	strcpy(folder, "/tmp/test_secret_file.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/secret", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	memset(secret, 0xa5, sizeof(secret));
}

static void
remove_folder(void)
{
	unlink(path);
	rmdir(path);
	unlink(other);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void
put_file(const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd != -1 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

/* The secret and the NULs behind it, whatever stood there before. */
static void
expect_secret(const void *bytes, size_t size)
{
	uint8_t want[SECRET_FILE_SIZE] = { 0 };
	const char *why = "";

	memcpy(want, bytes, size);
	ck_assert_int_eq(secret_file_line(secret, path, &why), (int)size);
	ck_assert_mem_eq(secret, want, sizeof(want));
}

static void
expect_refused(const char *text)
{
	static const uint8_t wiped[SECRET_FILE_SIZE];
	const char *why = NULL;

	memset(secret, 0xa5, sizeof(secret));
	ck_assert_int_eq(secret_file_line(secret, path, &why), -1);
	ck_assert_str_eq(why, text);
	ck_assert_mem_eq(secret, wiped, sizeof(wiped));
}

static void
expect_not_opened(const char *text)
{
	const char *why = NULL;
	struct stat st;

	ck_assert_int_eq(secret_file_open(path, &st, &why), -1);
	ck_assert_str_eq(why, text);
	expect_refused(text);
}

START_TEST(the_first_line_is_the_secret_without_its_end)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *secret;
	} rows[] = {
		{ BYTES("secret"), "secret" },
		{ BYTES("secret\n"), "secret" },
		{ BYTES("secret\r\n"), "secret" },
		{ BYTES("secret\r"), "secret" },
		{ BYTES("secret\nsecond\n"), "secret" },
		{ BYTES("secret\n\0\n"), "secret" },
		{ BYTES("s"), "s" },
		{ BYTES("\r\r\n"), "\r" },
		{ BYTES("a\rb\n"), "a\rb" },
		{ BYTES(" a \t#\xff\x1b: \n"), " a \t#\xff\x1b: " },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		put_file(rows[i].bytes, rows[i].size);
		expect_secret(rows[i].secret, strlen(rows[i].secret));
	}
}
END_TEST

START_TEST(a_line_of_255_bytes_is_taken_and_one_of_256_refused)
{
	static const char *const ends[] = { "", "\n", "\r\n", "\nsecond", "\r\nsecond" };
	char bytes[512];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < COUNT(ends); i++) {
		memset(bytes, 'x', 256);
		memcpy(bytes + 255, ends[i], strlen(ends[i]));
		put_file(bytes, 255 + strlen(ends[i]));
		expect_secret(bytes, 255);
		memset(bytes, 'x', 256);
		memcpy(bytes + 256, ends[i], strlen(ends[i]));
		put_file(bytes, 256 + strlen(ends[i]));
		expect_refused("its first line has more than 255 bytes");
	}
	memset(bytes, 'x', sizeof(bytes));
	put_file(bytes, sizeof(bytes));
	expect_refused("its first line has more than 255 bytes");
	/* Only the CR that ends the line is no part of it. */
	bytes[255] = '\r';
	put_file(bytes, sizeof(bytes));
	expect_refused("its first line has more than 255 bytes");
}
END_TEST

START_TEST(an_empty_first_line_is_refused)
{
	static const char *const all[] = { "", "\n", "\r\n", "\r", "\nsecret\n" };

	for (size_t i = 0; i < COUNT(all); i++) {
		put_file(all[i], strlen(all[i]));
		expect_refused("its first line is empty");
	}
}
END_TEST

START_TEST(a_nul_byte_in_the_first_line_is_refused)
{
	put_file(BYTES("sec\0ret\n"));
	expect_refused("its first line has a NUL byte");
	put_file(BYTES("\0"));
	expect_refused("its first line has a NUL byte");
	put_file(BYTES("secret\0"));
	expect_refused("its first line has a NUL byte");
}
END_TEST

START_TEST(a_file_that_others_have_access_to_is_refused)
{
	static const mode_t bad[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0644, 0777 };

	put_file(BYTES("secret\n"));
	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(chmod(path, bad[i]), 0);
		expect_not_opened("group or others have access to it: its mode must be "
				  "0600 or 0400");
	}
	ck_assert_int_eq(chmod(path, 0400), 0);
	expect_secret("secret", 6);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_waiting)
{
	expect_not_opened(strerror(ENOENT));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect_not_opened("not a regular file");
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_not_opened("not a regular file");
	rmdir(path);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	expect_not_opened("not a regular file");
}
END_TEST

/* What counts is the file that the link leads to. */
START_TEST(a_link_is_followed)
{
	put_file(BYTES("secret\n"));
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert_int_eq(symlink("other", path), 0);
	expect_secret("secret", 6);
	ck_assert_int_eq(chmod(other, 0604), 0);
	expect_not_opened("group or others have access to it: its mode must be 0600 or "
			  "0400");
}
END_TEST

START_TEST(an_open_file_is_described_and_close_on_exec)
{
	const char *why = NULL;
	struct stat st;
	char byte;
	int fd;

	put_file(BYTES("secret\n"));
	fd = secret_file_open(path, &st, &why);
	ck_assert_msg(fd != -1, "%s", why);
	ck_assert_int_eq(st.st_size, 7);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	ck_assert_int_eq(byte, 's');
	close(fd);
}
END_TEST

START_TEST(no_fd_is_left_open)
{
	int before = dup(0), after;

	close(before);
	put_file(BYTES("secret\n"));
	expect_secret("secret", 6);
	put_file(BYTES("\n"));
	expect_refused("its first line is empty");
	ck_assert_int_eq(chmod(path, 0644), 0);
	expect_not_opened("group or others have access to it: its mode must be 0600 or "
			  "0400");
	after = dup(0);
	ck_assert_int_eq(after, before);
	close(after);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("secret_file");
	TCase *tc = tcase_create("secret_file");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_add_test(tc, the_first_line_is_the_secret_without_its_end);
	tcase_add_test(tc, a_line_of_255_bytes_is_taken_and_one_of_256_refused);
	tcase_add_test(tc, an_empty_first_line_is_refused);
	tcase_add_test(tc, a_nul_byte_in_the_first_line_is_refused);
	tcase_add_test(tc, a_file_that_others_have_access_to_is_refused);
	tcase_add_test(tc, what_is_no_regular_file_is_refused_without_waiting);
	tcase_add_test(tc, a_link_is_followed);
	tcase_add_test(tc, an_open_file_is_described_and_close_on_exec);
	tcase_add_test(tc, no_fd_is_left_open);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
