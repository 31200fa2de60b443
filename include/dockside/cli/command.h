/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands; main.c has their table and reads the options. */
#ifndef DOCKSIDE_CLI_COMMAND_H
#define DOCKSIDE_CLI_COMMAND_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/exit_status.h"
#include "dockside/enforce/drain.h"
#include "dockside/names/resolved.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* Of explain: what was given, as it was given; NULL: not. */
struct explain_options {
	const char *from, *to, *protocol, *port, *type, *src, *mac;
	bool offline, no_resolve;
};

struct options {
	const char *command; /* its name */
	const char *network_config;
	const char *firewall_config;
	const char *output; /* NULL: standard output */
	bool resolve;
	bool kernel;
	struct plan_options plan;    /* --mark-bit, --forward-policy, --log-group */
	unsigned stale_ttl_s;	     /* IPSET_STALE_TTL */
	unsigned refresh_s;	     /* IPSET_REFRESH_INTERVAL */
	const char *socket;	     /* --socket, or $DOCKSIDE_FIREWALL_SOCKET; NULL: none given */
	const char *docker;	     /* path of Docker's socket, from DOCKER_HOST */
	const char *state_directory; /* STATE_DIRECTORY */
	const char *denied_log;	     /* --denied-log, or NULL */
	bool reset;		     /* RESET=1 */
	bool json, force, follow;
	bool wait; /* --wait-networks */
	unsigned wait_s;
	const char *network, *firewall; /* of set-network; and --network of denied */
	const char *since;		/* of denied, learn */
	struct explain_options explain;
	char *const *operands;
	size_t n_operands;
};

int cmd_compile(const struct options *options);
int cmd_check(const struct options *options);
int cmd_apply(const struct options *options);
int cmd_diff(const struct options *options);
int cmd_explain(const struct options *options);
int cmd_teardown(const struct options *options);
int cmd_metrics(const struct options *options);
int cmd_graph(const struct options *options);
int cmd_denied(const struct options *options);
int cmd_learn(const struct options *options);

/* Writes text to options->output: replaces a file in one step; or to standard output where that is NULL.
 * Returns 0 or -errno. */
int output_text(const struct options *options, const struct buf *text, struct err *err);

/* Reads both files and prints their diagnostics; warns of a save that has not come to its end. On true the
 * caller frees *ret_policy. */
bool load_policy(const struct options *options, struct policy *ret_policy);

/* What becomes of a name that does not answer. */
enum resolve_for {
	RESOLVE_FOR_KERNEL, /* it keeps the addresses that the kernel has for it */
	RESOLVE_FOR_TEXT,   /* it has none: the kernel is not asked */
};

/* Asks for every name of the policy, both families, with a deadline; logs each that did not answer.
 * The caller frees *ret_resolved, also after an error. Returns 0 or -errno. */
int resolve_names(const struct policy *policy, enum resolve_for what, struct resolved *ret_resolved,
		  struct err *err);

/* The same for one name, in letters of either case; the only one of *ret_resolved. */
int resolve_name(const char *name, struct resolved *ret_resolved, struct err *err);

/*
 * Has Docker make the networks that are missing, or with RESET=1 all of them anew; prints what was
 * done, and warns of what differs and of a Docker that cannot be asked. Returns 0 or -errno: a
 * network could not be made or removed, or is one whose packets are not judged.
 */
int apply_networks(const struct options *options, const struct policy *policy, struct err *err);

/* Asks Docker and the kernel whether the packets of every managed network are judged, and prints of which
 * they are not. Returns 0 or -errno; a Docker that cannot be asked is no error. */
int judge_networks_now(const struct options *options, const struct policy *policy, bool *ret_judged,
		       struct err *err);

/*
 * Merges into the policy the networks that the kernel or an open drain has, that are no longer configured, and
 * to which Docker says that containers are attached, or does not say; logs each. Returns 0 or -errno.
 */
int find_draining(const struct options *options, struct drain *drain, struct policy *policy,
		  struct err *err);

#endif
