/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans against what a kernel holds. The kernel here is made from a plan: as if that plan had been
 * loaded and read back.
 */
#ifndef DIFF_FIXTURE_H
#define DIFF_FIXTURE_H

#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/table/compile.h"
#include "dockside/table/diff.h"
#include "dockside/table/nft_text.h"

#define STALE_S 300
#define NETWORK "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\"}]}"
#define RULES(ipsets, egress) \
	"{\"ipsets\": {" ipsets "}, \"networks\": {\"amber\": {\"egress\": [" egress "]}}}"
#define NAT(port)                                                        \
	"{\"networks\": {\"amber\": {\"nat\": [{\"match_dport\": 3306, " \
	"\"to_host\": \"db.example\", \"to_port\": " port "}]}}}"

/* A configuration with what is known of its names. */
struct config {
	struct policy policy;
	struct resolved resolved;
	struct plan plan;
};

static inline void config_read(struct config *c, const char *firewall)
{
	*c = (struct config){ 0 };
	policy_read(&c->policy, NETWORK, firewall);
	resolved_collect(&c->policy, &c->resolved);
}

static inline void config_compile(struct config *c)
{
	static const struct plan_options options = { .mark_bit = 0x10000000, .log_group = 20 };

	compile_policy(&c->policy, &c->resolved, &options, &c->plan);
	nft_text_hash(&c->plan);
}

static inline void config_done(struct config *c)
{
	plan_free(&c->plan);
	resolved_free(&c->resolved);
	policy_free(&c->policy);
}

static inline void answer_family(struct config *c, const char *name, enum family family,
				 enum resolved_state state, const char *address)
{
	struct resolved_name *host = resolved_find(&c->resolved, name);
	struct answer answer = { .name = name, .family = family, .state = state };
	struct ipaddr addr;

	assert_non_null(host);
	if (address)
		assert_true(ipaddr_parse(address, strlen(address), &addr));
	answer.addrs = &addr;
	answer.n_addrs = address ? 1 : 0;
	resolved_answer(host, &answer);
}

static inline void answer(struct config *c, const char *name, enum resolved_state state,
			  const char *address)
{
	answer_family(c, name, FAMILY_IPV4, state, address);
	answer_family(c, name, FAMILY_IPV6, state, NULL);
}

static inline void copy_set(struct actual_set *to, const struct plan_set *from)
{
	*to = (struct actual_set){ .set = *from, .map = set_type_is_map(from->type) };
	to->set.elems = NULL;
	to->set.n_elems = to->set.cap_elems = 0;
	for (size_t i = 0; i < from->n_elems; i++)
		if (!from->elems[i].unresolved)
			*set_add_elem(&to->set, NULL) = from->elems[i];
}

/* The kernel after plan was loaded, with fingerprints recorded. Borrows the plan's strings. */
static inline void kernel_load(struct plan *plan, struct actual *ret)
{
	struct changes changes;

	*ret = (struct actual){ .exists = true };
	ret->chains = xcalloc(plan->n_chains + 1, sizeof(*ret->chains));
	ret->sets = xcalloc(plan->n_sets + 1, sizeof(*ret->sets));
	for (size_t i = 0; i < plan->n_chains; i++) {
		const struct plan_chain *from = plan->chains[i];
		struct actual_chain *to = &ret->chains[ret->n_chains++];

		*to = (struct actual_chain){ .name = from->name, .hook = from->hook };
		to->base = to->as_ours = from->hook != BASE_NONE;
		for (size_t k = 0; k < from->n_rules; k++) {
			struct buf b = { 0 };

			nft_text_rule(&b, &from->rules[k]);
			to->rules = array_grow(to->rules, &to->cap_rules, to->n_rules,
					       sizeof(*to->rules));
			to->rules[to->n_rules++] =
				(struct actual_rule){ .hash = hash64(HASH_SEED, buf_str(&b),
								     b.len) };
			buf_free(&b);
		}
	}
	actual_finish(ret); /* fingerprints look for chains */
	diff_fingerprints(plan, ret, &changes);
	changes_free(&changes);
	for (size_t i = 0; i < plan->n_sets; i++)
		copy_set(&ret->sets[ret->n_sets++], plan->sets[i]);
	for (size_t i = 0; i < plan->n_objects; i++) {
		ret->objects = array_grow(ret->objects, &ret->cap_objects, ret->n_objects,
					  sizeof(*ret->objects));
		ret->objects[ret->n_objects++] = (struct actual_object){
			.kind = plan->objects[i]->kind,
			.name = plan->objects[i]->name,
			.as_ours = true,
		};
	}
	actual_finish(ret);
}

/* The changes as a script, to be compared with wanted. */
static inline void expect_script(struct plan *plan, const struct actual *actual, const char *wanted)
{
	struct changes changes;
	struct script script = { 0 };

	diff_plan(plan, actual, STALE_S, &changes);
	nft_text_changes(&changes, &script);
	/* cmocka cuts long strings. */
	if (strcmp(buf_str(&script.text), wanted) != 0) {
		fprintf(stderr, "expected:\n%s\ngot:\n%s\n", wanted, buf_str(&script.text));
		fail();
	}
	assert_int_equal(changes_empty(&changes), wanted[0] == '\0');
	script_free(&script);
	changes_free(&changes);
}

static inline struct actual_chain *chain(struct actual *actual, const char *name)
{
	struct actual_chain *found = actual_find_chain(actual, name);

	assert_non_null(found);
	return found;
}

static inline struct plan_set *set(struct actual *actual, const char *name)
{
	struct actual_set *found = actual_find_set(actual, name);

	assert_non_null(found);
	return &found->set;
}

#endif
