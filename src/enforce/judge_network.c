/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/judge_network.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

/* ------------------------------------------------------------------ one network */

/* Takes over both texts. */
static void not_judged(struct judged *j, char *reason, char *mend)
{
	j->state = JUDGED_NOT;
	j->reason = reason;
	j->mend = mend;
}

/* As not_judged(), by comparing Docker's word with what may be younger, or older. */
static void doubt(struct judged *j, char *reason, char *mend)
{
	not_judged(j, reason, mend);
	j->doubtful = true;
}

static bool is_right(const struct docker_wanted *wanted, const struct docker_network *network)
{
	return strcmp(network->driver, "bridge") == 0 &&
	       strcmp(network->bridge, wanted->bridge) == 0;
}

/* Docker makes these itself, and does not let anybody remove them. */
static bool is_predefined(const char *name)
{
	return strcmp(name, "bridge") == 0 || strcmp(name, "host") == 0 ||
	       strcmp(name, "none") == 0;
}

/* The first network of that name that is on another bridge. */
static const struct docker_network *find_wrong(const struct judge_facts *f)
{
	for (size_t i = 0; f->docker && i < f->docker->n; i++) {
		const struct docker_network *network = &f->docker->items[i];

		if (strcmp(network->name, f->wanted->name) == 0 && !is_right(f->wanted, network))
			return network;
	}
	return NULL;
}

static char *mend_docker(const struct docker_wanted *wanted, const struct docker_network *wrong,
			 size_t n_namesakes)
{
	if (strcmp(wanted->name, "bridge") == 0)
		return xasprintf("\"external\": true in network-config lets the rules go by %s, as "
				 "Docker's own network cannot be made anew; or configure a network "
				 "of another name and put the containers there",
				 wrong->bridge);
	if (is_predefined(wanted->name))
		return xasprintf("Docker's own network %s cannot be made anew: configure a network "
				 "of another name and put the containers there",
				 wanted->name);
	if (n_namesakes > 1)
		return xasprintf("Docker has %zu networks of that name: \"docker network rm "
				 "%.12s\" removes this one, once no container is attached",
				 n_namesakes, wrong->id);
	if (strcmp(wrong->driver, "bridge") == 0)
		return xasprintf(
			"if others make it, such as Compose, say \"external\": true in "
			"network-config, and the rules go where Docker has it, now %s (\"bridge\": "
			"\"%s\" if it is always that one); if dsfw-nft is to make it, RESET=1 does "
			"(\"RESET=1 dsfw-nft apply\"; with a daemon \"docker network rm %s && "
			"dsfw-nft reload\"), once no container is attached",
			wrong->bridge, wrong->bridge, wanted->name);
	return xasprintf("RESET=1 recreates it (\"RESET=1 dsfw-nft apply\"; with a daemon \"docker "
			 "network rm %s && dsfw-nft reload\"), once no container is attached",
			 wanted->name);
}

/* By what Docker has. */
static bool judge_docker(const struct judge_facts *f, struct judged *j)
{
	const struct docker_network *wrong = find_wrong(f);
	char *reason;

	if (!wrong)
		return false;
	if (strcmp(wrong->driver, "bridge") != 0)
		reason = xasprintf("its driver is %s in Docker, bridge in the configuration",
				   wrong->driver[0] ? wrong->driver : "unknown");
	else
		reason = xasprintf("its bridge is %s in Docker, %s in the configuration",
				   wrong->bridge, f->wanted->bridge);
	not_judged(j, reason,
		   mend_docker(f->wanted, wrong, docker_count_named(f->docker, f->wanted->name)));
	j->docker_differs = true;
	return true;
}

static size_t count_attached(const struct judge_facts *f)
{
	size_t n = 0;

	for (size_t i = 0; f->legs && i < f->legs->n; i++)
		n += strcmp(f->legs->items[i].network, f->wanted->name) == 0;
	return n;
}

