/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply_sites.h"

#include <errno.h>

#include "dockside/docker/docker_client.h"
#include "dockside/docker/docker_sites.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

struct query {
	struct err error;
	struct docker_networks networks;
	bool listed;
};

static void on_version(void *data, const struct docker_answer *answer)
{
	struct query *query = data;

	if (answer->error.code)
		err_set(&query->error, answer->error.code, "%s", answer->error.text);
}

static void on_list(void *data, const struct docker_answer *answer)
{
	struct query *query = data;

	if (answer->error.code)
		err_set(&query->error, answer->error.code, "%s", answer->error.text);
	else
		query->listed = docker_parse_networks(answer->body, answer->len, &query->networks,
						      &query->error) >= 0;
}

static int ask(const char *socket, struct query *query, struct err *err)
{
	struct docker *docker = NULL;
	int r = docker_open(socket, monotonic_ms, &docker, err);

	if (r < 0)
		return r;
	docker_ask_version(docker, on_version, query);
	r = docker_wait(docker, err);
	if (r >= 0 && query->error.code == 0) {
		docker_list(docker, on_list, query);
		r = docker_wait(docker, err);
	}
	docker_close(docker);
	return r;
}

int find_sites(const char *socket, struct placing *placing, struct policy *policy, struct err *err)
{
	struct query query = { 0 };
	int r = 0;

	if (!sites_wanted(policy, NULL))
		return 0;
	r = ask(socket, &query, err);
	if (r >= 0 && query.listed)
		docker_sites_take(&query.networks, policy, &placing->sites);
	else if (r >= 0)
		log_warning("%s; external networks are taken to be where they were last",
			    query.error.text);
	sites_apply(&placing->sites, policy);
	docker_networks_free(&query.networks);
	err_free(&query.error);
	return r;
}

static bool is_unplaced(const struct network *network)
{
	return network->external && !network->placed && network_has_policy(network);
}

void warn_of_unplaced(const struct policy *policy, const char *what)
{
	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		if (is_unplaced(&policy->networks[i]))
			log_warning("network %s: its rules are not %s, as only Docker knows its "
				    "bridge, and has not said (\"bridge\" in network-config gives "
				    "it)",
				    policy->networks[i].name, what);
}

int check_sites_given(const struct policy *policy, struct err *err)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network->external || !network_has_policy(network) ||
		    (network->placed && network->has_subnet))
			continue;
		return err_set(err, EINVAL,
			       "network %s is external, and this command does not ask Docker where "
			       "it is: give %s in network-config, as \"docker network inspect %s\" "
			       "has %s",
			       network->name,
			       network->placed	     ? "\"subnet\""
			       : network->has_subnet ? "\"bridge\""
						     : "\"bridge\" and \"subnet\"",
			       network->name,
			       network->placed || network->has_subnet ? "it" : "them");
	}
	return 0;
}
