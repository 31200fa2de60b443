/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon knows of Docker. Private to daemon_docker*.c. */
#ifndef DOCKSIDE_DAEMON_DAEMON_DOCKER_H
#define DOCKSIDE_DAEMON_DAEMON_DOCKER_H

#include "dockside/base/err.h"
#include "dockside/daemon/daemon.h"
#include "dockside/docker/docker_provide.h"

/* A network that is configured, or draining. */
struct seen {
	char *name, *bridge;
	char *id; /* NULL: Docker does not have it */
	bool draining;
	struct docker_wanted_identity identity;
	bool stale;  /* who is attached is to be asked */
	bool asking; /* is being asked */
	bool known;  /* has been answered */
	uint64_t known_ms;
	struct docker_containers containers;
	char *other_mac;   /* docker_wanted_other_mac() */
	size_t restarting; /* of a draining network: containers that Docker will start again */
};

/* What is wrong with a network. */
struct docker_note {
	char *network, *text;
};

struct daemon_docker {
	struct daemon *daemon;
	struct docker *client;
	sd_event_source *io, *timer;
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
	enum docker_provide_mode mode, again_mode; /* of the pass; of the next one */
	bool reset_due;
	char **let_go; /* names of networks that somebody removed from Docker while we looked */
	size_t n_let_go;

	struct docker_wanted_list wanted;
	struct docker_networks networks; /* the last list */
	bool listed;			 /* there has been one */
	struct docker_legs legs;	 /* who is on which network */
	bool has_legs;
	bool looking_soon;	   /* a look is due soon: not later for what happens meanwhile */
	struct docker_note *notes; /* of the last pass, without what it did */
	size_t n_notes;

	struct seen *seen;
	size_t n_seen;
	size_t inspecting; /* requests */
};

/* Arms the timer of the client; after everything that starts a request. */
void daemon_docker_arm(struct daemon_docker *k);
/* Docker did not answer, or its stream ended. */
void daemon_docker_lost(struct daemon_docker *k, const struct err *error);

/* Makes the list of seen ones anew, from policy, draining networks and Docker's last list; what is known of
 * who is attached stays. */
void daemon_docker_see(struct daemon_docker *k);
struct seen *daemon_docker_seen_id(struct daemon_docker *k, const char *id);
void daemon_docker_all_stale(struct daemon_docker *k);
/* Asks for what is stale, a few at a time. */
void daemon_docker_inspect(struct daemon_docker *k);
void daemon_docker_forget(struct daemon_docker *k);

#endif
