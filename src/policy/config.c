/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two files to a policy: the networks of network-config, then what firewall-config says of them.
 * A faulty object stays in its array half-read, so that one run can report the faults of everything else; a
 * policy with any fault is given to nobody. Positions in lists of rules are those in the file (struct rule's
 * index), as objects that only separate rules are left out.
 */
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/policy/fields.h"

/* ---- network-config ---- */

static bool read_networks(struct reader *r, const struct field *field,
			  const struct json_node *value, void *object)
{
	struct policy *policy = object;
	size_t n = value->u.children.n;

	(void)field;
	r->networks_known = reader_take_objects(r, value);
	if (!r->networks_known)
		return false;
	policy->networks = arena_alloc(&policy->arena, n * sizeof(*policy->networks));
	policy->n_networks = n;
	r->networks.items = arena_alloc(&policy->arena, n * sizeof(*r->networks.items));
	for (size_t i = 0; i < n; i++) {
		struct network *network = &policy->networks[i];

		read_network(r, &value->u.children.items[i], network);
		if (network->name)
			r->networks.items[r->networks.n++] = (struct named){ network->name, i };
		else
			r->networks_known = false;
	}
	name_index_sort(&r->networks);
	return true;
}

/* The networks of firewall-config name ipsets, which may stand behind them: they are read later. "$schema" is
 * for editors alone. */
static bool read_not_here(struct reader *r, const struct field *field,
			  const struct json_node *value, void *object)
{
	(void)r;
	(void)field;
	(void)value;
	(void)object;
	return true;
}

#define SCHEMA_FIELD                                                                       \
	{                                                                                  \
		.key = "$schema", .allowed = "a string: where this file's JSON Schema is", \
		.kinds = KIND(JSON_STRING), .read = read_not_here,                         \
	}

static const struct field network_config_field[] = {
	{ .key = "networks",
	  .allowed = "a list of networks",
	  .kinds = KIND(JSON_ARRAY),
	  .required = true,
	  .read = read_networks },
	SCHEMA_FIELD,
};

static const struct fields network_config_fields = { "network-config", network_config_field,
						     ARRAY_SIZE(network_config_field) };

/* ---- firewall-config ---- */

static bool read_mode(struct reader *r, const struct field *field, const struct json_node *value,
		      void *object)
{
	static const char *const words[] = { "enforce", "audit" };
	struct network *network = object;
	size_t i;

	if (!read_word(r, field, value, words, ARRAY_SIZE(words), &i))
		return false;
	network->audit = i == 1;
	if (network->audit)
		network->mode_loc = value->loc;
	return true;
}

static const struct field network_rules_field[] = {
	{ .key = "egress",
	  .allowed = "a list of egress rules",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_egress },
	{ .key = "nat",
	  .allowed = "a list of nat rules",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_nat },
	{ .key = "host",
	  .allowed = "a list of host rules",
	  .kinds = KIND(JSON_ARRAY),
	  .read = read_host_rules },
	{ .key = "mode",
	  .allowed = "\"enforce\" or \"audit\"",
	  .kinds = KIND(JSON_STRING),
	  .read = read_mode },
	{ .key = "dns",
	  .allowed = "an object: {} has the gate serve the network's DNS",
	  .kinds = KIND(JSON_OBJECT),
	  .read = read_dns },
};

static const struct fields network_rules_fields = { "a network's rules", network_rules_field,
						    ARRAY_SIZE(network_rules_field) };

static void report_unknown_network(struct reader *r, const struct json_node *member)
{
	struct buf found = { 0 };

	if (!r->networks_known)
		return; /* a consequence of what was reported already */
	quote_found(&found, member->key, strlen(member->key));

	struct diag *diag =
		key_error(r, member, "there is no network %s in network-config", buf_str(&found));

	buf_free(&found);
	if (reader_is_full(r))
		return;
	diag->hint = name_index_suggest(&r->networks, member->key);
	if (!diag->hint)
		diag->hint = xstrdup("the two files belong together: add it to the list there, or "
				     "take its rules out here");
}

static void read_network_rules(struct reader *r, const struct json_node *member)
{
	const struct named *named = name_index_find(&r->networks, member->key);
	struct network unknown = { 0 };
	struct network *network = named ? &r->policy->networks[named->index] : &unknown;
	struct seen seen;

	/* A network may be called "comment", and then its rules are no free text. */
	if (!named && key_is_free_text(member->key))
		return;
	if (!named)
		report_unknown_network(r, member);
	if (item_is_object(r, member, "a network's rules"))
		fields_read(r, member, &network_rules_fields, network, &seen);
}

