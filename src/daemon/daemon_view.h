/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status` and `metrics` tell these values, which the services give out. Only daemon_docker.c
 * writes its members of an answer itself. */
#ifndef DOCKSIDE_DAEMON_DAEMON_VIEW_H
#define DOCKSIDE_DAEMON_DAEMON_VIEW_H

#include "daemon_counters.h"
#include "dockside/enforce/judge.h"
#include "dockside/report/gate_state.h"
#include "dockside/report/metrics.h"

/* The result of the last reload, apply or start, and their number. */
struct load_state {
	uint64_t at_ms, unix_ms;
	bool failed;
	const char *message;	 /* NULL: nothing to say */
	uint64_t n_ok, n_failed; /* since the start */
};

/* The repairs of what others did to the ruleset. */
struct repair_state {
	uint64_t n;	  /* repairs since the start; 0: no last one */
	uint64_t last_ms; /* when the last one was made */
	uint64_t unix_ms; /* the same since 1970 */
	bool limited;	  /* they are too many at present */
	bool waiting;	  /* one is to come */
	bool doubtful; /* rules may be missing: the last try failed, or the next one has to wait */
	const char *trouble; /* why the last try failed, and another is to come; NULL: it did not */
	const char *damage;  /* what the last one found; NULL: there was none */
};

enum files_state {
	FILES_CURRENT, /* they say what runs */
	FILES_EDITED,  /* they do not, and a reload would take them */
	FILES_FAULTY,  /* nor would a reload take them */
	N_FILES_STATES
};

/* The files on the disk, and the last accepted pair. */
struct files_view {
	enum files_state state;
	const char *message; /* what was edited, or the first error; or NULL */
	bool drift;	     /* the state is another than "current" */
	const char *alarm;   /* the last accepted pair is enforced instead of the files; or NULL */
	uint64_t since_ms;   /* since then */
	const char *trouble; /* why the accepted pair is not kept; NULL: it is */
};

/* The events of refused packets, and the lookups of containers. */
struct denied_view {
	bool listens;	   /* false: --log-group none */
	uint64_t n_events; /* since the start */
	uint64_t lost;
	struct metrics_lookups lookups;
};

/* Containers that are on other networks, too. */
struct legs_view {
	char *const *items;
	size_t n, n_all; /* n_all may be more than are named */
};

struct daemon_docker;
struct daemon_ports;

/* Borrowed until the next event, but for what daemon_view_free() frees. */
struct daemon_view {
	uint64_t now_ms;     /* of the clock of the names */
	uint64_t started_ms; /* since 1970 */
	const struct enforcer *enforcer;
	struct counters_view counters;
	struct judge_result judged; /* freed */
	const char *dns_alarm;	    /* names leave networks as DNS questions; or NULL */
	const char *learning_alarm; /* a bridge learns from frames that pass no rule; or NULL */
	size_t n_alarms;	    /* lines of status that begin with ALARM */
	bool ready; /* the host's settings are made, every network is judged, and no rule is missing */
	struct legs_view legs;
	const char *settings_error; /* NULL: the host's settings are made */
	char *resolver;		    /* which name servers are spared; or NULL. Freed */
	struct load_state load;
	struct repair_state repair;
	struct files_view files;
	struct denied_view denied;
	struct gate_view gate;
	uint64_t n_ended; /* connections that were opened without our rules */
	const struct daemon_docker *docker;
	const struct daemon_ports *ports;
	const struct loop_times *loop;
};

struct services;

/* Fills in what takes no reading and no copy: all but counters, judged, resolver, n_alarms and ready. Nothing is to be freed. */
void daemon_view_begin(const struct services *s, struct daemon_view *ret);
/* daemon_view_free() when done. */
void daemon_view_take(const struct services *s, const struct counters_view *counters,
		      struct daemon_view *ret);
void daemon_view_free(struct daemon_view *view);

#endif
