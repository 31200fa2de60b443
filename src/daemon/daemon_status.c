/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to `status`; its shape is in ctl_server.h. */
#include "daemon_status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "daemon_alarms.h"
#include "daemon_docker.h"
#include "daemon_files.h"
#include "daemon_judged.h"
#include "daemon_ports.h"
#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/ctl/request.h"
#include "dockside/kernel/xtables_legacy.h"
#include "dockside/report/metrics.h"
#include "dockside/system/clock.h"

#define ALARMS_MAX 100
#define ADDRESSES_MAX 8000 /* of all ipsets together: an answer is at most 1 MiB */
#define DOCKER_WANTED_ROOM (REQUEST_MAX / 2) /* details of networks begin within that */
#define ROOM (REQUEST_MAX - (64u << 10))     /* so do ipsets and names; there is more behind them */

static bool has_room(const struct json_writer *out)
{
	return out->b->len < ROOM;
}

static void put_age(struct json_writer *out, const char *key, uint64_t now_ms, bool ever,
		    uint64_t at_ms)
{
	if (ever)
		json_write_int(out, key, (int64_t)((now_ms - at_ms) / 1000));
	else
		json_write_string(out, key, NULL);
}

/* ------------------------------------------------------------------ ipsets */

static void put_elems(struct json_writer *out, const struct plan *plan, const char *prefix,
		      const char *name, const char *suffix, size_t *left)
{
	struct arena arena = { 0 };
	const struct plan_set *set =
		plan_find_set(plan, plan_set_name(&arena, prefix, name, suffix));

	for (size_t i = 0; set && i < set->n_elems && has_room(out) && *left > 0; i++, --*left) {
		struct elem elem = set->elems[i];
		struct buf b = { 0 };

		elem.comment = NULL;
		elem.timeout_ms = 0;
		nft_text_elem(&b, set->type, &elem);
		json_write_string(out, NULL, buf_str(&b));
		buf_free(&b);
	}
	arena_free(&arena);
}

/* By ipset: whether a rule uses it. The caller frees it. */
static bool *used_ipsets(const struct policy *policy)
{
	bool *used = xcalloc(policy->n_ipsets + 1, sizeof(*used));

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress; k++)
			if (network->egress[k].to == DEST_IPSET)
				used[network->egress[k].ipset] = true;
	}
	return used;
}

static bool is_network(const struct prefix *prefix)
{
	return prefix->len < 8 * family_bytes(prefix->addr.family);
}

/* As the sets of one that is used have them: by family, addresses before networks. */
static int cmp_members(const void *x, const void *y)
{
	const struct prefix *a = x, *b = y;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	if (is_network(a) != is_network(b))
		return is_network(a) ? 1 : -1;
	return prefix_cmp(a, b);
}

/* The kernel has no sets of it: what would be in them. */
static void put_unused(struct json_writer *out, const struct ipset *ipset,
		       const struct names *names, size_t *left)
{
	size_t n = ipset->n_prefixes, k = 0;
	struct prefix *members;

	for (size_t i = 0; i < ipset->n_hostnames; i++) {
		const struct name *name = names_find(names, ipset->hostnames[i]);

		n += name ? name->n_addrs : 0;
	}
	members = xcalloc(n + 1, sizeof(*members));
	for (; k < ipset->n_prefixes; k++)
		members[k] = ipset->prefixes[k];
	for (size_t i = 0; i < ipset->n_hostnames; i++) {
		const struct name *name = names_find(names, ipset->hostnames[i]);

		for (size_t j = 0; name && j < name->n_addrs; j++)
			members[k++] = prefix_of_address(&name->addrs[j].addr);
	}
	qsort(members, n, sizeof(*members), cmp_members);
	for (size_t i = 0; i < n && has_room(out) && *left > 0; i++) {
		char text[ADDR_STRLEN];

		if (i > 0 && prefix_cmp(&members[i - 1], &members[i]) == 0)
			continue;
		--*left;
		json_write_string(out, NULL,
				  is_network(&members[i]) ? prefix_format(&members[i], text)
							  : ipaddr_format(&members[i].addr, text));
	}
	free(members);
}

