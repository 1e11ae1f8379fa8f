/* SPDX-License-Identifier: ISC */
/*
 * Unit tests of auth: its configuration, and passwords checked against a users file that
 * changes. crypt_call is replaced by one that counts, and that can be held up, in front
 * of the system's SHA-512 with few rounds.
 */
#include "config.h"
#include "auth.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "auth_cache.h"
#include "auth_pam.h"
#include "crypt_call.h"
#include "io.h"
#include "log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SETTING	     "$6$rounds=1000$salt$"
#define PATIENCE_MS  20000

/* crypt_call as it is here. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned calls, inside, most_inside;
static bool gate_closed;

static void
enter_gate(void)
{
	pthread_mutex_lock(&lock);
	calls++;
	inside++;
	if (inside > most_inside)
		most_inside = inside;
	pthread_cond_broadcast(&changed);
	while (gate_closed)
		pthread_cond_wait(&changed, &lock);
}

int
crypt_call(const char *password, const char *setting, char *out, size_t size)
{
	const char *hash;
	bool ok;

	enter_gate();
	hash = crypt(password, setting); /* the next caller's, once unlocked */
	ok = hash && hash[0] != '*';
	if (ok)
		snprintf(out, size, "%s", hash);
	inside--;
	pthread_mutex_unlock(&lock);
	errno = EINVAL;
	return ok ? 0 : -1;
}

/* What threads saw that they should not: Check is for one thread. */
static _Atomic unsigned surprises;

static unsigned
count_calls(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = calls;
	calls = 0;
	pthread_mutex_unlock(&lock);
	return n;
}

static char dir[] = "/tmp/test_auth.XXXXXX"; /* of all tests, one after the other */
static char users_path[64], new_path[64], log_path[64], conf_path[64];
static struct auth_conf conf;
static struct auth *auth;
static char why_not[1024];

