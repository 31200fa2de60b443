/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_rule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/edit_reach.h"
#include "dockside/policy/preset.h"
#include "edit_ipset.h"

/* A request, and the rules that it is about. */
struct wish {
	struct editor *e;
	struct target target;
	struct view view;
	struct json_node *egress; /* of the document */
	/* allow: */
	enum proto proto;
	struct json_node ports; /* a list, as it was given */
	struct portrange *ranges;
	bool *needed; /* by port: it does not pass */
	size_t n_needed;
	size_t before; /* the first rule that drops one of these, by position in the model */
};

/* ---- the request ---- */

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

static bool begin(struct editor *e, struct wish *ret)
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
	return true;
}

static void end(struct wish *w)
{
	target_free(&w->target);
	view_free(&w->view);
	free(w->ranges);
	free(w->needed);
}

static bool read_ports(struct wish *w)
{
	const struct json_node *ports = request_field(w->e->request, "ports");
	const struct json_node *proto = request_field(w->e->request, "proto");
	size_t n;

	w->proto = proto && strcmp(proto->u.string.s, "udp") == 0 ? PROTO_UDP : PROTO_TCP;
	if (proto && strcmp(proto->u.string.s, proto_name(w->proto)) != 0) {
		node_error(&w->e->r, proto, "\"proto\" must be \"tcp\" or \"udp\"");
		return false;
	}
	if (ports) {
		w->ports = *ports;
	} else {
		w->ports = (struct json_node){ .kind = JSON_ARRAY };
		doc_append(
			&w->e->firewall, &w->ports,
			&(struct json_node){ .kind = JSON_INT, .u.integer = ALLOW_PORT_DEFAULT });
		w->e->firewall.changed = false;
	}
	n = w->ports.u.children.n;
	w->ranges = xcalloc(n + 1, sizeof(*w->ranges));
	w->needed = xcalloc(n + 1, sizeof(*w->needed));
	if (n == 0)
		node_error(&w->e->r, ports, "\"ports\" must have a port; without it, %d is meant",
			   ALLOW_PORT_DEFAULT);
	for (size_t i = 0; i < n; i++) {
		if (target_read_port(&w->ports.u.children.items[i], &w->ranges[i]))
			continue;
		node_error(&w->e->r, &w->ports.u.children.items[i],
			   "a port must be a number from 1 to 65535, or two of them as "
			   "\"from-to\"");
		return false;
	}
	return n > 0;
}

/* ---- words ---- */

/* "tcp/443,8000-8010", of the ports that are needed, or of all. */
static void put_ports(const struct wish *w, bool all, struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < w->ports.u.children.n; i++) {
		if (!all && !w->needed[i])
			continue;
		buf_printf(b, "%s", n++ ? "," : "");
		if (n == 1)
			buf_printf(b, "%s/", proto_name(w->proto));
		portrange_put(b, &w->ranges[i]);
	}
}

static const char *separator(const struct wish *w)
{
	return w->e->message.len ? "; " : "";
}

static const struct rule *rule_at(const struct wish *w, size_t i)
{
	return &w->view.network->egress[i];
}

static const char *ipset_of(const struct wish *w, const struct rule *rule)
{
	return w->e->policy->ipsets[rule->ipset].name;
}

/* ---- rules of the document ---- */

static void add_member(struct doc *doc, struct json_node *object, const char *key, const char *s)
{
	struct json_node value = doc_string(doc, s);

	doc_set(doc, object, key, &value);
}

/* Makes a rule be about the target. */
static void add_target(struct wish *w, struct json_node *rule)
{
	struct doc *doc = &w->e->firewall;
	const char *key = w->target.name			 ? "host"
			  : prefix_is_address(&w->target.prefix) ? "ip"
								 : "cidr";

	add_member(doc, rule, "to", key);
	add_member(doc, rule, key, w->target.text);
}

