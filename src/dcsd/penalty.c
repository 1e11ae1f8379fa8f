/* SPDX-License-Identifier: ISC */
/*
 * The sources of failed authentications, in a table that never grows: rows of a few
 * places, the row chosen by a hash of the source, and in each row the one that has been
 * quiet for the longest gives way. So every question costs the same, whatever strangers
 * do. Under one mutex, a leaf. Any thread; does not log.
 */
#include "config.h"
#include "penalty.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "log.h"
#include "random.h"
#include "siphash.h"
#include "source.h"

#define PLACES 16
#define ROWS   (PENALTY_SOURCES / PLACES)

struct offender {
	struct cidr source;
	int failures;	  /* 0: the place is free */
	int64_t last_ms;  /* the last failure */
	int64_t until_ms; /* refused before that */
};

struct penalty {
	int64_t (*now_ms)(void);
	uint8_t seed[SIPHASH_KEY];
	pthread_mutex_t lock;
	struct offender rows[ROWS][PLACES];
};

#define AT(field) offsetof(struct penalty_conf, field)
const struct conf_key penalty_keys[] = {
	{ "after", conf_read_int, AT(after), 0, 1000000, NULL },
	{ "first", conf_read_timeout, AT(first_ms), 0, 86400, NULL },
	{ "most", conf_read_timeout, AT(most_ms), 0, 86400, NULL },
	{ "forget", conf_read_timeout, AT(forget_ms), 0, 30 * 86400, NULL },
	{ "exempt", conf_read_cidrs, AT(exempt), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

void
penalty_conf_init(struct penalty_conf *conf)
{
	*conf = (struct penalty_conf){
		.after = 5,
		.first_ms = 1000,
		.most_ms = 300 * 1000,
		.forget_ms = 600 * 1000,
	};
}

void
penalty_conf_free(struct penalty_conf *conf)
{
	cidrs_free(&conf->exempt);
}

struct penalty *
penalty_new(int64_t (*now_ms)(void))
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (random_fill(p->seed, sizeof(p->seed)) == -1) {
		free(p);
		return NULL;
	}
	p->now_ms = now_ms ? now_ms : io_now_ms;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void
penalty_free(struct penalty *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static bool
applies(const struct penalty_conf *conf, const struct addr *client)
{
	return conf->after > 0 && !cidrs_hold(&conf->exempt, client);
}

static bool
same_source(const struct cidr *a, const struct cidr *b)
{
	return a->family == b->family && a->bits == b->bits &&
		memcmp(a->base, b->base, sizeof(a->base)) == 0;
}

/* A source stays for `forget' after its last failure, and as long as it is refused. */
static bool
forgotten(const struct penalty_conf *conf, const struct offender *o, int64_t now)
{
	return o->failures == 0 ||
		(now >= o->until_ms && now - o->last_ms >= conf->forget_ms);
}

/* The row that a source has its place in. */
static struct offender *
row_of(struct penalty *p, const struct cidr *source)
{
	size_t len;
	const void *key = source_key(source, &len);

	return p->rows[siphash(p->seed, key, len) % ROWS];
}

/* The source's place, or NULL: it has none. */
static struct offender *
find(struct penalty *p, const struct cidr *source)
{
	struct offender *row = row_of(p, source);

	for (size_t i = 0; i < PLACES; i++)
		if (row[i].failures > 0 && same_source(&row[i].source, source))
			return &row[i];
	return NULL;
}

/* A place for a source that has none: a free one, or the longest quiet one. */
static struct offender *
settle(struct penalty *p, const struct penalty_conf *conf, const struct cidr *source,
	int64_t now)
{
	struct offender *row = row_of(p, source), *place = row;

	for (size_t i = 0; i < PLACES; i++) {
		if (forgotten(conf, &row[i], now))
			row[i].failures = 0;
		if (place->failures > 0 &&
			(row[i].failures == 0 || row[i].last_ms < place->last_ms))
			place = &row[i];
	}
	*place = (struct offender){ .source = *source };
	return place;
}

/* How long a source with so many failures is refused. */
static int64_t
refused_ms(const struct penalty_conf *conf, int failures)
{
	int64_t ms = conf->first_ms;

	if (failures < conf->after)
		return 0;
	for (int n = conf->after; n < failures && ms < conf->most_ms; n++)
		ms *= 2;
	return ms < conf->most_ms ? ms : conf->most_ms;
}

static struct penalty_result
fail(struct penalty *p, const struct penalty_conf *conf, const struct cidr *source,
	int64_t now)
{
	struct penalty_result result = { 0, 0, false };
	struct offender *o = find(p, source);

	if (!o || forgotten(conf, o, now))
		o = settle(p, conf, source, now);
	if (o->failures < INT_MAX)
		o->failures++;
	result.failures = o->failures;
	result.refused_ms = refused_ms(conf, o->failures);
	result.begins = result.refused_ms > 0 && now >= o->until_ms;
	o->last_ms = now;
	o->until_ms = now + result.refused_ms;
	return result;
}

struct penalty_result
penalty_failed(
	struct penalty *p, const struct penalty_conf *conf, const struct addr *client)
{
	struct penalty_result result = { 0, 0, false };
	struct cidr source = source_of(client);

	if (!applies(conf, client))
		return result;
	pthread_mutex_lock(&p->lock);
	result = fail(p, conf, &source, p->now_ms());
	pthread_mutex_unlock(&p->lock);
	return result;
}

void
penalty_passed(struct penalty *p, const struct addr *client)
{
	struct cidr source = source_of(client);
	struct offender *o;

	pthread_mutex_lock(&p->lock);
	o = find(p, &source);
	if (o)
		*o = (struct offender){ .failures = 0 };
	pthread_mutex_unlock(&p->lock);
}

bool
penalty_refuses(struct penalty *p, const struct penalty_conf *conf,
	const struct addr *client, const char **why)
{
	struct cidr source = source_of(client);
	const struct offender *o;
	int64_t now = p->now_ms();
	bool refused;

	*why = "its source is refused for a time, after failed authentications";
	if (!applies(conf, client))
		return false;
	pthread_mutex_lock(&p->lock);
	o = find(p, &source);
	refused = o && now < o->until_ms;
	pthread_mutex_unlock(&p->lock);
	return refused;
}

char *
penalty_line(char out[PENALTY_LINE], const struct addr *client, const void *user,
	size_t user_len, const char *reason)
{
	char addr[ADDR_TEXT], name[4 * 255 + 1];

	log_escape(name, sizeof(name), user, user_len);
	snprintf(out, PENALTY_LINE, "auth-failed client=%s user=%s reason=\"%.128s\"",
		addr_text(client, addr), name[0] ? name : "-", reason);
	return out;
}
