/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans against what a kernel holds. The kernel here is made from a plan: as if that plan had been
 * loaded and read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/compile.h"
#include "dockside/config.h"
#include "dockside/diff.h"
#include "dockside/nft_text.h"

#define STALE_S 300
#define NETWORK "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\"}]}"
#define RULES(ipsets, egress) \
	"{\"ipsets\": {" ipsets "}, \"networks\": {\"amber\": {\"egress\": [" egress "]}}}"

/* A configuration with what is known of its names. */
struct config {
	struct policy policy;
	struct hosts hosts;
	struct plan plan;
};

static void fill_src(struct src *src, const char *name, const char *text)
{
	*src = (struct src){ .name = xstrdup(name), .text = xstrdup(text), .len = strlen(text) };
}

static void config_read(struct config *c, const char *firewall)
{
	struct diags diags = { 0 };

	*c = (struct config){ 0 };
	fill_src(&c->policy.network_src, "network.json", NETWORK);
	fill_src(&c->policy.firewall_src, "firewall.json", firewall);
	if (!config_parse(&c->policy, &diags)) {
		diags_print(&diags, stderr);
		fail();
	}
	diags_free(&diags);
	hosts_collect(&c->policy, &c->hosts);
}

static void config_compile(struct config *c)
{
	static const struct plan_options options = { .mark_bit = 0x10000000, .log_group = 20 };

	compile_policy(&c->policy, &c->hosts, &options, &c->plan);
	nft_text_hash(&c->plan);
}

static void config_done(struct config *c)
{
	plan_free(&c->plan);
	hosts_free(&c->hosts);
	policy_free(&c->policy);
}

static void answer_family(struct config *c, const char *name, enum family family,
			  enum host_state state, const char *address)
{
	struct host *host = hosts_find(&c->hosts, name);
	struct answer answer = { .name = name, .family = family, .state = state };
	struct ipaddr addr;

	assert_non_null(host);
	if (address)
		assert_true(ipaddr_parse(address, strlen(address), &addr));
	answer.addrs = &addr;
	answer.n_addrs = address ? 1 : 0;
	host_answer(host, &answer);
}

static void answer(struct config *c, const char *name, enum host_state state, const char *address)
{
	answer_family(c, name, FAMILY_IPV4, state, address);
	answer_family(c, name, FAMILY_IPV6, state, NULL);
}

static void copy_set(struct kernel_set *to, const struct plan_set *from)
{
	*to = (struct kernel_set){ .set = *from, .map = set_type_is_map(from->type) };
	to->set.elems = NULL;
	to->set.n_elems = to->set.cap_elems = 0;
	for (size_t i = 0; i < from->n_elems; i++)
		if (!from->elems[i].unresolved)
			*set_add_elem(&to->set, NULL) = from->elems[i];
}

/* The kernel after plan was loaded, with fingerprints recorded. Borrows the plan's strings. */
static void kernel_load(struct plan *plan, struct kernel *ret)
{
	struct changes changes;

	*ret = (struct kernel){ .exists = true };
	ret->chains = xcalloc(plan->n_chains + 1, sizeof(*ret->chains));
	ret->sets = xcalloc(plan->n_sets + 1, sizeof(*ret->sets));
	for (size_t i = 0; i < plan->n_chains; i++) {
		const struct plan_chain *from = plan->chains[i];
		struct kernel_chain *to = &ret->chains[ret->n_chains++];

		*to = (struct kernel_chain){ .name = from->name, .hook = from->hook };
		to->base = to->as_ours = from->hook != BASE_NONE;
		for (size_t k = 0; k < from->n_rules; k++) {
			struct buf b = { 0 };

			nft_text_rule(&b, &from->rules[k]);
			to->rules = array_grow(to->rules, &to->cap_rules, to->n_rules,
					       sizeof(*to->rules));
			to->rules[to->n_rules++] = (struct kernel_rule){
				.handle = k, .hash = hash64(HASH_SEED, buf_str(&b), b.len)
			};
			buf_free(&b);
		}
	}
	kernel_finish(ret); /* fingerprints look for chains */
	diff_fingerprints(plan, ret, &changes);
	changes_free(&changes);
	for (size_t i = 0; i < plan->n_sets; i++)
		copy_set(&ret->sets[ret->n_sets++], plan->sets[i]);
	for (size_t i = 0; i < plan->n_objects; i++) {
		ret->objects = array_grow(ret->objects, &ret->cap_objects, ret->n_objects,
					  sizeof(*ret->objects));
		ret->objects[ret->n_objects++] = (struct kernel_object){
			.kind = plan->objects[i]->kind,
			.name = plan->objects[i]->name,
			.as_ours = true,
		};
	}
	kernel_finish(ret);
}

