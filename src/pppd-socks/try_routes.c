/* SPDX-License-Identifier: ISC */
/*
 * pppd-socks --probe. The rows of the table are made first; threads take one after
 * another and write down what came of it, each into its own row; when they have ended the
 * table is printed. The health of nothing is touched, as nobody is served.
 */
#include "config.h"
#include "try_routes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "hop.h"
#include "listening.h"
#include "log.h"
#include "options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS_MAX  32	 /* connections at a time */
#define CELL	     512 /* bytes of a text in the table */

struct row {
	const struct route_port *port;
	int target, upstream;
	char listen[LISTENING_TEXT];
	/* What came of it. */
	enum hop_result result;
	int rep; /* -1: the upstream has not replied */
	int64_t took_ms;
	char error[64]; /* a copy: words of the system may end with the thread */
};

struct table {
	const struct ppp_conf *conf;
	struct row *rows;
	size_t n;
	_Atomic size_t next; /* that no thread has taken yet */
};

static struct upstream *
upstream_of(const struct row *row)
{
	return row->port->route->upstreams[row->upstream];
}

/* ---- the tries ---- */

static void
make_request(struct socks_request *request, const struct row *row)
{
	/* RFC 1928 section 4: all zeros, for where it would send from is not known. */
	static const struct hostport unknown = { "0.0.0.0", 0 };
	bool udp = row->port->route->udp;

	request->cmd = udp ? SOCKS_UDP_ASSOCIATE : SOCKS_CONNECT;
	socks_dest_from_hostport(
		&request->dst, udp ? &unknown : &row->port->targets[row->target].address);
}

static void
try_row(const struct ppp_conf *conf, struct row *row)
{
	int64_t start_ms = io_now_ms(), until_ms = start_ms + conf->common.connect_ms;
	int64_t handshake_ms = conf->common.handshake_ms;
	struct hop hop = {
		.upstream = upstream_of(row),
		.limits = { { until_ms, -1 }, handshake_ms, until_ms + handshake_ms },
		.socks = { .fd = -1 },
	};
	struct socks_request request;

	make_request(&request, row);
	row->result = hop_request(&hop, &request);
	row->took_ms = io_now_ms() - start_ms;
	row->rep = hop.socks.replied ? hop.socks.reply.rep : -1;
	snprintf(row->error, sizeof(row->error), "%s", hop.error ? hop.error : "");
	hop_close(&hop);
}

static void *
work(void *arg)
{
	struct table *table = arg;
	size_t i;

	while ((i = atomic_fetch_add(&table->next, 1)) < table->n)
		try_row(table->conf, &table->rows[i]);
	return NULL;
}

