/* SPDX-License-Identifier: ISC */
/*
 * The mode bind: asks the server to listen, then connects to where it does, as the peer,
 * and sees whether a few bytes go through, both ways.
 */
#include "config.h"
#include "probe.h"

#include <errno.h>
#include <string.h>

#include "net.h"

#define ECHO 16 /* bytes each way */

/* Reads from behind the last reply, then from the server. Returns 0, or -1 with errno. */
static int
read_client(struct probe *p, uint8_t *buf, size_t size)
{
	struct inbox *in = &p->socks.in;

	while (in->len < size)
		if (inbox_fill(in, p->socks.fd, &p->limit) == -1)
			return -1;
	memcpy(buf, in->data, size);
	inbox_consume(in, size);
	return 0;
}

static int
read_peer(struct probe *p, int peer, uint8_t *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = io_read(peer, buf + done, size - done, &p->limit);

		if (n == 0)
			errno = EPIPE;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static const char *
transfer_error(void)
{
	return errno == EPIPE ? "the server closed it" : net_error_text(errno);
}

/* A few bytes from the peer to the client, and others back. */
static int
exchange(struct probe *p, int peer)
{
	static const char down[ECHO] = "from the peer...", up[ECHO] = "from the client.";
	uint8_t got[ECHO];

	if (io_write(peer, down, ECHO, &p->limit) == -1 ||
		read_client(p, got, ECHO) == -1)
		return probe_fail(p, "bytes from the peer: %s", transfer_error());
	if (memcmp(got, down, ECHO) != 0)
		return probe_fail(p, "bytes from the peer came changed");
	if (io_write(p->socks.fd, up, ECHO, &p->limit) == -1 ||
		read_peer(p, peer, got, ECHO) == -1)
		return probe_fail(p, "bytes to the peer: %s", transfer_error());
	if (memcmp(got, up, ECHO) != 0)
		return probe_fail(p, "bytes to the peer came changed");
	probe_step(p, "echo");
	return 0;
}

/* As the peer: the second reply, then the bytes. */
static int
be_peer(struct probe *p, int peer)
{
	if (socks_client_reply(&p->socks, &p->limit) == -1)
		return probe_fail_socks(p, "second reply");
	probe_step(p, "peer");
	return exchange(p, peer);
}

int
probe_bind(struct probe *p)
{
	/* Without a target, any peer will do: the server may see us with another address.
	 */
	static const struct hostport anybody = { "0.0.0.0", 0 };
	const struct hostport *target = &p->args->target;
	char text[ADDR_TEXT];
	struct addr told, used;
	int peer, result;

	if (target->host[0] == '\0')
		target = &anybody;
	if (probe_request(p, SOCKS_BIND, target, &told) == -1)
		return -1;
	peer = net_dial(&told, 1, NULL, &p->limit, &used);
	if (peer == -1)
		return probe_fail(p, "connect to %s, which was told: %s",
			addr_text(&told, text), net_error_text(errno));
	result = be_peer(p, peer);
	io_close(&peer);
	return result;
}
