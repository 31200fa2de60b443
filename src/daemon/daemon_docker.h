/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_DOCKER_H
#define DOCKSIDE_DAEMON_DAEMON_DOCKER_H

#include <stdbool.h>

#include "daemon_attached.h"
#include "dockside/enforce/judge.h"
#include "dockside/json/json_write.h"
#include "dockside/report/metrics.h"
#include "loop.h"

/*
 * Has Docker make the networks that it lacks, and knows what it has; tells placing where they are. Posts NOTE_SITES,
 * NOTE_DOCKER, NOTE_DOCKER_MADE and NOTE_SETTLED;
 * besides what daemon_attached.h posts, which is part of it.
 */
struct daemon_docker;

/* Borrows placing, and path, that of Docker's socket. Asks nothing before daemon_docker_start().
 * daemon_docker_close(NULL) is valid. */
struct daemon_docker *daemon_docker_open(struct loop *loop, const struct enforcer *enforcer,
					 struct placing *placing, const char *path);
void daemon_docker_close(struct daemon_docker *k);
/* Asks Docker for what it has, has it make what is missing, or with reset make all of it anew, and follows its
 * events. A policy has to run. Returns 0 or -errno. */
int daemon_docker_start(struct daemon_docker *k, bool reset, struct err *err);

/* Another policy runs: networks that Docker lacks are to be made. */
void daemon_docker_policy(struct daemon_docker *k);
/* The running policy has followed the external networks. */
void daemon_docker_placed(struct daemon_docker *k);
/* Calls fn for the name of each of them that has come, or gone elsewhere, since Docker's first word; told once. */
void daemon_docker_made_late(struct daemon_docker *k, attached_name_fn fn, void *data);
/* Asks Docker for what it has, unless it does not answer anyway. Posts NOTE_DOCKER. */
void daemon_docker_look(struct daemon_docker *k);
/* For NOTE_DOCKER_LOST. */
void daemon_docker_check(struct daemon_docker *k);

/* Whether READY has to wait for it no longer: it was asked, or has taken too long. */
bool daemon_docker_ready(const struct daemon_docker *k);
/* Whether all that the policy wants of Docker has been asked for, and of who is attached to networks that
 * are to go. */
bool daemon_docker_settled(const struct daemon_docker *k);

/* ---- daemon_docker_ask.c: what others ask ---- */

/* Docker's last word. Borrowed until it is asked again. */
struct judge_docker daemon_docker_word(const struct daemon_docker *k);

/* Whether containers are attached to a network, by Docker's last word. */
enum attached daemon_docker_attached(const struct daemon_docker *k, const char *bridge);
/* See daemon_attached.h. */
void daemon_docker_doubt(struct daemon_docker *k, const char *bridge);
void daemon_docker_renew(struct daemon_docker *k, const char *bridge);
const char *daemon_docker_container(struct daemon_docker *k, const char *bridge,
				    const struct ipaddr *addr, const uint8_t *mac);
size_t daemon_docker_words(const struct daemon_docker *k, struct port_word **ret_words);
void daemon_docker_ask(struct daemon_docker *k, const char *bridge, uint64_t after_us);
bool daemon_docker_net_raw(const struct daemon_docker *k, const char *bridge, attached_name_fn fn,
			   void *data);
/* The name of the managed network of a bridge, as configured or draining; NULL: there is none. */
const char *daemon_docker_managed(const struct daemon_docker *k, const char *bridge);
const struct docker_container *daemon_docker_find(const struct daemon_docker *k, const char *name,
						  size_t *index, const char **ret_bridge);

/* The list of networks that are named like ours and not configured; calls fn once, perhaps at once, with
 * names NULL and why where Docker does not say. */
typedef void (*daemon_orphans_fn)(void *data, const char *const *names, size_t n, const char *why);
void daemon_docker_orphans(struct daemon_docker *k, daemon_orphans_fn fn, void *data);

/* The rest is for `status` and `metrics`; k may be NULL: nothing is known of Docker. */
struct state_of daemon_docker_state(const struct daemon_docker *k);
/* The member "docker". */
void daemon_docker_status(const struct daemon_docker *k, struct json_writer *out);
/* Members of a network's object. */
void daemon_docker_status_network(const struct daemon_docker *k, struct json_writer *out,
				  const char *bridge, const struct judged *judged);

#endif
