/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over Docker's networks: asks for Docker's version and networks, makes the missing
 * ones, and lists the differences from those that we want. Does not wait and does not log.
 */
#ifndef DOCKSIDE_DOCKER_DOCKER_PROVIDE_H
#define DOCKSIDE_DOCKER_DOCKER_PROVIDE_H

#include "dockside/base/err.h"
#include "dockside/docker/docker_client.h"
#include "dockside/docker/docker_wanted.h"

enum docker_provide_mode {
	DOCKER_PROVIDE_LOOK,   /* asks for the lists only, changes nothing */
	DOCKER_PROVIDE_ASK,    /* the same of a Docker that has not been asked before */
	DOCKER_PROVIDE_CREATE, /* networks that are missing */
	DOCKER_PROVIDE_RESET,  /* first removes all that are wanted and exist */
};

enum docker_provide_kind {
	DOCKER_PROVIDE_CREATED,
	DOCKER_PROVIDE_REMOVED,
	DOCKER_PROVIDE_DIFFERS, /* in what judged.h does not say */
	DOCKER_PROVIDE_FAILED,	/* Docker refused to create or remove it */
};

/* Something that was done to a network, or is wrong with it. */
struct docker_provide_note {
	enum docker_provide_kind kind;
	const char *network; /* its name, in the list of wanted ones */
	char *text;	     /* "network ds-prod: …" */
};

struct docker_provide_result {
	struct err
		error; /* Docker could not be asked, or no longer; code 0: the pass is complete */
	struct docker_about about; /* version NULL: it did not tell */
	char *backend;		   /* its firewall backend; NULL: it did not tell */
	struct docker_wanted_list wanted;
	struct docker_networks networks; /* what Docker has, at the end of a complete pass */
	struct docker_legs legs;
	bool has_legs;
	struct docker_provide_note *notes; /* in the order of their coming */
	size_t n_notes, cap_notes;
};

/* result is the callback's to keep parts of: what it takes it replaces by zero. */
typedef void (*docker_provide_done_fn)(void *data, struct docker_provide_result *result);

/* Consumes *wanted. done is called once, from where the client calls back; not if docker_close() comes
 * first, but for an error ECANCELED. A pass ends at the first request that Docker does not answer. */
void docker_provide_start(struct docker *docker, struct docker_wanted_list *wanted,
			  enum docker_provide_mode mode, docker_provide_done_fn done, void *data);

bool docker_provide_has(const struct docker_provide_result *result, enum docker_provide_kind kind);

#endif
