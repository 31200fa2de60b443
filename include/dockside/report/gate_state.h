/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's knowledge of the DNS gate: whether it is there, and what it reports, in messages of which one may be only
 * a part. Nothing of it decides what a container may reach. Pure: the time is a parameter, in milliseconds of one clock
 * that never goes back.
 */
#ifndef DOCKSIDE_REPORT_GATE_STATE_H
#define DOCKSIDE_REPORT_GATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"
#include "dockside/json/json_parse.h"
#include "dockside/json/json_write.h"
#include "dockside/names/name_alarms.h"
#include "dockside/policy/model.h"
#include "dockside/table/actual.h"

/* So long may the gate take to connect, and to take a policy, before that is an alarm. */
#define GATE_PATIENCE_MS 1000u
#define GATE_SERVERS_MS 5000u /* after a policy was given its name servers are in the reports */
/* If the gate could do nothing for a name, that is an alarm for so long. */
#define GATE_TROUBLE_MS 600000u
#define GATE_TROUBLES_MAX 16
#define GATE_SERVERS_MAX 8

enum gate_count {
	GATE_COUNT_QUERIES,
	GATE_COUNT_HITS,
	GATE_COUNT_REFUSED,
	GATE_COUNT_MISSES,
	GATE_COUNT_FAILURES,
	GATE_COUNT_TELLS,
	GATE_COUNT_TELL_FAILURES,
	GATE_COUNT_TCP,
	GATE_COUNT_LIMITED,
	GATE_COUNT_LOST,
	GATE_COUNT_CACHE, /* at present; the others are since its start */
	GATE_COUNT_LEFT_OUT,
	N_GATE_COUNTS,
};
extern const char *const gate_count_names[N_GATE_COUNTS];

enum gate_policy_state {
	GATE_POLICY_NONE, /* it has not been given any */
	GATE_POLICY_GIVEN,
	GATE_POLICY_TAKEN,
	GATE_POLICY_REFUSED,
	N_GATE_POLICY_STATES,
};
extern const char *const gate_policy_state_names[N_GATE_POLICY_STATES];

struct gate_server {
	char address[ADDR_STRLEN];
	bool ok;
	char why[64]; /* unless it is: of its last failure */
};

struct gate_traffic {
	char *network;
	uint64_t received, refused; /* questions */
	/* gate_state_look(): the kernel had sent the gate so many when the last one had arrived. */
	uint64_t seen_received, before;
	bool looked, missing;
	uint64_t missing_ms; /* since then questions are missing */
};

struct gate_trouble {
	char *network, *name, *why;
	uint64_t at_ms; /* the last time */
};

/* Zero-initialise; gate_state_free(). */
struct gate_state {
	bool listens; /* the daemon has a socket for it */
	bool connected;
	uint64_t since_ms; /* it is connected, or is not */
	int64_t pid;	   /* while it is */
	bool reported;	   /* the counts are there */
	uint64_t counts[N_GATE_COUNTS];
	struct gate_server servers[GATE_SERVERS_MAX];
	size_t n_servers;
	struct gate_traffic *networks; /* sorted by name */
	size_t n_networks;
	enum gate_policy_state policy;
	uint64_t given_ms;
	char *why;	  /* it refused the policy; or NULL */
	const char *held; /* why addresses of names that are gone may be open; or NULL; borrowed */
	struct gate_trouble troubles[GATE_TROUBLES_MAX];
	size_t n_troubles;
};

void gate_state_free(struct gate_state *state);
/* It has come (pid), or gone. */
void gate_state_connected(struct gate_state *state, int64_t pid, uint64_t now_ms);
void gate_state_gone(struct gate_state *state, uint64_t now_ms);
/* The policy that runs: what the gate says counts for its networks alone. */
void gate_state_follow(struct gate_state *state, const struct policy *policy);
/* A message of the type "state", or a part of one. Members that make no sense are left out. */
void gate_state_read(struct gate_state *state, const struct json_node *message);
/* The policy has been given, taken or refused; why is copied. */
void gate_state_policy(struct gate_state *state, enum gate_policy_state policy, const char *why,
		       uint64_t now_ms);
/* A message of the type "alarm". Returns whether nobody has heard of that for GATE_TROUBLE_MS. */
bool gate_state_trouble(struct gate_state *state, const char *network, const char *name,
			const char *why, uint64_t now_ms);

/* The number of questions of a network that the kernel has sent the gate's way since the rules were last written: false
 * where it does not say. */
bool gate_redirected(const struct plan *plan, const struct actual *actual, const char *stem,
		     uint64_t *ret_n);

/* The names of the chains whose rules gate_redirected() looks at; the arena's. */
const char **gate_chains(const struct policy *policy, struct arena *arena, size_t *ret_n);

/*
 * Compares what the kernel has sent the gate's way, by the rules of gate_chains(), with what has arrived there. The gate reports once a second, so that
 * questions are missing only after GATE_MISSING_MS. Returns whether any seem to be: whoever wants to know looks again
 * then.
 */
#define GATE_MISSING_MS 2500u
bool gate_state_look(struct gate_state *state, const struct policy *policy, const struct plan *plan,
		     const struct actual *actual, uint64_t now_ms);

/* Borrowed. */
struct gate_view {
	const struct gate_state *state;
	const struct policy *policy;
	const struct plan *plan;
	const struct actual *actual; /* NULL: nobody has read the kernel's counters */
	uint64_t now_ms;
};

/* Calls on_alarm, which may be NULL, for each. Returns how many there are. None without a network that has a gate. */
size_t gate_alarms(const struct gate_view *view, alarm_fn on_alarm, void *data);
/* The member "gate" of an answer to `status`. */
void gate_state_json(const struct gate_view *view, struct json_writer *out);

#endif
