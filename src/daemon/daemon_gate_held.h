/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_GATE_HELD_H
#define DOCKSIDE_DAEMON_DAEMON_GATE_HELD_H

#include <stdbool.h>

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/*
 * Theory of operation
 *
 * A gate takes back the addresses that it has told for a name that is gone, and then says "taken". It cannot where it ended
 * before, or was started after they were told, or the bridge is away; and the gate that says "taken" may not be the one
 * that told. So we note the names whose addresses the sets may hold: those of each policy since the last one that a gate
 * has taken. Nobody knows which addresses are to go of an ipset that has lost one of them, so we empty its sets; the gate
 * then tells again what it knows. The kernel keeps in mind over restarts which policies its addresses are of (told.c): the
 * sets are emptied where there is another one than the policy that was accepted last.
 */
struct daemon_gate_held;

/* Borrowed. Before the first policy is enforced: what the sets hold is of the policy that was accepted last. Posts
 * NOTE_STATUS and NOTE_TOLD. */
struct daemon_gate_held *daemon_gate_held_open(struct loop *loop, struct enforcer *enforcer);
/* NULL is valid. */
void daemon_gate_held_close(struct daemon_gate_held *held);

/* Each of these returns whether sets were emptied, so that the gate has to tell them again. */

/* A policy has been enforced. */
bool daemon_gate_held_follow(struct daemon_gate_held *held);
/* A gate has come, which is about to be given the policy. */
bool daemon_gate_held_came(struct daemon_gate_held *held);
/* The gate has gone, or goes on with another policy: it takes nothing back. */
bool daemon_gate_held_unsure(struct daemon_gate_held *held);
/* A gate has taken the policy that runs. missed: it could not take back all that it knew. */
bool daemon_gate_held_taken(struct daemon_gate_held *held, bool missed);

/* Somebody else may have put addresses into the sets: they are emptied. */
void daemon_gate_held_filled(struct daemon_gate_held *held);

/* Why addresses of names that are gone may still be open; NULL: they are not. Borrowed until the next event. */
const char *daemon_gate_held_trouble(const struct daemon_gate_held *held);

#endif
