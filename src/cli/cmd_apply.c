/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply, teardown: what changes the kernel. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "apply_docker.h"
#include "apply_drain.h"
#include "apply_sites.h"
#include "apply_told.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/ctl/gate_peer.h"
#include "dockside/enforce/bridges_learn.h"
#include "dockside/enforce/dns_ends.h"
#include "dockside/enforce/old_install.h"
#include "dockside/enforce/preflight.h"
#include "dockside/enforce/reconcile.h"
#include "dockside/enforce/source_routes.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/names/gate_lists.h"
#include "dockside/system/clock.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"
#include "dockside/system/save.h"
#include "dockside/system/sysctl.h"
#include "dockside/table/nft_script.h"
#include "inputs.h"
#include "json_report.h"
#include "plans.h"

#define LOCK_TIMEOUT_MS 30000

struct apply_options {
	struct enforce_options enforce;
	const char *docker; /* the path of its socket */
	bool reset;	    /* make its networks anew */
	const char *state_directory;
	const char *gate_socket;
	bool json;
};

/* A session holds the lock and the sockets by which one changes the kernel. */
struct session {
	struct reconcile_sockets sockets;
	int lock;
};

static int session_open(struct session *session, struct err *err)
{
	int r;

	*session = (struct session){ .lock = -1 };
	r = lock_take(LOCK_ONE_SHOT, LOCK_TIMEOUT_MS, &session->lock, err);
	if (r >= 0)
		r = nft_reader_open(&session->sockets.reader, err);
	if (r >= 0) /* nothing is renewed: any kind will do */
		r = nft_sets_open(&session->sockets.sets, RENEWAL_REPLACE, err);
	if (r >= 0)
		nft_loader_open(&session->sockets.loader);
	return r;
}

static void session_close(struct session *session)
{
	nft_loader_close(session->sockets.loader);
	nft_sets_close(session->sockets.sets);
	nft_reader_close(session->sockets.reader);
	lock_give(session->lock);
}

static void put_result(struct json_writer *out, size_t managed,
		       const struct reconcile_result *result)
{
	json_write_int(out, "managed", (int64_t)managed);
	json_write_bool(out, "changed", result->changed);
	json_write_int(out, "chains", (int64_t)result->n_chains);
	json_write_int(out, "sets", (int64_t)result->n_sets);
	json_write_int(out, "elements", (int64_t)result->n_elems);
	json_write_bool(out, "shim", result->shim);
	json_write_bool(out, "recorded", result->recorded);
	json_write_bool(out, "took_over", result->took_over);
}

static void print_result(const struct policy *policy, const struct reconcile_result *result,
			 struct report *report)
{
	size_t managed = 0;

	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		managed += network_managed(&policy->networks[i]);
	put_result(&report->out, managed, result);
	if (report->json)
		return;
	if (result->took_over)
		printf("took over from the iptables version: its chains and jumps are gone\n");
	if (result->changed)
		printf("applied: %zu managed network%s; changed %zu chain%s, %zu set%s, %zu "
		       "element%s%s\n",
		       managed, plural(managed), result->n_chains, plural(result->n_chains),
		       result->n_sets, plural(result->n_sets), result->n_elems,
		       plural(result->n_elems),
		       result->shim ? ", the shim in Docker's tables" : "");
	else if (result->recorded)
		printf("rules as wanted, now recorded as ours: %zu managed network%s\n", managed,
		       plural(managed));
	else
		printf("nothing to change: %zu managed network%s\n", managed, plural(managed));
}

static void warn_of_bridge(const struct plans *plans, struct report *report)
{
	json_write_string(&report->out, "no_bridge_family", plans->no_bridge);
	if (plans->no_bridge)
		log_warning(
			"this kernel cannot filter what bridges forward (%s): containers are not "
			"bound to "
			"their addresses; load nf_tables with its bridge family to have them bound",
			plans->no_bridge);
}