static void
make_dir(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(users_path, sizeof(users_path), "%s/users", dir);
	snprintf(new_path, sizeof(new_path), "%s/new", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(conf_path, sizeof(conf_path), "%s/conf", dir);
}

static void
remove_dir(void)
{
	unlink(users_path);
	unlink(new_path);
	unlink(log_path);
	unlink(conf_path);
	rmdir(dir);
}

static void
set_up(void)
{
	auth_conf_init(&conf);
	unlink(log_path);
	log_open("test_auth", LOG_DAEMON, LOG_L_DEBUG, true);
	calls = inside = most_inside = 0;
	gate_closed = false;
	atomic_store(&surprises, 0);
}

static void
clean_up(void)
{
	auth_close(auth);
	auth = NULL;
	auth_conf_free(&conf);
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* "ann:HASH of password:fields\n", behind what is in text. */
static void
add_user(char *text, size_t size, const char *name, const char *password,
	const char *fields)
{
	char hash[256];
	size_t len = strlen(text);

	ck_assert_int_eq(crypt_call(password, SETTING, hash, sizeof(hash)), 0);
	snprintf(text + len, size - len, "%s:%s%s\n", name, hash, fields);
}

/* Puts a file with one user, or what text says, in the place of the users file. */
static void
replace_users(const char *text)
{
	write_file(new_path, text);
	ck_assert_int_eq(rename(new_path, users_path), 0);
}

static void
replace_user(const char *name, const char *password, const char *fields)
{
	char text[512] = "";

	add_user(text, sizeof(text), name, password, fields);
	replace_users(text);
}

static void
open_auth(void)
{
	conf.users = strdup(users_path);
	auth = auth_open(&conf, why_not, sizeof(why_not));
	ck_assert_msg(auth != NULL, "%s", why_not);
	count_calls();
}

static void
open_with(const char *name, const char *password, const char *fields)
{
	replace_user(name, password, fields);
	open_auth();
}

static struct socks_credentials
credentials(const void *name, size_t name_len, const void *password, size_t password_len)
{
	struct socks_credentials c = { .name_len = (uint8_t)name_len,
		.password_len = (uint8_t)password_len };

	memcpy(c.name, name, name_len);
	memcpy(c.password, password, password_len);
	return c;
}

static struct identity who;
static const char *why;
static int error; /* errno of the last check */

static bool
check(const struct socks_credentials *c, const char *from)
{
	struct addr client;
	bool ok;

	ck_assert(addr_from_text(&client, from, 40000));
	why = "";
	ok = auth_password(auth, c, &client, &who, &why);
	error = ok ? 0 : errno;
	if (!ok)
		ck_assert_str_eq(who.name, "");
	return ok;
}

static bool
right_from(const char *name, const char *password, const char *from)
{
	struct socks_credentials c =
		credentials(name, strlen(name), password, strlen(password));

	return check(&c, from);
}

static bool
right(const char *name, const char *password)
{
	return right_from(name, password, "127.0.0.1");
}

static void
wrong(const char *name, const char *password, const char *said)
{
	ck_assert(!right(name, password));
	ck_assert_int_eq(error, EACCES);
	ck_assert_str_eq(why, said);
}

static void
nap(void)
{
	const struct timespec little = { 0, 20 * 1000000 };

	nanosleep(&little, NULL);
}

/* The file is looked at once a second: until it is. */
static bool
becomes_right(const char *name, const char *password)
{
	int64_t until_ms = io_now_ms() + PATIENCE_MS;

	while (!right(name, password)) {
		if (io_now_ms() > until_ms)
			return false;
		nap();
	}
	return true;
}

/* From now on the log goes into a file, as nobody but this test's process sees. */
static void
catch_log(void)
{
	int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	ck_assert(fd != -1 && dup2(fd, STDERR_FILENO) != -1);
	close(fd);
}

static unsigned
log_count(const char *text)
{
	static char log[16384];
	int fd = open(log_path, O_RDONLY);
	ssize_t n = read(fd, log, sizeof(log) - 1);
	unsigned found = 0;

	ck_assert(fd != -1 && n >= 0);
	close(fd);
	log[n] = '\0';
	for (const char *at = strstr(log, text); at; at = strstr(at + 1, text))
		found++;
	return found;
}

/* Checks passwords, so that the file is looked at, until the log has the text. */
static bool
log_gets(const char *text)
{
	int64_t until_ms = io_now_ms() + PATIENCE_MS;

	while (log_count(text) == 0) {
		if (io_now_ms() > until_ms)
			return false;
		(void)right("ann", "secret");
		nap();
	}
	return true;
}

/* Long enough for two looks, at what may be told each time. */
static void
keep_looking(void)
{
	int64_t until_ms = io_now_ms() + 2500;

	while (io_now_ms() < until_ms) {
		ck_assert(right("ann", "secret"));
		nap();
	}
}

START_TEST(right_password_gives_the_identity)
{
	open_with("ann", "secret", "::7::staff,ops");
	ck_assert(right("ann", "secret"));
	ck_assert_str_eq(who.name, "ann");
	ck_assert_str_eq(who.groups, "staff,ops");
	ck_assert_uint_eq(who.max_tunnels, 7);
}
END_TEST

START_TEST(wrong_password_and_unknown_user_are_told_apart_in_the_log_only)
{
	open_with("ann", "secret", "");
	wrong("ann", "secre", "wrong password");
	wrong("ann", "secrett", "wrong password");
	wrong("ann", "Secret", "wrong password");
	wrong("bob", "secret", "unknown user");
	wrong("an", "secret", "unknown user");
	wrong("Ann", "secret", "unknown user");
}
END_TEST

START_TEST(unknown_user_costs_a_hash_as_a_known_one)
{
	open_with("ann", "secret", "");
	wrong("ann", "x", "wrong password");
	ck_assert_uint_eq(count_calls(), 1);
	wrong("bob", "x", "unknown user");
	ck_assert_uint_eq(count_calls(), 1);
	wrong("", "x", "unknown user");
	ck_assert_uint_eq(count_calls(), 1);
	wrong("ann", "", "unknown user");
	ck_assert_uint_eq(count_calls(), 1);
}
END_TEST

/* microsocks takes "joe\0x" for joe. */
START_TEST(nul_in_name_or_password_never_matches)
{
	struct socks_credentials c;

	open_with("ann", "secret", "");
	c = credentials("ann\0x", 5, "secret", 6);
	ck_assert(!check(&c, "127.0.0.1") && error == EACCES);
	c = credentials("ann", 4, "secret", 6);
	ck_assert(!check(&c, "127.0.0.1") && error == EACCES);
	c = credentials("ann", 3, "secret\0x", 8);
	ck_assert(!check(&c, "127.0.0.1") && error == EACCES);
	c = credentials("ann", 3, "secret", 7);
	ck_assert(!check(&c, "127.0.0.1") && error == EACCES);
	ck_assert_uint_eq(count_calls(), 4);
	ck_assert(right("ann", "secret"));
	/* And not by way of the cache. */
	ck_assert(!check(&c, "127.0.0.1"));
}
END_TEST

START_TEST(empty_password_never_matches)
{
	open_with("ann", "", "");
	ck_assert(!right("ann", ""));
	ck_assert_int_eq(error, EACCES);
}
END_TEST

START_TEST(names_and_passwords_have_255_bytes_of_any_kind)
{
	char name[256], password[256];

	for (int i = 0; i < 255; i++) {
		name[i] = (char)(i < 100 ? 'a' : 0x80 + i % 128);
		password[i] = (char)(i + 1);
	}
	name[255] = password[255] = '\0';
	open_with(name, password, "");
	ck_assert(right(name, password));
	ck_assert_str_eq(who.name, name);
	password[254] ^= 1;
	ck_assert(!right(name, password));
	password[254] ^= 1;
	name[254] ^= 1;
	ck_assert(!right(name, password));
}
END_TEST

START_TEST(expired_user_is_refused_with_the_right_password_only)
{
	open_with("ann", "secret", ":2020-02-29");
	wrong("ann", "x", "wrong password");
	wrong("ann", "secret", "the account has expired");
	/* And by way of the cache, too. */
	wrong("ann", "secret", "the account has expired");
}
END_TEST

START_TEST(user_may_come_from_its_networks_only)
{
	open_with("ann", "secret", ":::10.0.0.0/8,[2001:db8::/32]");
	ck_assert(right_from("ann", "secret", "10.1.2.3"));
	ck_assert(right_from("ann", "secret", "2001:db8::1"));
	ck_assert(right_from("ann", "secret", "::ffff:10.1.2.3"));
	ck_assert(!right_from("ann", "secret", "192.0.2.1"));
	ck_assert_int_eq(error, EACCES);
	ck_assert_str_eq(why, "not from this address");
	ck_assert(!right_from("ann", "secret", "::1"));
	ck_assert(!right_from("ann", "secret", "::ffff:11.1.2.3"));
}
END_TEST

START_TEST(right_password_is_hashed_once_and_a_wrong_one_each_time)
{
	open_with("ann", "secret", "");
	for (int i = 0; i < 5; i++)
		ck_assert(right("ann", "secret"));
	ck_assert_uint_eq(count_calls(), 1);
	for (int i = 0; i < 5; i++)
		wrong("ann", "secrex", "wrong password");
	ck_assert_uint_eq(count_calls(), 5);
}
END_TEST

START_TEST(changed_file_is_read_and_empties_the_cache)
{
	open_with("ann", "secret", "");
	catch_log();
	ck_assert(right("ann", "secret"));
	replace_user("ann", "other", "");
	ck_assert(becomes_right("ann", "other"));
	wrong("ann", "secret", "wrong password");
	ck_assert_uint_eq(log_count("read again, 1 users"), 1);
}
END_TEST

START_TEST(removed_user_is_unknown_though_the_cache_had_it)
{
	open_with("ann", "secret", "");
	catch_log();
	ck_assert(right("ann", "secret"));
	replace_user("bob", "secret", "");
	ck_assert(becomes_right("bob", "secret"));
	wrong("ann", "secret", "unknown user");
}
END_TEST

START_TEST(file_that_is_written_in_place_is_read_again)
{
	char text[512] = "";

	open_with("ann", "secret", "");
	catch_log();
	add_user(text, sizeof(text), "ann", "other1", "");
	write_file(users_path, text);
	ck_assert(becomes_right("ann", "other1"));
}
END_TEST

START_TEST(bad_new_file_keeps_the_old_users_and_is_told_once)
{
	open_with("ann", "secret", "");
	catch_log();
	replace_users("ann:x\nbob:y\n");
	ck_assert(log_gets("users:1: HASH: not a hash of crypt(3), as $6$... (and 1 "
			   "more); the users stay as they were"));
	ck_assert(right("ann", "secret"));
	keep_looking();
	ck_assert_uint_eq(log_count("stay as they were"), 1);
	replace_users("ann:x\nbob:y\nzoe:z\n");
	ck_assert(log_gets("(and 2 more)"));
	ck_assert_uint_eq(log_count("stay as they were"), 2);
	replace_user("ann", "other", "");
	ck_assert(becomes_right("ann", "other"));
}
END_TEST

START_TEST(file_that_is_gone_keeps_the_old_users)
{
	open_with("ann", "secret", "");
	catch_log();
	unlink(users_path);
	ck_assert(log_gets("No such file or directory; the users stay as they were"));
	keep_looking();
	ck_assert_uint_eq(log_count("stay as they were"), 1);
	replace_user("ann", "other", "");
	ck_assert(becomes_right("ann", "other"));
}
END_TEST

START_TEST(new_file_that_others_can_read_is_not_taken)
{
	open_with("ann", "secret", "");
	catch_log();
	chmod(users_path, 0644);
	ck_assert(log_gets("group or others have access to it"));
	ck_assert(right("ann", "secret"));
	chmod(users_path, 0600);
	ck_assert(log_gets("read again"));
}
END_TEST

START_TEST(file_that_is_bad_at_the_start_is_refused)
{
	char want[256];

	conf.users = strdup(users_path);
	replace_users("ann:x\n#\nbob:y\n");
	ck_assert_ptr_null(auth_open(&conf, why_not, sizeof(why_not)));
	snprintf(want, sizeof(want),
		"%s:1: HASH: not a hash of crypt(3), as $6$...\n"
		"%s:3: HASH: not a hash of crypt(3), as $6$...",
		users_path, users_path);
	ck_assert_str_eq(why_not, want);
	unlink(users_path);
	ck_assert_ptr_null(auth_open(&conf, why_not, sizeof(why_not)));
	snprintf(want, sizeof(want), "%s: %s", users_path, strerror(ENOENT));
	ck_assert_str_eq(why_not, want);
}
END_TEST

START_TEST(what_a_user_is_allowed_is_known_without_a_password)
{
	struct identity found = { .name = "ann" };

	open_with("ann", "secret", ":2020-01-01:7::staff,ops");
	ck_assert(auth_find(auth, found.name, &found));
	ck_assert_str_eq(found.name, "ann");
	ck_assert_str_eq(found.groups, "staff,ops");
	ck_assert_uint_eq(found.max_tunnels, 7);
	ck_assert(!auth_find(auth, "bob", &found));
	ck_assert_str_eq(found.name, "ann");
	ck_assert_uint_eq(count_calls(), 0);
}
END_TEST

START_TEST(without_users_everybody_is_unknown)
{
	replace_users("# nobody\n");
	open_auth();
	wrong("ann", "secret", "unknown user");
}
END_TEST

static void *
guess(void *arg)
{
	struct socks_credentials c = credentials("ann", 3, "guess", 5);
	struct identity nobody;
	struct addr client;
	const char *reason;

	(void)arg;
	addr_from_text(&client, "127.0.0.1", 1);
	/* EACCES: it had its turn. */
	if (auth_password(auth, &c, &client, &nobody, &reason) || errno != EACCES)
		atomic_fetch_add(&surprises, 1);
	return NULL;
}

/* A flood neither takes more memory than for a hash on each core, nor holds up a user. */
START_TEST(hashes_at_a_time_are_bounded_and_the_cache_is_not)
{
	unsigned bound = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) + 1;
	unsigned n = bound + 8;
	pthread_t *threads = calloc(n, sizeof(*threads));

	open_with("ann", "secret", "");
	ck_assert(right("ann", "secret"));
	pthread_mutex_lock(&lock);
	gate_closed = true;
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, guess, NULL), 0);
	pthread_mutex_lock(&lock);
	while (inside < bound)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	ck_assert(right("ann", "secret"));
	nap(); /* room for one too many, if there were no bound */
	pthread_mutex_lock(&lock);
	gate_closed = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(most_inside, bound);
	ck_assert_uint_eq(atomic_load(&surprises), 0);
	free(threads);
}
END_TEST

