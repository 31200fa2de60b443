/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/old_install.h"
#include "dockside/enforce/preflight.h"
#include "dockside/names/alarms.h"
#include "dockside/policy/config.h"
#include "dockside/system/clock.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"
#include "dockside/system/sysctl.h"

#define LOCK_TIMEOUT_MS 10000
#define READY_WAIT_MS 5000 /* for DNS and Docker, SPEC §6 */
#define TRIM_WAIT_MS 5000  /* after a load, as another one often follows */
/* What lives shorter would be gone before it can be renewed: NAME_ASK_MIN_MS and the time that DNS has. */
#define STALE_TTL_MIN_S 10
#define INOTIFY "fs/inotify/"

uint64_t daemon_now_ms(const struct daemon *d)
{
	uint64_t us = 0;

	if (sd_event_now(d->event, CLOCK_MONOTONIC, &us) < 0)
		abort(); /* the event loop has no clock */
	return us / 1000;
}

int daemon_arm(struct daemon *d, sd_event_source **timer, uint64_t at_ms,
	       sd_event_time_handler_t handler)
{
	uint64_t us = at_ms == UINT64_MAX ? UINT64_MAX : at_ms * 1000;
	int r;

	if (!*timer)
		return sd_event_add_time(d->event, timer, CLOCK_MONOTONIC, us, DAEMON_ACCURACY_US,
					 handler, d);
	r = sd_event_source_set_time(*timer, us);
	return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

void daemon_notify_status(struct daemon *d)
{
	const struct running *running = d->enforcer.running;
	cleanup(cleanup_free) char *not_judged = daemon_judged_names(d);
	size_t managed = 0, audited = 0, n_alarms;
	const bool fallen_back = daemon_files_alarm(d) != NULL;
	char audit[64] = "", alarms[64] = "";
	struct judge_result judged;

	if (!running)
		return;
	daemon_judged_now(d, NULL, &judged);
	for (size_t i = 0; i < judged.n; i++) {
		enum judged_state state = judged.items[i].state;

		managed += state != JUDGED_UNMANAGED && state != JUDGED_NOT;
		audited += state == JUDGED_AUDIT;
	}
	judge_result_free(&judged);
	if (audited > 0)
		snprintf(audit, sizeof(audit), "; AUDIT: %zu of them refuse nothing", audited);
	d->told_alarms = alarms_tell(&running->policy, &d->enforcer.names, NULL, NULL);
	n_alarms = d->told_alarms + fallen_back + (daemon_judged_dns(d) != NULL);
	if (n_alarms > 0)
		snprintf(alarms, sizeof(alarms), "; %zu ALARM%s: see dsfw-nft status", n_alarms,
			 n_alarms == 1 ? "" : "S");
	sd_notifyf(0, "STATUS=enforcing %zu network%s, %zu name%s%s%s%s%s%s%s%s%s%s", managed,
		   plural(managed), d->enforcer.names.n, plural(d->enforcer.names.n),
		   fallen_back ? " of the LAST ACCEPTED configuration, as the files have errors"
			       : "",
		   not_judged[0] ? "; NOT JUDGED: " : "", not_judged,
		   d->repair_failed ? "; the ruleset could not be put right" : "", audit, alarms,
		   d->last_load.failed ? "; the last change of the configuration failed" : "",
		   d->settings_error ? "; host settings are missing" : "",
		   repair_limit_limited(&d->repairs, daemon_now_ms(d))
			   ? "; somebody keeps changing the ruleset"
			   : "");
}

static uint64_t monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void daemon_note_load(struct daemon *d, bool failed, const char *message)
{
	free(d->last_load.message);
	d->last_load.message = message ? xstrdup(message) : NULL;
	d->last_load.failed = failed;
	d->last_load.at_ms = daemon_now_ms(d);
	d->last_load.unix_ms = unix_ms();
	if (failed)
		d->last_load.n_failed++;
	else
		d->last_load.n_ok++;
	daemon_notify_status(d);
}

/* ------------------------------------------------------------------ loading */

/* One line for the journal, without the source line and its carets. */
static void log_diag(const struct diag *diag)
{
	unsigned line, column;
	struct buf b = { 0 };

	if (diag->loc.src)
		buf_puts(&b, diag->loc.src->name);
	loc_line_column(diag->loc, &line, &column);
	if (line > 0)
		buf_printf(&b, ":%u:%u", line, column);
	buf_printf(&b, ": %s", diag->message);
	if (diag->hint)
		buf_printf(&b, "; %s", diag->hint);
	switch (diag->severity) {
	case SEVERITY_ERROR:
		log_error("%s", buf_str(&b));
		break;
	case SEVERITY_WARNING:
		log_warning("%s", buf_str(&b));
		break;
	case SEVERITY_NOTE:
		log_info("%s", buf_str(&b));
		break;
	}
	buf_free(&b);
}

static void log_diags(const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		log_diag(&diags->items[i]);
}

/* Each time: that nothing is refused must not be forgotten. */
static void warn_audit(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].audit)
			log_warning("network %s is in audit mode: NOTHING IS REFUSED, what would "
				    "be is only told of",
				    policy->networks[i].name);
}

