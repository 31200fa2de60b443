/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draining without a daemon. As long as Docker says that containers are attached to a network that
 * is no longer configured, the policy that the kernel holds for it stays; a later run that finds
 * none attached removes it. If Docker does not answer, that counts as attached; if no Docker runs,
 * we obey the files at once.
 */
#include "apply_drain.h"

#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/docker/docker_client.h"
#include "dockside/docker/docker_wanted.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

struct query {
	struct err error;
	struct docker_networks networks;
	struct docker_containers containers;
	size_t restarting;
};

static void keep_error(struct query *query, const struct err *error)
{
	if (query->error.code == 0)
		err_set(&query->error, error->code, "%s", error->text);
}

static void on_version(void *data, const struct docker_answer *answer)
{
	if (answer->error.code)
		keep_error(data, &answer->error);
}

static void on_list(void *data, const struct docker_answer *answer)
{
	struct query *query = data;
	struct err err = { 0 };

	if (answer->error.code)
		keep_error(query, &answer->error);
	else if (docker_parse_networks(answer->body, answer->len, &query->networks, &err) < 0)
		keep_error(query, &err);
	err_free(&err);
}

static void on_containers(void *data, const struct docker_answer *answer)
{
	struct query *query = data;
	struct err err = { 0 };

	if (answer->http == 404)
		return; /* it is gone meanwhile, and so are they */
	if (answer->error.code)
		keep_error(query, &answer->error);
	else if (docker_parse_containers(answer->body, answer->len, &query->containers, &err) < 0)
		keep_error(query, &err);
	err_free(&err);
}

static void on_restarting(void *data, const struct docker_answer *answer)
{
	struct query *query = data;
	struct err err = { 0 };

	if (answer->error.code)
		keep_error(query, &answer->error);
	else if (docker_parse_count(answer->body, answer->len, &query->restarting, &err) < 0)
		keep_error(query, &err);
	err_free(&err);
}

static void ask_networks(struct docker *docker, struct query *query)
{
	docker_ask_version(docker, on_version, query);
	if (docker_wait(docker, &query->error) < 0 || query->error.code)
		return;
	docker_list(docker, on_list, query);
	docker_wait(docker, &query->error);
}

static void ask_attached(struct docker *docker, struct query *query, const char *bridge)
{
	for (size_t i = 0; query->error.code == 0 && i < query->networks.n; i++) {
		const char *id = query->networks.items[i].id;

		if (strcmp(query->networks.items[i].bridge, bridge) != 0)
			continue;
		docker_inspect(docker, id, on_containers, query);
		docker_wait(docker, &query->error);
		docker_list_restarting(docker, id, on_restarting, query);
		docker_wait(docker, &query->error);
	}
}

static void put_names(struct buf *b, const struct query *query)
{
	if (query->containers.n == 0)
		buf_puts(b, "containers restart");
	for (size_t i = 0; i < query->containers.n; i++)
		buf_printf(b, "%s%s", i == 0 ? "containers are attached: " : ", ",
			   query->containers.items[i].name);
}

/* Whether containers are attached to a bridge's network; says who. Nobody knows any more which of
 * them is the dockside container. */
static bool attached(struct docker *docker, struct query *query, const char *bridge)
{
	struct buf who = { 0 };
	bool any;

	ask_attached(docker, query, bridge);
	if (query->error.code)
		buf_printf(&who, "whether containers are attached is not known: %s",
			   query->error.text);
	else if (docker_wanted_count_attached(&query->containers, query->restarting, NULL) > 0)
		put_names(&who, query);
	any = who.len > 0;
	if (any)
		log_warning(
			"network with bridge %s is no longer configured; its policy stays, as %s",
			bridge, buf_str(&who));
	docker_containers_free(&query->containers);
	query->containers = (struct docker_containers){ 0 };
	query->restarting = 0;
	buf_free(&who);
	return any;
}

int find_draining(const char *socket, const struct policy *policy, const struct actual *actual,
		  struct plan *plan, struct err *err)
{
	const struct actual_set *map = actual_find_set(actual, "dispatch");
	struct docker *docker = NULL;
	struct query query = { 0 };
	const char **draining;
	int r = 0;

	if (!map || map->set.type != MAP_DISPATCH)
		return 0;
	draining = arena_alloc(&plan->arena, (map->set.n_elems + 1) * sizeof(*draining));
	for (size_t i = 0; r >= 0 && i < map->set.n_elems; i++) {
		char bridge[ELEM_KEY_MAX + 1] = "";

		memcpy(bridge, map->set.elems[i].key, ELEM_KEY_MAX);
		if (policy_find_bridge(policy, bridge))
			continue;
		if (!docker) {
			r = docker_open(socket, monotonic_ms, &docker, err);
			if (r >= 0)
				ask_networks(docker, &query);
		}
		if (r >= 0 && !docker_socket_absent(query.error.code) &&
		    attached(docker, &query, bridge))
			draining[plan->n_draining++] = arena_strdup(&plan->arena, bridge);
	}
	plan->draining = draining;
	docker_close(docker);
	docker_networks_free(&query.networks);
	err_free(&query.error);
	return r;
}
