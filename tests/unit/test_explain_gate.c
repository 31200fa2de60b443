/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about networks whose DNS goes to the gate. */
#include "policy_fixture.h"
#include <errno.h>
#include <netinet/in.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/report/explain_gate.h"
#include "dockside/report/explain_json.h"
#include "dockside/table/compile.h"

static const char network_text[] =
	"{\"networks\": [{\"name\": \"amber\", \"subnet\": \"203.0.113.0/24\", \"subnet6\": "
	"\"fd01::/64\", \"dockside_ip\": \"203.0.113.9\"},\n"
	"{\"name\": \"beige\", \"subnet\": \"10.2.0.0/24\"}]}";
static const char firewall_text[] =
	"{\"ipsets\": {\"web\": [\"api.example\", \"*.example.com\"]}, \"networks\": {\"amber\": "
	"{\n"
	"\"dns\": {\"names\": [\"*.corp.example\"]}, \"egress\": [\n"
	"{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": \"web\"},\n"
	"{\"action\": \"drop\"}]},\n"
	"\"beige\": {\"egress\": [{\"action\": \"drop\"}]}}}";

struct fixture {
	struct policy policy;
	struct resolved resolved;
	struct plan plan;
};

static int set_up(void **state)
{
	static const struct plan_options options = { .mark_bit = 0x10000000 };
	struct fixture *f = xcalloc(1, sizeof(*f));

	policy_read(&f->policy, network_text, firewall_text);
	resolved_collect(&f->policy, &f->resolved);
	compile_policy(&f->policy, &f->resolved, &options, &f->plan);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	plan_free(&f->plan);
	resolved_free(&f->resolved);
	policy_free(&f->policy);
	free(f);
	return 0;
}

/* Returns what explain_answer() does; the caller frees the answer, or what is wrong. */
static int ask(struct fixture *f, struct explain_question question, char **ret_answer)
{
	struct explain_world world = { .policy = &f->policy, .plan = &f->plan };
	struct err err = { 0 };
	struct buf b = { 0 };
	int r;

	question.to_addr = ipaddr_parse(question.to, strlen(question.to), &question.addr);
	r = explain_answer(&question, &world, &b, &err);
	*ret_answer = r < 0 ? xstrdup(err.text) : buf_steal(&b);
	err_free(&err);
	return r;
}

static void expect(void **state, const char *to, uint8_t l4proto, uint16_t port, const char *text)
{
	const struct explain_question question = {
		.from = "amber", .to = to, .l4proto = l4proto, .port = port
	};
	char *answer;

	assert_int_equal(ask(*state, question, &answer), 0);
	if (!strstr(answer, text))
		fail_msg("%s: no %s in %s", to, text, answer);
	free(answer);
}

static void test_names(void **state)
{
	expect(state, "api.example", IPPROTO_TCP, 443, "ipset-web-told4");
	expect(state, "API.example", IPPROTO_TCP, 443, "ipset-web-told6");
	expect(state, "a.b.example.com", IPPROTO_TCP, 443, "\"verdict\":\"pass\"");
	expect(state, "*.example.com", IPPROTO_TCP, 443, "\"verdict\":\"pass\"");
	expect(state, "*.b.example.com", IPPROTO_TCP, 443, "\"verdict\":\"pass\"");
	expect(state, "api.example", IPPROTO_TCP, 80, "\"verdict\":\"reset\"");
	/* It stands for all, and is in no network of the policy. */
	expect(state, "api.example", IPPROTO_TCP, 443, "198.51.100.1");
	expect(state, "a.corp.example", IPPROTO_TCP, 443, "\"verdict\":\"reset\"");
	expect(state, "a.corp.example", IPPROTO_TCP, 443, "that opens nothing");
}

static void test_no_such_name(void **state)
{
	struct explain_question question = {
		.from = "amber", .to = "example.com", .l4proto = IPPROTO_TCP, .port = 443
	};
	char *answer;

	assert_int_equal(ask(*state, question, &answer), -EINVAL);
	assert_non_null(strstr(answer, "no such name"));
	free(answer);
	question.to = "*.example";
	assert_int_equal(ask(*state, question, &answer), -EINVAL);
	free(answer);
	question.from = "beige";
	question.to = "*.example.com";
	assert_int_equal(ask(*state, question, &answer), -EINVAL);
	assert_non_null(strstr(answer, "has no DNS gate"));
	free(answer);
}

static void test_questions(void **state)
{
	expect(state, "9.9.9.9", IPPROTO_UDP, 53, "redirected to the DNS gate");
	expect(state, "9.9.9.9", IPPROTO_TCP, 53, "\"chain\":\"amber-GATE\"");
	expect(state, "203.0.113.7", IPPROTO_UDP, 53, "redirected to the DNS gate");
	expect(state, "9.9.9.9", IPPROTO_TCP, 853, "\"chain\":\"amber-DNS\"");
	expect(state, "9.9.9.9", IPPROTO_TCP, 853, "\"verdict\":\"reset\"");
	expect(state, "9.9.9.9", IPPROTO_UDP, 853, "\"verdict\":\"drop\"");
	expect(state, "host", IPPROTO_UDP, 5300, "\"verdict\":\"drop\"");
}

static void test_addresses(void **state)
{
	expect(state, "9.9.9.9", IPPROTO_TCP, 443,
	       "opens their addresses as containers look them up");
	expect(state, "192.168.3.4", IPPROTO_TCP, 443, "no answer of the network's DNS gate opens");
}

static void test_dockside(void **state)
{
	struct explain_question question = { .from = "amber",
					     .to = "9.9.9.9",
					     .l4proto = IPPROTO_UDP,
					     .port = 53,
					     .has_src = true,
					     .src = { FAMILY_IPV4, { 203, 0, 113, 9 } } };
	char *answer;

	assert_int_equal(ask(*state, question, &answer), 0);
	assert_null(strstr(answer, "redirected"));
	assert_non_null(strstr(answer, "\"chain\":\"amber-OUT\""));
	free(answer);
}

static void test_says(void **state)
{
	struct fixture *f = *state;
	struct network *amber = &f->policy.networks[0];

	assert_int_equal(explain_gate_says(&f->policy, amber, "api.example"), GATE_SAYS_OPENS);
	assert_int_equal(explain_gate_says(&f->policy, amber, "x.corp.example"), GATE_SAYS_ONLY);
	assert_int_equal(explain_gate_says(&f->policy, amber, "corp.example"), GATE_SAYS_NO_NAME);
	amber->audit = true;
	assert_int_equal(explain_gate_says(&f->policy, amber, "api.example"), GATE_SAYS_ONLY);
	assert_int_equal(explain_gate_says(&f->policy, amber, "corp.example"), GATE_SAYS_ONLY);
	amber->audit = false;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_names),     TEST(test_no_such_name), TEST(test_questions),
		TEST(test_addresses), TEST(test_dockside),     TEST(test_says),
	};

	return cmocka_run_group_tests_name("explain_gate", tests, NULL, NULL);
}
