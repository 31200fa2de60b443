/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_GATE_H
#define DOCKSIDE_DAEMON_DAEMON_GATE_H

#include "daemon_denied.h"
#include "daemon_names.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/report/gate_state.h"
#include "loop.h"

/* Gives the DNS gate its policy and hears its reports. Posts NOTE_STATUS and NOTE_DENIED. */
struct daemon_gate;

/* Borrowed. path NULL: no socket, and no gate. Returns 0 or -errno. daemon_gate_close(NULL) is valid. */
int daemon_gate_open(struct loop *loop, struct enforcer *enforcer, struct daemon_names *names,
		     struct daemon_denied *denied, const char *path, struct daemon_gate **ret_gate,
		     struct err *err);
void daemon_gate_close(struct daemon_gate *k);

/* The kernel holds another policy now, or the host has other name servers. */
void daemon_gate_follow(struct daemon_gate *k);
/* The kernel may have lost what the gate has told it. */
void daemon_gate_retell(struct daemon_gate *k);
/* Somebody else may have put into its sets what it has not told. */
void daemon_gate_filled(struct daemon_gate *k);

/* Compares what the kernel sends the gate with what arrives there. */
void daemon_gate_look(struct daemon_gate *k);

/* Borrowed until the next event. */
const struct gate_state *daemon_gate_state(struct daemon_gate *k);

#endif
