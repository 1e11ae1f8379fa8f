/* SPDX-License-Identifier: ISC */
/*
 * What all modes have in common: connect, method, authentication, request, and the line
 * of the result with its times. One thread; the only state is the struct probe.
 */
#include "config.h"
#include "probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net.h"
#include "proxy_proto.h"

static int
run_connect(struct probe *p)
{
	return probe_request(p, SOCKS_CONNECT, &p->args->target, NULL);
}

const struct probe_mode probe_modes[] = {
	{ "connect", true, run_connect },
	{ "bind", false, probe_bind },
	{ "udp", true, probe_udp },
	{ "auth", false, NULL },
	{ NULL, false, NULL },
};

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
probe_step(struct probe *p, const char *label)
{
	int64_t now = now_us();

	if (p->steps < PROBE_STEPS) {
		p->step[p->steps].label = label;
		p->step[p->steps++].us = now - p->step_us;
	}
	p->step_us = now;
}

int
probe_fail(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error, sizeof(p->error), fmt, ap);
	va_end(ap);
	return -1;
}

int
probe_fail_socks(struct probe *p, const char *what)
{
	const struct socks_client *c = &p->socks;

	if (c->replied && c->reply.rep != SOCKS_REP_SUCCEEDED)
		return probe_fail(p, "%s: %s (REP %d)", what, c->error, c->reply.rep);
	return probe_fail(p, "%s: %s", what, c->error);
}

/* Leaves those of the family that is wanted. Returns how many. */
static int
keep_family(struct addr *list, int n, int family)
{
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (family == AF_UNSPEC || addr_family(&list[i]) == family)
			list[kept++] = list[i];
	return kept;
}

static int
reach_server(struct probe *p)
{
	const struct probe_args *args = p->args;
	struct addr list[NET_ADDRS];
	int n = net_resolve(&args->server, list, NET_ADDRS);

	if (n == -1)
		return probe_fail(p, "look-up: %s", net_error_text(errno));
	n = keep_family(list, n, args->family);
	if (n == 0)
		return probe_fail(p, "no address of that family");
	p->socks.fd = net_dial(list, n, NULL, &p->limit, &p->server);
	if (p->socks.fd == -1)
		return probe_fail(p, "tcp: %s", net_error_text(errno));
	probe_step(p, "tcp");
	return 0;
}

/* LOCAL, as a proxy sends for its own checks: we are nobody's proxy, and name nobody. */
static int
send_header(struct probe *p)
{
	uint8_t header[PROXY_MESSAGE];
	size_t size = proxy_build_v2(header, NULL, NULL, NULL);

	if (!p->args->proxy_header || io_write(p->socks.fd, header, size, &p->limit) == 0)
		return 0;
	return probe_fail(p, "PROXY header: %s", net_error_text(errno));
}

/* With a name and password, it is they that are to be tested: nothing else is offered. */
static int
authenticate(struct probe *p)
{
	const struct probe_args *args = p->args;
	const struct socks_greeting offer = { 1,
		{ args->with_password ? SOCKS_METHOD_PASSWORD : SOCKS_METHOD_NONE } };

	if (socks_client_greet(&p->socks, &offer, &p->limit) == -1)
		return probe_fail_socks(p, "method");
	probe_step(p, "method");
	if (!args->with_password)
		return 0;
	if (socks_client_password(&p->socks, &args->credentials, &p->limit) == -1)
		return probe_fail_socks(p, "auth");
	probe_step(p, "auth");
	return 0;
}

/* From a reply: a name is looked up, and 0.0.0.0 means the server's own address. */
static int
find_bnd(struct probe *p, struct addr *bnd)
{
	const struct socks_dest *told = &p->socks.reply.bnd;
	size_t size;

	if (told->atyp == SOCKS_ATYP_NAME) {
		if (net_resolve(&told->name, bnd, 1) == 1)
			return 0;
		return probe_fail(p, "the address told: %s", net_error_text(errno));
	}
	*bnd = told->addr;
	if (addr_is_unspecified(bnd))
		addr_from_bytes(bnd, addr_family(&p->server),
			addr_bytes(&p->server, &size), addr_port(&told->addr));
	return 0;
}

int
probe_request(struct probe *p, enum socks_command command, const struct hostport *target,
	struct addr *bnd)
{
	struct socks_request request = { .cmd = command };

	socks_dest_from_hostport(&request.dst, target);
	if (socks_client_request(&p->socks, &request, &p->limit) == -1)
		return probe_fail_socks(p, "reply");
	probe_step(p, "reply");
	return bnd ? find_bnd(p, bnd) : 0;
}

/* "connect to example.com:80", or "udp through 192.0.2.1:1080". Returns out. */
static char *
subject(const struct probe_args *args, char *out, size_t size)
{
	bool target = args->target.host[0] != '\0';
	char text[HOSTPORT_TEXT];

	hostport_text(target ? &args->target : &args->server, text);
	snprintf(out, size, "%s %s %s", args->mode->word, target ? "to" : "with", text);
	return out;
}

static double
seconds(int64_t us)
{
	return (double)us / 1e6;
}

/* Behind the bar: "LABEL=VALUE;WARNING;CRITICAL;MINIMUM" of each time. */
static void
print_times(const struct probe *p, int64_t total_us)
{
	char warning[24] = "";

	if (p->args->warning_ms > 0)
		snprintf(warning, sizeof(warning), "%.3f",
			(double)p->args->warning_ms / 1000);
	printf(" |");
	for (int i = 0; i < p->steps; i++)
		printf(" %s=%.6fs;;;0", p->step[i].label, seconds(p->step[i].us));
	printf(" total=%.6fs;%s;%.3f;0\n", seconds(total_us), warning,
		(double)p->args->timeout_ms / 1000);
}

static int
report(const struct probe *p, bool done)
{
	static const char *const words[] = { [PROBE_OK] = "OK",
		[PROBE_WARNING] = "WARNING",
		[PROBE_CRITICAL] = "CRITICAL" };
	int64_t total_us = now_us() - p->begin_us;
	int64_t warning_us = p->args->warning_ms * 1000;
	enum probe_status status = PROBE_OK;
	char text[HOSTPORT_TEXT + 32];

	if (!done)
		status = PROBE_CRITICAL;
	else if (warning_us > 0 && total_us > warning_us)
		status = PROBE_WARNING;
	printf("SOCKS5 %s - %s", words[status], subject(p->args, text, sizeof(text)));
	if (done)
		printf(" in %.3f s", seconds(total_us));
	else
		printf(": %s", p->error);
	print_times(p, total_us);
	return fflush(stdout) == 0 ? (int)status : PROBE_UNKNOWN;
}

int
probe_run(const struct probe_args *args)
{
	struct probe p = { .args = args, .socks = { .fd = -1 } };
	bool done;

	p.begin_us = p.step_us = now_us();
	p.limit = (struct io_limit){ io_now_ms() + args->timeout_ms, -1 };
	done = reach_server(&p) == 0 && send_header(&p) == 0 && authenticate(&p) == 0 &&
		(!args->mode->run || args->mode->run(&p) == 0);
	io_close(&p.socks.fd);
	return report(&p, done);
}
