/* SPDX-License-Identifier: ISC */
/* The end: no more clients, and time for those that are there. Main thread. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "io.h"
#include "life.h"
#include "log.h"

struct drain {
	struct conns *conns;
	int64_t until_ms;
};

void
drain_quiesce(struct life *life)
{
	const struct service *service = life->service;
	void *config;

	pthread_mutex_lock(&life->changing);
	config = life->now->config;
	life->over = true;
	server_quiesce(life->server);
	if (life->started && service->stop && service->stop(config) == -1)
		life->is_busy = true;
	if (service->end && service->end(config) == -1)
		life->is_busy = true;
	if (!reload_stop_busy(life))
		life->is_busy = true;
	life->started = false;
	pthread_mutex_unlock(&life->changing);
}

static void *
watch_drain(void *arg)
{
	const struct drain *drain = arg;

	(void)conns_wait(drain->conns, drain->until_ms);
	kill(getpid(), SIGDRAINED);
	return NULL;
}

bool
drain_cut(struct life *life, enum end why)
{
	struct conns *conns = server_conns(life->server);
	size_t n = conns_cut(conns, why);

	if (n > 0)
		log_msg(LOG_L_NOTICE, "%zu tunnels cut", n);
	return conns_wait(conns, io_now_ms() + DRAIN_CUT_MS) == 0;
}

static void
tell_begin(size_t n, int64_t drain_ms)
{
	if (drain_ms == DRAIN_FOREVER)
		log_msg(LOG_L_NOTICE, "draining %zu tunnels", n);
	else
		log_msg(LOG_L_NOTICE, "draining %zu tunnels for at most %lld s", n,
			(long long)(drain_ms + 999) / 1000);
}

bool
drain_tunnels(struct life *life, int64_t drain_ms)
{
	struct conns *conns = server_conns(life->server);
	struct drain drain = { conns,
		drain_ms == DRAIN_FOREVER ? IO_FOREVER : io_now_ms() + drain_ms };
	pthread_t watcher;
	enum end why = END_DRAINED;
	bool all_gone;

	tell_begin(conns_count(conns), drain_ms);
	if (pthread_create(&watcher, NULL, watch_drain, &drain) != 0)
		return drain_cut(life, END_SHUTDOWN);
	if (service_wait(life, true) != SIGDRAINED)
		why = END_SHUTDOWN;
	all_gone = drain_cut(life, why);
	/* If not, the watcher may be waiting still, and the process ends over it. */
	if (all_gone)
		pthread_join(watcher, NULL);
	else
		pthread_detach(watcher);
	return all_gone;
}
