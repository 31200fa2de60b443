/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipsets of firewall-config. They may have 100,000 entries, so everything here sorts.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"

static void check_name(struct reader *r, const struct json_node *node)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";
	size_t len = strlen(node->key);
	struct buf found = { 0 };

	if (len > 0 && len <= IPSET_NAME_MAX && strspn(node->key, allowed) == len)
		return;
	quote_found(&found, node->key, len);

	struct diag *diag = key_error(
		r, node, "an ipset's name must be 1 to %d of A-Z a-z 0-9 _ . -, found %s%s",
		IPSET_NAME_MAX, buf_str(&found), len > IPSET_NAME_MAX ? ", which is longer" : "");
	buf_free(&found);
	if (strchr(node->key, ':'))
		diag->hint = xstrdup("nft takes no \":\" in a set's name; write another character "
				     "here and in the rules");
}

static const struct field entry_field = {
	.subject = "an ipset's entry",
	.allowed = "a hostname, a wildcard, an address or a network in CIDR notation",
};

static void read_entry(struct reader *r, const struct json_node *entry, struct ipset *ipset)
{
	struct endpoint endpoint;

	if (entry->kind != JSON_STRING) {
		value_error(r, &entry_field, entry);
		return;
	}
	if (is_like_pattern(entry->u.string.s)) {
		ipset->patterns[ipset->n_patterns] = read_pattern(r, &entry_field, entry);
		ipset->n_patterns += ipset->patterns[ipset->n_patterns] != NULL;
		return;
	}
	if (!read_endpoint(r, &entry_field, entry, &endpoint))
		return;
	if (endpoint.name)
		ipset->hostnames[ipset->n_hostnames++] = endpoint.name;
	else
		ipset->prefixes[ipset->n_prefixes++] = endpoint.prefix;
}

/* The text to write instead; owned, or NULL. */
static char *ipset_hint(const struct json_node *node)
{
	if (node->kind == JSON_STRING)
		return xstrdup("a list stands in [ ], also when it has one entry");
	if (json_member(node, "hostnames", JSON_ARRAY))
		return xstrdup("write the list of its \"hostnames\" alone; how often a name is "
			       "asked for is up to DNS");
	return NULL;
}

void read_ipset(struct reader *r, const struct json_node *node, struct ipset *ipset)
{
	static const struct field list_field = {
		.subject = "an ipset",
		.allowed =
			"a list of hostnames, wildcards, addresses and networks in CIDR notation",
	};
	struct arena *arena = &r->policy->arena;

	check_name(r, node);
	ipset->name = arena_strdup(arena, node->key);
	ipset->loc = node->key_loc;
	if (node->kind != JSON_ARRAY) {
		value_error_hint(r, &list_field, node, ipset_hint(node));
		return;
	}

	size_t n = node->u.children.n;

	ipset->hostnames = arena_alloc(arena, n * sizeof(*ipset->hostnames));
	ipset->patterns = arena_alloc(arena, (n + 1) * sizeof(*ipset->patterns));
	ipset->prefixes = arena_alloc(arena, n * sizeof(*ipset->prefixes));
	for (size_t i = 0; i < n; i++)
		read_entry(r, &node->u.children.items[i], ipset);
	ipset->n_hostnames = unique_strings(ipset->hostnames, ipset->n_hostnames);
	ipset->n_patterns = unique_strings(ipset->patterns, ipset->n_patterns);
	ipset->n_prefixes = outermost_prefixes(ipset->prefixes, ipset->n_prefixes);
}
