/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_CAPS_H
#define DOCKSIDE_DAEMON_DAEMON_CAPS_H

#include "dockside/docker/docker_caps.h"
#include "loop_docker.h"

/*
 * The capabilities of containers over their networks. The daemon asks Docker once for each container, a few at a time: a
 * container keeps its capabilities for as long as it exists.
 */
struct daemon_caps;

/* Borrows the client. daemon_caps_close(NULL) is valid; the client is to be closed before. */
struct daemon_caps *daemon_caps_open(struct loop_docker *docker);
void daemon_caps_close(struct daemon_caps *k);

/* The caller names the containers that it is interested in, by Docker's id, with daemon_caps_want() between these two. */
void daemon_caps_begin(struct daemon_caps *k);
void daemon_caps_want(struct daemon_caps *k, const char *id);
/* Forgets all others, and asks for the new ones. */
void daemon_caps_end(struct daemon_caps *k);

/* NULL: it is not known yet. Borrowed until the next event. */
const struct docker_caps *daemon_caps_of(const struct daemon_caps *k, const char *id);

#endif
