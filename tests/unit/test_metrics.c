/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics of a kernel that is made from the plan; every line is read as strictly as Prometheus' text
 * format (version 0.0.4) and `promtool check metrics` want it.
 */
#include "policy_fixture.h"
#include <ctype.h>

#include "daemon/daemon_metrics.h"
#include "daemon/daemon_status.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/ctl/request.h"
#include "dockside/table/compile.h"

#define NETWORK                                                                \
	"{\"networks\": [{\"name\": \"Amber\", \"subnet\": \"192.0.2.0/24\", " \
	"\"dockside_mac\": \"02:00:00:00:00:01\"}, "                           \
	"{\"name\": \"blue\", \"subnet\": \"198.51.100.0/24\"}]}"
#define FIREWALL                                                                                   \
	"{\"ipsets\": {\"web\": [\"a.example\", \"203.0.113.0/24\"]}, \"networks\": {\"Amber\": {" \
	"\"egress\": [{\"to\": \"ipset\", \"ipset\": \"web\", \"comment\": \"back\\\\slash\"}, "   \
	"{\"proto\": \"udp\"}, {\"action\": \"drop\"}], \"host\": [{\"proto\": \"tcp\"}], "        \
	"\"nat\": [{\"match_dport\": 3306, \"to_host\": \"a.example\", \"to_port\": 1}, "          \
	"{\"proto\": \"udp\", \"match_dport\": 53, \"to_ip\": \"192.0.2.7\", \"to_port\": 53, "    \
	"\"comment\": \"x\"}]}}}"

#define NOW_MS 1000000

/* All that the metrics are made of, of a daemon that has never run. */
struct world {
	struct running *running;
	struct actual actual, bind;
	struct enforcer enforcer;
	struct reconcile_shim_comparison shim;
	struct loop_times loop;
	struct gate_state gate;
	struct daemon_view view;
};

/* Each rule has a number of its own: the n-th counter of the table counts 1 << n packets at first. */
static void load(struct world *w)
{
	const struct plan *plan = &w->running->plan;
	uint64_t packets = 1;

	w->actual = (struct actual){ .exists = true };
	w->actual.chains = xcalloc(plan->n_chains + 1, sizeof(*w->actual.chains));
	w->actual.sets = xcalloc(plan->n_sets + 1, sizeof(*w->actual.sets));
	for (size_t i = 0; i < plan->n_chains; i++) {
		const struct plan_chain *from = plan->chains[i];
		struct actual_chain *to = &w->actual.chains[w->actual.n_chains++];

		*to = (struct actual_chain){
			.name = from->name,
			.base = from->hook != BASE_NONE,
			.n_rules = from->n_rules,
		};
		to->rules = xcalloc(from->n_rules + 1, sizeof(*to->rules));
		for (size_t k = 0; from->bridge && k < from->n_rules; k++) {
			if (!from->rules[k].counter)
				continue;
			to->rules[k].packets = packets;
			to->rules[k].bytes = 100 * packets;
			packets = packets < 1u << 30 ? packets << 1 : packets;
		}
	}
	for (size_t i = 0; i < plan->n_sets; i++) {
		struct actual_set *to = &w->actual.sets[w->actual.n_sets++];

		*to = (struct actual_set){ .set = { .name = plan->sets[i]->name,
						    .type = plan->sets[i]->type } };
		for (size_t k = 0; set_type_is_map(to->set.type) && k < plan->sets[i]->n_elems;
		     k++) {
			struct elem *elem = set_add_elem(&to->set, NULL);

			*elem = plan->sets[i]->elems[k];
			elem->packets = 1 + k;
			elem->bytes = 60 * (1 + k);
		}
		for (size_t k = 0; !set_type_is_map(to->set.type) && k < i; k++)
			set_add_elem(&to->set, NULL)->key[0] = (uint8_t)k;
	}
	actual_finish(&w->actual);
}

/* Nobody has looked whether there is a bridge. */
static struct judge_result judge_nothing(const struct policy *policy)
{
	struct judge_result result = { xcalloc(policy->n_networks, sizeof(*result.items)),
				       policy->n_networks, 0 };

	for (size_t i = 0; i < policy->n_networks; i++)
		result.items[i].state =
			network_managed(&policy->networks[i]) ? JUDGED_PENDING : JUDGED_UNMANAGED;
	return result;
}

