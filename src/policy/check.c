/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * These checks concern several objects of a policy. Everything sorts, so that thousands of networks cost
 * n log n; then neighbours are compared, and the one that stands later in the file is reported with
 * the earlier one as the second place.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

#define NAMES_SHOWN 5

static struct diag *network_error(struct diags *diags, const struct policy *policy,
				  const struct network *network, struct loc loc, const char *key,
				  const char *message)
{
	cleanup(cleanup_free) char *pointer =
		xasprintf("/networks/%zu/%s", (size_t)(network - policy->networks), key);

	return diag_add(diags, SEVERITY_ERROR, loc, pointer, "%s", message);
}

static const char *shown_name(const struct network *network)
{
	return network->name ? network->name : "?";
}

/* ---- names ---- */

static int stem_cmp(const void *a, const void *b)
{
	const struct network *x = *(const struct network *const *)a;
	const struct network *y = *(const struct network *const *)b;
	int order = strcmp(x->stem, y->stem);

	return order ? order : (x > y) - (x < y); /* same array: file order */
}

static int bridge_cmp(const void *a, const void *b)
{
	const struct network *x = *(const struct network *const *)a;
	const struct network *y = *(const struct network *const *)b;
	int order = strcmp(x->bridge, y->bridge);

	return order ? order : (x > y) - (x < y);
}

static void report_same_name(const struct policy *policy, struct diags *diags,
			     const struct network *first, const struct network *second)
{
	struct buf message = { 0 };

	quote_found(&message, second->name, strlen(second->name));
	if (strcmp(first->name, second->name) == 0) {
		buf_puts(&message, " is the name of an earlier network too");
	} else {
		buf_puts(&message, " and ");
		quote_found(&message, first->name, strlen(first->name));
		buf_puts(&message, " differ in letter case only and would share the ");
		if (strcmp(first->bridge, second->bridge) == 0) {
			buf_puts(&message, "bridge ");
			quote_found(&message, first->bridge, strlen(first->bridge));
		} else {
			buf_puts(&message, "names of their chains");
		}
	}

	struct diag *diag =
		network_error(diags, policy, second, second->name_loc, "name", buf_str(&message));

	buf_free(&message);
	diag->other = first->name_loc;
	diag->other_message = xstrdup("the earlier network is here");
}

static void report_same_bridge(const struct policy *policy, struct diags *diags,
			       const struct network *first, const struct network *second)
{
	struct loc loc = second->bridge_given ? second->bridge_loc : second->name_loc;
	struct buf message = { 0 };

	buf_printf(&message, "networks \"%.40s\" and \"%.40s\" would share the bridge ",
		   first->name, second->name);
	quote_found(&message, second->bridge, strlen(second->bridge));

	struct diag *diag =
		network_error(diags, policy, second, loc, second->bridge_given ? "bridge" : "name",
			      buf_str(&message));

	buf_free(&message);
	diag->other = first->bridge_given ? first->bridge_loc : first->name_loc;
	diag->other_message = xstrdup("the earlier network is here");
}

static void check_names(const struct policy *policy, struct diags *diags)
{
	const struct network **sorted = xcalloc(policy->n_networks, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		if (policy->networks[i].name)
			sorted[n++] = &policy->networks[i];
	}
	if (n)
		qsort(sorted, n, sizeof(*sorted), stem_cmp);
	for (size_t i = 0, first = 0; i < n; i++) {
		if (strcmp(sorted[first]->stem, sorted[i]->stem) != 0)
			first = i;
		else if (i != first)
			report_same_name(policy, diags, sorted[first], sorted[i]);
	}
	if (n)
		qsort(sorted, n, sizeof(*sorted), bridge_cmp);
	for (size_t i = 0, first = 0; i < n; i++) {
		if (strcmp(sorted[first]->bridge, sorted[i]->bridge) != 0)
			first = i;
		else if (strcmp(sorted[first]->stem, sorted[i]->stem) != 0)
			report_same_bridge(policy, diags, sorted[first], sorted[i]);
	}
	free(sorted);
}

/* ---- subnets ---- */

struct subnet {
	const struct network *network;
	const struct prefix *prefix;
	struct loc loc;
	const char *key;
};

static int subnet_cmp(const void *a, const void *b)
{
	const struct subnet *x = a;
	const struct subnet *y = b;
	int order = prefix_cmp(x->prefix, y->prefix);

	return order ? order : (x->network > y->network) - (x->network < y->network);
}

static void report_overlap(const struct policy *policy, struct diags *diags, const struct subnet *a,
			   const struct subnet *b)
{
	const struct subnet *first = a->network < b->network ? a : b;
	const struct subnet *second = first == a ? b : a;
	char first_text[ADDR_STRLEN], second_text[ADDR_STRLEN];
	cleanup(cleanup_free) char *message = NULL;

	prefix_format(first->prefix, first_text);
	prefix_format(second->prefix, second_text);
	message = xasprintf("%s of network \"%.40s\" overlaps %s of network \"%.40s\"", second_text,
			    shown_name(second->network), first_text, shown_name(first->network));

	struct diag *diag =
		network_error(diags, policy, second->network, second->loc, second->key, message);

	diag->other = first->loc;
	diag->other_message =
		xasprintf("the %s of \"%.40s\" is here", first->key, shown_name(first->network));
}