/* The rules are in force already: a failure is a warning. */
static void end_older_dns(const struct policy *policy, bool gates, struct report *report)
{
	struct err err = { 0 };
	size_t n = 0;

	if (gates && dns_ends_now(policy, &n, &err) < 0)
		log_warning("%s; they are refused, or go on, until they end by themselves",
			    err.text);
	json_write_int(&report->out, "dns_ended", (int64_t)n);
	if (n > 0 && !report->json)
		printf("ended %zu conversation%s with name servers that %s older than the change "
		       "of DNS gates\n",
		       n, plural(n), n == 1 ? "is" : "are");
	err_free(&err);
}

static void tell_of_gate(const struct policy *policy, const struct report *report)
{
	if (gate_wanted(policy) && !report->json)
		printf("networks with \"dns\" ask the DNS gate, dsfw-nft gate: dsfw-nft daemon "
		       "gives "
		       "it the policy, or apply if the gate runs by then\n");
}

static int apply_rules(struct session *session, const struct apply_options *options,
		       const struct policy *policy, const struct drain *kept, struct report *report,
		       struct err *open, struct err *err)
{
	struct reconcile_result result = { 0 };
	struct actual known[N_TABLES] = { 0 };
	struct resolved resolved = { 0 };
	struct plan_options plan = options->enforce.plan;
	struct plans plans = { 0 };
	struct ports ports = { 0 };
	struct apply_told_before before = { 0 };
	int r;

	r = preflight_gate(policy, &plan, err);
	if (r >= 0) {
		before = apply_told_look(session->sockets.reader, policy);
		r = resolve_names(policy, RESOLVE_FOR_KERNEL, &resolved, err);
	}
	if (r >= 0)
		/* Nobody will follow Docker: a container that it starts again later would be refused what was its own. */
		r = ports_for_kernel(session->sockets.reader, policy, NULL, &ports, err);
	if (r >= 0) {
		plans_compile_for_kernel(&plans, policy, &resolved, &ports, &plan);
		r = reconcile_apply(&session->sockets, plans.tables, options->enforce.stale_ttl_s,
				    known, &result, err);
	}
	if (r >= 0) {
		print_result(policy, &result, report);
		warn_of_bridge(&plans, report);
		end_older_dns(policy, result.gates, report);
		if (result.changed)
			tell_of_gate(policy, report);
		r = apply_told(
			&(struct apply_told){
				.reader = session->sockets.reader,
				.loader = session->sockets.loader,
				.plan = plans.tables[TABLE_INET],
				.policy = policy,
				.kept = kept,
				.gate_socket = options->gate_socket,
				.before = &before,
			},
			report, open, err);
		old_install_remove_ipsets(policy, result.took_over);
		old_install_warn_of_legacy();
	}
	for (int i = 0; i < N_TABLES; i++)
		actual_free(&known[i]);
	told_record_free(&before.record);
	plans_free(&plans);
	ports_free(&ports);
	resolved_free(&resolved);
	return r;
}

/* Tells whether it changed them, which *any also says of an earlier call. Returns 0 or -errno. */
static int make_settings(bool *any, struct err *err)
{
	bool changed = false;
	int r = sysctl_bridge_netfilter(&changed, err);

	*any |= changed;
	return r;
}

/* The bridges of the networks that are there by now; returns of how many it has changed the setting. A failure opens
 * nothing, and is a warning. */
static size_t stop_learning(const struct policy *policy)
{
	struct err err = { 0 };
	size_t n;

	if (bridges_learn_stop(policy, &n, &err) < 0)
		log_warning("%s; a container can keep others' packets from them, until these send "
			    "again",
			    err.text);
	err_free(&err);
	return n;
}

/* Returns how many settings it has changed. A failure is a warning. */
static size_t refuse_source_routes(const struct policy *policy)
{
	struct err err = { 0 };
	size_t n;

	if (source_routes_refuse(policy, &n, &err) < 0)
		log_warning("%s; a container may send packets past the rules by a source route",
			    err.text);
	err_free(&err);
	return n;
}

