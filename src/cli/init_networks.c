/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init chooses the networks whose containers it confines: those that were given, or those that Docker has, or a new one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/suggest.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/system/log.h"
#include "init_plan.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* Docker's own networks: nobody who says yes to everything means these. */
static const struct {
	const char *name, *whose;
} docker_own[] = {
	{ INIT_DEFAULT_NETWORK, ", of containers that name no network" },
	{ "docker_gwbridge", ", of the services of a swarm" },
};

/* ---- the list ---- */

static struct init_network *add(struct init_plan *plan, const char *name)
{
	struct init_network *network;

	plan->networks = array_grow(plan->networks, &plan->cap_networks, plan->n_networks,
				    sizeof(*plan->networks));
	network = &plan->networks[plan->n_networks++];
	*network = (struct init_network){ .name = arena_strdup(&plan->arena, name) };
	return network;
}

static bool is_chosen(const struct init_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_networks; i++)
		if (strcasecmp(plan->networks[i].name, name) == 0)
			return true;
	return false;
}

static void add_external(struct init_plan *plan, const struct docker_network *docker)
{
	struct init_network *network = add(plan, docker->name);

	network->external = true;
	for (size_t i = 0; i < docker->n_subnets; i++)
		if (docker->subnets[i].prefix.addr.family == FAMILY_IPV6)
			network->ipv6 = true;
}

/* The names that a file can have, which all current versions of Docker keep to. */
static bool is_sayable(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NETWORK_NAME_MAX && isalnum((unsigned char)name[0]) &&
	       strspn(name, NAME_CHARS) == len;
}

static bool is_bridge(const struct docker_network *network)
{
	return strcmp(network->driver, "bridge") == 0;
}

static const char *first_subnet(const struct docker_network *network, char text[ADDR_STRLEN])
{
	if (network->n_subnets == 0)
		return "no subnet";
	return prefix_format(&network->subnets[0].prefix, text);
}

/* ---- a subnet for a new one ---- */

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_covers(a, b) || prefix_covers(b, a);
}

static bool is_taken(const struct init_plan *plan, const struct prefix *subnet)
{
	for (size_t i = 0; i < plan->docker.n; i++)
		for (size_t k = 0; k < plan->docker.items[i].n_subnets; k++)
			if (overlaps(subnet, &plan->docker.items[i].subnets[k].prefix))
				return true;
	for (size_t i = 0; i < plan->n_networks; i++)
		if (!plan->networks[i].external && overlaps(subnet, &plan->networks[i].subnet))
			return true;
	for (size_t i = 0; i < plan->own.n; i++)
		if (prefix_contains(subnet, &plan->own.items[i]))
			return true;
	for (size_t i = 0; i < plan->resolvers.n; i++)
		if (prefix_contains(subnet, &plan->resolvers.items[i]))
			return true;
	return false;
}

/* Below 172.31.0.0/16, where Docker chooses last (its default address pools begin at 172.17.0.0/16). */
static bool find_subnet(const struct init_plan *plan, struct prefix *ret)
{
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t bytes[4] = { 172, 31, (uint8_t)i, 0 };
		const struct ipaddr addr = ipaddr_from_bytes(FAMILY_IPV4, bytes);

		*ret = prefix_of(&addr, 24);
		if (!is_taken(plan, ret))
			return true;
	}
	return false;
}

static int refuse_name(const char *name)
{
	struct buf found = { 0 };

	quote_found(&found, name, strlen(name));
	log_error("init: %s cannot be a new network: its bridge is called like it in lower case, "
		  "so that "
		  "it has 1 to %d of A-Z a-z 0-9 _ . - and begins with a letter or digit",
		  buf_str(&found), BRIDGE_NAME_MAX);
	buf_free(&found);
	return EXIT_USAGE;
}

/* subnet NULL: a free one. */
static int add_new(struct init_plan *plan, const char *name, const struct prefix *subnet)
{
	cleanup(cleanup_free) char *bridge = lower_case(xstrdup(name));
	char text[ADDR_STRLEN];
	struct prefix free_one;

	if (!network_bridge_valid(bridge) || strcmp(bridge, "host") == 0 ||
	    strcmp(bridge, "none") == 0)
		return refuse_name(name);
	if (!subnet && !find_subnet(plan, &free_one)) {
		log_error("init: no /24 of 172.31.0.0/16 is free for network %s: give one, "
			  "--subnet CIDR",
			  name);
		return EXIT_FAILED;
	}
	if (subnet && is_taken(plan, subnet)) {
		log_error("init: network %s: another network, or this host, has addresses of %s: "
			  "give "
			  "another subnet",
			  name, prefix_format(subnet, text));
		return EXIT_FAILED;
	}
	add(plan, name)->subnet = subnet ? *subnet : free_one;
	return EXIT_DONE;
}

