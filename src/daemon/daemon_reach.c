/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_reach.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon_lookup.h"
#include "dockside/base/suggest.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/ctl/edit_reach.h"
#include "dockside/names/gate_document.h"

#define NOTES_MAX 20

struct reach {
	struct target target;
	/* Those that it had before. */
	struct ipaddr *addrs;
	size_t n_addrs;
	struct daemon_lookup *lookup; /* of a name that is not polled; or NULL */
};

/* ---- addresses ---- */

static const struct name *find_name(struct enforcer *enforcer, const struct reach *reach)
{
	return reach->target.name ? names_find(&enforcer->names, reach->target.name) : NULL;
}

static void add_addr(struct reach *reach, const struct ipaddr *addr)
{
	for (size_t i = 0; i < reach->n_addrs; i++)
		if (ipaddr_cmp(&reach->addrs[i], addr) == 0)
			return;
	reach->addrs = xreallocarray(reach->addrs, reach->n_addrs + 1, sizeof(*reach->addrs));
	reach->addrs[reach->n_addrs++] = *addr;
}

static void add_known(struct reach *reach, const struct name *name)
{
	for (size_t i = 0; name && i < name->n_addrs; i++)
		if (!name->addrs[i].never)
			add_addr(reach, &name->addrs[i].addr);
}

struct reach *daemon_reach_begin(struct enforcer *enforcer, const struct request *request)
{
	struct reach *reach;

	if (request->action != REQUEST_ALLOW && request->action != REQUEST_DENY)
		return NULL;
	reach = xcalloc(1, sizeof(*reach));
	target_read(request_string(request, "to"), &reach->target);
	add_known(reach, find_name(enforcer, reach));
	return reach;
}

void daemon_reach_free(struct reach *reach)
{
	if (!reach)
		return;
	daemon_lookup_close(reach->lookup);
	target_free(&reach->target);
	free(reach->addrs);
	free(reach);
}

/* ---- the look-up ---- */

void daemon_reach_ask(struct reach *reach, struct loop *loop, const struct enforcer *enforcer,
		      const struct daemon_names *names, const struct request *request)
{
	const struct policy *policy = &enforcer->running->policy;
	const struct network *network;
	struct ipaddr servers[GATE_UPSTREAM_MAX];
	size_t n;

	if (!reach || request->action != REQUEST_ALLOW || !reach->target.name ||
	    target_is_pattern(&reach->target) || names_find(&enforcer->names, reach->target.name))
		return;
	network = policy_find_network(policy, request_string(request, "name"), NULL);
	if (!network || !network->dns.gated)
		return;
	n = daemon_names_servers(names, servers, ARRAY_SIZE(servers));
	reach->lookup = daemon_lookup_open(loop, reach->target.name,
					   policy->n_upstream > 0 ? policy->upstream : servers,
					   policy->n_upstream > 0 ? policy->n_upstream : n);
}

bool daemon_reach_settled(const struct reach *reach)
{
	return !reach || !reach->lookup || daemon_lookup_done(reach->lookup);
}

static void add_word(const char ***words, size_t *n, size_t *cap, const char *word, const char *but)
{
	if (strcmp(word, but) == 0)
		return;
	*words = array_grow(*words, cap, *n, sizeof(**words));
	(*words)[(*n)++] = word;
}

/* Those of rules for which the gate tells the addresses are not among the daemon's names. */
static void add_rules(const char ***words, size_t *n, size_t *cap, const struct network *network,
		      const char *but)
{
	for (size_t i = 0; i < network->n_egress; i++)
		if (network->egress[i].to == DEST_HOSTNAME)
			add_word(words, n, cap, network->egress[i].hostname, but);
}

/* The nearest of the other names that the policy has; or NULL. */
static const char *nearest_name(const struct enforcer *enforcer, const char *name)
{
	const struct policy *policy = &enforcer->running->policy;
	const char **words = NULL, *near;
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < policy->n_networks; i++)
		add_rules(&words, &n, &cap, &policy->networks[i], name);
	for (size_t i = 0; i < enforcer->names.n; i++)
		add_word(&words, &n, &cap, enforcer->names.items[i].name, name);
	for (size_t i = 0; i < policy->n_ipsets; i++)
		for (size_t k = 0; k < policy->ipsets[i].n_hostnames; k++)
			add_word(&words, &n, &cap, policy->ipsets[i].hostnames[k], name);
	near = nearest_word(name, words, n);
	free(words);
	return near;
}

static void put_trouble(const struct enforcer *enforcer, const char *name,
			char *const errors[N_FAMILIES], bool asking, struct json_writer *out)
{
	const char *near = nearest_name(enforcer, name);
	cleanup(cleanup_free) char *hint = near ? xasprintf("did you mean %s?", near) : NULL;
	cleanup(buf_free) struct buf why = { 0 };

	answers_error(errors, &why);
	if (why.len == 0)
		buf_puts(&why, asking ? "no answer yet" : "it exists, but has no address");
	json_write_string(out, "message", buf_str(&why));
	if (hint)
		json_write_string(out, "hint", hint);
}

static void put_lookup(const struct enforcer *enforcer, const struct name *name,
		       struct json_writer *out)
{
	json_write_open(out, "lookup", '{');
	json_write_string(out, "name", name->name);
	json_write_open(out, "addresses", '[');
	for (size_t i = 0; i < name->n_addrs; i++) {
		char text[ADDR_STRLEN];

		if (!name->addrs[i].never)
			json_write_string(out, NULL, ipaddr_format(&name->addrs[i].addr, text));
	}
	json_write_close(out, ']');
	if (name->n_addrs == 0)
		put_trouble(enforcer, name->name, name->errors, name_asking(name), out);
	json_write_close(out, '}');
}

