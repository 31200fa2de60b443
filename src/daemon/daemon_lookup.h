/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name is looked up once, to tell people what DNS says of it, just as the DNS gate would ask: without /etc/hosts and
 * search domains. No set gets its addresses.
 */
#ifndef DOCKSIDE_DAEMON_DAEMON_LOOKUP_H
#define DOCKSIDE_DAEMON_DAEMON_LOOKUP_H

#include "dockside/names/resolved.h"
#include "loop.h"

struct daemon_lookup;

/* Asks the servers for both families of a name. Posts NOTE_SETTLED when both have an answer, or have failed. */
struct daemon_lookup *daemon_lookup_open(struct loop *loop, const char *name,
					 const struct ipaddr *servers, size_t n);
/* daemon_lookup_close(NULL) is valid. */
void daemon_lookup_close(struct daemon_lookup *lookup);
/* Borrowed. Until it is done, one family of it may have no state yet. */
const struct resolved_name *daemon_lookup_result(const struct daemon_lookup *lookup);
bool daemon_lookup_done(const struct daemon_lookup *lookup);

#endif
