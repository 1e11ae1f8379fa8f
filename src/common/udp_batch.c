/* SPDX-License-Identifier: ISC */
/*
 * Batches of datagrams. On a socket that sends to many targets an error may be that of
 * any earlier datagram (an ICMP message that came since); it says nothing of the one at
 * hand, which is tried again. Those of one size that go to one address one after the
 * other take the way through the system as one; on some ways that cannot be. Keeps no
 * state of its own.
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
		in->list[i] = (struct compat_datagram){ .data = in->bytes[i],
			.size = UDP_ROOM,
			.sa = &in->from[i].u.sa,
			.sa_len = sizeof(in->from[i].u),
			.local = &in->local[i] };
	in->next = 0;
	in->done = 0;
	n = compat_recv_many(fd, in->list, UDP_BATCH);
	in->n = n == -1 ? 0 : n;
	if (n == -1 &&
		(errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ||
			of_an_earlier_one(errno)))
		return 0;
	return n == -1 ? -1 : 1;
}

/* Whether it is of a family that we know; the address is then as we write it. */
static bool
read_source(struct addr *from)
{
	const struct addr came = *from;

	return addr_from_sockaddr(from, &came.u.sa);
}

bool
udp_next(struct udp_inbox *in, struct udp_datagram *d)
{
	const struct compat_datagram *came;
	size_t left;
	int i;

	while (in->next < in->n && in->done == 0 && !read_source(&in->from[in->next]))
		in->next++;
	if (in->next == in->n)
		return false;
	i = in->next;
	came = &in->list[i];
	left = came->size - in->done;
	*d = (struct udp_datagram){ .from = &in->from[i],
		.local = &in->local[i],
		.header = in->header[i],
		.data = (uint8_t *)came->data + in->done,
		.size = left < came->segment ? left : came->segment };
	in->done += d->size;
	if (in->done == came->size) {
		in->next++;
		in->done = 0;
	}
	return true;
}

void
udp_put(struct udp_outbox *out, int fd, const struct addr *to, const uint8_t *data,
	size_t size)
{
	int i;

	if (out->n == UDP_OUT || (out->n > 0 && out->fd != fd))
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
}

void
udp_put_header(struct udp_outbox *out, const uint8_t *header, size_t size)
{
	struct compat_datagram *last = &out->list[out->n - 1];

	last->head = header;
	last->head_size = size;
}

/* Counts n that were sent, from the i-th on. */
static void
count_sent(struct udp_outbox *out, int i, int n)
{
	size_t bytes = 0;

	for (int end = i + n; i < end; i++)
		bytes += out->list[i].size;
	out->count[out->sent] += (uint64_t)n;
	relay_count(out->relay, out->from, bytes);
}

/*
 * Whether it may have failed because it was joined: then such ones no longer are. Linux
 * says EINVAL or EMSGSIZE when they are larger than the MTU, and EIO where none can be.
 */
static bool
stop_joining(struct udp_outbox *out, const struct compat_datagram *d, int error)
{
	size_t apart = error == EIO ? 1 : d->head_size + d->size;

	if ((error != EINVAL && error != EMSGSIZE && error != EIO) || apart == 0 ||
		(out->apart != 0 && out->apart <= apart))
		return false;
	out->apart = apart;
	return true;
}

void
udp_flush(struct udp_outbox *out)
{
	bool tried = false;
	int i = 0;

	while (i < out->n) {
		int n = compat_send_many(out->fd, out->list + i, out->n - i, out->apart);

		if (n > 0) {
			count_sent(out, i, n);
			i += n;
			tried = false;
		} else if (errno == EINTR) {
			continue;
		} else if (!tried && of_an_earlier_one(errno)) {
			tried = true;
		} else if (stop_joining(out, &out->list[i], errno)) {
			continue;
		} else {
			out->count[errno == EMSGSIZE ? UDP_SIZE : UDP_SEND]++;
			i++;
			tried = false;
		}
	}
	out->n = 0;
}