/* The calling thread is one of those that work, and if need be the only one. */
static void
try_all(struct table *table)
{
	pthread_t threads[THREADS_MAX - 1];
	size_t n = 0;

	while (n < COUNT(threads) && n + 1 < table->n &&
		pthread_create(&threads[n], NULL, work, table) == 0)
		n++;
	work(table);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* ---- the rows ---- */

static void
fill_port(const struct table *table, const struct route_port *port, struct row *row)
{
	char listen[LISTENING_TEXT];

	listening_text(table->conf, port, listen);
	for (int t = 0; t < port->n_targets; t++)
		for (int u = 0; u < port->route->n_upstreams; u++, row++) {
			*row = (struct row){ .port = port, .target = t, .upstream = u };
			memcpy(row->listen, listen, sizeof(listen));
		}
}

/* Fills the rows, if there is room for them, and counts them. asked NULL: all ports. */
static void
add_ports(struct table *table, const struct listening *asked)
{
	table->n = 0;
	for (struct route *route = table->conf->routes; route; route = route->next)
		for (int i = 0; i < route->n_ports; i++) {
			const struct route_port *port = &route->ports[i];

			if (asked && !listening_holds(asked, table->conf, port))
				continue;
			if (table->rows)
				fill_port(table, port, &table->rows[table->n]);
			table->n += (size_t)port->n_targets * (size_t)route->n_upstreams;
		}
}

/* Returns 0 with the rows; or -1: out of memory. */
static int
make_rows(struct table *table, const struct listening *asked)
{
	add_ports(table, asked);
	if (table->n == 0)
		return 0;
	table->rows = calloc(table->n, sizeof(*table->rows));
	if (!table->rows)
		return -1;
	add_ports(table, asked);
	return 0;
}

/* ---- the table ---- */

static void
put_listen(const struct row *row, char cell[CELL])
{
	snprintf(cell, CELL, "%s", row->listen);
}

static void
put_target(const struct row *row, char cell[CELL])
{
	char text[HOSTPORT_TEXT];

	hostport_text(&row->port->targets[row->target].address, text);
	log_escape(cell, CELL, text, strlen(text));
}

static void
put_upstream(const struct row *row, char cell[CELL])
{
	const char *name = upstream_of(row)->name;

	log_escape(cell, CELL, name, strlen(name));
}

static void
put_result(const struct row *row, char cell[CELL])
{
	static const char *const whose[] = {
		[HOP_UPSTREAM_FAILED] = "upstream: ",
		[HOP_LOST] = "upstream: ",
		[HOP_SHORT] = "this machine: ",
	};
	const char *at_fault = row->result < COUNT(whose) ? whose[row->result] : NULL;
	char rep[16] = "";

	if (row->result == HOP_OK) {
		snprintf(cell, CELL, "ok%s",
			row->port->route->udp ? ", the target is not tested" : "");
		return;
	}
	if (row->rep != -1)
		snprintf(rep, sizeof(rep), " (rep=%d)", row->rep);
	snprintf(cell, CELL, "%s%s%s", at_fault ? at_fault : "", row->error, rep);
}

static void
put_time(const struct row *row, char cell[CELL])
{
	if (row->result == HOP_OK)
		snprintf(cell, CELL, "%d", (int)row->took_ms);
	else
		snprintf(cell, CELL, "-");
}

static const struct column {
	const char *head;
	void (*put)(const struct row *row, char cell[CELL]);
	bool right; /* aligned there */
} columns[] = {
	{ "listen", put_listen, false },
	{ "target", put_target, false },
	{ "upstream", put_upstream, false },
	{ "result", put_result, false },
	{ "ms", put_time, true },
};

/* row NULL: the heads. */
static void
put_cell(const struct column *column, const struct row *row, char cell[CELL])
{
	if (row)
		column->put(row, cell);
	else
		snprintf(cell, CELL, "%s", column->head);
}

static int
width_of(const struct column *column, const struct table *table)
{
	size_t width = strlen(column->head);
	char cell[CELL];

	for (size_t i = 0; i < table->n; i++) {
		put_cell(column, &table->rows[i], cell);
		if (strlen(cell) > width)
			width = strlen(cell);
	}
	return (int)width;
}

static void
print_row(FILE *out, const struct row *row, const int widths[COUNT(columns)])
{
	char cell[CELL];

	for (size_t i = 0; i < COUNT(columns); i++) {
		put_cell(&columns[i], row, cell);
		fprintf(out, "%s%*s", i > 0 ? "  " : "",
			columns[i].right ? widths[i] : -widths[i], cell);
	}
	fprintf(out, "\n");
}

static void
print_table(FILE *out, const struct table *table)
{
	int widths[COUNT(columns)];

	for (size_t i = 0; i < COUNT(columns); i++)
		widths[i] = width_of(&columns[i], table);
	print_row(out, NULL, widths);
	for (size_t i = 0; i < table->n; i++)
		print_row(out, &table->rows[i], widths);
}

/* Whether each port has a target that can be used. Its rows are next to each other. */
static bool
all_usable(const struct table *table)
{
	bool usable = true; /* the port of the row before */

	for (size_t i = 0; i < table->n; i++) {
		const struct row *row = &table->rows[i];
		bool is_new = i == 0 || row->port != row[-1].port;

		if (is_new && !usable)
			return false;
		usable = row->result == HOP_OK || (usable && !is_new);
	}
	return usable;
}

static int
wrong(const char *at, const char *why)
{
	fprintf(stderr, "pppd-socks: --probe: %s: %s\n", at, why);
	return EXIT_USAGE;
}

int
try_routes(struct ppp_conf *conf, const char *at, FILE *out)
{
	struct table table = { .conf = conf };
	struct listening asked;
	const char *why;
	bool usable;

	if (at && listening_parse(&asked, at, &why) == -1)
		return wrong(at, why);
	if (make_rows(&table, at ? &asked : NULL) == -1) {
		fprintf(stderr, "pppd-socks: --probe: out of memory\n");
		return EXIT_START;
	}
	if (at && table.n == 0)
		return wrong(at, "no route listens there");
	log_open("pppd-socks", conf->common.facility, (enum log_level)conf->common.level,
		true);
	try_all(&table);
	print_table(out, &table);
	usable = all_usable(&table);
	free(table.rows);
	return usable ? EXIT_OK : 1;
}
