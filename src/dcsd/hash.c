/* SPDX-License-Identifier: ISC */
/*
 * What is to be known of crypt(3) hashes. Methods are rows of tables; the computing is
 * the system's. Does not log. Any thread.
 */
#include "config.h"
#include "hash.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "compat.h"
#include "crypt_call.h"
#include "random.h"

/* What salts and hashes are written in. */
static const char digits[] =
	"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* How many digits stand behind the last $ of a hash. */
static const struct {
	const char *prefix;
	size_t tail;
} shapes[] = {
	{ "$y$", 43 },	/* yescrypt */
	{ "$gy$", 43 }, /* gost-yescrypt */
	{ "$7$", 43 },	/* scrypt */
	{ "$6$", 86 },	/* SHA-512 */
	{ "$5$", 43 },	/* SHA-256 */
	{ "$2a$", 53 }, /* bcrypt: 22 of them are the salt */
	{ "$2b$", 53 }, { "$2y$", 53 }, { "$1$", 22 }, /* MD5 */
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* New hashes: the setting up to the salt, and how many digits the salt has. */
static const struct {
	const char *setting;
	size_t salt;
} recipes[] = {
	{ "$y$j9T$", 22 },	     /* 16 MiB, tens of milliseconds */
	{ "$6$rounds=100000$", 16 }, /* the default, 5000, is of 2007 */
	{ "$2b$10$", 22 },
};
#define RECIPES	 (sizeof(recipes) / sizeof(recipes[0]))
#define SALT_MAX 22

const char *const hash_methods[] = { "yescrypt", "sha512", "bcrypt", NULL };
_Static_assert(sizeof(hash_methods) / sizeof(hash_methods[0]) == RECIPES + 1,
	"a name for each recipe");

/* bcrypt does not look at what is behind. */
#define BCRYPT_PASSWORD_MAX 72

/* "$6$" of "$6$salt$hash"; 0: there is none. */
static size_t
prefix_len(const char *hash)
{
	const char *second = hash[0] == '$' ? strchr(hash + 1, '$') : NULL;

	return second ? (size_t)(second + 1 - hash) : 0;
}

/* As crypt(5) demands of all hashes, so that they fit into files with colons. */
static bool
only_good_bytes(const char *hash)
{
	for (; *hash != '\0'; hash++)
		if (*hash <= ' ' || *hash >= 0x7f || strchr(":;*!\\", *hash))
			return false;
	return true;
}

static size_t
tail_of(const char *prefix, size_t len)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (strlen(shapes[i].prefix) == len &&
			memcmp(shapes[i].prefix, prefix, len) == 0)
			return shapes[i].tail;
	return 0;
}

bool
hash_well_formed(const char *hash, const char **why)
{
	size_t len = prefix_len(hash), tail;
	const char *last;

	*why = "not a hash of crypt(3), as $6$...";
	if (len == 0 || strlen(hash) >= HASH_SIZE || !only_good_bytes(hash))
		return false;
	*why = "the method of this hash is not known, or is not to be used";
	tail = tail_of(hash, len);
	if (tail == 0)
		return false;
	*why = "the hash is cut short, or too long, or has a wrong character";
	last = strrchr(hash, '$') + 1;
	return strlen(last) == tail && strspn(last, digits) == tail &&
		last > hash + len - 1;
}

bool
hash_same_method(const char *a, const char *b)
{
	size_t len = prefix_len(a);

	return len == prefix_len(b) && memcmp(a, b, len) == 0;
}

bool
hash_known(const char *hash)
{
	char out[HASH_SIZE];

	return crypt_call("", hash, out, sizeof(out)) == 0 &&
		strlen(out) == strlen(hash) && hash_same_method(out, hash);
}

/* Takes the same time wherever they differ; how long a hash is, is no secret. */
static bool
same(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned differ = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		differ |= (unsigned)(a[i] ^ b[i]);
	return differ == 0;
}

static bool
cut_short(const char *setting, const char *password)
{
	return strncmp(setting, "$2", 2) == 0 && strlen(password) > BCRYPT_PASSWORD_MAX;
}

bool
hash_matches(const char *hash, const char *password)
{
	char out[HASH_SIZE];

	if (crypt_call(password, hash, out, sizeof(out)) == -1)
		return false;
	errno = EACCES;
	return same(hash, out) && !cut_short(hash, password);
}

/* The setting with a new salt. Returns 0, or -1 with errno. */
static int
make_setting(char *out, size_t i)
{
	size_t len = strlen(recipes[i].setting), salt = recipes[i].salt;
	uint8_t bytes[SALT_MAX];

	if (random_fill(bytes, salt) == -1)
		return -1;
	memcpy(out, recipes[i].setting, len);
	for (size_t j = 0; j < salt; j++)
		out[len + j] = digits[bytes[j] % 64];
	/* 22 digits are 132 bits, but 128 are used, and the others have to be 0. */
	if (salt == SALT_MAX)
		out[len + salt - 1] = '.';
	out[len + salt] = '\0';
	return 0;
}

static int
make_by(char out[HASH_SIZE], size_t i, const char *password)
{
	char setting[HASH_SIZE];
	const char *why;

	if (cut_short(recipes[i].setting, password)) {
		errno = E2BIG;
		return -1;
	}
	if (make_setting(setting, i) == -1)
		return -1;
	/* Older systems make something else of a setting that they do not know. */
	if (crypt_call(password, setting, out, HASH_SIZE) == 0) {
		if (hash_same_method(setting, out) && hash_well_formed(out, &why))
			return 0;
		errno = EINVAL;
	}
	if (errno == EINVAL)
		errno = ENOTSUP;
	return -1;
}

int
hash_make(char out[HASH_SIZE], const char *method, const char *password)
{
	for (size_t i = 0; i < RECIPES; i++) {
		if (method && strcmp(method, hash_methods[i]) != 0)
			continue;
		if (make_by(out, i, password) == 0)
			return 0;
		if (method || errno != ENOTSUP)
			return -1;
	}
	errno = ENOTSUP;
	return -1;
}
