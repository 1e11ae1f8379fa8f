/* SPDX-License-Identifier: ISC */
/*
 * Passwords checked while the daemon runs. What a users file said is a snapshot that is
 * never changed, with a cache of its own; a check holds one reference to it and works
 * without a lock. Whoever finds the file changed reads it, alone, and swaps the snapshot:
 * so an entry of the cache never outlives the file that it was right by.
 *
 * Logs, since a file that has gone bad concerns no client. Any thread; blocks.
 */
#include "config.h"
#include "auth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth_cache.h"
#include "auth_pam.h"
#include "cond.h"
#include "hash.h"
#include "io.h"
#include "log.h"
#include "random.h"
#include "users.h"

#define LOOK_MS	     1000  /* between two looks at the file */
#define RETRY_MS     60000 /* between two tries of a bad file that has not changed */
#define SLOT_WAIT_MS 10000 /* for a check to begin */
#define PAM_SLOTS    64	   /* checks by PAM at a time: most of them wait for others */
#define WHY_SIZE     1024

/* What a users file said at one time. */
struct snapshot {
	_Atomic unsigned holders;
	struct users *users;
	struct auth_cache *cache;
};

struct auth {
	char *path; /* of the users file, or NULL */
	char *pam;  /* service, or NULL */
	struct auth_keys keys;

	pthread_mutex_t lock; /* a leaf */
	struct snapshot *now;
	bool looking;	 /* someone is at the file; all of seen is that one's */
	int64_t look_ms; /* when it is time for the next look */

	struct {
		struct stat st;	     /* the file, when it was last read or refused */
		bool good;	     /* and it was read */
		int64_t retry_ms;    /* when one that is not good is read again */
		char told[WHY_SIZE]; /* what the log says of it already; "": all is well
				      */
	} seen;

	pthread_cond_t slot_free;
	unsigned slots; /* checks that may begin now */
};

static void
snapshot_drop(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
		return;
	users_free(s->users);
	auth_cache_free(s->cache);
	free(s);
}

/* Reads the file anew. Returns NULL, and why; st is filled as far as it was there. */
static struct snapshot *
snapshot_read(const char *path, struct stat *st, char *why, size_t size)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	int fd;

	if (!s || !(s->cache = auth_cache_new())) {
		free(s);
		snprintf(why, size, "%s: %s", path, strerror(ENOMEM));
		return NULL;
	}
	atomic_init(&s->holders, 1);
	fd = users_open(path, st, why, size);
	if (fd != -1)
		s->users = users_read(fd, path, why, size);
	if (s->users)
		return s;
	snapshot_drop(s);
	return NULL;
}

/* Hashing eats memory (yescrypt: 16 MiB each) and cores: a flood must not get more. */
static unsigned
count_slots(const struct auth_conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->pam)
		return PAM_SLOTS;
	return cores < 1 ? 2 : (unsigned)cores + 1;
}

/* Returns 0, or -1 with errno. */
static int
set_up(struct auth *auth, const struct auth_conf *conf)
{
	auth->path = conf->users ? strdup(conf->users) : NULL;
	auth->pam = conf->pam ? strdup(conf->pam) : NULL;
	if ((conf->users && !auth->path) || (conf->pam && !auth->pam))
		return -1;
	auth->slots = count_slots(conf);
	return random_fill(&auth->keys, sizeof(auth->keys));
}

struct auth *
auth_open(const struct auth_conf *conf, char *why, size_t size)
{
	struct auth *auth = calloc(1, sizeof(*auth));

	if (!auth || cond_init(&auth->slot_free) == -1) {
		snprintf(why, size, "%s", strerror(errno));
		free(auth);
		return NULL;
	}
	pthread_mutex_init(&auth->lock, NULL);
	if (set_up(auth, conf) == -1) {
		snprintf(why, size, "authentication: %s", strerror(errno));
		auth_close(auth);
		return NULL;
	}
	if (auth->path) {
		auth->now = snapshot_read(auth->path, &auth->seen.st, why, size);
		if (!auth->now) {
			auth_close(auth);
			return NULL;
		}
		auth->seen.good = true;
		auth->look_ms = io_now_ms() + LOOK_MS;
	}
	return auth;
}

