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
#include "dockside/ctl/edit.h"
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

/* Why somebody has to judge a flow before a rule allows it. */
enum doubt {
	DOUBT_NONE,
	DOUBT_LOOKED_UP,
	DOUBT_NAMELESS,
	DOUBT_HOST,
	DOUBT_DROPPED,
};

static enum doubt doubt_of(const struct learn_flow *flow)
{
	if (flow->dropped)
		return DOUBT_DROPPED;
	if (flow->host)
		return DOUBT_HOST;
	if (!flow->named)
		return DOUBT_NAMELESS;
	return flow->looked_up ? DOUBT_LOOKED_UP : DOUBT_NONE;
}

/* Behind a rule that drops it on purpose another one has no effect. */
static bool is_taken(const struct learn_apply *apply, const struct learn_flow *flow)
{
	enum doubt doubt = doubt_of(flow);

	return doubt == DOUBT_NONE || (!apply->yes && doubt != DOUBT_DROPPED);
}

static void put_doubt(struct buf *b, const struct learn_flow *flow)
{
	switch (doubt_of(flow)) {
	case DOUBT_NONE:
		return;
	case DOUBT_LOOKED_UP:
		buf_puts(b, "only containers have looked the name up");
		return;
	case DOUBT_NAMELESS:
		buf_puts(b, "no name, so that nobody knows whose address it is");
		return;
	case DOUBT_HOST:
		buf_puts(b, "a service of the Docker host");
		return;
	case DOUBT_DROPPED:
		learn_put_dropped(b, flow);
		return;
	}
}

static void put_flow(struct buf *b, const struct learn_flow *flow)
{
	struct json_writer out = { .b = b };

	buf_printf(b, "%s: ", flow->host ? "host" : "egress");
	put_rule(&out, flow);
}

/* The command that allows a flow that is left out. */
static void put_way(struct buf *b, const struct learn_flow *flow, const char *network)
{
	bool brackets = strchr(flow->dest, ':') != NULL;

	if (flow->host || flow->proto == PROTO_ICMP) {
		buf_puts(b, flow->dropped ? "edit the rules and reload" : "leave --yes away");
		return;
	}
	buf_printf(b, "dsfw-nft allow %s %s%s%s", network, brackets ? "[" : "", flow->dest,
		   brackets ? "]" : "");
	for (size_t i = 0; i < flow->n_ports; i++)
		buf_printf(b, "%c%u", i == 0 ? ':' : ',', flow->ports[i]);
	buf_puts(b, flow->proto == PROTO_UDP ? "/udp" : "");
}

static void show_left_out(const struct learn_flow *flow, const char *network)
{
	struct buf b = { 0 };

	put_flow(&b, flow);
	buf_puts(&b, " is left out: ");
	put_doubt(&b, flow);
	buf_puts(&b, "; to allow it on purpose: ");
	put_way(&b, flow, network);
	log_warning("learn: %s", buf_str(&b));
	buf_free(&b);
}

static void show_rule(const struct learn_flow *flow)
{
	struct buf b = { 0 };

	put_flow(&b, flow);
	buf_printf(&b, "  // %" PRIu64 " packet%s%s", flow->count, plural(flow->count),
		   doubt_of(flow) == DOUBT_NONE ? "" : "; ");
	put_doubt(&b, flow);
	printf("+ %s\n", buf_str(&b));
	buf_free(&b);
}

static size_t count_taken(const struct learn_apply *apply, const struct learn *learn, bool doubtful)
{
	size_t n = 0;

	for (size_t i = 0; i < learn->n; i++)
		n += is_taken(apply, &learn->flows[i]) &&
		     doubtful == (doubt_of(&learn->flows[i]) != DOUBT_NONE);
	return n;
}

static void show_taken(const struct learn_apply *apply, const struct learn *learn, bool doubtful)
{
	for (size_t i = 0; i < learn->n; i++)
		if (is_taken(apply, &learn->flows[i]) &&
		    doubtful == (doubt_of(&learn->flows[i]) != DOUBT_NONE))
			show_rule(&learn->flows[i]);
}

