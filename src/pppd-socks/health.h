/* SPDX-License-Identifier: ISC */
/*
 * health: whether something that clients are sent to works, judged by what they met
 * there. After a failure it is held off for a time that grows with each further one.
 * Pure: the time and the chance come from the caller, who also keeps other threads away.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* How long: first_ms, doubled with each failure in a row, up to most_ms. */
struct hold_off {
	int64_t first_ms, most_ms;
};

/* Starts zero initialised: well. */
struct health {
	unsigned failures; /* in a row; 0: it is well */
	int64_t until_ms;  /* when it is sick: to be left alone until then */
	bool on_trial;	   /* somebody tries it since until_ms was over */
};

enum health_change { HEALTH_SAME, HEALTH_SICK, HEALTH_WELL };

/* Whether it may be tried: it is well, or its hold-off is over. */
bool health_ready(const struct health *h, int64_t now_ms);

/*
 * Somebody tries it now. If it is sick, only this one does: for all others the hold-off
 * begins anew, until it is known how that has ended.
 */
void health_try(struct health *h, const struct hold_off *hold_off, int64_t now_ms);

/*
 * It failed. One failure counts for each hold-off: those who had begun earlier tell
 * nothing new. chance, any number, takes up to a quarter off the hold-off, so that not
 * all come back at once.
 */
enum health_change health_failed(struct health *h, const struct hold_off *hold_off,
	int64_t now_ms, uint32_t chance);

/* It works: all is forgotten. */
enum health_change health_passed(struct health *h);

#endif
