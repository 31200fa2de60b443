/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_rule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/addr.h"
#include "dockside/base/diag.h"
#include "dockside/base/suggest.h"
#include "dockside/base/util.h"
#include "dockside/policy/preset.h"
#include "edit_ipset.h"
#include "edit_wish.h"

static void say(struct wish *w, const char *what)
{
	buf_printf(&w->e->message, "%s%s", wish_separator(w), what);
}

static void drop_own_rules(struct wish *w)
{
	for (size_t i = 0; i < w->view.network->n_egress; i++) {
		const struct rule *rule = wish_rule(w, i);
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
		n += wish_rule(w, i)->action == ACTION_ALLOW && wish_rule(w, i)->to == DEST_IPSET &&
		     wish_rule(w, i)->ipset == ipset;
	return n > 0 && n == wish_count_users(w->e->policy, ipset);
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
		const struct rule *rule = wish_rule(w, i);
		struct json_node *list;

		if (rule->to != DEST_IPSET || !own_list(w, rule->ipset) ||
		    w->view.left[rule->ipset] || !(list = wish_ipset_list(w, rule)) ||
		    !edit_remove_member(&w->e->firewall, list, w->target.text))
			continue;
		w->view.left[rule->ipset] = !has_part(list, &w->target);
		buf_printf(&w->e->message, "%s%s is no longer in ipset %s", wish_separator(w),
			   w->target.text, wish_ipset(w, rule));
	}
}

/* Says how the ipset of a rule still has the target. */
static const char *how_listed(const struct wish *w, size_t rule)
{
	size_t ipset = wish_rule(w, rule)->ipset;

	if (!own_list(w, ipset))
		return "it and is used by other rules, too";
	if (!w->target.name)
		return "more of it";
	return ipset_has_pattern_of(&w->e->policy->ipsets[ipset], w->target.name)
		       ? "it by a wildcard"
		       : "it by a preset";
}

/* In front of what lets it through; SIZE_MAX: nothing does. */
static void add_drop(struct wish *w, size_t reached, size_t index)
{
	struct json_node rule = { .kind = JSON_OBJECT };
	struct buf *b = &w->e->message;

	if (reached == SIZE_MAX)
		return;
	wish_add_member(&w->e->firewall, &rule, "action", "drop");
	wish_add_target(w, &rule);
	doc_insert(&w->e->firewall, w->egress, index, &rule);
	buf_printf(b, "%segress[%zu] drops %s now, as ", wish_separator(w),
		   wish_index_then(w, index), w->target.text);
	if (reached == w->view.network->n_egress)
		buf_puts(b, "nothing else does");
	else if (view_about(&w->view, reached, &w->target) == ABOUT_PERHAPS)
		buf_printf(b, "the rule behind it allows %s",
			   w->target.name ? "addresses, which it may have"
					  : "names, which may have it");
	else if (wish_rule(w, reached)->to == DEST_IPSET)
		buf_printf(b, "the rule behind it allows ipset %s, which has %s",
			   wish_ipset(w, wish_rule(w, reached)), how_listed(w, reached));
	else if (wish_rule(w, reached)->to == DEST_PATTERN)
		buf_printf(b, "the rule behind it allows %s", wish_rule(w, reached)->hostname);
	else if (view_about(&w->view, reached, &w->target) == ABOUT_ALL)
		buf_puts(b, "the rule behind it allows every destination");
	else
		buf_puts(b, "the rule behind it allows a network that has it, or is part of it");
}

/* Adds a name that was perhaps meant, if no rule is about the one that was given. */
static void hint_at_name(struct wish *w)
{
	const struct policy *policy = w->e->policy;
	const char **names = NULL;
	size_t n = 0, cap = 0;
	bool known = false;
	char *hint = NULL;

	for (size_t i = 0; i < w->view.network->n_egress; i++) {
		const struct rule *rule = wish_rule(w, i);
		const struct ipset *ipset =
			rule->to == DEST_IPSET ? &policy->ipsets[rule->ipset] : NULL;

		known = known || w->view.gone[i] || (ipset && w->view.left[rule->ipset]) ||
			view_about(&w->view, i, &w->target) >= ABOUT_MORE;
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
	hint = n && !known && w->target.name ? did_you_mean(w->target.text, names, n) : NULL;
	if (hint)
		buf_printf(&w->e->message, "; %s", hint);
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

/* A rule cannot drop a wildcard, as nobody knows all of its names' addresses. */
static bool refuse_wildcard(struct wish *w, size_t reached)
{
	const struct rule *rule;
	struct diag *diag;

	if (reached == w->view.network->n_egress) {
		node_error(
			&w->e->r, edit_name(w->e),
			"network %s has no rule that drops everything, so that a wildcard cannot "
			"be denied: its last egress rule has to be {\"action\": \"drop\"}",
			w->view.network->name);
		return false;
	}
	rule = wish_rule(w, reached);
	diag = node_error(
		&w->e->r, request_field(w->e->request, "to"),
		"egress[%zu] of %s allows names of %s%s%s, and no rule can drop a wildcard",
		rule->index, w->view.network->name, w->target.text,
		rule->to == DEST_IPSET ? ", by ipset " : "",
		rule->to == DEST_IPSET ? wish_ipset(w, rule) : "");
	diag->hint = xstrdup("take them out of what that rule allows, or deny them one by one");
	return false;
}

bool edit_deny(struct editor *e)
{
	size_t reached = SIZE_MAX, index, n;
	struct wish w;
	bool ok, pattern;

	if (!wish_begin(e, &w))
		return false;
	n = w.view.network->n_egress;
	pattern = target_is_pattern(&w.target);
	ok = n > 0 || refuse_open(&w);
	if (ok) {
		drop_own_rules(&w);
		leave_own_lists(&w);
		reached = view_reached(&w.view, &w.target, pattern ? ABOUT_OVERLAP : ABOUT_PERHAPS);
		ok = !pattern || reached == SIZE_MAX || refuse_wildcard(&w, reached);
	}
	if (ok) {
		index = reached < n ? wish_rule(&w, reached)->index : w.egress->u.children.n;
		add_drop(&w, reached, index);
		wish_take_out(&w, index, reached != SIZE_MAX);
		if (e->message.len == 0)
			buf_printf(&e->message, "no rule lets %s reach %s%s: nothing changed",
				   w.view.network->name, w.target.text,
				   w.target.name ? " by that name" : "");
		hint_at_name(&w);
	}
	wish_end(&w);
	return ok;
}
