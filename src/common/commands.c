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

static void tell(service_line *line, void *to, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void
tell(service_line *line, void *to, const char *fmt, ...)
{
	char text[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	line(to, text);
}

/* Where lines go. */
struct sink {
	const struct service *service;
	service_line *line;
	void *to;
};

static const char *
listener_state(const struct listen_socket *socket)
{
	if (socket->drained)
		return " state=drained";
	return socket->refuse ? " state=refusing" : "";
}

/* "listener 127.0.0.1:8887 for route web state=drained". */
static void
tell_listener(const struct listener *listener, void *arg)
{
	const struct sink *sink = arg;
	char text[ADDR_TEXT], name[256];

	sink->service->via_name(listener->via, name, sizeof(name));
	tell(sink->line, sink->to, "listener %s%s%s%s",
		addr_text(&listener->socket->addr, text), name[0] ? " for route " : "",
		name, listener_state(listener->socket));
}

/* What the program's own structs tell. */
static void
tell_more(struct life *life, service_line *line, void *to)
{
	struct generation *now = life_now(life);

	life->service->status(now->config, line, to);
	generation_release(now);
}

void
commands_status(struct life *life, service_line *line, void *to)
{
	struct sink sink = { life->service, line, to };
	struct conns *conns = server_conns(life->server);
	struct conns_totals totals;
	char seconds[LOG_SECONDS];
	int max = conns_max(conns);

	conns_totals(conns, &totals);
	tell(line, to, "name %s", life->service->name);
	tell(line, to, "version %s", PACKAGE_VERSION);
	tell(line, to, "pid %ld", (long)getpid());
	tell(line, to, "uptime %s", log_seconds(seconds, io_now_ms() - life->start_ms));
	tell(line, to, "tunnels %zu", totals.now);
	if (max != INT_MAX)
		tell(line, to, "tunnels_max %d", max);
	tell(line, to, "tunnels_ended %" PRIu64, totals.ended);
	tell(line, to, "bytes_up %" PRIu64, totals.bytes[CLIENT]);
	tell(line, to, "bytes_down %" PRIu64, totals.bytes[TARGET]);
	server_each_listener(life->server, tell_listener, &sink);
	if (life->service->status)
		tell_more(life, line, to);
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
	struct life *life = arg;

	(void)argc;
	(void)argv;
	conns_each(server_conns(life->server), tell_tunnel, reply);
	return NULL;
}

static const char *
run_kill(void *arg, struct control_reply *reply, int argc, char **argv)
{
	struct life *life = arg;

	(void)argc;
	if (conns_kill(server_conns(life->server), argv[1], END_KILLED) == 0)
		return control_error(reply, "there is no tunnel %s", argv[1]);
	log_msg(LOG_L_NOTICE, "tunnel %s is killed by an administrator", argv[1]);
	return NULL;
}

/* A name that an administrator gave, as the log and messages have it. */
struct named {
	const struct service *service;
	const char *name;
};

/* Whether a socket is meant: by its address, or by the name of its route. */
static bool
is_meant(const struct listener *listener, void *arg)
{
	const struct named *named = arg;
	char text[ADDR_TEXT], name[256];

	return strcmp(addr_text(&listener->socket->addr, text), named->name) == 0 ||
		strcmp(named->service->via_name(listener->via, name, sizeof(name)),
			named->name) == 0;
}

/* Calls a hook of the daemon's own; NULL: nothing has that name. */
static size_t
call(struct life *life, size_t (*hook)(void *config, const char *name, bool on),
	const char *name, bool on)
{
	struct generation *now;
	size_t n;

	if (!hook)
		return 0;
	now = life_now(life);
	n = hook(now->config, name, on);
	generation_release(now);
	return n;
}

static void
tell_wish(const char *name, const char *what)
{
	char text[256];

	log_msg(LOG_L_NOTICE, "%s is %s by an administrator",
		log_escape(text, sizeof(text), name, strlen(name)), what);
}

static const char *
set_drained(struct life *life, struct control_reply *reply, const char *name, bool drain)
{
	struct named named = { life->service, name };
	size_t n = server_drain(life->server, is_meant, &named, drain);

	n += call(life, life->service->drain, name, drain);
	if (n == 0)
		return control_error(reply, "there is no route or listener %s", name);
	tell_wish(name, drain ? "drained" : "resumed");
	return NULL;
}

static const char *
run_drain(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)argc;
	return set_drained(arg, reply, argv[1], true);
}

static const char *
run_resume(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)argc;
	return set_drained(arg, reply, argv[1], false);
}