/* For the user to judge. */
static void show_rules(const struct learn_apply *apply, const struct learn *learn,
		       const char *network)
{
	show_taken(apply, learn, false);
	if (count_taken(apply, learn, true) > 0)
		printf("doubtful, and left out with --yes:\n");
	show_taken(apply, learn, true);
	fflush(stdout);
	for (size_t i = 0; i < learn->n; i++)
		if (!is_taken(apply, &learn->flows[i]))
			show_left_out(&learn->flows[i], network);
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

static bool any_of(const struct learn_apply *apply, const struct learn *learn, const char *key)
{
	bool host = strcmp(key, "host") == 0;

	for (size_t i = 0; i < learn->n; i++)
		if (learn->flows[i].host == host && is_taken(apply, &learn->flows[i]))
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
	if (egress || any_of(apply, learn, "egress"))
		put_list(out, apply, learn, egress, "egress",
			 place_of(network->egress, network->n_egress));
	if (host || any_of(apply, learn, "host"))
		put_list(out, apply, learn, host, "host",
			 place_of(network->host_rules, network->n_host_rules));
	json_write_close(out, '}');
}

/* The daemon has judged the packets by the text that it runs by: ours has to be the same. */
static bool check_base(const struct learn_apply *apply, const char *base)
{
	if (!apply->base)
		log_error("learn: the daemon is of an older version, which cannot refuse a change "
			  "that was made from other rules than its own: restart it first");
	else if (strcmp(apply->base, base) != 0)
		log_error(
			"learn: %s is not what the daemon runs by: it is another file, or "
			"somebody has changed it since; name the daemon's with "
			"--firewall-config, have it loaded (dsfw-nft reload), and run learn again",
			apply->files.firewall_config);
	return apply->base && strcmp(apply->base, base) == 0;
}

static void put_request(struct buf *b, const struct learn_apply *apply, const struct learn *learn,
			const struct json_node *firewall, const struct network *network)
{
	const struct json_node *networks = json_member(firewall, "networks", JSON_OBJECT);
	struct json_writer out = { .b = b };

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "action", request_action_name(REQUEST_SET_NETWORK));
	json_write_string(&out, "name", network->name);
	json_write_string(&out, "base", apply->base);
	put_network(&out, apply, learn, json_member(networks, network->name, JSON_OBJECT), network);
	json_write_close(&out, '}');
}

/* Appends the request to b. Returns an exit status, after saying why it is a failure. */
static int make_request(struct buf *b, const struct learn_apply *apply, const struct learn *learn,
			const char *name)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	const struct network *network;
	char base[EDIT_BASE_SIZE];
	struct policy policy = { 0 };
	struct diags diags = { 0 };
	struct err err = { 0 };
	int r = EXIT_CONFIG;

	if (!load_policy(&apply->files, LOAD_TO_ENFORCE, &policy))
		return EXIT_CONFIG;
	network = policy_find_network(&policy, name, &err);
	if (!check_base(apply, edit_base(&policy.firewall_src, base)))
		r = EXIT_FAILED;
	else if (network && json_parse(&policy.firewall_src, &tree, &diags))
		r = EXIT_DONE;
	else
		log_error("learn: %s", err.text ? err.text : "the files cannot be read");
	if (r == EXIT_DONE)
		put_request(b, apply, learn, tree.root, network);
	diags_free(&diags);
	err_free(&err);
	policy_free(&policy);
	return r;
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

/* Returns an exit status. */
static int apply_taken(const struct learn_apply *apply, const struct learn *learn, size_t n,
		       const char *network)
{
	const struct ask_options ask = { .socket = apply->socket, .action = REQUEST_SET_NETWORK };
	struct buf request = { 0 };
	int r = make_request(&request, apply, learn, network);

	if (r == EXIT_DONE)
		show_rules(apply, learn, network);
	if (r == EXIT_DONE && !apply->yes && !user_agrees(n, network)) {
		printf("nothing was changed\n");
		r = EXIT_FAILED;
	}
	if (r == EXIT_DONE)
		r = ask_daemon(&ask, buf_str(&request));
	buf_free(&request);
	return r;
}

int learn_apply(const struct learn_apply *apply, const struct learn *learn, const char *network)
{
	size_t n = count_taken(apply, learn, false) + count_taken(apply, learn, true);

	if (!apply->yes && !isatty(STDIN_FILENO)) {
		log_error("learn: --apply asks before it changes anything, and standard input is "
			  "no terminal: --yes agrees beforehand");
		return EXIT_USAGE;
	}
	if (n > 0)
		return apply_taken(apply, learn, n, network);
	show_rules(apply, learn, network);
	printf("nothing to add\n");
	return EXIT_DONE;
}
