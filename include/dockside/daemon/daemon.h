/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon on sd-event. daemon.c starts and stops it and reads the files; daemon_names.c asks
 * DNS; daemon_own.c follows this host's addresses; daemon_repair.c watches what others do to the ruleset,
 * and daemon_unjudged.c ends the connections that were opened meanwhile; daemon_drain.c waits for the
 * containers of removed networks to leave; daemon_docker*.c make networks and ask who is attached;
 * daemon_judged.c knows whether packets reach the rules; daemon_denied.c hears what was refused and looked
 * up; daemon_settings.c makes the host's settings; daemon_files.c keeps the accepted files and compares
 * those on the disk; daemon_requests.c, daemon_edit.c, daemon_explain.c, daemon_status.c and daemon_metrics.c
 * answer on the socket, and daemon_wait.c answers later. The struct is private to these.
 */
#ifndef DOCKSIDE_DAEMON_DAEMON_H
#define DOCKSIDE_DAEMON_DAEMON_H

#include <systemd/sd-event.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/daemon/repair_limit.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/enforce/judge.h"
#include "dockside/kernel/nft_events.h"
#include "dockside/report/denied.h"
#include "dockside/report/metrics.h"
#include "dockside/system/dns.h"

#define DAEMON_ACCURACY_US 1000

/* Borrowed. */
struct daemon_options {
	const char *network_config, *firewall_config;
	struct plan_options plan;
	unsigned stale_ttl_s, refresh_s;
	const char *socket;	     /* NULL: none */
	const char *docker;	     /* path of Docker's socket */
	const char *state_directory; /* colon-separated; the first counts */
	const char *denied_log;	     /* NULL: none */
	bool reset;		     /* make Docker's networks anew */
};

/* Runs until SIGTERM or SIGINT; returns an exit status (exit_status.h). */
int daemon_run(const struct daemon_options *options);

/* How the last reload, apply or start went. */
struct last_load {
	uint64_t at_ms, unix_ms;
	bool failed;
	char *message;
	uint64_t n_ok, n_failed; /* since the start */
};

/* The kinds of request that wait for their answer. */
enum waiter_kind {
	WAITER_NAMES,
	WAITER_EDIT,   /* another policy */
	WAITER_RELOAD, /* the policy of the files */
};

/* A request whose answer is made but for the names. */
struct waiter {
	enum waiter_kind kind;
	struct ctl_request *request; /* NULL: a free place */
	char *answer;
	uint64_t since_ms; /* waits for what was asked by then, not later by others */
	char *drained;	   /* NULL; or the bridge that drains, if it has drained at once ... */
	char *otherwise;   /* ... the answer then */
	bool tells_names;  /* the answer lists names that did not resolve ... */
	char *ipset;	   /* ... of that ipset; NULL: of the configuration */
};

/* A `reconcile` that waits for Docker's list. */
struct listing {
	struct daemon *daemon;
	struct ctl_request *request; /* NULL: the client is gone */
	struct buf answer;	     /* all but the end */
};

struct daemon {
	const struct daemon_options *options;
	sd_event *event;
	struct enforcer enforcer;
	int lock;
	struct running *rejected; /* the last configuration that had errors, until they are told */
	struct last_load last_load;
	bool bad_config; /* the last files that were read had errors */
	sd_event_source *trim_timer;
	bool ready;
	bool stopping;

	/* daemon_names.c */
	struct dns *dns;
	sd_event_source *dns_io, *dns_timer;
	sd_event_source *ask_timer;  /* the next name is due */
	sd_event_source *tick_timer; /* files may have changed, servers may have recovered */
	unsigned dns_trouble_ticks;  /* for so long servers are spared */
	uint64_t ask_from_ms;	     /* not before */
	size_t ask_cursor;	     /* whose turn it is */
	sd_event_source *sets_timer; /* answers are collected until then */
	size_t told_alarms;	     /* systemd knows of that many */
	bool answers_waiting;
	uint64_t answers_since_ms;
	sd_event_source *ready_timer; /* DNS has that long at the start */

	/* daemon_own.c */
	sd_event_source *own_io, *own_timer;
	bool own_waiting;

	/* daemon_repair.c */
	struct nft_events *events;
	sd_event_source *events_io, *repair_timer;
	struct repair_limit repairs;
	uint32_t own_pid; /* as the kernel sees it; 0 until one of our transactions told */
	bool repair_waiting;
	bool repair_table; /* not the shim alone */
	bool repair_failed;
	uint64_t repair_at_ms;
	bool opened;	   /* since the last repair packets may have passed that nobody judged */
	struct buf damage; /* what was seen missing since the last repair */
	char *last_damage; /* what the last repair found */