void
auth_close(struct auth *auth)
{
	if (!auth)
		return;
	snapshot_drop(auth->now);
	pthread_cond_destroy(&auth->slot_free);
	pthread_mutex_destroy(&auth->lock);
	free(auth->path);
	free(auth->pam);
	free(auth);
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
		a->st_size == b->st_size && same_time(&a->st_mtim, &b->st_mtim) &&
		same_time(&a->st_ctim, &b->st_ctim);
}

/* Errors of a file come as lines; the log gets one. */
static void
one_line(char *why)
{
	char *end = strchr(why, '\n');
	unsigned more = 0;

	if (!end)
		return;
	for (const char *at = end; at; at = strchr(at + 1, '\n'))
		more++;
	snprintf(end, WHY_SIZE - (size_t)(end - why), " (and %u more)", more);
}

/*
 * Looks at the file, without the lock; nobody else does meanwhile. Says nothing twice.
 */
static void
look(struct auth *auth)
{
	struct stat st = { .st_ino = 0 };
	char why[WHY_SIZE] = "";
	struct snapshot *fresh;
	bool there = stat(auth->path, &st) == 0;

	if (there && same_file(&st, &auth->seen.st) &&
		(auth->seen.good || io_now_ms() < auth->seen.retry_ms))
		return;
	fresh = snapshot_read(auth->path, &st, why, sizeof(why));
	auth->seen.st = st;
	auth->seen.good = fresh != NULL;
	auth->seen.retry_ms = io_now_ms() + RETRY_MS;
	if (fresh) {
		struct snapshot *old;

		log_msg(LOG_L_NOTICE, "%s: read again, %zu users", auth->path,
			users_count(fresh->users));
		pthread_mutex_lock(&auth->lock);
		old = auth->now;
		auth->now = fresh;
		pthread_mutex_unlock(&auth->lock);
		snapshot_drop(old);
	} else {
		one_line(why);
		if (strcmp(why, auth->seen.told) != 0)
			log_msg(LOG_L_ERROR, "%s; the users stay as they were", why);
	}
	memcpy(auth->seen.told, why, sizeof(why));
}

/* The users as they are now; read again first, if it is time and the file has changed. */
static struct snapshot *
snapshot_take(struct auth *auth)
{
	int64_t now_ms = io_now_ms();
	struct snapshot *s;
	bool mine;

	pthread_mutex_lock(&auth->lock);
	mine = !auth->looking && now_ms >= auth->look_ms;
	if (mine)
		auth->looking = true;
	pthread_mutex_unlock(&auth->lock);
	if (mine)
		look(auth);
	pthread_mutex_lock(&auth->lock);
	if (mine) {
		auth->looking = false;
		auth->look_ms = io_now_ms() + LOOK_MS;
	}
	s = auth->now;
	atomic_fetch_add(&s->holders, 1);
	pthread_mutex_unlock(&auth->lock);
	return s;
}

/* Waits for its turn. False with errno: it did not come. */
static bool
slot_take(struct auth *auth)
{
	int64_t until_ms = io_now_ms() + SLOT_WAIT_MS;
	bool taken;

	pthread_mutex_lock(&auth->lock);
	while (auth->slots == 0 && io_now_ms() < until_ms)
		cond_wait(&auth->slot_free, &auth->lock, until_ms);
	taken = auth->slots > 0;
	if (taken)
		auth->slots--;
	pthread_mutex_unlock(&auth->lock);
	if (!taken)
		errno = EAGAIN;
	return taken;
}

static void
slot_give(struct auth *auth)
{
	pthread_mutex_lock(&auth->lock);
	auth->slots++;
	pthread_cond_signal(&auth->slot_free);
	pthread_mutex_unlock(&auth->lock);
}

/* Neither has a NUL inside, where what is asked would not be what was sent. */
static bool
are_texts(const struct socks_credentials *c)
{
	return users_name_ok(c->name, c->name_len) && c->password_len > 0 &&
		!memchr(c->password, '\0', c->password_len);
}

/* False with errno, as auth_password. */
static bool
no(int error, const char *text, const char **why)
{
	*why = text;
	errno = error;
	return false;
}

