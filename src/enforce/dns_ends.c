/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/dns_ends.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/kernel/conntrack.h"
#include "dockside/system/clock.h"
#include "dockside/system/link_addrs.h"

/* A packet that passed before the rules changed makes its entry when it leaves, perhaps where the first pass had been. */
#define PASSES 2
#define NEXT_PASS_MS 50
#define ANSWER_MAX_MS 5000 /* the kernel has something to say all the time */

static const struct network *gated_by_bridge(const struct policy *policy, const char *bridge)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated &&
		    strcmp(policy->networks[i].bridge, bridge) == 0)
			return &policy->networks[i];
	return NULL;
}

static void add_network(struct dns_flows *flows, const struct network *network)
{
	if (network->has_subnet)
		dns_flows_add_gated(flows, &network->subnet);
	if (network->has_subnet6)
		dns_flows_add_gated(flows, &network->subnet6);
	if (network->dockside_policed)
		return;
	if (network->has_dockside_ip)
		dns_flows_add_exempt(flows, &network->dockside_ip);
	if (network->has_dockside_ip6)
		dns_flows_add_exempt(flows, &network->dockside_ip6);
}

int dns_ends_find(const struct policy *policy, struct dns_flows *ret_flows, struct err *err)
{
	struct link_addrs addrs;
	int r = link_addrs_read(&addrs, err);

	*ret_flows = (struct dns_flows){ 0 };
	if (r < 0)
		return err_prefix(err, "tell whose conversations are whose");
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated)
			add_network(ret_flows, &policy->networks[i]);
	for (size_t i = 0; i < addrs.n; i++) {
		/* The host itself may have asked, too. */
		dns_flows_add_exempt(ret_flows, &addrs.items[i].addr);
		if (gated_by_bridge(policy, addrs.items[i].name))
			dns_flows_add_gated(ret_flows, &addrs.items[i].prefix);
	}
	link_addrs_free(&addrs);
	dns_flows_finish(ret_flows);
	return 0;
}

static bool ends(void *data, const struct flow *flow)
{
	return dns_flow_ends(data, flow);
}

static int go_through(struct conntrack *conntrack, struct dns_flows *flows, size_t *n,
		      struct err *err)
{
	struct conntrack_pass pass = { 0 };
	int r = conntrack_begin(conntrack, err);

	while (r >= 0 && !pass.done) {
		struct pollfd fd = { .fd = conntrack_fd(conntrack), .events = POLLIN };

		if (poll(&fd, 1, ANSWER_MAX_MS) == 0)
			r = err_set(err, ETIMEDOUT, "the kernel does not list its connections");
		else
			r = conntrack_read(conntrack, ends, flows, &pass, err);
	}
	*n += pass.n_ended;
	if (r >= 0 && pass.n_failed > 0)
		r = err_set(err, EBUSY, "the kernel keeps %zu of them (a flowtable forwards them?)",
			    pass.n_failed);
	return r;
}

int dns_ends_now(const struct policy *policy, size_t *ret_n, struct err *err)
{
	struct conntrack *conntrack = NULL;
	struct dns_flows flows = { 0 };
	int r = dns_ends_find(policy, &flows, err);

	*ret_n = 0;
	if (r >= 0)
		r = conntrack_open(&conntrack, err);
	for (int i = 0; r >= 0 && i < PASSES; i++) {
		if (i > 0)
			poll(NULL, 0, NEXT_PASS_MS);
		r = go_through(conntrack, &flows, ret_n, err);
	}
	conntrack_close(conntrack);
	dns_flows_free(&flows);
	return r < 0 ? err_prefix(err, "end older conversations with name servers") : 0;
}
