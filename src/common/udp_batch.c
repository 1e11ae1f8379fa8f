/* SPDX-License-Identifier: ISC */
/*
 * Batches of datagrams. On a socket that sends to many targets an error may be that of
 * any earlier datagram (an ICMP message that came since); it says nothing of the one at
 * hand, which is tried again. Keeps no state of its own.
 */
#include "config.h"
#include "udp_batch.h"

#include <errno.h>
#include <stdbool.h>

/* Whether it may be the error of an earlier datagram. */
static bool
of_an_earlier_one(int error)
{
	static const int errors[] = { ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EHOSTDOWN,
		ENETUNREACH, ENETDOWN, ENOPROTOOPT, EPROTO };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

int
udp_receive(int fd, struct udp_inbox *in)
{
	int n;

	for (int i = 0; i < UDP_BATCH; i++)
		in->list[i] = (struct compat_datagram){ .data = in->bytes[i] + UDP_FRONT,
			.size = UDP_ROOM,
			.sa = &in->from[i].u.sa,
			.sa_len = sizeof(in->from[i].u),
			.local = &in->local[i] };
	n = compat_recv_many(fd, in->list, UDP_BATCH);
	if (n == -1 &&
		(errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ||
			of_an_earlier_one(errno)))
		return 0;
	return n;
}

void
udp_put(struct udp_outbox *out, int fd, const struct addr *to, const uint8_t *data,
	size_t size, size_t payload)
{
	int i;

	if (out->n == UDP_BATCH || (out->n > 0 && out->fd != fd))
		udp_flush(out);
	i = out->n++;
	out->fd = fd;
	/* What is sent is not written to, though a struct iovec cannot say so. */
	out->list[i] = (struct compat_datagram){
		.data = (void *)(uintptr_t)data, .size = size, .local = out->local
	};
	if (to) {
		out->to[i] = *to;
		out->list[i].sa = &out->to[i].u.sa;
		out->list[i].sa_len = to->len;
	}
	out->payload[i] = payload;
}

/* Counts n that were sent, from the i-th on. */
static void
count_sent(struct udp_outbox *out, int i, int n)
{
	size_t bytes = 0;

	for (int end = i + n; i < end; i++)
		bytes += out->payload[i];
	out->count[out->sent] += (uint64_t)n;
	relay_count(out->relay, out->from, bytes);
}

void
udp_flush(struct udp_outbox *out)
{
	bool tried = false;
	int i = 0;

	while (i < out->n) {
		int n = compat_send_many(out->fd, out->list + i, out->n - i);

		if (n > 0) {
			count_sent(out, i, n);
			i += n;
			tried = false;
		} else if (errno == EINTR) {
			continue;
		} else if (!tried && of_an_earlier_one(errno)) {
			tried = true;
		} else {
			out->count[errno == EMSGSIZE ? UDP_SIZE : UDP_SEND]++;
			i++;
			tried = false;
		}
	}
	out->n = 0;
}