/* Prefixes are nested or disjoint, and an outer one sorts before its inner ones. */
static void check_sorted_subnets(const struct policy *policy, struct diags *diags,
				 struct subnet *subnets, size_t n)
{
	if (n)
		qsort(subnets, n, sizeof(*subnets), subnet_cmp);
	for (size_t i = 1, outer = 0; i < n; i++) {
		if (prefix_covers(subnets[outer].prefix, subnets[i].prefix))
			report_overlap(policy, diags, &subnets[outer], &subnets[i]);
		else
			outer = i;
	}
}

static void check_subnets(const struct policy *policy, struct diags *diags)
{
	struct subnet *subnets = xcalloc(policy->n_networks, sizeof(*subnets));
	struct subnet *subnets6 = xcalloc(policy->n_networks, sizeof(*subnets6));
	size_t n = 0;
	size_t n6 = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (network->subnet_loc.src)
			subnets[n++] = (struct subnet){ network, &network->subnet,
							network->subnet_loc, "subnet" };
		if (network->subnet6_loc.src)
			subnets6[n6++] = (struct subnet){ network, &network->subnet6,
							  network->subnet6_loc, "subnet6" };
	}
	check_sorted_subnets(policy, diags, subnets, n);
	check_sorted_subnets(policy, diags, subnets6, n6);
	free(subnets);
	free(subnets6);
}

/* ---- nat rules ---- */

static int nat_cmp(const void *a, const void *b)
{
	const struct nat_rule *x = *(const struct nat_rule *const *)a;
	const struct nat_rule *y = *(const struct nat_rule *const *)b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->match_dport != y->match_dport)
		return x->match_dport < y->match_dport ? -1 : 1;
	return (x > y) - (x < y);
}

static void report_same_nat(const struct network *network, struct diags *diags,
			    const struct nat_rule *first, const struct nat_rule *second)
{
	cleanup(cleanup_free) char *pointer =
		xasprintf("/networks/%s/nat/%zu/match_dport", shown_name(network), second->index);
	struct diag *diag = diag_add(diags, SEVERITY_ERROR, second->match_dport_loc, pointer,
				     "%s port %u has a nat rule already", proto_name(second->proto),
				     second->match_dport);

	diag->other = first->match_dport_loc;
	diag->other_message = xstrdup("the earlier rule is here");
}

static void check_nat(const struct network *network, struct diags *diags)
{
	const struct nat_rule **sorted = xcalloc(network->n_nat, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; i < network->n_nat; i++) {
		if (network->nat[i].match_dport_loc.src)
			sorted[n++] = &network->nat[i];
	}
	if (n)
		qsort(sorted, n, sizeof(*sorted), nat_cmp);
	for (size_t i = 0, first = 0; i < n; i++) {
		if (sorted[first]->proto != sorted[i]->proto ||
		    sorted[first]->match_dport != sorted[i]->match_dport)
			first = i;
		else if (i != first)
			report_same_nat(network, diags, sorted[first], sorted[i]);
	}
	free(sorted);
}

/* ---- what is allowed but perhaps not meant ---- */

static void warn_unreachable(const struct network *network, struct diags *diags, const char *list,
			     const struct rule *rules, size_t n)
{
	size_t i = 0;

	while (i < n && !rule_matches_everything(&rules[i]))
		i++;
	if (i + 1 >= n)
		return;

	cleanup(cleanup_free) char *pointer =
		xasprintf("/networks/%s/%s/%zu", network->name, list, rules[i + 1].index);
	struct diag *diag = diag_add(diags, SEVERITY_WARNING, rules[i + 1].loc, pointer,
				     "%s: an earlier one matches everything",
				     i + 2 < n ? "this rule and those after it never match"
					       : "this rule never matches");

	diag->other = rules[i].loc;
	diag->other_message = xasprintf("the rule that matches everything (%s) is here",
					action_name(rules[i].action));
}

static void warn_audit(const struct network *network, struct diags *diags)
{
	cleanup(cleanup_free) char *pointer = xasprintf("/networks/%s/mode", network->name);

	diag_add(diags, SEVERITY_WARNING, network->mode_loc, pointer,
		 "network %s is in audit mode: nothing is refused; would-be refusals are only "
		 "recorded",
		 network->name);
}

/* A redirect to loopback: after prerouting, such a packet of either family never reaches the input hook. */
static void warn_loopback(const struct network *network, struct diags *diags)
{
	for (size_t i = 0; i < network->n_nat; i++) {
		const struct nat_rule *rule = &network->nat[i];
		cleanup(cleanup_free) char *pointer = NULL;

		if (rule->to_host || !ipaddr_is_loopback(&rule->to_ip))
			continue;
		pointer = xasprintf("/networks/%s/nat/%zu", network->name, rule->index);
		diag_add(diags, SEVERITY_WARNING, rule->loc, pointer,
			 "this leads nowhere: the kernel discards what comes from a network for a "
			 "loopback address%s",
			 rule->to_ip.family == FAMILY_IPV4
				 ? ", unless the bridge's route_localnet is 1"
				 : "");
	}
}