static const char *
set_enabled(struct life *life, struct control_reply *reply, const char *name, bool enable)
{
	if (call(life, life->service->enable, name, enable) == 0)
		return control_error(reply, "there is no target or upstream %s", name);
	tell_wish(name, enable ? "enabled" : "disabled");
	return NULL;
}

static const char *
run_disable(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)argc;
	return set_enabled(arg, reply, argv[1], false);
}

static const char *
run_enable(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)argc;
	return set_enabled(arg, reply, argv[1], true);
}

static const char *
run_reload(void *arg, struct control_reply *reply, int argc, char **argv)
{
	(void)reply;
	(void)argc;
	(void)argv;
	return reload(arg);
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
metric_ends(const struct life *life, struct control_reply *reply,
	const struct conns_totals *totals)
{
	metric(reply, "ended_total", "counter", "Tunnels that have ended, by reason.");
	for (int end = 0; end < END_COUNT; end++)
		if (end != END_NONE)
			control_printf(reply,
				"tunnels_ended_total{daemon=\"%s\",end=\"%s\"} %" PRIu64,
				life->service->name, end_word((enum end)end),
				totals->ends[end]);
}

static const char *
run_metrics(void *arg, struct control_reply *reply, int argc, char **argv)
{
	struct life *life = arg;
	struct conns_totals totals;

	(void)argc;
	(void)argv;
	conns_totals(server_conns(life->server), &totals);
	metric(reply, "active", "gauge", "Tunnels that there are.");
	control_printf(reply, "tunnels_active{daemon=\"%s\"} %zu", life->service->name,
		totals.now);
	metric(reply, "max", "gauge", "Tunnels that there may be.");
	control_printf(reply, "tunnels_max{daemon=\"%s\"} %d", life->service->name,
		conns_max(server_conns(life->server)));
	metric_ends(life, reply, &totals);
	metric(reply, "bytes_total", "counter",
		"Bytes from clients (up) and to them (down), of tunnels that have ended "
		"and of those that there are.");
	for (int side = CLIENT; side <= TARGET; side++)
		control_printf(reply,
			"tunnels_bytes_total{daemon=\"%s\",direction=\"%s\"} %" PRIu64,
			life->service->name, side == CLIENT ? "up" : "down",
			totals.bytes[side]);
	metric(reply, "uptime_seconds", "gauge", "Seconds since the daemon started.");
	control_printf(reply, "tunnels_uptime_seconds{daemon=\"%s\"} %.3f",
		life->service->name, (double)(io_now_ms() - life->start_ms) / 1000);
	return NULL;
}

const struct control_command commands_table[] = {
	{ "status", "", "what the daemon is and how it fares", run_status },
	{ "tunnels", "", "the tunnels that there are", run_tunnels },
	{ "kill", "ID", "cut that tunnel", run_kill },
	{ "drain", "NAME", "no more clients for that route or listener", run_drain },
	{ "resume", "NAME", "clients again for that route or listener", run_resume },
	{ "disable", "NAME", "no more tunnels to that target or upstream", run_disable },
	{ "enable", "NAME", "tunnels again to that target or upstream", run_enable },
	{ "reload", "", "read the configuration again, as on HUP", run_reload },
	{ "log", "LEVEL", "log at this level from now on", run_log },
	{ "metrics", "", "counts and gauges, in the format of Prometheus", run_metrics },
	{ NULL, NULL, NULL, NULL },
};
