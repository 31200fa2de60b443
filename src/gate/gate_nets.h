/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The networks at work: by the interface that a question came in on, what each asked and how much it may. */
#ifndef DOCKSIDE_GATE_GATE_NETS_H
#define DOCKSIDE_GATE_GATE_NETS_H

#include <sys/queue.h>

#include "dockside/base/err.h"
#include "gate_policy.h"
#include "gate_told.h"

#define GATE_NEW_NAMES_PER_S 50u /* that only a pattern allows */
#define GATE_NEW_NAMES_BURST 200u
#define GATE_NET_PENDING_MAX 512u /* questions of one network that wait for name servers */
#define GATE_NET_TCP_MAX 32u	  /* its connections */

struct gate_net {
	TAILQ_ENTRY(gate_net) entry;
	char bridge[GATE_BRIDGE_MAX + 1];
	const struct gate_network *policy; /* NULL: the policy has no such network now */
	uint64_t received, refused;
	double new_names; /* that it may still ask for */
	uint64_t filled_ms;
	size_t n_pending, n_tcp;
	bool was_away;	  /* its bridge was gone when addresses were to be taken back */
	bool behind;	  /* its addresses are still to be compared */
	size_t n_tasks;	  /* that are not done yet */
	uint64_t over_ms; /* without a policy: then the kernel has forgotten its addresses, too */
	struct gate_told_net told;
};

TAILQ_HEAD(gate_net_list, gate_net);

struct gate_nets;

int gate_nets_open(struct gate_nets **ret_nets, struct err *err);
void gate_nets_close(struct gate_nets *nets);
/* Another policy; the one before is still there. Networks that it has no more are forgotten once the kernel has
 * forgotten what it was told for them. */
void gate_nets_follow(struct gate_nets *nets, struct gate_told *told,
		      const struct gate_policy *policy, uint64_t now_ms);
/* Whether the network has been without a policy for so long that the kernel has forgotten what it was told for it. */
bool gate_net_is_over(const struct gate_net *net, uint64_t now_ms);
struct gate_net_list *gate_nets_list(struct gate_nets *nets);
/* Whether the kernel may lack addresses that it has heard of the network. */
bool gate_net_is_behind(const struct gate_net *net);

/* The network of a bridge by its interface's index; NULL: none of the policy. */
struct gate_net *gate_nets_find(struct gate_nets *nets, unsigned ifindex, uint64_t now_ms);
/* The index of its bridge's interface; 0: there is none. */
unsigned gate_net_ifindex(const struct gate_nets *nets, const struct gate_net *net);
/* Whether it may ask for one more new name; counts it. */
bool gate_net_take_name(struct gate_net *net, uint64_t now_ms);

#endif
