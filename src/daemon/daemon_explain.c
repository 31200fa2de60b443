/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket's `explain`: by the plan that runs, with the addresses that its sets have now. */
#include "daemon_explain.h"

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/ctl/explain_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/report/explain_json.h"
#include "dockside/system/link_addrs.h"

#define RESOLVED_ADDRS_MAX 4096

struct resolved_addrs {
	struct ipaddr *items;
	size_t n, cap;
};

static bool is_link_local(const struct ipaddr *addr)
{
	return addr->family == FAMILY_IPV6 && addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

/* Link-local addresses are the host's on their own link only. */
static int read_host_addrs(const char *network, struct resolved_addrs *ret_addrs, struct err *err)
{
	struct link_addrs addrs;
	int r = link_addrs_read(&addrs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < addrs.n && ret_addrs->n < RESOLVED_ADDRS_MAX; i++) {
		const struct link_addr *item = &addrs.items[i];

		if (is_link_local(&item->addr) && strcasecmp(item->name, network) != 0)
			continue;
		ret_addrs->items = array_grow(ret_addrs->items, &ret_addrs->cap, ret_addrs->n,
					      sizeof(*ret_addrs->items));
		ret_addrs->items[ret_addrs->n++] = item->addr;
	}
	link_addrs_free(&addrs);
	return 0;
}

/* Adds what the network's containers have looked up; addrs has room for EXPLAIN_CASES_MAX. */
static void add_looked_up(const struct services *s, const struct explain_question *question,
			  struct explain_world *world, struct ipaddr *addrs)
{
	const struct network *network = policy_find_network(world->policy, question->from, NULL);
	cleanup(cleanup_free) char *name = lower_case(xstrdup(question->to));

	if (!network)
		return;
	if (question->to_addr) {
		world->looked_up_name =
			daemon_denied_looked_up(s->denied, network->bridge, &question->addr);
		return;
	}
	world->looked_up = addrs;
	world->n_looked_up = daemon_denied_looked_up_name(s->denied, network->bridge, name, addrs,
							  EXPLAIN_CASES_MAX);
}

/* Why the packets of a configured network reach no rule, or NULL. The caller frees it. */
static char *not_judged(const struct services *s, const char *name)
{
	const struct policy *policy = &s->enforcer->running->policy;
	const struct network *network = policy_find_network(policy, name, NULL);
	struct counters_view counters;
	struct judge_result judged;
	char *text = NULL;

	if (!network)
		return NULL;
	counters = daemon_counters_read(s->counters);
	daemon_judged_now(s->judged, &counters, daemon_repair_state(s->repair).doubtful, &judged);
	if (judged.items[network - policy->networks].state == JUDGED_NOT)
		text = judged_sentence(network->name, &judged.items[network - policy->networks]);
	judge_result_free(&judged);
	return text;
}

/* ------------------------------------------------------------------ containers */

static void take_container(struct explain_container *ret, const struct docker_container *container)
{
	*ret = (struct explain_container){
		.name = container->name,
		.has = { [FAMILY_IPV4] = container->has_ip, [FAMILY_IPV6] = container->has_ip6 },
		.addrs = { [FAMILY_IPV4] = container->ip, [FAMILY_IPV6] = container->ip6 },
		.has_mac = container->has_mac,
	};
	memcpy(ret->mac, container->mac, sizeof(ret->mac));
}

static bool has_address(const struct explain_container *container, const struct ipaddr *addr)
{
	return container->has[addr->family] &&
	       ipaddr_cmp(&container->addrs[addr->family], addr) == 0;
}

static void ask_with_mac(struct explain_question *question,
			 const struct explain_container *container)
{
	if (question->has_mac || !container->has_mac)
		return;
	question->has_mac = true;
	memcpy(question->mac, container->mac, sizeof(question->mac));
}

static int nobody_there(const struct policy *policy, const char *name, struct err *err)
{
	struct err network = { 0 };
	int r;

	policy_find_network(policy, name, &network);
	r = err_set(err, EINVAL,
		    "no container of that name is on a network of the configuration, and %s",
		    network.text);
	err_free(&network);
	return r;
}

/* Makes a question from a container one from its network. *ret_sender has no name where the
 * question is from a network. Returns 0 or -EINVAL. */
static int find_sender(const struct services *s, struct explain_question *question,
		       struct explain_container *ret_sender, struct err *err)
{
	const struct policy *policy = &s->enforcer->running->policy;
	const struct docker_container *found;
	cleanup(buf_free) struct buf networks = { 0 };
	const char *bridge, *name = question->from;
	struct explain_container container;
	size_t i = 0, n = 0;

	if (policy_find_network(policy, name, NULL))
		return 0;
	while ((found = daemon_docker_find(s->docker, name, &i, &bridge))) {
		const struct network *network = policy_find_bridge(policy, bridge);

		take_container(&container, found);
		if (!network || (question->has_src && !has_address(&container, &question->src)))
			continue;
		buf_printf(&networks, "%s%s", n++ ? ", " : "", network->name);
		*ret_sender = container;
		question->from = network->name;
	}
	if (n > 1)
		return err_set(err, EINVAL,
			       "the container %.64s is on several networks (%s): say which with "
			       "--src and its address there",
			       name, buf_str(&networks));
	if (n == 0)
		return nobody_there(policy, name, err);
	ask_with_mac(question, ret_sender);
	return 0;
}

/* Whether a container has the name of the destination: on the network, where Docker's resolver tells it to the
 * neighbours, or on another. */
static bool find_receiver(const struct services *s, const struct explain_question *question,
			  bool on_network, struct explain_container *ret_receiver)
{
	const struct network *network =
		policy_find_network(&s->enforcer->running->policy, question->from, NULL);
	const struct docker_container *found;
	const char *bridge;
	size_t i = 0;

	if (!network || question->to_addr || strcasecmp(question->to, "host") == 0)
		return false;
	while ((found = daemon_docker_find(s->docker, question->to, &i, &bridge))) {
		if (on_network != (strcmp(bridge, network->bridge) == 0))
			continue;
		take_container(ret_receiver, found);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ the answer */

static int answer(const struct services *s, const struct request *request, struct buf *ret_json,
		  struct err *err)
{
	struct explain_container sender = { 0 }, receiver;
	const struct running *running = s->enforcer->running;
	struct explain_world world = { .policy = &running->policy,
				       .plan = &running->plan,
				       .bind = { daemon_ports_now(s->ports),
						 s->enforcer->no_bridge } };
	struct ipaddr looked_up[EXPLAIN_CASES_MAX];
	struct explain_question question;
	cleanup(cleanup_free) char *unjudged = NULL;
	struct resolved_addrs addrs = { 0 };
	int r = explain_request_read(request, &question, err);

	if (r >= 0)
		r = find_sender(s, &question, &sender, err);
	if (r >= 0)
		r = read_host_addrs(question.from, &addrs, err);
	if (r >= 0) {
		add_looked_up(s, &question, &world, looked_up);
		world.not_judged = unjudged = not_judged(s, question.from);
	}
	world.host_addrs = addrs.items;
	world.n_host_addrs = addrs.n;
	world.sender = sender.name ? &sender : NULL;
	if (r >= 0 && find_receiver(s, &question, true, &receiver))
		world.receiver = &receiver;
	if (r >= 0)
		r = explain_answer(&question, &world, ret_json, err);
	if (r == -ENOENT && !world.receiver && find_receiver(s, &question, false, &receiver)) {
		world.receiver = &receiver;
		err_free(err);
		r = explain_answer(&question, &world, ret_json, err);
	}
	free(addrs.items);
	return r;
}

void daemon_explain(const struct services *s, struct ctl_request *request)
{
	struct buf b = { 0 };
	struct err err = { 0 };

	if (answer(s, ctl_request_get(request), &b, &err) < 0)
		ctl_answer_error(request, err.text, NULL);
	else
		ctl_answer(request, buf_str(&b));
	buf_free(&b);
	err_free(&err);
}
