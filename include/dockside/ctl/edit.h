/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies a request of the socket to the two configuration files. Pure: texts in, texts
 * out. The contents of a request end as JSON values in the texts and nowhere else, and the caller gives
 * these to config_parse(), so that it can say what the files could say and nothing more.
 */
#ifndef DOCKSIDE_CTL_EDIT_H
#define DOCKSIDE_CTL_EDIT_H

#include "dockside/base/diag.h"
#include "dockside/ctl/request.h"
#include "dockside/policy/model.h"

struct edit {
	char *network_text; /* of network-config; NULL: stays as it is */
	char *firewall_text;
	char *message; /* what was done, where that is not just what was asked for; or NULL */
};

/*
 * Applies a request that changes the files to the texts of a running policy:
 *
 * apply           Both texts say what the request says.
 * set-network     A network of that name: the given keys replace, others stay, also those given as null; a
 *                 changed subnet or subnet6 is refused. No such network: it is added, and needs a subnet, or "external".
 *                 "firewall" absent: its rules stay; null or {}: they go, those for the host too; else its
 *                 rules are what is given, except that "host" and free text stay unless given (a client
 *                 that only knows "egress" and "nat" must not open the Docker host). "base" is the edit_base() of
 *                 the firewall-config that the change was made from: refused if that is not what runs.
 * remove-network  The network and its rules go.
 * set-ipset       It is added or replaced; with "replace": false refused if it would lose members.
 * add-ipset       It gets members, unless it has them.
 * del-ipset       It loses members; refused if it does not have one of them.
 * remove-ipset    It goes; refused while a rule uses it.
 * allow, deny     See edit_rule.h.
 *
 * The texts change only where they have to: comments and layout stay (json_patch.h). Returns false after reporting
 * faults, whose locations point into the request's source. On true the caller calls edit_free().
 */
bool edit_files(const struct request *request, const struct policy *running, struct edit *ret_edit,
		struct diags *diags);
void edit_free(struct edit *edit);

/* Tells one text of firewall-config from another: a client that makes a list from one replaces no other's. Returns
 * ret_base, 16 hexadecimal digits. */
#define EDIT_BASE_SIZE 17
const char *edit_base(const struct src *firewall, char ret_base[EDIT_BASE_SIZE]);

#endif
