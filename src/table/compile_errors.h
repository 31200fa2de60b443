/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors and the rules that accept them. */
#ifndef DOCKSIDE_TABLE_COMPILE_ERRORS_H
#define DOCKSIDE_TABLE_COMPILE_ERRORS_H

#include "dockside/table/plan.h"

/*
 * For the rules of a chain from first on. An ICMP error belongs to the connection that it quotes, which no rule may have accepted, so a rule that accepts
 * errors is preceded by one of RELATED packets, which label nothing. Not in audit mode, where the rule before
 * it reports the packet.
 */
void compile_split_errors(struct plan_chain *chain, size_t first);

#endif
