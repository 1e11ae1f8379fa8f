/* SPDX-License-Identifier: ISC */
/*
 * enable: an administrator's wish that an upstream, or a target, gets nothing new. Any
 * thread.
 */
#ifndef ENABLE_H
#define ENABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "ppp_conf.h"

/*
 * Enables, or disables, the upstream of that name, and the target of that address,
 * "HOST:PORT", wherever it stands; each counts once. Returns how many there are.
 */
size_t enable_named(const struct ppp_conf *conf, const char *name, bool enable);

/* Disables in conf whatever of these names is disabled in old. */
void enable_as_before(const struct ppp_conf *conf, const struct ppp_conf *old);

#endif
