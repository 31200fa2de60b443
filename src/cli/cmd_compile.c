/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile, check: what needs no change of the kernel. */
#include <stdio.h>

#include "apply_sites.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/enforce/preflight.h"
#include "dockside/enforce/reconcile.h"
#include "dockside/names/gate_document.h"
#include "dockside/system/log.h"
#include "dockside/table/nft_text.h"
#include "inputs.h"
#include "json_report.h"
#include "output.h"
#include "plans.h"

/* ---- compile ---- */

struct compile_options {
	struct files_options files;
	struct plan_options plan;
	const char *output; /* NULL: standard output */
	bool resolve, gate_document;
};

static const struct option_row compile_options[] = {
	{ .name = "resolve",
	  .help = "fill the sets of hostnames from DNS",
	  .set = option_set_flag,
	  .offset = offsetof(struct compile_options, resolve) },
	{ .name = "gate-document",
	  .help = "write what the DNS gate is told instead: which names it answers, to whom",
	  .set = option_set_flag,
	  .offset = offsetof(struct compile_options, gate_document) },
	{ 0 },
};

static int write_gate_document(const struct compile_options *options, const struct policy *policy,
			       struct err *err)
{
	cleanup(buf_free) struct buf text = { 0 };

	gate_document_write(policy, 0, NULL, 0, &text, NULL);
	buf_putc(&text, '\n');
	return output_text(options->output, &text, err);
}

static int compile_and_write(const struct compile_options *options, const struct policy *policy,
			     struct err *err)
{
	static const struct ports none = { 0 };
	struct script script = { 0 };
	struct resolved resolved = { 0 };
	struct plan_options plan = options->plan;
	struct plans plans = { 0 };
	int r = check_sites_given(policy, err);

	if (r >= 0)
		r = preflight_gate(policy, &plan, err);
	if (r < 0)
		return r;
	if (options->resolve)
		r = resolve_names(policy, RESOLVE_FOR_TEXT, &resolved, err);
	else
		resolved_collect(policy, &resolved);
	if (r >= 0) {
		plans_compile(&plans, policy, &resolved, &none, &plan);
		for (int i = 0; i < N_TABLES; i++)
			nft_text_plan(plans.tables[i], &script);
		if (plans.bind.n_chains == 0)
			nft_text_no_table(TABLE_BRIDGE, &script);
		r = output_text(options->output, &script.text, err);
	}
	script_free(&script);
	plans_free(&plans);
	resolved_free(&resolved);
	return r;
}

static int compile(const struct call *call)
{
	const struct compile_options *options = call->options;
	struct policy policy = { 0 };
	struct err err = { 0 };
	int r;

	if (!load_policy(&options->files, LOAD_TO_JUDGE, &policy))
		return EXIT_CONFIG;
	r = options->gate_document ? write_gate_document(options, &policy, &err)
				   : compile_and_write(options, &policy, &err);
	if (r < 0)
		log_error("compile: %s", err.text);
	err_free(&err);
	policy_free(&policy);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_compile = {
	.name = "compile",
	.summary = "write the nft script of both files to standard output",
	.takes = { { files_options, offsetof(struct compile_options, files) },
		   { mark_bit_option, offsetof(struct compile_options, plan) },
		   { log_group_option, offsetof(struct compile_options, plan) },
		   { gate_user_option, offsetof(struct compile_options, plan) },
		   { output_option, offsetof(struct compile_options, output) },
		   { compile_options, 0 } },
	.size = sizeof(struct compile_options),
	.run = compile,
};

/* ---- check ---- */

struct check_options {
	struct enforce_options enforce;
	bool kernel, resolve, json;
};

static const struct option_row check_options[] = {
	{ .name = "kernel",
	  .help = "have the kernel validate the transaction, too",
	  .set = option_set_flag,
	  .offset = offsetof(struct check_options, kernel) },
	{ .name = "resolve",
	  .help = "ask DNS for every name, too; exit status 1 if one has no address",
	  .set = option_set_flag,
	  .offset = offsetof(struct check_options, resolve) },
	{ 0 },
};

/* Has the kernel validate the transaction that apply would commit now. */
static int check_in_kernel(const struct enforce_options *options, const struct policy *policy,
			   struct err *err)
{
	static const struct ports none = { 0 };
	struct nft_loader *loader = NULL;
	struct nft_reader *reader = NULL;
	struct comparison comparison;
	struct script script = { 0 };
	struct resolved resolved = { 0 };
	struct plan_options plan = options->plan;
	struct plans plans = { 0 };
	int r;

	r = preflight_bridges(policy, err);
	if (r >= 0)
		r = preflight_gate(policy, &plan, err);
	if (r < 0)
		return r;
	r = nft_reader_open(&reader, err);
	if (r < 0)
		return r;
	nft_loader_open(&loader);
	resolved_collect(policy, &resolved);
	plans_compile_for_kernel(&plans, policy, &resolved, &none, &plan);
	r = reconcile_compare(reader, loader, plans.tables, options->stale_ttl_s, COMPARE_RULES,
			      &comparison, err);
	if (r >= 0) {
		reconcile_script(&comparison, &script);
		r = nft_load(loader, &script, LOAD_CHECK, NULL, NULL, err);
		reconcile_comparison_free(&comparison);
	}
	script_free(&script);
	plans_free(&plans);
	resolved_free(&resolved);
	nft_loader_close(loader);
	nft_reader_close(reader);
	return r;
}

/* ---- what check has found ---- */

struct found {
	size_t managed, rules;
	size_t names, resolved; /* with --resolve: of so many names so many have an address */
};

static void put_name(struct json_writer *out, const struct resolved_name *name)
{
	cleanup(buf_free) struct buf error = { 0 };
	char text[ADDR_STRLEN];

	answers_error(name->errors, &error);
	json_write_open(out, NULL, '{');
	json_write_string(out, "name", name->name);
	json_write_open(out, "addresses", '[');
	for (size_t i = 0; i < name->n_addrs; i++)
		json_write_string(out, NULL, ipaddr_format(&name->addrs[i], text));
	json_write_close(out, ']');
	json_write_string(out, "error", error.len > 0 ? buf_str(&error) : NULL);
	json_write_close(out, '}');
}

/* Warns of each name that has no address. */
static int check_names(const struct policy *policy, struct json_writer *out, struct found *found,
		       struct err *err)
{
	struct resolved resolved = { 0 };
	int r = resolve_names(policy, RESOLVE_FOR_TEXT, &resolved, err);

	json_write_open(out, "names", '[');
	for (size_t i = 0; r >= 0 && i < resolved.n; i++) {
		put_name(out, &resolved.items[i]);
		found->names++;
		found->resolved += resolved.items[i].n_addrs > 0;
	}
	json_write_close(out, ']');
	resolved_free(&resolved);
	return r;
}

static void count_rules(const struct policy *policy, struct found *found)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		found->managed += network_has_policy(network);
		found->rules += network->n_egress + network->n_nat + network->n_host_rules;
	}
}