/* "to any address" cannot mean both families: there is no translation between them. */
static void note_other_family(const struct network *network, struct diags *diags)
{
	for (size_t i = 0; i < network->n_nat; i++) {
		const struct nat_rule *rule = &network->nat[i];
		bool ipv4 = rule->to_ip.family == FAMILY_IPV4;
		cleanup(cleanup_free) char *pointer = NULL;

		if (rule->to_host || (ipv4 && !network->has_subnet6))
			continue;
		pointer = xasprintf("/networks/%s/nat/%zu", network->name, rule->index);
		diag_add(diags, SEVERITY_NOTE, rule->loc, pointer,
			 "over %s port %u is not redirected, as to_ip is an %s address",
			 ipv4 ? "IPv6" : "IPv4", rule->match_dport, ipv4 ? "IPv4" : "IPv6");
	}
}

/* Files from before "dockside_ip" look like this once the iptables version has saved them: "gateway_ip" was the
 * dockside container's address. */
static void note_gateway(const struct policy *policy, const struct network *network,
			 struct diags *diags)
{
	struct ipaddr first = prefix_first_host(&network->subnet);
	char text[ADDR_STRLEN];
	cleanup(cleanup_free) char *pointer = NULL;

	if (network->external || network->has_dockside_ip || network->has_dockside_ip6 ||
	    network->has_dockside_mac || !network_has_policy(network) ||
	    ipaddr_cmp(&network->gateway, &first) == 0)
		return;
	pointer = xasprintf("/networks/%zu/gateway_ip", (size_t)(network - policy->networks));
	diag_add(
		diags, SEVERITY_NOTE, network->loc, pointer,
		"network %s has a policy but no dockside container, and %s is its bridge's address",
		network->name, ipaddr_format(&network->gateway, text))
		->hint = xstrdup("if that is the dockside container's, as \"gateway_ip\" once was, "
				 "it is \"dockside_ip\" now");
}

static void note_no_policy(const struct policy *policy, const struct network *network,
			   struct diags *diags)
{
	cleanup(cleanup_free) char *pointer = NULL;

	if (!network->external || network_has_policy(network))
		return;
	pointer = xasprintf("/networks/%zu", (size_t)(network - policy->networks));
	diag_add(diags, SEVERITY_NOTE, network->loc, pointer,
		 "network %s is made by others and has no policy: it stays as it is",
		 network->name);
}

/* One note for all networks: a reminder, not a fault of any one of them. */
static void note_open_host(const struct policy *policy, struct diags *diags)
{
	const struct network *first = NULL;
	struct buf names = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (network->n_host_rules > 0 || !network_denies(network))
			continue;
		if (!first)
			first = network;
		if (n < NAMES_SHOWN)
			buf_printf(&names, "%s%s", n ? ", " : "", network->name);
		n++;
	}
	if (n > NAMES_SHOWN)
		buf_printf(&names, " and %zu more", n - NAMES_SHOWN);
	if (first) {
		cleanup(cleanup_free) char *pointer =
			xasprintf("/networks/%s/egress/%zu", first->name,
				  first->egress[first->n_egress - 1].index);

		struct loc loc = first->egress[first->n_egress - 1].loc;

		diag_add(diags, SEVERITY_NOTE, loc, pointer,
			 "default deny covers what is forwarded; without \"host\" rules containers "
			 "reach every service of the Docker host itself, and through docker-proxy "
			 "the ports that containers publish there, those of other networks too "
			 "(%s)",
			 buf_str(&names))
			->hint = xstrdup("\"host\": [{\"action\": \"drop\"}] closes it");
	}
	buf_free(&names);
}

void policy_check(const struct policy *policy, struct diags *diags)
{
	check_names(policy, diags);
	check_subnets(policy, diags);
	for (size_t i = 0; i < policy->n_networks; i++)
		check_nat(&policy->networks[i], diags);

	/* Half-read rules would be judged wrongly, and faults come first anyway. */
	if (diags->count[SEVERITY_ERROR] > 0)
		return;
	policy_check_patterns(policy, diags);
	if (diags->count[SEVERITY_ERROR] > 0)
		return;
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (network->audit)
			warn_audit(network, diags);
		warn_loopback(network, diags);
		note_other_family(network, diags);
		note_gateway(policy, network, diags);
		note_no_policy(policy, network, diags);
		warn_unreachable(network, diags, "egress", network->egress, network->n_egress);
		warn_unreachable(network, diags, "host", network->host_rules,
				 network->n_host_rules);
	}
	policy_check_reach(policy, diags);
	policy_check_dns(policy, diags);
	note_open_host(policy, diags);
}
