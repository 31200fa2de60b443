/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_rule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/preset.h"
#include "edit_wish.h"

static bool read_ports(struct wish *w)
{
	const struct json_node *proto = request_field(w->e->request, "proto");
	size_t n;

	w->ports = target_read_ports(w->e->request, &w->proto, &w->default_port);
	if (proto && strcmp(proto->u.string.s, proto_name(w->proto)) != 0) {
		node_error(&w->e->r, proto, "\"proto\" must be \"tcp\" or \"udp\"");
		return false;
	}
	n = w->ports.u.children.n;
	w->ranges = xcalloc(n + 1, sizeof(*w->ranges));
	w->needed = xcalloc(n + 1, sizeof(*w->needed));
	if (n == 0)
		node_error(&w->e->r, &w->ports,
			   "\"ports\" must have a port; without it, %d is meant",
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

/* Whether it may be a rule that deny made: it drops the target alone, and has no comment. */
static bool is_plain_drop(const struct rule *rule, enum about about)
{
	return about == ABOUT_EXACTLY && rule->proto == PROTO_ANY && !rule->comment;
}

/* Somebody meant the rule to drop the target. */
static bool refuse_drop(struct wish *w, const struct rule *rule, enum about about)
{
	cleanup(buf_free) struct buf what = { 0 };

	if (rule->to == DEST_IPSET)
		buf_printf(&what, ", as ipset %s has it", wish_ipset(w, rule));
	else if (rule->n_ports > 0 || rule->proto != PROTO_ANY)
		buf_puts(&what, " on some ports");
	else if (rule->comment)
		buf_printf(&what, " (%s)", rule->comment);
	node_error(&w->e->r, request_field(w->e->request, "to"),
		   "egress[%zu] of %s drops %s%s%s: change that first", rule->index,
		   w->view.network->name, about == ABOUT_OVERLAP ? "a part of " : "",
		   w->target.text, buf_str(&what));
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
		const struct rule *rule = wish_rule(w, i);
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
		if (k == w->view.network->n_egress || wish_rule(w, k)->action == ACTION_ALLOW)
			continue;
		rule = wish_rule(w, k);
		about = view_about(&w->view, k, &w->target);
		if (is_plain_drop(rule, about) && opens_no_more(w, k)) {
			w->view.gone[k] = true;
			*ret_again = true;
			return true;
		}
		if (about != ABOUT_ALL && !is_plain_drop(rule, about))
			return refuse_drop(w, rule, about);
		w->needed[i] = true;
		w->n_needed++;
		w->before = k < w->before ? k : w->before;
	}
	return true;
}

/* Whether rules between this one and the place of a new rule may drop what the target's name or addresses are, too: what
 * this one allows they do not judge. */
static bool skips_drops(const struct wish *w, size_t i)
{
	for (size_t k = i + 1; k < w->before; k++) {
		const struct rule *rule = wish_rule(w, k);

		if (rule->action == ACTION_DROP &&
		    (rule->proto == PROTO_ANY || rule->proto == w->proto) &&
		    view_about(&w->view, k, &w->target) == ABOUT_PERHAPS)
			return true;
	}
	return false;
}

/* The rule that allows the target alone, on other ports of the protocol; or NULL. */
static const struct rule *find_own_rule(const struct wish *w)
{
	for (size_t i = 0; i < w->before; i++) {
		const struct rule *rule = wish_rule(w, i);

		if (rule->action == ACTION_ALLOW && rule->proto == w->proto && rule->n_ports > 0 &&
		    view_about(&w->view, i, &w->target) == ABOUT_EXACTLY && !skips_drops(w, i))
			return rule;
	}
	return NULL;
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

static bool has_preset(const struct json_node *list)
{
	for (size_t i = 0; i < list->u.children.n; i++) {
		const struct json_node *item = &list->u.children.items[i];

		if (item->kind == JSON_STRING && preset_entry_name(item->u.string.s))
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
		const struct rule *rule = wish_rule(w, i);

		if (rule->action != ACTION_ALLOW || rule->to != DEST_IPSET ||
		    !same_ports(w, rule) || skips_drops(w, i))
			continue;
		found = rule;
		n++;
	}
	if (n != 1 || w->n_needed < w->ports.u.children.n ||
	    wish_count_users(w->e->policy, found->ipset) != 1 || !wish_ipset_list(w, found) ||
	    has_preset(wish_ipset_list(w, found)))
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
	buf_printf(&w->e->message, ": egress[%zu] has that, too, now",
		   wish_index_then(w, rule->index));
}

static void add_to_list(struct wish *w, const struct rule *rule)
{
	struct json_node value = doc_string(&w->e->firewall, w->target.text);

	doc_append(&w->e->firewall, wish_ipset_list(w, rule), &value);
	buf_printf(&w->e->message, ": it is in ipset %s now, which egress[%zu] allows",
		   wish_ipset(w, rule), wish_index_then(w, rule->index));
}

static void add_rule(struct wish *w, size_t index)
{
	struct doc *doc = &w->e->firewall;
	struct json_node rule = { .kind = JSON_OBJECT }, ports = { .kind = JSON_ARRAY };

	for (size_t i = 0; i < w->ports.u.children.n; i++)
		if (w->needed[i])
			doc_append(doc, &ports, &w->ports.u.children.items[i]);
	wish_add_member(doc, &rule, "proto", proto_name(w->proto));
	doc_set(doc, &rule, "ports", &ports);
	wish_add_target(w, &rule);
	doc_insert(doc, w->egress, index, &rule);
	buf_printf(&w->e->message, ": egress[%zu] is new", wish_index_then(w, index));
}

static void change_allowed(struct wish *w)
{
	size_t index = w->n_needed ? wish_rule(w, w->before)->index : SIZE_MAX;
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
	wish_take_out(w, index, new);
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
		buf_printf(b, " before, by egress[%zu]: nothing changed", wish_rule(w, i)->index);
	else
		buf_printf(b, " before, as no egress rule of it drops that: nothing changed");
}

bool edit_allow(struct editor *e)
{
	bool ok, again = true;
	struct wish w;

	if (!wish_begin(e, &w))
		return false;
	ok = read_ports(&w);
	while (ok && again)
		ok = find_needed(&w, &again);
	if (ok && w.n_needed == 0 && !any_gone(&w))
		say_allowed_already(&w);
	else if (ok)
		change_allowed(&w);
	wish_end(&w);
	return ok;
}
