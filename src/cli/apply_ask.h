/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's networks, for a command that works without a daemon: whoever wants them of it, Docker is asked once. */
#ifndef DOCKSIDE_CLI_APPLY_ASK_H
#define DOCKSIDE_CLI_APPLY_ASK_H

#include "dockside/base/err.h"
#include "dockside/docker/docker_client.h"
#include "dockside/docker/docker_parse.h"

/* Begin with the path of Docker's socket and zeros; docker_talk_close(). */
struct docker_talk {
	const char *socket;
	struct docker *docker; /* NULL: it was not asked yet */
	struct docker_networks networks;
	bool listed;	  /* networks has Docker's answer */
	struct err error; /* else why there is none, once it was asked */
};

/* Asks Docker for its networks, unless that was done. Returns 0, also where it does not answer; or -errno: nobody can be
 * asked. */
int docker_talk_list(struct docker_talk *talk, struct err *err);
void docker_talk_close(struct docker_talk *talk);

#endif
