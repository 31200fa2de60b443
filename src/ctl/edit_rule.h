/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allow and deny: one name in or out of a network's egress rules. Both go by names: what addresses a name has, and
 * whether other rules are about these, the daemon says once DNS has answered.
 *
 * allow makes the first rule that decides about the name one that allows it. If there is none, or if that rule
 * allows it, nothing changes. A rule that drops exactly the name, as deny makes them, goes if nothing but what is
 * allowed passes without it. Another rule that drops the name and is not about every destination was meant: then allow
 * is refused. Ports are added to a rule that
 * allows the name on others. A network's only rule that allows an ipset on just these ports gets the name into its
 * ipset, if no other rule uses that. Else a new rule stands right before the one that drops.
 *
 * deny takes out the rules that allow exactly the name, and takes the name out of ipsets that nothing but allow rules
 * of this network use. If rules (an ipset that others use, too, or a rule about every destination), or the end of
 * the list, would still let it through, a rule that drops it goes in front.
 */
#ifndef DOCKSIDE_CTL_EDIT_RULE_H
#define DOCKSIDE_CTL_EDIT_RULE_H

#include "edit_doc.h"

bool edit_allow(struct editor *e);
bool edit_deny(struct editor *e);

#endif
