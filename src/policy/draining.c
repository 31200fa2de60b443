/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/policy/draining.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/json/json_write.h"
#include "dockside/policy/config.h"

#define NETWORK "network-config"
#define FIREWALL "firewall-config"
#define CLOSED "closed"
/* Room in the file for what is around the two documents. */
#define DOCS_MAX (JSON_SIZE_MAX - 65536)

void draining_docs_free(struct draining_docs *docs)
{
	free(docs->network);
	free(docs->firewall);
	for (size_t i = 0; i < docs->n_closed; i++)
		free(docs->closed[i]);
	free(docs->closed);
	*docs = (struct draining_docs){ 0 };
}

static void add_closed(struct draining_docs *docs, const char *bridge)
{
	docs->closed = xreallocarray(docs->closed, docs->n_closed + 1, sizeof(*docs->closed));
	docs->closed[docs->n_closed++] = xstrdup(bridge);
}

/* ---- the documents as a policy ---- */

static struct src src_of(const char *text)
{
	return (struct src){ xstrdup("networks that are draining"), xstrdup(text), strlen(text) };
}

/* They were accepted one by one: what policy_check() may find between them is no fault. */
static bool read_docs(const struct draining_docs *docs, struct policy *ret_policy)
{
	struct diags diags = { 0 };
	bool good;

	*ret_policy = (struct policy){ 0 };
	if (!docs->network || !docs->firewall)
		return true;
	ret_policy->network_src = src_of(docs->network);
	ret_policy->firewall_src = src_of(docs->firewall);
	good = config_parse_unchecked(ret_policy, &diags);
	diags_free(&diags);
	return good;
}

/* ---- making documents ---- */

/* A policy, and its files' texts as trees. */
struct source {
	const struct policy *policy;
	struct json_tree network, firewall;
	bool good;
};

static void source_open(struct source *source, const struct policy *policy)
{
	struct diags diags = { 0 };

	*source = (struct source){ .policy = policy };
	if (policy && policy->network_src.text && policy->firewall_src.text)
		source->good = json_parse(&policy->network_src, &source->network, &diags) &&
			       json_parse(&policy->firewall_src, &source->firewall, &diags);
	diags_free(&diags);
}

static void source_close(struct source *source)
{
	json_tree_free(&source->network);
	json_tree_free(&source->firewall);
}

struct names {
	char **items;
	size_t n;
};

/* Collects what goes into draining.json. */
struct maker {
	struct buf networks, rules, ipsets;
	struct names network_names, ipset_names; /* of those that are in it already */
};

static void add_text(struct buf *b, const char *text, size_t len)
{
	buf_puts(b, b->len > 0 ? ",\n" : "");
	buf_add(b, text, len);
}

static void add_member(struct buf *b, const char *key, const struct json_node *member)
{
	struct buf text = { 0 };
	struct json_writer out = { .b = &text };

	json_write_node(&out, key, member);
	add_text(b, text.data, text.len);
	buf_free(&text);
}

