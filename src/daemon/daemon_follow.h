/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_FOLLOW_H
#define DOCKSIDE_DAEMON_DAEMON_FOLLOW_H

#include <stdbool.h>

#include "dockside/ctl/ctl_server.h"
#include "services.h"

/* Clients that follow what is refused: they ask once, and are answered when there is something, so that they see it at
 * once and cost nothing meanwhile. */
struct daemon_follow;

/* Borrows services. daemon_follow_close(NULL) is valid. */
struct daemon_follow *daemon_follow_open(const struct services *services);
void daemon_follow_close(struct daemon_follow *f);

/* Takes over a `denied` request that may wait. False: it is to be answered now. */
bool daemon_follow_take(struct daemon_follow *f, struct ctl_request *request);
/* For NOTE_DENIED: answers all. */
void daemon_follow_answer(struct daemon_follow *f);
/* The client has left. */
void daemon_follow_gone(struct daemon_follow *f, const struct ctl_request *request);

#endif
