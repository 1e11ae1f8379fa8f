/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of socks_auth. Each parser gets its bytes at the very end of a block of the
 * heap, so that a sanitizer sees a read beyond them.
 */
#include "config.h"
#include "socks_auth.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 600

static uint8_t *
at_end(const uint8_t *data, size_t size)
{
	static uint8_t *block;

	if (!block)
		block = malloc(ROOM);
	ck_assert(block != NULL && size <= ROOM);
	if (size > 0)
		memcpy(block + ROOM - size, data, size);
	return block + ROOM - size;
}

/* Parses; what is not PARSE_OK must have changed nothing. */
static enum parse
parse(struct socks_credentials *c, const uint8_t *data, size_t size, size_t *used)
{
	struct socks_credentials before;
	enum parse verdict;

	memset(c, 0xa5, sizeof(*c));
	before = *c;
	*used = 0;
	verdict = socks_parse_credentials(c, at_end(data, size), size, used);
	if (verdict != PARSE_OK)
		ck_assert(*used == 0 && memcmp(c, &before, sizeof(before)) == 0);
	return verdict;
}

static struct socks_credentials
filled(size_t name_len, size_t password_len)
{
	struct socks_credentials c = { .name_len = (uint8_t)name_len,
		.password_len = (uint8_t)password_len };

	/* Every byte there is, NUL included. */
	for (size_t i = 0; i < name_len; i++)
		c.name[i] = (uint8_t)i;
	for (size_t i = 0; i < password_len; i++)
		c.password[i] = (uint8_t)(255 - i);
	return c;
}

START_TEST(credentials_come_back_as_they_were_built)
{
	static const size_t lens[] = { 0, 1, 2, 127, 128, 254, 255 };
	size_t lengths = sizeof(lens) / sizeof(lens[0]);

	for (size_t i = 0; i < lengths * lengths; i++) {
		struct socks_credentials c = filled(lens[i / lengths], lens[i % lengths]);
		struct socks_credentials got;
		uint8_t buf[SOCKS_CREDENTIALS];
		size_t size = socks_build_credentials(buf, &c), used;

		ck_assert_uint_eq(size, 3u + c.name_len + c.password_len);
		ck_assert_int_eq(parse(&got, buf, size, &used), PARSE_OK);
		ck_assert_uint_eq(used, size);
		ck_assert_mem_eq(&got, &c, sizeof(c));
	}
}
END_TEST

START_TEST(every_beginning_of_credentials_wants_more)
{
	struct socks_credentials c = filled(255, 255), got;
	uint8_t buf[SOCKS_CREDENTIALS];
	size_t size = socks_build_credentials(buf, &c), used;

	for (size_t part = 0; part < size; part++)
		ck_assert_int_eq(parse(&got, buf, part, &used), PARSE_MORE);
}
END_TEST

START_TEST(what_stands_behind_credentials_is_left)
{
	static const uint8_t data[] = { 1, 3, 'a', 'n', 'n', 2, 'p', 'w', 5, 1, 0 };
	struct socks_credentials c;
	size_t used;

	ck_assert_int_eq(parse(&c, data, sizeof(data), &used), PARSE_OK);
	ck_assert_uint_eq(used, 8);
	ck_assert_str_eq((const char *)c.name, "ann");
	ck_assert_str_eq((const char *)c.password, "pw");
}
END_TEST

START_TEST(credentials_of_another_version_are_bad_at_the_first_byte)
{
	struct socks_credentials c;
	size_t used;

	for (int version = 0; version <= UINT8_MAX; version++) {
		const uint8_t data[] = { (uint8_t)version };

		ck_assert_int_eq(
			parse(&c, data, 1, &used), version == 1 ? PARSE_MORE : PARSE_BAD);
	}
}
END_TEST

START_TEST(empty_name_and_password_are_well_formed)
{
	static const uint8_t data[] = { 1, 0, 0 };
	struct socks_credentials c;
	size_t used;

	ck_assert_int_eq(parse(&c, data, sizeof(data), &used), PARSE_OK);
	ck_assert_uint_eq(c.name_len, 0);
	ck_assert_uint_eq(c.password_len, 0);
}
END_TEST

START_TEST(status_comes_back_as_it_was_built)
{
	for (int i = 0; i <= UINT8_MAX; i++) {
		uint8_t buf[2], status = 0x5a;
		size_t used = 0, size = socks_build_auth_status(buf, (uint8_t)i);

		ck_assert_uint_eq(size, 2);
		for (size_t part = 0; part < size; part++)
			ck_assert_int_eq(socks_parse_auth_status(
						 &status, at_end(buf, part), part, &used),
				PARSE_MORE);
		ck_assert(status == 0x5a && used == 0);
		ck_assert_int_eq(
			socks_parse_auth_status(&status, at_end(buf, 2), 2, &used),
			PARSE_OK);
		ck_assert_int_eq(status, i);
		ck_assert_uint_eq(used, 2);
	}
}
END_TEST

START_TEST(status_may_have_version_1_or_5)
{
	for (int version = 0; version <= UINT8_MAX; version++) {
		const uint8_t data[] = { (uint8_t)version, 0 };
		bool good = version == 1 || version == 5;
		uint8_t status;
		size_t used;

		ck_assert_int_eq(
			socks_parse_auth_status(&status, at_end(data, 1), 1, &used),
			good ? PARSE_MORE : PARSE_BAD);
		ck_assert_int_eq(
			socks_parse_auth_status(&status, at_end(data, 2), 2, &used),
			good ? PARSE_OK : PARSE_BAD);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("socks_auth");
	TCase *t = tcase_create("socks_auth");

	suite_add_tcase(s, t);
	tcase_add_test(t, credentials_come_back_as_they_were_built);
	tcase_add_test(t, every_beginning_of_credentials_wants_more);
	tcase_add_test(t, what_stands_behind_credentials_is_left);
	tcase_add_test(t, credentials_of_another_version_are_bad_at_the_first_byte);
	tcase_add_test(t, empty_name_and_password_are_well_formed);
	tcase_add_test(t, status_comes_back_as_it_was_built);
	tcase_add_test(t, status_may_have_version_1_or_5);
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
