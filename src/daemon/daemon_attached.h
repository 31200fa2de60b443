/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_ATTACHED_H
#define DOCKSIDE_DAEMON_DAEMON_ATTACHED_H

#include <stdbool.h>

#include "dockside/docker/docker_wanted.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/names/ports_join.h"
#include "loop_docker.h"

/*
 * The containers that are attached to the networks that are configured, or draining, by Docker's
 * last word. Posts NOTE_ATTACHED and NOTE_SETTLED; and NOTE_DOCKER_LOST when Docker does not
 * answer.
 */
struct daemon_attached;

enum attached {
	ATTACHED_NONE,
	ATTACHED_SOME,
	ATTACHED_UNKNOWN,   /* Docker does not say, or not yet */
	ATTACHED_NO_DOCKER, /* none has run since we do: the bridge's ports may tell */
};

/* Borrows the client, which may be opened later: before it is, nothing is to be asked.
 * daemon_attached_close(NULL) is valid; the client is to be closed before. */
struct daemon_attached *daemon_attached_open(struct loop_docker *docker,
					     const struct enforcer *enforcer);
void daemon_attached_close(struct daemon_attached *k);

/* Makes the list of networks anew, from what is wanted, the draining ones and Docker's last list; what is known of
 * who is attached stays. */
void daemon_attached_see(struct daemon_attached *k, const struct docker_wanted_list *wanted,
			 const struct docker_networks *networks);
/* Whether Docker answers at present, as the caller has found: else nothing is asked. */
void daemon_attached_set_answers(struct daemon_attached *k, bool answers);
/* Why Docker did not answer this service; code 0: it answered, or was not asked. */
const struct err *daemon_attached_lost(const struct daemon_attached *k);
/* Has all of them asked anew, with the next daemon_attached_inspect(). */
void daemon_attached_all_stale(struct daemon_attached *k);
/* Asks for what is stale, a few at a time. */
void daemon_attached_inspect(struct daemon_attached *k);
/* Docker's events of a network. The name of the removed one, if it is configured, or NULL; borrowed until
 * daemon_attached_see(). */
void daemon_attached_changed(struct daemon_attached *k, const char *id);
const char *daemon_attached_destroyed(struct daemon_attached *k, const char *id);

/* Whether a configured or draining network has that id, and was not destroyed. */
bool daemon_attached_has(const struct daemon_attached *k, const char *id);

/* Whether all has been asked of who is attached to networks that are to go. */
bool daemon_attached_settled(const struct daemon_attached *k);
/* One of the first three, if Docker answers. */
enum attached daemon_attached_is(const struct daemon_attached *k, const char *bridge);
/* Forgets what was known of it: Docker is asked anew. */
void daemon_attached_doubt(struct daemon_attached *k, const char *bridge);
/* Asks anew if that was some time ago. */
void daemon_attached_renew(struct daemon_attached *k, const char *bridge);
/* The name of the container with that address on the network, or else with that MAC address (or NULL); NULL if
 * none is known. Borrowed until Docker is asked again, which is soon if it is not known. */
const char *daemon_attached_container(struct daemon_attached *k, const char *bridge,
				      const struct ipaddr *addr, const uint8_t *mac);

/* For ports_join(): what Docker last said of each network, with the time in microseconds of monotonic_us() when it was
 * asked. Returns their number; the caller frees each with port_word_free(), and then the list. */
size_t daemon_attached_words(const struct daemon_attached *k, struct port_word **ret_words);
/* Asks anew, unless the answer to a question is on its way that was asked after that time. */
void daemon_attached_ask(struct daemon_attached *k, const char *bridge, uint64_t after_us);

/* A container of that name: the next network from *index on that it is on, or NULL. The container is borrowed until
 * Docker is asked again. */
const struct docker_container *daemon_attached_find(const struct daemon_attached *k,
						    const char *name, size_t *index,
						    const char **ret_bridge);

/* A network, for `status`. Borrowed. */
struct attached_view {
	const char *name;
	bool there; /* Docker has it */
	bool known; /* so is who is attached */
	bool managed;
	size_t n;
	const char *impostor; /* docker_wanted_impostor(), or NULL */
};

/* false: it is neither configured nor draining. */
bool daemon_attached_view(const struct daemon_attached *k, const char *bridge,
			  struct attached_view *ret);

/* Calls fn for each container of a managed network that has NET_RAW. Returns whether these are all: Docker has been asked
 * for each container. */
typedef void (*attached_name_fn)(void *data, const char *name);
bool daemon_attached_net_raw(const struct daemon_attached *k, const char *bridge,
			     attached_name_fn fn, void *data);

#endif