/* The changes as a script, to be compared with wanted. */
static void expect_script(struct plan *plan, const struct kernel *kernel, const char *wanted)
{
	struct changes changes;
	struct script script;

	diff_plan(plan, kernel, STALE_S, &changes);
	nft_text_changes(&changes, &script);
	assert_string_equal(buf_str(&script.text), wanted);
	assert_int_equal(changes_empty(&changes), wanted[0] == '\0');
	script_free(&script);
	changes_free(&changes);
}

static struct kernel_chain *chain(struct kernel *kernel, const char *name)
{
	struct kernel_chain *found = kernel_find_chain(kernel, name);

	assert_non_null(found);
	return found;
}

static struct plan_set *set(struct kernel *kernel, const char *name)
{
	struct kernel_set *found = kernel_find_set(kernel, name);

	assert_non_null(found);
	return &found->set;
}

#define TABLE(chains) "table inet dockside {\n" chains "}\n"
#define CHAIN(name, rules) "chain " name " {\n" rules "}\n"
#define INVALID "ct state invalid counter drop comment \"part of no connection\"\n"
/* What tells of a packet; a hash of the rule is in it. */
#define LOG(kind, rest)                                                               \
	"counter name \"amber-" kind "-denied\" limit name \"amber-log\" log prefix " \
	"\"dsfw/amber/" kind "/" rest "\" group 20 snaplen 128\n"
#define ING                                                                             \
	CHAIN("amber-ING",                                                              \
	      INVALID LOG("ING", "-/d5e4915e") "counter drop comment \"no connections " \
					       "between containers\"\n")
#define OUT(rules) CHAIN("amber-OUT", "oifname \"amber\" goto amber-ING\n" INVALID rules)
#define FORWARD                                                                                    \
	TABLE(CHAIN("forward",                                                                     \
		    "udp sport 53 ct direction reply oifname @lookups limit rate 300/second "      \
		    "burst 300 packets log prefix \"dsfw-dns\" group 20 snaplen 1500\n"            \
		    "ct state established,related,untracked meta mark set meta mark | 0x10000000 " \
		    "counter accept\n"                                                             \
		    "meta mark set meta mark | 0x10000000 iifname vmap @dispatch\n"                \
		    "meta mark set meta mark & 0xefffffff continue comment \"from no managed "     \
		    "network\"\n"))

static void test_same(void **state)
{
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	expect_script(&c.plan, &kernel, "");
	kernel_free(&kernel);
	config_done(&c);
}

/* What somebody did to a chain's rules, seen through the fingerprint. */
static void test_rules_by_hand(void **state)
{
	static const char wanted[] = "flush chain inet dockside amber-ING\n" TABLE(ING);
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	for (int i = 0; i < 4; i++) {
		struct kernel_chain *ing;
		struct kernel_rule saved;

		config_compile(&c);
		kernel_load(&c.plan, &kernel);
		ing = chain(&kernel, "amber-ING");
		saved = ing->rules[0];
		if (i == 0) { /* changed */
			ing->rules[0].hash ^= 1;
		} else if (i == 1) { /* removed */
			ing->n_rules--;
		} else if (i == 2) { /* added */
			ing->rules = array_grow(ing->rules, &ing->cap_rules, ing->n_rules,
						sizeof(*ing->rules));
			ing->rules[ing->n_rules++] = saved;
		} else { /* in another order */
			ing->rules[0] = ing->rules[1];
			ing->rules[1] = saved;
		}
		expect_script(&c.plan, &kernel, wanted);
		kernel_free(&kernel);
		plan_free(&c.plan);
	}
	config_done(&c);
}