static void open_world(struct world *w, const char *network, const char *firewall)
{
	static const struct plan_options options = { .mark_bit = 0x10000000 };

	*w = (struct world){ .running = running_new() };
	policy_read(&w->running->policy, network, firewall);
	resolved_collect(&w->running->policy, &w->running->resolved);
	compile_policy(&w->running->policy, &w->running->resolved, &options, &w->running->plan);
	load(w);
	w->enforcer.running = w->running;
	names_init(&w->enforcer.names, 60, 300);
	names_configure(&w->enforcer.names, &w->running->resolved, NOW_MS);
	w->view = (struct daemon_view){
		.now_ms = NOW_MS,
		.started_ms = NOW_MS,
		.enforcer = &w->enforcer,
		.counters = { &w->actual, &w->bind, false, &w->shim, NOW_MS },
		.judged = judge_nothing(&w->running->policy),
		.gate = { .state = &w->gate, .policy = &w->running->policy },
		.loop = &w->loop,
	};
}

static void close_world(struct world *w)
{
	daemon_view_free(&w->view);
	names_free(&w->enforcer.names);
	actual_free(&w->actual);
	running_free(w->running);
}

/* ---- the format ---- */

struct lint {
	char family[128], type[16], help[128]; /* the last of each */
	char **seen;			       /* TYPE lines' names, and series */
	size_t n_seen, cap_seen;
	size_t n_series;
};

static void see(struct lint *lint, const char *text, size_t len)
{
	lint->seen = array_grow(lint->seen, &lint->cap_seen, lint->n_seen, sizeof(*lint->seen));
	lint->seen[lint->n_seen++] = xstrndup(text, len);
}

static int cmp_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	assert_true(n > 0 && !isdigit((unsigned char)s[0]));
	return n;
}

/* From the opening brace on; what follows the closing one. */
static const char *lint_labels(const char *s)
{
	do {
		s += 1;
		s += name_length(s);
		assert_memory_equal(s, "=\"", 2);
		for (s += 2; *s != '"'; s++) {
			assert_true(*s != '\0');
			if (*s == '\\')
				assert_non_null(strchr("\\\"n", *++s));
		}
		s++;
	} while (*s == ',');
	assert_int_equal(*s, '}');
	return s + 1;
}

static bool ends_in(const char *s, size_t len, const char *end)
{
	return len > strlen(end) && strncmp(s + len - strlen(end), end, strlen(end)) == 0;
}

static void lint_comment(struct lint *lint, const char *line)
{
	const char *name = line + strlen("# HELP ");
	size_t len = name_length(name);
	bool counter;

	assert_int_equal(name[len], ' ');
	if (strncmp(line, "# HELP ", 7) == 0) {
		snprintf(lint->help, sizeof(lint->help), "%.*s", (int)len, name);
		assert_true(strlen(name + len + 1) > 0);
		return;
	}
	assert_memory_equal(line, "# TYPE ", 7);
	snprintf(lint->family, sizeof(lint->family), "%.*s", (int)len, name);
	snprintf(lint->type, sizeof(lint->type), "%s", name + len + 1);
	assert_string_equal(lint->help, lint->family); /* just before */
	see(lint, line, (size_t)(name + len - line));
	counter = strcmp(lint->type, "counter") == 0;
	assert_true(counter || strcmp(lint->type, "gauge") == 0 ||
		    strcmp(lint->type, "histogram") == 0);
	assert_int_equal(counter, ends_in(lint->family, len, "_total"));
	assert_false(ends_in(lint->family, len, "_count") || ends_in(lint->family, len, "_sum"));
}

static void lint_sample(struct lint *lint, const char *line)
{
	size_t len = name_length(line), family = strlen(lint->family);
	const char *value = line + len;
	char *end;

	assert_true(family > 0 && strncmp(line, lint->family, family) == 0);
	if (strcmp(lint->type, "histogram") == 0)
		assert_true(ends_in(line, len, "_bucket") || ends_in(line, len, "_sum") ||
			    ends_in(line, len, "_count"));
	else
		assert_int_equal(len, family);
	if (*value == '{')
		value = lint_labels(value);
	see(lint, line, (size_t)(value - line));
	assert_int_equal(*value, ' ');
	assert_true(value[1] != ' ' && value[1] != '\0');
	strtod(value + 1, &end);
	assert_int_equal(*end, '\0');
	lint->n_series++;
}

