/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set-network, set-ipset and the like: the daemon changes its configuration and saves the files. */
#include "cmd_edit.h"

#include <string.h>

#include "ask.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "dockside/system/log.h"

struct edit_options {
	struct ask_options ask;
	bool force;			/* remove-network */
	bool replace;			/* set-ipset */
	const char *network, *firewall; /* set-network: JSON, or @FILE; NULL: not given */
};

static const struct option_row set_network_options[] = {
	{ .name = "network",
	  .argument = "JSON|@FILE",
	  .help = "what to set of the network's topology",
	  .set = option_set_text,
	  .offset = offsetof(struct edit_options, network) },
	{ .name = "firewall",
	  .argument = "JSON|@FILE",
	  .help = "its rules: an object with egress, nat and host",
	  .set = option_set_text,
	  .offset = offsetof(struct edit_options, firewall) },
	{ 0 },
};

static const struct option_row remove_network_options[] = {
	{ .name = "force",
	  .help = "even while containers are attached",
	  .set = option_set_flag,
	  .offset = offsetof(struct edit_options, force) },
	{ 0 },
};

static const struct option_row set_ipset_options[] = {
	{ .name = "replace",
	  .help = "also if the ipset loses members by that",
	  .set = option_set_flag,
	  .offset = offsetof(struct edit_options, replace) },
	{ 0 },
};

/* Checked here too, so that its faults are shown where they are; and written anew on one line. */
static bool put_json(struct json_writer *out, const char *key, const char *argument)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct src src = { 0 };
	bool ok;

	if (argument[0] == '@') {
		ok = src_read(argument + 1, NULL, &src, &diags);
	} else {
		src = (struct src){ xasprintf("--%s", key), xstrdup(argument), strlen(argument) };
		ok = true;
	}
	ok = ok && json_parse(&src, &tree, &diags);
	if (ok)
		json_write_node(out, key, tree.root);
	diags_print(&diags, stderr);
	diags_free(&diags);
	src_free(&src);
	return ok;
}

static void put_hostnames(struct json_writer *out, const struct call *call)
{
	json_write_open(out, "hostnames", '[');
	for (size_t i = 1; i < call->n_operands; i++)
		json_write_string(out, NULL, call->operands[i]);
	json_write_close(out, ']');
}

char *edit_request(const struct call *call)
{
	const struct edit_options *options = call->options;
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	bool ok = true;

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "action", request_action_name(options->ask.action));
	json_write_string(&out, "name", call->operands[0]);
	if (call->command->operands.max > 1)
		put_hostnames(&out, call);
	if (options->ask.action == REQUEST_SET_IPSET)
		json_write_bool(&out, "replace", options->replace);
	if (options->force)
		json_write_bool(&out, "force", true);
	if (options->network)
		ok = put_json(&out, "network", options->network);
	if (options->firewall)
		ok = put_json(&out, "firewall", options->firewall) && ok;
	json_write_close(&out, '}');
	if (ok)
		return buf_steal(&b);
	buf_free(&b);
	return NULL;
}

static int edit(const struct call *call)
{
	const struct edit_options *options = call->options;
	cleanup(cleanup_free) char *request = edit_request(call);

	return request ? ask_daemon(&options->ask, request) : EXIT_USAGE;
}

static int set_network(const struct call *call)
{
	const struct edit_options *options = call->options;

	if (options->network || options->firewall)
		return edit(call);
	log_error("set-network needs --network or --firewall; see dsfw-nft help set-network");
	return EXIT_USAGE;
}

/* ---- the commands ---- */

const struct command cmd_set_network = {
	.name = "set-network",
	.summary = "add or change a network, and save",
	.operands = { "NAME", "one NAME", 1, 1 },
	.takes = { { set_network_options, 0 },
		   { ask_options, offsetof(struct edit_options, ask) } },
	.size = sizeof(struct edit_options),
	.initial = &(const struct edit_options){ .ask = { .action = REQUEST_SET_NETWORK } },
	.run = set_network,
};

const struct command cmd_remove_network = {
	.name = "remove-network",
	.summary = "remove a network, and save",
	.operands = { "NAME", "one NAME", 1, 1 },
	.takes = { { remove_network_options, 0 },
		   { ask_options, offsetof(struct edit_options, ask) } },
	.size = sizeof(struct edit_options),
	.initial = &(const struct edit_options){ .ask = { .action = REQUEST_REMOVE_NETWORK } },
	.run = edit,
};

const struct command cmd_set_ipset = {
	.name = "set-ipset",
	.summary = "add or replace an ipset, and save",
	/* A forgotten member must not empty the set: that is for `apply` and the files. */
	.operands = { "NAME MEMBER…", "a NAME and its members", 2, SIZE_MAX },
	.takes = { { set_ipset_options, 0 }, { ask_options, offsetof(struct edit_options, ask) } },
	.size = sizeof(struct edit_options),
	.initial = &(const struct edit_options){ .ask = { .action = REQUEST_SET_IPSET } },
	.run = edit,
};

const struct command cmd_add_ipset = {
	.name = "add-ipset",
	.summary = "add members to an ipset, and save",
	.operands = { "NAME MEMBER…", "a NAME and members", 2, SIZE_MAX },
	.takes = { { ask_options, offsetof(struct edit_options, ask) } },
	.size = sizeof(struct edit_options),
	.initial = &(const struct edit_options){ .ask = { .action = REQUEST_ADD_IPSET } },
	.run = edit,
};

const struct command cmd_del_ipset = {
	.name = "del-ipset",
	.summary = "take members out of an ipset, and save",
	.operands = { "NAME MEMBER…", "a NAME and members", 2, SIZE_MAX },
	.takes = { { ask_options, offsetof(struct edit_options, ask) } },
	.size = sizeof(struct edit_options),
	.initial = &(const struct edit_options){ .ask = { .action = REQUEST_DEL_IPSET } },
	.run = edit,
};

const struct command cmd_remove_ipset = {
	.name = "remove-ipset",
	.summary = "remove an ipset, and save",
	.operands = { "NAME", "one NAME", 1, 1 },
	.takes = { { ask_options, offsetof(struct edit_options, ask) } },
	.size = sizeof(struct edit_options),
	.initial = &(const struct edit_options){ .ask = { .action = REQUEST_REMOVE_IPSET } },
	.run = edit,
};
