/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_ENFORCE_RUNNING_H
#define DOCKSIDE_ENFORCE_RUNNING_H

#include "dockside/base/diag.h"
#include "dockside/names/resolved.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* A policy with the plans that it makes. On the heap: its parts point into each other. */
struct running {
	struct policy policy; /* config_load() or config_parse() fills it in */
	bool from_files;      /* as they are, not from a request */
	struct diags diags;   /* what there was to say about them */
	struct resolved resolved;
	struct plan plan; /* of table inet dockside */
	struct plan bind; /* of table bridge dockside; of the ports as well */
};

struct running *running_new(void);
void running_free(struct running *running);

#endif
