/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status for people; the shape of the answer is in ctl_server.h. */
#include "show_status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

#define ADDRESSES_SHOWN 4

/* ---- reading ---- */

static void put_number(struct buf *b, const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	if (node)
		buf_printf(b, "%" PRId64, node->u.integer);
	else
		buf_putc(b, '-');
}

static void put_age(struct buf *b, const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_INT);
	int64_t s = node ? node->u.integer : 0;

	if (!node)
		buf_puts(b, "never");
	else if (s < 120)
		buf_printf(b, "%" PRId64 " s ago", s);
	else if (s < 7200)
		buf_printf(b, "%" PRId64 " min ago", s / 60);
	else if (s < 2 * 86400)
		buf_printf(b, "%" PRId64 " h ago", s / 3600);
	else
		buf_printf(b, "%" PRId64 " days ago", s / 86400);
}

/* ---- tables ---- */

static void add_text(struct term_table *table, const char *text)
{
	term_table_add(table, TERM_PLAIN, text);
}

static void add_titles(struct term_table *table, const char *const *titles, size_t n)
{
	for (size_t i = 0; i < n; i++)
		term_table_add(table, TERM_TITLE, titles[i]);
}

/* Empties the buffer. */
static void add_cell(struct term_table *table, struct buf *b)
{
	add_text(table, buf_str(b));
	buf_free(b);
}

/* After an empty line, unless there is nothing to print. */
static void finish_table(struct term_table *table, const struct term *term, FILE *out)
{
	if (table->n > table->columns)
		fputc('\n', out);
	term_table_finish(table, term, out);
}

/* A state, or why there is none. */
static enum term_style style_of(const char *state)
{
	static const char *const good[] = { "ready",	 "ok",	    "enforced", "installed",
					    "connected", "present", "current" };
	static const char *const bad[] = { "NOT READY", "NOT JUDGED", "ALARM",	 "error",
					   "failing",	"differs",    "refused", "faulty" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (strcmp(state, good[i]) == 0)
			return TERM_GOOD;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strcmp(state, bad[i]) == 0)
			return TERM_BAD;
	return TERM_WARNING;
}

static void add_state(struct term_table *table, const char *state)
{
	term_table_add(table, strcmp(state, "-") == 0 ? TERM_PLAIN : style_of(state), state);
}

static void put_state(const struct term *term, const char *state, FILE *out)
{
	term_put(term, style_of(state), state, out);
}

/* ---- the parts ---- */

/* Capitals are for what nobody must overlook. */
static const char *network_state(const struct json_node *network)
{
	const char *state = json_text(network, "state", "-");

	return strcmp(state, "audit") == 0	  ? "AUDIT"
	       : strcmp(state, "not judged") == 0 ? "NOT JUDGED"
						  : state;
}

static void print_strings(const struct json_node *list, const char *title, FILE *out)
{
	for (size_t i = 0; list && i < list->u.children.n; i++)
		if (list->u.children.items[i].kind == JSON_STRING)
			fprintf(out, "%s%s\n", title, list->u.children.items[i].u.string.s);
}

/* Why a network waits; for one that is not judged there is an alarm. */
static void print_reason(const struct json_node *network, FILE *out)
{
	const char *reason = json_text(network, "reason", NULL);

	if (reason && !json_text(network, "mend", NULL))
		fprintf(out, "network %s: %s\n", network->key, reason);
}

static int64_t number(const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	return node ? node->u.integer : 0;
}

static bool is_managed(const struct json_node *network)
{
	return strcmp(json_text(network, "state", ""), "unmanaged") != 0;
}

/* Those that are known, of all; and how strictly the others are taken, unless it is as everywhere. */
static void put_ports(struct buf *b, const struct json_node *network)
{
	int64_t known = number(network, "known_port_count");
	int64_t unknown = number(network, "unknown_port_count");
	const char *bind = json_text(network, "bind", NULL);
	const struct json_node *bound = json_member(network, "bound", JSON_BOOL);

	if (!json_member(network, "known_port_count", JSON_INT))
		buf_putc(b, '-');
	else if (unknown == 0)
		buf_printf(b, "%" PRId64, known);
	else
		buf_printf(b, "%" PRId64 "/%" PRId64, known, known + unknown);
	if (is_managed(network) && bind && strcmp(bind, "learn") != 0)
		buf_printf(b, " %s", bind);
	else if (is_managed(network) && bound && !bound->u.boolean)
		buf_puts(b, " not bound");
}