static void judge_missing(const struct judge_facts *f, bool docker_has_it, struct judged *j)
{
	const char *bridge = f->wanted->bridge;
	size_t n = docker_has_it ? count_attached(f) : 0;

	if (n > 0) {
		doubt(j,
		      xasprintf("%zu container%s attached, and the kernel has no interface %s, "
				"which is its bridge in Docker",
				n, n == 1 ? " is" : "s are", bridge),
		      xasprintf("somebody has renamed or removed it: a restart of Docker "
				"makes it again"));
		return;
	}
	j->state = JUDGED_PENDING;
	if (docker_has_it)
		j->reason = xasprintf("Docker has it, and the kernel has no interface %s", bridge);
	else if (f->docker_failed)
		j->reason = xasprintf("Docker does not answer, and the kernel has no interface %s",
				      bridge);
}

/* By what the kernel has of the bridge's name. */
static void judge_link(const struct judge_facts *f, bool docker_has_it, struct judged *j)
{
	const char *bridge = f->wanted->bridge;

	if (docker_has_it && f->gateway_on) {
		doubt(j,
		      xasprintf("its gateway's address is on bridge %s, and the rules are for "
				"%s",
				f->gateway_on, bridge),
		      xasprintf("\"ip link set %s name %s\"", f->gateway_on, bridge));
		return;
	}
	switch (f->link) {
	case JUDGE_LINK_UNKNOWN:
		not_judged(j, xasprintf("the kernel does not say what interface %s is", bridge),
			   xstrdup("see the log for the reason"));
		break;
	case JUDGE_LINK_MISSING:
		judge_missing(f, docker_has_it, j);
		break;
	case JUDGE_LINK_BRIDGE:
		break;
	case JUDGE_LINK_ENSLAVED:
		not_judged(
			j,
			xasprintf("its bridge %s is part of %s, and the kernel gives its packets "
				  "that name",
				  bridge, f->master ? f->master : "another interface"),
			xasprintf("\"ip link set %s nomaster\"", bridge));
		break;
	case JUDGE_LINK_OTHER:
		not_judged(j, xasprintf("interface %s is not a bridge", bridge),
			   xstrdup("rename that interface, and restart Docker"));
		break;
	}
}

static void judge_rules(enum judge_rules rules, struct judged *j)
{
	static const char *const reasons[] = {
		[JUDGE_RULES_MISSING] =
			"the kernel does not have its rules, or does not dispatch to "
			"them",
		[JUDGE_RULES_UNKNOWN] = "its rules cannot be read from the kernel",
		[JUDGE_RULES_DOUBTFUL] = "the kernel may lack some of its rules until they are put "
					 "back",
	};

	if (j->state == JUDGED_NOT || j->state == JUDGED_UNMANAGED || rules == JUDGE_RULES_THERE)
		return;
	judged_free(j);
	not_judged(j, xstrdup(reasons[rules]),
		   xstrdup(rules == JUDGE_RULES_MISSING
				   ? "the daemon puts them back; \"dsfw-nft reconcile\" says what "
				     "keeps it from that"
				   : "\"dsfw-nft reconcile\" says why"));
}

/* ------------------------------------------------------------------ one that others make */

/* Docker has not said where it is, since we ask. */
static void judge_untold(const struct judge_facts *f, struct judged *j)
{
	if (f->link != JUDGE_LINK_MISSING || f->wanted->bridge_given) {
		judge_link(f, false, j);
	} else if (f->docker_failed) {
		not_judged(
			j,
			xstrdup("Docker does not answer, and it alone knows which bridge this "
				"network has"),
			xstrdup("see to it that Docker answers; a network whose bridge always has "
				"the same name may have it in \"bridge\" in network-config"));
	} else {
		j->state = JUDGED_PENDING;
		j->reason =
			xstrdup("waiting for Docker, which knows which bridge this network has");
	}
}

