/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon: see the theory of operation in daemon.c. */
#ifndef DOCKSIDE_DAEMON_DAEMON_H
#define DOCKSIDE_DAEMON_DAEMON_H

#include <stdbool.h>

#include "dockside/ctl/http_server.h"
#include "dockside/table/plan.h"

/* Borrowed. */
struct daemon_options {
	const char *network_config, *firewall_config;
	struct plan_options plan;
	unsigned stale_ttl_s, refresh_s;
	const char *socket;	     /* NULL: none */
	const char *gate_socket;     /* for the DNS gate; NULL: none */
	const char *docker;	     /* path of Docker's socket */
	const char *state_directory; /* colon-separated; the first counts */
	const char *denied_log;	     /* NULL: none */
	struct http_address metrics; /* where Prometheus asks; port 0: nowhere */
	bool reset;		     /* make Docker's networks anew */
};

/* Runs until SIGTERM or SIGINT; returns an exit status (exit_status.h). */
int daemon_run(const struct daemon_options *options);

#endif
