/* SPDX-License-Identifier: ISC */
/*
 * A socket on a free port of a range, or on any free port. Runs on the thread that serves
 * the client; blocks for no peer. The port need not be hard to guess, for a stranger can
 * try all of the range: who may come or send is checked elsewhere. Does not log.
 */
#include "config.h"
#include "endpoint.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "compat.h"
#include "io.h"
#include "net.h"

void
endpoint_conf_free(struct endpoint_conf *conf)
{
	ports_free(&conf->ports);
}

/* Why it cannot be told to a client as where to send to, or NULL. */
static const char *
cannot_be_told(const struct endpoint_conf *conf, const struct addr *addr)
{
	const struct addr *place =
		addr_family(addr) == AF_INET ? &conf->told_ipv4 : &conf->told_ipv6;

	if (addr_is_unspecified(addr) || addr_is_multicast(addr) ||
		addr_is_broadcast(addr))
		return "nothing can be sent to this address";
	return place->len != 0 ? "one address of each family is enough" : NULL;
}

void
endpoint_read_advertise(struct conf *conf, config_setting_t *setting,
	const struct conf_key *key, void *into)
{
	struct endpoint_conf *at = into;

	(void)key;
	if (conf_count(setting) == 0)
		conf_error(conf, setting, "'%s': at least one address is wanted",
			conf_name(setting));
	for (int i = 0; i < conf_count(setting); i++) {
		config_setting_t *element = conf_element(setting, i);
		const char *text = config_setting_get_string(element), *why;
		struct addr addr;

		if (!text) {
			conf_error_type(conf, element, "a string");
			continue;
		}
		why = addr_from_text(&addr, text, 0) ? cannot_be_told(at, &addr)
						     : "an IP address is wanted";
		if (why)
			conf_error(conf, element, "'%s': %s: %s", conf_name(element),
				text, why);
		else if (addr_family(&addr) == AF_INET)
			at->told_ipv4 = addr;
		else
			at->told_ipv6 = addr;
	}
}

static void
set_port(struct addr *a, uint16_t port)
{
	if (addr_family(a) == AF_INET)
		a->u.in.sin_port = htons(port);
	else
		a->u.in6.sin6_port = htons(port);
}

/* How many ports there are; one that is in two ranges counts twice. */
static unsigned
count_ports(const struct ports *ports)
{
	unsigned n = 0;

	for (size_t i = 0; i < ports->n; i++)
		n += ports->list[i].last - ports->list[i].first + 1U;
	return n;
}

/* The nth of them, from 0; 0 (any) if there are not so many. */
static uint16_t
nth_port(const struct ports *ports, unsigned nth)
{
	for (size_t i = 0; i < ports->n; i++) {
		unsigned size = ports->list[i].last - ports->list[i].first + 1U;

		if (nth < size)
			return (uint16_t)(ports->list[i].first + nth);
		nth -= size;
	}
	return 0;
}

/* Another number for each call, also for calls of one moment. */
static unsigned
scatter(void)
{
	static _Atomic unsigned calls;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (atomic_fetch_add(&calls, 1) * 2654435761U) ^ (unsigned)now.tv_nsec;
}

/* A bound socket for datagrams. No SO_REUSEADDR: it would share the port with another. */
static int
open_datagram(const struct addr *at)
{
	int fd = compat_socket(addr_family(at), SOCK_DGRAM);

	if (fd != -1 && bind(fd, &at->u.sa, at->len) == -1)
		io_close(&fd);
	return fd;
}

static int
open_at(struct addr *at, int type, uint16_t port)
{
	set_port(at, port);
	return type == SOCK_STREAM ? net_listen(at) : open_datagram(at);
}

/* On to the next port: this one is taken, or one that only root may have. */
static bool
another_may_do(int error)
{
	return error == EADDRINUSE || error == EACCES;
}

/* Tries each port of the range once. Returns the fd, or -1 with errno. */
static int
open_in_range(const struct ports *ports, struct addr *at, int type)
{
	unsigned n = count_ports(ports), begin = n ? scatter() % n : 0;
	int error = 0, fd;

	if (n == 0)
		return open_at(at, type, 0);
	for (unsigned i = 0; i < n; i++) {
		fd = open_at(at, type, nth_port(ports, (begin + i) % n));
		if (fd != -1 || !another_may_do(errno))
			return fd;
		if (error != EADDRINUSE)
			error = errno;
	}
	errno = error;
	return -1;
}

int
endpoint_open(const struct endpoint_conf *conf, const struct addr *local, int type,
	struct addr *told)
{
	struct addr at = *local;
	const struct addr *advertised =
		addr_family(local) == AF_INET ? &conf->told_ipv4 : &conf->told_ipv6;
	int fd = open_in_range(&conf->ports, &at, type);

	if (fd == -1)
		return -1;
	if (net_local(fd, told) == -1) {
		io_close(&fd);
		return -1;
	}
	if (advertised->len != 0) {
		uint16_t port = addr_port(told);

		*told = *advertised;
		set_port(told, port);
	}
	return fd;
}
