/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens addresses before their answer goes out, and takes back what another policy no longer has. */
#ifndef DOCKSIDE_GATE_GATE_OPENER_H
#define DOCKSIDE_GATE_GATE_OPENER_H

#include "gate_message.h"
#include "gate_report.h"
#include "gate_tell.h"
#include "gate_told.h"

struct gate_opener;

/* Addresses that an answer is about to name. */
struct gate_opening {
	struct gate_net *net;
	unsigned ifindex;
	const struct dns_name *name;
	const struct gate_match *match;
	struct ipaddr addrs[GATE_ANSWER_ADDRS_MAX];
	bool is_open[GATE_ANSWER_ADDRS_MAX]; /* the outcome */
	size_t n;
	struct gate_told_all *all; /* NULL: the answer has others, too */
};

int gate_opener_open(struct gate_counts *counts, struct gate_report *report,
		     struct gate_opener **ret_opener, struct err *err);
void gate_opener_close(struct gate_opener *opener);

/* Tells the kernel what it has not heard lately. Returns the number of addresses that are open now. */
size_t gate_opener_tell(struct gate_opener *opener, const struct gate_policy *policy,
			struct gate_opening *opening, uint64_t now_ms);
/* Whether the kernel has heard all of an answer's addresses lately, for this network. */
bool gate_opener_has_told(const struct gate_opener *opener, const struct gate_net *net,
			  const struct gate_told_all *all, uint64_t now_ms);
/* Refusals that came late. */
void gate_opener_hear(struct gate_opener *opener);
/* Once a second; policy may be NULL. Tries again what could not be done, as a network's bridge was away. */
void gate_opener_tick(struct gate_opener *opener, struct gate_nets *nets,
		      const struct gate_policy *policy, uint64_t now_ms);
int gate_opener_fd(const struct gate_opener *opener);

/* Another policy, of which the networks do not know yet: notes what there is to tell and to take back, and has the
 * networks follow. retell: everything is told again. */
void gate_opener_follow(struct gate_opener *opener, struct gate_nets *nets,
			const struct gate_policy *old, const struct gate_policy *policy,
			bool retell, uint64_t now_ms);
/* The same policy once more: tries what was missed, or retell: tells everything again. */
void gate_opener_again(struct gate_opener *opener, struct gate_nets *nets,
		       const struct gate_policy *policy, bool retell, uint64_t now_ms);
/* Does a part of these, for as long as a question may wait. Whether there is more. */
bool gate_opener_work(struct gate_opener *opener, struct gate_nets *nets,
		      const struct gate_policy *policy);
/* Whether nothing is left to do, nor to be done once more. */
bool gate_opener_is_settled(const struct gate_opener *opener);
/* After so long gate_opener_work() has something to do; -1: it need not be called for that. */
int gate_opener_wait_ms(const struct gate_opener *opener, uint64_t now_ms);
/* Whether something could not be taken back since. */
bool gate_opener_has_missed(const struct gate_opener *opener);

#endif
