/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `status` and `metrics` say of Docker. k may be NULL: nothing is known of it. */
#ifndef DOCKSIDE_DAEMON_DAEMON_DOCKER_STATUS_H
#define DOCKSIDE_DAEMON_DAEMON_DOCKER_STATUS_H

#include "dockside/json/json_write.h"
#include "dockside/report/judged.h"
#include "dockside/report/metrics.h"

struct daemon_docker;

struct state_of daemon_docker_state(const struct daemon_docker *k);
/* The member "docker" of `status`. */
void daemon_docker_status(const struct daemon_docker *k, struct json_writer *out);
/* Members of a network's object; judged NULL: of one that is draining. */
void daemon_docker_status_network(const struct daemon_docker *k, struct json_writer *out,
				  const char *bridge, const struct judged *judged);

#endif
