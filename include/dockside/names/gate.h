/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules, the daemon and the DNS gate agree on these numbers. */
#ifndef DOCKSIDE_NAMES_GATE_H
#define DOCKSIDE_NAMES_GATE_H

#define GATE_PORT 5300	    /* UDP and TCP, where redirected questions arrive */
#define GATE_TELL_PORT 5301 /* source port of tells */
#define GATE_LIFE_S 300	    /* + stale: an element's timeout */
#define GATE_STALE_S 3600   /* default of dns.stale */
#define GATE_MAX_TTL_S 300
#define GATE_SLOTS 32767   /* a tell of slot N has UDP destination port N, */
#define GATE_UNTELL 32768u /* and what takes it back N + GATE_UNTELL */

/*
 * Elements of a set of told addresses at most, of all networks. Of this number the kernel takes the low 16 bits for a
 * hint how large a table to make at once (rhashtable_params.nelem_hint), so that no low bit is set.
 */
#define GATE_SET_SIZE 1048576

#endif
