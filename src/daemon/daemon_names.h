/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_NAMES_H
#define DOCKSIDE_DAEMON_DAEMON_NAMES_H

#include <stdbool.h>

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/*
 * Asks DNS for the names of the running policy, and gives the sets their addresses. Posts NOTE_SETTLED, NOTE_STATUS,
 * NOTE_SERVERS and NOTE_SETS_FAILED.
 */
struct daemon_names;

/* Returns 0 or -errno. daemon_names_close(NULL) is valid. */
int daemon_names_open(struct loop *loop, struct enforcer *enforcer, struct daemon_names **ret_names,
		      struct err *err);
void daemon_names_close(struct daemon_names *k);

/* Asks the names that are due and waits for the next. */
void daemon_names_ask(struct daemon_names *k);
/* The names' addresses have changed otherwise than by an answer: the sets follow soon. */
void daemon_names_changed(struct daemon_names *k);
/* systemd knows of the alarms about names: NOTE_STATUS is posted when there are more or fewer. */
void daemon_names_told(struct daemon_names *k);

/* Whether every name that was asked until then has been answered, or has failed, and the sets have it. */
bool daemon_names_settled(const struct daemon_names *k, uint64_t until_ms);
/* Lists the name servers that are spared, and why; NULL: none. The caller frees it. */
char *daemon_names_trouble(const struct daemon_names *k);
/* The host's name servers, but those with a zone. Returns how many there are. */
size_t daemon_names_servers(const struct daemon_names *k, struct ipaddr *ret_servers, size_t max);

#endif