/* A load takes several times the memory of what it leaves. */
static int on_trim_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	(void)data;
	malloc_trim(0);
	return 0;
}

/* What follows when a policy has been enforced. */
static void enforced(struct daemon *d)
{
	daemon_arm(d, &d->trim_timer, daemon_now_ms(d) + TRIM_WAIT_MS, on_trim_timer);
	warn_audit(&d->enforcer.running->policy);
	old_install_warn_of_legacy();
	daemon_denied_enforced(d);
	daemon_names_ask(d);
	daemon_settings_make(d);
	daemon_drain_watch(d);
	daemon_docker_policy(d);
	daemon_judged_look(d);
	daemon_notify_status(d);
}

int daemon_enforce(struct daemon *d, struct running *candidate, struct running **ret_before,
		   struct err *err)
{
	struct reconcile_result result;
	int r;

	r = preflight_bridges(&candidate->policy, err);
	if (r >= 0) {
		daemon_denied_before(d);
		daemon_repair_catch_up(d);
		r = enforcer_policy(&d->enforcer, candidate, daemon_now_ms(d), ret_before, &result,
				    err);
	}
	if (r < 0) {
		running_free(candidate);
		/* It may have failed half-way, after the kernel took it. */
		if (d->enforcer.running)
			daemon_repair_soon(d, "a policy could not be enforced");
		return r;
	}
	daemon_status_forget(d);
	if (result.n_objects > 0)
		daemon_denied_count(d);
	d->n_policies++;
	if (result.changed)
		log_info("changed %zu chains, %zu sets, %zu elements%s", result.n_chains,
			 result.n_sets, result.n_elems,
			 result.shim ? ", the shim in Docker's tables" : "");
	if (result.took_over)
		log_info("took over from the iptables version: its chains and jumps are gone");
	if (result.took_over || !*ret_before)
		old_install_remove_ipsets(&candidate->policy, result.took_over);
	enforced(d);
	return 0;
}

