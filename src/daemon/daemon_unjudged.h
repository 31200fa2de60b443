/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_UNJUDGED_H
#define DOCKSIDE_DAEMON_DAEMON_UNJUDGED_H

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Ends connections that were opened while the rules were gone, or that go on as they could not begin any more. */
struct daemon_unjudged;

/* daemon_unjudged_close(NULL) is valid. */
struct daemon_unjudged *daemon_unjudged_open(struct loop *loop, const struct enforcer *enforcer);
void daemon_unjudged_close(struct daemon_unjudged *u);

/* The rules are back: connections that were opened without them end, soon. */
void daemon_unjudged_end(struct daemon_unjudged *u);
/* The same of one network, whose bridge has been there for a moment before the rules. */
void daemon_unjudged_end_of(struct daemon_unjudged *u, const char *bridge);
/* DNS gates were turned on or off: older conversations with name servers end, soon (dns_ends.h). */
void daemon_unjudged_end_dns(struct daemon_unjudged *u);
/* Ends those that are still to end at once: nobody will later. */
void daemon_unjudged_last(struct daemon_unjudged *u);
/* Connections that it has ended. */
uint64_t daemon_unjudged_ended(const struct daemon_unjudged *u);

#endif
