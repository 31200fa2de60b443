/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container's capabilities over its network, by Docker's word. */
#ifndef DOCKSIDE_DOCKER_DOCKER_CAPS_H
#define DOCKSIDE_DOCKER_DOCKER_CAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/err.h"

struct docker_caps {
	bool net_raw; /* CAP_NET_RAW, which Docker gives by default: it sends frames of its own making */
	bool net_admin; /* CAP_NET_ADMIN: it changes its addresses */
};

/* GET /containers/ID/json. Returns 0 or -EPROTO. */
int docker_caps_parse(const char *text, size_t len, struct docker_caps *ret, struct err *err);

#endif