static bool put_ipsets(struct json_writer *out, const struct running *running,
		       const struct names *names)
{
	static const char *const suffixes[] = { "-v4", "-net4", "-v6", "-net6" };
	const struct policy *policy = &running->policy;
	cleanup(cleanup_free) bool *used = used_ipsets(policy);
	size_t left = ADDRESSES_MAX;

	json_write_open(out, "ipsets", '{');
	for (size_t i = 0; i < policy->n_ipsets && has_room(out); i++) {
		const struct ipset *ipset = &policy->ipsets[i];

		json_write_open(out, ipset->name, '[');
		for (size_t k = 0; used[i] && k < ARRAY_SIZE(suffixes); k++)
			put_elems(out, &running->plan, "ipset-", ipset->name, suffixes[k], &left);
		if (!used[i])
			put_unused(out, ipset, names, &left);
		json_write_close(out, ']');
	}
	json_write_close(out, '}');
	json_write_open(out, "unused_ipsets", '[');
	for (size_t i = 0; i < policy->n_ipsets && has_room(out); i++)
		if (!used[i])
			json_write_string(out, NULL, policy->ipsets[i].name);
	json_write_close(out, ']');
	return left == 0 || !has_room(out);
}

/* ------------------------------------------------------------------ networks */

static void put_network(struct json_writer *out, const struct daemon_view *view,
			const struct network *network, const struct judged *judged)
{
	/* The kernel's rules are those of the plan, or a repair is under way. */
	struct network_traffic traffic =
		network_count(&view->enforcer->running->plan, view->counters.actual, network->stem);

	json_write_open(out, network->name, '{');
	json_write_string(out, "state", judged_state_name(judged->state));
	json_write_string(out, "reason", judged->reason);
	json_write_string(out, "mend", judged->mend);
	json_write_string(out, "bridge", network->placed ? network->bridge : NULL);
	json_write_bool(out, "external", network->external);
	json_write_string(out, "mode", network->audit ? "audit" : "enforce");
	json_write_string(out, "bind", bind_names[network->bind]);
	json_write_bool(out, "bound", network_bound(network) && !view->enforcer->no_bridge);
	json_write_int(out, "rules",
		       (int64_t)(network->n_egress + network->n_nat + network->n_host_rules));
	json_write_int(out, "passed", (int64_t)traffic.passed.packets);
	json_write_int(out, "refused", (int64_t)traffic.refused.packets);
	json_write_int(out, "passed_bytes", (int64_t)traffic.passed.bytes);
	json_write_int(out, "refused_bytes", (int64_t)traffic.refused.bytes);
	daemon_docker_status_network(view->docker, out, network->bridge, judged);
	daemon_ports_status_network(view->ports, out, network->bridge);
	json_write_close(out, '}');
}

static void put_legs(struct json_writer *out, const struct legs_view *legs)
{
	json_write_open(out, "legs", '[');
	for (size_t i = 0; i < legs->n; i++)
		json_write_string(out, NULL, legs->items[i]);
	if (legs->n_all > legs->n) {
		cleanup(cleanup_free) char *more = xasprintf("and %zu more", legs->n_all - legs->n);

		json_write_string(out, NULL, more);
	}
	json_write_close(out, ']');
}

static bool put_networks(struct json_writer *out, const struct daemon_view *view)
{
	const struct running *running = view->enforcer->running;
	const struct judge_result *judged = &view->judged;
	const struct policy *policy = &running->policy;
	size_t n = 0;

	json_write_open(out, "networks", '[');
	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		json_write_string(out, NULL, policy->networks[i].name);
	json_write_close(out, ']');
	daemon_judged_put(policy, judged, out);
	put_legs(out, &view->legs);
	json_write_open(out, "network_details", '{');
	for (; n < policy->n_networks && out->b->len < DOCKER_WANTED_ROOM; n++)
		put_network(out, view, &policy->networks[n], &judged->items[n]);
	json_write_close(out, '}');
	return n < policy->n_networks;
}