/* Number of series. Changes the text. */
static size_t lint_text(struct buf *text)
{
	struct lint lint = { 0 };
	char *state = NULL;

	for (char *line = strtok_r(text->data, "\n", &state); line;
	     line = strtok_r(NULL, "\n", &state)) {
		if (line[0] == '#')
			lint_comment(&lint, line);
		else
			lint_sample(&lint, line);
	}
	qsort(lint.seen, lint.n_seen, sizeof(*lint.seen), cmp_strings);
	for (size_t i = 1; i < lint.n_seen; i++)
		assert_string_not_equal(lint.seen[i - 1], lint.seen[i]);
	for (size_t i = 0; i < lint.n_seen; i++)
		free(lint.seen[i]);
	free(lint.seen);
	return lint.n_series;
}

/* ---- tests ---- */

static void assert_line(const struct buf *text, const char *line)
{
	cleanup(cleanup_free) char *whole = xasprintf("\n%s\n", line);

	if (!strstr(buf_str(text), whole))
		fail_msg("%s is not in:\n%s", line, buf_str(text));
}

static void answer(struct world *w, enum family family, enum resolved_state state)
{
	static const struct ipaddr addr = { .family = FAMILY_IPV4, .b = { 192, 0, 2, 1 } };

	assert_non_null(names_answer(&w->enforcer.names,
				     &(struct answer){ .name = "a.example",
						       .family = family,
						       .state = state,
						       .addrs = &addr,
						       .n_addrs = family == FAMILY_IPV4,
						       .ttl_s = 60 },
				     NOW_MS));
}

static void test_gate(void **state)
{
	static char name[] = "net \"2\"";
	struct gate_traffic traffic = { .network = name, .received = 7, .refused = 2 };
	struct buf text = { 0 };
	struct world w;

	(void)state;
	open_world(&w, NETWORK, FIREWALL);
	w.gate.connected = true;
	daemon_metrics(&w.view, &text);
	assert_line(&text, "dsfw_nft_gate_connected 1");
	assert_line(&text, "dsfw_nft_gate_policy_taken 0");
	assert_null(strstr(buf_str(&text), "gate_events_total{"));
	w.gate.reported = true;
	w.gate.policy = GATE_POLICY_TAKEN;
	w.gate.counts[GATE_COUNT_HITS] = 5;
	w.gate.networks = &traffic;
	w.gate.n_networks = 1;
	buf_reset(&text);
	daemon_metrics(&w.view, &text);
	assert_line(&text, "dsfw_nft_gate_policy_taken 1");
	assert_line(&text, "dsfw_nft_gate_events_total{event=\"hits\"} 5");
	assert_line(&text, "dsfw_nft_gate_network_queries_total{network=\"net "
			   "\\\"2\\\"\",verdict=\"refused\"} 2");
	lint_text(&text);
	buf_free(&text);
	close_world(&w);
}