static void print_unknown_ports(const struct json_node *network, FILE *out)
{
	const struct json_node *list = json_member(network, "unknown_ports", JSON_ARRAY);
	int64_t more = number(network, "unknown_port_count");

	if (!is_managed(network))
		return;
	for (size_t i = 0; list && i < list->u.children.n; i++)
		if (list->u.children.items[i].kind == JSON_STRING) {
			fprintf(out, "network %s: port %s\n", network->key,
				list->u.children.items[i].u.string.s);
			more--;
		}
	if (more > 0)
		fprintf(out,
			"network %s: and %" PRId64 " more port%s whose container is not known\n",
			network->key, more, more == 1 ? "" : "s");
}

/* Names the first few, and says what to do. */
static void print_net_raw(const struct json_node *network, FILE *out)
{
	const struct json_node *list = json_member(network, "net_raw", JSON_ARRAY);
	int64_t n = number(network, "net_raw_count"), told = 0;

	if (n == 0 || !is_managed(network))
		return;
	fprintf(out, "network %s: ", network->key);
	for (size_t i = 0; list && i < list->u.children.n && told < ADDRESSES_SHOWN; i++)
		if (list->u.children.items[i].kind == JSON_STRING)
			fprintf(out, "%s%s", told++ > 0 ? ", " : "",
				list->u.children.items[i].u.string.s);
	if (n > told)
		fprintf(out, "%s%" PRId64 " more", told > 0 ? " and " : "", n - told);
	fprintf(out,
		" %s the capability NET_RAW and can make packets of any kind; where it is not "
		"needed, "
		"take it away: cap_drop: [NET_RAW]\n",
		n == 1 ? "has" : "have");
}

static void print_networks(const struct json_node *answer, const struct term *term, FILE *out)
{
	static const char *const titles[] = { "NETWORK", "STATE",  "RULES",	 "PASSED",
					      "REFUSED", "DOCKER", "CONTAINERS", "PORTS" };
	static const char *const numbers[] = { "rules", "passed", "refused" };
	const struct json_node *networks = json_member(answer, "network_details", JSON_OBJECT);
	struct term_table table = { .columns = ARRAY_SIZE(titles),
				    .right = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 };

	add_titles(&table, titles, ARRAY_SIZE(titles));
	for (size_t i = 0; networks && i < networks->u.children.n; i++) {
		const struct json_node *network = &networks->u.children.items[i];
		struct buf b = { 0 };

		add_text(&table, network->key);
		add_state(&table, network_state(network));
		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++) {
			put_number(&b, network, numbers[k]);
			add_cell(&table, &b);
		}
		add_state(&table, json_text(network, "docker", "-"));
		put_number(&b, network, "containers");
		add_cell(&table, &b);
		put_ports(&b, network);
		add_cell(&table, &b);
	}
	finish_table(&table, term, out);
	for (size_t i = 0; networks && i < networks->u.children.n; i++) {
		const char *message =
			json_text(&networks->u.children.items[i], "docker_message", NULL);

		if (message)
			fprintf(out, "%s\n", message);
		print_reason(&networks->u.children.items[i], out);
		print_unknown_ports(&networks->u.children.items[i], out);
		print_net_raw(&networks->u.children.items[i], out);
	}
	print_strings(json_member(answer, "legs", JSON_ARRAY), "warning: ", out);
}

static void put_addresses(struct buf *b, const struct json_node *list)
{
	size_t n = list ? list->u.children.n : 0;

	for (size_t i = 0; i < n && i < ADDRESSES_SHOWN; i++) {
		const struct json_node *item = &list->u.children.items[i];

		if (item->kind == JSON_STRING)
			buf_printf(b, "%s%s", i ? ", " : "", item->u.string.s);
	}
	if (n > ADDRESSES_SHOWN)
		buf_printf(b, " and %zu more", n - ADDRESSES_SHOWN);
	if (n == 0)
		buf_puts(b, "none");
}

static void print_names(const struct json_node *answer, const struct term *term, FILE *out)
{
	static const char *const titles[] = { "NAME", "LAST ANSWER", "ADDRESSES" };
	const struct json_node *names = json_member(answer, "names", JSON_OBJECT);
	struct term_table table = { .columns = ARRAY_SIZE(titles) };

	add_titles(&table, titles, ARRAY_SIZE(titles));
	for (size_t i = 0; names && i < names->u.children.n; i++) {
		const struct json_node *name = &names->u.children.items[i];
		const char *error = json_text(name, "error", NULL);
		struct buf b = { 0 };

		add_text(&table, name->key);
		put_age(&b, name, "age");
		if (error)
			buf_printf(&b, " (now %s)", error);
		term_table_add(&table, error ? TERM_WARNING : TERM_PLAIN, buf_str(&b));
		buf_reset(&b);
		put_addresses(&b, json_member(name, "addresses", JSON_ARRAY));
		add_cell(&table, &b);
	}
	finish_table(&table, term, out);
}

