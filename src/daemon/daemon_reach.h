/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_REACH_H
#define DOCKSIDE_DAEMON_DAEMON_REACH_H

#include "daemon_names.h"
#include "dockside/base/buf.h"
#include "dockside/ctl/request.h"
#include "dockside/enforce/enforcer.h"

/*
 * The name that a request allowed or denied: the answer has what DNS says of it, and its addresses about which rules
 * decide otherwise.
 */
struct reach;

/* Before the edit, which may be the last that the daemon knows of the name. NULL: the request is no allow or deny. */
struct reach *daemon_reach_begin(struct enforcer *enforcer, const struct request *request);
/* After the edit: has the name looked up that a network with a gate may reach now, as otherwise nobody asks for it before
 * a container does. reach may be NULL. */
void daemon_reach_ask(struct reach *reach, struct loop *loop, const struct enforcer *enforcer,
		      const struct daemon_names *names, const struct request *request);
/* Whether that has come to an end. reach may be NULL. */
bool daemon_reach_settled(const struct reach *reach);
/* Adds it to an answer, once DNS has answered. reach may be NULL. */
void daemon_reach_put(const struct reach *reach, struct enforcer *enforcer,
		      const struct request *request, struct buf *answer);
void daemon_reach_free(struct reach *reach);

#endif
