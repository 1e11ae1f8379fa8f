/* SPDX-License-Identifier: ISC */
/*
 * rules: what is allowed. They are gone through in order; the first that matches decides;
 * no match denies. With no `rules` configured: a client on loopback, or one that has
 * authenticated, may do anything, all others nothing.
 */
#ifndef RULES_H
#define RULES_H

#include "auth.h"
#include "lists.h"
#include "outgoing.h"
#include "server.h"
#include "settings.h"
#include "socks_proto.h"
#include "tally.h"

/* One rule. A field that is empty matches everything. */
struct rule {
	char *name; /* NULL: none, "-" in the log */
	bool allow;
	struct cidrs clients;
	struct words users;    /* names, "@group", "*" for whoever has authenticated */
	unsigned commands;     /* bits 1 << enum socks_command; 0: all */
	struct words names;    /* of targets: "host.example.com", "*.example.com" */
	struct cidrs networks; /* of targets */
	struct ports ports;
	int64_t idle_ms;	  /* -1: timeouts.idle */
	int limit;		  /* tunnels at a time; 0: none */
	struct outgoing outgoing; /* when has_outgoing */
	bool has_outgoing;
	char *key; /* its tunnels are counted by; the same after a reload */
};

struct rules {
	struct rule *list; /* in order */
	size_t n;
};

/* Reads `rules`, a list of groups, into a struct rules. */
conf_reader rules_read;
extern const struct conf_key rule_keys[];

/* The built-in rules, for where none are configured. Returns 0, or -1: out of memory. */
int rules_default(struct rules *rules);
void rules_free(struct rules *rules);

/* What is asked for. */
struct rules_query {
	const struct addr *client;
	const struct identity *who;
	enum socks_command command;
	const struct socks_dest *dst; /* of the request or datagram; NULL: open */
	struct server *server;	      /* whose own sockets are no targets; NULL: none */
};

/*
 * Decides for one address (with its port) that is to be connected to, or that has come.
 * Returns the rule that allows it; or NULL, and *why is a static text, and *denied the
 * rule that denied it, or NULL.
 */
const struct rule *rules_decide(const struct rules *rules,
	const struct rules_query *query, const struct addr *addr,
	const struct rule **denied, const char **why);

/*
 * As rules_decide, while something is open: whether it might be allowed, whatever that
 * turns out to be. If not, no name needs to be looked up. addr NULL: the address is open;
 * port 0: the port; the query's dst NULL: the target as a whole. Returns the first rule
 * that might allow it.
 */
const struct rule *rules_may_allow(const struct rules *rules,
	const struct rules_query *query, const struct addr *addr, uint16_t port,
	const struct rule **denied, const char **why);

/*
 * Which field of the rule does not match ("clients", "users" ...), or NULL: it matches,
 * or could, by what is known. addr and port as in rules_may_allow.
 */
const char *rule_mismatch(const struct rule *rule, const struct rules_query *query,
	const struct addr *addr, uint16_t port);

/* "connect", "bind", "udp"; "-" for any other. And back: -1 for another word. */
const char *rules_command_word(uint8_t command);
int rules_command(const char *word);

/* Whether one of that name allows, whatever it is that it allows. */
bool rules_allow_by(const struct rules *rules, const char *name);

/*
 * Takes a place under the rule's limit. tunnels is what the rules of all configurations
 * have in common: a rule goes on with the places of the one before it that had its name;
 * or that was, as it is, the n-th without a name. False: there is no place.
 */
bool rule_enter(const struct rule *rule, struct tally *tunnels);
void rule_leave(const struct rule *rule, struct tally *tunnels);

#endif