static void test_lines(void **state)
{
	struct buf text = { 0 };
	struct world w;

	(void)state;
	open_world(&w, NETWORK, FIREWALL);
	w.view.load =
		(struct load_state){ .failed = true, .message = "no", .n_ok = 1, .n_failed = 1 };
	answer(&w, FAMILY_IPV4, RESOLVED_DNS);
	answer(&w, FAMILY_IPV4, RESOLVED_DNS);
	answer(&w, FAMILY_IPV6, RESOLVED_FAILED);
	loop_times_add(&w.loop, 100);
	loop_times_add(&w.loop, 101);
	loop_times_add(&w.loop, 2000000);
	w.view.repair.waiting = true;
	daemon_metrics(&w.view, &text);
	/* Nobody has looked whether there is a bridge. */
	assert_line(&text, "dsfw_nft_networks{state=\"enforced\"} 0");
	assert_line(&text, "dsfw_nft_networks{state=\"pending\"} 1");
	assert_line(&text, "dsfw_nft_networks{state=\"not judged\"} 0");
	assert_line(&text, "dsfw_nft_networks{state=\"audit\"} 0");
	assert_line(&text, "dsfw_nft_networks{state=\"unmanaged\"} 1");
	assert_line(&text, "dsfw_nft_reloads_total{result=\"ok\"} 1");
	assert_line(&text, "dsfw_nft_reloads_total{result=\"error\"} 1");
	assert_line(&text, "dsfw_nft_last_reload_successful 0");
	assert_line(&text, "dsfw_nft_drift 1");
	assert_line(&text, "dsfw_nft_unjudged_connections_ended_total 0");
	assert_line(&text, "dsfw_nft_shim_state{table=\"ip filter\",state=\"no DOCKER-USER\"} 1");
	assert_line(&text, "dsfw_nft_docker_state{state=\"unknown\"} 1");
	assert_line(&text, "dsfw_nft_docker_state{state=\"connected\"} 0");
	assert_line(&text, "dsfw_nft_event_loop_busy_seconds_bucket{le=\"0.0001\"} 1");
	assert_line(&text, "dsfw_nft_event_loop_busy_seconds_bucket{le=\"1\"} 2");
	assert_line(&text, "dsfw_nft_event_loop_busy_seconds_bucket{le=\"+Inf\"} 3");
	assert_line(&text, "dsfw_nft_event_loop_busy_seconds_sum 2.000201");
	assert_line(&text, "dsfw_nft_event_loop_busy_longest_seconds 2.000000");
	/* OUT: dockside (v4, v6), invalid, the ipset (v4, v6, its network, each with
	 * one for ICMP errors), udp, the rest */
	assert_line(&text, "dsfw_nft_rule_packets_total{network=\"Amber\",chain=\"OUT\",rule="
			   "\"built-in\",verdict=\"passed\",comment=\"dockside container\"} 1");
	assert_line(&text, "dsfw_nft_rule_packets_total{network=\"Amber\",chain=\"OUT\",rule="
			   "\"built-in\",verdict=\"refused\",comment=\"part of no connection\"} 2");
	assert_line(&text, "dsfw_nft_rule_packets_total{network=\"Amber\",chain=\"OUT\",rule="
			   "\"egress[0]\",verdict=\"passed\",comment=\"back\\\\slash\"} 252");
	assert_line(&text, "dsfw_nft_rule_bytes_total{network=\"Amber\",chain=\"OUT\",rule="
			   "\"egress[1]\",verdict=\"passed\",comment=\"egress[1]\"} 25600");
	assert_line(&text, "dsfw_nft_rule_packets_total{network=\"Amber\",chain=\"OUT\",rule="
			   "\"egress[2]\",verdict=\"refused\",comment=\"egress[2]\"} 512");
	assert_line(&text, "dsfw_nft_rule_packets_total{network=\"Amber\",chain=\"HOST\",rule="
			   "\"host[0]\",verdict=\"passed\",comment=\"host[0]\"} 4194304");
	/* The target is a name, which is in the maps of both families; udp sorts after tcp. */
	assert_line(&text, "dsfw_nft_rule_packets_total{network=\"Amber\",chain=\"NAT\",rule="
			   "\"nat[0]\",verdict=\"redirected\",comment=\"a.example: nat[0]\"} 2");
	assert_line(&text, "dsfw_nft_rule_bytes_total{network=\"Amber\",chain=\"NAT\",rule="
			   "\"nat[1]\",verdict=\"redirected\",comment=\"x\"} 120");
	/* ING: invalid 1024, dockside 2048, the rest 4096; HOST: dockside 8192, untracked 16384, related
	 * 32768, invalid 65536, DHCP 131072 to 2097152, host[0] 4194304, the rest 8388608; SRC: 16777216 to
	 * 134217728. */
	assert_line(&text, "dsfw_nft_network_packets_total{network=\"Amber\",verdict=\"passed\"} "
			   "16689661");
	assert_line(&text, "dsfw_nft_network_bytes_total{network=\"Amber\",verdict=\"refused\"} "
			   "25174579400");
	assert_line(&text, "dsfw_nft_dns_answers_total{name=\"a.example\",family=\"ipv4\"} 2");
	assert_line(&text, "dsfw_nft_dns_failures_total{name=\"a.example\",family=\"ipv6\"} 1");
	assert_line(&text,
		    "dsfw_nft_dns_answer_age_seconds{name=\"a.example\",family=\"ipv6\"} NaN");
	assert_line(&text, "dsfw_nft_dns_addresses{name=\"a.example\"} 1");
	assert_null(strstr(text.data, "last_repair"));
	assert_null(strstr(text.data, "lookup_")); /* --log-group none */
	assert_null(strstr(text.data, "blue"));	   /* it has no chains */
	assert_true(lint_text(&text) > 60);
	buf_free(&text);
	close_world(&w);
}