/* ------------------------------------------------------------------ the rest */

/* Puts the time of the last answer, whichever family it was for. */
static void put_last_answer(struct json_writer *out, const struct name *name, uint64_t now_ms)
{
	uint64_t at_ms = 0;
	bool ever = false;

	for (int i = 0; i < N_FAMILIES; i++) {
		const struct name_family *family = &name->families[i];

		ever |= family->answered;
		if (family->answered && family->answered_ms > at_ms)
			at_ms = family->answered_ms;
	}
	put_age(out, "age", now_ms, ever, at_ms);
}

static bool put_names(struct json_writer *out, const struct names *names, uint64_t now_ms)
{
	size_t left = ADDRESSES_MAX;

	json_write_open(out, "names", '{');
	for (size_t i = 0; i < names->n && has_room(out); i++) {
		const struct name *name = &names->items[i];
		char text[ADDR_STRLEN];
		struct buf error = { 0 };

		json_write_open(out, name->name, '{');
		json_write_open(out, "addresses", '[');
		for (size_t k = 0; k < name->n_addrs && left > 0; k++, left--)
			json_write_string(out, NULL, ipaddr_format(&name->addrs[k].addr, text));
		json_write_close(out, ']');
		put_last_answer(out, name, now_ms);
		answers_error(name->errors, &error);
		json_write_string(out, "error", error.len > 0 ? error.data : NULL);
		buf_free(&error);
		json_write_close(out, '}');
	}
	json_write_close(out, '}');
	return left == 0 || !has_room(out);
}

struct alarm_list {
	struct json_writer *out;
	size_t left;
};

static void put_alarm(void *data, const char *text)
{
	struct alarm_list *list = data;

	if (list->left == 0)
		return;
	list->left--;
	json_write_string(list->out, NULL, text);
}

static void put_alarms(struct json_writer *out, const struct daemon_view *view)
{
	struct alarm_list list = { .out = out, .left = ALARMS_MAX };

	json_write_open(out, "alarms", '[');
	daemon_alarms(view, put_alarm, &list);
	if (view->n_alarms > ALARMS_MAX) {
		cleanup(cleanup_free) char *more =
			xasprintf("and %zu more", view->n_alarms - ALARMS_MAX);

		json_write_string(out, NULL, more);
	}
	json_write_close(out, ']');
}

static void put_load(struct json_writer *out, const struct load_state *load, uint64_t now_ms)
{
	json_write_open(out, "reload", '{');
	json_write_string(out, "result", load->failed ? "error" : "ok");
	put_age(out, "age", now_ms, true, load->at_ms);
	json_write_string(out, "message", load->message);
	json_write_close(out, '}');
}

static void put_files(struct json_writer *out, const struct files_view *files, uint64_t now_ms)
{
	json_write_open(out, "files", '{');
	json_write_string(out, "state", files_state_name(files->state));
	json_write_string(out, "message", files->message);
	json_write_bool(out, "last_accepted_enforced", files->alarm != NULL);
	put_age(out, "age", now_ms, files->alarm != NULL, files->since_ms);
	json_write_bool(out, "kept", !files->trouble);
	json_write_string(out, "not_kept", files->trouble);
	json_write_close(out, '}');
}

static void put_drift(struct json_writer *out, const struct daemon_view *view)
{
	const struct repair_state *repair = &view->repair;

	json_write_open(out, "drift", '{');
	json_write_int(out, "repairs", (int64_t)repair->n);
	put_age(out, "age", view->now_ms, repair->n > 0, repair->last_ms);
	json_write_bool(out, "limited", repair->limited);
	json_write_int(out, "ended", (int64_t)view->n_ended);
	json_write_string(out, "message", repair->damage);
	json_write_string(out, "files",
			  view->files.drift ? files_state_name(view->files.state) : NULL);
	json_write_close(out, '}');
}