/*
 * Whether it is the user's password. user is NULL for one that is not known, or cannot
 * be: then it takes as long, and is not.
 */
static bool
prove(struct auth *auth, const struct snapshot *s, const struct user *user,
	const struct socks_credentials *c, const char **why)
{
	struct auth_tag tag = auth_tag_make(&auth->keys, c);
	const char *hash = user ? user->hash : users_first_hash(s->users);
	bool right;
	int error;

	if (user && auth_cache_holds(s->cache, &tag, io_now_ms()))
		return true;
	if (!hash)
		return no(EACCES, "unknown user", why);
	if (!slot_take(auth))
		return no(errno, "too many passwords to check at a time", why);
	right = hash_matches(hash, (const char *)c->password);
	error = errno;
	slot_give(auth);
	if (!right && error != EACCES)
		return no(error, "the password could not be hashed", why);
	if (!user)
		return no(EACCES, "unknown user", why);
	if (!right)
		return no(EACCES, "wrong password", why);
	auth_cache_add(s->cache, &tag, io_now_ms());
	return true;
}

/* What does not hang on the password, once that is right. */
static bool
may_come(const struct user *user, const struct addr *client, const char **why)
{
	if (user_expired(user, time(NULL)))
		return no(EACCES, "the account has expired", why);
	if (user->networks.n > 0 && !cidrs_hold(&user->networks, client))
		return no(EACCES, "not from this address", why);
	return true;
}

static void
identify(const struct user *user, struct identity *who)
{
	snprintf(who->name, sizeof(who->name), "%s", user->name);
	snprintf(who->groups, sizeof(who->groups), "%s", user->groups);
	who->max_tunnels = user->max_tunnels;
}

static bool
by_file(struct auth *auth, const struct socks_credentials *c, const struct addr *client,
	struct identity *who, const char **why)
{
	struct snapshot *s = snapshot_take(auth);
	const struct user *user =
		are_texts(c) ? users_find(s->users, (const char *)c->name) : NULL;
	bool right = prove(auth, s, user, c, why) && may_come(user, client, why);
	int error = errno;

	if (right)
		identify(user, who);
	snapshot_drop(s);
	errno = error;
	return right;
}

static bool
by_pam(struct auth *auth, const struct socks_credentials *c, const struct addr *client,
	struct identity *who, const char **why)
{
	char rhost[INET6_ADDRSTRLEN] = "", as[sizeof(who->name)];
	size_t size;
	bool right;
	int error;

	if (!are_texts(c))
		return no(EACCES, "not a name or a password", why);
	inet_ntop(addr_family(client), addr_bytes(client, &size), rhost, sizeof(rhost));
	if (!slot_take(auth))
		return no(errno, "too many passwords to check at a time", why);
	right = auth_pam_check(auth->pam, (const char *)c->name,
		(const char *)c->password, rhost, as, sizeof(as), why);
	error = errno;
	slot_give(auth);
	errno = error;
	if (!right)
		return false;
	if (!users_name_ok(as, strlen(as)))
		return no(EACCES, "PAM: not a name", why);
	snprintf(who->name, sizeof(who->name), "%s", as);
	return true;
}

bool
auth_password(struct auth *auth, const struct socks_credentials *credentials,
	const struct addr *client, struct identity *who, const char **why)
{
	*who = (struct identity){ .max_tunnels = 0 };
	if (auth->pam)
		return by_pam(auth, credentials, client, who, why);
	if (auth->path)
		return by_file(auth, credentials, client, who, why);
	return no(EACCES, "nobody can authenticate", why);
}

bool
auth_find(struct auth *auth, const char *name, struct identity *who)
{
	struct snapshot *s = auth->path ? snapshot_take(auth) : NULL;
	const struct user *user = s ? users_find(s->users, name) : NULL;

	/* name may be who's own. */
	if (user)
		identify(user, who);
	snapshot_drop(s);
	return user != NULL;
}

bool
auth_has_user(struct auth *auth, const char *name)
{
	bool has;

	if (!auth->path)
		return auth->pam != NULL;
	pthread_mutex_lock(&auth->lock);
	has = users_find(auth->now->users, name) != NULL;
	pthread_mutex_unlock(&auth->lock);
	return has;
}
