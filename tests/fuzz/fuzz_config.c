/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both configuration files through the whole of layer 2. A 0xFF byte, which no UTF-8 text has,
 * divides the input in two; without one it is both files at once.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

#include "must.h"

#define SEPARATOR 0xff

static struct src make_src(const char *name, const uint8_t *text, size_t len)
{
	return (struct src){
		.name = xstrdup(name),
		/* Not xstrndup(): the text may have a NUL inside. */
		.text = memcpy(xcalloc(len + 1, 1), text, len),
		.len = len,
	};
}

/* A name that may be looked up is no address, and its final dot was cut. */
static bool is_lookup_name(const char *name)
{
	struct ipaddr addr;
	size_t len = strlen(name);

	return len > 0 && len <= HOSTNAME_MAX && name[len - 1] != '.' &&
	       !ipaddr_parse(name, len, &addr);
}

/* Checks the promises that a policy makes to those who compile it. */
static void check_policy(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network->name || !network->stem || !network->bridge ||
		    strlen(network->name) > NETWORK_NAME_MAX ||
		    strlen(network->bridge) > BRIDGE_NAME_MAX ||
		    (network->placed ? !network_bridge_valid(network->bridge)
				     : !network->external || network->bridge[0] != ':') ||
		    (!network->has_subnet && !network->external) ||
		    (network->has_subnet && !prefix_contains(&network->subnet, &network->gateway)))
			abort();
		for (size_t k = 0; k < network->n_egress; k++) {
			const struct rule *rule = &network->egress[k];

			if ((rule->to == DEST_IPSET && rule->ipset >= policy->n_ipsets) ||
			    (rule->to == DEST_HOSTNAME) != (rule->hostname != NULL) ||
			    (rule->proto == PROTO_ICMP) != rule->icmp4.set ||
			    (rule->hostname && !is_lookup_name(rule->hostname)) ||
			    (k > 0 && rule->index <= network->egress[k - 1].index) ||
			    (rule->comment && strlen(rule->comment) > COMMENT_MAX) ||
			    (rule->comment && strchr(rule->comment, '"')))
				abort();
		}
		for (size_t k = 0; k < network->n_nat; k++) {
			if (network->nat[k].match_dport == 0 || network->nat[k].to_port == 0 ||
			    (k > 0 && network->nat[k].index <= network->nat[k - 1].index))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *sink;
	const uint8_t *separator = size ? memchr(data, SEPARATOR, size) : NULL;
	size_t head = separator ? (size_t)(separator - data) : size;
	const uint8_t *rest = separator ? separator + 1 : data;
	size_t rest_len = separator ? size - head - 1 : size;
	struct policy policy = { 0 };
	struct diags diags = { 0 };

	if (!sink)
		sink = fopen("/dev/null", "w");
	policy.network_src = make_src("network.json", data, head);
	policy.firewall_src = make_src("firewall.json", rest, rest_len);
	if (config_parse(&policy, &diags))
		check_policy(&policy);
	else if (diags.count[SEVERITY_ERROR] == 0)
		abort();
	diags_print(&diags, sink);
	diags_free(&diags);
	policy_free(&policy);
	return 0;
}
