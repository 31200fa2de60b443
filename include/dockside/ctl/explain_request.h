/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the question of an `explain` request. */
#ifndef DOCKSIDE_CTL_EXPLAIN_REQUEST_H
#define DOCKSIDE_CTL_EXPLAIN_REQUEST_H

#include "dockside/ctl/request.h"
#include "dockside/report/explain_ask.h"

/* Reads an `explain` request that request_parse() has accepted; the strings stay the request's. Returns 0 or
 * -EINVAL. */
int explain_request_read(const struct request *request, struct explain_question *ret_question,
			 struct err *err);

#endif
