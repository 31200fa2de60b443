/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_ipset.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define NAMES_SHOWN 10

/* ---- members ---- */

/* The members of a list in one spelling each, sorted. */
struct members {
	char **texts;
	size_t n;
};

char *edit_member_text(const char *s)
{
	char text[ADDR_STRLEN], *name;
	struct prefix prefix;
	size_t len = strlen(s);

	if (prefix_parse(s, len, &prefix))
		return xstrdup(prefix_is_address(&prefix) ? ipaddr_format(&prefix.addr, text)
							  : prefix_format(&prefix, text));
	name = lower_case(xstrdup(s));
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	return name;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the members of an ipset or of a request; it leaves out what is no string, as config_parse() reports that. */
static void members_read(const struct json_node *list, struct members *ret)
{
	*ret = (struct members){ .texts = xcalloc(list->u.children.n + 1, sizeof(char *)) };
	for (size_t i = 0; i < list->u.children.n; i++)
		if (list->u.children.items[i].kind == JSON_STRING)
			ret->texts[ret->n++] =
				edit_member_text(list->u.children.items[i].u.string.s);
	if (ret->n > 0)
		qsort(ret->texts, ret->n, sizeof(*ret->texts), by_text);
}

static bool members_have(const struct members *members, const struct json_node *item)
{
	cleanup(cleanup_free) char *text = NULL;

	if (item->kind != JSON_STRING || members->n == 0)
		return false;
	text = edit_member_text(item->u.string.s);
	return bsearch(&text, members->texts, members->n, sizeof(*members->texts), by_text);
}

static void members_free(struct members *members)
{
	for (size_t i = 0; i < members->n; i++)
		free(members->texts[i]);
	free(members->texts);
}

bool edit_remove_member(struct doc *doc, struct json_node *list, const char *text)
{
	bool found = false;

	for (size_t i = list->u.children.n; i-- > 0;) {
		struct json_node *item = &list->u.children.items[i];
		cleanup(cleanup_free) char *its_text = NULL;

		if (item->kind != JSON_STRING)
			continue;
		its_text = edit_member_text(item->u.string.s);
		if (strcmp(its_text, text) != 0)
			continue;
		doc_remove(doc, list, item);
		found = true;
	}
	return found;
}

/* ---- ipsets ---- */

/* NULL after saying that there is none. */
static struct json_node *find_ipset(struct editor *e, const char *more)
{
	struct json_node *ipsets = doc_get(e->firewall.tree.root, "ipsets", JSON_OBJECT);
	struct json_node none = { .kind = JSON_OBJECT };
	const char *name = edit_name(e)->u.string.s;
	struct json_node *ipset = NULL;

	if (ipsets && !key_is_free_text(name))
		ipset = doc_get(ipsets, name, JSON_ARRAY);
	if (!ipset)
		edit_no_such(e, "ipset", ipsets ? ipsets : &none, more);
	return ipset;
}

/* Members that go must be meant: a list that was typed may have forgotten some. */
static bool check_kept(struct editor *e, const struct json_node *old, const struct json_node *given)
{
	cleanup(buf_free) struct buf gone = { 0 };
	struct members members;
	size_t n = 0;

	members_read(given, &members);
	for (size_t i = 0; i < old->u.children.n; i++) {
		const struct json_node *item = &old->u.children.items[i];

		if (item->kind != JSON_STRING || members_have(&members, item))
			continue;
		if (n++ < NAMES_SHOWN)
			buf_printf(&gone, "%s%s", n > 1 ? ", " : "", item->u.string.s);
	}
	members_free(&members);
	if (n == 0)
		return true;
	if (n > NAMES_SHOWN)
		buf_printf(&gone, " and %zu more", n - NAMES_SHOWN);

	struct diag *diag = node_error(&e->r, given, "ipset \"%s\" would lose %zu member%s: %s",
				       old->key, n, plural(n), buf_str(&gone));

	diag->hint = xstrdup("give --replace if that is meant; add-ipset adds members to those "
			     "that are there, and del-ipset takes some out");
	return false;
}

/* Leaves in an ipset what a list has, or what it does not have. */
static void filter_members(struct doc *doc, struct json_node *ipset, const struct json_node *list,
			   bool listed)
{
	size_t n = ipset->u.children.n, left = 0;
	struct json_node *items = ipset->u.children.items;
	struct members members;

	members_read(list, &members);
	for (size_t i = 0; i < n; i++)
		if (members_have(&members, &items[i]) == listed)
			items[left++] = items[i];
	members_free(&members);
	ipset->u.children.n = left;
	doc->changed = doc->changed || left < n;
}

/* Adds what the ipset does not have; returns how many that are. */
static size_t add_members(struct doc *doc, struct json_node *ipset, const struct json_node *list)
{
	struct members members;
	size_t n = 0;

	members_read(ipset, &members);
	doc_reserve(doc, ipset, list->u.children.n);
	for (size_t i = 0; i < list->u.children.n; i++) {
		const struct json_node *item = &list->u.children.items[i];

		if (members_have(&members, item))
			continue;
		doc_append_reserved(ipset, NULL, item);
		n++;
	}
	members_free(&members);
	doc->changed = doc->changed || n > 0;
	return n;
}

bool edit_set_ipset(struct editor *e)
{
	struct doc *doc = &e->firewall;
	struct json_node *ipsets = doc_get_or_add(doc, doc->tree.root, "ipsets", JSON_OBJECT);
	const struct json_node *given = request_field(e->request, "hostnames");
	const struct json_node *replace = request_field(e->request, "replace");
	const struct json_node *name = edit_name(e);
	struct json_node *old;

	if (!ipsets)
		return edit_bad_document(e, "firewall-config");
	/* In the file it would be a comment: accepted, and never an ipset. */
	if (key_is_free_text(name->u.string.s)) {
		node_error(&e->r, name,
			   "an ipset cannot be called that: \"comment\" and what begins with _ "
			   "are free text in the file");
		return false;
	}
	old = doc_get(ipsets, name->u.string.s, JSON_ARRAY);
	/* Clients that do not know the field always replace. */
	if (old && replace && !replace->u.boolean && !check_kept(e, old, given))
		return false;
	/* Members that stay keep their places: comments stand beside them. */
	if (old) {
		filter_members(doc, old, given, true);
		add_members(doc, old, given);
	} else {
		doc_set(doc, ipsets, name->u.string.s, given);
	}
	return true;
}

bool edit_add_ipset(struct editor *e)
{
	const struct json_node *given = request_field(e->request, "hostnames");
	struct json_node *ipset = find_ipset(e, "; set-ipset makes one");
	size_t n;

	if (!ipset)
		return false;
	n = add_members(&e->firewall, ipset, given);
	if (n == 0)
		buf_printf(&e->message, "ipset %s has %s already: nothing changed", ipset->key,
			   given->u.children.n == 1 ? "that member" : "these members");
	return true;
}

static bool no_member(struct editor *e, const struct json_node *ipset, const struct json_node *item)
{
	const char **names = xreallocarray(NULL, ipset->u.children.n + 1, sizeof(*names));
	cleanup(buf_free) struct buf found = { 0 };
	struct diag *diag;
	size_t n = 0;

	for (size_t i = 0; i < ipset->u.children.n; i++)
		if (ipset->u.children.items[i].kind == JSON_STRING)
			names[n++] = ipset->u.children.items[i].u.string.s;
	quote_found(&found, item->u.string.s, item->u.string.len);
	diag = node_error(&e->r, item, "ipset \"%s\" does not have %s: nothing changed", ipset->key,
			  buf_str(&found));
	diag->hint = n ? did_you_mean(item->u.string.s, names, n) : NULL;
	free(names);
	return false;
}

/* All of them or none: one that is not there is a mistake. */
bool edit_del_ipset(struct editor *e)
{
	const struct json_node *given = request_field(e->request, "hostnames");
	struct json_node *ipset = find_ipset(e, "");
	struct members members;
	bool ok = ipset != NULL;

	if (!ipset)
		return false;
	members_read(ipset, &members);
	for (size_t i = 0; i < given->u.children.n; i++) {
		const struct json_node *item = &given->u.children.items[i];

		if (item->kind != JSON_STRING) {
			node_error(&e->r, item, "a member must be a string");
			ok = false;
		} else if (!members_have(&members, item)) {
			ok = no_member(e, ipset, item);
		}
	}
	members_free(&members);
	if (!ok)
		return false;
	filter_members(&e->firewall, ipset, given, false);
	return true;
}

/* ---- whole ipsets ---- */

static bool network_uses(const struct editor *e, const struct network *network, const char *ipset)
{
	for (size_t i = 0; i < network->n_egress; i++) {
		const struct rule *rule = &network->egress[i];

		if (rule->to == DEST_IPSET &&
		    strcmp(e->policy->ipsets[rule->ipset].name, ipset) == 0)
			return true;
	}
	return false;
}

/* Lists the networks of the files with a rule that uses the ipset; returns their number. */
static size_t list_users(const struct editor *e, const char *ipset, struct buf *names)
{
	size_t n = 0;

	for (size_t i = 0; i < e->policy->n_networks - e->policy->n_draining; i++) {
		const struct network *network = &e->policy->networks[i];

		if (network_uses(e, network, ipset) && n++ < NAMES_SHOWN)
			buf_printf(names, "%s%s", n > 1 ? ", " : "", network->name);
	}
	if (n > NAMES_SHOWN)
		buf_printf(names, " and %zu more", n - NAMES_SHOWN);
	return n;
}

bool edit_remove_ipset(struct editor *e)
{
	struct json_node *ipset = find_ipset(e, "");
	cleanup(buf_free) struct buf users = { 0 };
	size_t n;

	if (!ipset)
		return false;
	n = list_users(e, ipset->key, &users);
	if (n > 0)
		node_error(&e->r, edit_name(e), "ipset \"%s\" is in use by rules of network%s %s",
			   ipset->key, plural(n), buf_str(&users));
	else
		doc_remove(&e->firewall, doc_get(e->firewall.tree.root, "ipsets", JSON_OBJECT),
			   ipset);
	return n == 0;
}
