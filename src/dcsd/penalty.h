/* SPDX-License-Identifier: ISC */
/*
 * penalty: sources (an IPv4 address, an IPv6 /64) whose authentication has failed too
 * often are refused, for a time that doubles with each failure more.
 */
#ifndef PENALTY_H
#define PENALTY_H

#include <stdbool.h>
#include <stdint.h>
#include "addr.h"
#include "conf.h"
#include "lists.h"

/* The group auth.penalties of dcsd.conf. */
struct penalty_conf {
	int after;	     /* failures, of which the last has a penalty; 0: never */
	int64_t first_ms;    /* of the first penalty */
	int64_t most_ms;     /* of any */
	int64_t forget_ms;   /* without a failure, and all are forgotten */
	struct cidrs exempt; /* sources without penalties */
};

void penalty_conf_init(struct penalty_conf *conf); /* 5, 1 s, 300 s, 600 s, none */
void penalty_conf_free(struct penalty_conf *conf);
extern const struct conf_key penalty_keys[];

#define PENALTY_SOURCES 4096 /* that are remembered; then older ones give way */

struct penalty;

/*
 * now_ms: a clock like io_now_ms, which is taken for NULL. Before a chroot, as
 * random_fill. Returns NULL with errno. Nothing else here allocates.
 */
struct penalty *penalty_new(int64_t (*now_ms)(void));
void penalty_free(struct penalty *p); /* NULL: nothing */

/* What a failure has led to. */
struct penalty_result {
	int failures;	    /* of that source, this one included; 0: they do not count */
	int64_t refused_ms; /* from now on; 0: not */
	bool begins;	    /* refused now, and was not before */
};

/*
 * Any thread: an authentication from there has failed, or passed: that clears it. conf
 * may be another one each time; a penalty that has begun stays as it is.
 */
struct penalty_result penalty_failed(
	struct penalty *p, const struct penalty_conf *conf, const struct addr *client);
void penalty_passed(struct penalty *p, const struct addr *client);

/*
 * Any thread: whether it is refused at present, unless conf has no penalties, or none for
 * it; then *why is a static text.
 */
bool penalty_refuses(struct penalty *p, const struct penalty_conf *conf,
	const struct addr *client, const char **why);

/*
 * The line of the log for a failed authentication, which fail2ban looks for: a part of
 * the program's interface. `auth-failed client=192.0.2.1:5555 user=ann reason="..."`.
 * user: as it was sent; reason: a text of ours. Returns out.
 */
#define PENALTY_LINE 1280
char *penalty_line(char out[PENALTY_LINE], const struct addr *client, const void *user,
	size_t user_len, const char *reason);

#endif
