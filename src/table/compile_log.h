/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A refused packet is reported, and in audit mode it passes. */
#ifndef DOCKSIDE_TABLE_COMPILE_LOG_H
#define DOCKSIDE_TABLE_COMPILE_LOG_H

#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/*
 * The log prefix names the rule that refused: "dsfw/BRIDGE/KIND/N/HASH". KIND is "OUT", "ING", "HOST" or "SRC"; N
 * is the index in the list of egress or host rules, "-" for refusals by no rule of the
 * configuration. The hash is made of the rule's contents and the network's mode, so that the same
 * prefix never means another rule, not even after a reload. rule is NULL for "-". Owned by the
 * plan's arena.
 */
const char *compile_log_prefix(struct plan *plan, const struct plan_chain *chain,
			       const struct policy *policy, const struct network *network,
			       const struct rule *rule, size_t index);
/*
 * The same of a built-in rule: its comment, which does not depend on the configuration, tells it from others. For a
 * chain of no network BRIDGE is LOG_NO_BRIDGE, and KIND its log_kind.
 */
const char *compile_log_built_in(struct plan *plan, const struct plan_chain *chain,
				 const char *comment);

/*
 * The rules of the chain from first on refuse: puts before each one that reports the packet (unless the plan's
 * options say otherwise), and where the network is in audit mode makes it accept. Returns whether
 * some of them still goes to the refuse chain.
 */
bool compile_log_refusals(struct plan *plan, struct plan_chain *chain, size_t first,
			  const struct network *network, const char *prefix);

#endif
