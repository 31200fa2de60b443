/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_load.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/enforce/old_install.h"
#include "dockside/enforce/preflight.h"
#include "dockside/policy/config.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

#define TRIM_WAIT_MS 5000 /* after a load, as another one often follows */

struct daemon_load {
	struct loop *loop;
	struct enforcer *enforcer;
	struct daemon_load_needs with;
	struct running *rejected; /* the last configuration that had errors, until they are told */
	struct load_state last;
	char *message;	 /* of the last */
	bool bad_config; /* the last files that were read had errors */
	sd_event_source *trim_timer;
};

/* ------------------------------------------------------------------ what is said of a load */

void daemon_load_note(struct daemon_load *l, bool failed, const char *message)
{
	struct load_state *last = &l->last;

	free(l->message);
	l->message = message ? xstrdup(message) : NULL;
	last->message = l->message;
	last->failed = failed;
	last->at_ms = loop_now_ms(l->loop);
	last->unix_ms = unix_ms();
	if (failed)
		last->n_failed++;
	else
		last->n_ok++;
	loop_post(l->loop, NOTE_STATUS);
}

struct load_state daemon_load_state(const struct daemon_load *l)
{
	return l->last;
}

bool daemon_load_bad_config(const struct daemon_load *l)
{
	return l->bad_config;
}

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
			log_warning("network %s is in audit mode: NOTHING IS REFUSED, would-be "
				    "refusals are only recorded",
				    policy->networks[i].name);
}

/* A load takes several times the memory that it keeps. */
static int on_trim_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	(void)data;
	malloc_trim(0);
	return 0;
}

/* ------------------------------------------------------------------ enforcing */

/* Repeats the warnings each time, whether anything has changed or not, and trims memory later. */
static void enforced(struct daemon_load *l)
{
	loop_arm(l->loop, &l->trim_timer, loop_now_ms(l->loop) + TRIM_WAIT_MS, on_trim_timer, l);
	warn_audit(&l->enforcer->running->policy);
	old_install_warn_of_legacy();
}

int daemon_load_enforce(struct daemon_load *l, struct running *candidate,
			struct running **ret_before, struct err *err)
{
	struct reconcile_result result;
	int r;

	r = preflight_bridges(&candidate->policy, err);
	if (r >= 0)
		r = preflight_gate(&candidate->policy, &l->enforcer->options, err);
	if (r >= 0)
		r = enforcer_policy(l->enforcer, candidate, loop_now_ms(l->loop), ret_before,
				    &result, err);
	if (r < 0) {
		running_free(candidate);
		/* It may have failed half-way, after the kernel took it. */
		if (l->enforcer->running)
			daemon_repair_soon(l->with.repair, "a policy could not be enforced");
		return r;
	}
	if (result.changed)
		log_info("changed %zu chains, %zu sets, %zu elements%s", result.n_chains,
			 result.n_sets, result.n_elems,
			 result.shim ? ", the shim in Docker's tables" : "");
	if (result.took_over)
		log_info("took over from the iptables version: its chains and jumps are gone");
	if (result.took_over || !*ret_before)
		old_install_remove_ipsets(&candidate->policy, result.took_over);
	enforced(l);
	return 0;
}

