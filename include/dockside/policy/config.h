/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two JSON files to a policy. Every fault of both files ends in diags; warnings
 * and notes too. config.c reads each object by a table of its fields; check.c judges what concerns
 * several objects.
 */
#ifndef DOCKSIDE_POLICY_CONFIG_H
#define DOCKSIDE_POLICY_CONFIG_H

#include <stdbool.h>

#include "dockside/base/diag.h"
#include "dockside/json/json_parse.h"
#include "dockside/policy/model.h"

/*
 * Reads both files. Returns true and a policy that the caller frees when there is no error; on
 * false *ret_policy is untouched except for its two sources, which diags point into and which the
 * caller frees with policy_free() after printing.
 */
bool config_load(const char *network_path, const char *firewall_path, struct policy *ret_policy,
		 struct diags *diags);

/* Reads the two sources of the policy and nothing more; as with config_load(), the caller frees them. Returns
 * false, with a diagnostic for each, where a file could not be read. */
bool config_read_files(const char *network_path, const char *firewall_path, struct policy *policy,
		       struct diags *diags);

/* config_load() from texts in memory: policy->network_src and ->firewall_src are filled in already. The
 * fuzzers' way in. */
bool config_parse(struct policy *policy, struct diags *diags);

/* The same without policy_check(). */
bool config_parse_unchecked(struct policy *policy, struct diags *diags);

/* Checks more than one object of a policy that config.c accepted field by field: overlapping
 * subnets, names equal after case folding, duplicate NAT ports, … */
void policy_check(const struct policy *policy, struct diags *diags);

/* Whether rules can go by a bridge's name. */
bool network_bridge_valid(const char *bridge);

/* Warns of rules that cannot match or do what they say, and of names that are allowed without DNS. Of a policy
 * without errors. */
void policy_check_reach(const struct policy *policy, struct diags *diags);

/* Refuses wildcards that nobody could serve. */
void policy_check_patterns(const struct policy *policy, struct diags *diags);
/* Notes rules that a network's gate leaves without effect. Of a policy without errors. */
void policy_check_dns(const struct policy *policy, struct diags *diags);

/*
 * An ICMP type by iptables' name, nft's name, number, or either with "/code"; "any" is every type.
 * Fills both families (ICMPv6 only where the type has a twin). Returns false for an unknown one.
 */
bool icmp_type_parse(const char *s, size_t len, struct icmp_type *ret_v4, struct icmp_type *ret_v6);
/* The known name nearest to s, or NULL. */
const char *icmp_type_nearest(const char *s);

#endif
