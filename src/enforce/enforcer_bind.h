/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The enforcer's part for table bridge dockside. */
#ifndef DOCKSIDE_ENFORCE_ENFORCER_BIND_H
#define DOCKSIDE_ENFORCE_ENFORCER_BIND_H

#include "dockside/enforce/enforcer.h"

/* The plan of the table; where the kernel has no bridge family, one without chains. */
void enforcer_compile_bind(const struct enforcer *enforcer, const struct policy *policy,
			   const struct ports *ports, struct plan *ret_plan);
void enforcer_copy_ports(const struct ports *ports, struct ports *ret_ports);
/* Commits the changes that diff_elements_only() has found, in one transaction. Returns 0 or -errno. */
int enforcer_commit_elements(struct nft_sets *sets, const struct changes *changes, struct err *err);

#endif
