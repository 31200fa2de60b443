/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's knowledge of Docker. Private to daemon_docker*.c. */
#ifndef DOCKSIDE_DAEMON_DAEMON_DOCKER_STATE_H
#define DOCKSIDE_DAEMON_DAEMON_DOCKER_STATE_H

#include "daemon_docker.h"
#include "dockside/base/err.h"
#include "dockside/docker/docker_provide.h"
#include "loop_docker.h"

#define DESTROYED_MAX 64

/* A fault of a network in Docker, in words. */
struct docker_note {
	char *network, *text;
};

struct daemon_docker {
	struct loop *loop;
	const struct enforcer *enforcer;
	struct placing *placing;
	char **late; /* external networks that have come, of which nobody was told */
	size_t n_late;
	const char *path;
	struct loop_docker client;
	struct daemon_attached *attached;
	sd_event_source *retry_timer, *absent_timer, *look_timer, *start_timer;

	struct err error;	   /* why Docker cannot be asked; code 0: it answers */
	bool asked;		   /* the first pass has ended */
	bool start_over;	   /* READY waits for it no longer */
	struct docker_about about; /* of the last that answered */
	char *backend;
	char *logged_error; /* the last one */
	uint64_t away_since_ms, backoff_ms;
	bool away;

	bool stream, following; /* asked for; open */
	bool stream_complained;
	uint64_t opened_ms;

	bool passing, again;
	uint64_t n_passes, listed_by; /* how many have begun; the one that the last list is of */
	bool outdated;		      /* a network has come or gone since the pass began */
	enum docker_provide_mode mode, again_mode; /* of the pass; of the next one */
	bool reset_due;
	char **let_go; /* names of networks that somebody removed from Docker while we looked */
	size_t n_let_go;

	struct docker_wanted_list wanted;
	struct docker_networks networks; /* the last list */
	bool listed;			 /* there has been one */
	char *destroyed
		[DESTROYED_MAX]; /* ids of the networks that went last: Docker gives none twice */
	size_t n_destroyed;	 /* of all that went, the last of which are there */
	struct docker_legs legs; /* who is on which network */
	bool has_legs;
	bool looking_soon;	   /* a look is due soon: not later for what happens meanwhile */
	struct docker_note *notes; /* of the last pass, without what it did */
	size_t n_notes;
};

/* ---- daemon_docker_sites.c: where external networks are ---- */

/* Docker has destroyed a network: an answer of Docker's from before that has it still. */
void daemon_docker_sites_destroyed(struct daemon_docker *k, const char *id);
/* Takes those that are destroyed out of the last list. */
void daemon_docker_sites_correct(struct daemon_docker *k);
/* Docker is away: what comes next are new answers. */
void daemon_docker_sites_forget_destroyed(struct daemon_docker *k);
/* By the last list. */
void daemon_docker_sites_look(struct daemon_docker *k);
/* Docker has made a network. */
void daemon_docker_sites_made(struct daemon_docker *k, const struct docker_event *event);

#endif
