/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_PORTS_H
#define DOCKSIDE_DAEMON_DAEMON_PORTS_H

#include "daemon_docker.h"
#include "dockside/json/json_write.h"
#include "dockside/names/ports.h"
#include "dockside/names/ports_past.h"
#include "dockside/table/actual.h"
#include "loop.h"

/* This service knows who is on which port of the networks that are configured, or draining. Posts NOTE_PORTS. */
struct daemon_ports;

/* Borrows docker. daemon_ports_close(NULL) is valid. */
struct daemon_ports *daemon_ports_open(struct loop *loop, struct daemon_docker *docker);
void daemon_ports_close(struct daemon_ports *k);
/*
 * For the first load of a policy, before daemon_ports_start() and before Docker is asked: reads the ports, of which those
 * that table bridge dockside has as known stay so, and the dockside containers of the policy are known by its word.
 * daemon_ports_now() has them from then on.
 */
void daemon_ports_begin(struct daemon_ports *k, const struct policy *policy,
			const struct actual *bridge_table);
/* Listens to changes of interfaces from now on. Returns 0 or -errno. */
int daemon_ports_start(struct daemon_ports *k, struct err *err);

/* For NOTE_ATTACHED. */
void daemon_ports_attached(struct daemon_ports *k);

/* Borrowed until the next event. */
const struct ports *daemon_ports_now(const struct daemon_ports *k);
/* Finds who is on a port, or was a moment ago, by the interface's index; NULL: nothing is known of it. Borrowed until the next event. */
const struct port_past *daemon_ports_past(const struct daemon_ports *k, unsigned index);
/* Counts a bridge's ports: returns the known ones. k may be NULL. */
size_t daemon_ports_count(const struct daemon_ports *k, const char *bridge, size_t *ret_unknown);
/* Counts the containers that have NET_RAW; whether Docker has told it of all of the network's. k may be NULL. */
bool daemon_ports_net_raw(const struct daemon_ports *k, const char *bridge, size_t *ret_n);
/* Adds members to a network's object in `status`. k may be NULL. */
void daemon_ports_status_network(const struct daemon_ports *k, struct json_writer *out,
				 const char *bridge);

#endif
