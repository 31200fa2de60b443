/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's knowledge of the DNS gate, also of one that lies; its alarms, and the refused names in `denied`. */
#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/report/denied.h"
#include "dockside/report/gate_state.h"

#define NETWORK "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"10.5.0.0/24\"}]}"
#define GATED                                                                                \
	"{\"networks\": {\"amber\": {\"dns\": {}, \"egress\": [{\"to\": \"host\", \"host\":" \
	" \"api.example\"}]}}}"
#define TWO_NETWORKS                                                      \
	"{\"networks\": [{\"name\": \"a\", \"subnet\": \"10.5.0.0/24\"}," \
	"{\"name\": \"b\", \"subnet\": \"10.6.0.0/24\"}]}"
#define TWO_GATED                                                                     \
	"{\"networks\": {\"a\": {\"dns\": {}, \"egress\": [{\"action\": \"drop\"}]}," \
	"\"b\": {\"dns\": {}, \"egress\": [{\"action\": \"drop\"}]}}}"
#define PLAIN "{\"networks\": {\"amber\": {\"egress\": [{\"action\": \"drop\"}]}}}"

static void read_state(struct gate_state *state, const char *text)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = text_src("message", text);
	struct diags diags = { 0 };

	assert_true(json_parse(&src, &tree, &diags));
	gate_state_read(state, tree.root);
	diags_free(&diags);
	src_free(&src);
}

static void test_reports(void **unused)
{
	struct gate_state s = { .listens = true };
	struct policy policy = { 0 };

	(void)unused;
	policy_read(&policy, TWO_NETWORKS, TWO_GATED);
	gate_state_follow(&s, &policy);
	gate_state_connected(&s, 77, 1000);
	assert_false(s.reported);
	read_state(&s,
		   "{\"queries\": 5, \"hits\": -1, \"refused\": \"x\", \"upstream\": ["
		   "{\"address\": \"192.0.2.1\", \"ok\": false, \"why\": \"timeout\"}, 7,"
		   "{\"address\": \"nonsense\", \"ok\": true}],"
		   "\"networks\": {\"b\": {\"received\": 3}, \"a\": 7, \"x\": {\"received\": 9}}}");
	read_state(&s, "{\"networks\": {\"a\": {\"received\": 2, \"refused\": 1}, \"c\": [1]}}");
	assert_true(s.reported);
	assert_int_equal(s.counts[GATE_COUNT_QUERIES], 5);
	assert_int_equal(s.counts[GATE_COUNT_HITS], 0);
	assert_int_equal(s.counts[GATE_COUNT_REFUSED], 0);
	assert_int_equal(s.n_servers, 1);
	assert_string_equal(s.servers[0].why, "timeout");
	assert_int_equal(s.n_networks, 2);
	assert_string_equal(s.networks[0].network, "a");
	assert_int_equal(s.networks[0].refused, 1);
	assert_int_equal(s.networks[1].received, 3);
	/* Another policy forgets no count, but those of networks that it does not have. */
	policy.networks[0].dns.gated = false;
	gate_state_follow(&s, &policy);
	assert_int_equal(s.n_networks, 1);
	assert_int_equal(s.networks[0].received, 3);
	/* The next one counts from 0. */
	gate_state_gone(&s, 2000);
	gate_state_connected(&s, 78, 2100);
	assert_false(s.reported);
	assert_int_equal(s.networks[0].received + s.n_servers + s.counts[GATE_COUNT_QUERIES], 0);
	gate_state_free(&s);
	policy_free(&policy);
}

/* A gate that names ever more networks takes neither memory nor time. */
static void test_flood(void **unused)
{
	struct gate_state s = { 0 };
	struct buf b = { 0 };

	(void)unused;
	buf_puts(&b, "{\"networks\": {");
	for (int i = 0; i < 9000; i++)
		buf_printf(&b, "%s\"n%d\": {\"received\": 1}", i > 0 ? "," : "", i);
	buf_puts(&b, "}}");
	read_state(&s, buf_str(&b));
	assert_int_equal(s.n_networks, 0);
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(gate_state_trouble(&s, "amber", name, "why", 1000),
				 i < GATE_TROUBLES_MAX);
	}
	assert_false(gate_state_trouble(&s, "amber", "n3", "why", 1001));
	assert_true(gate_state_trouble(&s, "amber", "n99", "why", 1000 + GATE_TROUBLE_MS));
	buf_free(&b);
	gate_state_free(&s);
}

static void append(void *data, const char *text)
{
	buf_printf(data, "%s\n", text);
}

/* The number of alarms, of which one has the words; NULL: whatever they say. */
static void expect(const struct gate_state *s, const struct policy *policy, uint64_t now_ms,
		   size_t n, const char *words)
{
	const struct gate_view view = { .state = s, .policy = policy, .now_ms = now_ms };
	struct buf b = { 0 };

	if (gate_alarms(&view, append, &b) != n || (words && !strstr(buf_str(&b), words)))
		fail_msg("wanted %zu alarms with \"%s\", got:\n%s", n, words ? words : "",
			 buf_str(&b));
	assert_int_equal(gate_alarms(&view, NULL, NULL), n);
	buf_free(&b);
}

