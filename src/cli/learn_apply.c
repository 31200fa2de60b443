/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "learn_apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/json/json_write.h"
#include "dockside/system/log.h"
#include "inputs.h"

/* ---- what comes ---- */

/* One rule for each flow, so that all of them come with one request. */
static void put_rule(struct json_writer *out, const struct learn_flow *flow)
{
	const char *to = flow->named ? "host" : "ip";

	json_write_open(out, NULL, '{');
	json_write_string(out, "proto", proto_name(flow->proto));
	if (flow->proto == PROTO_ICMP)
		json_write_int(out, "type", flow->ports[0]);
	else
		json_write_open(out, "ports", '[');
	for (size_t i = 0; flow->proto != PROTO_ICMP && i < flow->n_ports; i++)
		json_write_int(out, NULL, flow->ports[i]);
	if (flow->proto != PROTO_ICMP)
		json_write_close(out, ']');
	if (!flow->host) {
		json_write_string(out, "to", to);
		json_write_string(out, to, flow->dest);
	}
	json_write_close(out, '}');
}

static bool is_taken(const struct learn_apply *apply, const struct learn_flow *flow)
{
	return !apply->yes || !flow->looked_up;
}

/* The number of rules; shown for the user to judge. */
static size_t show_rules(const struct learn_apply *apply, const struct learn *learn)
{
	size_t n = 0;

	for (size_t i = 0; i < learn->n; i++) {
		const struct learn_flow *flow = &learn->flows[i];
		struct buf b = { 0 };
		struct json_writer out = { .b = &b };

		if (!is_taken(apply, flow)) {
			log_warning("learn: %s is left out: only containers have looked the name "
				    "up, and somebody has to judge it",
				    flow->dest);
			continue;
		}
		put_rule(&out, flow);
		printf("+ %s: %s  // %" PRIu64 " packet%s%s\n", flow->host ? "host" : "egress",
		       buf_str(&b), flow->count, flow->count == 1 ? "" : "s",
		       flow->looked_up ? ", looked up" : "");
		buf_free(&b);
		n++;
	}
	return n;
}

/* ---- the network's rules with them ---- */

/* The new rules have an effect before a last rule that drops everything. */
static size_t place_of(const struct rule *rules, size_t n)
{
	bool drops = n > 0 && rules[n - 1].action == ACTION_DROP &&
		     rule_matches_everything(&rules[n - 1]);

	return drops ? rules[n - 1].index : SIZE_MAX;
}

static void put_list(struct json_writer *out, const struct learn_apply *apply,
		     const struct learn *learn, const struct json_node *list, const char *key,
		     size_t place)
{
	bool host = strcmp(key, "host") == 0;
	size_t n = list ? list->u.children.n : 0;

	json_write_open(out, key, '[');
	for (size_t i = 0; i <= n; i++) {
		if (i == (place < n ? place : n))
			for (size_t k = 0; k < learn->n; k++)
				if (learn->flows[k].host == host &&
				    is_taken(apply, &learn->flows[k]))
					put_rule(out, &learn->flows[k]);
		if (i < n)
			json_write_node(out, NULL, &list->u.children.items[i]);
	}
	json_write_close(out, ']');
}

static bool any_of(const struct learn *learn, const char *key)
{
	bool host = strcmp(key, "host") == 0;

	for (size_t i = 0; i < learn->n; i++)
		if (learn->flows[i].host == host)
			return true;
	return false;
}

/* The members of the network's object, of which the lists get more. */
static void put_network(struct json_writer *out, const struct learn_apply *apply,
			const struct learn *learn, const struct json_node *rules,
			const struct network *network)
{
	const struct json_node *egress = json_member(rules, "egress", JSON_ARRAY);
	const struct json_node *host = json_member(rules, "host", JSON_ARRAY);

	json_write_open(out, "firewall", '{');
	for (size_t i = 0; rules && i < rules->u.children.n; i++) {
		const struct json_node *member = &rules->u.children.items[i];

		if (member != egress && member != host && member->kind != JSON_NULL)
			json_write_node(out, member->key, member);
	}
	if (egress || any_of(learn, "egress"))
		put_list(out, apply, learn, egress, "egress",
			 place_of(network->egress, network->n_egress));
	if (host || any_of(learn, "host"))
		put_list(out, apply, learn, host, "host",
			 place_of(network->host_rules, network->n_host_rules));
	json_write_close(out, '}');
}

/* The request, which the caller frees; NULL after saying why not. */
static char *make_request(const struct learn_apply *apply, const struct learn *learn,
			  const char *name)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	const struct network *network;
	struct policy policy = { 0 };
	struct diags diags = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	if (!load_policy(&apply->files, LOAD_TO_ENFORCE, &policy))
		return NULL;
	network = policy_find_network(&policy, name, &err);
	if (network && json_parse(&policy.firewall_src, &tree, &diags)) {
		const struct json_node *networks = json_member(tree.root, "networks", JSON_OBJECT);

		json_write_open(&out, NULL, '{');
		json_write_string(&out, "action", request_action_name(REQUEST_SET_NETWORK));
		json_write_string(&out, "name", network->name);
		put_network(&out, apply, learn, json_member(networks, network->name, JSON_OBJECT),
			    network);
		json_write_close(&out, '}');
	} else {
		log_error("learn: %s", err.text ? err.text : "the files cannot be read");
	}
	diags_free(&diags);
	err_free(&err);
	policy_free(&policy);
	return b.len > 0 ? buf_steal(&b) : NULL;
}

/* ---- the whole ---- */

static bool user_agrees(size_t n, const char *network)
{
	char answer[16] = "";

	fprintf(stderr, "Add %s to %s, before a last rule that drops everything? [y/N] ",
		n == 1 ? "this rule" : "these rules", network);
	if (!fgets(answer, sizeof(answer), stdin))
		fputc('\n', stderr);
	return answer[0] == 'y' || answer[0] == 'Y';
}

int learn_apply(const struct learn_apply *apply, struct learn *learn, const char *network)
{
	const struct ask_options ask = { .socket = apply->socket, .action = REQUEST_SET_NETWORK };
	cleanup(cleanup_free) char *request = NULL;
	size_t n;

	if (!apply->yes && !isatty(STDIN_FILENO)) {
		log_error("learn: --apply asks before it changes anything, and standard input is "
			  "no terminal: --yes agrees beforehand");
		return EXIT_USAGE;
	}
	n = show_rules(apply, learn);
	if (n == 0) {
		printf("nothing to add\n");
		return EXIT_DONE;
	}
	request = make_request(apply, learn, network);
	if (!request)
		return EXIT_CONFIG;
	fflush(stdout);
	if (!apply->yes && !user_agrees(n, network)) {
		printf("nothing was changed\n");
		return EXIT_FAILED;
	}
	return ask_daemon(&ask, request);
}