static bool has_name(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

static void add_name(struct names *names, const char *name)
{
	names->items = xreallocarray(names->items, names->n + 1, sizeof(*names->items));
	names->items[names->n++] = xstrdup(name);
}

static void cut_names(struct names *names, size_t n)
{
	while (names->n > n)
		free(names->items[--names->n]);
}

static void add_ipset(struct maker *m, const struct source *source, const char *name)
{
	const struct json_node *ipsets = json_member(source->firewall.root, "ipsets", JSON_OBJECT);
	const struct json_node *ipset = ipsets ? json_get(ipsets, name) : NULL;

	if (!ipset || has_name(&m->ipset_names, name))
		return;
	add_name(&m->ipset_names, name);
	add_member(&m->ipsets, name, ipset);
}

static void cut(struct buf *b, size_t len)
{
	b->len = len;
	buf_puts(b, ""); /* ends it there */
}

static size_t made_len(const struct maker *m)
{
	return m->networks.len + m->rules.len + m->ipsets.len;
}

/*
 * Nobody asks Docker where an external network is that the files do not have. Rules need no more than its bridge: they
 * go by the routes over it where the subnet is not known. A name that is not the network's does not say either which
 * bridge it has.
 */
static void put_network(struct buf *b, const struct json_node *object,
			const struct network *network, const char *name)
{
	struct json_writer out = { .b = b };

	if ((!network->external || !network->placed || network->bridge_given) &&
	    strcmp(name, network->name) == 0) {
		json_write_node(&out, NULL, object);
		return;
	}
	json_write_open(&out, NULL, '{');
	json_write_string(&out, "name", name);
	for (size_t i = 0; i < object->u.children.n; i++) {
		const struct json_node *member = &object->u.children.items[i];

		if (strcmp(member->key, "name") != 0 && strcmp(member->key, "bridge") != 0)
			json_write_node(&out, member->key, member);
	}
	json_write_string(&out, "bridge", network->bridge);
	json_write_close(&out, '}');
}

/* Its own name, or one that is as long as a name may be where another network that drains has it. The caller frees it. */
static char *free_name(const struct maker *m, const struct network *network)
{
	if (!has_name(&m->network_names, network->name))
		return xstrdup(network->name);
	return xasprintf("%.*s.%s", NETWORK_NAME_MAX - BRIDGE_NAME_MAX - 1, network->name,
			 network->bridge);
}

/* An object is one network, in the order of the file (config.c). Returns false if it is too much, or has a name that others
 * have: nothing was added then. */
static bool add_network(struct maker *m, const struct source *source, size_t index)
{
	cleanup(cleanup_free) char *name = NULL;
	const struct policy *policy = source->policy;
	const struct network *network;
	const struct json_node *all = json_member(source->network.root, "networks", JSON_ARRAY);
	const struct json_node *rules = json_member(source->firewall.root, "networks", JSON_OBJECT);
	const size_t before[] = { m->networks.len, m->rules.len, m->ipsets.len, m->network_names.n,
				  m->ipset_names.n };
	struct buf text = { 0 };

	assert(policy && all && index < all->u.children.n); /* config.c has read the same text */
	network = &policy->networks[index];
	name = free_name(m, network);
	if (has_name(&m->network_names, name))
		return false;
	add_name(&m->network_names, name);
	put_network(&text, &all->u.children.items[index], network, name);
	add_text(&m->networks, text.data, text.len);
	buf_free(&text);
	rules = rules ? json_get(rules, network->name) : NULL;
	if (rules)
		add_member(&m->rules, name, rules);
	for (size_t i = 0; i < network->n_egress; i++)
		if (network->egress[i].to == DEST_IPSET)
			add_ipset(m, source, source->policy->ipsets[network->egress[i].ipset].name);
	if (made_len(m) <= DOCS_MAX)
		return true;
	cut(&m->networks, before[0]);
	cut(&m->rules, before[1]);
	cut(&m->ipsets, before[2]);
	cut_names(&m->network_names, before[3]);
	cut_names(&m->ipset_names, before[4]);
	return false;
}

/* Those that were merged into it are none of its files'. */
static bool find_bridge(const struct source *source, const char *bridge, size_t *ret_index)
{
	const struct policy *policy = source->policy;

	for (size_t i = 0; policy && source->good && i < policy->n_networks - policy->n_draining;
	     i++)
		if (strcmp(policy->networks[i].bridge, bridge) == 0) {
			*ret_index = i;
			return true;
		}
	return false;
}

static bool is_closed(const struct draining_docs *docs, const char *bridge)
{
	for (size_t i = 0; i < docs->n_closed; i++)
		if (strcmp(docs->closed[i], bridge) == 0)
			return true;
	return false;
}

static void finish_docs(struct maker *m, struct draining_docs *docs)
{
	if (m->networks.len > 0) {
		docs->network = xasprintf("{\"networks\": [%s]}", buf_str(&m->networks));
		docs->firewall = xasprintf("{\"ipsets\": {%s},\n\"networks\": {%s}}",
					   buf_str(&m->ipsets), buf_str(&m->rules));
	}
	buf_free(&m->networks);
	buf_free(&m->rules);
	buf_free(&m->ipsets);
	cut_names(&m->network_names, 0);
	cut_names(&m->ipset_names, 0);
	free(m->network_names.items);
	free(m->ipset_names.items);
}

void draining_docs_make(const struct draining_docs *old, const struct policy *files,
			const char *const *bridges, size_t n, struct draining_docs *ret_docs)
{
	struct source sources[2];
	struct policy policy;
	struct maker m = { 0 };
	size_t index;

	*ret_docs = (struct draining_docs){ 0 };
	source_open(&sources[0], read_docs(old, &policy) ? &policy : NULL);
	source_open(&sources[1], files);
	for (size_t i = 0; i < n; i++) {
		const struct source *source =
			find_bridge(&sources[0], bridges[i], &index) ? &sources[0] : &sources[1];
		bool closed =
			is_closed(old, bridges[i]) || !find_bridge(source, bridges[i], &index);

		if (closed || !add_network(&m, source, index))
			add_closed(ret_docs, bridges[i]);
	}
	finish_docs(&m, ret_docs);
	source_close(&sources[0]);
	source_close(&sources[1]);
	policy_free(&policy);
}

/* ---- the file ---- */

void draining_docs_write(const struct draining_docs *docs, struct buf *b)
{
	struct json_writer out = { .b = b };

	json_write_open(&out, NULL, '{');
	if (docs->network)
		json_write_text(&out, NETWORK, docs->network);
	if (docs->firewall)
		json_write_text(&out, FIREWALL, docs->firewall);
	json_write_open(&out, CLOSED, '[');
	for (size_t i = 0; i < docs->n_closed; i++)
		json_write_string(&out, NULL, docs->closed[i]);
	json_write_close(&out, ']');
	json_write_close(&out, '}');
	buf_putc(b, '\n');
}

static char *take_doc(const struct json_node *root, const char *key)
{
	const struct json_node *node = json_member(root, key, JSON_OBJECT);
	struct buf text = { 0 };
	struct json_writer out = { .b = &text };

	if (!node)
		return NULL;
	json_write_node(&out, NULL, node);
	return buf_steal(&text);
}

static bool take_closed(const struct json_node *root, struct draining_docs *docs)
{
	const struct json_node *closed = json_member(root, CLOSED, JSON_ARRAY);

	for (size_t i = 0; closed && i < closed->u.children.n; i++) {
		const struct json_node *bridge = &closed->u.children.items[i];

		if (bridge->kind != JSON_STRING || bridge->u.string.len == 0 ||
		    bridge->u.string.len > BRIDGE_NAME_MAX)
			return false;
		add_closed(docs, bridge->u.string.s);
	}
	return closed != NULL;
}

int draining_docs_read(const char *text, size_t len, struct draining_docs *ret_docs,
		       struct err *err)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct draining_docs docs = { 0 };
	struct src src = { xstrdup("draining"), xcalloc(len + 1, 1), len };
	struct diags diags = { 0 };
	struct policy policy = { 0 };
	bool good;

	if (len > 0)
		memcpy(src.text, text, len);
	good = json_parse(&src, &tree, &diags) && tree.root->kind == JSON_OBJECT &&
	       take_closed(tree.root, &docs);
	if (good) {
		docs.network = take_doc(tree.root, NETWORK);
		docs.firewall = take_doc(tree.root, FIREWALL);
		good = !docs.network == !docs.firewall && read_docs(&docs, &policy);
		policy_free(&policy);
	}
	diags_free(&diags);
	src_free(&src);
	if (good) {
		*ret_docs = docs;
		return 0;
	}
	draining_docs_free(&docs);
	return err_set(err, EBADMSG, "it does not say what a program of this version writes there");
}

