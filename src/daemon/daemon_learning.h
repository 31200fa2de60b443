/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_LEARNING_H
#define DOCKSIDE_DAEMON_DAEMON_LEARNING_H

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Keeps bridges from learning from frames that pass no rule. Posts NOTE_STATUS. */
struct daemon_learning;

/* daemon_learning_close(NULL) is valid. */
struct daemon_learning *daemon_learning_open(struct loop *loop, const struct enforcer *enforcer);
void daemon_learning_close(struct daemon_learning *k);

/* Looks at the bridges of the running policy: to be called after that, or the interfaces, have changed. */
void daemon_learning_stop(struct daemon_learning *k);
/* Names the bridge that goes on learning, why, and what to do; NULL: none does. Borrowed until the next event. */
const char *daemon_learning_alarm(const struct daemon_learning *k);

#endif
