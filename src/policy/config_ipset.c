/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipsets of firewall-config. They may have 100,000 entries, so everything here sorts. A preset becomes its names
 * here, so that nobody behind knows of it; the files keep its own name.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"
#include "dockside/policy/preset.h"

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

/* ---- entries ---- */

static const struct field entry_field = {
	.subject = "an ipset's entry",
	.allowed =
		"a hostname, a wildcard, an address, a network in CIDR notation or \"preset:NAME\"",
};

static const struct presets *presets_of(struct reader *r)
{
	if (r->presets.n == 0)
		presets_read(&r->policy->arena, &r->presets);
	return &r->presets;
}

static const char *entry_preset(const struct json_node *entry)
{
	return entry->kind == JSON_STRING ? preset_entry_name(entry->u.string.s) : NULL;
}

static void report_unknown_preset(struct reader *r, const struct json_node *entry, const char *name)
{
	cleanup(cleanup_free) char *near = NULL;
	struct buf found = { 0 };
	struct diag *diag;

	quote_found(&found, name, strlen(name));
	diag = node_error(r, entry, "there is no preset %s", buf_str(&found));
	buf_free(&found);
	if (reader_is_full(r))
		return;
	near = presets_suggest(presets_of(r), name);
	diag->hint = xasprintf("%s%sdsfw-nft init --list-presets prints all of them",
			       near ? near : "", near ? " " : "");
}

/* The names of a preset, the first time that the ipset asks for it: a hostile file would ask very often. */
static void add_preset(struct reader *r, const struct json_node *entry, const char *name,
		       struct ipset *ipset, bool *have)
{
	const struct presets *presets = presets_of(r);
	const struct preset *preset = presets_find(presets, name);

	if (!preset) {
		report_unknown_preset(r, entry, name);
		return;
	}
	if (have[preset - presets->items])
		return;
	have[preset - presets->items] = true;
	memcpy(ipset->hostnames + ipset->n_hostnames, preset->names.items,
	       preset->names.n * sizeof(*preset->names.items));
	ipset->n_hostnames += preset->names.n;
}

/* The number of hostnames that all presets have together, if the list asks for any. */
static size_t count_preset_names(struct reader *r, const struct json_node *list)
{
	const struct presets *presets;
	size_t i = 0, n = 0;

	while (i < list->u.children.n && !entry_preset(&list->u.children.items[i]))
		i++;
	if (i == list->u.children.n)
		return 0;
	presets = presets_of(r);
	for (i = 0; i < presets->n; i++)
		n += presets->items[i].names.n;
	return n;
}

/* "npm" is a hostname, too. */
static void warn_of_missing_prefix(struct reader *r, const struct json_node *entry,
				   const char *name)
{
	if (strchr(name, '.') || !presets_find(presets_of(r), name))
		return;
	node_warning(r, entry, "\"%s\" is the hostname %s here", name, name)->hint =
		xasprintf("the preset is written \"" PRESET_PREFIX "%s\"", name);
}

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
	if (endpoint.name) {
		warn_of_missing_prefix(r, entry, endpoint.name);
		ipset->hostnames[ipset->n_hostnames++] = endpoint.name;
	} else {
		ipset->prefixes[ipset->n_prefixes++] = endpoint.prefix;
	}
}

static void read_entries(struct reader *r, const struct json_node *list, struct ipset *ipset)
{
	cleanup(cleanup_free) bool *have = NULL; /* by preset */

	for (size_t i = 0; i < list->u.children.n; i++) {
		const struct json_node *entry = &list->u.children.items[i];
		const char *preset = entry_preset(entry);

		if (preset && !have)
			have = xcalloc(presets_of(r)->n, sizeof(*have));
		if (preset)
			add_preset(r, entry, preset, ipset, have);
		else
			read_entry(r, entry, ipset);
	}
}

/* ---- the whole ---- */

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
		.allowed = "a list of hostnames, wildcards, addresses, networks in CIDR notation "
			   "and presets",
	};
	struct arena *arena = &r->policy->arena;

	check_name(r, node);
	ipset->name = arena_strdup(arena, node->key);
	ipset->loc = node->key_loc;
	if (node->kind != JSON_ARRAY) {
		value_error_hint(r, &list_field, node, ipset_hint(node));
		return;
	}

	size_t n = node->u.children.n, more = count_preset_names(r, node);

	ipset->hostnames = arena_alloc(arena, (n + more) * sizeof(*ipset->hostnames));
	ipset->patterns = arena_alloc(arena, (n + 1) * sizeof(*ipset->patterns));
	ipset->prefixes = arena_alloc(arena, n * sizeof(*ipset->prefixes));
	read_entries(r, node, ipset);
	ipset->n_hostnames = unique_strings(ipset->hostnames, ipset->n_hostnames);
	ipset->n_patterns = unique_strings(ipset->patterns, ipset->n_patterns);
	ipset->n_prefixes = outermost_prefixes(ipset->prefixes, ipset->n_prefixes);
}
