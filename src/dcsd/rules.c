/* SPDX-License-Identifier: ISC */
/*
 * The rules as they are configured, or built in, and the question whether one matches.
 * Names match by the text that was sent, networks by the address that it came to mean;
 * IPv4-mapped addresses have become IPv4 before they come here. Nothing blocks, and
 * nothing changes while the daemon runs.
 */
#include "config.h"
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Prefixes shorter than this name no special address: 0.0.0.0/0 means all the others. */
#define NAMING_BITS 4

/* ---- reading ---- */

static void
read_action(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	const char *text = config_setting_get_string(setting);

	(void)key;
	if (text && strcmp(text, "allow") == 0)
		*(bool *)into = true;
	else if (text && strcmp(text, "deny") == 0)
		*(bool *)into = false;
	else
		conf_error(conf, setting, "'action': \"allow\" or \"deny\" is wanted");
}

static const char *const command_words[] = {
	[SOCKS_CONNECT] = "connect",
	[SOCKS_BIND] = "bind",
	[SOCKS_UDP_ASSOCIATE] = "udp",
};

const char *
rules_command_word(uint8_t command)
{
	return command >= SOCKS_CONNECT && command <= SOCKS_UDP_ASSOCIATE
		? command_words[command]
		: "-";
}

int
rules_command(const char *word)
{
	for (int c = SOCKS_CONNECT; c <= SOCKS_UDP_ASSOCIATE; c++)
		if (strcmp(word, command_words[c]) == 0)
			return c;
	return -1;
}

static void
read_commands(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	if (conf_count(setting) == 0)
		conf_error(conf, setting, "'commands': at least one value is wanted");
	for (int i = 0; i < conf_count(setting); i++) {
		config_setting_t *at = conf_element(setting, i);
		const char *text = config_setting_get_string(at);
		int command = text ? rules_command(text) : -1;

		if (command == -1)
			conf_error(
				conf, at, "'commands': connect, bind or udp is wanted");
		else
			*(unsigned *)into |= 1U << command;
	}
}

/* A name, or "*.name"; letters, digits, and what else is seen in names. */
static bool
is_name_pattern(const char *text)
{
	size_t len;

	if (text[0] == '*' && text[1] == '.')
		text += 2;
	len = strlen(text);
	return len > 0 && len <= HOST_MAX &&
		strspn(text,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
			".") == len;
}

/* Whether the text can only be meant as an address: it must then parse as one. */
static bool
looks_like_address(const char *text)
{
	return strchr(text, '/') || strchr(text, ':') ||
		strspn(text, "0123456789.") == strlen(text);
}

static void
read_target(struct conf *conf, config_setting_t *at, struct rule *rule)
{
	const char *text = config_setting_get_string(at), *why;
	struct cidr cidr;
	int added;

	if (!text) {
		conf_error_type(conf, at, "a string");
		return;
	}
	if (looks_like_address(text)) {
		if (cidr_parse(&cidr, text, &why) == -1) {
			conf_error(conf, at, "'targets': %s: %s", text, why);
			return;
		}
		added = cidrs_add(&rule->networks, &cidr);
	} else if (is_name_pattern(text)) {
		added = words_add(&rule->names, text);
	} else {
		conf_error(conf, at,
			"'targets': %s: a network, a name, or *.name is wanted", text);
		return;
	}
	if (added == -1)
		conf_error(conf, at, "out of memory");
}

static void
read_targets(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	(void)key;
	if (conf_count(setting) == 0)
		conf_error(conf, setting, "'targets': at least one value is wanted");
	for (int i = 0; i < conf_count(setting); i++)
		read_target(conf, conf_element(setting, i), into);
}

static void
read_outgoing(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	struct rule *rule = into;

	rule->has_outgoing = true;
	conf_group(conf, setting, key->keys, &rule->outgoing);
}