static bool read_ipsets(struct reader *r, const struct field *field, const struct json_node *value,
			void *object)
{
	struct policy *policy = object;
	size_t n = value->u.children.n;

	(void)field;
	r->ipsets_known = reader_take_objects(r, value);
	if (!r->ipsets_known)
		return false;
	policy->ipsets = arena_alloc(&policy->arena, n * sizeof(*policy->ipsets));
	r->ipsets.items = arena_alloc(&policy->arena, n * sizeof(*r->ipsets.items));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *member = &value->u.children.items[i];
		size_t index = policy->n_ipsets;

		if (key_is_free_text(member->key))
			continue;
		read_ipset(r, member, &policy->ipsets[index]);
		r->ipsets.items[index] = (struct named){ policy->ipsets[index].name, index };
		policy->n_ipsets++;
	}
	r->ipsets.n = policy->n_ipsets;
	name_index_sort(&r->ipsets);
	return true;
}

enum {
	FIREWALL_IPSETS,
	FIREWALL_NETWORKS,
	FIREWALL_DNS,
	FIREWALL_SCHEMA,
	FIREWALL_FIELDS,
};

static const struct field firewall_config_field[FIREWALL_FIELDS] = {
	[FIREWALL_IPSETS] = { .key = "ipsets",
			      .allowed = "an object of ipset names and their lists of entries",
			      .kinds = KIND(JSON_OBJECT),
			      .read = read_ipsets },
	[FIREWALL_NETWORKS] = { .key = "networks",
				.allowed = "an object of network names and their rules",
				.kinds = KIND(JSON_OBJECT),
				.read = read_not_here },
	[FIREWALL_DNS] = { .key = "dns",
			   .allowed = "an object with the key \"upstream\"",
			   .kinds = KIND(JSON_OBJECT),
			   .read = read_dns_upstream },
	[FIREWALL_SCHEMA] = SCHEMA_FIELD,
};

static const struct fields firewall_config_fields = { "firewall-config", firewall_config_field,
						      FIREWALL_FIELDS };

/* ---- both ---- */

static void read_network_config(struct reader *r, const struct json_node *root)
{
	struct seen seen;

	if (root && item_is_object(r, root, network_config_fields.what))
		fields_read(r, root, &network_config_fields, r->policy, &seen);
}

static void read_firewall_config(struct reader *r, const struct json_node *root)
{
	struct seen seen;

	if (!root || !item_is_object(r, root, firewall_config_fields.what))
		return;
	r->ipsets_known = true;
	fields_read(r, root, &firewall_config_fields, r->policy, &seen);
	if (seen_doubtful(&seen, FIREWALL_IPSETS))
		r->ipsets_known = false;
	if (!seen.good[FIREWALL_NETWORKS])
		return;

	const struct json_node *networks = seen.node[FIREWALL_NETWORKS];

	for (size_t i = 0; i < networks->u.children.n; i++)
		read_network_rules(r, &networks->u.children.items[i]);
}

static void read_both(struct policy *policy, struct diags *diags)
{
	cleanup(json_tree_free) struct json_tree network_tree = { 0 };
	cleanup(json_tree_free) struct json_tree firewall_tree = { 0 };
	struct reader r = { .policy = policy, .diags = diags, .null_is_absent = true };

	/* A file without text could not be read, which its reader has reported. */
	if (policy->network_src.text)
		json_parse(&policy->network_src, &network_tree, diags);
	if (policy->firewall_src.text)
		json_parse(&policy->firewall_src, &firewall_tree, diags);
	read_network_config(&r, network_tree.root);
	read_firewall_config(&r, firewall_tree.root);
}

/* A policy with any fault is given to nobody. */
static bool is_good(struct policy *policy, const struct diags *diags)
{
	if (diags->count[SEVERITY_ERROR] == 0)
		return true;

	arena_free(&policy->arena);
	policy->networks = NULL;
	policy->n_networks = 0;
	policy->ipsets = NULL;
	policy->n_ipsets = 0;
	policy->upstream = NULL;
	policy->n_upstream = 0;
	return false;
}

bool config_parse_unchecked(struct policy *policy, struct diags *diags)
{
	read_both(policy, diags);
	return is_good(policy, diags);
}

bool config_parse(struct policy *policy, struct diags *diags)
{
	read_both(policy, diags);
	policy_check(policy, diags);
	return is_good(policy, diags);
}

#define EXAMPLE(file)                                                                      \
	"dsfw-nft init writes both files; or copy an example, such as " EXAMPLES_DIRECTORY \
	"/minimal/" file

bool config_read_files(const char *network_path, const char *firewall_path, struct policy *policy,
		       struct diags *diags)
{
	bool network =
		src_read(network_path, EXAMPLE("network-config.json"), &policy->network_src, diags);
	/* We read both even if the first fails: one run reports everything. */
	bool firewall = src_read(firewall_path, EXAMPLE("firewall-config.json"),
				 &policy->firewall_src, diags);

	return network && firewall;
}

bool config_load(const char *network_path, const char *firewall_path, struct policy *ret_policy,
		 struct diags *diags)
{
	memset(ret_policy, 0, sizeof(*ret_policy));

	bool read = config_read_files(network_path, firewall_path, ret_policy, diags);

	return config_parse(ret_policy, diags) && read;
}
