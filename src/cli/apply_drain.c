/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draining without a daemon. As long as Docker says that containers are attached to a network that
 * is no longer configured, its last policy stays; a later run that finds none attached removes it.
 * If Docker does not answer, that counts as attached; if no Docker runs, we obey the files at once.
 */
#include "apply_drain.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/file.h"
#include "dockside/docker/docker_wanted.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"

struct query {
	struct docker_talk *talk;
	struct err error;
	struct docker_containers containers;
	size_t restarting;
};

static void keep_error(struct query *query, const struct err *error)
{
	if (query->error.code == 0)
		err_set(&query->error, error->code, "%s", error->text);
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

static void ask_attached(struct query *query, const char *bridge)
{
	const struct docker_networks *networks = &query->talk->networks;
	struct docker *docker = query->talk->docker;

	for (size_t i = 0; query->error.code == 0 && i < networks->n; i++) {
		const char *id = networks->items[i].id;

		if (strcmp(networks->items[i].bridge, bridge) != 0)
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

/* Whether containers are attached to a network; says who. */
static bool attached(struct query *query, const struct network *network)
{
	struct docker_wanted_identity dockside = docker_wanted_identity_of(network);
	struct buf who = { 0 };
	bool any;

	ask_attached(query, network->bridge);
	if (query->error.code)
		buf_printf(&who, "whether containers are attached is not known: %s",
			   query->error.text);
	else if (docker_wanted_count_attached(&query->containers, query->restarting, &dockside) > 0)
		put_names(&who, query);
	any = who.len > 0;
	if (any)
		log_warning(
			"network with bridge %s is no longer configured; its policy stays, as %s",
			network->bridge, buf_str(&who));
	docker_containers_free(&query->containers);
	query->containers = (struct docker_containers){ 0 };
	query->restarting = 0;
	buf_free(&who);
	return any;
}

/* Lets go of the policy's draining networks that have drained. Without a Docker that runs, the files are obeyed
 * at once. */
static int ask_docker(struct docker_talk *talk, const struct policy *policy, struct drain *drain,
		      struct err *err)
{
	struct query query = { .talk = talk };
	int r = docker_talk_list(talk, err);

	if (r < 0)
		return r;
	if (!talk->listed)
		keep_error(&query, &talk->error);
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];
		const struct draining *item =
			network->draining ? drain_find(drain, network->bridge) : NULL;

		/* We believe a daemon at work, which asks Docker more often. */
		if (!item || (item->occupied && lock_has_daemon(NULL)))
			continue;
		if (docker_socket_absent(query.error.code) || !attached(&query, network))
			drain_remove(drain, network->bridge);
	}
	err_free(&query.error);
	return 0;
}

int find_draining(struct docker_talk *talk, struct drain *drain, struct policy *policy,
		  struct err *err)
{
	struct nft_reader *reader = NULL;
	struct actual actual = { 0 };
	int r = nft_reader_open(&reader, err);

	if (r >= 0)
		r = nft_read_table(reader, TABLE_INET, &actual, err);
	if (r >= 0) {
		drain_adopt(drain, &actual, policy, true);
		r = drain_merge(drain, policy, err);
	}
	if (r >= 0 && drain->n > 0) {
		r = ask_docker(talk, policy, drain, err);
		if (r >= 0)
			r = drain_merge(drain, policy, err);
	}
	actual_free(&actual);
	nft_reader_close(reader);
	return r;
}

/* ---- the state directory ---- */

int kept_open(struct kept *ret_kept, const struct files_options *files, const char *directory,
	      bool read_only, struct err *err)
{
	struct kept *kept = ret_kept;
	int r;

	*kept = (struct kept){ .state.dir.read_only = read_only };
	kept->network_path = path_absolute(files->network_config);
	kept->firewall_path = path_absolute(files->firewall_config);
	r = last_good_open(&kept->state, directory, err);
	placing_open(&kept->placing, &kept->state.dir);
	drain_open(&kept->drain, &kept->state, kept->network_path, kept->firewall_path);
	sites_apply(&kept->placing.sites, &kept->drain.last);
	return r;
}

void kept_close(struct kept *kept)
{
	drain_close(&kept->drain);
	placing_close(&kept->placing);
	last_good_close(&kept->state);
	free(kept->network_path);
	free(kept->firewall_path);
}
