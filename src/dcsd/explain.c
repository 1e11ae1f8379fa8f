/* SPDX-License-Identifier: ISC */
/*
 * dcsd --explain: the rules asked aloud. It calls what a session calls, and tells between
 * which rules had been passed over. Runs before anything serves; blocks for look-ups.
 */
#include "config.h"
#include "explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

/* The question, taken apart. */
struct asked {
	struct addr client;
	struct identity who;
	int command;
	struct hostport target;
	bool has_client, has_target;
};

static const char *
take_client(struct asked *q, const char *value)
{
	struct hostport hp;
	const char *why;

	q->has_client = addr_from_text(&q->client, value, 0) ||
		(hostport_parse(&hp, value, &why) == 0 &&
			addr_from_text(&q->client, hp.host, hp.port));
	return q->has_client ? NULL : "client: an IP address is wanted";
}

static const char *
take_user(struct asked *q, const char *value)
{
	if (strlen(value) >= sizeof(q->who.name))
		return "user: the name is too long";
	strcpy(q->who.name, value);
	return NULL;
}

static const char *
take_command(struct asked *q, const char *value)
{
	q->command = rules_command(value);
	return q->command == -1 ? "cmd: connect, bind or udp is wanted" : NULL;
}

static const char *
take_target(struct asked *q, const char *value)
{
	const char *why;

	q->has_target = hostport_parse(&q->target, value, &why) == 0;
	return q->has_target ? NULL : "target: HOST:PORT is wanted";
}

/* One "key=value". Returns NULL, or what is wrong. */
static const char *
take_word(struct asked *q, char *word)
{
	static const struct {
		const char *key;
		const char *(*take)(struct asked *q, const char *value);
	} keys[] = { { "client", take_client }, { "user", take_user },
		{ "cmd", take_command }, { "target", take_target } };
	char *value = strchr(word, '=');

	if (!value)
		return "KEY=VALUE is wanted, with the keys client, user, cmd, target";
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(word, keys[i].key) == 0)
			return keys[i].take(q, value);
	return "the keys are client, user, cmd, target";
}

/* Takes the question apart. Returns NULL, or what is wrong. */
static const char *
parse(struct asked *q, const char *question)
{
	char *copy = strdup(question), *rest = NULL;
	const char *why = copy ? NULL : "out of memory";

	for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word && !why;
		word = strtok_r(NULL, " ", &rest))
		why = take_word(q, word);
	free(copy);
	if (!why && !(q->has_client && q->has_target))
		why = "client= and target= are wanted";
	return why;
}

/* "rule 2 (db)". */
static void
print_rule(FILE *out, const struct rules *rules, const struct rule *rule)
{
	fprintf(out, "rule %zu", (size_t)(rule - rules->list) + 1);
	if (rule->name)
		fprintf(out, " (%s)", rule->name);
}

/* The rules in order, up to the one that matches. addr NULL: whatever it is. */
static void
print_search(FILE *out, const struct rules *rules, const struct rules_query *query,
	const struct addr *addr, uint16_t port)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->list[i];
		const char *field = rule_mismatch(rule, query, addr, port);

		fprintf(out, "    ");
		print_rule(out, rules, rule);
		if (field) {
			fprintf(out, " does not match: %s\n", field);
			continue;
		}
		fprintf(out, " matches: %s\n", rule->allow ? "allow" : "deny");
		if (addr)
			break;
	}
}

/* The decision for one address, or for all (NULL). */
static bool
print_decision(FILE *out, const struct rules *rules, const struct rules_query *query,
	const struct addr *addr, uint16_t port)
{
	const struct rule *denied = NULL;
	const char *why = "";
	char text[ADDR_TEXT] = "any address";
	const struct rule *rule = addr
		? rules_decide(rules, query, addr, &denied, &why)
		: rules_may_allow(rules, query, NULL, port, &denied, &why);

	fprintf(out, "%s:\n", addr ? addr_text(addr, text) : text);
	print_search(out, rules, query, addr, port);
	if (rule) {
		fprintf(out, addr ? "    allowed by " : "    may be allowed by ");
		print_rule(out, rules, rule);
		fprintf(out, "\n");
		return true;
	}
	fprintf(out, "    denied: ");
	if (denied) {
		print_rule(out, rules, denied);
		fprintf(out, ": ");
	}
	fprintf(out, "%s\n", why);
	return false;
}

/* Every address of the name. Returns whether one is allowed. */
static bool
print_addresses(FILE *out, const struct rules *rules, const struct rules_query *query,
	const struct hostport *target)
{
	struct addr list[NET_ADDRS];
	bool allowed = false;
	int n = net_resolve(target, list, NET_ADDRS);

	if (n == -1)
		fprintf(out, "%s: %s\n", target->host, net_error_text(errno));
	for (int i = 0; i < n; i++)
		allowed |= print_decision(out, rules, query, &list[i], target->port);
	return allowed;
}

enum explained
explain(const struct rules *rules, struct auth *auth, const char *question, bool resolve,
	FILE *out, const char **why)
{
	struct asked q = { .command = SOCKS_CONNECT };
	struct rules_query query = { .client = &q.client, .who = &q.who };
	struct socks_dest dst;
	bool allowed;

	*why = parse(&q, question);
	if (*why)
		return EXPLAIN_BAD;
	if (auth && q.who.name[0] != '\0' && !auth_find(auth, q.who.name, &q.who))
		fprintf(out, "no groups are known of user %s\n", q.who.name);
	socks_dest_from_hostport(&dst, &q.target);
	query.command = (enum socks_command)q.command;
	query.dst = &dst;
	allowed = print_decision(out, rules, &query,
		dst.atyp == SOCKS_ATYP_NAME ? NULL : &dst.addr, q.target.port);
	if (allowed && dst.atyp == SOCKS_ATYP_NAME && resolve)
		allowed = print_addresses(out, rules, &query, &q.target);
	fprintf(out, "%s\n", allowed ? "allowed" : "denied");
	return allowed ? EXPLAIN_ALLOWED : EXPLAIN_DENIED;
}