static void test_lookups(void **state)
{
	const struct judged judged[] = { { .state = JUDGED_NOT }, { .state = JUDGED_UNMANAGED } };
	const struct metrics_ports ports[] = {
		{ .known = 7, .unknown = 2, .net_raw_told = true, .net_raw = 3 },
		{ .known = 9 },
	};
	struct actual_object tallies[] = {
		{ .kind = OBJECT_COUNTER, .name = "_-BIND-denied", .packets = 11 },
		{ .kind = OBJECT_COUNTER, .name = "_-BINDTO-denied", .packets = 0 },
		{ .kind = OBJECT_COUNTER, .name = "_-strange-denied", .packets = 4 },
	};
	const struct actual bind = { .exists = true,
				     .objects = tallies,
				     .n_objects = ARRAY_SIZE(tallies) };
	const struct loop_times loop = { .n = 0 };
	const struct metrics_state numbers = {
		.version = "1",
		.bind = &bind,
		.judged = judged,
		.ports = ports,
		.denied = true,
		.denied_events = 5,
		.denied_lost = 6,
		.loop = &loop,
		.lookups = { .listening = true, .n = 3, .replies = 17, .malformed = 2 },
	};
	struct buf text = { 0 };
	struct world w;

	(void)state;
	open_world(&w, NETWORK, FIREWALL);
	metrics_write(&w.running->policy, &w.running->plan, &w.actual, &w.enforcer.names, &numbers,
		      &text);
	assert_line(&text, "dsfw_nft_denied_events_total 5");
	assert_line(&text, "dsfw_nft_denied_lost_total 6");
	assert_line(&text, "dsfw_nft_lookup_addresses 3");
	assert_line(&text, "dsfw_nft_port_denied_packets_total{kind=\"BIND\"} 11");
	assert_line(&text, "dsfw_nft_port_denied_packets_total{kind=\"BINDTO\"} 0");
	assert_line(&text, "dsfw_nft_port_denied_packets_total{kind=\"strange\"} 4");
	assert_null(strstr(text.data, "UNBOUND\"")); /* the kernel has no such counter */
	assert_line(&text, "dsfw_nft_ports{network=\"Amber\",state=\"known\"} 7");
	assert_line(&text, "dsfw_nft_ports{network=\"Amber\",state=\"unknown\"} 2");
	assert_line(&text, "dsfw_nft_net_raw_containers{network=\"Amber\"} 3");
	assert_null(strstr(text.data, "ports{network=\"blue\"")); /* nobody manages it */
	assert_line(&text, "dsfw_nft_lookup_replies_total{result=\"read\"} 17");
	assert_line(&text, "dsfw_nft_lookup_replies_total{result=\"malformed\"} 2");
	assert_true(lint_text(&text) > 60);
	buf_free(&text);
	close_world(&w);
}

/* There is nothing of a table that could not be read, not zeros. */
static void test_unread(void **state)
{
	struct buf text = { 0 };
	struct world w;

	(void)state;
	open_world(&w, NETWORK, FIREWALL);
	actual_free(&w.actual);
	w.actual = (struct actual){ 0 };
	daemon_metrics(&w.view, &text);
	assert_null(strstr(text.data, "packets_total"));
	assert_null(strstr(text.data, "set_elements"));
	assert_true(lint_text(&text) > 30);
	buf_free(&text);
	close_world(&w);
}

/* The time of what happened does not follow from clocks that drift apart. */
static void test_times(void **state)
{
	struct buf before = { 0 }, after = { 0 };
	const char *key = "\ndsfw_nft_last_reload_timestamp_seconds ";
	const char *a, *b;
	struct world w;

	(void)state;
	open_world(&w, NETWORK, FIREWALL);
	w.view.load = (struct load_state){ .at_ms = NOW_MS, .unix_ms = 1700000000123, .n_ok = 1 };
	daemon_metrics(&w.view, &before);
	w.view.load.at_ms += 7; /* as if CLOCK_REALTIME had been set back by that */
	daemon_metrics(&w.view, &after);
	a = strstr(before.data, key);
	b = strstr(after.data, key);
	assert_true(a && b && strncmp(a + 1, b + 1, strcspn(a + 1, "\n") + 1) == 0);
	buf_free(&before);
	buf_free(&after);
	close_world(&w);
}