/* Docker has to have the network as the configuration gives it. */
static bool judge_given(const struct docker_wanted *wanted, const struct docker_network *network,
			struct judged *j)
{
	struct docker_wanted_difference differences[DOCKER_WANTED_PROPERTIES];
	size_t n = docker_wanted_compare(wanted, network, differences);

	if (n > 0 && differences[0].property == DOCKER_WANTED_DRIVER)
		not_judged(j, xstrdup(differences[0].text),
			   xstrdup("only bridge networks have rules: take it out of the "
				   "configuration"));
	else if (n > 0)
		not_judged(j, xstrdup(differences[0].text),
			   xstrdup("correct that key in network-config, or leave it out: of an "
				   "external network Docker's word is enough"));
	for (size_t i = 0; i < n; i++)
		free(differences[i].text);
	return n > 0;
}

static void judge_external(const struct judge_facts *f, struct judged *j)
{
	const struct docker_wanted *wanted = f->wanted;
	const struct docker_network *network;
	size_t n;

	if (!f->docker) {
		judge_untold(f, j);
		return;
	}
	network = docker_find_network(f->docker, wanted->name);
	n = docker_count_named(f->docker, wanted->name);
	if (!network) {
		j->state = JUDGED_PENDING;
		j->reason = xstrdup("Docker does not have it");
	} else if (n > 1) {
		not_judged(
			j, xasprintf("Docker has %zu networks of that name", n),
			xasprintf("\"docker network rm %.12s\" removes one of them", network->id));
	} else if (!judge_given(wanted, network, j)) {
		if (wanted->site_trouble)
			not_judged(j, xstrdup(wanted->site_trouble),
				   xasprintf("make it on another bridge, with the driver "
					     "option " DOCKER_BRIDGE_OPTION));
		else if (strcmp(network->bridge, wanted->bridge) != 0)
			doubt(j,
			      xasprintf("its bridge is %s in Docker, and the rules are not "
					"there yet",
					network->bridge),
			      xstrdup("\"dsfw-nft reconcile\" says what keeps them from it"));
		else
			judge_link(f, true, j);
	}
	j->docker_differs = j->state == JUDGED_NOT;
}

/* A macvlan or ipvlan network on top of the bridge, or of a VLAN interface of it (BRIDGE.NUMBER), which Docker makes itself: its
 * interfaces take frames off the bridge before any rule sees them. */
static bool is_on_top(const struct docker_network *network, const char *bridge)
{
	size_t len = strlen(bridge);

	return network->parent && strncmp(network->parent, bridge, len) == 0 &&
	       (network->parent[len] == '\0' || network->parent[len] == '.');
}

static void judge_on_top(const struct judge_facts *f, struct judged *j)
{
	for (size_t i = 0; f->docker && i < f->docker->n; i++) {
		const struct docker_network *network = &f->docker->items[i];

		if (!is_on_top(network, f->wanted->bridge))
			continue;
		not_judged(j,
			   xasprintf("Docker's %s network %s is on top of its bridge %s, and takes "
				     "packets off it before any rule",
				     network->driver, network->name, f->wanted->bridge),
			   xasprintf("\"docker network rm %s\"", network->name));
		return;
	}
}

void judge_network(const struct judge_facts *f, struct judged *ret)
{
	bool docker_has_it = f->docker && docker_find_network(f->docker, f->wanted->name);

	*ret = (struct judged){ .state = f->wanted->audit ? JUDGED_AUDIT : JUDGED_ENFORCED };
	if (!f->wanted->managed)
		ret->state = JUDGED_UNMANAGED;
	else if (f->wanted->external)
		judge_external(f, ret);
	else if (!judge_docker(f, ret))
		judge_link(f, docker_has_it, ret);
	if (ret->state == JUDGED_ENFORCED || ret->state == JUDGED_AUDIT)
		judge_on_top(f, ret);
	if (f->wanted->placed || !f->wanted->external)
		judge_rules(f->rules, ret);
}

