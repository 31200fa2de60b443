/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The networks that are draining, over time: what the files said of them (policy/draining.h) is kept in the
 * state directory, so that they are enforced after a restart, and after a loss of the table, as before.
 */
#ifndef DOCKSIDE_ENFORCE_DRAIN_H
#define DOCKSIDE_ENFORCE_DRAIN_H

#include "dockside/policy/draining.h"
#include "dockside/system/last_good.h"
#include "dockside/table/actual.h"

#define DRAINING_FILE "draining.json" /* in the state directory */

/* A network that is no longer configured and still enforced. */
struct draining {
	char *bridge;
	bool occupied;	   /* the caller's: somebody was attached */
	uint64_t empty_ms; /* the caller's: since when nobody is any more; 0: somebody is */
};

/* Zero-initialise; drain_close(). Works without drain_open(): then nothing is kept. */
struct drain {
	struct draining *items;
	size_t n;
	struct draining_docs docs;
	bool docs_stale;       /* items have left since they were made */
	struct state_dir *dir; /* borrowed */
	struct policy last;    /* what was accepted last, for drain_adopt() */
	uint64_t kept;	       /* hash of the file; 0: there is none; only with has_kept */
	bool has_kept;
	char *trouble; /* why they are not kept; NULL: they are */
};

/*
 * Reads what the state directory has of draining networks, and the files that were accepted last. A file
 * that cannot be used is logged: networks that only it knows are closed by drain_adopt().
 */
void drain_open(struct drain *drain, struct last_good *state, const char *network_path,
		const char *firewall_path);
void drain_close(struct drain *drain);

/* The draining network of that bridge, or NULL. Names of interfaces differ by case: br-Web is not br-web. */
struct draining *drain_find(const struct drain *drain, const char *bridge);

/* Networks of a policy's files are to drain from the next drain_merge() on. */
void drain_add(struct drain *drain, const struct policy *files, const char *const *bridges,
	       size_t n);
/* Its containers have left, or it is let go: the next drain_merge() is without it. */
void drain_remove(struct drain *drain, const char *bridge);
/* Networks that the files of a policy have drain no more. */
void drain_remove_configured(struct drain *drain, const struct policy *policy);

/*
 * Networks that the kernel has and the policy's files have not drain from now on, if they did before or if
 * Docker runs, which then says whether they are to go on. One of which neither drain_open() nor the files
 * that were accepted last know the policy is closed.
 */
void drain_adopt(struct drain *drain, const struct actual *actual, const struct policy *policy,
		 bool docker_runs);
/* Logs which networks are closed; and which are draining. */
void drain_tell_closed(const struct drain *drain);
void drain_tell(const struct drain *drain);
/* Frees the last accepted files that drain_open() has read. */
void drain_adopted(struct drain *drain);

/* Puts them into a policy, see draining_merge(). */
int drain_merge(struct drain *drain, struct policy *policy, struct err *err);

/* Keeps them in the state directory, if something has changed. That it cannot is logged. */
void drain_save(struct drain *drain);

#endif