static void print_settings(struct report *report, bool changed, size_t n_bridges, size_t n_routes)
{
	json_write_bool(&report->out, "settings_changed", changed || n_bridges > 0 || n_routes > 0);
	if (report->json)
		return;
	if (changed)
		printf("host settings changed: net.bridge.bridge-nf-* is 1, so that rules see "
		       "bridged packets\n");
	if (n_bridges > 0)
		printf("host settings changed: no_linklocal_learn of %zu bridge%s is 1, so that no "
		       "container teaches it where others are\n",
		       n_bridges, plural(n_bridges));
	if (n_routes > 0)
		printf("host settings changed: %zu setting%s of managed bridges, so that no source "
		       "route leads past the rules\n",
		       n_routes, plural(n_routes));
}

/* ---- the state directory ---- */

static void warn_of_state(const struct err *err)
{
	log_warning("%s; a network that the files lose later, while containers are attached, is "
		    "closed instead of keeping its last policy",
		    err->text);
}

/* By these files the next run knows what a network's policy was that they do not have any more. */
static void keep_accepted(struct kept *kept, const struct policy *policy)
{
	const struct last_good_pair pair = {
		.network = { kept->network_path, policy->network_src.text,
			     policy->network_src.len },
		.firewall = { kept->firewall_path, policy->firewall_src.text,
			      policy->firewall_src.len },
		.at_s = unix_ms() / 1000,
	};
	struct err err = { 0 };

	/* Why it is not there was said before. */
	if (kept->state.dir.opened && last_good_keep(&kept->state, &pair, &err) < 0)
		warn_of_state(&err);
	err_free(&err);
}

/* Under the lock: another apply reads and writes the same state directory. */
static int apply_locked(struct session *session, const struct apply_options *options,
			struct policy *policy, struct report *report, struct err *open,
			struct err *err)
{
	struct docker_talk talk = { .socket = options->docker };
	struct err trouble = { 0 };
	struct kept kept;
	int r;

	if (kept_open(&kept, &options->enforce.files, options->state_directory, false, &trouble) <
	    0)
		warn_of_state(&trouble);
	err_free(&trouble);
	r = find_sites(&talk, &kept.placing, policy, err);
	if (r >= 0)
		r = find_draining(&talk, &kept.drain, policy, err);
	if (r >= 0) {
		drain_tell_closed(&kept.drain);
		drain_save(&kept.drain);
		r = apply_rules(session, options, policy, &kept.drain, report, open, err);
	}
	if (r >= 0) {
		keep_accepted(&kept, policy);
		placing_save(&kept.placing, policy);
		warn_of_unplaced(policy, &talk, "in force until apply runs again, or the daemon");
	}
	docker_talk_close(&talk);
	kept_close(&kept);
	return r;
}

static int enforce(const struct apply_options *options, struct policy *policy,
		   struct report *report, struct err *open, struct err *err)
{
	struct session session;
	int r = session_open(&session, err);

	if (r >= 0)
		r = apply_locked(&session, options, policy, report, open, err);
	session_close(&session);
	return r;
}

/* ---- the whole ---- */

/* A failure beside the work itself ends the command, too, once the work is done. */
static int add_failure(int r, const struct err *failure, struct err *err)
{
	if (failure->code == 0)
		return r;
	if (r >= 0)
		return err_set(err, failure->code, "%s", failure->text);
	log_error("%s", failure->text);
	return r;
}

/*
 * The settings come first, but their failure does not keep the rules out: egress is policed without
 * them, lateral movement is not, so that the answer is "failed" either way. Docker's networks come
 * after the rules, which go by the bridges' names: no container can join a network before its policy is in
 * force. Making one may have brought br_netfilter, and with it the settings.
 */
static int apply(const struct apply_options *options, struct policy *policy, struct report *report,
		 struct err *err)
{
	struct err setting = { 0 }, open = { 0 };
	bool changed = false;
	size_t n_bridges = 0, n_routes = 0;
	int r, s;

