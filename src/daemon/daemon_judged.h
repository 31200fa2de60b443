/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_JUDGED_H
#define DOCKSIDE_DAEMON_DAEMON_JUDGED_H

#include "daemon_counters.h"
#include "daemon_view.h"
#include "dockside/enforce/judge.h"
#include "dockside/json/json_write.h"
#include "loop.h"

/*
 * Whether the packets of the running policy's networks reach its rules (judged.h). Posts NOTE_STATUS, NOTE_SETTLED,
 * NOTE_DOUBT and NOTE_DOUBT_OVER.
 */
struct daemon_judged;

/* daemon_judged_close(NULL) is valid. */
struct daemon_judged *daemon_judged_open(struct loop *loop, const struct enforcer *enforcer);
void daemon_judged_close(struct daemon_judged *j);
/* Listens to changes of interfaces from now on, and posts NOTE_LINKS when there were some; until then nothing is
 * looked at. Returns 0 or -errno. */
int daemon_judged_start(struct daemon_judged *j, struct err *err);

/* Docker, the interfaces or the policy may have changed: judges anew, and logs what has changed. */
void daemon_judged_look(struct daemon_judged *j, const struct judge_docker *docker);

/* Whether no network waits for Docker's next word, which tells if its packets are judged. */
bool daemon_judged_settled(const struct daemon_judged *j);

/* The running policy's networks as of that look; with counters, also by their rules in the kernel (NULL: it was not
 * asked). While rules may be missing (doubtful) no network counts as judged. judge_result_free(). */
void daemon_judged_now(const struct daemon_judged *j, const struct counters_view *counters,
		       bool doubtful, struct judge_result *ret);
/* Those of them whose packets are not judged: a list of names, the member "not_judged" of an answer. */
void daemon_judged_put(const struct policy *policy, const struct judge_result *judged,
		       struct json_writer *out);
/* Names of networks whose packets are not judged, as of the last look: "ds-a, ds-b"; "" for none. The
 * caller frees it. */
char *daemon_judged_names(const struct daemon_judged *j);
/* An alarm, as of the last look: names leave networks as DNS questions (docker_resolver.h); NULL: none. Borrowed
 * until the next look. */
const char *daemon_judged_dns(const struct daemon_judged *j);
/* Containers that are on other networks, too. Borrowed until the next look. */
struct legs_view daemon_judged_legs(const struct daemon_judged *j);

#endif
