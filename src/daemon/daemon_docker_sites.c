/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: Docker tells of a network that it has made once the bridge is there, and before anybody can start a
 * container on it. A container needs some tenths of a second to start; by then we have asked about that one network,
 * not for the list, and its rules are loaded.
 */
#include "daemon_docker_state.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_sites.h"
#include "dockside/system/log.h"

/* What Docker says first was there before us. */
static void tell(struct daemon_docker *k, bool late)
{
	k->made_late |= late;
	loop_post(k->loop, NOTE_SITES);
}

void daemon_docker_sites_look(struct daemon_docker *k)
{
	if (docker_sites_take(&k->networks, &k->enforcer->running->policy, &k->placing->sites))
		tell(k, k->listed);
}

static void on_network(void *data, const struct docker_answer *answer)
{
	struct docker_networks networks = { 0 };
	struct daemon_docker *k = data;

	/* The list, which is asked for soon, says the rest. */
	if (answer->error.code ||
	    docker_parse_network(answer->body, answer->len, &networks, NULL) < 0)
		return;
	if (sites_wanted(&k->enforcer->running->policy, networks.items[0].name) &&
	    docker_sites_take_one(&networks.items[0], &k->placing->sites)) {
		log_info("external network %s is on bridge %s", networks.items[0].name,
			 networks.items[0].bridge);
		tell(k, true);
	}
	docker_networks_free(&networks);
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
	docker_inspect(k->client.client, event->id, on_network, k);
	loop_docker_arm(&k->client);
}

bool daemon_docker_made_late(struct daemon_docker *k)
{
	bool late = k->made_late;

	k->made_late = false;
	return late;
}
