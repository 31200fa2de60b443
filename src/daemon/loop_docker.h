/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of Docker on the event loop. */
#ifndef DOCKSIDE_DAEMON_LOOP_DOCKER_H
#define DOCKSIDE_DAEMON_LOOP_DOCKER_H

#include "dockside/docker/docker_client.h"
#include "loop.h"

/* Zero-initialise. */
struct loop_docker {
	struct loop *loop;
	struct docker *client; /* NULL: not opened */
	sd_event_source *io, *timer;
};

/* Borrows path, that of Docker's socket. Returns 0 or -errno. loop_docker_close() in any case. */
int loop_docker_open(struct loop_docker *docker, struct loop *loop, const char *path,
		     struct err *err);
void loop_docker_close(struct loop_docker *docker);
/* Arms the client's timer; after everything that starts a request. */
void loop_docker_arm(struct loop_docker *docker);

#endif