static void test_fingerprint_forgotten(void **state)
{
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	/* One network's fingerprints name two chains; one of them under another name. */
	set(&kernel, FINGERPRINT_SET)->elems[1].comment = "xING=0.0 OUT=0.0";
	expect_script(&c.plan, &kernel,
		      "flush chain inet dockside amber-ING\n"
		      "flush chain inet dockside amber-OUT\n" TABLE(ING OUT(LOG(
			      "OUT", "0/a253b558") "counter goto refuse comment \"egress[0]\"\n")));
	kernel_free(&kernel);
	config_done(&c);
}

static void test_chains_by_hand(void **state)
{
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	chain(&kernel, "forward")->as_ours = false; /* priority or policy */
	expect_script(&c.plan, &kernel,
		      "flush chain inet dockside forward\n"
		      "delete chain inet dockside forward\n"
		      "add chain inet dockside forward { type filter hook forward priority "
		      "filter - 1; policy accept; }\n" FORWARD);
	chain(&kernel, "forward")->as_ours = true;
	chain(&kernel, "forward")->name = "fyrward";
	chain(&kernel, "fyrward")->base = false;
	expect_script(&c.plan, &kernel,
		      "flush chain inet dockside fyrward\n"
		      "delete chain inet dockside fyrward\n"
		      "add chain inet dockside forward { type filter hook forward priority "
		      "filter - 1; policy accept; }\n" FORWARD);
	kernel_free(&kernel);
	config_done(&c);
}

static void test_table(void **state)
{
	struct kernel kernel, none = { 0 };
	struct changes changes;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	kernel.dormant = true;
	expect_script(&c.plan, &kernel, "add table inet dockside\n");
	diff_plan(&c.plan, &none, STALE_S, &changes);
	assert_true(changes.table);
	assert_int_equal(changes.n_chains, c.plan.n_chains);
	assert_int_equal(changes.n_sets, c.plan.n_sets);
	changes_free(&changes);
	kernel_free(&kernel);
	config_done(&c);
}

static void test_others(void **state)
{
	struct kernel_other others[] = { { "quota", "mine" }, { "ct helper", "ftp" } };
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	kernel.others = others;
	kernel.n_others = 1;
	expect_script(&c.plan, &kernel, "delete quota inet dockside mine\n");
	kernel.n_others = 2;
	expect_script(&c.plan, &kernel,
		      "delete quota inet dockside mine\n"
		      "delete ct helper inet dockside ftp\n");
	kernel.others = NULL;
	kernel_free(&kernel);
	config_done(&c);
}

#define COUNTER(name) "add counter inet dockside " name " { }\n"
#define LIMIT "add limit inet dockside amber-log { rate 200/second burst 400 packets; }\n"

static void test_objects(void **state)
{
	static const struct plan_options silent = { .mark_bit = 0x10000000 };
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	assert_int_equal(c.plan.n_objects, 3);
	kernel_load(&c.plan, &kernel);
	/* A limit of another rate cannot be changed while rules use it. */
	kernel_find_object(&kernel, OBJECT_LIMIT, "amber-log")->as_ours = false;
	expect_script(&c.plan, &kernel,
		      "flush chain inet dockside amber-ING\n"
		      "flush chain inet dockside amber-OUT\n"
		      "delete limit inet dockside amber-log\n" LIMIT TABLE(ING OUT(LOG(
			      "OUT", "0/a253b558") "counter goto refuse comment \"egress[0]\"\n")));
	/* A counter's values do not matter. */
	kernel_find_object(&kernel, OBJECT_LIMIT, "amber-log")->as_ours = true;
	kernel_find_object(&kernel, OBJECT_COUNTER, "amber-OUT-denied")->packets = 7;
	expect_script(&c.plan, &kernel, "");
	/* One that nobody asked for, and missing ones. */
	kernel_find_object(&kernel, OBJECT_COUNTER, "amber-OUT-denied")->name = "amber-P";
	expect_script(&c.plan, &kernel,
		      "delete counter inet dockside amber-P\n" COUNTER("amber-OUT-denied"));
	kernel.n_objects = 0;
	expect_script(&c.plan, &kernel,
		      COUNTER("amber-ING-denied") COUNTER("amber-OUT-denied") LIMIT);
	kernel_free(&kernel);
	/* Without log statements there are none. */
	plan_free(&c.plan);
	compile_policy(&c.policy, &c.hosts, &silent, &c.plan);
	assert_int_equal(c.plan.n_objects, 0);
	config_done(&c);
}