static bool has_string(const struct json_node *list, const char *s)
{
	for (size_t i = 0; list && i < list->u.children.n; i++)
		if (list->u.children.items[i].kind == JSON_STRING &&
		    strcmp(list->u.children.items[i].u.string.s, s) == 0)
			return true;
	return false;
}

static void print_ipsets(const struct json_node *answer, const struct term *term, FILE *out)
{
	static const char *const titles[] = { "IPSET", "ADDRESSES" };
	const struct json_node *ipsets = json_member(answer, "ipsets", JSON_OBJECT);
	const struct json_node *unused = json_member(answer, "unused_ipsets", JSON_ARRAY);
	struct term_table table = { .columns = ARRAY_SIZE(titles) };

	add_titles(&table, titles, ARRAY_SIZE(titles));
	for (size_t i = 0; ipsets && i < ipsets->u.children.n; i++) {
		const struct json_node *ipset = &ipsets->u.children.items[i];
		struct buf b = { 0 };

		add_text(&table, ipset->key);
		put_addresses(&b, ipset->kind == JSON_ARRAY ? ipset : NULL);
		if (has_string(unused, ipset->key))
			buf_puts(&b, " (no rule uses it)");
		add_cell(&table, &b);
	}
	finish_table(&table, term, out);
	if (json_is_true(answer, "truncated"))
		fprintf(out, "\nThere is more than one answer holds.\n");
}

static void print_reload(const struct json_node *reload, const struct term *term, FILE *out)
{
	const char *message = json_text(reload, "message", NULL);
	struct buf b = { 0 };

	if (!reload)
		return;
	put_age(&b, reload, "age");
	fprintf(out, "last reload: ");
	put_state(term, json_text(reload, "result", "?"), out);
	fprintf(out, ", %s%s%s\n", buf_str(&b), message ? ": " : "", message ? message : "");
	buf_free(&b);
}

/* Prints whether the running policy is that of the files, and whether a copy of it is kept. */
static void print_files(const struct json_node *files, const struct term *term, FILE *out)
{
	const char *message = json_text(files, "message", NULL);
	const char *trouble = json_text(files, "not_kept", NULL);
	struct buf b = { 0 };

	if (!files)
		return;
	fprintf(out, "files: ");
	put_state(term, json_text(files, "state", "?"), out);
	fprintf(out, "%s%s\n", message ? ": " : "", message ? message : "");
	if (json_is_true(files, "last_accepted_enforced")) {
		put_age(&b, files, "age");
		fprintf(out, "enforced: the last accepted configuration, since %s\n", buf_str(&b));
	}
	if (trouble)
		fprintf(out, "the accepted configuration is not kept: %s\n", trouble);
	buf_free(&b);
}

static void print_shim(const struct json_node *shim, const struct term *term, FILE *out)
{
	const char *message = json_text(shim, "message", NULL);
	const char *policy = json_text(shim, "forward_policy", NULL);
	const char *legacy = json_text(shim, "legacy", NULL);
	const char *policy6 = json_text(shim, "forward6_policy", NULL);

	if (!shim)
		return;
	fprintf(out, "shim: ");
	put_state(term, json_text(shim, "state", "?"), out);
	if (message)
		fprintf(out, ": %s", message);
	else if (policy)
		fprintf(out, " (ip: %s, ip6: %s), FORWARD policy %s%s%s",
			json_text(shim, "ip", "?"), json_text(shim, "ip6", "?"), policy,
			policy6 ? ", ip6 " : "", policy6 ? policy6 : "");
	fputc('\n', out);
	if (legacy)
		fprintf(out, "warning: %s\n", legacy);
}

static void print_docker(const struct json_node *docker, const struct term *term, FILE *out)
{
	const char *message = json_text(docker, "message", NULL);
	const char *version = json_text(docker, "version", NULL);

	if (!docker)
		return;
	fprintf(out, "docker: ");
	put_state(term, json_text(docker, "state", "?"), out);
	if (version)
		fprintf(out, ", version %s, API %s, firewall backend %s%s", version,
			json_text(docker, "api", "?"), json_text(docker, "backend", "not told"),
			json_is_true(docker, "events") ? "" : "; without events");
	fprintf(out, "%s%s\n", message ? ": " : "", message ? message : "");
}