/* Takes out the rules that go. offset: 1 if a rule was put in at its index. */
static void take_out(struct wish *w, size_t index, size_t offset)
{
	for (size_t i = w->view.network->n_egress; i-- > 0;) {
		size_t at = rule_at(w, i)->index;

		if (w->view.gone[i])
			doc_remove(&w->e->firewall, w->egress,
				   &w->egress->u.children.items[at + (at >= index ? offset : 0)]);
	}
}

/* The index that an index will have without the rules that go. */
static size_t index_then(const struct wish *w, size_t index)
{
	size_t n = 0;

	for (size_t i = 0; i < w->view.network->n_egress; i++)
		n += w->view.gone[i] && rule_at(w, i)->index < index;
	return index - n;
}

/* ---- allow ---- */

/* Somebody meant the rule to drop the target. */
static bool refuse_drop(struct wish *w, const struct rule *rule)
{
	cleanup(buf_free) struct buf what = { 0 };

	if (rule->to == DEST_IPSET)
		buf_printf(&what, ", as ipset %s has it", ipset_of(w, rule));
	else if (rule->n_ports > 0 || rule->proto != PROTO_ANY)
		buf_puts(&what, " on some ports");
	node_error(&w->e->r, request_field(w->e->request, "to"),
		   "egress[%zu] of %s drops %s%s: change that first", rule->index,
		   w->view.network->name, w->target.text, buf_str(&what));
	return false;
}

/* Whether the rule lets nothing through but what was asked for. */
static bool within_wish(const struct wish *w, const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		size_t k = 0;

		while (k < w->ports.u.children.n &&
		       (rule->ports[i].lo < w->ranges[k].lo || rule->ports[i].hi > w->ranges[k].hi))
			k++;
		if (k == w->ports.u.children.n)
			return false;
	}
	return rule->proto == w->proto && rule->n_ports > 0;
}

/* Whether the rules behind one that drops the target would let through no more of it than was asked for. */
static bool opens_no_more(const struct wish *w, size_t drop)
{
	for (size_t i = drop + 1; i < w->view.network->n_egress; i++) {
		const struct rule *rule = rule_at(w, i);
		enum about about = view_about(&w->view, i, &w->target);

		if (about == ABOUT_NOT)
			continue;
		if (rule->action == ACTION_ALLOW && !within_wish(w, rule))
			return false;
		if (rule->action == ACTION_DROP && rule->proto == PROTO_ANY && about >= ABOUT_ALL)
			return true;
	}
	return false;
}

/* Finds out which ports do not pass. A rule that deny made goes if that opens no others; *ret_again: one did, and it
 * is to be found out again. */
static bool find_needed(struct wish *w, bool *ret_again)
{
	*ret_again = false;
	w->before = w->view.network->n_egress;
	w->n_needed = 0;
	for (size_t i = 0; i < w->ports.u.children.n; i++) {
		size_t k = view_decide(&w->view, &w->target, w->proto, &w->ranges[i]);
		const struct rule *rule;
		enum about about;

		w->needed[i] = false;
		if (k == w->view.network->n_egress || rule_at(w, k)->action == ACTION_ALLOW)
			continue;
		rule = rule_at(w, k);
		about = view_about(&w->view, k, &w->target);
		if (about == ABOUT_EXACTLY && rule->proto == PROTO_ANY && opens_no_more(w, k)) {
			w->view.gone[k] = true;
			*ret_again = true;
			return true;
		}
		if (about != ABOUT_ALL && (about != ABOUT_EXACTLY || rule->proto != PROTO_ANY))
			return refuse_drop(w, rule);
		w->needed[i] = true;
		w->n_needed++;
		w->before = k < w->before ? k : w->before;
	}
	return true;
}

/* The rule that allows the target alone, on other ports of the protocol; or NULL. */
static const struct rule *find_own_rule(const struct wish *w)
{
	for (size_t i = 0; i < w->before; i++) {
		const struct rule *rule = rule_at(w, i);

		if (rule->action == ACTION_ALLOW && rule->proto == w->proto && rule->n_ports > 0 &&
		    view_about(&w->view, i, &w->target) == ABOUT_EXACTLY)
			return rule;
	}
	return NULL;
}

