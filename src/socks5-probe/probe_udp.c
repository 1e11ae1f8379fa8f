/* SPDX-License-Identifier: ISC */
/*
 * The mode udp: one datagram to the target and its answer, through an association: a
 * query to a name server, or a text to an echo server. Datagrams may get lost, so it is
 * sent again each second.
 */
#include "config.h"
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "net.h"
#include "socks_udp.h"

#define AGAIN_MS 1000

/* RFC 1035 section 4.1: ID, flags with RD, one question: the name servers of the root. */
enum { DNS_ID_SIZE = 2, DNS_AT_FLAGS = 2, DNS_HEADER = 12, DNS_RESPONSE = 0x80 };
static const uint8_t dns_query[] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1 };

#define PAYLOAD_MAX 1024 /* of what is sent; no datagram here needs to be in pieces */

/* The datagram that is sent, and what of it is payload. */
struct question {
	uint8_t data[SOCKS_UDP_HEADER + PAYLOAD_MAX];
	size_t header, size;
};

static int
make_question(struct probe *p, struct question *q)
{
	const char *text = p->args->payload;
	size_t len = text ? strlen(text) : sizeof(dns_query);
	uint16_t id = (uint16_t)(p->begin_us ^ getpid());
	struct socks_dest dst;

	if (len > PAYLOAD_MAX)
		return probe_fail(p, "the payload is longer than %d bytes", PAYLOAD_MAX);
	socks_dest_from_hostport(&dst, &p->args->target);
	q->header = socks_udp_build(q->data, 0, &dst);
	q->size = q->header + len;
	memcpy(q->data + q->header, text ? (const void *)text : dns_query, len);
	if (!text)
		memcpy(q->data + q->header, &id, DNS_ID_SIZE);
	return 0;
}

/* Whether it answers the question: the same text, or a response with the query's ID. */
static bool
is_answer(const struct probe *p, const struct question *q, const uint8_t *data, size_t n)
{
	const uint8_t *sent = q->data + q->header;
	struct socks_udp got;

	if (socks_udp_parse(&got, data, n) != PARSE_OK || got.frag != 0)
		return false;
	if (p->args->payload)
		return got.size == q->size - q->header &&
			memcmp(got.data, sent, got.size) == 0;
	return got.size >= DNS_HEADER && memcmp(got.data, sent, DNS_ID_SIZE) == 0 &&
		(got.data[DNS_AT_FLAGS] & DNS_RESPONSE);
}

/* Until the answer, the end of the association, or that of the time. 0, or -1: told. */
static int
ask(struct probe *p, const struct question *q, int fd)
{
	uint8_t data[SOCKS_UDP_HEADER + 4096];
	int64_t again = io_now_ms();

	for (;;) {
		struct io_limit limit = { again, p->socks.fd };
		ssize_t n;

		if (io_left_ms(p->limit.until_ms) == 0)
			return probe_fail(p, "no answer in time");
		/* What fails here is an ICMP message for an earlier one: it may be lost.
		 */
		if (io_left_ms(again) == 0) {
			(void)send(fd, q->data, q->size, MSG_NOSIGNAL);
			again += AGAIN_MS;
		}
		limit.until_ms = again < p->limit.until_ms ? again : p->limit.until_ms;
		n = io_read(fd, data, sizeof(data), &limit);
		if (n == -1 && errno == ECANCELED)
			return probe_fail(p, "the server ended the association");
		if (n > 0 && is_answer(p, q, data, (size_t)n))
			return 0;
	}
}

/* A socket that sends to the relay and hears nobody else. */
static int
open_socket(const struct addr *relay)
{
	int fd = compat_socket(addr_family(relay), SOCK_DGRAM);

	if (fd != -1 && connect(fd, &relay->u.sa, relay->len) == -1)
		io_close(&fd);
	return fd;
}

int
probe_udp(struct probe *p)
{
	/* Section 4: all zeros when the client does not know what it will send from. */
	static const struct hostport unknown = { "0.0.0.0", 0 };
	struct question q;
	struct addr relay;
	int fd, result;

	if (make_question(p, &q) == -1 ||
		probe_request(p, SOCKS_UDP_ASSOCIATE, &unknown, &relay) == -1)
		return -1;
	fd = open_socket(&relay);
	if (fd == -1)
		return probe_fail(p, "udp: %s", net_error_text(errno));
	result = ask(p, &q, fd);
	io_close(&fd);
	if (result == 0)
		probe_step(p, "answer");
	return result;
}