	struct daemon_unjudged *unjudged; /* daemon_unjudged.c; NULL: there was no need yet */

	sd_event_source *drain_timer; /* daemon_drain.c */

	struct daemon_docker *docker; /* daemon_docker.c */

	struct daemon_judged *judged; /* daemon_judged.c */

	struct daemon_denied *denied; /* daemon_denied.c; NULL: --log-group none */

	struct daemon_files *files; /* daemon_files.c */

	/* daemon_settings.c */
	sd_event_source *settings_timer;
	char *settings_error;	   /* NULL: they are as they must be */
	bool settings_made;	   /* they were so once */
	uint64_t settings_told_ms; /* until then the log has enough about their being turned off */

	/* daemon_requests.c */
	struct ctl *ctl;
	struct listing *listings[CTL_CONNECTIONS_MAX]; /* they wait for Docker */

	struct waiter waiters[CTL_CONNECTIONS_MAX]; /* daemon_wait.c */

	/* daemon_status.c */
	struct actual counters;
	bool counters_failed; /* they could not be read */
	struct reconcile_shim_comparison shim;
	uint64_t counters_until_ms; /* they are good enough until then */

	/* daemon_metrics.c */
	uint64_t started_ms; /* since 1970 */
	uint64_t n_policies; /* that were enforced since */
	uint64_t repair_unix_ms;
	struct loop_times loop;
};

/* Milliseconds of CLOCK_MONOTONIC: see enforcer.h. */
uint64_t daemon_now_ms(const struct daemon *daemon);
/* (Re)arms a one-shot timer at a time of daemon_now_ms(); UINT64_MAX disarms it. */
int daemon_arm(struct daemon *daemon, sd_event_source **timer, uint64_t at_ms,
	       sd_event_time_handler_t handler);
/* STATUS= for systemd: what is enforced, and what is not well. */
void daemon_notify_status(struct daemon *daemon);
/*
 * Reads both files again and enforces them. *ret_diags is what there is to say about the files, until
 * the next load or daemon_forget_rejected(). Returns 0 or -errno; what ran before goes on after an
 * error.
 */
int daemon_reload(struct daemon *daemon, const struct diags **ret_diags, struct err *err);
/* Enforces a candidate, which is consumed; what ran before is *ret_before's, the caller's. */
int daemon_enforce(struct daemon *daemon, struct running *candidate, struct running **ret_before,
		   struct err *err);
/* Notes how a load went, for status and for systemd. message is copied, or NULL. */
void daemon_note_load(struct daemon *daemon, bool failed, const char *message);

/* Frees what the diagnostics of the last daemon_reload() point into. */
void daemon_forget_rejected(struct daemon *daemon);
/* The sets have every answer that there is: perhaps ready at the start, and whoever waits for names
 * that have theirs is answered. */
void daemon_settled(struct daemon *daemon);

int daemon_names_start(struct daemon *daemon, struct err *err);
/* Asks the names that are due and waits for the next. */
void daemon_names_ask(struct daemon *daemon);
/* Whether every name that was asked until then has been answered, or has failed, and the sets have it. */
bool daemon_names_settled(const struct daemon *daemon, uint64_t until_ms);
void daemon_names_stop(struct daemon *daemon);
/* The names' addresses have changed otherwise than by an answer: the sets follow soon. */
void daemon_names_changed(struct daemon *daemon);

/* This host's addresses are known from now on, to be called before a policy is enforced. */
int daemon_own_start(struct daemon *daemon, struct err *err);
void daemon_own_stop(struct daemon *daemon);

/* To be opened before anything is loaded, so that nothing that others do goes unseen. */
int daemon_repair_start(struct daemon *daemon, struct err *err);
void daemon_repair_stop(struct daemon *daemon);
/* Reads the events that are there, for enforcer_holds() and enforcer_policy() to know of them. Where
 * there are too many of them, what is known of the table is just not trusted. */
void daemon_repair_catch_up(struct daemon *daemon);
/* Puts back at once what others have taken and what waits for its turn: nobody will later. */
void daemon_repair_last(struct daemon *daemon);
/* Compares everything soon, as something is not as we believe. */
void daemon_repair_soon(struct daemon *daemon, const char *why);