/* ---- merging ---- */

static void forget_rule_places(struct rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rules[i].loc = (struct loc){ 0 };
}

static void forget_places(struct network *network)
{
	network->loc = network->name_loc = network->bridge_loc = network->subnet_loc =
		network->subnet6_loc = network->mode_loc = network->dns.loc = (struct loc){ 0 };
	forget_rule_places(network->egress, network->n_egress);
	forget_rule_places(network->host_rules, network->n_host_rules);
	for (size_t i = 0; i < network->n_nat; i++)
		network->nat[i].loc = network->nat[i].match_dport_loc = (struct loc){ 0 };
}

static size_t find_ipset(const struct policy *policy, const char *name)
{
	size_t i = 0;

	while (i < policy->n_ipsets && strcmp(policy->ipsets[i].name, name) != 0)
		i++;
	return i;
}

/* The index of the ipset in the policy, which gets it if it has none of that name. */
static size_t merge_ipset(struct policy *policy, const struct ipset *ipset)
{
	size_t i = find_ipset(policy, ipset->name);

	if (i < policy->n_ipsets)
		return i;
	policy->ipsets[i] = *ipset;
	policy->ipsets[i].loc = (struct loc){ 0 };
	policy->n_ipsets++;
	policy->n_draining_ipsets++;
	return i;
}