static _Atomic bool over;

static void *
keep_checking(void *arg)
{
	struct socks_credentials c = credentials("ann", 3, "secret", 6);
	struct identity me;
	struct addr client;
	const char *reason;

	(void)arg;
	addr_from_text(&client, "127.0.0.1", 1);
	while (!atomic_load(&over))
		if (!auth_password(auth, &c, &client, &me, &reason))
			atomic_fetch_add(&surprises, 1);
	return NULL;
}

START_TEST(users_are_right_at_every_moment_of_a_change)
{
	pthread_t threads[4];

	open_with("ann", "secret", "");
	catch_log();
	atomic_store(&over, false);
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, keep_checking, NULL), 0);
	for (unsigned i = 1; i <= 2; i++) {
		int64_t until_ms = io_now_ms() + PATIENCE_MS;

		replace_user("ann", "secret", i == 1 ? "::5" : "");
		while (log_count("read again") < i && io_now_ms() < until_ms)
			nap();
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(log_count("read again"), 2);
	ck_assert_uint_eq(atomic_load(&surprises), 0);
}
END_TEST

START_TEST(cache_forgets_after_its_time)
{
	struct auth_cache *cache = auth_cache_new();
	struct auth_tag tag = { { 1, 2 } }, other = { { 1, 3 } };

	auth_cache_add(cache, &tag, 1000);
	ck_assert(auth_cache_holds(cache, &tag, 1000));
	ck_assert(auth_cache_holds(cache, &tag, 1000 + AUTH_CACHE_MS - 1));
	ck_assert(!auth_cache_holds(cache, &tag, 1000 + AUTH_CACHE_MS));
	ck_assert(!auth_cache_holds(cache, &other, 1000));
	auth_cache_free(cache);
}
END_TEST

