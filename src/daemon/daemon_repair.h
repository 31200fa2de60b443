/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_REPAIR_H
#define DOCKSIDE_DAEMON_DAEMON_REPAIR_H

#include "daemon_view.h"
#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Watches what others do to the ruleset, and puts back what they take. Posts NOTE_OPENED, NOTE_TOLD and
 * NOTE_STATUS. */
struct daemon_repair;

/* To be opened before anything is loaded, so that nothing that others do goes unseen; the enforcer may be opened
 * later. Returns 0 or -errno. daemon_repair_close(NULL) is valid. */
int daemon_repair_open(struct loop *loop, struct enforcer *enforcer,
		       struct daemon_repair **ret_repair, struct err *err);
void daemon_repair_close(struct daemon_repair *k);

/* Reads the events that are there, for enforcer_holds() and enforcer_policy() to know of them. If
 * there are too many of them, we just do not trust our knowledge of the table. */
void daemon_repair_catch_up(struct daemon_repair *k);
/* Compares everything soon, as something is not as we believe. */
void daemon_repair_soon(struct daemon_repair *k, const char *why);
/* Puts back at once what others have taken and what waits for its turn: nobody will later. */
void daemon_repair_last(struct daemon_repair *k);
/* Borrowed until the next repair. */
struct repair_state daemon_repair_state(const struct daemon_repair *k);

#endif
