/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: both texts become trees, whose nodes an edit replaces, adds or takes out. A
 * node that moves from the request into a document is copied, its children are shared; both trees
 * live until the texts are written.
 */
#include "dockside/ctl/edit.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "dockside/policy/fields.h"

#define NAMES_SHOWN 10

struct doc {
	struct json_tree tree;
	bool changed;
};

struct editor {
	struct reader r; /* for its diags */
	const struct request *request;
	struct doc network, firewall;
};

/* ---- trees ---- */

static bool values_equal(const struct json_node *a, const struct json_node *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->u.boolean == b->u.boolean;
	case JSON_INT:
		return a->u.integer == b->u.integer;
	case JSON_STRING:
		return strcmp(a->u.string.s, b->u.string.s) == 0;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	if (a->u.children.n != b->u.children.n)
		return false;
	for (size_t i = 0; i < a->u.children.n; i++) {
		const struct json_node *x = &a->u.children.items[i];
		const struct json_node *y = &b->u.children.items[i];

		if ((a->kind == JSON_OBJECT && strcmp(x->key, y->key) != 0) || !values_equal(x, y))
			return false;
	}
	return true;
}

static struct json_node *find_member(struct json_node *object, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(object->u.children.items[i].key, key) == 0)
			return &object->u.children.items[i];
	}
	return NULL;
}

/* A member of the given kind, or NULL. */
static struct json_node *get(struct json_node *object, const char *key, enum json_kind kind)
{
	struct json_node *node = find_member(object, object->u.children.n, key);

	return node && node->kind == kind ? node : NULL;
}

/* Makes room for another n children; returns where they go. */
static void reserve(struct doc *doc, struct json_node *container, size_t n)
{
	size_t have = container->u.children.n;
	struct json_node *items = arena_alloc(&doc->tree.arena, (have + n) * sizeof(*items));

	if (container->u.children.items)
		memcpy(items, container->u.children.items, have * sizeof(*items));
	container->u.children.items = items;
}

static struct json_node *append_reserved(struct json_node *container, const char *key,
					 const struct json_node *value)
{
	struct json_node *node = &container->u.children.items[container->u.children.n++];

	*node = *value;
	node->key = key;
	return node;
}

static void replace_value(struct json_node *node, const struct json_node *value)
{
	const char *key = node->key;

	*node = *value;
	node->key = key;
}

/* Sets one member of an object, noticing whether that changes anything. */
static void set_member(struct doc *doc, struct json_node *object, const char *key,
		       const struct json_node *value)
{
	struct json_node *old = find_member(object, object->u.children.n, key);

	if (old && values_equal(old, value))
		return;
	doc->changed = true;
	if (old) {
		replace_value(old, value);
		return;
	}
	reserve(doc, object, 1);
	append_reserved(object, key, value);
}

static void remove_child(struct doc *doc, struct json_node *container, struct json_node *child)
{
	size_t i = (size_t)(child - container->u.children.items);
	size_t n = --container->u.children.n;

	memmove(child, child + 1, (n - i) * sizeof(*child));
	doc->changed = true;
}

/* The member of the kind, made empty where it is missing. */
static struct json_node *get_or_add(struct doc *doc, struct json_node *object, const char *key,
				    enum json_kind kind)
{
	static const struct json_node empty;
	struct json_node *node = find_member(object, object->u.children.n, key);
	struct json_node value = empty;

	value.kind = kind;
	if (node && node->kind == JSON_NULL)
		replace_value(node, &value);
	if (node)
		return node->kind == kind ? node : NULL;
	reserve(doc, object, 1);
	return append_reserved(object, key, &value);
}

/* ---- names ---- */

static struct json_node *find_network(struct json_node *networks, const char *name)
{
	for (size_t i = 0; i < networks->u.children.n; i++) {
		struct json_node *network = &networks->u.children.items[i];
		const char *its_name = json_text(network, "name", NULL);

		if (its_name && strcmp(its_name, name) == 0)
			return network;
	}
	return NULL;
}

