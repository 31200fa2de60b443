/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of bridges, and the containers that are on them. */
#ifndef DOCKSIDE_NAMES_PORTS_H
#define DOCKSIDE_NAMES_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"

/* Why the container of a port is not known. */
enum port_doubt {
	PORT_NO_DOUBT,
	PORT_UNMANAGED, /* its bridge is no network's of the configuration */
	PORT_NO_PEER, /* it leads to no other network namespace: a tap, a card, a pair of the host's own */
	PORT_DOWN,	 /* the other end has never been up */
	PORT_NOT_ASKED,	 /* Docker has not been asked since the port came up, or has not answered */
	PORT_NOT_DOCKER, /* Docker gave nobody on that network the MAC address of its other end */
	PORT_TOO_EARLY, /* Docker did, but after the port had that MAC address: somebody waited for it */
	PORT_SHARED,	 /* Docker gave two containers of that network this one MAC address */
	PORT_CONTESTED,	 /* another port has the same MAC address at its other end */
	PORT_NO_ADDRESS, /* Docker gave the container no address */
};

struct port {
	char name[16]; /* IFNAMSIZ */
	char bridge[16];
	bool known; /* the kernel's word and Docker's agree on a container */
	/* It is known, but not by an answer of Docker's to a question since it came up: by the sets of an earlier run, or by
	 * the configuration. */
	bool provisional;
	bool has_mac;
	uint8_t mac[6];	      /* of its other end, by the kernel's word; where has_mac */
	char *container;      /* its name; NULL where it is not known */
	struct ipaddr *addrs; /* those that Docker gave it on that network */
	size_t n_addrs;
	enum port_doubt doubt;
};

/*
 * Sorted by name: of every bridge of the host, also of those that are not managed (these are not known, and are told by
 * their bridge). Zero-initialise; ports_free().
 */
struct ports {
	struct port *ports;
	size_t n, cap;
	bool asked; /* the kernel was asked; without, as for `compile`, nothing is known of any port */
	bool followed; /* a daemon learns of changes at once: a port that is not among these is a new one */
	char (*answered)
		[16]; /* the managed bridges of whose network Docker has told who is attached */
	size_t n_answered;
};

/* A zeroed one, until the next. */
struct port *ports_add(struct ports *ports);
void ports_sort(struct ports *ports);
/* By name, or NULL. */
const struct port *ports_find(const struct ports *ports, const char *name);
bool ports_equal(const struct ports *a, const struct ports *b);
void ports_free(struct ports *ports);

#endif
