/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to a question about packets, as the JSON that ctl_server.h describes. */
#ifndef DOCKSIDE_REPORT_EXPLAIN_JSON_H
#define DOCKSIDE_REPORT_EXPLAIN_JSON_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/report/explain_ask.h"

/* Appends a whole answer. Returns 0 or -errno as explain_ask() does; nothing is appended then. */
int explain_answer(const struct explain_question *question, const struct explain_world *world,
		   struct buf *ret_json, struct err *err);

#endif
