/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_DRAIN_H
#define DOCKSIDE_DAEMON_DAEMON_DRAIN_H

#include <stdbool.h>

#include "daemon_docker.h"
#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Networks that are taken out of the configuration while containers are attached. Posts NOTE_DRAIN_FAILED. */
struct daemon_drain;

/* daemon_drain_close(NULL) is valid. */
struct daemon_drain *daemon_drain_open(struct loop *loop, struct enforcer *enforcer,
				       struct daemon_docker *docker);
void daemon_drain_close(struct daemon_drain *k);

/* Looks from now on whether the draining networks' containers have left. */
void daemon_drain_watch(struct daemon_drain *k);
/* Whether the last of them have left. */
void daemon_drain_look(struct daemon_drain *k);
/* The network is about to be removed: if containers are attached, its policy is to stay. Returns
 * its bridge then, which the caller frees, or NULL. */
char *daemon_drain_network(struct daemon_drain *k, const char *name);
/* A policy is about to be enforced: the running one's networks that it does not have are to drain if
 * Docker says that containers are attached, or does not say. */
void daemon_drain_missing(struct daemon_drain *k, const struct policy *policy);
/* Lets go of a draining network at once; false if there is none of that name. */
bool daemon_drain_release(struct daemon_drain *k, const char *name);

#endif
