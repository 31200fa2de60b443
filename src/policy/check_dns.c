/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wildcards where no gate can serve them, and rules that a network's gate leaves without effect: it takes all of the
 * network's DNS, so that no rule ever sees a packet to port 53.
 */
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

/* A wildcard that a rule is about, or NULL. */
static const char *pattern_of(const struct policy *policy, const struct rule *rule)
{
	const struct ipset *ipset;

	if (rule->to == DEST_PATTERN)
		return rule->hostname;
	if (rule->to != DEST_IPSET)
		return NULL;
	ipset = &policy->ipsets[rule->ipset];
	return ipset->n_patterns > 0 ? ipset->patterns[0] : NULL;
}

static void check_pattern(const struct policy *policy, const struct network *network,
			  const struct rule *rule, struct diags *diags)
{
	const char *pattern = pattern_of(policy, rule);
	cleanup(cleanup_free) char *pointer = NULL;
	struct diag *diag;

	if (!pattern || rule_told(network, rule))
		return;
	pointer = xasprintf("/networks/%s/egress/%zu", network->name, rule->index);
	if (rule->action == ACTION_DROP) {
		diag = diag_add(diags, SEVERITY_ERROR, rule->loc, pointer,
				"a drop rule cannot be about the wildcard \"%s\": nobody knows all "
				"names under it",
				pattern);
		diag->hint = xstrdup("list the names, or their networks");
	} else {
		diag = diag_add(diags, SEVERITY_ERROR, rule->loc, pointer,
				"the wildcard \"%s\" cannot be looked up; only the DNS gate can "
				"serve it, which network %s does not have",
				pattern, network->name);
		diag->hint = xasprintf("\"dns\": {} beside the \"egress\" of %s turns its gate on",
				       network->name);
	}
	if (rule->to != DEST_IPSET)
		return;
	diag->other = policy->ipsets[rule->ipset].loc;
	diag->other_message = xstrdup("the ipset that has it is here");
}

void policy_check_patterns(const struct policy *policy, struct diags *diags)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		for (size_t k = 0; k < policy->networks[i].n_egress; k++)
			check_pattern(policy, &policy->networks[i], &policy->networks[i].egress[k],
				      diags);
}

/* ---- rules without effect ---- */

static bool is_dns_port(uint16_t port)
{
	return port == PORT_DNS || port == PORT_DNS_TLS;
}

/* Whether the rule has no other ports than those of DNS; on the host DNS over TLS is a service like others. */
static bool is_about_dns(const struct rule *rule, bool host)
{
	if ((rule->proto != PROTO_TCP && rule->proto != PROTO_UDP) || rule->n_ports == 0)
		return false;
	for (size_t i = 0; i < rule->n_ports; i++)
		if (rule->ports[i].lo != rule->ports[i].hi || !is_dns_port(rule->ports[i].lo) ||
		    (host && rule->ports[i].lo == PORT_DNS_TLS))
			return false;
	return true;
}

static struct diag *note(struct diags *diags, const struct network *network, const char *list,
			 size_t index, struct loc loc, const char *message)
{
	cleanup(cleanup_free) char *pointer =
		xasprintf("/networks/%s/%s/%zu", network->name, list, index);

	return diag_add(diags, SEVERITY_NOTE, loc, pointer, "%s", message);
}

static void note_rules(const struct policy *policy, const struct network *network, bool host,
		       struct diags *diags)
{
	const struct rule *rules = host ? network->host_rules : network->egress;
	size_t n = host ? network->n_host_rules : network->n_egress;

	for (size_t i = 0; i < n; i++) {
		cleanup(cleanup_free) char *message = NULL;
		struct diag *diag;

		if (!is_about_dns(&rules[i], host))
			continue;
		message = xasprintf("this rule never matches: the DNS of network %s goes to its "
				    "gate, which no rule needs to allow%s",
				    network->name,
				    host ? "" : "; everything else to ports 53 and 853 is refused");
		diag = note(diags, network, host ? "host" : "egress", rules[i].index, rules[i].loc,
			    message);
		if (rules[i].action == ACTION_ALLOW && policy->n_upstream == 0)
			diag->hint = xstrdup("if that is a name server of your own, have the gate "
					     "ask it: \"dns\": {\"upstream\": [ADDRESS]} beside "
					     "\"networks\"");
	}
}

static void note_nat(const struct network *network, struct diags *diags)
{
	for (size_t i = 0; i < network->n_nat; i++) {
		const struct nat_rule *rule = &network->nat[i];

		if (rule->match_dport == PORT_DNS)
			note(diags, network, "nat", rule->index, rule->loc,
			     "this rule never matches: the gate of the network takes port 53 "
			     "before")
				->hint = xstrdup("have the gate ask that name server: \"dns\": "
						 "{\"upstream\": [ADDRESS]} beside \"networks\"");
		else if (is_dns_port(rule->match_dport) || is_dns_port(rule->to_port))
			note(diags, network, "nat", rule->index, rule->loc,
			     "this leads nowhere: the network has a gate, so that all else to "
			     "ports "
			     "53 and 853 is refused");
	}
}

void policy_check_dns(const struct policy *policy, struct diags *diags)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network->dns.gated)
			continue;
		note_rules(policy, network, false, diags);
		note_rules(policy, network, true, diags);
		note_nat(network, diags);
	}
}