static bool same_src(const struct src *a, const struct src *b)
{
	return strcmp(a->name, b->name) == 0 && a->len == b->len &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* Whether a reload has nothing to do: the files are those that run, the kernel holds what they say,
 * and no interface has come that stands in their way. */
static bool nothing_new(struct daemon *d, const struct running *candidate)
{
	const struct running *running = d->enforcer.running;

	if (!running || !running->from_files ||
	    !same_src(&running->policy.network_src, &candidate->policy.network_src) ||
	    !same_src(&running->policy.firewall_src, &candidate->policy.firewall_src) ||
	    preflight_bridges(&running->policy, NULL) < 0)
		return false;
	daemon_repair_catch_up(d);
	/* Nor does the shim wait to be put right. */
	return !d->repair_waiting && enforcer_holds(&d->enforcer, daemon_now_ms(d));
}

/* Consumes candidate, whose sources have been read. */
static int enforce_files(struct daemon *d, struct running *candidate, struct err *err)
{
	struct running *before = NULL;
	int r;

	log_diags(&candidate->diags);
	daemon_drain_missing(d, &candidate->policy);
	r = daemon_enforce(d, candidate, &before, err);
	if (r < 0 && d->enforcer.running)
		drain_remove_configured(&d->enforcer.drain, &d->enforcer.running->policy);
	running_free(before);
	return r;
}

int daemon_reload(struct daemon *d, const struct diags **ret_diags, struct err *err)
{
	static const struct diags none = { 0 };
	struct running *candidate = running_new();
	struct policy *policy = &candidate->policy;
	struct diags *diags = &candidate->diags;
	bool read;
	int r = preflight_recover_files(d->options->network_config, d->options->firewall_config,
					err);

	*ret_diags = &none;
	if (r < 0) {
		/* They may be of two versions: they are not even read. */
		running_free(candidate);
		if (!d->enforcer.running)
			log_error("%s", err->text);
		daemon_note_load(d, true, err->text);
		return r;
	}
	read = src_read(d->options->network_config, &policy->network_src, diags);

	/* Both, whatever becomes of the first: one run reports everything. */
	read = src_read(d->options->firewall_config, &policy->firewall_src, diags) && read;
	candidate->from_files = true;
	daemon_denied_reload(d);
	if (read && nothing_new(d, candidate)) {
		running_free(candidate);
		log_diags(&d->enforcer.running->diags);
		enforced(d);
	} else if (config_parse(policy, diags) && read) {
		r = enforce_files(d, candidate, err);
	} else {
		log_diags(diags);
		r = err_set(err, EINVAL, "the configuration has errors%s",
			    d->enforcer.running ? ", keeping the running one" : "");
		*ret_diags = diags;
		d->rejected = candidate;
		d->bad_config = true;
		daemon_note_load(d, true, err->text);
		return r;
	}
	if (r >= 0) {
		*ret_diags = &d->enforcer.running->diags;
		daemon_files_accepted(d);
	}
	/* Who reloads may have changed /etc/hosts, too. */
	names_refresh(&d->enforcer.names, daemon_now_ms(d));
	daemon_names_ask(d);
	daemon_note_load(d, r < 0, r < 0 ? err->text : NULL);
	return r;
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
	if (daemon_reload(d, &diags, &err) < 0)
		log_error("reload: %s", err.text);
	else
		log_info("reloaded");
	sd_notify(0, "READY=1");
	daemon_forget_rejected(d);
	err_free(&err);
	return 0;
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct daemon *d = data;

	(void)source;
	log_info("stopping on signal %u; rules and sets stay", info->ssi_signo);
	d->stopping = true;
	return sd_event_exit(d->event, 0);
}

static int add_signals(struct daemon *d)
{
	static const int stop[] = { SIGTERM, SIGINT }, reload[] = { SIGHUP, SIGUSR1 };
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
		r = sd_event_add_signal(d->event, NULL, stop[i], on_stop_signal, d);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(reload); i++)
		r = sd_event_add_signal(d->event, NULL, reload[i], on_reload_signal, d);
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
	int r = daemon_reload(d, &diags, err);

	/* They have been logged; somebody at a terminal is shown the places besides. */
	if (r < 0 && diags->count[SEVERITY_ERROR] > 0 && !log_is_journal())
		diags_print(diags, stderr);
	daemon_forget_rejected(d);
	if (r < 0 && daemon_files_fall_back(d, err->text) >= 0) {
		err_free(err);
		return 0;
	}
	return r;
}

/* Everything up to where the rules are in force and the socket answers. */
static int start(struct daemon *d, struct err *err)
{
	int r = daemon_repair_start(d, err);

	if (r >= 0)
		r = enforcer_open(&d->enforcer, d->options->refresh_s, d->options->stale_ttl_s,
				  &d->options->plan, d->options->docker, err);
	if (r >= 0)
		r = daemon_names_start(d, err);
	if (r >= 0)
		r = daemon_own_start(d, err);
	if (r < 0)
		return r;
	raise_inotify_limits();
	daemon_files_start(d);
	r = load_first(d, err);
	if (r >= 0)
		r = daemon_judged_start(d, err);
	if (r >= 0)
		r = daemon_requests_start(d, err);
	/* After the rules, which go by the bridges' names: no container can join before them. */
	return r < 0 ? r : daemon_docker_start(d, err);
}

