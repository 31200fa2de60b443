/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * One configuration is in force (enforcer.h), and services see to it that it stays so. Each is a file and an opaque
 * struct that is opened with the loop, the enforcer, and the few others that it asks; it calls those and is called
 * by nobody below. Only this file knows all of them. From those that ask nobody to those that ask many:
 *
 *     settings    the host's settings, without which bridged packets pass no rule
 *     learning    keeps the bridges from learning from frames that pass no rule
 *     own         this host's addresses: names never open them, and no container sends as one
 *     names       asks DNS, and gives the sets the addresses
 *     repair      hears what others do to the ruleset, and puts it back
 *     unjudged    ends connections that were opened while the rules were gone
 *     counters    what the table holds, for those who ask
 *     files       the files on the disk, and the last pair that was accepted
 *     docker      makes networks; attached, a part of it, knows who is on them
 *     ports       who is on which port of a bridge; asks docker
 *     judged      whether each network's packets reach the rules
 *     denied      hears what was refused; asks docker whose address that was
 *     gate        gives the DNS gate its policy, and hears its reports; asks names and denied
 *     drain       waits until the containers of a removed network have left; asks docker
 *     load        reads the files and has them enforced; asks drain, denied, files, repair and names
 *     wait        answers that wait for names and docker
 *     requests    the socket: edit, explain, status and metrics answer there
 *     scrape      metrics over HTTP
 *
 * A service posts a note (loop.h) of what matters to others; they handle it after the current
 * event. on_note() lists who handles which. Two things are calls and not notes, as their results
 * have to be there when the function returns: a question to a service above it in this list, and the
 * enforcer's observer, whose before() and after() surround every enforcement.
 *
 * The rules come first: they go by the bridges' names, so that no container can join before them. At the end they
 * stay, and what others have taken by then is put back; notes that wait then are handled as long as the daemon has
 * run, and dropped if it never did.
 */
#include "dockside/daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "daemon_notify.h"
#include "daemon_own.h"
#include "daemon_requests.h"
#include "daemon_scrape.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"
#include "dockside/system/sysctl.h"
#include "services.h"

#define LOCK_TIMEOUT_MS 10000
#define READY_WAIT_MS 5000 /* for DNS and Docker */
/* An address that lives shorter would be gone before it can be renewed: NAME_ASK_MIN_MS and the time that DNS has. */
#define STALE_TTL_MIN_S 10
#define INOTIFY "fs/inotify/"

struct daemon {
	const struct daemon_options *options;
	struct enforcer enforcer;
	struct enforcer_observer observer;
	struct services s;
	struct daemon_own *own;
	struct daemon_requests *requests;
	struct http *scrape;
	int lock;
	sd_event_source *ready_timer; /* DNS and Docker have that long at the start */
	bool ready;
	bool stopping;
};

/* ------------------------------------------------------------------ what follows from what */

static void judge(struct daemon *d)
{
	const struct judge_docker docker = daemon_docker_word(d->s.docker);

	daemon_judged_look(d->s.judged, &docker);
}

static void before(void *data, enum enforcement enforcement)
{
	struct daemon *d = data;

	if (enforcement != ENFORCE_POLICY && enforcement != ENFORCE_PLACED)
		return;
	daemon_denied_before(d->s.denied);
	daemon_repair_catch_up(d->s.repair);
}

/* Another policy is in force, or the same one that was to be enforced. */
static void follow_policy(struct daemon *d)
{
	daemon_denied_enforced(d->s.denied);
	daemon_names_ask(d->s.names);
	daemon_settings_make(d->s.settings);
	daemon_learning_stop(d->s.learning);
	daemon_drain_watch(d->s.drain);
	daemon_docker_policy(d->s.docker);
	daemon_gate_follow(d->s.gate);
	judge(d);
	daemon_notify(&d->s);
}

static void after(void *data, enum enforcement enforcement)
{
	struct daemon *d = data;

	if (enforcer_gates_changed(&d->enforcer))
		daemon_unjudged_end_dns(d->s.unjudged);
	switch (enforcement) {
	case ENFORCE_POLICY:
		daemon_counters_forget(d->s.counters);
		follow_policy(d);
		break;
	case ENFORCE_AGAIN:
		daemon_counters_forget(d->s.counters);
		break;
	case ENFORCE_PLACED:
		daemon_counters_forget(d->s.counters);
		daemon_denied_enforced(d->s.denied);
		daemon_docker_placed(d->s.docker);
		daemon_gate_follow(d->s.gate);
		daemon_drain_watch(d->s.drain);
		break;
	case ENFORCE_HELD:
		follow_policy(d);
		break;
	}
}