	if (lock_has_daemon(err)) /* before anything changes, and before DNS takes its time */
		return -EBUSY;
	r = preflight_bridges(policy, err);
	if (r < 0)
		return r;
	s = make_settings(&changed, &setting);
	r = enforce(options, policy, report, &open, err);
	if (r >= 0) {
		r = apply_docker_networks(options->docker, options->reset, policy, report, err);
		n_bridges = stop_learning(policy);
		n_routes = refuse_source_routes(policy);
	}
	if (s < 0)
		s = make_settings(&changed, &setting);
	print_settings(report, changed, n_bridges, n_routes);
	if (r >= 0 && s < 0)
		err_prefix(&setting, "the rules are loaded, but packets between containers of one "
				     "network do not pass them");
	r = add_failure(r, &open, err);
	if (s < 0)
		r = add_failure(r, &setting, err);
	err_free(&open);
	err_free(&setting);
	return r;
}

/* Under the lock, as a process that saves holds it. */
static int recover_locked(const struct files_options *files, struct err *err)
{
	int lock = -1, r;

	r = lock_take(LOCK_ONE_SHOT, LOCK_TIMEOUT_MS, &lock, err);
	if (r >= 0)
		r = preflight_recover_files(files->network_config, files->firewall_config, err);
	lock_give(lock);
	return r;
}

static void report_failure(int r, const struct err *err)
{
	if (r == -EBUSY && lock_has_daemon(NULL))
		log_error("apply: %s, or use dsfw-nft reload", err->text);
	else
		log_failure("apply", r, err->text);
}

static int run_apply(const struct call *call)
{
	const struct apply_options *options = call->options;
	const struct files_options *files = &options->enforce.files;
	struct policy policy = { 0 };
	struct report report;
	struct err err = { 0 };
	bool loaded = false;
	int r = 0;

	report_begin(&report, options->json);
	if (save_pending(files->network_config, files->firewall_config))
		r = recover_locked(files, &err);
	if (r >= 0)
		loaded = report_load(&report, files, LOAD_TO_ENFORCE, &policy);
	if (loaded)
		r = apply(options, &policy, &report, &err);
	if (r < 0)
		report_failure(r, &err);
	report_print(&report, r < 0 ? err.text : !loaded ? "the configuration has errors" : NULL);
	report_free(&report);
	err_free(&err);
	policy_free(&policy);
	return r < 0 ? EXIT_FAILED : loaded ? EXIT_DONE : EXIT_CONFIG;
}

static const struct option_row gate_socket_option[] = {
	{ .name = "gate-socket",
	  .argument = "PATH",
	  .fallback = GATE_PEER_DEFAULT_PATH,
	  .help = "where a DNS gate that runs without a daemon asks for the policy",
	  .set = option_set_text },
	{ 0 },
};

const struct command cmd_apply = {
	.name = "apply",
	.summary = "make the kernel enforce both files, once",
	.takes = { TAKES_ENFORCE_OPTIONS(struct apply_options, enforce),
		   { docker_option, offsetof(struct apply_options, docker) },
		   { reset_option, offsetof(struct apply_options, reset) },
		   { gate_socket_option, offsetof(struct apply_options, gate_socket) },
		   { state_directory_option, offsetof(struct apply_options, state_directory) },
		   { json_option, offsetof(struct apply_options, json) } },
	.size = sizeof(struct apply_options),
	.run = run_apply,
};

/* Tables and shim in one transaction, so that the shim does not close the networks in between. */
static int remove_rules(struct session *session, const struct actual tables[N_TABLES],
			const struct shim_changes *shim, struct err *err)
{
	struct script script = { 0 };
	int r = 0;

	for (int i = 0; i < N_TABLES; i++) {
		if (!tables[i].exists)
			continue;
		buf_printf(&script.text, "delete table %s", table_text((enum table_family)i));
		script_line(&script, NULL);
	}
	nft_text_shim(shim, &script);
	if (script.n_lines > 0)
		r = nft_load(session->sockets.loader, &script, LOAD_COMMIT, NULL, NULL, err);
	if (r >= 0)
		r = reconcile_shim_set_forward(session->sockets.reader, shim, err);
	script_free(&script);
	return r;
}

