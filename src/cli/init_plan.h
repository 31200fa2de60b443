/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init: what it is going to write, and the steps to that. Each step fills its part of the plan and reports its own
 * failure; nothing is written before the last one.
 */
#ifndef DOCKSIDE_CLI_INIT_PLAN_H
#define DOCKSIDE_CLI_INIT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/docker/docker_parse.h"
#include "dockside/docker/docker_resolver.h"
#include "dockside/policy/preset.h"
#include "dockside/system/own_addrs.h"

#define INIT_GIVEN_MAX 64
#define INIT_DEFAULT_NETWORK "bridge" /* Docker's own: of containers that name none */
#define INIT_NETWORK_NAME "ds-agents" /* of a network that nobody has named */

/* --network, each with its --subnet or without one. */
struct init_given {
	const char *names[INIT_GIVEN_MAX];
	struct prefix subnets[INIT_GIVEN_MAX];
	bool has_subnet[INIT_GIVEN_MAX];
	size_t n;
};

struct init_words {
	const char *items[INIT_GIVEN_MAX];
	size_t n;
};

struct init_options {
	const char *directory, *docker;
	struct init_given networks;
	struct init_words presets; /* as they were given: lists with commas */
	struct resolvers dns;	   /* n 0: find out */
	bool yes, list_presets;
};

struct init_network {
	const char *name;
	bool external; /* Docker has it */
	bool ipv6;
	struct prefix subnet; /* of one that is not external */
};

struct init_plan {
	struct arena arena;
	struct presets all;
	struct init_network *networks;
	size_t n_networks, cap_networks;
	const struct preset *presets[INIT_GIVEN_MAX];
	size_t n_presets;
	/* That Docker asks for containers; those of Docker's default network ask by themselves, and none on the loopback. */
	struct resolvers resolvers;
	bool resolvers_given; /* by --dns */
	struct own_addrs own;
	/* Docker's word; docker_version NULL: it did not answer, and docker_error says why. */
	struct docker_networks docker;
	char *docker_version, *docker_error;
};

void init_plan_free(struct init_plan *plan);

/* ---- steps: 0, or an exit status after they have said why ---- */

/* Asks Docker. It is no failure that it does not answer. */
int init_ask_docker(const struct init_options *options, struct init_plan *plan);
int init_find_resolvers(const struct init_options *options, struct init_plan *plan);
int init_choose_networks(const struct init_options *options, struct init_plan *plan);
int init_choose_presets(const struct init_options *options, struct init_plan *plan);
/* Both files or neither, and over none that is there. */
int init_write(const char *network_path, const char *firewall_path, const struct buf *network,
	       const struct buf *firewall);

/* ---- parts ---- */

void init_network_text(const struct init_plan *plan, const char *date, struct buf *b);
void init_firewall_text(const struct init_plan *plan, const char *date, struct buf *b);
bool init_is_default(const struct init_network *network);
/* Whether its containers ask the DNS gate: not where Docker asks a resolver on the loopback in their place, which the gate
 * cannot hear. Wildcards are for ipsets that only such networks use. */
bool init_is_gated(const struct init_plan *plan, const struct init_network *network);
bool init_any_gated(const struct init_plan *plan);
bool init_all_gated(const struct init_plan *plan);
/* Whether the name server is this host itself. */
bool init_is_own(const struct init_plan *plan, const struct ipaddr *addr);
/* Adds the presets of a list with commas. False: there is no such one, which is reported. */
bool init_add_presets(struct init_plan *plan, const char *list);
void init_print_presets(const struct presets *presets);

/* ---- questions ---- */

/* Without a terminal nobody answers: says which option does. */
bool init_can_ask(const struct init_options *options, const char *what, const char *option);
/* An answer without blanks around it, which the caller frees; "" is what Enter alone gives; NULL: the end of input. */
char *init_answer(const char *question);
/* 1: yes, 0: no, -1: the end of input. */
int init_yes(const char *question, bool otherwise);

#endif