static void test_sets_by_hand(void **state)
{
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("\"s\": [\"198.51.100.1\", \"198.51.100.2\"]",
			      "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	set(&kernel, "ipset-s-v4")->n_elems--;
	expect_script(&c.plan, &kernel,
		      "add element inet dockside ipset-s-v4 {\n\t198.51.100.2 }\n");
	set(&kernel, "ipset-s-v4")->n_elems++;
	set(&kernel, "ipset-s-v4")->elems[1].key[3] = 9;
	set(&kernel, "ipset-s-v4")->elems[1].last[3] = 9;
	expect_script(&c.plan, &kernel,
		      "add element inet dockside ipset-s-v4 { 198.51.100.9 }\n"
		      "delete element inet dockside ipset-s-v4 { 198.51.100.9 }\n"
		      "add element inet dockside ipset-s-v4 {\n\t198.51.100.2 }\n");
	set(&kernel, "dispatch")->elems[0].target = "amber-ING";
	set(&kernel, "ipset-s-v4")->elems[1].key[3] = 2;
	set(&kernel, "ipset-s-v4")->elems[1].last[3] = 2;
	expect_script(&c.plan, &kernel,
		      "delete element inet dockside dispatch { \"amber\" }\n"
		      "add element inet dockside dispatch {\n\t\"amber\" : goto amber-OUT }\n");
	kernel_free(&kernel);
	config_done(&c);
}

/* A set of the wrong kind cannot go while rules use it. */
static void test_set_replaced(void **state)
{
	struct kernel kernel;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"proto\": \"tcp\", \"ports\": [80, 443]},"
				  "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &kernel);
	set(&kernel, "ports_80_443")->type = SET_UNKNOWN;
	expect_script(
		&c.plan, &kernel,
		"flush chain inet dockside amber-OUT\n"
		"delete set inet dockside ports_80_443\n"
		"add set inet dockside ports_80_443 { type inet_service; }\n"
		"add element inet dockside ports_80_443 {\n\t80,\n\t443 }\n" TABLE(
			OUT("tcp dport @ports_80_443 counter accept comment \"egress[0]\"\n" LOG(
				"OUT",
				"1/a253b558") "counter goto refuse comment \"egress[1]\"\n")));
	kernel_free(&kernel);
	config_done(&c);
}

#define NAMES                                          \
	RULES("\"s\": [\"a.example\", \"b.example\"]", \
	      "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}")

/* One address of a.example in the kernel; then the configuration is asked again. */
static void names_case(enum host_state now, const char *address, uint64_t timeout_ms,
		       const char *firewall, const char *wanted)
{
	struct config before, after;
	struct kernel kernel;

	config_read(&before, NAMES);
	answer(&before, "a.example", HOST_DNS, "198.51.100.1");
	answer(&before, "b.example", HOST_FAILED, NULL);
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	set(&kernel, "ipset-s-v4")->elems[0].timeout_ms = timeout_ms;
	config_read(&after, firewall);
	if (hosts_find(&after.hosts, "a.example"))
		answer(&after, "a.example", now, address);
	config_compile(&after);
	expect_script(&after.plan, &kernel, wanted);
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

static void test_names(void **state)
{
	static const char gone[] = "add element inet dockside ipset-s-v4 { 198.51.100.1 }\n"
				   "delete element inet dockside ipset-s-v4 { 198.51.100.1 }\n";
	cleanup(cleanup_free) char *aged =
		xasprintf("%sadd element inet dockside ipset-s-v4 {\n"
			  "\t198.51.100.1 timeout 300000ms comment \"a.example\",\n"
			  "\t198.51.100.7 comment \"a.example\" }\n",
			  gone);
	cleanup(cleanup_free) char *again = xasprintf("%sadd element inet dockside ipset-s-v4 {\n"
						      "\t198.51.100.7 comment \"a.example\" }\n",
						      gone);
	cleanup(cleanup_free) char *permanent =
		xasprintf("%sadd element inet dockside ipset-s-v4 {\n"
			  "\t198.51.100.1 comment \"a.example\" }\n",
			  gone);

	(void)state;
	names_case(HOST_DNS, "198.51.100.1", 0, NAMES, "");
	/* An outage, or nobody asked: kept, and kept for good where it was running out. */
	names_case(HOST_FAILED, NULL, 0, NAMES, "");
	names_case(HOST_UNASKED, NULL, 0, NAMES, "");
	names_case(HOST_FAILED, NULL, 5000, NAMES, permanent);
	names_case(HOST_DNS, "198.51.100.1", 5000, NAMES, permanent);
	/* DNS returns another address: the old one ages, once. */
	names_case(HOST_DNS, "198.51.100.7", 0, NAMES, aged);
	names_case(HOST_DNS, "198.51.100.7", 5000, NAMES,
		   "add element inet dockside ipset-s-v4 {\n"
		   "\t198.51.100.7 comment \"a.example\" }\n");
	/* /etc/hosts has no grace. */
	names_case(HOST_STATIC, "198.51.100.7", 0, NAMES, again);
	/* Nor has a member that left the configuration. */
	names_case(HOST_DNS, NULL, 0,
		   RULES("\"s\": [\"b.example\"]",
			 "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}"),
		   gone);
}

/* A comment has room for 128 bytes; longer names that begin alike are not each other. */
static void test_long_names(void **state)
{
	char a[200], b[200], comment[COMMENT_MAX + 1] = "", both[COMMENT_MAX + 1] = "";
	struct elem elem = { .comment = comment };

	(void)state;
	memset(a, 'x', sizeof(a));
	for (size_t i = 50; i < sizeof(a); i += 50)
		a[i] = '.';
	a[sizeof(a) - 1] = '\0';
	memcpy(b, a, sizeof(b));
	b[sizeof(b) - 2] = 'y';
	comment_add_name(comment, a);
	assert_int_equal(strlen(comment), COMMENT_MAX);
	assert_true(elem_is_of(&elem, a));
	assert_false(elem_is_of(&elem, b));
	b[COMMENT_MAX] = '\0'; /* which fits */
	assert_false(elem_is_of(&elem, b));
	comment_add_name(both, "a.example");
	comment_add_name(both, a);
	comment_add_name(both, "b.example");
	assert_string_equal(both, "a.example b.example");
}

/* IPv4 answers, IPv6 does not, or the name has none any more. */
static void test_one_family(void **state)
{
	struct config before, after;
	struct kernel kernel;

	(void)state;
	config_read(&before, NAMES);
	answer(&before, "b.example", HOST_FAILED, NULL);
	answer_family(&before, "a.example", FAMILY_IPV4, HOST_DNS, "198.51.100.1");
	answer_family(&before, "a.example", FAMILY_IPV6, HOST_DNS, "2001:db8::1");
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, NAMES);
	answer_family(&after, "a.example", FAMILY_IPV4, HOST_DNS, "198.51.100.1");
	answer_family(&after, "a.example", FAMILY_IPV6, HOST_FAILED, NULL);
	config_compile(&after);
	expect_script(&after.plan, &kernel, "");
	answer_family(&after, "a.example", FAMILY_IPV6, HOST_DNS, NULL);
	plan_free(&after.plan);
	config_compile(&after);
	expect_script(&after.plan, &kernel,
		      "add element inet dockside ipset-s-v6 { 2001:db8::1 }\n"
		      "delete element inet dockside ipset-s-v6 { 2001:db8::1 }\n"
		      "add element inet dockside ipset-s-v6 {\n"
		      "\t2001:db8::1 timeout 300000ms comment \"a.example\" }\n");
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

/* Two names share an address; one of them cannot be asked any more. */
static void test_shared_address(void **state)
{
	struct config before, after;
	struct kernel kernel;

	(void)state;
	config_read(&before, NAMES);
	answer(&before, "a.example", HOST_DNS, "198.51.100.1");
	answer(&before, "b.example", HOST_DNS, "198.51.100.1");
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, NAMES);
	answer(&after, "a.example", HOST_FAILED, NULL);
	answer(&after, "b.example", HOST_DNS, "198.51.100.1");
	config_compile(&after);
	expect_script(&after.plan, &kernel, "");
	/* It is the silent name's still when the other has gone elsewhere. */
	answer(&after, "b.example", HOST_DNS, "198.51.100.7");
	plan_free(&after.plan);
	config_compile(&after);
	expect_script(&after.plan, &kernel,
		      "add element inet dockside ipset-s-v4 {\n"
		      "\t198.51.100.7 comment \"b.example\" }\n");
	/* Once that one answers, the address is its alone. */
	answer(&after, "a.example", HOST_DNS, "198.51.100.1");
	plan_free(&after.plan);
	config_compile(&after);
	expect_script(&after.plan, &kernel,
		      "add element inet dockside ipset-s-v4 { 198.51.100.1 }\n"
		      "delete element inet dockside ipset-s-v4 { 198.51.100.1 }\n"
		      "add element inet dockside ipset-s-v4 {\n"
		      "\t198.51.100.1 comment \"a.example\",\n"
		      "\t198.51.100.7 comment \"b.example\" }\n");
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

#define NAT(port)                                                        \
	"{\"networks\": {\"amber\": {\"nat\": [{\"match_dport\": 3306, " \
	"\"to_host\": \"db.example\", \"to_port\": " port "}]}}}"

static void nat_case(const char *first, enum host_state now, const char *second,
		     const char *firewall, const char *wanted)
{
	struct config before, after;
	struct kernel kernel;

	config_read(&before, NAT("3307"));
	answer(&before, "db.example", HOST_DNS, first);
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, firewall);
	answer(&after, "db.example", now, second);
	config_compile(&after);
	expect_script(&after.plan, &kernel, wanted);
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

static void test_nat_names(void **state)
{
	(void)state;
	nat_case("198.51.100.1", HOST_DNS, "198.51.100.1", NAT("3307"), "");
	nat_case("198.51.100.1", HOST_FAILED, NULL, NAT("3307"), "");
	nat_case("198.51.100.1", HOST_DNS, "198.51.100.2", NAT("3307"),
		 "delete element inet dockside amber-nat4 { tcp . 3306 }\n"
		 "add element inet dockside amber-nat4 {\n"
		 "\ttcp . 3306 comment \"db.example: nat[0]\" : 198.51.100.2 . 3307 }\n");
	/* The address of an unanswered name is not kept for a rule with another port. */
	nat_case("198.51.100.1", HOST_FAILED, NULL, NAT("3308"),
		 "delete element inet dockside amber-nat4 { tcp . 3306 }\n");
}

/* The kernel as a daemon has filled it, whose elements all run out after some time. */
static void beside_daemon(const char *firewall, const char *const held[2],
			  const char *const answers[2], const char *wanted)
{
	static const char *const names[] = { "a.example", "b.example" };
	struct config before, after;
	struct kernel kernel;

	config_read(&before, firewall);
	config_read(&after, firewall);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		answer(&before, names[i], HOST_DNS, held[i]);
		answer(&after, names[i], answers[i] ? HOST_DNS : HOST_FAILED, answers[i]);
	}
	before.hosts.timeout_s = 300;
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_compile(&after);
	after.plan.beside_daemon = true;
	expect_script(&after.plan, &kernel, wanted);
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

#define PAIR(a, b) ((const char *const[]){ a, b })

/* How long they live is its affair; which there are is not. */
static void test_beside_daemon(void **state)
{
	static const char missing[] = "add element inet dockside ipset-s-v4 {\n"
				      "\t198.51.100.7 comment \"b.example\" }\n";
	struct config c;
	struct kernel kernel;

	(void)state;
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.2"),
		      PAIR("198.51.100.1", "198.51.100.2"), "");
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.2"), PAIR("198.51.100.1", NULL), "");
	/* What the name no longer has ages, also where it is another's as well. */
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.2"),
		      PAIR("198.51.100.1", "198.51.100.7"), missing);
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.1"),
		      PAIR("198.51.100.1", "198.51.100.7"), missing);

	/* What is nobody's, and what is a literal: no daemon gives them a time. */
	config_read(&c, RULES("\"s\": [\"a.example\", \"10.0.0.1\"]",
			      "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}"));
	config_compile(&c);
	c.plan.beside_daemon = true;
	kernel_load(&c.plan, &kernel);
	set(&kernel, "ipset-s-v4")->elems[0].timeout_ms = 5000;
	*set_add_elem(set(&kernel, "ipset-s-v4"), NULL) = (struct elem){ .key = { 192, 0, 2, 9 },
									 .last = { 192, 0, 2, 9 },
									 .timeout_ms = 5000 };
	expect_script(&c.plan, &kernel,
		      "add element inet dockside ipset-s-v4 { 10.0.0.1 }\n"
		      "delete element inet dockside ipset-s-v4 { 10.0.0.1 }\n"
		      "add element inet dockside ipset-s-v4 { 192.0.2.9 }\n"
		      "delete element inet dockside ipset-s-v4 { 192.0.2.9 }\n"
		      "add element inet dockside ipset-s-v4 {\n\t10.0.0.1 }\n");
	kernel_free(&kernel);
	config_done(&c);
}