static void test_sets(void **state)
{
	const struct plan_set *set;
	struct buf text = { 0 };
	struct world w;

	(void)state;
	open_world(&w, NETWORK, FIREWALL);
	set = plan_find_set(&w.running->plan, "ipset-web-net4");
	for (size_t i = 0; i < w.running->plan.n_sets; i++) {
		cleanup(cleanup_free) char *line =
			xasprintf("dsfw_nft_set_elements{set=\"ipset-web-net4\",entry=\"ipset "
				  "web\",family=\"ipv4\"} %zu",
				  i);

		if (w.running->plan.sets[i] != set)
			continue;
		daemon_metrics(&w.view, &text);
		assert_line(&text, line);
	}
	assert_true(text.len > 0);
	assert_null(strstr(text.data, "set=\"dispatch"));
	assert_null(strstr(text.data, "set=\"ports"));
	buf_free(&text);
	close_world(&w);
}

/* 1,000 networks of 20 rules with the longest comments: all of it. */
static void test_large(void **state)
{
	struct buf network = { 0 }, firewall = { 0 }, text = { 0 };
	struct world w;
	size_t n;

	(void)state;
	buf_puts(&network, "{\"networks\": [");
	buf_puts(&firewall, "{\"networks\": {");
	for (int i = 0; i < 1000; i++) {
		buf_printf(&network, "%s{\"name\": \"n%d\", \"subnet\": \"10.%d.%d.0/24\"}",
			   i ? "," : "", i, i / 250, i % 250);
		buf_printf(&firewall, "%s\"n%d\": {\"egress\": [", i ? "," : "", i);
		for (int k = 0; k < 20; k++) {
			buf_printf(&firewall,
				   "%s{\"proto\": \"tcp\", \"ports\": [%d], \"comment\": \"",
				   k ? "," : "", k + 1);
			for (int j = 0; j < 128; j++)
				buf_puts(&firewall, "\\\\");
			buf_puts(&firewall, "\"}");
		}
		buf_puts(&firewall, "]}");
	}
	buf_puts(&network, "]}");
	buf_puts(&firewall, "}}");
	open_world(&w, buf_str(&network), buf_str(&firewall));
	daemon_metrics(&w.view, &text);
	assert_true(text.len > 10 * REQUEST_MAX);
	n = lint_text(&text);
	/* Each network has 20 rules and 7 of our own, packets and bytes; both twice by verdict; and
	 * whether it drains, and is not judged; ports, known and unknown. */
	assert_true(n > 1000 * (2 * 27 + 8) && n < 1000 * (2 * 27 + 8) + 100);
	buf_free(&network);
	buf_free(&firewall);
	buf_free(&text);
	close_world(&w);
}

/* status has what there is room for, and says that there is more. */
static void test_large_status(void **state)
{
	struct buf firewall = { 0 }, b = { 0 };
	struct json_writer out = { .b = &b };
	struct world w;

	(void)state;
	buf_puts(&firewall, "{\"ipsets\": {\"web\": [\"192.0.2.0/24\"");
	for (int i = 0; i < 8000; i++)
		buf_printf(&firewall, ", \"%060d.%060d.a.example\", \"10.%d.%d.0/25\"", i, i,
			   i / 250, i % 250);
	buf_puts(&firewall, "]}, \"networks\": {\"Amber\": {\"egress\": [{\"to\": \"ipset\", "
			    "\"ipset\": \"web\"}]}}}");
	open_world(&w, NETWORK, buf_str(&firewall));
	daemon_status(&w.view, &out);
	assert_true(b.len < REQUEST_MAX);
	assert_non_null(strstr(b.data, "\"truncated\":true"));
	assert_non_null(strstr(b.data, "\"versions\""));
	buf_free(&firewall);
	buf_free(&b);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gate),	cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lookups), cmocka_unit_test(test_unread),
		cmocka_unit_test(test_times),	cmocka_unit_test(test_sets),
		cmocka_unit_test(test_large),	cmocka_unit_test(test_large_status),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
