/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All services, for those who answer on the socket: they call them, and are called by none. */
#ifndef DOCKSIDE_DAEMON_SERVICES_H
#define DOCKSIDE_DAEMON_SERVICES_H

#include "daemon_counters.h"
#include "daemon_denied.h"
#include "daemon_docker.h"
#include "daemon_drain.h"
#include "daemon_files.h"
#include "daemon_gate.h"
#include "daemon_judged.h"
#include "daemon_learning.h"
#include "daemon_load.h"
#include "daemon_names.h"
#include "daemon_ports.h"
#include "daemon_repair.h"
#include "daemon_settings.h"
#include "daemon_unjudged.h"
#include "daemon_wait.h"
#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Borrowed. */
struct services {
	struct loop *loop;
	struct enforcer *enforcer;
	const char *network_config, *firewall_config;
	uint64_t started_ms; /* since 1970 */
	struct daemon_counters *counters;
	struct daemon_denied *denied;
	struct daemon_docker *docker;
	struct daemon_drain *drain;
	struct daemon_files *files;
	struct daemon_gate *gate;
	struct daemon_judged *judged;
	struct daemon_learning *learning;
	struct daemon_load *load;
	struct daemon_names *names;
	struct daemon_ports *ports;
	struct daemon_repair *repair;
	struct daemon_settings *settings;
	struct daemon_unjudged *unjudged;
	struct daemon_wait *wait;
};

#endif