/* 'did you mean "NAME"?' over a list of networks or an object of ipsets; owned, or NULL. */
static char *suggest(struct json_node *container, const char *name)
{
	const char **names = xreallocarray(NULL, container->u.children.n, sizeof(*names));
	size_t n = 0;
	char *hint;

	for (size_t i = 0; i < container->u.children.n; i++) {
		struct json_node *child = &container->u.children.items[i];
		const char *its_name =
			container->kind == JSON_ARRAY ? json_text(child, "name", NULL) : child->key;

		if (its_name)
			names[n++] = its_name;
	}
	hint = n ? did_you_mean(name, names, n) : NULL;
	free(names);
	return hint;
}

static const struct json_node *request_name(const struct editor *e)
{
	return request_field(e->request, "name");
}

static bool no_such(struct editor *e, const char *what, struct json_node *container,
		    const char *more)
{
	const struct json_node *name = request_name(e);
	struct buf found = { 0 };

	quote_found(&found, name->u.string.s, name->u.string.len);

	struct diag *diag =
		node_error(&e->r, name, "there is no %s %s%s", what, buf_str(&found), more);

	buf_free(&found);
	diag->hint = suggest(container, name->u.string.s);
	return false;
}

/* The caller has had both texts checked: only a mistake of ours leads here. */
static bool bad_document(struct editor *e, const char *what)
{
	node_error(&e->r, e->request->tree.root, "the running %s cannot be edited", what);
	return false;
}

/* ---- networks ---- */

static bool same_prefix(const struct json_node *a, const struct json_node *b)
{
	struct prefix x, y;

	if (values_equal(a, b))
		return true;
	return a->kind == JSON_STRING && b->kind == JSON_STRING &&
	       prefix_parse(a->u.string.s, a->u.string.len, &x) &&
	       prefix_parse(b->u.string.s, b->u.string.len, &y) && prefix_cmp(&x, &y) == 0;
}

static bool check_unchanged_subnet(struct editor *e, const struct json_node *given,
				   struct json_node *network, const char *key)
{
	const struct json_node *new = json_get(given, key);
	const struct json_node *old = json_member(network, key, JSON_STRING);

	if (!new || new->kind == JSON_NULL || !old || same_prefix(new, old))
		return true;
	node_error(&e->r, new,
		   "the \"%s\" of an existing network cannot be changed from \"%.*s\" here: its "
		   "containers would be cut off; edit the file and start with RESET=1",
		   key, ADDR_STRLEN, old->u.string.s);
	return false;
}

/* A network's name is its identity; "name" may be repeated, not changed. */
static bool check_same_name(struct editor *e, const struct json_node *given)
{
	const struct json_node *name = json_get(given, "name");

	if (!name || name->kind == JSON_NULL || values_equal(name, request_name(e)))
		return true;
	node_error(&e->r, name, "a network cannot be renamed: leave \"name\" out here");
	return false;
}

static void merge_network(struct doc *doc, struct json_node *network, const struct json_node *given)
{
	size_t n_old = network->u.children.n;

	reserve(doc, network, given->u.children.n);
	for (size_t i = 0; i < given->u.children.n; i++) {
		const struct json_node *value = &given->u.children.items[i];
		/* The request has no key twice: what was appended need not be searched. */
		struct json_node *old = find_member(network, n_old, value->key);

		/* null keeps what is there. */
		if (value->kind == JSON_NULL || (old && values_equal(old, value)))
			continue;
		if (old)
			replace_value(old, value);
		else
			append_reserved(network, value->key, value);
		doc->changed = true;
	}
}

static bool add_network(struct editor *e, struct json_node *networks, const struct json_node *given)
{
	static const struct json_node empty = { .kind = JSON_OBJECT };
	struct doc *doc = &e->network;
	struct json_node *network;

	const struct json_node *subnet = given ? json_get(given, "subnet") : NULL;

	if ((!subnet || subnet->kind == JSON_NULL) && !(given && json_is_true(given, "external")))
		return no_such(e, "network", networks, ", and a new one needs its \"subnet\"");
	reserve(doc, networks, 1);
	network = append_reserved(networks, NULL, &empty);
	set_member(doc, network, "name", request_name(e));
	merge_network(doc, network, given);
	return true;
}

