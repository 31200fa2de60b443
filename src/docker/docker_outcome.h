/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what came of a question to Docker, in words that tell what to do. Pure. */
#ifndef DOCKSIDE_DOCKER_DOCKER_OUTCOME_H
#define DOCKSIDE_DOCKER_DOCKER_OUTCOME_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/err.h"

struct docker_outcome {
	CURLcode result;
	int connect_errno; /* of CURLE_COULDNT_CONNECT */
	long status;	   /* of HTTP */
	unsigned timeout_s;
	bool too_big; /* what came was more than we take */
	bool stream;  /* a stream of events that had opened: its end is a failure */
	const char *body;
	size_t len;
};

bool docker_is_success(long status);
/* Returns 0 or -errno. */
int docker_outcome_judge(const struct docker_outcome *outcome, struct err *err);
/* Returns -ENOENT. */
int docker_no_socket(struct err *err);

#endif