/* Refuses everything, by a rule like any other; nobody knows the subnet. */
static void make_closed(struct policy *policy, const char *bridge, struct network *ret_network)
{
	struct rule *rules = arena_alloc(&policy->arena, 2 * sizeof(*rules));
	char *name = arena_strdup(&policy->arena, bridge);

	for (size_t i = 0; i < 2; i++)
		rules[i] = (struct rule){
			.action = ACTION_DROP,
			.comment = "its policy is lost: closed until its containers have left",
		};
	*ret_network = (struct network){
		.name = name,
		.stem = lower_case(arena_strdup(&policy->arena, bridge)),
		.bridge = name,
		.placed = true,
		.egress = &rules[0],
		.n_egress = 1,
		.host_rules = &rules[1],
		.n_host_rules = 1,
		.closed = true,
	};
}

/* A network of the files may have its name, on another bridge: all that is said of it needs a name of its own. */
static const char *free_stem(struct policy *policy, const struct network *network)
{
	const char *stem = network->stem;

	while (policy_find_stem(policy, stem))
		stem = arena_printf(&policy->arena, "%s.%s", stem, network->bridge);
	return stem;
}

static void append(struct policy *policy, const struct network *network)
{
	struct network *copy = &policy->networks[policy->n_networks];

	if (policy_find_bridge(policy, network->bridge))
		return;
	*copy = *network;
	copy->stem = free_stem(policy, network);
	if (copy->stem != network->stem)
		copy->name = copy->stem;
	copy->draining = true;
	policy->n_networks++;
	policy->n_draining++;
}

static void *enlarge(struct arena *arena, const void *old, size_t n, size_t more, size_t size)
{
	void *items = arena_alloc(arena, (n + more + 1) * size);

	if (n > 0)
		memcpy(items, old, n * size);
	return items;
}

static void unmerge(struct policy *policy)
{
	policy->n_networks -= policy->n_draining;
	policy->n_ipsets -= policy->n_draining_ipsets;
	policy->n_draining = policy->n_draining_ipsets = 0;
	policy_free(policy->draining);
	free(policy->draining);
	policy->draining = NULL;
}

int draining_merge(struct policy *policy, const struct draining_docs *docs, struct err *err)
{
	struct policy *from;
	struct network closed;

	from = xcalloc(1, sizeof(*from));
	if (!read_docs(docs, from)) {
		policy_free(from);
		free(from);
		return err_set(err, EINVAL, "the policies of draining networks cannot be read");
	}
	unmerge(policy);
	policy->draining = from;
	policy->networks = enlarge(&policy->arena, policy->networks, policy->n_networks,
				   from->n_networks + docs->n_closed, sizeof(*policy->networks));
	policy->ipsets = enlarge(&policy->arena, policy->ipsets, policy->n_ipsets, from->n_ipsets,
				 sizeof(*policy->ipsets));
	for (size_t i = 0; i < from->n_networks; i++) {
		struct network *network = &from->networks[i];

		for (size_t k = 0; k < network->n_egress; k++)
			if (network->egress[k].to == DEST_IPSET)
				network->egress[k].ipset = merge_ipset(
					policy, &from->ipsets[network->egress[k].ipset]);
		forget_places(network);
		append(policy, network);
	}
	for (size_t i = 0; i < docs->n_closed; i++) {
		make_closed(policy, docs->closed[i], &closed);
		append(policy, &closed);
	}
	return 0;
}
