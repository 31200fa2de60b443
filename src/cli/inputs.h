/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands begin with these inputs: the policy of the files, and the addresses of its names. */
#ifndef DOCKSIDE_CLI_INPUTS_H
#define DOCKSIDE_CLI_INPUTS_H

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/cli/options.h"
#include "dockside/names/resolved.h"
#include "dockside/policy/model.h"

/* Reads both files; warns of a save that has not come to its end. The caller frees *ret_diags, and after that
 * *ret_policy, which is without use but for the diagnostics' places on false. */
bool read_policy(const struct files_options *files, struct policy *ret_policy,
		 struct diags *ret_diags);

enum load_for {
	LOAD_TO_JUDGE,	 /* the user wants to know what there is to say of the files */
	LOAD_TO_ENFORCE, /* the user has read the notes, which are no faults: they are not repeated */
};

/* Reads both files and prints their diagnostics. On true the caller frees *ret_policy. */
bool load_policy(const struct files_options *files, enum load_for what, struct policy *ret_policy);

/* The future of a name that does not answer. */
enum resolve_for {
	RESOLVE_FOR_KERNEL, /* it keeps the addresses that the kernel has for it */
	RESOLVE_FOR_TEXT,   /* it has none: the kernel is not asked */
};

/* Asks for every name of the policy, both families, with a deadline; logs each that did not answer.
 * The caller frees *ret_resolved, also after an error. Returns 0 or -errno. */
int resolve_names(const struct policy *policy, enum resolve_for what, struct resolved *ret_resolved,
		  struct err *err);

/* The same for one name, in letters of either case; the only one of *ret_resolved. */
int resolve_name(const char *name, struct resolved *ret_resolved, struct err *err);

#endif