/* The lowest address would be ours; a daemon keeps to the one that it has. */
static void test_nat_beside_daemon(void **state)
{
	struct ipaddr addrs[2];
	struct config before, after;
	struct kernel kernel;

	(void)state;
	config_read(&before, NAT("3307"));
	answer(&before, "db.example", HOST_DNS, "198.51.100.2");
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, NAT("3307"));
	assert_true(ipaddr_parse("198.51.100.1", 12, &addrs[0]));
	assert_true(ipaddr_parse("198.51.100.2", 12, &addrs[1]));
	host_answer(hosts_find(&after.hosts, "db.example"),
		    &(struct answer){ .family = FAMILY_IPV4,
				      .state = HOST_DNS,
				      .addrs = addrs,
				      .n_addrs = ARRAY_SIZE(addrs) });
	config_compile(&after);
	after.plan.beside_daemon = true;
	expect_script(&after.plan, &kernel, "");
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

static void test_unsafe_names(void **state)
{
	static const char *const names[] = { "x y", "0set", "a\nflush ruleset", "", "a\"b", "a{" };
	struct kernel_chain chain = { 0 };
	struct kernel kernel = { .chains = &chain, .n_chains = 1 };

	(void)state;
	chain.name = "_1st-OUT.x/y";
	assert_true(kernel_names_safe(&kernel));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		chain.name = names[i];
		assert_false(kernel_names_safe(&kernel));
	}
}