/* The rules are back: connections that were opened without them end, soon. */
void daemon_unjudged_end(struct daemon *daemon);
/* Connections that it has ended. */
uint64_t daemon_unjudged_ended(const struct daemon *daemon);
/* Ends those that are still to end at once: nobody will later. */
void daemon_unjudged_last(struct daemon *daemon);
void daemon_unjudged_stop(struct daemon *daemon);

/* Makes the host's settings, now and from then on. */
void daemon_settings_make(struct daemon *daemon);
void daemon_settings_stop(struct daemon *daemon);

/* Looks from now on whether the draining networks' containers have left. */
void daemon_drain_watch(struct daemon *daemon);
/* The network is about to be removed: if containers are attached, its policy is to stay. Returns
 * whether it is. */
bool daemon_drain_network(struct daemon *daemon, const char *name);
/* A policy is about to be enforced: the running one's networks that it does not have are to drain if
 * Docker says that containers are attached, or does not say. */
void daemon_drain_missing(struct daemon *daemon, const struct policy *policy);
/* Lets go of a draining network at once; false if there is none of that name. */
bool daemon_drain_release(struct daemon *daemon, const char *name);
void daemon_drain_stop(struct daemon *daemon);

/* Looks, soon, whether the last containers of the draining networks have left. */
void daemon_drain_look(struct daemon *daemon);

/* Asks Docker for what it has, has it make what is missing, follows its events. */
int daemon_docker_start(struct daemon *daemon, struct err *err);
void daemon_docker_stop(struct daemon *daemon);
/* Another policy runs: networks that Docker lacks are to be made. */
void daemon_docker_policy(struct daemon *daemon);
/* Whether READY has to wait for it no longer: it was asked, or has taken too long. */
bool daemon_docker_ready(const struct daemon *daemon);
/* Whether all that the policy wants of Docker has been asked for, and of who is attached to networks that
 * are to go. */
bool daemon_docker_settled(const struct daemon *daemon);

enum daemon_attached {
	ATTACHED_NONE,
	ATTACHED_SOME,
	ATTACHED_UNKNOWN,   /* Docker does not say, or not yet */
	ATTACHED_NO_DOCKER, /* none has run since we do: the bridge's ports may tell */
};

/* Whether containers are attached to a network, by Docker's last word. */
enum daemon_attached daemon_docker_attached(struct daemon *daemon, const char *bridge);
/* What was known of it does not count: Docker is asked anew. */
void daemon_docker_doubt(struct daemon *daemon, const char *bridge);
/* Asks anew if that was some time ago. */
void daemon_docker_renew(struct daemon *daemon, const char *bridge);
/* The list of networks that are named like ours and not configured; calls fn once, perhaps at once, with
 * names NULL and why where Docker does not say. */
typedef void (*daemon_orphans_fn)(void *data, const char *const *names, size_t n, const char *why);
void daemon_docker_orphans(struct daemon *daemon, daemon_orphans_fn fn, void *data);
/* The name of the container with that address on the network, or else with that MAC address (or NULL), by
 * Docker's last word; NULL if none is known. Borrowed until Docker is asked again, which is soon if it
 * is not known. */
const char *daemon_docker_container(struct daemon *daemon, const char *bridge,
				    const struct ipaddr *addr, const uint8_t *mac);
void daemon_docker_status(struct daemon *daemon, struct json_writer *out);
struct state_of daemon_docker_state(const struct daemon *daemon);
/* Members of a network's object. */
void daemon_docker_status_network(struct daemon *daemon, struct json_writer *out,
				  const char *bridge, const struct judged *judged);
/* Docker's last word. Borrowed until it is asked again. */
struct judge_docker daemon_docker_word(const struct daemon *daemon);

/* Listens to changes of interfaces from now on, and judges (judged.h) the networks of the running policy. */
int daemon_judged_start(struct daemon *daemon, struct err *err);
void daemon_judged_stop(struct daemon *daemon);
/* Docker or the policy may have changed: judges anew, and logs what has changed. */
void daemon_judged_look(struct daemon *daemon);
/* The running policy's networks as of that look; with kernel, also by their rules in it (NULL: it was not read).
 * judge_result_free(). */
void daemon_judged_now(const struct daemon *daemon, const struct actual *actual,
		       struct judge_result *ret);
