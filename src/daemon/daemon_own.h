/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_OWN_H
#define DOCKSIDE_DAEMON_DAEMON_OWN_H

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Keeps what names never open, and the sources that no container may have, true to the addresses of this host.
 * Posts NOTE_OWN and NOTE_SOURCES_FAILED. */
struct daemon_own;

/* This host's addresses are known from now on; to be called before a policy is enforced. Returns 0 or -errno.
 * daemon_own_close(NULL) is valid. */
int daemon_own_open(struct loop *loop, struct enforcer *enforcer, struct daemon_own **ret_own,
		    struct err *err);
void daemon_own_close(struct daemon_own *k);

#endif
