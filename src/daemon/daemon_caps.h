/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_CAPS_H
#define DOCKSIDE_DAEMON_DAEMON_CAPS_H

#include "dockside/docker/docker_caps.h"
#include "loop_docker.h"

/*
 * What containers may do to their networks. Docker is asked once for each, a few at a time: capabilities are a container's
 * for as long as it exists.
 */
struct daemon_caps;

/* Borrows the client. daemon_caps_close(NULL) is valid; the client is to be closed before. */
struct daemon_caps *daemon_caps_open(struct loop_docker *docker);
void daemon_caps_close(struct daemon_caps *k);

/* Which containers are of interest: between the two, daemon_caps_want() for each, by Docker's id. */
void daemon_caps_begin(struct daemon_caps *k);
void daemon_caps_want(struct daemon_caps *k, const char *id);
/* Forgets all others, and asks for the new ones. */
void daemon_caps_end(struct daemon_caps *k);

/* NULL: it is not known yet. Borrowed until the next event. */
const struct docker_caps *daemon_caps_of(const struct daemon_caps *k, const char *id);

#endif
