/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_LOAD_H
#define DOCKSIDE_DAEMON_DAEMON_LOAD_H

#include "daemon_denied.h"
#include "daemon_drain.h"
#include "daemon_files.h"
#include "daemon_names.h"
#include "daemon_repair.h"
#include "daemon_view.h"
#include "dockside/base/diag.h"
#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* Enforces what the files say, or a request. Posts NOTE_STATUS. */
struct daemon_load;

/* Borrowed. */
struct daemon_load_needs {
	const char *network_config, *firewall_config;
	struct daemon_names *names;
	struct daemon_repair *repair;
	struct daemon_drain *drain;
	struct daemon_denied *denied;
	struct daemon_files *files;
};

/* daemon_load_close(NULL) is valid. */
struct daemon_load *daemon_load_open(struct loop *loop, struct enforcer *enforcer,
				     const struct daemon_load_needs *with);
void daemon_load_close(struct daemon_load *l);

/*
 * Reads both files again and enforces them. *ret_diags is what there is to say about the files, until
 * the next load or daemon_load_forget_rejected(). Returns 0 or -errno; what ran before goes on after an
 * error.
 */
int daemon_load_reload(struct daemon_load *l, const struct diags **ret_diags, struct err *err);
/* Frees what the diagnostics of the last daemon_load_reload() point into. */
void daemon_load_forget_rejected(struct daemon_load *l);
/* Enforces a candidate, which is consumed; what ran before is *ret_before's, the caller's. */
int daemon_load_enforce(struct daemon_load *l, struct running *candidate,
			struct running **ret_before, struct err *err);
/* At the start, when the files cannot be enforced, for the reason given: enforces the last accepted ones, and
 * sounds an alarm; logs why it cannot. Returns 0 or -errno. */
int daemon_load_fall_back(struct daemon_load *l, const char *why);

/* Notes how a load went, for status and for systemd. message is copied, or NULL. */
void daemon_load_note(struct daemon_load *l, bool failed, const char *message);
/* Borrowed until the next load. */
struct load_state daemon_load_state(const struct daemon_load *l);
/* Whether the last files that were read had errors. */
bool daemon_load_bad_config(const struct daemon_load *l);

#endif
