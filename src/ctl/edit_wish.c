/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_wish.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

static const struct network *find_network(struct editor *e)
{
	struct err err = { 0 };
	const struct network *network =
		policy_find_network(e->policy, edit_name(e)->u.string.s, &err);

	if (!network)
		node_error(&e->r, edit_name(e), "%s", err.text);
	else if (network->draining)
		node_error(&e->r, edit_name(e),
			   "network %s is draining: it is no longer in the files", network->name);
	err_free(&err);
	return network && !network->draining ? network : NULL;
}

static bool is_name(const struct target *target)
{
	const char *name = target->name + (target_is_pattern(target) ? strlen("*.") : 0);

	return hostname_valid(name, strlen(name));
}

bool wish_begin(struct editor *e, struct wish *ret)
{
	const char *to = request_string(e->request, "to");
	const struct network *network = find_network(e);
	struct json_node *networks, *rules;

	if (!network)
		return false;
	*ret = (struct wish){ .e = e };
	networks = doc_get(e->firewall.tree.root, "networks", JSON_OBJECT);
	rules = networks ? doc_get(networks, network->name, JSON_OBJECT) : NULL;
	ret->egress = rules ? doc_get(rules, "egress", JSON_ARRAY) : NULL;
	target_read(to, &ret->target);
	view_make(e->policy, network, &ret->view);
	if (!ret->target.name || is_name(&ret->target))
		return true;
	node_error(&e->r, request_field(e->request, "to"),
		   "\"to\" must be a hostname, a wildcard, an address or a network in CIDR "
		   "notation, found \"%s\"",
		   ret->target.text);
	wish_end(ret);
	return false;
}

void wish_end(struct wish *w)
{
	target_free(&w->target);
	view_free(&w->view);
	free(w->ranges);
	free(w->needed);
}

const char *wish_separator(const struct wish *w)
{
	return w->e->message.len ? "; " : "";
}

const struct rule *wish_rule(const struct wish *w, size_t i)
{
	return &w->view.network->egress[i];
}

const char *wish_ipset(const struct wish *w, const struct rule *rule)
{
	return w->e->policy->ipsets[rule->ipset].name;
}

void wish_add_member(struct doc *doc, struct json_node *object, const char *key, const char *s)
{
	struct json_node value = doc_string(doc, s);

	doc_set(doc, object, key, &value);
}

void wish_add_target(struct wish *w, struct json_node *rule)
{
	struct doc *doc = &w->e->firewall;
	const char *key = w->target.name			 ? "host"
			  : prefix_is_address(&w->target.prefix) ? "ip"
								 : "cidr";

	wish_add_member(doc, rule, "to", key);
	wish_add_member(doc, rule, key, w->target.text);
}

void wish_take_out(struct wish *w, size_t index, size_t offset)
{
	for (size_t i = w->view.network->n_egress; i-- > 0;) {
		size_t at = wish_rule(w, i)->index;

		if (w->view.gone[i])
			doc_remove(&w->e->firewall, w->egress,
				   &w->egress->u.children.items[at + (at >= index ? offset : 0)]);
	}
}

size_t wish_index_then(const struct wish *w, size_t index)
{
	size_t n = 0;

	for (size_t i = 0; i < w->view.network->n_egress; i++)
		n += w->view.gone[i] && wish_rule(w, i)->index < index;
	return index - n;
}

size_t wish_count_users(const struct policy *policy, size_t ipset)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++)
		for (size_t k = 0; k < policy->networks[i].n_egress; k++)
			n += policy->networks[i].egress[k].to == DEST_IPSET &&
			     policy->networks[i].egress[k].ipset == ipset;
	return n;
}

struct json_node *wish_ipset_list(struct wish *w, const struct rule *rule)
{
	struct json_node *ipsets = doc_get(w->e->firewall.tree.root, "ipsets", JSON_OBJECT);

	return ipsets ? doc_get(ipsets, wish_ipset(w, rule), JSON_ARRAY) : NULL;
}