struct removed {
	bool tables[N_TABLES], shim;
	bool forward[N_SHIM_FILTERS]; /* its policy was given back */
};

static int check_owner(const struct actual tables[N_TABLES], struct err *err)
{
	for (int i = 0; i < N_TABLES; i++)
		if (tables[i].owned)
			return err_set(err, EPERM, "table %s is owned by another process",
				       table_text((enum table_family)i));
	return 0;
}

static int teardown(struct removed *ret_removed, struct err *err)
{
	struct shim_kernel shim_kernel = { 0 };
	struct shim_changes shim = { 0 };
	struct actual tables[N_TABLES] = { 0 };
	struct session session;
	int r;

	r = session_open(&session, err);
	if (r >= 0)
		r = nft_read_tables(session.sockets.reader, tables, err);
	if (r >= 0)
		r = check_owner(tables, err);
	if (r >= 0)
		r = nft_read_shim(session.sockets.reader, &shim_kernel, err);
	if (r >= 0) {
		shim_diff_teardown(&shim_kernel, diff_forward_was_accept(&tables[TABLE_INET]),
				   &shim);
		r = remove_rules(&session, tables, &shim, err);
	}
	*ret_removed = (struct removed){ .shim = shim.n_ops > 0 };
	for (int i = 0; i < N_TABLES; i++)
		ret_removed->tables[i] = tables[i].exists;
	for (int i = 0; i < N_SHIM_FILTERS; i++)
		ret_removed->forward[i] = shim.forward[i] == FORWARD_RESTORE;
	shim_changes_free(&shim);
	shim_kernel_free(&shim_kernel);
	for (int i = 0; i < N_TABLES; i++)
		actual_free(&tables[i]);
	session_close(&session);
	return r;
}

/* Nothing drains where nothing is enforced. */
static void forget_draining(const char *state_directory)
{
	struct state_dir dir = { .read_only = true };
	struct err err = { 0 };
	int r = state_dir_open(&dir, state_directory, &err);

	if (r >= 0)
		r = state_dir_remove(&dir, DRAINING_FILE, &err);
	if (r < 0 && r != -ENOENT)
		log_warning("%s; networks that were draining would be enforced again: remove it",
			    err.text);
	state_dir_close(&dir);
	err_free(&err);
}

struct teardown_options {
	struct files_options files; /* not used: it works without them, and with broken ones */
	const char *state_directory;
};

static void print_removed(const struct removed *removed)
{
	bool any = removed->shim;

	for (int i = 0; i < N_TABLES; i++) {
		any |= removed->tables[i];
		if (removed->tables[i])
			printf("removed table %s\n", table_text((enum table_family)i));
	}
	if (!any)
		printf("nothing to remove\n");
	if (removed->shim)
		printf("removed our chain and jumps from Docker's tables\n");
	for (int i = 0; i < N_SHIM_FILTERS; i++)
		if (removed->forward[i])
			printf("gave back the policy of %s FORWARD: accept\n",
			       shim_table_name((enum shim_table)i));
}

static int run_teardown(const struct call *call)
{
	const struct teardown_options *options = call->options;
	struct err err = { 0 };
	struct removed removed = { 0 };
	int r;

	r = teardown(&removed, &err);
	if (r >= 0)
		forget_draining(options->state_directory);
	if (r < 0)
		log_failure("teardown", r, err.text);
	else
		print_removed(&removed);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_teardown = {
	.name = "teardown",
	.summary = "remove everything that apply has added",
	.takes = { { files_options, offsetof(struct teardown_options, files) },
		   { state_directory_option, offsetof(struct teardown_options, state_directory) } },
	.size = sizeof(struct teardown_options),
	.run = run_teardown,
};