START_TEST(cache_is_bounded_and_the_oldest_goes)
{
	struct auth_cache *cache = auth_cache_new();
	unsigned held = 0;

	/* One set: the same low bits. */
	for (uint64_t i = 0; i < 5; i++) {
		struct auth_tag tag = { { 256 * i, i } };

		auth_cache_add(cache, &tag, (int64_t)(1000 + i));
	}
	for (uint64_t i = 0; i < 5; i++) {
		struct auth_tag tag = { { 256 * i, i } };

		ck_assert_int_eq(auth_cache_holds(cache, &tag, 2000), i > 0);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		struct auth_tag tag = { { i, ~i } };

		auth_cache_add(cache, &tag, 3000);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		struct auth_tag tag = { { i, ~i } };

		held += auth_cache_holds(cache, &tag, 3000);
	}
	ck_assert_uint_eq(held, 1024);
	auth_cache_free(cache);
}
END_TEST

START_TEST(tags_tell_every_pair_apart)
{
	struct auth_keys keys = { { { 1 }, { 2 } } }, others = { { { 1 }, { 3 } } };
	struct socks_credentials pairs[] = {
		credentials("ab", 2, "c", 1),
		credentials("a", 1, "bc", 2),
		credentials("", 0, "abc", 3),
		credentials("abc", 3, "", 0),
		credentials("ab", 2, "c", 2),
		credentials("ab", 2, "d", 1),
	};
	struct auth_tag first = auth_tag_make(&keys, &pairs[0]), tag;

	for (size_t i = 1; i < COUNT(pairs); i++) {
		tag = auth_tag_make(&keys, &pairs[i]);
		ck_assert(memcmp(&tag, &first, sizeof(tag)) != 0);
	}
	tag = auth_tag_make(&keys, &pairs[0]);
	ck_assert_mem_eq(&tag, &first, sizeof(tag));
	tag = auth_tag_make(&others, &pairs[0]);
	ck_assert(tag.half[0] == first.half[0] && tag.half[1] != first.half[1]);
}
END_TEST

