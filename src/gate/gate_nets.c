/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_nets.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/base/util.h"

#define KNOWN_MS 1000u /* an interface may get another name */
#define KNOWN_MAX 4096u

/* An interface's index stood for this network a moment ago. */
struct known {
	unsigned ifindex;
	uint64_t until_ms;
	struct gate_net *net;
};

struct gate_nets {
	struct gate_net_list list;
	int fd;			     /* to ask the kernel for names of interfaces */
	struct gate_net **by_bridge; /* in the order of the policy's networks */
	const struct gate_policy *policy;
	struct known known[KNOWN_MAX];
};

int gate_nets_open(struct gate_nets **ret_nets, struct err *err)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct gate_nets *nets;

	if (fd < 0)
		return err_errno(err, errno, "a socket");
	nets = xcalloc(1, sizeof(*nets));
	nets->fd = fd;
	TAILQ_INIT(&nets->list);
	*ret_nets = nets;
	return 0;
}

void gate_nets_close(struct gate_nets *nets)
{
	struct gate_net *net;

	if (!nets)
		return;
	while ((net = TAILQ_FIRST(&nets->list))) {
		TAILQ_REMOVE(&nets->list, net, entry);
		free(net);
	}
	close(nets->fd);
	free(nets->by_bridge);
	free(nets);
}

struct gate_net_list *gate_nets_list(struct gate_nets *nets)
{
	return &nets->list;
}

/* ------------------------------------------------------------------ another policy */

static struct gate_net *add_net(struct gate_nets *nets, struct gate_told *told, const char *bridge)
{
	struct gate_net *net = xcalloc(1, sizeof(*net));

	memcpy(net->bridge, bridge, strnlen(bridge, GATE_BRIDGE_MAX));
	net->new_names = GATE_NEW_NAMES_BURST;
	gate_told_add_net(told, &net->told);
	TAILQ_INSERT_TAIL(&nets->list, net, entry);
	return net;
}

/* Its addresses are still to be taken back; and a question that waits has a pointer to its network. */
static bool is_needed(const struct gate_net *net)
{
	return net->policy || net->told.n_refs > 0 || net->n_pending > 0 || net->n_tcp > 0;
}

bool gate_net_is_behind(const struct gate_net *net)
{
	return net->behind || net->n_tasks > 0 || net->was_away;
}

bool gate_net_is_over(const struct gate_net *net, uint64_t now_ms)
{
	return !net->policy && now_ms >= net->over_ms;
}

/* Nobody renews the addresses of a network that has no rules. */
static void lose_policy(struct gate_net *net, struct gate_told *told, uint64_t now_ms)
{
	if (net->policy)
		net->over_ms = now_ms + UINT64_C(1000) * net->policy->life_s;
	else if (gate_net_is_over(net, now_ms))
		gate_told_forget_net(told, &net->told);
	net->policy = NULL;
}

void gate_nets_follow(struct gate_nets *nets, struct gate_told *told,
		      const struct gate_policy *policy, uint64_t now_ms)
{
	struct gate_net **by_bridge = xcalloc(policy->n_networks + 1, sizeof(struct gate_net *));
	struct gate_net *net = TAILQ_FIRST(&nets->list), *next;

	for (; net; net = next) {
		const struct gate_network *network = gate_policy_network(policy, net->bridge);

		next = TAILQ_NEXT(net, entry);
		if (network) {
			net->policy = network;
			by_bridge[network - policy->networks] = net;
			continue;
		}
		lose_policy(net, told, now_ms);
		if (!is_needed(net)) {
			TAILQ_REMOVE(&nets->list, net, entry);
			free(net);
		}
	}
	for (size_t i = 0; i < policy->n_networks; i++) {
		if (by_bridge[i])
			continue;
		by_bridge[i] = add_net(nets, told, policy->networks[i].bridge);
		by_bridge[i]->policy = &policy->networks[i];
	}
	free(nets->by_bridge);
	nets->by_bridge = by_bridge;
	nets->policy = policy;
	memset(nets->known, 0, sizeof(nets->known));
}

/* ------------------------------------------------------------------ interfaces */

static struct gate_net *find_by_name(const struct gate_nets *nets, unsigned ifindex)
{
	struct ifreq request = { .ifr_ifindex = (int)ifindex };
	const struct gate_network *network;

	if (!nets->policy || ioctl(nets->fd, SIOCGIFNAME, &request) < 0)
		return NULL;
	network = gate_policy_network(nets->policy, request.ifr_name);
	return network ? nets->by_bridge[network - nets->policy->networks] : NULL;
}

struct gate_net *gate_nets_find(struct gate_nets *nets, unsigned ifindex, uint64_t now_ms)
{
	struct known *known = &nets->known[ifindex % KNOWN_MAX];

	if (known->ifindex != ifindex || now_ms >= known->until_ms)
		*known = (struct known){ ifindex, now_ms + KNOWN_MS, find_by_name(nets, ifindex) };
	return known->net;
}

unsigned gate_net_ifindex(const struct gate_nets *nets, const struct gate_net *net)
{
	struct ifreq request = { .ifr_ifindex = 0 };

	memcpy(request.ifr_name, net->bridge, sizeof(net->bridge));
	return ioctl(nets->fd, SIOCGIFINDEX, &request) < 0 ? 0 : (unsigned)request.ifr_ifindex;
}

/* ------------------------------------------------------------------ limits */

bool gate_net_take_name(struct gate_net *net, uint64_t now_ms)
{
	net->new_names += (double)(now_ms - net->filled_ms) * GATE_NEW_NAMES_PER_S / 1000;
	if (net->new_names > GATE_NEW_NAMES_BURST)
		net->new_names = GATE_NEW_NAMES_BURST;
	net->filled_ms = now_ms;
	if (net->new_names < 1)
		return false;
	net->new_names -= 1;
	return true;
}
