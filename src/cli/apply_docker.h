/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's networks, for apply and diff. */
#ifndef DOCKSIDE_CLI_APPLY_DOCKER_H
#define DOCKSIDE_CLI_APPLY_DOCKER_H

#include <stdbool.h>

#include "dockside/base/err.h"
#include "dockside/policy/model.h"
#include "json_report.h"

/*
 * Has Docker make the networks that are missing, or with reset all of them anew; prints what it
 * did, and warns of differences and of a Docker that does not answer. socket is the path of
 * Docker's. Returns 0 or -errno: a network could not be made or removed, or is one whose packets
 * are not judged. The object of --json gets "not_judged" and "docker".
 */
int apply_docker_networks(const char *socket, bool reset, const struct policy *policy,
			  struct report *report, struct err *err);

/* Asks Docker and the kernel whether the packets of every managed network are judged, and prints
 * the networks whose packets are not. Returns 0 or -errno; a Docker that does not answer is no
 * error. */
int apply_docker_judge(const char *socket, const struct policy *policy, struct report *report,
		       bool *ret_judged, struct err *err);

#endif