static void become_ready(struct daemon *d)
{
	if (d->ready)
		return;
	d->ready = true;
	sd_notify(0, "READY=1");
	daemon_notify(&d->s);
	log_info("ready");
}

static bool may_be_ready(const struct daemon *d)
{
	return !d->stopping && daemon_docker_ready(d->s.docker) &&
	       daemon_names_settled(d->s.names, loop_now_ms(d->s.loop));
}

/* The table of the bridges follows who is on which port. */
static void bind_ports(struct daemon *d)
{
	struct err err = { 0 };

	daemon_repair_catch_up(d->s.repair);
	if (enforcer_ports(&d->enforcer, daemon_ports_now(d->s.ports), &err) < 0) {
		log_error("%s", err.text);
		daemon_repair_soon(d->s.repair, "a port could not be bound");
	}
	err_free(&err);
}

static void end_unjudged_of(void *data, const char *name)
{
	struct daemon *d = data;
	const struct policy *policy = &d->enforcer.running->policy;

	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		if (strcmp(policy->networks[i].name, name) == 0)
			daemon_unjudged_end_of(d->s.unjudged, policy->networks[i].bridge);
}

/*
 * The rules go where Docker has made a network. Connections that its containers have opened before that end; but not those
 * of networks that were there before us, as with any policy that is new.
 */
static void follow_sites(struct daemon *d)
{
	struct err err = { 0 };

	if (enforcer_place(&d->enforcer, loop_now_ms(d->s.loop), &err) < 0) {
		log_error("%s; trying again", err.text);
		daemon_repair_soon(d->s.repair, "the rules could not follow a network");
	}
	err_free(&err);
	daemon_docker_made_late(d->s.docker, end_unjudged_of, d);
}

static void first(void *data, const struct policy *policy, const struct actual *bridge_table)
{
	struct daemon *d = data;

	daemon_ports_begin(d->s.ports, policy, bridge_table);
	/* Nothing is in force yet: the enforcer takes a copy. */
	enforcer_ports(&d->enforcer, daemon_ports_now(d->s.ports), NULL);
}

static void on_note(void *data, enum note note)
{
	struct daemon *d = data;
	const struct services *s = &d->s;

	switch (note) {
	case NOTE_OPENED:
		daemon_unjudged_end(s->unjudged);
		break;
	case NOTE_SETS_FAILED:
		daemon_repair_soon(s->repair, "an update of the sets failed");
		break;
	case NOTE_DRAIN_FAILED:
		daemon_repair_soon(s->repair, "a drained network was not removed");
		break;
	case NOTE_SOURCES_FAILED:
		daemon_repair_soon(s->repair, "this host has other addresses in managed networks");
		break;
	case NOTE_OWN:
		daemon_names_changed(s->names);
		break;
	case NOTE_DOCKER_LOST:
		daemon_docker_check(s->docker);
		break;
	case NOTE_ATTACHED:
		daemon_drain_look(s->drain);
		daemon_ports_attached(s->ports);
		break;
	case NOTE_DOCKER_MADE: /* and may have loaded br_netfilter for it */
		daemon_settings_make(s->settings);
		daemon_learning_stop(s->learning);
		break;
	case NOTE_LINKS:
		daemon_learning_stop(s->learning);
		judge(d);
		break;
	case NOTE_SITES:
		follow_sites(d);
		break;
	case NOTE_DOUBT:
		daemon_docker_look(s->docker);
		break;
	case NOTE_DOCKER:
	case NOTE_DOUBT_OVER:
		judge(d);
		break;
	case NOTE_FILLED:
		daemon_gate_filled(s->gate);
		break;
	case NOTE_TOLD:
		daemon_gate_retell(s->gate);
		break;
	case NOTE_SERVERS:
		daemon_gate_follow(s->gate);
		break;
	case NOTE_SETTLED:
		if (may_be_ready(d))
			become_ready(d);
		daemon_wait_settled(s->wait);
		break;
	case NOTE_PORTS:
		bind_ports(d);
		break;
	case NOTE_DENIED:
		daemon_requests_denied(d->requests);
		break;
	case NOTE_STATUS:
		daemon_notify(&d->s);
		break;
	case N_NOTES:
		break;
	}
}

