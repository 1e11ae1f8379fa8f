/* SPDX-License-Identifier: ISC */
/*
 * The commands. They run on the thread of the control socket, status also on the main one
 * for USR1. What they tell of tunnels is collected under the lock of conns, where nothing
 * blocks, and goes to the client after that.
 */
#include "config.h"
#include "commands.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

#define LINE 1024

static void tell(commands_line *line, void *to, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void
tell(commands_line *line, void *to, const char *fmt, ...)
{
	char text[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	line(to, text);
}

static void
tell_listeners(const struct commands *c, commands_line *line, void *to)
{
	for (size_t i = 0; i < server_listeners(c->server); i++) {
		char text[ADDR_TEXT], words[256];
		const void *via;
		const struct addr *addr = server_listener(c->server, i, &via);

		tell(line, to, "listener %s%s", addr_text(addr, text),
			c->via_text(via, words, sizeof(words)));
	}
}

void
commands_status(const struct commands *c, commands_line *line, void *to)
{
	struct conns_totals totals;
	char seconds[LOG_SECONDS];

	conns_totals(server_conns(c->server), &totals);
	tell(line, to, "name %s", c->name);
	tell(line, to, "version %s", PACKAGE_VERSION);
	tell(line, to, "pid %ld", (long)getpid());
	tell(line, to, "uptime %s", log_seconds(seconds, io_now_ms() - c->start_ms));
	tell(line, to, "tunnels %zu", totals.now);
	if (c->max_tunnels != INT_MAX)
		tell(line, to, "tunnels_max %d", c->max_tunnels);
	tell(line, to, "tunnels_ended %" PRIu64, totals.ended);
	tell(line, to, "bytes_up %" PRIu64, totals.bytes[CLIENT]);
	tell(line, to, "bytes_down %" PRIu64, totals.bytes[TARGET]);
	tell_listeners(c, line, to);
	if (c->more)
		c->more(c->config, line, to);
}

static void
reply_line(void *to, const char *text)
{
	control_printf(to, "%s", text);
}

static const char *
run_status(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	commands_status(arg, reply_line, reply);
	return NULL;
}

static void
tell_tunnel(const struct conn *conn, void *arg)
{
	const struct relay *r = &conn->relay;
	char client[ADDR_TEXT], time[LOG_SECONDS], idle[LOG_SECONDS];
	int64_t now_ms = io_now_ms(), last_ms = atomic_load(&r->last_ms);

	control_printf(arg,
		"tunnel id=%s client=%s%s up=%" PRIu64 " down=%" PRIu64
		" time=%s idle=%s",
		conn->id, addr_text(&conn->client, client),
		conn->fields ? conn->fields : "", atomic_load(&r->bytes[CLIENT]),
		atomic_load(&r->bytes[TARGET]),
		log_seconds(time, now_ms - conn->start_ms),
		log_seconds(idle, last_ms == 0 ? -1 : now_ms - last_ms));
}

static const char *
run_tunnels(void *arg, struct control_reply *reply, int argc, char **argv)
{
	const struct commands *c = arg;

	(void)argc;
	(void)argv;
	conns_each(server_conns(c->server), tell_tunnel, reply);
	return NULL;
}

static const char *
run_kill(void *arg, struct control_reply *reply, int argc, char **argv)
{
	const struct commands *c = arg;

	(void)argc;
	if (conns_kill(server_conns(c->server), argv[1], END_KILLED) == 0)
		return control_error(reply, "there is no tunnel %s", argv[1]);
	log_msg(LOG_L_NOTICE, "tunnel %s is killed by an administrator", argv[1]);
	return NULL;
}

static const char *
run_log(void *arg, struct control_reply *reply, int argc, char **argv)
{
	int level = log_level(argv[1]);

	(void)arg;
	(void)argc;
	if (level == -1)
		return control_error(
			reply, "none of error, warning, notice, info, debug");
	log_set_level((enum log_level)level);
	log_msg(LOG_L_NOTICE, "log level %s, set by an administrator", argv[1]);
	return NULL;
}

/* One metric of the text format of Prometheus, with its type. */
static void
metric(struct control_reply *reply, const char *name, const char *type, const char *help)
{
	control_printf(reply, "# HELP tunnels_%s %s", name, help);
	control_printf(reply, "# TYPE tunnels_%s %s", name, type);
}

static void
metric_ends(const struct commands *c, struct control_reply *reply,
	const struct conns_totals *totals)
{
	metric(reply, "ended_total", "counter", "Tunnels that have ended, by reason.");
	for (int end = 0; end < END_COUNT; end++)
		if (end != END_NONE)
			control_printf(reply,
				"tunnels_ended_total{daemon=\"%s\",end=\"%s\"} %" PRIu64,
				c->name, end_word((enum end)end), totals->ends[end]);
}

static const char *
run_metrics(void *arg, struct control_reply *reply, int argc, char **argv)
{
	const struct commands *c = arg;
	struct conns_totals totals;

	(void)argc;
	(void)argv;
	conns_totals(server_conns(c->server), &totals);
	metric(reply, "active", "gauge", "Tunnels that there are.");
	control_printf(reply, "tunnels_active{daemon=\"%s\"} %zu", c->name, totals.now);
	metric(reply, "max", "gauge", "Tunnels that there may be.");
	control_printf(reply, "tunnels_max{daemon=\"%s\"} %d", c->name, c->max_tunnels);
	metric_ends(c, reply, &totals);
	metric(reply, "bytes_total", "counter",
		"Bytes from clients (up) and to them (down), of tunnels that have ended "
		"and of those that there are.");
	for (int side = CLIENT; side <= TARGET; side++)
		control_printf(reply,
			"tunnels_bytes_total{daemon=\"%s\",direction=\"%s\"} %" PRIu64,
			c->name, side == CLIENT ? "up" : "down", totals.bytes[side]);
	metric(reply, "uptime_seconds", "gauge", "Seconds since the daemon started.");
	control_printf(reply, "tunnels_uptime_seconds{daemon=\"%s\"} %.3f", c->name,
		(double)(io_now_ms() - c->start_ms) / 1000);
	return NULL;
}

const struct control_command commands_table[] = {
	{ "status", "", "what the daemon is and how it fares", run_status },
	{ "tunnels", "", "the tunnels that there are", run_tunnels },
	{ "kill", "ID", "cut that tunnel", run_kill },
	{ "log", "LEVEL", "log at this level from now on", run_log },
	{ "metrics", "", "counts and gauges, in the format of Prometheus", run_metrics },
	{ NULL, NULL, NULL, NULL },
};