static size_t count_users(const struct policy *policy, size_t ipset)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++)
		for (size_t k = 0; k < policy->networks[i].n_egress; k++)
			n += policy->networks[i].egress[k].to == DEST_IPSET &&
			     policy->networks[i].egress[k].ipset == ipset;
	return n;
}

static bool same_ports(const struct wish *w, const struct rule *rule)
{
	size_t n = w->ports.u.children.n;
	struct portrange *ranges = xcalloc(n + 1, sizeof(*ranges));
	bool same;

	memcpy(ranges, w->ranges, n * sizeof(*ranges));
	n = portranges_normalise(ranges, n);
	same = rule->proto == w->proto && rule->n_ports == n;
	for (size_t i = 0; same && i < n; i++)
		same = ranges[i].lo == rule->ports[i].lo && ranges[i].hi == rule->ports[i].hi;
	free(ranges);
	return same;
}

static struct json_node *ipset_list(struct wish *w, const struct rule *rule)
{
	struct json_node *ipsets = doc_get(w->e->firewall.tree.root, "ipsets", JSON_OBJECT);

	return ipsets ? doc_get(ipsets, ipset_of(w, rule), JSON_ARRAY) : NULL;
}

static bool has_preset(const struct json_node *list)
{
	for (size_t i = 0; i < list->u.children.n; i++) {
		const struct json_node *item = &list->u.children.items[i];

		if (item->kind == JSON_STRING &&
		    strncmp(item->u.string.s, PRESET_PREFIX, strlen(PRESET_PREFIX)) == 0)
			return true;
	}
	return false;
}

/* The rule whose ipset is the network's list of what it may reach on these ports; or NULL. */
static const struct rule *find_list_rule(struct wish *w)
{
	const struct rule *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->before; i++) {
		const struct rule *rule = rule_at(w, i);

		if (rule->action != ACTION_ALLOW || rule->to != DEST_IPSET || !same_ports(w, rule))
			continue;
		found = rule;
		n++;
	}
	if (n != 1 || w->n_needed < w->ports.u.children.n ||
	    count_users(w->e->policy, found->ipset) != 1 || !ipset_list(w, found) ||
	    has_preset(ipset_list(w, found)))
		return NULL;
	return found;
}

static void add_ports(struct wish *w, const struct rule *rule)
{
	struct json_node *ports =
		doc_get(&w->egress->u.children.items[rule->index], "ports", JSON_ARRAY);

	for (size_t i = 0; ports && i < w->ports.u.children.n; i++)
		if (w->needed[i])
			doc_append(&w->e->firewall, ports, &w->ports.u.children.items[i]);
	buf_printf(&w->e->message, ": egress[%zu] has that, too, now", index_then(w, rule->index));
}

static void add_to_list(struct wish *w, const struct rule *rule)
{
	struct json_node value = doc_string(&w->e->firewall, w->target.text);

	doc_append(&w->e->firewall, ipset_list(w, rule), &value);
	buf_printf(&w->e->message, ": it is in ipset %s now, which egress[%zu] allows",
		   ipset_of(w, rule), index_then(w, rule->index));
}

static void add_rule(struct wish *w, size_t index)
{
	struct doc *doc = &w->e->firewall;
	struct json_node rule = { .kind = JSON_OBJECT }, ports = { .kind = JSON_ARRAY };

	for (size_t i = 0; i < w->ports.u.children.n; i++)
		if (w->needed[i])
			doc_append(doc, &ports, &w->ports.u.children.items[i]);
	add_member(doc, &rule, "proto", proto_name(w->proto));
	doc_set(doc, &rule, "ports", &ports);
	add_target(w, &rule);
	doc_insert(doc, w->egress, index, &rule);
	buf_printf(&w->e->message, ": egress[%zu] is new", index_then(w, index));
}

