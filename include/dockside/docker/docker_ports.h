/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's word of who is attached to a network, for whoever wants to know who is on which port of its bridge. */
#ifndef DOCKSIDE_DOCKER_DOCKER_PORTS_H
#define DOCKSIDE_DOCKER_DOCKER_PORTS_H

#include "dockside/docker/docker_parse.h"
#include "dockside/docker/docker_wanted.h"
#include "dockside/names/ports_join.h"
#include "dockside/policy/model.h"

/* at: when Docker was asked, see ports_join.h. Containers without a MAC address are left out. *ret_word is a copy;
 * port_word_free(). */
void docker_port_word(const struct docker_containers *containers, const char *bridge, uint64_t at,
		      struct port_word *ret_word);

/* The dockside container as it is configured, for struct port_word; NULL without a MAC address. The word that has it frees
 * it. */
struct port_owner *docker_port_configured(const struct docker_wanted_identity *identity);

/* The words, by network of the policy, of a Docker that has not answered. The caller frees each with port_word_free(), and
 * then the list. */
void docker_port_silence(const struct policy *policy, struct port_word **ret_words);

#endif
