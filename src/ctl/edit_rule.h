/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allow and deny: one destination, a name or addresses, in or out of a network's egress rules. Nobody knows
 * here which addresses a name has, and DNS may say otherwise tomorrow; so a rule about addresses is perhaps about a name, and a rule
 * about a name perhaps about addresses.
 *
 * allow makes the first rule that decides about the destination one that allows it. If there is none, or if that rule
 * allows it, nothing changes. A rule that drops exactly the destination, as deny makes them, goes if nothing but what is
 * allowed passes without it, not even perhaps. Another rule that drops it and is not about every destination was meant:
 * then allow is refused. Ports are added to a rule that allows the destination on others. A network's only rule that
 * allows an ipset on just these ports gets the destination into its ipset, if no other rule uses that. Neither happens
 * across a rule that perhaps drops the destination. Else a new rule stands right before the one that drops.
 *
 * deny takes out the rules that allow exactly the destination, and takes it out of ipsets that nothing but allow rules
 * of this network use. If rules would still let it through, perhaps, or the end of the list, a rule that drops it goes in
 * front. An address that the name shares with another one that is allowed stays open: the daemon lists those that it
 * knows.
 */
#ifndef DOCKSIDE_CTL_EDIT_RULE_H
#define DOCKSIDE_CTL_EDIT_RULE_H

#include "edit_doc.h"

bool edit_allow(struct editor *e);
bool edit_deny(struct editor *e);

#endif
