/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy that the gate takes holds together: lists, slots and networks are within bounds, and its own names
 * are allowed where they are listed, and only there. */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "gate/gate_policy.h"

#define must(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_network(const struct gate_policy *policy, const struct gate_network *network)
{
	static const char *const texts[] = { "a.example.com", "x.a.example.com", "example.com",
					     "com" };
	struct gate_match match;
	struct dns_name name;

	must(gate_policy_network(policy, network->bridge) == network);
	must(strlen(network->bridge) <= GATE_BRIDGE_MAX && network->life_s >= GATE_MAX_TTL_S);
	for (size_t i = 0; i < network->n_lists; i++)
		must(network->lists[i] < policy->n_lists);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		must(dns_name_parse(texts[i], &name));
		gate_table_match(policy, network, &name, &match);
		must(match.n <= GATE_MATCH_MAX && (match.allowed || match.n == 0));
		must(!match.allowed || network->n_lists > 0);
		for (size_t k = 0; k < match.n; k++)
			must(policy->lists[match.lists[k]].slot != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags diags = { 0 };
	struct gate_policy *policy;
	char *text = malloc(size + 1);
	struct src src = { .text = text, .len = size };

	must(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	policy = gate_policy_parse(&src, &diags);
	must(policy || diags.n > 0 || diags.count[0] > 0 || size == 0);
	if (policy) {
		must(policy->upstream.n_servers >= 1 &&
		     policy->upstream.n_servers <= GATE_UPSTREAM_MAX);
		for (size_t i = 0; i < policy->n_networks; i++)
			check_network(policy, &policy->networks[i]);
	}
	gate_policy_free(policy);
	diags_free(&diags);
	free(text);
	return 0;
}