static void test_alarms(void **unused)
{
	struct gate_state s = { 0 };
	struct policy gated = { 0 }, plain = { 0 };

	(void)unused;
	policy_read(&gated, NETWORK, GATED);
	policy_read(&plain, NETWORK, PLAIN);
	expect(&s, &plain, 99999, 0, NULL);
	expect(&s, &gated, 0, 1, "no --gate-socket: no new name is answered in amber");
	s.listens = true;
	expect(&s, &gated, GATE_PATIENCE_MS - 1, 0, NULL);
	expect(&s, &gated, GATE_PATIENCE_MS, 1, "not connected");
	expect(&s, &plain, GATE_PATIENCE_MS, 0, NULL);
	gate_state_connected(&s, 77, 5000);
	gate_state_policy(&s, GATE_POLICY_GIVEN, NULL, 5000);
	expect(&s, &gated, 5001, 0, NULL);
	expect(&s, &gated, 5000 + GATE_PATIENCE_MS, 1, "has not said that it takes it");
	gate_state_policy(&s, GATE_POLICY_REFUSED, "no such key", 5100);
	expect(&s, &gated, 5101, 1, "goes on with the last one, whose names it opens: no such key");
	gate_state_policy(&s, GATE_POLICY_TAKEN, NULL, 5200);
	expect(&s, &gated, 99999, 0, NULL);
	read_state(&s, "{\"upstream\": [{\"address\": \"192.0.2.1\", \"ok\": false, \"why\": "
		       "\"timeout\"}, {\"address\": \"192.0.2.2\", \"ok\": true}]}");
	expect(&s, &gated, 99999, 0, NULL);
	read_state(&s, "{\"upstream\": [{\"address\": \"192.0.2.1\", \"ok\": false, \"why\": "
		       "\"timeout\"}]}");
	expect(&s, &gated, 99999, 1, "no name server answers the DNS gate: 192.0.2.1 (timeout)");
	read_state(&s, "{\"queries\": 0, \"upstream\": []}");
	expect(&s, &gated, 5000 + GATE_SERVERS_MS - 1, 0, NULL);
	expect(&s, &gated, 5000 + GATE_SERVERS_MS, 1, "has no name server to ask");
	read_state(&s, "{\"upstream\": [{\"address\": \"192.0.2.2\", \"ok\": true}]}");
	gate_state_trouble(&s, "amber", "api.example", "the set is full", 6000);
	expect(&s, &gated, 7000, 1, "network amber, name api.example: the set is full");
	expect(&s, &gated, 6000 + GATE_TROUBLE_MS, 0, NULL);
	gate_state_free(&s);
	policy_free(&gated);
	policy_free(&plain);
}

static void add_counter(struct plan *plan, struct actual *actual, struct plan_rule *rule,
			struct actual_rule *have)
{
	static struct plan_chain chain, *chains[] = { &chain };
	static struct actual_chain kernel;

	*rule = (struct plan_rule){ .verdict = VERDICT_REDIRECT, .counter = true };
	chain = (struct plan_chain){ .name = "amber-GATE", .rules = rule, .n_rules = 1 };
	kernel = (struct actual_chain){ .name = "amber-GATE", .rules = have, .n_rules = 1 };
	plan->chains = plan->chains_by_name = chains;
	plan->n_chains = 1;
	actual->chains = &kernel;
	actual->n_chains = 1;
}

static void test_missing(void **unused)
{
	struct gate_state s = { .listens = true };
	struct policy gated = { 0 };
	struct plan plan = { 0 };
	struct actual actual = { 0 };
	struct plan_rule rule;
	struct actual_rule have = { .packets = 1000 };

	(void)unused;
	policy_read(&gated, NETWORK, GATED);
	gate_state_follow(&s, &gated);
	add_counter(&plan, &actual, &rule, &have);
	gate_state_connected(&s, 77, 0);
	gate_state_policy(&s, GATE_POLICY_TAKEN, NULL, 0);
	/* Those before its start are nobody's loss; nor are a few. */
	assert_false(gate_state_look(&s, &gated, &plan, &actual, 0));
	have.packets = 1002;
	assert_false(gate_state_look(&s, &gated, &plan, &actual, 1000));
	/* It may not have reported yet. */
	have.packets = 1010;
	assert_true(gate_state_look(&s, &gated, &plan, &actual, 2000));
	expect(&s, &gated, 2000 + GATE_MISSING_MS - 1, 0, NULL);
	read_state(&s, "{\"networks\": {\"amber\": {\"received\": 10}}}");
	assert_false(gate_state_look(&s, &gated, &plan, &actual, 4000));
	/* From then on a rule drops them. */
	have.packets = 1013;
	assert_true(gate_state_look(&s, &gated, &plan, &actual, 5000));
	assert_true(gate_state_look(&s, &gated, &plan, &actual, 7000));
	expect(&s, &gated, 5000 + GATE_MISSING_MS, 1,
	       "iifname \"amber\" meta l4proto { tcp, udp } th dport 5300 accept; "
	       "with ufw: ufw allow in on amber to any port 5300");
	/* Rules that were written anew count from 0. */
	have.packets = 1;
	assert_false(gate_state_look(&s, &gated, &plan, &actual, 9000));
	gate_state_free(&s);
	policy_free(&gated);
}

static void test_refused_name(void **unused)
{
	const struct denied_dns question = { "AAAA", "not in the policy", 4 };
	struct denied_event event = { .network = "amber",
				      .bridge = "amber",
				      .kind = DENIED_NAME,
				      .src = { FAMILY_IPV4, { 10, 5, 0, 2 } },
				      .name = "evil.example",
				      .question = &question,
				      .entry = "-" };
	struct buf b = { 0 };

	(void)unused;
	denied_event_json(&b, &event);
	assert_non_null(strstr(buf_str(&b), "\"source\":\"10.5.0.2\",\"destination\":null,"
					    "\"name\":\"evil.example\",\"name_from\":\"question\","
					    "\"protocol\":\"dns\",\"query_type\":\"AAAA\","
					    "\"times\":4,\"reason\":\"not in the policy\","));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),	     cmocka_unit_test(test_flood),
		cmocka_unit_test(test_alarms),	     cmocka_unit_test(test_missing),
		cmocka_unit_test(test_refused_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