/* ------------------------------------------------------------------ signals */

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info,
			    void *data)
{
	const struct diags *diags;
	struct daemon *d = data;
	struct err err = { 0 };

	(void)source;
	(void)info;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_us());
	if (daemon_load_reload(d->s.load, &diags, &err) < 0)
		log_error("reload: %s", err.text);
	else
		log_info("reloaded");
	daemon_notify(&d->s);
	sd_notify(0, "READY=1");
	daemon_load_forget_rejected(d->s.load);
	err_free(&err);
	return 0;
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct daemon *d = data;

	(void)source;
	log_info("stopping on signal %u; rules and sets stay", info->ssi_signo);
	d->stopping = true;
	return sd_event_exit(loop_event(d->s.loop), 0);
}

static int add_signals(struct daemon *d)
{
	static const int stop[] = { SIGTERM, SIGINT }, reload[] = { SIGHUP, SIGUSR1 };
	sd_event *event = loop_event(d->s.loop);
	sigset_t mask;
	int r = 0;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(stop); i++)
		sigaddset(&mask, stop[i]);
	for (size_t i = 0; i < ARRAY_SIZE(reload); i++)
		sigaddset(&mask, reload[i]);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(stop); i++)
		r = sd_event_add_signal(event, NULL, stop[i], on_stop_signal, d);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(reload); i++)
		r = sd_event_add_signal(event, NULL, reload[i], on_reload_signal, d);
	return r;
}

/* ------------------------------------------------------------------ start */

static void raise_inotify_limits(void)
{
	struct err err = { 0 };

	if (sysctl_raise(INOTIFY "max_user_watches", 524288, &err) < 0)
		log_warning("%s; containers may run out of watches", err.text);
	err_free(&err);
	if (sysctl_raise(INOTIFY "max_user_instances", 8192, &err) < 0)
		log_warning("%s; containers may run out of inotify instances", err.text);
	err_free(&err);
}

/* The files; or where they cannot be enforced, the last ones that were accepted. */
static int load_first(struct daemon *d, struct err *err)
{
	const struct diags *diags;
	int r = daemon_load_reload(d->s.load, &diags, err);

	/* The log has none of these: somebody at a terminal sees each with its line of the file. */
	if (r < 0 && diags->count[SEVERITY_ERROR] > 0 && !log_is_journal())
		diags_print(diags, stderr);
	daemon_load_forget_rejected(d->s.load);
	if (r < 0 && daemon_load_fall_back(d->s.load, err->text) >= 0) {
		err_free(err);
		return 0;
	}
	return r;
}

/* Those that have something to open; the ruleset's events before anything is loaded. */
static int open_sources(struct daemon *d, struct err *err)
{
	const struct daemon_options *options = d->options;
	struct services *s = &d->s;
	int r = daemon_repair_open(s->loop, &d->enforcer, &s->repair, err);

	if (r >= 0)
		r = enforcer_open(&d->enforcer, options->refresh_s, options->stale_ttl_s,
				  &options->plan, options->docker, err);
	if (r >= 0 && d->enforcer.no_bridge)
		log_warning("this kernel cannot filter what bridges forward (%s): containers are "
			    "not bound "
			    "to their addresses",
			    d->enforcer.no_bridge);
	if (r >= 0)
		r = daemon_names_open(s->loop, &d->enforcer, &s->names, err);
	if (r >= 0)
		r = daemon_own_open(s->loop, &d->enforcer, &d->own, err);
	return r;
}

static int open_services(struct daemon *d, struct err *err)
{
	const struct daemon_options *options = d->options;
	struct enforcer *enforcer = &d->enforcer;
	struct services *s = &d->s;

	s->settings = daemon_settings_open(s->loop, enforcer);
	s->learning = daemon_learning_open(s->loop, enforcer);
	s->unjudged = daemon_unjudged_open(s->loop, enforcer);
	s->counters = daemon_counters_open(enforcer);
	s->files = daemon_files_open(s->loop, enforcer, options->network_config,
				     options->firewall_config, options->state_directory);
	s->docker = daemon_docker_open(s->loop, enforcer, &enforcer->placing, options->docker);
	s->ports = daemon_ports_open(s->loop, s->docker);
	s->judged = daemon_judged_open(s->loop, enforcer);
	s->denied = daemon_denied_open(s->loop, enforcer, s->docker, s->ports,
				       options->plan.log_group, options->denied_log);
	s->drain = daemon_drain_open(s->loop, enforcer, s->docker);
	s->load = daemon_load_open(s->loop, enforcer,
				   &(struct daemon_load_needs){
					   .network_config = options->network_config,
					   .firewall_config = options->firewall_config,
					   .names = s->names,
					   .repair = s->repair,
					   .drain = s->drain,
					   .denied = s->denied,
					   .files = s->files,
				   });
	s->wait = daemon_wait_open(s->loop, enforcer, s->names, s->docker, s->judged);
	return daemon_gate_open(s->loop, enforcer, s->names, s->denied, options->gate_socket,
				&s->gate, err);
}