/* "host" and free text of the replaced rules stay unless the new rules have them. */
static void keep_of_old_rules(struct doc *doc, struct json_node *rules, const struct json_node *old)
{
	size_t n = old->kind == JSON_OBJECT ? old->u.children.n : 0;

	for (size_t i = 0; i < n; i++) {
		const struct json_node *member = &old->u.children.items[i];
		bool host = strcmp(member->key, "host") == 0 && member->kind == JSON_ARRAY;
		struct json_node *given;

		if (!host && !key_is_free_text(member->key))
			continue;
		reserve(doc, rules, 1);
		given = find_member(rules, rules->u.children.n, member->key);
		if (!given)
			append_reserved(rules, member->key, member);
		else if (given->kind == JSON_NULL) /* means absent */
			replace_value(given, member);
	}
}

static bool set_rules(struct editor *e, const struct json_node *given)
{
	struct doc *doc = &e->firewall;
	struct json_node *networks = get_or_add(doc, doc->tree.root, "networks", JSON_OBJECT);
	struct json_node *old, rules = *given;
	const char *name = request_name(e)->u.string.s;

	if (!networks)
		return bad_document(e, "firewall-config");
	old = find_member(networks, networks->u.children.n, name);
	if (given->kind == JSON_NULL || given->u.children.n == 0) {
		if (old)
			remove_child(doc, networks, old);
		return true;
	}
	if (old)
		keep_of_old_rules(doc, &rules, old);
	set_member(doc, networks, name, &rules);
	return true;
}

static bool set_network(struct editor *e)
{
	struct json_node *networks = get(e->network.tree.root, "networks", JSON_ARRAY);
	const struct json_node *given = request_field(e->request, "network");
	const struct json_node *firewall = request_field(e->request, "firewall");
	struct json_node *network;
	bool ok = true;

	if (!networks)
		return bad_document(e, "network-config");
	network = find_network(networks, request_name(e)->u.string.s);
	if (given)
		ok = check_same_name(e, given);
	if (network && given) {
		ok = check_unchanged_subnet(e, given, network, "subnet") && ok;
		ok = check_unchanged_subnet(e, given, network, "subnet6") && ok;
		if (ok)
			merge_network(&e->network, network, given);
	} else if (!network) {
		ok = add_network(e, networks, given) && ok;
	}
	return ok && (!firewall || set_rules(e, firewall));
}

static bool remove_network(struct editor *e)
{
	struct json_node *networks = get(e->network.tree.root, "networks", JSON_ARRAY);
	struct json_node *all_rules = get(e->firewall.tree.root, "networks", JSON_OBJECT);
	const char *name = request_name(e)->u.string.s;
	struct json_node *network, *rules;

	if (!networks)
		return bad_document(e, "network-config");
	network = find_network(networks, name);
	if (!network)
		return no_such(e, "network", networks, "");
	remove_child(&e->network, networks, network);
	rules = all_rules ? find_member(all_rules, all_rules->u.children.n, name) : NULL;
	if (rules)
		remove_child(&e->firewall, all_rules, rules);
	return true;
}

/* ---- ipsets ---- */

static bool set_ipset(struct editor *e)
{
	struct doc *doc = &e->firewall;
	struct json_node *ipsets = get_or_add(doc, doc->tree.root, "ipsets", JSON_OBJECT);
	const struct json_node *name = request_name(e);

	if (!ipsets)
		return bad_document(e, "firewall-config");
	/* In the file it would be a comment: accepted, and never an ipset. */
	if (key_is_free_text(name->u.string.s)) {
		node_error(&e->r, name,
			   "an ipset cannot be called that: \"comment\" and what begins with _ "
			   "are free text in the file");
		return false;
	}
	set_member(doc, ipsets, name->u.string.s, request_field(e->request, "hostnames"));
	return true;
}

static bool network_uses(const struct json_node *rules, const char *ipset)
{
	const struct json_node *egress = json_member(rules, "egress", JSON_ARRAY);

	for (size_t i = 0; egress && i < egress->u.children.n; i++)
		if (strcmp(json_text(&egress->u.children.items[i], "ipset", ""), ipset) == 0)
			return true;
	return false;
}