const struct conf_key rule_keys[] = {
	{ "name", conf_read_string, offsetof(struct rule, name), 0, 0, NULL },
	{ "action", read_action, offsetof(struct rule, allow), 0, 0, NULL },
	{ "clients", conf_read_cidrs, offsetof(struct rule, clients), 0, 0, NULL },
	{ "users", conf_read_words, offsetof(struct rule, users), 0, 0, NULL },
	{ "commands", read_commands, offsetof(struct rule, commands), 0, 0, NULL },
	{ "targets", read_targets, 0, 0, 0, NULL },
	{ "ports", conf_read_ports, offsetof(struct rule, ports), 0, 0, NULL },
	{ "idle", conf_read_seconds, offsetof(struct rule, idle_ms), 0,
		SETTINGS_FOREVER_S, NULL },
	{ "limit", conf_read_int, offsetof(struct rule, limit), 0, 1000000, NULL },
	{ "outgoing", read_outgoing, 0, 0, 0, outgoing_keys },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* A new rule at the end, or NULL: out of memory. Rules do not move once all are there. */
static struct rule *
add_rule(struct rules *rules)
{
	struct rule *list = realloc(rules->list, (rules->n + 1) * sizeof(*list));

	if (!list)
		return NULL;
	rules->list = list;
	list[rules->n] = (struct rule){ .idle_ms = -1 };
	return &list[rules->n++];
}

static bool
same_name(const struct rule *a, const struct rule *b)
{
	return strcmp(a->name ? a->name : "", b->name ? b->name : "") == 0;
}

/*
 * Gives each rule its key: the name, and how many before it have that one, or none. So it
 * is the same one in another configuration, wherever it stands there. False: out of
 * memory.
 */
static bool
make_keys(struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct rule *rule = &rules->list[i];
		const char *name = rule->name ? rule->name : "";
		size_t nth = 0, size = strlen(name) + 24;

		for (size_t before = 0; before < i; before++)
			nth += same_name(&rules->list[before], rule);
		rule->key = malloc(size);
		if (!rule->key)
			return false;
		snprintf(rule->key, size, "%zu %s", nth, name);
	}
	return true;
}

void
rules_read(struct conf *conf, config_setting_t *setting, const struct conf_key *key,
	void *into)
{
	if (!config_setting_is_list(setting)) {
		conf_error_type(conf, setting, "a list ( { ... }, { ... } )");
		return;
	}
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *group = conf_element(setting, i);
		struct rule *rule = add_rule(into);

		if (!rule) {
			conf_error(conf, group, "out of memory");
			return;
		}
		conf_group(conf, group, key->keys, rule);
		if (config_setting_is_group(group) &&
			!config_setting_get_member(group, "action"))
			conf_error(conf, group, "a rule needs 'action'");
	}
	if (!make_keys(into))
		conf_error(conf, setting, "out of memory");
}

int
rules_default(struct rules *rules)
{
	static const char *const loopback[] = { "127.0.0.0/8", "::1" };
	struct rule *rule = add_rule(rules);
	const char *why;
	struct cidr cidr;

	if (!rule)
		return -1;
	rule->allow = true;
	for (size_t i = 0; i < 2; i++)
		if (cidr_parse(&cidr, loopback[i], &why) == -1 ||
			cidrs_add(&rule->clients, &cidr) == -1)
			return -1;
	rule = add_rule(rules);
	if (!rule)
		return -1;
	rule->allow = true;
	return words_add(&rule->users, "*") == 0 && make_keys(rules) ? 0 : -1;
}

static void
rule_free(struct rule *rule)
{
	free(rule->name);
	free(rule->key);
	cidrs_free(&rule->clients);
	words_free(&rule->users);
	words_free(&rule->names);
	cidrs_free(&rule->networks);
	ports_free(&rule->ports);
	outgoing_free(&rule->outgoing);
}

void
rules_free(struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		rule_free(&rules->list[i]);
	free(rules->list);
	*rules = (struct rules){ NULL, 0 };
}

/* ---- matching ---- */

/* Whether name, of len bytes, is one of a comma separated list. */
static bool
is_in_groups(const char *groups, const char *name)
{
	size_t len = strlen(name);

	while (*groups != '\0') {
		size_t part = strcspn(groups, ",");

		if (part == len && memcmp(groups, name, len) == 0)
			return true;
		groups += part + (groups[part] == ',');
	}
	return false;
}

static bool
user_matches(const struct words *users, const struct identity *who)
{
	if (who->name[0] == '\0')
		return false;
	for (size_t i = 0; i < users->n; i++) {
		const char *word = users->list[i];

		if (strcmp(word, "*") == 0 || strcmp(word, who->name) == 0)
			return true;
		if (word[0] == '@' && is_in_groups(who->groups, word + 1))
			return true;
	}
	return false;
}

/* Case-insensitive; a trailing dot is ignored; "*.x" is any depth below x, not x itself.
 */
