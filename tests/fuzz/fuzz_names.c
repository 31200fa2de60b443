/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS may give any answers, in any order and at any time: our knowledge of names stays sound, and
 * the sets that we make of it are sorted and without doubles.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/names/names.h"
#include "dockside/policy/config.h"
#include "dockside/table/compile.h"

#include "must.h"

#define NETWORK "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\"}]}"
#define FIREWALL                                                                               \
	"{\"ipsets\": {\"s\": [\"a.example\", \"b.example\", \"10.0.0.1\", \"2001:db8::1\"]}," \
	"\"networks\": {\"amber\": {\"egress\": [{\"to\": \"ipset\", \"ipset\": \"s\"},"       \
	"{\"to\": \"host\", \"host\": \"b.example\"}],"                                        \
	"\"nat\": [{\"match_dport\": 80, \"to_host\": \"a.example\", \"to_port\": 81}]}}}"

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

static void check_names(const struct names *names, uint64_t now_ms)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct name *name = &names->items[i];

		for (size_t k = 0; k < name->n_addrs; k++) {
			must(name->addrs[k].seen_ms <= now_ms);
			must(k == 0 ||
			     ipaddr_cmp(&name->addrs[k - 1].addr, &name->addrs[k].addr) < 0);
		}
	}
}

static void check_plan(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sets; i++)
		for (size_t k = 1; k < plan->sets[i]->n_elems; k++)
			must(elem_cmp(&plan->sets[i]->elems[k - 1], &plan->sets[i]->elems[k]) < 0);
}

static void answer_some(struct names *names, struct input *in, uint64_t now_ms)
{
	static const char *const wanted[] = { "a.example", "b.example", "c.example" };
	static const enum resolved_state states[] = { RESOLVED_DNS, RESOLVED_STATIC,
						      RESOLVED_FAILED };
	struct ipaddr addrs[8];
	struct answer answer = { .addrs = addrs };
	uint8_t what = take(in);

	answer.name = wanted[what % 3];
	answer.family = what & 4 ? FAMILY_IPV6 : FAMILY_IPV4;
	answer.state = states[(what >> 3) % 3];
	answer.error = answer.state == RESOLVED_FAILED ? "some error" : NULL;
	answer.ttl_s = (unsigned)take(in) << (take(in) % 24);
	for (uint8_t n = take(in) % 8; answer.state != RESOLVED_FAILED && n > 0; n--) {
		struct ipaddr *addr = &addrs[answer.n_addrs++];

		*addr = (struct ipaddr){ .family = answer.family };
		memset(addr->b, take(in) % 4, family_bytes(answer.family));
	}
	names_answer(names, &answer, now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plan_options options = { .mark_bit = 1 };
	struct input in = { data, size };
	struct policy policy = { 0 };
	struct diags diags = { 0 };
	struct resolved resolved = { 0 };
	struct plan plan = { 0 };
	struct names names;
	uint64_t now_ms = 1;

	policy.network_src = (struct src){ xstrdup("n"), xstrdup(NETWORK), strlen(NETWORK) };
	policy.firewall_src = (struct src){ xstrdup("f"), xstrdup(FIREWALL), strlen(FIREWALL) };
	must(config_parse(&policy, &diags));
	resolved_collect(&policy, &resolved);
	names_init(&names, 60, 300);
	names_configure(&names, &resolved, now_ms);
	while (in.left > 0) {
		enum family family;
		size_t cursor = 0;

		now_ms += (uint64_t)take(&in) << (take(&in) % 16);
		while (names_take_due(&names, now_ms, NAMES_FREE, &cursor, &family))
			;
		answer_some(&names, &in, now_ms);
		names_expire(&names, now_ms);
		check_names(&names, now_ms);
	}
	names_fill_resolved(&names, &resolved, 0);
	compile_policy(&policy, &resolved, &options, &plan);
	check_plan(&plan);
	plan_free(&plan);
	names_free(&names);
	resolved_free(&resolved);
	diags_free(&diags);
	policy_free(&policy);
	return 0;
}