/* Those of them whose packets are not judged: a list of names, the member "not_judged" of an answer. */
void daemon_judged_put(const struct policy *policy, const struct judge_result *judged,
		       struct json_writer *out);
/* Names of networks whose packets are not judged, as of the last look: "ds-a, ds-b"; "" for none. The
 * caller frees it. */
char *daemon_judged_names(const struct daemon *daemon);
/* An alarm, as of the last look: names leave networks as DNS questions (docker_resolver.h); NULL: none. Borrowed
 * until the next look. */
const char *daemon_judged_dns(const struct daemon *daemon);
/* Containers that are on other networks, too: a list of lines, the member "legs" of `status`. */
void daemon_judged_status_legs(const struct daemon *daemon, struct json_writer *out);

/* Listens to what is refused, if it does not yet, and opens the file for it anew. */
void daemon_denied_reload(struct daemon *daemon);
/* A policy is about to be enforced, and has been. */
void daemon_denied_before(struct daemon *daemon);
void daemon_denied_enforced(struct daemon *daemon);
/* Brings up to date what was refused, as far as it was told of and not: to be called before asking for it,
 * and after the kernel's counters have come or gone. */
void daemon_denied_count(struct daemon *daemon);
/* Borrowed; NULL: --log-group none. */
const struct denied_counts *daemon_denied_counts(const struct daemon *daemon);
/* Packets that the kernel could not hand over, see nflog_lost(). */
uint64_t daemon_denied_lost(const struct daemon *daemon);
/* Whether a network has or can have events; if not, err says what may have been meant. */
bool daemon_denied_knows(const struct daemon *daemon, const char *network, struct err *err);
/* The answer to `denied`. */
void daemon_denied_answer(struct daemon *daemon, const struct request *request,
			  struct json_writer *out);
/* The name under which the network last looked up the address; and up to max addresses that it looked up under
 * the name, in lower case. */
const char *daemon_denied_looked_up(const struct daemon *daemon, const char *bridge,
				    const struct ipaddr *addr);
size_t daemon_denied_looked_up_name(const struct daemon *daemon, const char *bridge,
				    const char *name, struct ipaddr *ret_addrs, size_t max);
struct metrics_lookups daemon_denied_lookups(const struct daemon *daemon);
void daemon_denied_stop(struct daemon *daemon);

/* Opens the state directory, where accepted files are kept. */
void daemon_files_start(struct daemon *daemon);
/* The running configuration was accepted: it is the one to fall back to from now on. */
void daemon_files_accepted(struct daemon *daemon);
/* At the start, when the files cannot be enforced, for the reason given: enforces the last accepted ones, and
 * sounds an alarm; logs why it cannot. Returns 0 or -errno. */
int daemon_files_fall_back(struct daemon *daemon, const char *why);
/* The alarm's text while the last accepted configuration is enforced instead of the files; else NULL.
 * Borrowed. */
const char *daemon_files_alarm(const struct daemon *daemon);
void daemon_files_status(struct daemon *daemon, struct json_writer *out);
/* How the files differ from what runs, by the last daemon_files_status(): "edited", "faulty"; NULL: not. */
const char *daemon_files_drift(const struct daemon *daemon);
void daemon_files_stop(struct daemon *daemon);

int daemon_requests_start(struct daemon *daemon, struct err *err);
void daemon_requests_stop(struct daemon *daemon);

/* Answers a request that changes the files. */
void daemon_edit(struct daemon *daemon, struct ctl_request *request);

/*
 * Answers once every name has been asked and Docker has made what it lacked; consumes what waiter has.
 * There are as many places as connections.
 */
void daemon_wait_answer(struct daemon *daemon, struct waiter waiter);
/* Answers the requests that wait for nothing any more. */
void daemon_wait_settled(struct daemon *daemon);
/* The client of a request has left. */
void daemon_wait_gone(struct daemon *daemon, const struct ctl_request *request);

/* Answers `explain`. */
void daemon_explain(struct daemon *daemon, struct ctl_request *request);

/* The answer to `status`. */
void daemon_status(struct daemon *daemon, struct json_writer *out);
/* Forgets what it has read for that: another policy runs, or none. */
void daemon_status_forget(struct daemon *daemon);
/* What the table holds now, or did a moment ago, with its counters; daemon->shim is of then, too. */
const struct actual *daemon_counters(struct daemon *daemon);

/* The answer to `metrics`, from line `from` on. */
void daemon_metrics(struct daemon *daemon, uint64_t from, struct json_writer *out);

#endif
