/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compile_errors.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

static bool is_error_type(const struct match *match)
{
	if (match->u.icmp.family == FAMILY_IPV6)
		return !(match->u.icmp.type & ICMP6_INFOMSG_MASK) ||
		       match->u.icmp.type == ND_REDIRECT;
	return match->u.icmp.type == ICMP_DEST_UNREACH ||
	       match->u.icmp.type == ICMP_SOURCE_QUENCH || match->u.icmp.type == ICMP_REDIRECT ||
	       match->u.icmp.type == ICMP_TIME_EXCEEDED || match->u.icmp.type == ICMP_PARAMPROB;
}

static bool accepts_errors(const struct plan_rule *rule)
{
	if (rule->verdict != VERDICT_ACCEPT)
		return false;
	for (size_t i = 0; i < rule->n_matches; i++) {
		const struct match *match = &rule->matches[i];

		if (match->kind == MATCH_DPORT || match->kind == MATCH_DPORT_SET ||
		    (match->kind == MATCH_L4PROTO && match->u.l4proto != IPPROTO_ICMP &&
		     match->u.l4proto != IPPROTO_ICMPV6) ||
		    (match->kind == MATCH_ICMP && !is_error_type(match)))
			return false;
	}
	return true;
}

void compile_split_errors(struct plan_chain *chain, size_t first)
{
	size_t n = chain->n_rules - first;
	struct plan_rule *rules = xcalloc(n + 1, sizeof(*rules));

	memcpy(rules, chain->rules + first, n * sizeof(*rules));
	chain->n_rules = first;
	for (size_t i = 0; i < n; i++) {
		bool told = i > 0 && rules[i - 1].verdict == VERDICT_LOG;

		if (accepts_errors(&rules[i]) && !told) {
			struct plan_rule *out = chain_add_rule(chain, rules[i].origin);

			*out = rules[i];
			out->n_matches = 0;
			out->update = (struct set_update){ 0 }; /* it is no use of the address */
			rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_RELATED;
			for (size_t k = 0; k < rules[i].n_matches; k++)
				*rule_add_match(out, rules[i].matches[k].kind) =
					rules[i].matches[k];
		}
		*chain_add_rule(chain, rules[i].origin) = rules[i];
	}
	free(rules);
}