static bool
name_matches(const char *pattern, const char *name)
{
	size_t pattern_len = strlen(pattern), len = strlen(name);

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (pattern_len > 0 && pattern[pattern_len - 1] == '.')
		pattern_len--;
	if (pattern[0] == '*') {
		pattern++;
		pattern_len--;
		if (len <= pattern_len)
			return false;
		name += len - pattern_len;
		len = pattern_len;
	}
	return len == pattern_len && strncasecmp(pattern, name, len) == 0;
}

/* What special kind of address it is, or NULL. */
static const char *
special(const struct addr *addr)
{
	if (addr_is_unspecified(addr))
		return "unspecified address";
	if (addr_is_multicast(addr))
		return "multicast address";
	if (addr_is_broadcast(addr))
		return "broadcast or reserved address";
	return NULL;
}

/* Whether the rule's networks name the special address, and do not just happen to hold
 * it. */
static bool
names_special(const struct rule *rule, const struct addr *addr)
{
	for (size_t i = 0; i < rule->networks.n; i++) {
		const struct cidr *c = &rule->networks.list[i];

		if (c->bits >= NAMING_BITS && cidr_holds(c, addr))
			return true;
	}
	return false;
}

static bool
any_target(const struct rule *rule)
{
	return rule->names.n == 0 && rule->networks.n == 0;
}

/* Whether one of the rule's names is the one that was sent. */
static bool
named(const struct rule *rule, const struct socks_dest *dst)
{
	for (size_t i = 0; dst && dst->atyp == SOCKS_ATYP_NAME && i < rule->names.n; i++)
		if (name_matches(rule->names.list[i], dst->name.host))
			return true;
	return false;
}

static bool
target_matches(
	const struct rule *rule, const struct socks_dest *dst, const struct addr *addr)
{
	if (addr && rule->allow && special(addr))
		return names_special(rule, addr);
	if (any_target(rule) || named(rule, dst))
		return true;
	return addr ? cidrs_hold(&rule->networks, addr) : !dst || rule->networks.n > 0;
}

const char *
rule_mismatch(const struct rule *rule, const struct rules_query *query,
	const struct addr *addr, uint16_t port)
{
	if (rule->clients.n > 0 && !cidrs_hold(&rule->clients, query->client))
		return "clients";
	if (rule->users.n > 0 && !user_matches(&rule->users, query->who))
		return "users";
	if (rule->commands != 0 && !(rule->commands & 1U << query->command))
		return "commands";
	if (!target_matches(rule, query->dst, addr))
		return "targets";
	if (port != 0 && rule->ports.n > 0 && !ports_hold(&rule->ports, port))
		return "ports";
	return NULL;
}

/* Why nothing allows it, when no rule denied it. */
static const char *
no_match(const struct addr *addr)
{
	const char *kind = addr ? special(addr) : NULL;

	return kind ? kind : "no rule matches";
}

/*
 * Whether a rule that matches would match whatever is still open: else its denial decides
 * nothing yet.
 */
static bool
is_certain(const struct rule *rule, const struct rules_query *query,
	const struct addr *addr, uint16_t port)
{
	if (port == 0 && rule->ports.n > 0)
		return false;
	return addr || any_target(rule) || named(rule, query->dst);
}

const struct rule *
rules_may_allow(const struct rules *rules, const struct rules_query *query,
	const struct addr *addr, uint16_t port, const struct rule **denied,
	const char **why)
{
	*denied = NULL;
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->list[i];

		if (rule_mismatch(rule, query, addr, port))
			continue;
		if (rule->allow)
			return rule;
		if (!is_certain(rule, query, addr, port))
			continue;
		*denied = rule;
		*why = "denied by this rule";
		return NULL;
	}
	*why = no_match(addr);
	return NULL;
}

const struct rule *
rules_decide(const struct rules *rules, const struct rules_query *query,
	const struct addr *addr, const struct rule **denied, const char **why)
{
	*denied = NULL;
	*why = "loop: a listening socket of this daemon";
	if (query->server && server_owns(query->server, addr))
		return NULL;
	return rules_may_allow(rules, query, addr, addr_port(addr), denied, why);
}

bool
rules_allow_by(const struct rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->list[i];

		if (rule->allow && rule->name && strcmp(rule->name, name) == 0)
			return true;
	}
	return false;
}

bool
rule_enter(const struct rule *rule, struct tally *tunnels)
{
	return tally_take(tunnels, rule->key, strlen(rule->key), (size_t)rule->limit);
}

void
rule_leave(const struct rule *rule, struct tally *tunnels)
{
	tally_give(tunnels, rule->key, strlen(rule->key));
}