/* Tells from the kernel's chains and tables by which firewall Docker has made its rules. */
static const char *docker_rules(const struct shim_kernel *actual)
{
	if (shim_find_chain(actual, SHIM_FILTER4, SHIM_USER_CHAIN))
		return "iptables-nft";
	if (actual->docker_tables)
		return "nftables";
	return xtables_legacy_has_chain(SHIM_USER_CHAIN) ? "iptables-legacy" : "none";
}

static const char *why_absent(const char *rules)
{
	if (strcmp(rules, "nftables") == 0)
		return "Docker has its rules in tables of its own, where there is nothing to hook "
		       "in";
	if (strcmp(rules, "iptables-legacy") == 0)
		return "Docker has its rules in iptables-legacy, which nf_tables cannot reach";
	return "there is no DOCKER-USER";
}

static const char *forward_policy(const struct shim_kernel *actual, enum shim_table table)
{
	const struct shim_chain *forward = shim_find_chain(actual, table, "FORWARD");

	return !forward ? NULL : forward->accepts ? "accept" : "drop";
}

static void put_shim(struct json_writer *out, const struct reconcile_shim_comparison *c)
{
	enum shim_state ip = shim_state(&c->actual, &c->changes, SHIM_FILTER4);
	enum shim_state ip6 = shim_state(&c->actual, &c->changes, SHIM_FILTER6);
	const char *rules = docker_rules(&c->actual);
	cleanup(cleanup_free) char *legacy = xtables_legacy_leftovers();
	bool absent = ip == SHIM_NO_DOCKER_USER && ip6 == SHIM_NO_DOCKER_USER;

	/* The later the worse. */
	json_write_string(out, "state", absent ? "absent" : shim_state_name(ip > ip6 ? ip : ip6));
	json_write_string(out, "message", absent ? why_absent(rules) : NULL);
	json_write_string(out, "ip", shim_state_name(ip));
	json_write_string(out, "ip6", shim_state_name(ip6));
	json_write_string(out, "rules", rules);
	json_write_string(out, "legacy", legacy);
	json_write_string(out, "forward_policy", forward_policy(&c->actual, SHIM_FILTER4));
	json_write_string(out, "forward6_policy", forward_policy(&c->actual, SHIM_FILTER6));
}

static void put_versions(struct json_writer *out)
{
	struct utsname name;

	json_write_open(out, "versions", '{');
	json_write_string(out, "dsfw-nft", PACKAGE_VERSION);
	json_write_string(out, "kernel", uname(&name) == 0 ? name.release : NULL);
	json_write_close(out, '}');
}

void daemon_status(const struct daemon_view *view, struct json_writer *out)
{
	const struct running *running = view->enforcer->running;
	const struct names *names = &view->enforcer->names;
	bool truncated;

	json_write_open(out, NULL, '{');
	json_write_string(out, "status", "ok");
	json_write_bool(out, "ready", view->ready);
	json_write_string(out, "settings", view->settings_error);
	json_write_int(out, "counted_ms", (int64_t)view->counters.read_ms);
	put_alarms(out, view);
	json_write_string(out, "resolver", view->resolver);
	truncated = put_networks(out, view);
	truncated |= put_ipsets(out, running, names);
	truncated |= put_names(out, names, view->now_ms);
	if (truncated)
		json_write_bool(out, "truncated", true);
	put_load(out, &view->load, view->now_ms);
	put_files(out, &view->files, view->now_ms);
	json_write_open(out, "shim", '{');
	put_shim(out, view->counters.shim);
	json_write_close(out, '}');
	daemon_docker_status(view->docker, out);
	gate_state_json(&view->gate, out);
	put_drift(out, view);
	put_versions(out);
	json_write_close(out, '}');
}
