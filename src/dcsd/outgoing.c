/* SPDX-License-Identifier: ISC */
/* The `outgoing` group of dcsd.conf, or of a rule, and what it does to addresses. Pure.
 */
#include "config.h"
#include "outgoing.h"

#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
	[OUTGOING_ANY] = "any",
	[OUTGOING_IPV4] = "ipv4",
	[OUTGOING_IPV6] = "ipv6",
	[OUTGOING_IPV4_ONLY] = "ipv4-only",
	[OUTGOING_IPV6_ONLY] = "ipv6-only",
};

void
outgoing_free(struct outgoing *o)
{
	free(o->source.device);
	o->source.device = NULL;
}

/* One address of each family at most. */
static void
read_bind(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct net_source *source = into;

	(void)key;
	for (int i = 0; i < conf_count(setting); i++) {
		config_setting_t *at = conf_element(setting, i);
		const char *text = config_setting_get_string(at);
		struct addr addr, *place;

		if (!text) {
			conf_error_type(conf, at, "a string");
			continue;
		}
		if (!addr_from_text(&addr, text, 0)) {
			conf_error(conf, at, "'bind': %s: an IP address is wanted", text);
			continue;
		}
		place = addr_family(&addr) == AF_INET ? &source->ipv4 : &source->ipv6;
		if (place->len != 0)
			conf_error(conf, at,
				"'bind': %s: one address of each family is enough", text);
		*place = addr;
	}
}

static void
read_prefer(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *text = config_setting_get_string(setting);

	(void)key;
	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0) {
			*(int *)into = (int)i;
			return;
		}
	conf_error(conf, setting,
		"'prefer': one of any, ipv4, ipv6, ipv4-only, ipv6-only is wanted");
}

const struct conf_key outgoing_keys[] = {
	{ "bind", read_bind, offsetof(struct outgoing, source), 0, 0, NULL },
	{ "device", conf_read_string, offsetof(struct outgoing, source.device), 0, 0,
		NULL },
	{ "prefer", read_prefer, offsetof(struct outgoing, prefer), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* Moves the addresses of that family to the front, in their order. Returns how many. */
static int
bring_forward(struct addr *list, int n, int family)
{
	int front = 0;

	for (int i = 0; i < n; i++) {
		struct addr one = list[i];

		if (addr_family(&one) != family)
			continue;
		memmove(&list[front + 1], &list[front],
			(size_t)(i - front) * sizeof(*list));
		list[front++] = one;
	}
	return front;
}

int
outgoing_order(const struct outgoing *o, struct addr *list, int n)
{
	int family = o->prefer == OUTGOING_IPV4 || o->prefer == OUTGOING_IPV4_ONLY
		? AF_INET
		: AF_INET6;
	int front;

	if (o->prefer == OUTGOING_ANY)
		return n;
	front = bring_forward(list, n, family);
	return o->prefer == OUTGOING_IPV4_ONLY || o->prefer == OUTGOING_IPV6_ONLY ? front
										  : n;
}
