/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: both texts become trees, which an edit changes. json_patch() then splices what differs
 * into the texts; and what these mean is compared with the trees before anybody sees them.
 */
#include "dockside/ctl/edit.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_patch.h"
#include "edit_doc.h"
#include "edit_ipset.h"
#include "edit_rule.h"

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

/* ---- networks ---- */

static bool same_prefix(const struct json_node *a, const struct json_node *b)
{
	struct prefix x, y;

	if (json_equal(a, b))
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

	if (!name || name->kind == JSON_NULL || json_equal(name, edit_name(e)))
		return true;
	node_error(&e->r, name, "a network cannot be renamed: leave \"name\" out here");
	return false;
}

static void merge_network(struct doc *doc, struct json_node *network, const struct json_node *given)
{
	size_t n_old = network->u.children.n;

	doc_reserve(doc, network, given->u.children.n);
	for (size_t i = 0; i < given->u.children.n; i++) {
		const struct json_node *value = &given->u.children.items[i];
		/* The request has no key twice: what was appended need not be searched. */
		struct json_node *old = doc_find(network, n_old, value->key);

		/* null keeps what is there. */
		if (value->kind == JSON_NULL || (old && json_equal(old, value)))
			continue;
		if (old)
			doc_replace_value(old, value);
		else
			doc_append_reserved(network, value->key, value);
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
		return edit_no_such(e, "network", networks, ", and a new one needs its \"subnet\"");
	doc_reserve(doc, networks, 1);
	network = doc_append_reserved(networks, NULL, &empty);
	doc_set(doc, network, "name", edit_name(e));
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
		doc_reserve(doc, rules, 1);
		given = doc_find(rules, rules->u.children.n, member->key);
		if (!given)
			doc_append_reserved(rules, member->key, member);
		else if (given->kind == JSON_NULL) /* means absent */
			doc_replace_value(given, member);
	}
}

static bool set_rules(struct editor *e, const struct json_node *given)
{
	struct doc *doc = &e->firewall;
	struct json_node *networks = doc_get_or_add(doc, doc->tree.root, "networks", JSON_OBJECT);
	struct json_node *old, rules = *given;
	const char *name = edit_name(e)->u.string.s;

	if (!networks)
		return edit_bad_document(e, "firewall-config");
	old = doc_find(networks, networks->u.children.n, name);
	if (given->kind == JSON_NULL || given->u.children.n == 0) {
		if (old)
			doc_remove(doc, networks, old);
		return true;
	}
	if (old)
		keep_of_old_rules(doc, &rules, old);
	doc_set(doc, networks, name, &rules);
	return true;
}

const char *edit_base(const struct src *firewall, char ret_base[EDIT_BASE_SIZE])
{
	hex_format(ret_base, hash64(HASH_SEED, firewall->text, firewall->len), EDIT_BASE_SIZE - 1);
	return ret_base;
}

/* The client made the new rules from rules that it had read: others must not get lost. */
static bool check_base(struct editor *e)
{
	const char *base = request_string(e->request, "base");
	char running[EDIT_BASE_SIZE];

	if (!base || strcmp(base, edit_base(&e->policy->firewall_src, running)) == 0)
		return true;
	node_error(&e->r, request_field(e->request, "base"),
		   "%s is not the text that the new rules were made from: somebody has changed it "
		   "since, or another file was read; nothing changed: make them again from what it "
		   "says now (dsfw-nft learn: run it again)",
		   e->policy->firewall_src.name);
	return false;
}