static void change_allowed(struct wish *w)
{
	size_t index = w->n_needed ? rule_at(w, w->before)->index : SIZE_MAX;
	const struct rule *own, *list;
	bool new = false;

	buf_printf(&w->e->message, "%s may reach %s on ", w->view.network->name, w->target.text);
	put_ports(w, w->n_needed == 0, &w->e->message);
	if (w->n_needed == 0) {
		buf_puts(&w->e->message, ": the rule that dropped it is gone");
	} else if ((own = find_own_rule(w))) {
		add_ports(w, own);
	} else if ((list = find_list_rule(w))) {
		add_to_list(w, list);
	} else {
		add_rule(w, index);
		new = true;
	}
	take_out(w, index, new);
}

static bool any_gone(const struct wish *w)
{
	for (size_t i = 0; i < w->view.network->n_egress; i++)
		if (w->view.gone[i])
			return true;
	return false;
}

static void say_allowed_already(struct wish *w)
{
	size_t i = view_decide(&w->view, &w->target, w->proto, &w->ranges[0]);
	struct buf *b = &w->e->message;

	buf_printf(b, "%s could reach %s on ", w->view.network->name, w->target.text);
	put_ports(w, true, b);
	if (i < w->view.network->n_egress)
		buf_printf(b, " before, by egress[%zu]: nothing changed", rule_at(w, i)->index);
	else
		buf_printf(b, " before, as no egress rule of it drops that: nothing changed");
}

bool edit_allow(struct editor *e)
{
	bool ok, again = true;
	struct wish w;

	if (!begin(e, &w))
		return false;
	ok = read_ports(&w);
	while (ok && again)
		ok = find_needed(&w, &again);
	if (ok && w.n_needed == 0 && !any_gone(&w))
		say_allowed_already(&w);
	else if (ok)
		change_allowed(&w);
	end(&w);
	return ok;
}

/* ---- deny ---- */

static void say(struct wish *w, const char *what)
{
	buf_printf(&w->e->message, "%s%s", separator(w), what);
}

static void drop_own_rules(struct wish *w)
{
	for (size_t i = 0; i < w->view.network->n_egress; i++) {
		const struct rule *rule = rule_at(w, i);
		cleanup(buf_free) struct buf b = { 0 };

		if (rule->action != ACTION_ALLOW ||
		    view_about(&w->view, i, &w->target) != ABOUT_EXACTLY)
			continue;
		w->view.gone[i] = true;
		buf_printf(&b, "egress[%zu], which allowed %s, is gone", rule->index,
			   w->target.text);
		say(w, buf_str(&b));
	}
}

/* Whether nothing but this network's allow rules would lose what it loses. */
static bool own_list(const struct wish *w, size_t ipset)
{
	size_t n = 0;

	for (size_t i = 0; i < w->view.network->n_egress; i++)
		n += rule_at(w, i)->action == ACTION_ALLOW && rule_at(w, i)->to == DEST_IPSET &&
		     rule_at(w, i)->ipset == ipset;
	return n > 0 && n == count_users(w->e->policy, ipset);
}

/* Whether a member is a preset that has the target, or a network that has it or a part of it. */
static bool is_part(const struct json_node *member, const struct target *target)
{
	struct prefix prefix;

	if (member->kind != JSON_STRING)
		return false;
	if (target->name)
		return preset_entry_has(member->u.string.s, target->name);
	return prefix_parse(member->u.string.s, member->u.string.len, &prefix) &&
	       (prefix_covers(&prefix, &target->prefix) || prefix_covers(&target->prefix, &prefix));
}

static bool has_part(const struct json_node *list, const struct target *target)
{
	for (size_t i = 0; i < list->u.children.n; i++)
		if (is_part(&list->u.children.items[i], target))
			return true;
	return false;
}

