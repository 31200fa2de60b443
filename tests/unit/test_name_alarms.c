/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/names/name_alarms.h"

static const char network_text[] =
	"{\"networks\": [{\"name\": \"ds-a\", \"subnet\": \"172.30.1.0/24\"},"
	" {\"name\": \"ds-b\", \"subnet\": \"172.30.2.0/24\"}]}";
static const char firewall_text[] =
	"{\"ipsets\": {\"bad\": [\"one.example\", \"10.0.0.1\", \"two.example\"], \"good\": "
	"[\"three.example\"]},\n"
	"\"networks\": {\"ds-a\": {\"egress\": [\n"
	"{\"action\": \"drop\", \"to\": \"ipset\", \"ipset\": \"bad\"},\n"
	"{\"action\": \"drop\", \"to\": \"host\", \"host\": \"One.example\"},\n"
	"{\"to\": \"ipset\", \"ipset\": \"good\"},\n"
	"{\"action\": \"drop\"}],\n"
	"\"nat\": [{\"match_dport\": 3306, \"to_host\": \"clone.example\", \"to_port\": 3306},\n"
	"  {\"match_dport\": 80, \"to_ip\": \"192.0.2.1\", \"to_port\": 80}]},\n"
	"\"ds-b\": {\"mode\": \"audit\", \"egress\": [\n"
	"{\"action\": \"drop\", \"to\": \"host\", \"host\": \"one.example\"}]}}}";

struct fixture {
	struct policy policy;
	struct resolved resolved;
	struct names names;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	policy_read(&f->policy, network_text, firewall_text);
	resolved_collect(&f->policy, &f->resolved);
	names_init(&f->names, 60, 300);
	names_configure(&f->names, &f->resolved, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	names_free(&f->names);
	resolved_free(&f->resolved);
	policy_free(&f->policy);
	free(f);
	return 0;
}

static void add_line(void *data, const char *text)
{
	buf_printf(data, "%s\n", text);
}

static void assert_alarms(struct fixture *f, const char *wanted)
{
	struct buf b = { 0 };
	size_t n = name_alarms(&f->policy, &f->names, add_line, &b), lines = 0;

	for (const char *s = wanted; *s; s++)
		lines += *s == '\n';
	assert_string_equal(buf_str(&b), wanted);
	assert_int_equal(n, lines);
	assert_int_equal(name_alarms(&f->policy, &f->names, NULL, NULL), lines);
	buf_free(&b);
}

/* Answers for both families; addr NULL: none. */
static void answer(struct fixture *f, const char *name, enum resolved_state state, const char *addr)
{
	for (int family = 0; family < N_FAMILIES; family++) {
		struct answer answer = { .name = name,
					 .family = (enum family)family,
					 .state = state,
					 .error = state == RESOLVED_FAILED ? "off" : NULL };
		struct ipaddr parsed;

		if (addr && ipaddr_parse(addr, strlen(addr), &parsed) &&
		    parsed.family == answer.family) {
			answer.addrs = &parsed;
			answer.n_addrs = 1;
		}
		names_answer(&f->names, &answer, 1000);
	}
}

#define SET_ONE                                                                     \
	"ds-a: egress[0] at firewall.json:3:1 lets pass what goes to one.example: " \
	"no address of it is known\n"
#define SET_TWO                                                                     \
	"ds-a: egress[0] at firewall.json:3:1 lets pass what goes to two.example: " \
	"no address of it is known\n"
#define RESOLVED_ONE                                                                \
	"ds-a: egress[1] at firewall.json:4:1 lets pass what goes to one.example: " \
	"no address of it is known\n"
#define CLONE                                                                    \
	"ds-a: nat[0] at firewall.json:7:9 redirects nothing to clone.example: " \
	"no address of it is known\n"

/* Neither an allow rule, which is closed, nor a network in audit mode. */
static void test_unanswered(void **state)
{
	struct fixture *f = *state;

	assert_alarms(f, SET_ONE SET_TWO RESOLVED_ONE CLONE);
}

static void test_answers(void **state)
{
	struct fixture *f = *state;

	answer(f, "one.example", RESOLVED_FAILED, NULL);
	assert_alarms(f, SET_ONE SET_TWO RESOLVED_ONE CLONE);
	answer(f, "one.example", RESOLVED_DNS, "192.0.2.7");
	assert_alarms(f, SET_TWO CLONE);
	answer(f, "one.example", RESOLVED_FAILED, NULL); /* it keeps its address */
	assert_alarms(f, SET_TWO CLONE);
	answer(f, "two.example", RESOLVED_DNS, "2001:db8::7");
	answer(f, "clone.example", RESOLVED_STATIC, "192.0.2.9");
	assert_alarms(f, "");
}

/* There is nothing to drop then, but to be redirected there still is. */
static void test_without_addresses(void **state)
{
	struct fixture *f = *state;

	answer(f, "one.example", RESOLVED_DNS, NULL);
	answer(f, "two.example", RESOLVED_DNS, NULL);
	answer(f, "clone.example", RESOLVED_DNS, NULL);
	assert_alarms(f, CLONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unanswered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_addresses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