static bool set_network(struct editor *e)
{
	struct json_node *networks = doc_get(e->network.tree.root, "networks", JSON_ARRAY);
	const struct json_node *given = request_field(e->request, "network");
	const struct json_node *firewall = request_field(e->request, "firewall");
	struct json_node *network;
	bool ok = true;

	if (!networks)
		return edit_bad_document(e, "network-config");
	if (!check_base(e))
		return false;
	network = find_network(networks, edit_name(e)->u.string.s);
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
	struct json_node *networks = doc_get(e->network.tree.root, "networks", JSON_ARRAY);
	struct json_node *all_rules = doc_get(e->firewall.tree.root, "networks", JSON_OBJECT);
	const char *name = edit_name(e)->u.string.s;
	struct json_node *network, *rules;

	if (!networks)
		return edit_bad_document(e, "network-config");
	network = find_network(networks, name);
	if (!network)
		return edit_no_such(e, "network", networks, "");
	doc_remove(&e->network, networks, network);
	rules = all_rules ? doc_find(all_rules, all_rules->u.children.n, name) : NULL;
	if (rules)
		doc_remove(&e->firewall, all_rules, rules);
	return true;
}

/* ---- the whole ---- */

static bool apply(struct editor *e)
{
	const struct json_node *network = request_field(e->request, "network_config");
	const struct json_node *firewall = request_field(e->request, "firewall_config");

	e->network.changed = !json_equal(e->network.tree.root, network);
	e->firewall.changed = !json_equal(e->firewall.tree.root, firewall);
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
		return edit_set_ipset(e);
	case REQUEST_ADD_IPSET:
		return edit_add_ipset(e);
	case REQUEST_DEL_IPSET:
		return edit_del_ipset(e);
	case REQUEST_REMOVE_IPSET:
		return edit_remove_ipset(e);
	case REQUEST_ALLOW:
		return edit_allow(e);
	case REQUEST_DENY:
		return edit_deny(e);
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

/* Whether a text means what was wanted; only a mistake of ours makes it mean anything else. */
static bool means(const struct src *src, const struct json_node *wanted)
{
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	bool same = json_parse(src, &tree, &diags) && json_equal(tree.root, wanted);

	json_tree_free(&tree);
	diags_free(&diags);
	return same;
}

/* The new text, or NULL where nothing has changed. False: it cannot be written without changing more. */
static bool write_document(struct editor *e, const struct doc *doc, const struct src *src,
			   char **ret_text)
{
	struct json_tree before = { 0 };
	struct diags diags = { 0 };
	struct buf b = { 0 };
	bool ok;

	*ret_text = NULL;
	if (!doc->changed)
		return true;
	ok = json_parse(src, &before, &diags);
	if (ok) {
		json_patch(&b, src, before.root, doc->tree.root);
		ok = means(&(struct src){ src->name, b.data, b.len }, doc->tree.root);
	}
	if (!ok)
		node_error(&e->r, e->request->tree.root,
			   "nothing changed, as %s could not be changed there alone: edit the "
			   "file and reload",
			   src->name);
	if (ok && (b.len != src->len || memcmp(b.data, src->text, b.len) != 0))
		*ret_text = buf_steal(&b);
	buf_free(&b);
	json_tree_free(&before);
	diags_free(&diags);
	return ok;
}

static bool write_documents(struct editor *e, struct edit *ret_edit)
{
	struct edit edit = { 0 };

	if (!write_document(e, &e->network, &e->policy->network_src, &edit.network_text) ||
	    !write_document(e, &e->firewall, &e->policy->firewall_src, &edit.firewall_text)) {
		edit_free(&edit);
		return false;
	}
	edit.message = e->message.len > 0 ? buf_steal(&e->message) : NULL;
	*ret_edit = edit;
	return true;
}

bool edit_files(const struct request *request, const struct policy *running, struct edit *ret_edit,
		struct diags *diags)
{
	struct editor e = { .r = { .diags = diags }, .request = request, .policy = running };
	bool ok = true;

	if (!parse_document(&e.network, &running->network_src, diags))
		ok = edit_bad_document(&e, "network-config");
	if (!parse_document(&e.firewall, &running->firewall_src, diags))
		ok = edit_bad_document(&e, "firewall-config");
	ok = ok && run_edit(&e) && write_documents(&e, ret_edit);
	buf_free(&e.message);
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
	free(edit->message);
	*edit = (struct edit){ 0 };
}