/* Everything up to where the rules are in force and the socket answers. */
static int start(struct daemon *d, struct err *err)
{
	int r = open_sources(d, err);

	if (r < 0)
		return r;
	raise_inotify_limits();
	r = open_services(d, err);
	if (r < 0)
		return r;
	enforcer_observe(&d->enforcer, &d->observer);
	r = load_first(d, err);
	if (r >= 0)
		r = daemon_judged_start(d->s.judged, err);
	if (r >= 0)
		r = daemon_ports_start(d->s.ports, err);
	if (r >= 0) {
		judge(d);
		r = daemon_requests_open(&d->s, d->options->socket, &d->requests, err);
		d->scrape = daemon_scrape_open(&d->s, &d->options->metrics);
	}
	/* After the rules. And the last accepted configuration is no reason to remove networks. */
	if (r >= 0)
		r = daemon_docker_start(d->s.docker,
					d->options->reset && !daemon_files_alarm(d->s.files), err);
	return r;
}

static int on_ready_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	become_ready(data);
	return 0;
}

static int run(struct daemon *d, struct err *err)
{
	int r = loop_open(on_note, d, &d->s.loop, err);

	if (r < 0)
		return r;
	r = add_signals(d);
	if (r < 0)
		return err_errno(err, -r, "event loop");
	r = lock_take(LOCK_DAEMON, LOCK_TIMEOUT_MS, &d->lock, err);
	if (r >= 0)
		r = start(d, err);
	if (r < 0)
		return r;
	if (may_be_ready(d))
		become_ready(d);
	else
		r = loop_arm(d->s.loop, &d->ready_timer, loop_now_ms(d->s.loop) + READY_WAIT_MS,
			     on_ready_timer, d);
	if (r >= 0)
		r = loop_run(d->s.loop);
	return r < 0 ? err_errno(err, -r, "event loop") : 0;
}

/* ------------------------------------------------------------------ stop */

/* Nobody puts anything back later. */
static void finish(struct daemon *d)
{
	daemon_repair_last(d->s.repair);
	loop_handle_notes(d->s.loop);
	daemon_unjudged_last(d->s.unjudged);
}

static void close_services(struct daemon *d)
{
	struct services *s = &d->s;

	daemon_requests_stop(d->requests);
	http_close(d->scrape);
	daemon_wait_close(s->wait);
	daemon_gate_close(s->gate);
	daemon_load_close(s->load);
	daemon_drain_close(s->drain);
	daemon_ports_close(s->ports);
	daemon_docker_close(s->docker);
	daemon_requests_close(d->requests);
	daemon_judged_close(s->judged);
	daemon_denied_close(s->denied);
	daemon_own_close(d->own);
	daemon_names_close(s->names);
	daemon_repair_close(s->repair);
	daemon_unjudged_close(s->unjudged);
	daemon_learning_close(s->learning);
	daemon_settings_close(s->settings);
	daemon_files_close(s->files);
	daemon_counters_close(s->counters);
}

static void stop(struct daemon *d)
{
	struct err err = { 0 };

	sd_notify(0, "STOPPING=1");
	if (d->stopping)
		finish(d);
	close_services(d);
	if (d->stopping && enforcer_release(&d->enforcer, loop_now_ms(d->s.loop), &err) < 0)
		log_error("%s; they will run out", err.text);
	enforcer_close(&d->enforcer);
	err_free(&err);
	sd_event_source_unref(d->ready_timer);
	loop_close(d->s.loop);
	lock_give(d->lock);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon d = { .options = options, .lock = -1 };
	struct err err = { 0 };
	bool bad_config;
	int r;

	if (options->stale_ttl_s < STALE_TTL_MIN_S) {
		log_error("daemon: IPSET_STALE_TTL is %u, wanted %d or more: names are asked "
			  "again after 5 s, and DNS may take 4",
			  options->stale_ttl_s, STALE_TTL_MIN_S);
		return EXIT_USAGE;
	}
	d.observer = (struct enforcer_observer){ before, after, first, &d };
	d.s.enforcer = &d.enforcer;
	d.s.network_config = options->network_config;
	d.s.firewall_config = options->firewall_config;
	d.s.started_ms = unix_ms();
	r = run(&d, &err);
	if (r < 0)
		log_failure("daemon", r, err.text);
	bad_config = d.s.load && daemon_load_bad_config(d.s.load);
	stop(&d);
	err_free(&err);
	return r < 0 ? (bad_config ? EXIT_CONFIG : EXIT_FAILED) : EXIT_DONE;
}
