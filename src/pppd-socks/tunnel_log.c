/* SPDX-License-Identifier: ISC */
/*
 * The lines of a tunnel in the log. Names come from the configuration and are escaped all
 * the same, so that one line is one line. Any thread; does not block.
 */
#include "config.h"
#include "tunnel_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "route.h"

#define NAME_TEXT 256

static const struct route_port *
port_of(const struct conn *conn)
{
	return conn->via;
}

static const char *
name_text(const char *name, char buf[NAME_TEXT])
{
	return log_escape(buf, NAME_TEXT, name, strlen(name));
}

static const char *
target_text(const struct search *search, char *buf, size_t size)
{
	const struct target *target = search_target(search);
	char text[HOSTPORT_TEXT];

	if (!target)
		return "-";
	hostport_text(&target->address, text);
	return log_escape(buf, size, text, strlen(text));
}

static const char *
upstream_text(const struct search *search, char buf[NAME_TEXT])
{
	const struct upstream *u = search_upstream(search);

	return u ? name_text(u->name, buf) : "-";
}

/* ` rep=5 error="..."`, or nothing. Returns out. */
static const char *
error_text(const struct tunnel_log *t, const char *error, char *out, size_t size)
{
	const struct socks_client *socks = &t->hop->socks;
	char rep[8] = "-";

	out[0] = '\0';
	if (socks->replied)
		snprintf(rep, sizeof(rep), "%d", socks->reply.rep);
	if (error)
		snprintf(out, size, " rep=%s error=\"%s\"", rep, error);
	return out;
}

void
tunnel_log_start(const struct conn *conn)
{
	char client[ADDR_TEXT], name[NAME_TEXT];

	if (log_wants(LOG_L_DEBUG))
		log_msg(LOG_L_DEBUG, "tunnel id=%s client=%s route=%s start", conn->id,
			addr_text(&conn->client, client),
			name_text(port_of(conn)->name, name));
}

void
tunnel_log_try(const struct tunnel_log *t)
{
	char target[4 * HOSTPORT_TEXT], upstream[NAME_TEXT], error[160];

	if (log_wants(LOG_L_DEBUG))
		log_msg(LOG_L_DEBUG, "tunnel id=%s target=%s upstream=%s failed%s",
			t->conn->id, target_text(t->search, target, sizeof(target)),
			upstream_text(t->search, upstream),
			error_text(t, t->hop->error, error, sizeof(error)));
}

#define FIELDS_TEXT 2048

/* " route=db target=10.0.0.1:5432 upstream=dcs1". Returns out. */
static const char *
fields_text(const struct conn *conn, const struct search *search, char out[FIELDS_TEXT])
{
	char name[NAME_TEXT], target[4 * HOSTPORT_TEXT], upstream[NAME_TEXT];

	snprintf(out, FIELDS_TEXT, " route=%s target=%s upstream=%s",
		name_text(port_of(conn)->name, name),
		target_text(search, target, sizeof(target)),
		upstream_text(search, upstream));
	return out;
}

void
tunnel_log_describe(struct conn *conn, const struct search *search)
{
	char fields[FIELDS_TEXT];

	if (conn_is_told(conn))
		conn_describe(conn, fields_text(conn, search, fields));
}

void
tunnel_log_end(const struct tunnel_log *t)
{
	const struct relay *r = &t->conn->relay;
	char client[ADDR_TEXT], fields[FIELDS_TEXT], dial[LOG_SECONDS], time[LOG_SECONDS],
		error[160];

	log_msg(LOG_L_INFO,
		"tunnel id=%s client=%s%s up=%" PRIu64 " down=%" PRIu64
		" dial=%s time=%s end=%s%s%s",
		t->conn->id, addr_text(&t->conn->client, client),
		fields_text(t->conn, t->search, fields), atomic_load(&r->bytes[CLIENT]),
		atomic_load(&r->bytes[TARGET]), log_seconds(dial, t->dial_ms),
		log_seconds(time, io_now_ms() - t->conn->start_ms),
		end_word(relay_end(r)), error_text(t, t->error, error, sizeof(error)),
		t->more);
}