static bool same_src(const struct src *a, const struct src *b)
{
	return strcmp(a->name, b->name) == 0 && a->len == b->len &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* Whether a reload has nothing to do: the files are those that run, the kernel holds what they say,
 * and no interface has come that stands in their way. */
static bool nothing_new(struct daemon_load *l, const struct running *candidate)
{
	const struct running *running = l->enforcer->running;

	if (!running || !running->from_files ||
	    !same_src(&running->policy.network_src, &candidate->policy.network_src) ||
	    !same_src(&running->policy.firewall_src, &candidate->policy.firewall_src) ||
	    preflight_bridges(&running->policy, NULL) < 0)
		return false;
	daemon_repair_catch_up(l->with.repair);
	/* Nor does the shim wait to be put right. */
	return !daemon_repair_state(l->with.repair).waiting &&
	       enforcer_holds(l->enforcer, loop_now_ms(l->loop));
}

/* Consumes candidate, whose sources have been read. */
static int enforce_files(struct daemon_load *l, struct running *candidate, struct err *err)
{
	struct running *before = NULL;
	int r;

	log_diags(&candidate->diags);
	sites_apply(&l->enforcer->placing.sites, &candidate->policy);
	daemon_drain_missing(l->with.drain, &candidate->policy);
	r = daemon_load_enforce(l, candidate, &before, err);
	if (r < 0 && l->enforcer->running)
		drain_remove_configured(&l->enforcer->drain, &l->enforcer->running->policy);
	running_free(before);
	return r;
}

int daemon_load_reload(struct daemon_load *l, const struct diags **ret_diags, struct err *err)
{
	static const struct diags none = { 0 };
	struct running *candidate = running_new();
	struct policy *policy = &candidate->policy;
	struct diags *diags = &candidate->diags;
	bool read;
	int r = preflight_recover_files(l->with.network_config, l->with.firewall_config, err);

	*ret_diags = &none;
	if (r < 0) {
		/* They may be of two versions: they are not even read. */
		running_free(candidate);
		if (!l->enforcer->running)
			log_error("%s", err->text);
		daemon_load_note(l, true, err->text);
		return r;
	}
	l->bad_config = false;
	read = config_read_files(l->with.network_config, l->with.firewall_config, policy, diags);
	candidate->from_files = true;
	daemon_denied_reload(l->with.denied);
	if (read && nothing_new(l, candidate)) {
		running_free(candidate);
		log_diags(&l->enforcer->running->diags);
		enforcer_confirm(l->enforcer);
		enforced(l);
	} else if (config_parse(policy, diags) && read) {
		r = enforce_files(l, candidate, err);
	} else {
		/* At the start, the daemon prints them at a terminal itself. */
		if (l->enforcer->running || log_is_journal())
			log_diags(diags);
		r = err_set(err, EINVAL, "the configuration has errors%s",
			    l->enforcer->running ? ", keeping the running one" : "");
		*ret_diags = diags;
		l->rejected = candidate;
		l->bad_config = true;
		daemon_load_note(l, true, err->text);
		return r;
	}
	if (r >= 0) {
		*ret_diags = &l->enforcer->running->diags;
		daemon_files_accepted(l->with.files);
	}
	/* The user who reloads may have changed /etc/hosts, too. */
	names_refresh(&l->enforcer->names, loop_now_ms(l->loop));
	daemon_names_ask(l->with.names);
	daemon_load_note(l, r < 0, r < 0 ? err->text : NULL);
	return r;
}

void daemon_load_forget_rejected(struct daemon_load *l)
{
	running_free(l->rejected);
	l->rejected = NULL;
}

/* ------------------------------------------------------------------ the last accepted files */

/* Its places are in a text that is in no file. */
static void take_src(struct src *src, struct src *from)
{
	*src = (struct src){
		.name = xasprintf("%s (last accepted)", from->name),
		.text = from->text,
		.len = from->len,
	};
	from->text = NULL;
}

static int enforce_pair(struct daemon_load *l, struct last_good_pair *pair, struct err *err)
{
	struct running *candidate = running_new(), *before = NULL;
	int r;

	take_src(&candidate->policy.network_src, &pair->network);
	take_src(&candidate->policy.firewall_src, &pair->firewall);
	if (!config_parse(&candidate->policy, &candidate->diags)) {
		running_free(candidate);
		return err_set(err, EINVAL, "this version of dsfw-nft finds errors in it");
	}
	r = daemon_load_enforce(l, candidate, &before, err);
	running_free(before);
	return r;
}

int daemon_load_fall_back(struct daemon_load *l, const char *why)
{
	struct last_good_pair pair = { 0 };
	struct err err = { 0 };
	int r = daemon_files_last_good(l->with.files, &pair, &err);

	if (r >= 0)
		r = enforce_pair(l, &pair, &err);
	if (r >= 0)
		daemon_files_fallen_back(l->with.files, pair.at_s, why);
	else
		log_error("the last accepted configuration cannot be enforced either: %s",
			  err.text);
	last_good_pair_free(&pair);
	err_free(&err);
	return r;
}

/* ------------------------------------------------------------------ start and stop */

struct daemon_load *daemon_load_open(struct loop *loop, struct enforcer *enforcer,
				     const struct daemon_load_needs *with)
{
	struct daemon_load *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->enforcer = enforcer;
	l->with = *with;
	return l;
}

void daemon_load_close(struct daemon_load *l)
{
	if (!l)
		return;
	sd_event_source_disable_unref(l->trim_timer);
	daemon_load_forget_rejected(l);
	free(l->message);
	free(l);
}