static void become_ready(struct daemon *d)
{
	if (d->ready)
		return;
	d->ready = true;
	sd_notify(0, "READY=1");
	daemon_notify_status(d);
	log_info("ready");
}

static int on_ready_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	become_ready(data);
	return 0;
}

void daemon_settled(struct daemon *d)
{
	if (daemon_names_settled(d, daemon_now_ms(d)) && daemon_docker_ready(d))
		become_ready(d);
	daemon_wait_settled(d);
}

void daemon_forget_rejected(struct daemon *d)
{
	running_free(d->rejected);
	d->rejected = NULL;
}

/* sd_event_loop(), and how long each event takes: the others wait for so long. */
static int loop(struct daemon *d)
{
	int r = 0;

	while (r >= 0 && sd_event_get_state(d->event) != SD_EVENT_FINISHED) {
		uint64_t begin_us;

		r = sd_event_prepare(d->event);
		if (r == 0)
			r = sd_event_wait(d->event, UINT64_MAX);
		if (r <= 0)
			continue;
		begin_us = monotonic_us();
		r = sd_event_dispatch(d->event);
		loop_note(&d->loop, monotonic_us() - begin_us);
	}
	return r < 0 ? r : 0;
}

static int run(struct daemon *d, struct err *err)
{
	int r = sd_event_new(&d->event);

	d->started_ms = unix_ms();
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, true);
	if (r >= 0)
		r = add_signals(d);
	if (r < 0)
		return err_errno(err, -r, "event loop");
	r = lock_take(LOCK_DAEMON, LOCK_TIMEOUT_MS, &d->lock, err);
	if (r >= 0)
		r = start(d, err);
	if (r < 0)
		return r;
	if (daemon_names_settled(d, daemon_now_ms(d)) && daemon_docker_ready(d))
		become_ready(d);
	else
		r = daemon_arm(d, &d->ready_timer, daemon_now_ms(d) + READY_WAIT_MS,
			       on_ready_timer);
	if (r >= 0)
		r = loop(d);
	return r < 0 ? err_errno(err, -r, "event loop") : 0;
}

/* ------------------------------------------------------------------ stop */

static void stop(struct daemon *d)
{
	struct err err = { 0 };

	sd_notify(0, "STOPPING=1");
	if (d->stopping)
		daemon_repair_last(d);
	if (d->stopping)
		daemon_unjudged_last(d);
	daemon_requests_stop(d);
	daemon_docker_stop(d);
	daemon_judged_stop(d);
	daemon_denied_stop(d);
	daemon_own_stop(d);
	daemon_names_stop(d);
	daemon_repair_stop(d);
	daemon_unjudged_stop(d);
	daemon_drain_stop(d);
	daemon_settings_stop(d);
	daemon_files_stop(d);
	daemon_status_forget(d);
	if (d->stopping && enforcer_release(&d->enforcer, daemon_now_ms(d), &err) < 0)
		log_error("%s; they will run out", err.text);
	enforcer_close(&d->enforcer);
	err_free(&err);
	sd_event_source_unref(d->ready_timer);
	sd_event_source_unref(d->trim_timer);
	sd_event_unref(d->event);
	lock_give(d->lock);
	free(d->last_load.message);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon d = { .options = options, .lock = -1 };
	struct err err = { 0 };
	int r;

	if (options->stale_ttl_s < STALE_TTL_MIN_S) {
		log_error("daemon: IPSET_STALE_TTL is %u, wanted %d or more: names are asked "
			  "again after 5 s, and DNS may take 4",
			  options->stale_ttl_s, STALE_TTL_MIN_S);
		return EXIT_USAGE;
	}
	r = run(&d, &err);

	if (r < 0)
		log_failure("daemon", r, err.text);
	stop(&d);
	err_free(&err);
	return r < 0 ? (d.bad_config ? EXIT_CONFIG : EXIT_FAILED) : EXIT_DONE;
}