static const struct conf_key file_keys[] = {
	{ "auth", conf_read_group, 0, 0, 0, auth_keys },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* Reads a configuration; returns its errors, a line each, without the file's name. */
static const char *
configure(const char *text)
{
	static char errors[1024];
	struct conf *file;

	auth_conf_free(&conf);
	auth_conf_init(&conf);
	write_file(conf_path, text);
	file = conf_read(conf_path, file_keys, &conf);
	if (conf_errors(file) == 0)
		auth_conf_check(file, &conf);
	errors[0] = '\0';
	for (size_t i = 0; i < conf_errors(file); i++) {
		strcat(errors, conf_error_text(file, i) + strlen(conf_path) + 1);
		strcat(errors, "\n");
	}
	conf_free(file);
	return errors;
}

START_TEST(without_configuration_there_is_no_authentication)
{
	ck_assert_str_eq(configure(""), "");
	ck_assert_uint_eq(conf.n, 1);
	ck_assert(auth_conf_offers(&conf, SOCKS_METHOD_NONE));
	ck_assert(!auth_conf_offers(&conf, SOCKS_METHOD_PASSWORD));
}
END_TEST

START_TEST(methods_are_in_order_of_preference)
{
	const struct socks_greeting both = { 3, { 0x80, SOCKS_METHOD_NONE, 2 } };
	const struct socks_greeting none = { 1, { SOCKS_METHOD_NONE } };
	const struct socks_greeting other = { 2, { 0x80, SOCKS_METHOD_GSSAPI } };
	const struct socks_greeting nothing = { 0, { 0 } };

	ck_assert_str_eq(configure("auth: { methods = [ \"password\", \"none\" ];\n"
				   "users = \"/u\"; };"),
		"");
	ck_assert_uint_eq(auth_conf_choose(&conf, &both), SOCKS_METHOD_PASSWORD);
	ck_assert_uint_eq(auth_conf_choose(&conf, &none), SOCKS_METHOD_NONE);
	ck_assert_uint_eq(auth_conf_choose(&conf, &other), SOCKS_METHOD_REFUSED);
	ck_assert_uint_eq(auth_conf_choose(&conf, &nothing), SOCKS_METHOD_REFUSED);
	ck_assert_str_eq(configure("auth: { methods = ( \"none\", \"password\" );\n"
				   "users = \"/u\"; };"),
		"");
	ck_assert_uint_eq(auth_conf_choose(&conf, &both), SOCKS_METHOD_NONE);
	ck_assert_str_eq(
		configure("auth: { methods = \"password\"; users = \"/u\"; };"), "");
	ck_assert_uint_eq(auth_conf_choose(&conf, &none), SOCKS_METHOD_REFUSED);
}
END_TEST

START_TEST(wrong_configurations_are_told)
{
	static const char *const bad[][2] = {
		{ "auth: { methods = [ \"gssapi\", \"none\" ]; };",
			"1: 'methods': \"gssapi\": is not in this version\n" },
		{ "auth: { methods = [ \"basic\" ]; };",
			"1: 'methods': \"basic\": none of none, password, gssapi\n" },
		{ "auth: { methods = [ \"none\", \"none\" ]; };",
			"1: 'methods': \"none\": stands there twice\n" },
		{ "auth: { methods = [ ]; };",
			"1: 'methods': at least one value is wanted\n" },
		{ "auth: { methods = 2; };",
			"1: 'methods': a string is wanted, not an integer\n" },
		{ "auth: { methods = \"password\"; };",
			"1: 'auth': the method \"password\" needs 'users' or 'pam'\n" },
		{ "auth: { users = \"/u\"; };",
			"1: 'auth': 'users' is of no use without \"password\" in "
			"'methods'\n" },
		{ "auth: { methods = \"password\"; users = \"u\"; };",
			"1: 'users': not an absolute path\n" },
		{ "auth: { method = \"none\"; };", "1: unknown key 'method'\n" },
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_str_eq(configure(bad[i][0]), bad[i][1]);
}
END_TEST

START_TEST(pam_is_a_service_if_it_is_built_in)
{
	static const char *const not_built =
		"1: 'pam': this dcsd was built without PAM (--with-pam)\n";

	ck_assert_str_eq(configure("auth: { methods = \"password\"; pam = \"dcsd\"; };"),
		auth_pam_built ? "" : not_built);
	if (!auth_pam_built)
		return;
	ck_assert_str_eq(conf.pam, "dcsd");
	ck_assert_str_eq(configure("auth: { methods = \"password\"; pam = \"/x\"; };"),
		"1: 'pam': the name of a service is wanted, not a path\n");
	ck_assert_str_eq(configure("auth: { methods = \"password\"; pam = \"dcsd\"; "
				   "users = \"/u\"; };"),
		"1: 'auth': either 'users' or 'pam', not both\n");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("auth");
	TCase *t = tcase_create("auth");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_unchecked_fixture(t, make_dir, remove_dir);
	tcase_add_checked_fixture(t, set_up, clean_up);
	tcase_add_test(t, right_password_gives_the_identity);
	tcase_add_test(t, wrong_password_and_unknown_user_are_told_apart_in_the_log_only);
	tcase_add_test(t, unknown_user_costs_a_hash_as_a_known_one);
	tcase_add_test(t, nul_in_name_or_password_never_matches);
	tcase_add_test(t, empty_password_never_matches);
	tcase_add_test(t, names_and_passwords_have_255_bytes_of_any_kind);
	tcase_add_test(t, expired_user_is_refused_with_the_right_password_only);
	tcase_add_test(t, user_may_come_from_its_networks_only);
	tcase_add_test(t, right_password_is_hashed_once_and_a_wrong_one_each_time);
	tcase_add_test(t, changed_file_is_read_and_empties_the_cache);
	tcase_add_test(t, removed_user_is_unknown_though_the_cache_had_it);
	tcase_add_test(t, file_that_is_written_in_place_is_read_again);
	tcase_add_test(t, bad_new_file_keeps_the_old_users_and_is_told_once);
	tcase_add_test(t, file_that_is_gone_keeps_the_old_users);
	tcase_add_test(t, new_file_that_others_can_read_is_not_taken);
	tcase_add_test(t, file_that_is_bad_at_the_start_is_refused);
	tcase_add_test(t, what_a_user_is_allowed_is_known_without_a_password);
	tcase_add_test(t, without_users_everybody_is_unknown);
	tcase_add_test(t, hashes_at_a_time_are_bounded_and_the_cache_is_not);
	tcase_add_test(t, users_are_right_at_every_moment_of_a_change);
	tcase_add_test(t, cache_forgets_after_its_time);
	tcase_add_test(t, cache_is_bounded_and_the_oldest_goes);
	tcase_add_test(t, tags_tell_every_pair_apart);
	tcase_add_test(t, without_configuration_there_is_no_authentication);
	tcase_add_test(t, methods_are_in_order_of_preference);
	tcase_add_test(t, wrong_configurations_are_told);
	tcase_add_test(t, pam_is_a_service_if_it_is_built_in);
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
