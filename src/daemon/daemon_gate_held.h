/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_GATE_HELD_H
#define DOCKSIDE_DAEMON_DAEMON_GATE_HELD_H

#include <stdbool.h>

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/*
 * Theory of operation
 *
 * A gate takes back the addresses that it has told for a name that is gone, and says so by "taken". It cannot if it ended
 * before, or was started after they were told. So we note the names whose addresses the sets may hold: those of each
 * policy since the last one that a gate has taken. Of an ipset that has lost one of them nobody knows which addresses are
 * to go, and we empty its sets; the gate then tells again what it knows.
 */
struct daemon_gate_held;

/* Borrowed. Before the first policy is enforced: what the sets hold is of the policy that was accepted last. Posts
 * NOTE_STATUS. */
struct daemon_gate_held *daemon_gate_held_open(struct loop *loop, struct enforcer *enforcer);
/* NULL is valid. */
void daemon_gate_held_close(struct daemon_gate_held *held);

/* A policy has been enforced. Returns whether sets were emptied, so that the gate has to tell them again. */
bool daemon_gate_held_follow(struct daemon_gate_held *held);
/* The gate has gone. Returns the same. */
bool daemon_gate_held_gone(struct daemon_gate_held *held);
/* A gate has taken the policy that runs, and has taken back what it knew. */
void daemon_gate_held_taken(struct daemon_gate_held *held);

/* Why addresses of names that are gone may still be open; NULL: they are not. Borrowed until the next event. */
const char *daemon_gate_held_trouble(const struct daemon_gate_held *held);

#endif
