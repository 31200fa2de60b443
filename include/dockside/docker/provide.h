/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over Docker's networks (SPEC §9): asks what Docker is and has, makes what is
 * missing, and says what is other than wanted. Does not wait and does not log.
 */
#ifndef DOCKSIDE_DOCKER_PROVIDE_H
#define DOCKSIDE_DOCKER_PROVIDE_H

#include "dockside/docker/docker.h"
#include "dockside/docker/networks.h"

enum provide_mode {
	PROVIDE_LOOK,	/* asks for the lists only, changes nothing */
	PROVIDE_ASK,	/* the same of a Docker that has not been asked before */
	PROVIDE_CREATE, /* networks that are missing */
	PROVIDE_RESET,	/* first removes all that are wanted and exist */
};

enum provide_kind {
	PROVIDE_CREATED,
	PROVIDE_REMOVED,
	PROVIDE_DIFFERS, /* in what judged.h does not say */
	PROVIDE_FAILED,	 /* Docker refused to create or remove it */
};

/* What was done to, or is wrong with, a network. */
struct provide_note {
	enum provide_kind kind;
	const char *network; /* its name, in the list of wanted ones */
	char *text;	     /* "network ds-prod: …" */
};

struct provide_result {
	struct err
		error; /* Docker could not be asked, or no longer; code 0: the pass is complete */
	struct engine_about about; /* version NULL: it did not tell */
	char *backend;		   /* its firewall backend; NULL: it did not tell */
	struct networks_list wanted;
	struct engine_networks networks; /* what Docker has, at the end of a complete pass */
	struct engine_legs legs;
	bool has_legs;
	struct provide_note *notes; /* in the order of their coming */
	size_t n_notes, cap_notes;
};

/* result is the callback's to keep parts of: what it takes it replaces by zero. */
typedef void (*provide_done_fn)(void *data, struct provide_result *result);

/* Consumes *wanted. done is called once, from where the client calls back; not if docker_close() comes
 * first, but for an error ECANCELED. A pass ends at the first request that Docker does not answer. */
void provide_start(struct docker *docker, struct networks_list *wanted, enum provide_mode mode,
		   provide_done_fn done, void *data);

bool provide_has(const struct provide_result *result, enum provide_kind kind);

#endif