void judge_network_with_rules(const struct judged *judged, enum judge_rules rules,
			      struct judged *ret)
{
	*ret = *judged;
	ret->reason = judged->reason ? xstrdup(judged->reason) : NULL;
	ret->mend = judged->mend ? xstrdup(judged->mend) : NULL;
	judge_rules(rules, ret);
}

/* ------------------------------------------------------------------ the table */

bool judge_network_dispatched(const struct plan *plan, const struct actual *actual,
			      const char *bridge)
{
	const struct elem *wanted = set_find_bridge(plan_find_set(plan, "dispatch"), bridge);
	const struct actual_set *map = actual_find_set(actual, "dispatch");
	const struct actual_chain *forward = actual_find_chain(actual, "forward");
	const struct actual_chain *chain;
	const struct elem *have;

	if (!actual->exists || actual->dormant || !wanted || !wanted->target || !map || !forward ||
	    !forward->base || forward->n_rules == 0)
		return false;
	have = set_find_bridge(&map->set, bridge);
	if (!have || !have->target || strcmp(have->target, wanted->target) != 0)
		return false;
	chain = actual_find_chain(actual, have->target);
	return chain && chain->n_rules > 0;
}

/* ------------------------------------------------------------------ other legs of containers */

static const struct docker_wanted *managed_network(const struct docker_wanted_list *list,
						   const char *name)
{
	const struct docker_wanted *wanted = docker_wanted_find(list, name);

	return wanted && wanted->managed ? wanted : NULL;
}

/* On some network it is the dockside container, which is meant to be on all of them. */
static bool is_dockside(const struct docker_wanted_list *list, const struct docker_legs *legs,
			const char *container)
{
	for (size_t i = 0; i < legs->n; i++) {
		const struct docker_leg *leg = &legs->items[i];
		const struct docker_wanted *wanted = managed_network(list, leg->network);

		if (wanted && strcmp(leg->container.id, container) == 0 &&
		    !wanted->identity.policed &&
		    docker_wanted_is_dockside(&leg->container, &wanted->identity))
			return true;
	}
	return false;
}

/* Whether some rule judges the packets to this network. */
static bool is_judged(const struct docker_wanted_list *list, const struct judged *judged,
		      const char *network)
{
	const struct docker_wanted *wanted = managed_network(list, network);

	return wanted && judged[wanted - list->items].state != JUDGED_NOT;
}

static size_t tell_legs_of(const struct docker_wanted_list *list, const struct judged *judged,
			   const struct docker_legs *legs, const struct docker_leg *leg,
			   judge_network_leg_fn fn, void *data)
{
	size_t n = 0;

	for (size_t i = 0; i < legs->n; i++) {
		const struct docker_leg *other = &legs->items[i];
		cleanup(cleanup_free) char *text = NULL;

		if (other == leg || strcmp(other->container.id, leg->container.id) != 0 ||
		    strcmp(other->network, leg->network) == 0 ||
		    is_judged(list, judged, other->network))
			continue;
		n++;
		if (!fn)
			continue;
		text = xasprintf("network %s: its container %s is on network %s, too, where its "
				 "packets are not judged: \"docker network disconnect %s %s\"",
				 leg->network, leg->container.name, other->network, other->network,
				 leg->container.name);
		fn(data, text);
	}
	return n;
}

size_t judge_network_legs(const struct docker_wanted_list *list, const struct judged *judged,
			  const struct docker_legs *legs, judge_network_leg_fn fn, void *data)
{
	size_t n = 0;

	for (size_t i = 0; i < legs->n; i++) {
		const struct docker_leg *leg = &legs->items[i];

		if (managed_network(list, leg->network) &&
		    !is_dockside(list, legs, leg->container.id))
			n += tell_legs_of(list, judged, legs, leg, fn, data);
	}
	return n;
}