static void leave_own_lists(struct wish *w)
{
	for (size_t i = 0; i < w->view.network->n_egress; i++) {
		const struct rule *rule = rule_at(w, i);
		struct json_node *list;

		if (rule->to != DEST_IPSET || !own_list(w, rule->ipset) ||
		    w->view.left[rule->ipset] || !(list = ipset_list(w, rule)) ||
		    !edit_remove_member(&w->e->firewall, list, w->target.text))
			continue;
		w->view.left[rule->ipset] = !has_part(list, &w->target);
		buf_printf(&w->e->message, "%s%s is no longer in ipset %s", separator(w),
			   w->target.text, ipset_of(w, rule));
	}
}

/* In front of what lets it through; SIZE_MAX: nothing does. */
static void add_drop(struct wish *w, size_t reached, size_t index)
{
	struct json_node rule = { .kind = JSON_OBJECT };
	struct buf *b = &w->e->message;

	if (reached == SIZE_MAX)
		return;
	add_member(&w->e->firewall, &rule, "action", "drop");
	add_target(w, &rule);
	doc_insert(&w->e->firewall, w->egress, index, &rule);
	buf_printf(b, "%segress[%zu] drops %s now, as ", separator(w), index_then(w, index),
		   w->target.text);
	if (reached == w->view.network->n_egress)
		buf_puts(b, "nothing else does");
	else if (rule_at(w, reached)->to == DEST_IPSET)
		buf_printf(b, "the rule behind it allows ipset %s, which has %s",
			   ipset_of(w, rule_at(w, reached)),
			   !own_list(w, rule_at(w, reached)->ipset)
				   ? "it and is used by other rules, too"
			   : w->target.name ? "it by a preset"
					    : "more of it");
	else if (view_about(&w->view, reached, &w->target) == ABOUT_ALL)
		buf_puts(b, "the rule behind it allows every destination");
	else
		buf_puts(b, "the rule behind it allows a network that has it, or is part of it");
}

/* Nothing lets it through: perhaps another name was meant. */
static void say_denied_already(struct wish *w)
{
	const struct policy *policy = w->e->policy;
	const char **names = NULL;
	size_t n = 0, cap = 0;
	bool known = false; /* a rule is about it */
	char *hint = NULL;

	for (size_t i = 0; i < w->view.network->n_egress; i++) {
		const struct rule *rule = rule_at(w, i);
		const struct ipset *ipset =
			rule->to == DEST_IPSET ? &policy->ipsets[rule->ipset] : NULL;

		known = known || view_about(&w->view, i, &w->target) >= ABOUT_MORE;
		if (rule->action != ACTION_ALLOW)
			continue;
		for (size_t k = 0; ipset && k < ipset->n_hostnames; k++) {
			names = array_grow(names, &cap, n, sizeof(*names));
			names[n++] = ipset->hostnames[k];
		}
		if (rule->to == DEST_HOSTNAME) {
			names = array_grow(names, &cap, n, sizeof(*names));
			names[n++] = rule->hostname;
		}
	}
	hint = n && !known ? did_you_mean(w->target.text, names, n) : NULL;
	buf_printf(&w->e->message, "no rule lets %s reach %s: nothing changed%s%s",
		   w->view.network->name, w->target.text, hint ? "; " : "", hint ? hint : "");
	free(hint);
	free(names);
}

static bool refuse_open(struct wish *w)
{
	node_error(&w->e->r, edit_name(w->e),
		   "network %s has no egress rules, so that everything is open to it: give it "
		   "rules first, the last of them {\"action\": \"drop\"}",
		   w->view.network->name);
	return false;
}

bool edit_deny(struct editor *e)
{
	size_t reached, index, n;
	struct wish w;
	bool ok;

	if (!begin(e, &w))
		return false;
	n = w.view.network->n_egress;
	ok = n > 0 || refuse_open(&w);
	if (ok) {
		drop_own_rules(&w);
		leave_own_lists(&w);
		reached = view_reached(&w.view, &w.target);
		index = reached < n ? rule_at(&w, reached)->index : w.egress->u.children.n;
		add_drop(&w, reached, index);
		take_out(&w, index, reached != SIZE_MAX);
		if (e->message.len == 0)
			say_denied_already(&w);
	}
	end(&w);
	return ok;
}
