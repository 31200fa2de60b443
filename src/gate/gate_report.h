/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate's reports to the daemon: one JSON object a message. So much a second, and no more: a container that
 * asks for anything there is fills no log. The state counts what was left out.
 */
#ifndef DOCKSIDE_GATE_GATE_REPORT_H
#define DOCKSIDE_GATE_GATE_REPORT_H

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "dockside/system/dns_message.h"
#include "dockside/system/dns_upstream.h"
#include "gate_nets.h"

#define GATE_REFUSALS_PER_S 100u
#define GATE_TOLD_PER_S 200u
#define GATE_ALARMS_PER_S 20u
#define GATE_REPORT_MAX (16u << 10) /* bytes of one message */

/* Since the gate's start. */
struct gate_counts {
	uint64_t queries, hits, refused, misses, failures, tells, tell_failures, tcp, limited;
	uint64_t lost; /* questions that the kernel had no room for */
};

/* Messages go there; false: it did not take it. */
typedef bool (*gate_send_fn)(void *data, const char *text, size_t len);

struct gate_report;

struct gate_report *gate_report_new(gate_send_fn send, void *data);
void gate_report_free(struct gate_report *report);

/* why: borrowed for good. */
void gate_report_refusal(struct gate_report *report, const struct gate_net *net,
			 const struct ipaddr *client, const struct dns_name *name, unsigned type,
			 const char *why);
void gate_report_told(struct gate_report *report, const struct gate_net *net,
		      const struct dns_name *name, const struct ipaddr *addrs, size_t n);
void gate_report_alarm(struct gate_report *report, const struct gate_net *net,
		       const struct dns_name *name, const char *why);
/* serial: the giver's. missed: the kernel may still have what the policy does not open. False: the giver is away, or has no time
 * to hear it. */
bool gate_report_taken(struct gate_report *report, const char *generation, int64_t serial,
		       bool missed);
void gate_report_refused(struct gate_report *report, const char *why);
/* Once a second: the refusals, and the counts if they have changed (or anyway: to somebody new). */
void gate_report_tick(struct gate_report *report, const struct gate_counts *counts, size_t n_cached,
		      struct gate_net_list *nets, const struct dns_upstream *upstream, bool anyway);

#endif
