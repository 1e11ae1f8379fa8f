/* SPDX-License-Identifier: ISC */
/*
 * Text of the log: escaped bytes of peers, times, dates, and the names of levels and
 * facilities. Knows nothing of where it goes. No I/O and no state but the time zone,
 * which is only read; called by any thread.
 */
#include "config.h"
#include "log_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

static const char *const levels[] = {
	[LOG_L_ERROR] = "error",
	[LOG_L_WARNING] = "warning",
	[LOG_L_NOTICE] = "notice",
	[LOG_L_INFO] = "info",
	[LOG_L_DEBUG] = "debug",
};

/* Those of POSIX that a daemon may use. */
static const struct facility_row {
	const char *name;
	int facility;
} facilities[] = {
	{ "auth", LOG_AUTH },
	{ "cron", LOG_CRON },
	{ "daemon", LOG_DAEMON },
	{ "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 },
	{ "lpr", LOG_LPR },
	{ "mail", LOG_MAIL },
	{ "news", LOG_NEWS },
	{ "user", LOG_USER },
	{ "uucp", LOG_UUCP },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\';
}

char *
log_escape(char *out, size_t out_size, const void *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *from = text;
	size_t at = 0;

	assert(out_size > 0);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = from[i];
		const char escaped[] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
		size_t n = is_plain(c) ? 1 : sizeof(escaped);

		if (out_size - at <= n)
			break;
		memcpy(out + at, n == 1 ? (const char *)&c : escaped, n);
		at += n;
	}
	out[at] = '\0';
	return out;
}

void
log_flatten(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
}

char *
log_seconds(char out[LOG_SECONDS], int64_t ms)
{
	if (ms < 0)
		snprintf(out, LOG_SECONDS, "-");
	else
		snprintf(out, LOG_SECONDS, "%" PRId64 ".%03d", ms / 1000,
			(int)(ms % 1000));
	return out;
}

/* Returns false when the date is none that there is. */
static bool
local_time(struct tm *tm, int64_t at_ms)
{
	time_t at = (time_t)(at_ms / 1000);

	return at_ms >= 0 && localtime_r(&at, tm) != NULL;
}

char *
log_date_iso(char out[LOG_DATE], int64_t at_ms)
{
	char date[32], zone[8]; /* "+0100", which ISO 8601 has with a colon */
	struct tm tm;

	if (local_time(&tm, at_ms) &&
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) > 0 &&
		strftime(zone, sizeof(zone), "%z", &tm) == 5)
		snprintf(out, LOG_DATE, "%s.%03d%.3s:%s", date, (int)(at_ms % 1000), zone,
			zone + 3);
	else
		strcpy(out, "-");
	return out;
}

char *
log_date_syslog(char out[LOG_DATE], int64_t at_ms)
{
	struct tm tm;

	if (!local_time(&tm, at_ms) ||
		strftime(out, LOG_DATE, "%b %e %H:%M:%S", &tm) == 0)
		strcpy(out, "-");
	return out;
}

int
log_facility(const char *name)
{
	for (size_t i = 0; i < COUNT(facilities); i++)
		if (strcmp(name, facilities[i].name) == 0)
			return facilities[i].facility;
	return -1;
}

int
log_level(const char *name)
{
	for (size_t i = 0; i < COUNT(levels); i++)
		if (strcmp(name, levels[i]) == 0)
			return (int)i;
	return -1;
}