/* ---- those that were given ---- */

static void report_silence(const struct init_plan *plan)
{
	log_error(
		"init: Docker does not say which networks it has: %s; start Docker, or have a new "
		"network: --network %s --subnet 172.31.0.0/24",
		plan->docker_error, INIT_NETWORK_NAME);
}

static int add_given_external(struct init_plan *plan, const struct docker_network *docker,
			      bool has_subnet)
{
	char text[ADDR_STRLEN];

	if (!is_bridge(docker)) {
		log_error("init: Docker's network %s is of driver \"%s\"; only networks of driver "
			  "\"bridge\" can be confined",
			  docker->name, docker->driver);
		return EXIT_FAILED;
	}
	if (!is_sayable(docker->name)) {
		log_error("init: no file can have the name of Docker's network \"%s\"",
			  docker->name);
		return EXIT_FAILED;
	}
	if (has_subnet) {
		log_error("init: Docker has network %s already, with %s: leave its --subnet out",
			  docker->name, first_subnet(docker, text));
		return EXIT_USAGE;
	}
	add_external(plan, docker);
	return EXIT_DONE;
}

static int add_given(const struct init_given *given, size_t i, struct init_plan *plan)
{
	const struct docker_network *docker = docker_find_network(&plan->docker, given->names[i]);

	if (is_chosen(plan, given->names[i])) {
		log_error("init: --network %s is given twice; letter case does not count",
			  given->names[i]);
		return EXIT_USAGE;
	}
	if (docker)
		return add_given_external(plan, docker, given->has_subnet[i]);
	if (!plan->docker_version && !given->has_subnet[i]) {
		report_silence(plan);
		return EXIT_FAILED;
	}
	return add_new(plan, given->names[i], given->has_subnet[i] ? &given->subnets[i] : NULL);
}

/* ---- those that Docker has ---- */

static const char *whose(const struct docker_network *network)
{
	for (size_t i = 0; i < ARRAY_SIZE(docker_own); i++)
		if (strcmp(network->name, docker_own[i].name) == 0)
			return docker_own[i].whose;
	return NULL;
}

/* 1: confine it, 0: do not, -1: the end of input. */
static int ask_about(const struct init_options *options, const struct docker_network *network)
{
	const char *own = whose(network);
	cleanup(cleanup_free) char *question = NULL;
	char text[ADDR_STRLEN];

	if (options->yes)
		return !own;
	question = xasprintf("Confine the containers of network %s (%s%s)?", network->name,
			     first_subnet(network, text), own ? own : "");
	return init_yes(question, !own);
}

static bool can_ask_about(const struct init_plan *plan, const struct docker_network *network)
{
	if (!is_bridge(network))
		return false;
	if (!is_sayable(network->name))
		log_warning("init: left out: network \"%s\", as no file can have that name",
			    network->name);
	else if (is_chosen(plan, network->name))
		log_warning(
			"init: left out: network %s, as the name of another differs in letter case "
			"only",
			network->name);
	else
		return true;
	return false;
}

static int choose_of_docker(const struct init_options *options, struct init_plan *plan)
{
	for (size_t i = 0; i < plan->docker.n; i++) {
		const struct docker_network *network = &plan->docker.items[i];
		int chosen = can_ask_about(plan, network) ? ask_about(options, network) : 0;

		if (chosen < 0)
			return EXIT_FAILED;
		if (chosen)
			add_external(plan, network);
	}
	return EXIT_DONE;
}

/* ---- a new one ---- */

static int ask_new(const struct init_options *options, struct init_plan *plan)
{
	cleanup(cleanup_free) char *name = NULL;
	int wanted = options->yes ? 1 : init_yes("Have a new network made?", true);

	if (wanted < 0)
		return EXIT_FAILED;
	if (!wanted) {
		log_error("init: no network was chosen; nothing was written");
		return EXIT_FAILED;
	}
	if (!options->yes) {
		name = init_answer("Its name [" INIT_NETWORK_NAME "]?");
		if (!name)
			return EXIT_FAILED;
	}
	return add_new(plan, name && name[0] ? name : INIT_NETWORK_NAME, NULL);
}

int init_choose_networks(const struct init_options *options, struct init_plan *plan)
{
	const struct init_given *given = &options->networks;
	int status = EXIT_DONE;

	for (size_t i = 0; status == EXIT_DONE && i < given->n; i++)
		status = add_given(given, i, plan);
	if (status != EXIT_DONE || given->n > 0)
		return status;
	if (!plan->docker_version) {
		report_silence(plan);
		return EXIT_FAILED;
	}
	if (!init_can_ask(options, "which networks to confine", "--network NAME"))
		return EXIT_USAGE;
	status = choose_of_docker(options, plan);
	if (status == EXIT_DONE && plan->n_networks == 0)
		status = ask_new(options, plan);
	return status;
}
