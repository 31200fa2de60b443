/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init asks the host: Docker for its networks, the files for the name servers that containers ask. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/exit_status.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_provide.h"
#include "dockside/enforce/judge.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "init_plan.h"
#include "term.h"

static void on_done(void *data, struct docker_provide_result *result)
{
	struct init_plan *plan = data;

	if (result->error.code) {
		plan->docker_error = xstrdup(result->error.text);
		return;
	}
	plan->docker = result->networks;
	result->networks = (struct docker_networks){ 0 };
	plan->docker_version = xstrdup(result->about.version ? result->about.version : "");
}

int init_ask_docker(const struct init_options *options, struct init_plan *plan)
{
	struct docker_wanted_list none = { 0 };
	struct docker *docker = NULL;
	struct err err = { 0 };
	int r = docker_open(options->docker, monotonic_ms, &docker, &err);

	if (r >= 0) {
		docker_provide_start(docker, &none, DOCKER_PROVIDE_ASK, on_done, plan);
		term_progress("waiting for Docker");
		r = docker_wait(docker, &err);
		term_progress_end();
	}
	docker_close(docker);
	if (r < 0)
		log_error("init: %s", err.text);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

bool init_is_own(const struct init_plan *plan, const struct ipaddr *addr)
{
	for (size_t i = 0; i < plan->own.n; i++)
		if (ipaddr_cmp(&plan->own.items[i], addr) == 0)
			return true;
	return false;
}

static void find_resolvers(const struct init_options *options, struct init_plan *plan)
{
	struct resolvers found = { .n = 0 };

	judge_resolvers(&found);
	plan->resolvers_given = options->dns.n > 0;
	plan->resolvers = plan->resolvers_given ? options->dns : found;
	/* Docker goes on asking there, whatever the gate is given. */
	memcpy(plan->resolvers.loopback, found.loopback, sizeof(found.loopback));
}

int init_find_resolvers(const struct init_options *options, struct init_plan *plan)
{
	struct err err = { 0 };
	int r = own_addrs_read(&plan->own, &err);

	if (r < 0) {
		log_error("init: %s", err.text);
		err_free(&err);
		return EXIT_FAILED;
	}
	find_resolvers(options, plan);
	if (plan->resolvers.n > 0 || plan->resolvers.loopback[0])
		return EXIT_DONE;
	log_error("init: neither /etc/docker/daemon.json nor /etc/resolv.conf names a name server: "
		  "give "
		  "the one that containers shall ask, --dns ADDRESS");
	return EXIT_FAILED;
}

bool init_is_default(const struct init_network *network)
{
	return network->external && strcmp(network->name, INIT_DEFAULT_NETWORK) == 0;
}

bool init_is_gated(const struct init_plan *plan, const struct init_network *network)
{
	return init_is_default(network) || !plan->resolvers.loopback[0];
}

bool init_any_gated(const struct init_plan *plan)
{
	bool any = false;

	for (size_t i = 0; i < plan->n_networks; i++)
		any = any || init_is_gated(plan, &plan->networks[i]);
	return any;
}

bool init_all_gated(const struct init_plan *plan)
{
	bool all = true;

	for (size_t i = 0; i < plan->n_networks; i++)
		all = all && init_is_gated(plan, &plan->networks[i]);
	return all;
}
