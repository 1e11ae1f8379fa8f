/* SPDX-License-Identifier: ISC */
/*
 * When something that has failed is tried again. Every client that meets a failure tells
 * of it, and many do so for one and the same breakdown: only the first of them, and then
 * the one that was sent to look, make the hold-off longer. Pure: no clock, no lock, no
 * chance of its own. Any thread that keeps others away.
 */
#include "config.h"
#include "health.h"

#include <limits.h>

/* For so many failures in a row, which are at least one. */
static int64_t
hold_ms(const struct hold_off *hold_off, unsigned failures)
{
	unsigned doublings = failures - 1;

	/* Compared from the far end, as the product need not fit. */
	if (doublings > 62 || hold_off->first_ms > hold_off->most_ms >> doublings)
		return hold_off->most_ms;
	return hold_off->first_ms << doublings;
}

static bool
sick(const struct health *h)
{
	return h->failures > 0;
}

bool
health_ready(const struct health *h, int64_t now_ms)
{
	return !sick(h) || now_ms >= h->until_ms;
}

void
health_try(struct health *h, const struct hold_off *hold_off, int64_t now_ms)
{
	if (!sick(h) || now_ms < h->until_ms)
		return;
	h->on_trial = true;
	h->until_ms = now_ms + hold_ms(hold_off, h->failures);
}

enum health_change
health_failed(struct health *h, const struct hold_off *hold_off, int64_t now_ms,
	uint32_t chance)
{
	bool was_sick = sick(h);
	int64_t ms;

	if (was_sick && !h->on_trial && now_ms < h->until_ms)
		return HEALTH_SAME;
	if (h->failures < UINT_MAX)
		h->failures++;
	ms = hold_ms(hold_off, h->failures);
	h->until_ms = now_ms + ms - chance % (ms / 4 + 1);
	h->on_trial = false;
	return was_sick ? HEALTH_SAME : HEALTH_SICK;
}

enum health_change
health_passed(struct health *h)
{
	if (!sick(h))
		return HEALTH_SAME;
	*h = (struct health){ .failures = 0 };
	return HEALTH_WELL;
}