static int64_t count_of(const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	return node ? node->u.integer : 0;
}

/* Nothing of it where no network has a gate, and none is connected. */
static void print_gate(const struct json_node *gate, const struct term *term, FILE *out)
{
	const struct json_node *servers = json_member(gate, "upstream", JSON_ARRAY);

	if (!gate || (!json_is_true(gate, "wanted") && !json_is_true(gate, "connected")))
		return;
	fprintf(out, "gate: ");
	put_state(term, json_is_true(gate, "connected") ? "connected" : "NOT CONNECTED", out);
	if (json_is_true(gate, "connected"))
		fprintf(out, ", pid %" PRId64 ", policy %s", count_of(gate, "pid"),
			json_text(gate, "policy", "?"));
	if (json_member(gate, "queries", JSON_INT))
		fprintf(out,
			"; %" PRId64 " questions, %" PRId64 " answered from memory, %" PRId64
			" refused, %" PRId64 " failed",
			count_of(gate, "queries"), count_of(gate, "hits"),
			count_of(gate, "refused"), count_of(gate, "failures"));
	for (size_t i = 0; servers && i < servers->u.children.n; i++)
		fprintf(out, "%s %s%s", i == 0 ? "; asks" : ",",
			json_text(&servers->u.children.items[i], "address", "?"),
			json_is_true(&servers->u.children.items[i], "ok") ? "" : " (no answer)");
	fputc('\n', out);
}

static void print_drift(const struct json_node *drift, FILE *out)
{
	const char *message = json_text(drift, "message", NULL);
	const char *files = json_text(drift, "files", NULL);
	const struct json_node *repairs = json_member(drift, "repairs", JSON_INT);
	const struct json_node *ended = json_member(drift, "ended", JSON_INT);
	struct buf b = { 0 };

	if (!repairs)
		return;
	if (files)
		fprintf(out, "drift: the files are not what runs: %s\n", files);
	if (repairs->u.integer == 0 && !files)
		fprintf(out, "drift: none\n");
	if (repairs->u.integer == 0)
		return;
	put_age(&b, drift, "age");
	if (ended && ended->u.integer > 0)
		buf_printf(&b, ", ended %" PRId64 " connection%s opened meanwhile",
			   ended->u.integer, ended->u.integer == 1 ? "" : "s");
	fprintf(out, "drift: repaired %" PRId64 " time%s, last %s%s%s%s\n", repairs->u.integer,
		repairs->u.integer == 1 ? "" : "s", buf_str(&b), message ? ": " : "",
		message ? message : "",
		json_is_true(drift, "limited") ? "; TOO OFTEN: now at most every 5 s" : "");
	buf_free(&b);
}

static void print_alarms(const struct json_node *answer, const struct term *term, FILE *out)
{
	const struct json_node *alarms = json_member(answer, "alarms", JSON_ARRAY);

	for (size_t i = 0; alarms && i < alarms->u.children.n; i++) {
		const struct json_node *alarm = &alarms->u.children.items[i];

		if (alarm->kind != JSON_STRING)
			continue;
		put_state(term, "ALARM", out);
		fprintf(out, ": %s\n", alarm->u.string.s);
	}
}

void show_status(const struct json_node *answer, const struct term *term, FILE *out)
{
	const struct json_node *networks = json_member(answer, "networks", JSON_ARRAY);
	const struct json_node *versions = json_member(answer, "versions", JSON_OBJECT);
	size_t n = networks ? networks->u.children.n : 0;

	put_state(term, json_is_true(answer, "ready") ? "ready" : "NOT READY", out);
	fprintf(out, ": %zu network%s; dsfw-nft %s\n", n, n == 1 ? "" : "s",
		json_text(versions, "dsfw-nft", "of unknown version"));
	print_alarms(answer, term, out);
	print_reload(json_member(answer, "reload", JSON_OBJECT), term, out);
	print_files(json_member(answer, "files", JSON_OBJECT), term, out);
	print_shim(json_member(answer, "shim", JSON_OBJECT), term, out);
	print_docker(json_member(answer, "docker", JSON_OBJECT), term, out);
	print_gate(json_member(answer, "gate", JSON_OBJECT), term, out);
	if (json_text(answer, "resolver", NULL))
		fprintf(out, "dns: %s\n", json_text(answer, "resolver", NULL));
	print_drift(json_member(answer, "drift", JSON_OBJECT), out);
	print_networks(answer, term, out);
	print_names(answer, term, out);
	print_ipsets(answer, term, out);
}
