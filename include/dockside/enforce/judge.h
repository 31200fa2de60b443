/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the kernel for the interfaces, and judges by them and by what Docker says (judged.h). */
#ifndef DOCKSIDE_ENFORCE_JUDGE_H
#define DOCKSIDE_ENFORCE_JUDGE_H

#include "dockside/enforce/judge_network.h"

/* By network of the list; zero-initialise, judge_result_free(). */
struct judge_result {
	struct judged *items;
	size_t n;
	size_t n_not; /* that are JUDGED_NOT */
};

/* Docker's answers; all of them may be absent (judged.h). */
struct judge_docker {
	const struct docker_networks *networks;
	const struct docker_legs *legs;
	bool failed;
	uint64_t n_asked;  /* how often the daemon has asked */
	uint64_t answered; /* which time it was that got these answers */
};

/* The rules are taken to be in the kernel. Does not log. */
void judge_networks(const struct docker_wanted_list *list, const struct judge_docker *docker,
		    struct judge_result *ret);
/* For a host with Docker: reads the host's files and warns if names can leave networks as DNS
 * questions (docker_resolver.h). Returns NULL if there is nothing to warn of; the caller frees the
 * text. */
char *judge_dns(const struct policy *policy);
struct resolvers;
/* Finds the name servers that Docker's resolver asks for containers, by the same files (doc/kernel.md, "Docker's
 * resolver"). */
void judge_resolvers(struct resolvers *ret);
void judge_result_free(struct judge_result *result);

#endif
