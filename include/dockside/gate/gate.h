/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DNS gate, a process of its own: it answers the questions of containers for the names that the policy allows, and
 * opens their addresses before. It needs no privileges. */
#ifndef DOCKSIDE_GATE_GATE_H
#define DOCKSIDE_GATE_GATE_H

struct gate_options {
	const char *socket; /* where the daemon listens; NULL: there is none */
	const char *policy; /* a file with the policy; NULL: it comes from the daemon */
	const char *user;   /* whom root becomes; NULL: nobody else */
	unsigned port;	    /* unless systemd hands over sockets */
};

/* Runs until SIGTERM or SIGINT. Returns an exit status. */
int gate_run(const struct gate_options *options);

#endif