static void test_network_gone(void **state)
{
	struct config before, after;
	struct kernel kernel;

	(void)state;
	config_read(&before, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, "{}");
	config_compile(&after);
	expect_script(&after.plan, &kernel,
		      "flush chain inet dockside amber-ING\n"
		      "flush chain inet dockside amber-OUT\n"
		      "flush chain inet dockside refuse\n"
		      "delete element inet dockside dispatch { \"amber\" }\n"
		      "delete element inet dockside lookups { \"amber\" }\n"
		      "delete chain inet dockside amber-ING\n"
		      "delete chain inet dockside amber-OUT\n"
		      "delete chain inet dockside refuse\n"
		      "delete counter inet dockside amber-ING-denied\n"
		      "delete counter inet dockside amber-OUT-denied\n"
		      "delete limit inet dockside amber-log\n");
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

#define DRAINED                                                            \
	RULES("\"s\": [\"h.example\", \"10.0.0.1\"]",                      \
	      "{\"to\": \"ipset\", \"ipset\": \"s\", \"proto\": \"tcp\", " \
	      "\"ports\": [80, 443]}, {\"action\": \"drop\"}")

/* Its part of the plan is in the next one, which does not need the one that it is from. */
static void test_network_drains(void **state)
{
	struct config before, doomed, after;
	struct kernel kernel, none = { 0 };
	struct changes changes;

	(void)state;
	config_read(&before, DRAINED);
	answer(&before, "h.example", HOST_DNS, "10.0.0.2");
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&doomed, DRAINED);
	answer(&doomed, "h.example", HOST_DNS, "10.0.0.2");
	config_compile(&doomed);
	config_read(&after, "{}");
	config_compile(&after);
	assert_false(plan_adopt(&after.plan, &doomed.plan, "coral"));
	assert_true(plan_adopt(&after.plan, &doomed.plan, "amber"));
	config_done(&doomed);
	nft_text_hash(&after.plan);
	expect_script(&after.plan, &kernel,
		      "delete element inet dockside dispatch { \"amber\" }\n"
		      "add element inet dockside dispatch {\n"
		      "\t\"amber\" comment \"draining\" : goto amber-OUT }\n");
	diff_plan(&after.plan, &none, STALE_S, &changes);
	assert_int_equal(changes.n_chains, before.plan.n_chains);
	assert_int_equal(changes.n_sets, before.plan.n_sets);
	changes_free(&changes);
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

/* Only the kernel has its policy; what it looks up is heard on. */
static void test_draining_in_kernel(void **state)
{
	static const char *const bridges[] = { "amber" };
	struct config before, after;
	struct kernel kernel;

	(void)state;
	config_read(&before, DRAINED);
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, "{}");
	config_compile(&after);
	after.plan.draining = bridges;
	after.plan.n_draining = 1;
	expect_script(&after.plan, &kernel,
		      "delete element inet dockside dispatch { \"amber\" }\n"
		      "add element inet dockside dispatch {\n"
		      "\t\"amber\" comment \"draining\" : goto amber-OUT }\n");
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

/* Only the kernel had its policy, and has it no more. */
static void test_draining_lost(void **state)
{
	static const char *const bridges[] = { "amber" };
	struct kernel kernel, none = { 0 };
	struct config before, after;
	struct elem *elem;

	(void)state;
	config_read(&before, DRAINED);
	config_compile(&before);
	kernel_load(&before.plan, &kernel);
	config_read(&after, "{}");
	config_compile(&after);
	after.plan.draining = bridges;
	after.plan.n_draining = 1;
	diff_close_lost(&after.plan, &kernel);
	assert_int_equal(plan_find_set(&after.plan, "dispatch")->n_elems, 0);
	chain(&kernel, "amber-OUT")->n_rules = 0;
	diff_close_lost(&after.plan, &kernel);
	elem = plan_find_set(&after.plan, "dispatch")->elems;
	assert_string_equal(elem->target, "refuse");
	assert_int_equal(plan_find_chain(&after.plan, "refuse")->n_rules, 2);
	diff_close_lost(&after.plan, &none); /* once is enough */
	assert_int_equal(plan_find_set(&after.plan, "dispatch")->n_elems, 1);
	kernel_free(&kernel);
	config_done(&after);
	config_done(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_rules_by_hand),
		cmocka_unit_test(test_fingerprint_forgotten),
		cmocka_unit_test(test_chains_by_hand),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_sets_by_hand),
		cmocka_unit_test(test_set_replaced),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_one_family),
		cmocka_unit_test(test_shared_address),
		cmocka_unit_test(test_nat_names),
		cmocka_unit_test(test_beside_daemon),
		cmocka_unit_test(test_nat_beside_daemon),
		cmocka_unit_test(test_unsafe_names),
		cmocka_unit_test(test_network_gone),
		cmocka_unit_test(test_network_drains),
		cmocka_unit_test(test_draining_in_kernel),
		cmocka_unit_test(test_draining_lost),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
