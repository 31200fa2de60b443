/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: Docker tells of a network that it has made once the bridge is there, and before anybody can start a
 * container on it. A container needs some tenths of a second to start; by then its rules are loaded.
 *
 * Docker's event has the network's name and id. Where nobody has given the bridge a name, the id is in it
 * (docker_parse.h): if the kernel has a bridge of that name, its addresses tell the subnets, and the rules go there
 * at once. Docker is asked about that one network as well, and its answer counts in the end. The list, which is
 * asked for a moment later, takes longest, as Docker is busy with starting the container.
 */
#include "daemon_docker_state.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_sites.h"
#include "dockside/system/link_addrs.h"
#include "dockside/system/log.h"

/* ------------------------------------------------------------------ what is gone */

void daemon_docker_sites_destroyed(struct daemon_docker *k, const char *id)
{
	char **at = &k->destroyed[k->n_destroyed++ % DESTROYED_MAX];

	free(*at);
	*at = xstrdup(id);
}

static bool is_destroyed(const struct daemon_docker *k, const char *id)
{
	for (size_t i = 0; i < DESTROYED_MAX && k->destroyed[i]; i++)
		if (strcmp(k->destroyed[i], id) == 0)
			return true;
	return false;
}

void daemon_docker_sites_correct(struct daemon_docker *k)
{
	for (size_t i = 0; i < DESTROYED_MAX && k->destroyed[i]; i++)
		docker_networks_forget(&k->networks, k->destroyed[i]);
}

void daemon_docker_sites_forget_destroyed(struct daemon_docker *k)
{
	for (size_t i = 0; i < DESTROYED_MAX; i++) {
		free(k->destroyed[i]);
		k->destroyed[i] = NULL;
	}
	k->n_destroyed = 0;
}

/* ------------------------------------------------------------------ where they are */

static void add_late(struct daemon_docker *k, const char *name)
{
	k->late = xreallocarray(k->late, k->n_late + 1, sizeof(*k->late));
	k->late[k->n_late++] = xstrdup(name);
}

static void tell(struct daemon_docker *k, const struct site *site)
{
	log_info("external network %s is on bridge %s", site->name, site->bridge);
	add_late(k, site->name);
	loop_post(k->loop, NOTE_SITES);
}

/* A network of the first list was there before us. */
void daemon_docker_sites_look(struct daemon_docker *k)
{
	const struct policy *policy = &k->enforcer->running->policy;

	/* Docker may have made up its list before the event, which tells more; another look follows. */
	if (k->outdated || !docker_sites_take(&k->networks, policy, &k->placing->sites))
		return;
	loop_post(k->loop, NOTE_SITES);
	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++) {
		const struct network *network = &policy->networks[i];
		const struct site *site =
			network->external ? sites_find(&k->placing->sites, network->name) : NULL;

		if (!site && network->external && network->placed && !network->bridge_given)
			log_info("bridge %s, where external network %s was, is another network's "
				 "now: its rules are not there any more",
				 network->bridge, network->name);
		if (!site || strcmp(site->bridge, network->bridge) == 0)
			continue;
		log_info("external network %s is on bridge %s", site->name, site->bridge);
		if (k->listed)
			add_late(k, site->name);
	}
}

static void on_network(void *data, const struct docker_answer *answer)
{
	struct docker_networks networks = { 0 };
	struct daemon_docker *k = data;

	/* The list, which is asked for soon, says the rest. */
	if (answer->error.code ||
	    docker_parse_network(answer->body, answer->len, &networks, NULL) < 0)
		return;
	if (!is_destroyed(k, networks.items[0].id) &&
	    sites_wanted(&k->enforcer->running->policy, networks.items[0].name) &&
	    docker_sites_take_one(&networks.items[0], &k->placing->sites))
		tell(k, sites_find(&k->placing->sites, networks.items[0].name));
	docker_networks_free(&networks);
}

static void take_addr(struct site *site, const struct link_addr *item)
{
	static const struct prefix link_local = { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 };
	struct ipaddr first, last;

	prefix_range(&item->prefix, &first, &last);
	if (item->addr.family == FAMILY_IPV4 && !site->has_subnet) {
		site->has_subnet = true;
		site->subnet = (struct prefix){ first, item->prefix.len };
		site->gateway = item->addr;
	} else if (item->addr.family == FAMILY_IPV6 && !site->has_subnet6 &&
		   !prefix_contains(&link_local, &item->addr)) {
		site->has_subnet6 = true;
		site->subnet6 = (struct prefix){ first, item->prefix.len };
		site->gateway6 = item->addr;
	}
}

/* By the bridge that Docker makes if nobody has given it a name; if there is none, its answer is awaited. */
static void take_derived(struct daemon_docker *k, const struct docker_event *event)
{
	cleanup(cleanup_free) char *bridge = docker_derived_bridge(event->id);
	struct site site = { .name = event->name, .bridge = bridge };
	struct link_addrs addrs = { 0 };

	if (link_addrs_read(&addrs, NULL) < 0)
		return;
	for (size_t i = 0; i < addrs.n; i++)
		if (strcmp(addrs.items[i].name, bridge) == 0)
			take_addr(&site, &addrs.items[i]);
	link_addrs_free(&addrs);
	if (site.has_subnet && sites_put(&k->placing->sites, &site))
		tell(k, &site);
}

/* A second network of that name takes no place of the first one's: then the list decides. */
static bool is_second(const struct daemon_docker *k, const struct docker_event *event)
{
	const struct docker_network *network = docker_find_network(&k->networks, event->name);

	return network && daemon_attached_has(k->attached, network->id) &&
	       strcmp(network->id, event->id) != 0;
}

void daemon_docker_sites_made(struct daemon_docker *k, const struct docker_event *event)
{
	if (!sites_wanted(&k->enforcer->running->policy, event->name) || is_second(k, event))
		return;
	take_derived(k, event);
	docker_inspect(k->client.client, event->id, on_network, k);
	loop_docker_arm(&k->client);
}

void daemon_docker_made_late(struct daemon_docker *k, attached_name_fn fn, void *data)
{
	for (size_t i = 0; i < k->n_late; i++) {
		fn(data, k->late[i]);
		free(k->late[i]);
	}
	free(k->late);
	k->late = NULL;
	k->n_late = 0;
}
