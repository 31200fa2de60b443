/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_FILES_H
#define DOCKSIDE_DAEMON_DAEMON_FILES_H

#include "daemon_view.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/system/last_good.h"
#include "loop.h"

/* The two configuration files over time, on the disk and as they were last accepted. Posts NOTE_STATUS. */
struct daemon_files;

/* Opens the first of the colon-separated state directories, where accepted files are kept, and has the
 * enforcer's drain and placing read what is there; logs why it cannot.
 * daemon_files_close(NULL) is valid. */
struct daemon_files *daemon_files_open(struct loop *loop, struct enforcer *enforcer,
				       const char *network_config, const char *firewall_config,
				       const char *state_directory);
void daemon_files_close(struct daemon_files *f);

/* The running configuration was accepted: it is the one to fall back to from now on. */
void daemon_files_accepted(struct daemon_files *f);
/* The last accepted ones. Returns 0 or -errno. last_good_pair_free(). */
int daemon_files_last_good(struct daemon_files *f, struct last_good_pair *ret, struct err *err);
/* Those, accepted at that time since 1970, are enforced instead of the files, for the reason given: sounds an alarm. */
void daemon_files_fallen_back(struct daemon_files *f, uint64_t accepted_s, const char *why);
/* The alarm's text while that is so; else NULL. Borrowed. */
const char *daemon_files_alarm(const struct daemon_files *f);
/* Compares the files on the disk with what runs. */
void daemon_files_look(struct daemon_files *f);
/* As of the last daemon_files_look(). Borrowed until the next one. */
struct files_view daemon_files_view(const struct daemon_files *f);

const char *files_state_name(enum files_state state);

#endif