/* Lists the networks with a rule that uses the ipset; returns their number. */
static size_t list_users(struct editor *e, const char *ipset, struct buf *names)
{
	struct json_node *all_rules = get(e->firewall.tree.root, "networks", JSON_OBJECT);
	struct json_node *networks = get(e->network.tree.root, "networks", JSON_ARRAY);
	size_t n = 0;

	for (size_t i = 0; all_rules && i < all_rules->u.children.n; i++) {
		struct json_node *rules = &all_rules->u.children.items[i];

		/* "comment" can be a network or free text. */
		if (key_is_free_text(rules->key) &&
		    !(networks && find_network(networks, rules->key)))
			continue;
		if (network_uses(rules, ipset) && n++ < NAMES_SHOWN)
			buf_printf(names, "%s%.*s", n > 1 ? ", " : "", NETWORK_NAME_MAX,
				   rules->key);
	}
	if (n > NAMES_SHOWN)
		buf_printf(names, " and %zu more", n - NAMES_SHOWN);
	return n;
}

static bool remove_ipset(struct editor *e)
{
	struct json_node *ipsets = get(e->firewall.tree.root, "ipsets", JSON_OBJECT);
	struct json_node none = { .kind = JSON_OBJECT };
	const struct json_node *name = request_name(e);
	struct json_node *ipset = NULL;
	struct buf users = { 0 };
	size_t n;

	if (ipsets && !key_is_free_text(name->u.string.s))
		ipset = find_member(ipsets, ipsets->u.children.n, name->u.string.s);
	if (!ipset)
		return no_such(e, "ipset", ipsets ? ipsets : &none, "");
	n = list_users(e, name->u.string.s, &users);
	if (n > 0)
		node_error(&e->r, name, "ipset \"%s\" is in use by rules of network%s %s",
			   ipset->key, n > 1 ? "s" : "", buf_str(&users));
	else
		remove_child(&e->firewall, ipsets, ipset);
	buf_free(&users);
	return n == 0;
}

/* ---- the whole ---- */

static bool apply(struct editor *e)
{
	const struct json_node *network = request_field(e->request, "network_config");
	const struct json_node *firewall = request_field(e->request, "firewall_config");

	e->network.changed = !values_equal(e->network.tree.root, network);
	e->firewall.changed = !values_equal(e->firewall.tree.root, firewall);
	*e->network.tree.root = *network;
	*e->firewall.tree.root = *firewall;
	return true;
}

static bool run_edit(struct editor *e)
{
	switch (e->request->action) {
	case REQUEST_APPLY:
		return apply(e);
	case REQUEST_SET_NETWORK:
		return set_network(e);
	case REQUEST_REMOVE_NETWORK:
		return remove_network(e);
	case REQUEST_SET_IPSET:
		return set_ipset(e);
	case REQUEST_REMOVE_IPSET:
		return remove_ipset(e);
	case REQUEST_STATUS:
	case REQUEST_RELOAD:
	case REQUEST_DENIED:
	case REQUEST_REFRESH:
	case REQUEST_RECONCILE:
	case REQUEST_EXPLAIN:
	case REQUEST_METRICS:
		break;
	}
	return false;
}

static bool parse_document(struct doc *doc, const struct src *src, struct diags *diags)
{
	return json_parse(src, &doc->tree, diags) && doc->tree.root->kind == JSON_OBJECT;
}

static char *document_text(const struct doc *doc)
{
	struct buf b = { 0 };

	if (!doc->changed)
		return NULL;
	json_write_pretty(&b, doc->tree.root);
	return buf_steal(&b);
}

bool edit_files(const struct request *request, const struct src *network_src,
		const struct src *firewall_src, struct edit *ret_edit, struct diags *diags)
{
	struct editor e = { .r = { .diags = diags }, .request = request };
	bool ok = true;

	if (!parse_document(&e.network, network_src, diags))
		ok = bad_document(&e, "network-config");
	if (!parse_document(&e.firewall, firewall_src, diags))
		ok = bad_document(&e, "firewall-config");
	if (ok && run_edit(&e)) {
		*ret_edit = (struct edit){
			.network_text = document_text(&e.network),
			.firewall_text = document_text(&e.firewall),
		};
	} else {
		ok = false;
	}
	json_tree_free(&e.network.tree);
	json_tree_free(&e.firewall.tree);
	return ok;
}

void edit_free(struct edit *edit)
{
	if (!edit)
		return;
	free(edit->network_text);
	free(edit->firewall_text);
	*edit = (struct edit){ 0 };
}
