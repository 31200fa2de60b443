/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes what an installation of the iptables version leaves besides its rules. */
#ifndef DOCKSIDE_ENFORCE_OLD_INSTALL_H
#define DOCKSIDE_ENFORCE_OLD_INSTALL_H

#include <stdbool.h>

#include "dockside/policy/model.h"

/*
 * Destroys the ipsets of the iptables version, NAME and NAME--seen, if two of these hold: both are there;
 * NAME is an ipset of the policy; its chains were just taken over. Failures are logged: nothing depends
 * on them.
 */
void old_install_remove_ipsets(const struct policy *policy, bool took_over);

/* Logs what the iptables version has in the tables of iptables-legacy, which nf_tables does not reach. */
void old_install_warn_of_legacy(void);

#endif