/* The same of a name for which the gate tells the addresses: which it would not, people see here only. */
static void put_once(const struct enforcer *enforcer, const struct network *network,
		     const struct resolved_name *host, struct json_writer *out)
{
	const char *reason = NULL;
	char text[ADDR_STRLEN];
	size_t n = 0;

	json_write_open(out, "lookup", '{');
	json_write_string(out, "name", host->name);
	json_write_open(out, "addresses", '[');
	for (size_t i = 0; i < host->n_addrs; i++) {
		reason = never_told_reason(&enforcer->never, &host->addrs[i], network->dns.private,
					   network->dns.n_private);
		ipaddr_format(&host->addrs[i], text);
		if (reason)
			continue;
		json_write_string(out, NULL, text);
		n++;
	}
	json_write_close(out, ']');
	if (host->n_addrs == 0) {
		put_trouble(enforcer, host->name, host->errors, false, out);
	} else if (n == 0) {
		cleanup(cleanup_free) char *why =
			xasprintf("the gate opens none of its addresses: %s is %s", text, reason);

		json_write_string(out, "message", why);
	}
	json_write_close(out, '}');
}

/* ---- rules that are about its addresses ---- */

/* "egress[3] (host api.example.com)" */
static void put_rule(const struct policy *policy, const struct rule *rule, struct buf *b)
{
	char text[ADDR_STRLEN];

	buf_printf(b, "egress[%zu]", rule->index);
	switch (rule->to) {
	case DEST_ALL:
		break;
	case DEST_CIDR:
	case DEST_IP:
		buf_printf(b, " (%s)", prefix_format(&rule->cidr, text));
		break;
	case DEST_HOSTNAME:
	case DEST_PATTERN:
		buf_printf(b, " (host %s)", rule->hostname);
		break;
	case DEST_IPSET:
		buf_printf(b, " (ipset %s)", policy->ipsets[rule->ipset].name);
		break;
	}
}

static size_t drops_port(const struct view *view, const struct target *addr,
			 const struct request *request)
{
	struct json_node ports, default_port;
	enum proto proto;

	ports = target_read_ports(request, &proto, &default_port);
	for (size_t i = 0; i < ports.u.children.n; i++) {
		struct portrange range;
		size_t rule;

		if (!target_read_port(&ports.u.children.items[i], &range))
			continue;
		rule = view_decide(view, addr, proto, &range);
		if (rule < view->network->n_egress &&
		    view->network->egress[rule].action == ACTION_DROP)
			return rule;
	}
	return SIZE_MAX;
}

/* The sentence about one address; false: there is nothing to say. */
static bool put_addr(const struct view *view, const struct reach *reach, const struct target *addr,
		     const struct request *request, struct buf *b)
{
	bool allow = request->action == REQUEST_ALLOW;
	size_t rule =
		allow ? drops_port(view, addr, request) : view_reached(view, addr, ABOUT_PERHAPS);
	char text[ADDR_STRLEN];

	if (rule == SIZE_MAX)
		return false;
	buf_printf(b, "%s of %s is %s ", ipaddr_format(&addr->prefix.addr, text),
		   reach->target.text, allow ? "refused by" : "allowed still, by");
	if (rule < view->network->n_egress)
		put_rule(view->policy, &view->network->egress[rule], b);
	else
		buf_puts(b, "no rule that drops it");
	return true;
}

static void put_addrs(const struct reach *reach, struct enforcer *enforcer,
		      const struct request *request, struct json_writer *out)
{
	const struct policy *policy = &enforcer->running->policy;
	const struct network *network =
		policy_find_network(policy, request_string(request, "name"), NULL);
	struct view view;
	size_t n = 0;

	if (!network)
		return;
	view_make(policy, network, &view);
	json_write_open(out, request->action == REQUEST_ALLOW ? "refused" : "reachable", '[');
	for (size_t i = 0; i < reach->n_addrs && n < NOTES_MAX; i++) {
		struct target addr = { .prefix = prefix_of_address(&reach->addrs[i]),
				       .names = &enforcer->names };
		cleanup(buf_free) struct buf b = { 0 };

		if (!put_addr(&view, reach, &addr, request, &b))
			continue;
		json_write_string(out, NULL, buf_str(&b));
		n++;
	}
	json_write_close(out, ']');
	view_free(&view);
}

void daemon_reach_put(const struct reach *reach, struct enforcer *enforcer,
		      const struct request *request, struct buf *answer)
{
	struct json_writer out;
	const struct network *network;
	const struct name *name;
	struct reach now;

	if (!reach || !reach->target.name)
		return;
	name = find_name(enforcer, reach);
	network = policy_find_network(&enforcer->running->policy, request_string(request, "name"),
				      NULL);
	now = (struct reach){ .target = reach->target };
	for (size_t i = 0; i < reach->n_addrs; i++)
		add_addr(&now, &reach->addrs[i]);
	add_known(&now, name);
	ctl_reopen(answer, &out);
	if (reach->lookup && network)
		put_once(enforcer, network, daemon_lookup_result(reach->lookup), &out);
	else if (name)
		put_lookup(enforcer, name, &out);
	put_addrs(&now, enforcer, request, &out);
	json_write_close(&out, '}');
	free(now.addrs);
}