static void put_summary(struct json_writer *out, const struct policy *policy,
			const struct check_options *options, const struct found *found)
{
	json_write_int(out, "networks", (int64_t)policy->n_networks);
	json_write_int(out, "managed", (int64_t)found->managed);
	json_write_int(out, "rules", (int64_t)found->rules);
	json_write_int(out, "ipsets", (int64_t)policy->n_ipsets);
	json_write_bool(out, "kernel", options->kernel);
}

static void print_summary(const struct policy *policy, const struct check_options *options,
			  const struct found *found)
{
	printf("ok: %zu network%s, %zu of them managed, %zu rule%s, %zu ipset%s",
	       policy->n_networks, plural(policy->n_networks), found->managed, found->rules,
	       plural(found->rules), policy->n_ipsets, plural(policy->n_ipsets));
	if (options->resolve)
		printf("; names with an address: %zu of %zu", found->resolved, found->names);
	printf("%s\n", options->kernel ? "; the kernel accepts them" : "");
}

static int check_policy(const struct check_options *options, const struct policy *policy,
			struct report *report, struct err *err)
{
	struct found found = { 0 };
	int r = 0;

	if (options->kernel)
		r = check_in_kernel(&options->enforce, policy, err);
	if (r >= 0 && options->resolve)
		r = check_names(policy, &report->out, &found, err);
	if (r < 0) {
		log_failure("check", r, err->text);
		report_print(report, err->text);
		return EXIT_FAILED;
	}
	count_rules(policy, &found);
	put_summary(&report->out, policy, options, &found);
	if (!report->json)
		print_summary(policy, options, &found);
	if (options->kernel)
		warn_of_unplaced(policy, NULL, "checked by the kernel");
	report_print(report, found.resolved < found.names ? "a name has no address" : NULL);
	return found.resolved < found.names ? EXIT_FAILED : EXIT_DONE;
}

static int check(const struct call *call)
{
	const struct check_options *options = call->options;
	struct policy policy = { 0 };
	struct report report;
	struct err err = { 0 };
	int r = EXIT_CONFIG;

	report_begin(&report, options->json);
	if (report_load(&report, &options->enforce.files, LOAD_TO_JUDGE, &policy))
		r = check_policy(options, &policy, &report, &err);
	else
		report_print(&report, "the configuration has errors");
	report_free(&report);
	err_free(&err);
	policy_free(&policy);
	return r;
}

const struct command cmd_check = {
	.name = "check",
	.summary = "validate both files",
	.takes = { TAKES_ENFORCE_OPTIONS(struct check_options, enforce),
		   { check_options, 0 },
		   { json_option, offsetof(struct check_options, json) } },
	.size = sizeof(struct check_options),
	.run = check,
};
