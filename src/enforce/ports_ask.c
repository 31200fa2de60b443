/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/ports_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/docker/docker_client.h"
#include "dockside/docker/docker_ports.h"
#include "dockside/system/clock.h"
#include "dockside/system/link_peers.h"

/* The order of the questions (ports_join.h). */
#define KERNEL_ASKED 1
#define DOCKER_ASKED 2

struct asking {
	const struct policy *policy;
	struct docker *docker;
	uint64_t deadline_ms;
	struct docker_networks networks;
	struct port_word *words; /* by network of the policy */
	size_t next;		 /* network to ask for */
	size_t asked;		 /* that is being asked for */
};

/* 0: it is over. */
static unsigned time_left(const struct asking *asking)
{
	uint64_t now_ms = monotonic_ms();

	return now_ms < asking->deadline_ms ? (unsigned)(asking->deadline_ms - now_ms) : 0;
}

static void ask(struct asking *asking, const char *path, const char *what, docker_answer_fn fn)
{
	unsigned ms = time_left(asking);

	if (ms > 0)
		docker_ask(asking->docker, "GET", path, NULL, ms, what, fn, asking);
}

static void ask_next(struct asking *asking);

static void on_attached(void *data, const struct docker_answer *answer)
{
	struct asking *asking = data;
	const struct network *network = &asking->policy->networks[asking->asked];
	struct docker_containers containers = { 0 };

	if (answer->error.code == 0 &&
	    docker_parse_containers(answer->body, answer->len, &containers, NULL) >= 0) {
		port_word_free(&asking->words[asking->asked]);
		docker_port_word(&containers, network->bridge, DOCKER_ASKED,
				 &asking->words[asking->asked]);
		docker_containers_free(&containers);
	}
	if (answer->error.code == 0 || answer->error.code == EREMOTEIO)
		ask_next(asking);
}

static const struct docker_network *find(const struct docker_networks *networks,
					 const struct network *wanted)
{
	for (size_t i = 0; i < networks->n; i++)
		if (strcmp(networks->items[i].name, wanted->name) == 0 &&
		    strcmp(networks->items[i].bridge, wanted->bridge) == 0)
			return &networks->items[i];
	return NULL;
}

/* One after the other: there are few, and Docker is on this host. */
static void ask_next(struct asking *asking)
{
	while (asking->next < asking->policy->n_networks) {
		const struct docker_network *network =
			find(&asking->networks, &asking->policy->networks[asking->next]);
		cleanup(cleanup_free) char *path = NULL;

		asking->asked = asking->next++;
		if (!network)
			continue;
		path = xasprintf("/networks/%s", network->id);
		ask(asking, path, "ask who is attached", on_attached);
		return;
	}
}

static void on_networks(void *data, const struct docker_answer *answer)
{
	struct asking *asking = data;

	if (answer->error.code == 0 &&
	    docker_parse_networks(answer->body, answer->len, &asking->networks, NULL) >= 0)
		ask_next(asking);
}

static void on_version(void *data, const struct docker_answer *answer)
{
	if (answer->error.code == 0)
		ask(data, "/networks", "list the networks", on_networks);
}

static int ask_docker(struct asking *asking, const char *socket, struct err *err)
{
	int r = docker_open(socket, monotonic_ms, &asking->docker, err);

	if (r < 0)
		return r;
	ask(asking, "/version", "ask for the version", on_version);
	r = docker_wait(asking->docker, err);
	docker_close(asking->docker);
	docker_networks_free(&asking->networks);
	return r;
}

int ports_ask(const struct policy *policy, const char *socket, unsigned ms,
	      const struct port_seeds *seeds, struct ports *ret_ports, struct err *err)
{
	struct asking asking = { .policy = policy, .deadline_ms = monotonic_ms() + ms };
	struct ports_history history = { 0 };
	struct port_links links = { 0 };
	int r = link_peers_read(&history, KERNEL_ASKED, &links, err);

	if (r < 0)
		return r;
	if (seeds)
		ports_seed(&history, &links, seeds);
	docker_port_silence(policy, &asking.words);
	if (socket && policy->n_networks > 0)
		r = ask_docker(&asking, socket, err);
	if (r >= 0)
		ports_join(&history, &links, asking.words, policy->n_networks, ret_ports);
	for (size_t i = 0; i < policy->n_networks; i++)
		port_word_free(&asking.words[i]);
	free(asking.words);
	port_links_free(&links);
	ports_history_free(&history);
	return r;
}
