/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks that are no longer configured, without a daemon: while containers are attached, by Docker's word,
 * their last policy stays, until a later run finds none. Docker not answering counts as attached; where
 * none runs, the files are obeyed at once.
 */
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/cli/command.h"
#include "dockside/docker/docker_client.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/system/clock.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"

struct query {
	struct err error;
	struct docker_networks networks;
	struct docker_containers containers;
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

static void ask_networks(struct docker *docker, struct query *query)
{
	docker_ask_version(docker, on_version, query);
	if (docker_wait(docker, &query->error) < 0 || query->error.code)
		return;
	docker_list(docker, on_list, query);
	docker_wait(docker, &query->error);
}

/* Whether containers are attached to a bridge's network; says who. */
static bool attached(struct docker *docker, struct query *query, const char *bridge)
{
	struct buf who = { 0 };
	bool any;

	for (size_t i = 0; query->error.code == 0 && i < query->networks.n; i++) {
		if (strcmp(query->networks.items[i].bridge, bridge) != 0)
			continue;
		docker_inspect(docker, query->networks.items[i].id, on_containers, query);
		docker_wait(docker, &query->error);
	}
	if (query->error.code)
		buf_printf(&who, "whether containers are attached is not known: %s",
			   query->error.text);
	for (size_t i = 0; query->error.code == 0 && i < query->containers.n; i++)
		buf_printf(&who, "%s%s", i == 0 ? "containers are attached: " : ", ",
			   query->containers.items[i].name);
	any = who.len > 0;
	if (any)
		log_warning(
			"network with bridge %s is no longer configured; its policy stays, as %s",
			bridge, buf_str(&who));
	docker_containers_free(&query->containers);
	query->containers = (struct docker_containers){ 0 };
	buf_free(&who);
	return any;
}

/* Without a Docker that runs, the files are obeyed at once. */
static int ask_docker(const struct options *options, struct drain *drain, struct err *err)
{
	struct docker *docker = NULL;
	struct query query = { 0 };
	int r = docker_open(options->docker, monotonic_ms, &docker, err);

	if (r < 0)
		return r;
	ask_networks(docker, &query);
	for (size_t i = drain->n; i-- > 0;) {
		/* What a daemon at work has found out holds. */
		if (drain->items[i].occupied && lock_has_daemon(NULL))
			continue;
		if (docker_socket_absent(query.error.code) ||
		    !attached(docker, &query, drain->items[i].bridge))
			drain_remove(drain, drain->items[i].bridge);
	}
	docker_close(docker);
	docker_networks_free(&query.networks);
	err_free(&query.error);
	return 0;
}

int find_draining(const struct options *options, struct drain *drain, struct policy *policy,
		  struct err *err)
{
	struct nft_reader *reader = NULL;
	struct actual actual = { 0 };
	int r = nft_reader_open(&reader, err);

	if (r >= 0)
		r = nft_read_table(reader, &actual, err);
	if (r >= 0) {
		drain_adopt(drain, &actual, policy, true);
		if (drain->n > 0)
			r = ask_docker(options, drain, err);
	}
	if (r >= 0)
		r = drain_merge(drain, policy, err);
	actual_free(&actual);
	nft_reader_close(reader);
	return r;
}
