/* SPDX-License-Identifier: ISC */
/*
 * A list under a leaf lock. It is asked for every datagram, so a count by port says
 * first, without the lock, that it is not there.
 */
#include "config.h"
#include "udp_relays.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

static struct {
	pthread_mutex_t lock;
	struct udp_relay *first;
	_Atomic uint16_t by_port[UINT16_MAX + 1];
} relays = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
udp_relays_add(struct udp_relay *relay)
{
	pthread_mutex_lock(&relays.lock);
	relay->prev = NULL;
	relay->next = relays.first;
	if (relay->next)
		relay->next->prev = relay;
	relays.first = relay;
	atomic_fetch_add(&relays.by_port[addr_port(&relay->at)], 1);
	pthread_mutex_unlock(&relays.lock);
}

void
udp_relays_remove(struct udp_relay *relay)
{
	pthread_mutex_lock(&relays.lock);
	if (relay->next)
		relay->next->prev = relay->prev;
	if (relay->prev)
		relay->prev->next = relay->next;
	else
		relays.first = relay->next;
	atomic_fetch_sub(&relays.by_port[addr_port(&relay->at)], 1);
	pthread_mutex_unlock(&relays.lock);
}

bool
udp_relays_hold(const struct addr *at)
{
	const struct udp_relay *relay;

	if (atomic_load_explicit(&relays.by_port[addr_port(at)], memory_order_relaxed) ==
		0)
		return false;
	pthread_mutex_lock(&relays.lock);
	for (relay = relays.first; relay; relay = relay->next)
		if (addr_equal(&relay->at, at))
			break;
	pthread_mutex_unlock(&relays.lock);
	return relay != NULL;
}
