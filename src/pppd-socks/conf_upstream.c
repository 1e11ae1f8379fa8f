/* SPDX-License-Identifier: ISC */
/*
 * The keys of `upstreams`. They fill a struct upstream itself; what must hold over
 * several of them is checked when its group has been read. Passwords are read from their
 * files at once, while the daemon still is who started it. Main thread, before there are
 * others.
 */
#include "config.h"
#include "conf_upstream.h"

#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "compat.h"
#include "proxy_proto.h"
#include "secret_file.h"
#include "spares.h"

struct upstream *
upstreams_find(const struct upstreams *upstreams, const char *name)
{
	for (int i = 0; i < upstreams->n; i++)
		if (strcmp(upstreams->list[i]->name, name) == 0)
			return upstreams->list[i];
	return NULL;
}

const char *
upstreams_add(struct upstreams *upstreams, const char *text)
{
	struct hostport address;
	struct upstream *u;
	const char *why;

	if (hostport_parse(&address, text, &why) == -1)
		return why;
	if (upstreams->n == ROUTE_UPSTREAMS)
		return "there are 64 upstreams, the most that there can be";
	u = upstream_new(&address);
	if (!u)
		return "out of memory";
	if (upstreams_find(upstreams, u->name)) {
		upstream_free(u);
		return "this upstream is there already";
	}
	upstreams->list[upstreams->n++] = u;
	return NULL;
}

void
upstreams_free(struct upstreams *upstreams)
{
	for (int i = 0; i < upstreams->n; i++)
		upstream_free(upstreams->list[i]);
	upstreams->n = 0;
}

static void
read_address(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *text = config_setting_get_string(setting), *why;

	(void)key;
	if (!text)
		conf_error_type(conf, setting, "a string \"HOST:PORT\"");
	else if (hostport_parse(into, text, &why) == -1)
		conf_error(conf, setting, "'%s': %s: %s", conf_name(setting), text, why);
}

static void
read_username(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct socks_credentials *credentials = into;
	const char *text = config_setting_get_string(setting);
	size_t len = text ? strlen(text) : 0;

	(void)key;
	if (!text) {
		conf_error_type(conf, setting, "a string");
	} else if (len < 1 || len >= sizeof(credentials->name)) {
		conf_error(conf, setting, "'username': 1 to 255 bytes are wanted");
	} else {
		memcpy(credentials->name, text, len + 1);
		credentials->name_len = (uint8_t)len;
	}
}

static void
read_password_file(struct conf *conf, config_setting_t *setting,
	const struct conf_key *key, void *into)
{
	struct socks_credentials *credentials = into;
	char *path = NULL;
	const char *why = NULL;
	int len;

	conf_read_path(conf, setting, key, &path);
	if (!path)
		return;
	len = secret_file_line(credentials->password, path, &why);
	if (len == -1)
		conf_error(conf, setting, "'password_file': %s: %s", path, why);
	else
		credentials->password_len = (uint8_t)len;
	free(path);
}

static void
read_connect_as(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *text = config_setting_get_string(setting);

	if (text && strlen(text) > PROXY_NAME_MAX)
		conf_error(conf, setting, "'connect_as': longer than 255 bytes");
	else
		conf_read_string(conf, setting, key, into);
}

static void
read_handshake(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	static const char *const words[] = { "standard", "pipelined", NULL };
	int word = conf_word(conf, setting, words);

	(void)key;
	if (word != -1)
		*(bool *)into = word == 1;
}

#define AT(field) offsetof(struct upstream, field)
const struct conf_key upstream_keys[] = {
	{ "name", conf_read_string, AT(name), 0, 0, NULL },
	{ "address", read_address, AT(address), 0, 0, NULL },
	{ "weight", conf_read_int, AT(weight), 1, BALANCE_WEIGHT_MAX, NULL },
	{ "username", read_username, AT(credentials), 0, 0, NULL },
	{ "password_file", read_password_file, AT(credentials), 0, 0, NULL },
	{ "handshake", read_handshake, AT(pipelined), 0, 0, NULL },
	{ "spare", conf_read_int, AT(spare), 0, SPARES_MAX, NULL },
	{ "proxy_protocol", conf_read_bool, AT(proxy_protocol), 0, 0, NULL },
	{ "connect_as", read_connect_as, AT(connect_as), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* What must hold over several keys of the group. */
static void
check_group(struct conf *conf, config_setting_t *group, const struct upstream *u)
{
	const config_setting_t *username = config_setting_get_member(group, "username");
	const config_setting_t *file = config_setting_get_member(group, "password_file");

	if (!config_setting_get_member(group, "address"))
		conf_error(conf, group, "an upstream needs 'address'");
	if (username && !file)
		conf_error(conf, username, "'username': it needs 'password_file'");
	if (file && !username)
		conf_error(conf, file, "'password_file': it needs 'username'");
	if (u->connect_as && !u->proxy_protocol)
		conf_error(conf, config_setting_get_member(group, "connect_as"),
			"'connect_as': of no use without 'proxy_protocol = true'");
	/* A spare connection is there before the client that its header would name. */
	if (u->spare > 0 && u->proxy_protocol)
		conf_error(conf, config_setting_get_member(group, "spare"),
			"'spare': not possible with 'proxy_protocol'");
}

/* Each is known by its name. One whose address is wrong has none yet. */
static void
check_name(struct conf *conf, config_setting_t *group, const struct upstreams *upstreams,
	const struct upstream *u)
{
	const config_setting_t *at = config_setting_get_member(group, "name");

	if (u->address.port != 0 && upstreams_find(upstreams, u->name))
		conf_error(conf, at ? at : group,
			"an upstream of the name '%s' is there already", u->name);
}

/* The address of the group as it is written, or none: for a name by default. */
static struct hostport
address_of(config_setting_t *group)
{
	struct hostport address = { .port = 0 };
	const char *text, *why;

	if (config_setting_lookup_string(group, "address", &text))
		(void)hostport_parse(&address, text, &why);
	return address;
}

void
conf_upstream_read(
	struct conf *conf, config_setting_t *group, struct upstreams *upstreams)
{
	struct hostport address = address_of(group);
	struct upstream *u = upstream_new(&address);

	if (!u) {
		conf_error(conf, group, "out of memory");
		return;
	}
	conf_group(conf, group, upstream_keys, u);
	if (config_setting_is_group(group))
		check_group(conf, group, u);
	check_name(conf, group, upstreams, u);
	upstreams->list[upstreams->n++] = u;
}
