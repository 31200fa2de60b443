/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fixture.h"

#include "dockside/base/text.h"
#include "dockside/table/compile_bind.h"
#include "dockside/table/nft_script.h"
#include "dockside/table/nft_text.h"

#define D_MAC "02:00:00:00:01:02"
#define DS_A(keys)                                                             \
	"{\"networks\": [{\"name\": \"ds-a\", \"subnet\": \"172.30.1.0/24\", " \
	"\"subnet6\": \"fd77:1::/64\", \"dockside_ip\": \"172.30.1.2\", "      \
	"\"dockside_ip6\": \"fd77:1::2\"" keys "}]}"
#define WITH_MAC ", \"dockside_mac\": \"" D_MAC "\""

struct fixture {
	struct policy policy;
	struct ports ports;
	struct plan plan;
	char *text; /* of the whole table */
};

/* container NULL: it is not known. addr: "" for none. */
static void add_port(struct fixture *f, const char *name, const char *bridge, const char *container,
		     const char *mac, const char *addr)
{
	struct port *port = ports_add(&f->ports);

	strcpy(port->name, name);
	strcpy(port->bridge, bridge);
	port->known = container != NULL;
	port->container = container ? xstrdup(container) : NULL;
	port->has_mac = mac_parse(mac, strlen(mac), port->mac);
	port->addrs = xcalloc(1, sizeof(*port->addrs));
	port->n_addrs = ipaddr_parse(addr, strlen(addr), port->addrs);
}

static void answered(struct fixture *f, const char *bridge)
{
	f->ports.answered = xreallocarray(f->ports.answered, f->ports.n_answered + 1,
					  sizeof(*f->ports.answered));
	strcpy(f->ports.answered[f->ports.n_answered++], bridge);
}

static void compile(struct fixture *f, const char *network_config)
{
	struct plan_options options = { .mark_bit = 1, .log_group = 7 };
	struct script script = { 0 };

	policy_read(&f->policy, network_config, "{\"networks\": {}}");
	ports_sort(&f->ports);
	compile_bind(&f->policy, &f->ports, &options, &f->plan);
	nft_text_plan(&f->plan, &script);
	f->text = xstrdup(buf_str(&script.text));
	script_free(&script);
}

static void end(struct fixture *f)
{
	free(f->text);
	plan_free(&f->plan);
	ports_free(&f->ports);
	policy_free(&f->policy);
}

/* The elements of a set or map, "a b c"; the text is good until the next call. */
static const char *elements(const struct fixture *f, const char *name)
{
	static char text[1024];
	const struct plan_set *set = plan_find_set(&f->plan, name);
	struct buf b = { 0 };

	assert_non_null(set);
	for (size_t i = 0; i < set->n_elems; i++) {
		buf_puts(&b, i > 0 ? ", " : "");
		nft_text_elem(&b, set->type, &set->elems[i]);
	}
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	buf_free(&b);
	return text;
}

static bool has_rule(const struct fixture *f, const char *chain_name, const char *text)
{
	const struct plan_chain *chain = plan_find_chain(&f->plan, chain_name);
	struct buf b = { 0 };
	bool found = false;

	assert_non_null(chain);
	for (size_t i = 0; i < chain->n_rules; i++) {
		buf_reset(&b);
		nft_text_rule(&b, &chain->rules[i]);
		found |= strcmp(buf_str(&b), text) == 0;
	}
	buf_free(&b);
	return found;
}

static void test_known(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	f.ports.asked = f.ports.followed = true;
	answered(&f, "ds-a");
	add_port(&f, "va", "ds-a", "a", "02:42:ac:1e:01:0b", "172.30.1.11");
	compile(&f, DS_A(""));
	assert_string_equal(elements(&f, "ports"), "\"va\" comment \"a\"");
	assert_string_equal(elements(&f, "macs"), "\"va\" . 02:42:ac:1e:01:0b");
	assert_string_equal(elements(&f, "addrs4"), "\"va\" . 172.30.1.11");
	assert_string_equal(elements(&f, "bindings4"), "\"va\" . 02:42:ac:1e:01:0b . 172.30.1.11");
	assert_string_equal(elements(&f, "bindings6"),
			    "\"va\" . 02:42:ac:1e:01:0b . fe80::42:acff:fe1e:10b");
	assert_true(has_rule(&f, "bind",
			     "meta protocol ip @th,0,32 != 0x00430044 "
			     "iifname . ether saddr . ip saddr @bindings4 accept"));
	assert_true(has_rule(&f, "bind",
			     "meta protocol ip6 meta l4proto != icmpv6 @th,0,32 != 0x02230222 "
			     "iifname . ether saddr . ip6 saddr @bindings6 accept"));
	assert_true(
		has_rule(&f, "bind-to",
			 "meta protocol ip6 oifname . ether daddr . ip6 daddr @bindings6 accept"));
	assert_string_equal(elements(&f, "addrs6"), "\"va\" . fe80::42:acff:fe1e:10b");
	assert_string_equal(elements(&f, "targets"), "\"va\" . 0xfe800000000000000042acfffe1e010b");
	assert_string_equal(elements(&f, "bound-macs"), "02:42:ac:1e:01:0b");
	assert_string_equal(elements(&f, "bound4"), "172.30.1.1, 172.30.1.2, 172.30.1.11");
	assert_string_equal(elements(&f, "bound6"), "fd77:1::1, fd77:1::2, fe80::42:acff:fe1e:10b");
	assert_string_equal(elements(&f, "broadcasts"), "172.30.1.255");
	assert_string_equal(elements(&f, "dispatch"), "\"va\" : goto known");
	assert_string_equal(elements(&f, "dispatch-strange"), "");
	assert_string_equal(elements(&f, "dispatch-to"), "");
	end(&f);
}

/* The chain where an unknown port's frames end. */
static void test_modes(void **state)
{
	static const struct {
		const char *config;
		bool subnet;
	} modes[] = {
		{ DS_A(""), true },
		{ DS_A(", \"bind\": \"learn\""), true },
		{ DS_A(", \"bind\": \"strict\""), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct fixture f = { 0 };

		f.ports.asked = f.ports.followed = true;
		add_port(&f, "vx", "ds-a", NULL, "02:42:ac:1e:01:0c", "");
		compile(&f, modes[i].config);
		assert_string_equal(elements(&f, "ports"), "");
		assert_string_equal(elements(&f, "macs"), "");
		assert_string_equal(elements(&f, "dispatch"), "\"vx\" : goto strange");
		assert_string_equal(elements(&f, "dispatch-strange"), "\"vx\" : goto unknown");
		assert_int_equal(has_rule(&f, "ds-a-UNBOUND",
					  "meta protocol ip ip saddr 172.30.1.0/24 accept comment "
					  "\"the subnet's\""),
				 modes[i].subnet);
		assert_int_equal(has_rule(&f, "ds-a-UNBOUND", "goto strict"), !modes[i].subnet);
		end(&f);
	}
}

/* Without an IPv6 subnet in the configuration the routes say which sources are the network's: table inet dockside asks. */
static void test_no_subnet6(void **state)
{
	static const struct {
		const char *keys;
		const char *targets; /* the rule about those that are refused */
	} cases[] = {
		{ "", NULL },
		{ ", \"subnet6\": \"fd77:1::/64\"",
		  "@th,64,64 != 0xfd77000100000000 goto not-net" },
		{ ", \"bind\": \"strict\"", "meta protocol ip6 icmpv6 type 136 goto strict" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = { 0 };
		char config[200];

		snprintf(config, sizeof(config),
			 "{\"networks\": [{\"name\": \"ds-a\", \"subnet\": \"172.30.1.0/24\", "
			 "\"dockside_ip\": \"172.30.1.2\"%s}]}",
			 cases[i].keys);
		add_port(&f, "vx", "ds-a", NULL, "02:42:ac:1e:01:0c", "");
		compile(&f, config);
		assert_int_equal(has_rule(&f, "ds-a-UNBOUND",
					  "meta protocol ip6 accept comment \"the configuration "
					  "names no IPv6 subnet\""),
				 cases[i].targets == NULL);
		for (size_t k = 1; k < ARRAY_SIZE(cases); k++) {
			const char *chain = strstr(f.text, "chain ds-a-UNBOUND");

			assert_non_null(chain);
			assert_int_equal(strstr(chain, cases[k].targets) != NULL, k == i);
		}
		end(&f);
	}
}

/* A port that is not known gets everything, also where it may send as the dockside container. */
static void test_to_unknown(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	compile(&f, DS_A(""));
	assert_true(has_rule(&f, "own-to", "oifname @ports goto to-known"));
	assert_false(has_rule(&f, "own-to", "goto to-known"));
	end(&f);
}

/* A container of two networks may answer by either. */
static void test_two_networks(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	f.ports.asked = f.ports.followed = true;
	add_port(&f, "va", "ds-a", "d", "02:42:ac:1e:01:0b", "172.30.1.11");
	add_port(&f, "vb", "ds-b", "d", "02:42:ac:1e:02:0b", "172.30.2.11");
	add_port(&f, "vc", "ds-b", "c", "02:42:ac:1e:02:0c", "172.30.2.12");
	add_port(&f, "vd", "other", "d", "02:42:ac:1e:03:0b", "172.30.3.11");
	compile(&f, "{\"networks\": ["
		    "{\"name\": \"ds-a\", \"subnet\": \"172.30.1.0/24\", \"dockside_ip\": "
		    "\"172.30.1.2\"},"
		    "{\"name\": \"ds-b\", \"subnet\": \"172.30.2.0/24\", \"dockside_ip\": "
		    "\"172.30.2.2\"}]}");
	assert_string_equal(elements(&f, "addrs4"),
			    "\"va\" . 172.30.1.11, \"va\" . 172.30.2.11, \"vb\" . 172.30.1.11, "
			    "\"vb\" . 172.30.2.11, \"vc\" . 172.30.2.12");
	assert_string_equal(elements(&f, "macs"), "\"va\" . 02:42:ac:1e:01:0b, "
						  "\"vb\" . 02:42:ac:1e:02:0b, "
						  "\"vc\" . 02:42:ac:1e:02:0c");
	end(&f);
}

static void test_off(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	add_port(&f, "va", "ds-a", "a", "02:42:ac:1e:01:0b", "172.30.1.11");
	compile(&f, DS_A(", \"bind\": \"off\""));
	assert_int_equal(f.plan.n_chains, 0);
	assert_int_equal(f.plan.n_sets, 0);
	end(&f);
}

#define TWO                                                                                     \
	"{\"networks\": ["                                                                      \
	"{\"name\": \"ds-a\", \"subnet\": \"172.30.1.0/24\", \"dockside_ip\": \"172.30.1.2\"}," \
	"{\"name\": \"ds-b\", \"subnet\": \"172.30.2.0/24\", \"dockside_ip\": \"172.30.2.2\", " \
	"\"bind\": \"off\"},"                                                                   \
	"{\"name\": \"ds-c\", \"subnet\": \"172.30.3.0/24\"}]}"

/* Bridges that are not bound, not managed, and not ours. */
static void test_elsewhere(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	add_port(&f, "va", "ds-a", "a", "02:42:ac:1e:01:0b", "172.30.1.11");
	add_port(&f, "vb", "ds-b", "b", "02:42:ac:1e:01:0c", "172.30.2.11");
	add_port(&f, "vc", "ds-c", NULL, "02:42:ac:1e:01:0d", "");
	add_port(&f, "vm", "br0", NULL, "02:42:ac:1e:01:0e", "");
	compile(&f, TWO);
	assert_string_equal(elements(&f, "dispatch"),
			    "\"va\" : goto known, \"vb\" : goto elsewhere, "
			    "\"vc\" : goto elsewhere, \"vm\" : goto elsewhere");
	assert_string_equal(elements(&f, "bound-macs"), "02:42:ac:1e:01:0b");
	assert_string_equal(elements(&f, "bound4"), "172.30.1.1, 172.30.1.11");
	assert_null(plan_find_chain(&f.plan, "ds-b-BIND"));
	assert_null(plan_find_chain(&f.plan, "ds-c-BIND"));
	end(&f);
}

/* The dockside container's addresses, before its port is known, are somebody's or nobody's. */
static void test_dockside(void **state)
{
	static const struct {
		const char *what, *config;
		bool asked, answered;
		unsigned contenders;
		const char *bound4, *macs;
	} cases[] = {
		{ "compile", DS_A(WITH_MAC), false, false, 0, "172.30.1.1", "" },
		{ "no MAC, no answer", DS_A(""), true, false, 0, "172.30.1.1", "" },
		{ "no MAC, answered", DS_A(""), true, true, 0, "172.30.1.1, 172.30.1.2", "" },
		{ "nobody has it", DS_A(WITH_MAC), true, false, 0, "172.30.1.1, 172.30.1.2", "" },
		{ "one has it", DS_A(WITH_MAC), true, false, 1, "172.30.1.1, 172.30.1.2",
		  "\"v0\" . " D_MAC },
		{ "contested", DS_A(WITH_MAC), true, false, 2, "172.30.1.1, 172.30.1.2",
		  "\"v0\" . " D_MAC ", \"v1\" . " D_MAC },
		{ "contested, answered", DS_A(WITH_MAC), true, true, 2, "172.30.1.1, 172.30.1.2",
		  "" },
		{ "contested, strict", DS_A(WITH_MAC ", \"bind\": \"strict\""), true, false, 2,
		  "172.30.1.1, 172.30.1.2", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = { .ports = { .asked = cases[i].asked,
						.followed = cases[i].asked } };

		print_message("%s\n", cases[i].what);
		if (cases[i].answered)
			answered(&f, "ds-a");
		for (unsigned k = 0; k < cases[i].contenders; k++)
			add_port(&f, k ? "v1" : "v0", "ds-a", NULL, D_MAC, "");
		add_port(&f, "v2", "ds-a", NULL, "02:42:ac:1e:01:0b", "");
		add_port(&f, "w0", "other", NULL, D_MAC, "");
		compile(&f, cases[i].config);
		assert_string_equal(elements(&f, "bound4"), cases[i].bound4);
		assert_string_equal(elements(&f, "macs"), cases[i].macs);
		assert_string_equal(elements(&f, "ports"), "");
		end(&f);
	}
}

static void test_extra(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	f.ports.asked = f.ports.followed = true;
	answered(&f, "ds-a");
	add_port(&f, "va", "ds-a", "a", "02:42:ac:1e:01:0b", "172.30.1.11");
	add_port(&f, "vx", "ds-a", NULL, "02:42:ac:1e:01:0c", "");
	compile(&f, DS_A(", \"extra\": [\"10.9.0.0/16\", \"172.30.1.99\", \"fd99::/64\", "
			 "\"02:00:00:00:00:99\"]"));
	assert_string_equal(elements(&f, "dispatch"),
			    "\"va\" : goto strange, \"vx\" : goto strange");
	assert_string_equal(elements(&f, "dispatch-strange"),
			    "\"va\" : goto known, \"vx\" : goto unknown");
	assert_string_equal(elements(&f, "ds-a-extra4"), "10.9.0.0/16, 172.30.1.99");
	assert_string_equal(elements(&f, "ds-a-extra6"), "fd99::/64, fe80::ff:fe00:99");
	assert_string_equal(
		elements(&f, "ds-a-extra-targets"),
		"0xfd990000000000000000000000000000-0xfd99000000000000ffffffffffffffff, "
		"0xfe80000000000000000000fffe000099");
	assert_string_equal(elements(&f, "ds-a-extra-macs"), "02:00:00:00:00:99");
	assert_string_equal(elements(&f, "extra-macs"), "02:00:00:00:00:99");
	assert_string_equal(elements(&f, "dispatch-extra"), "\"va\" : goto ds-a-EXTRA");
	assert_string_equal(elements(&f, "dispatch-to"),
			    "\"va\" : goto ds-a-EXTRATO, \"vx\" : goto to-unknown");
	assert_true(has_rule(&f, "ds-a-EXTRA",
			     "iifname . ether saddr != @macs ether saddr != @ds-a-extra-macs "
			     "goto not-own"));
	end(&f);
}

static void set_first(struct fixture *f, bool draining, bool closed)
{
	f->policy.networks[0].draining = draining;
	f->policy.networks[0].closed = closed;
}

/* A network that drains is bound as it was; one whose policy is lost has no subnet to learn in. */
static void test_draining(void **state)
{
	struct plan_options options = { .mark_bit = 1, .log_group = 7 };

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		struct fixture f = { 0 };

		add_port(&f, "vx", "ds-a", NULL, "02:42:ac:1e:01:0c", "");
		policy_read(&f.policy, DS_A(""), "{\"networks\": {}}");
		set_first(&f, true, closed);
		compile_bind(&f.policy, &f.ports, &options, &f.plan);
		assert_string_equal(elements(&f, "dispatch-strange"), "\"vx\" : goto unknown");
		assert_int_equal(has_rule(&f, "ds-a-UNBOUND", "goto strict"), closed);
		end(&f);
	}
}

/* Every rule that drops, but for one, has a rule right before it that reports with the same matches. */
static void test_reports(void **state)
{
	struct fixture f = { 0 };
	size_t drops = 0, silent = 0;

	(void)state;
	compile(&f, DS_A(", \"extra\": [\"10.9.0.0/16\", \"02:00:00:00:00:99\"]"));
	for (size_t i = 0; i < f.plan.n_chains; i++) {
		const struct plan_chain *chain = f.plan.chains[i];

		for (size_t k = 0; k < chain->n_rules; k++) {
			const struct plan_rule *rule = &chain->rules[k];

			if (rule->verdict != VERDICT_DROP)
				continue;
			assert_true(rule->counter);
			assert_non_null(rule->comment);
			drops++;
			if (k == 0 || rule[-1].verdict != VERDICT_LOG) {
				silent++;
				continue;
			}
			assert_int_equal(rule[-1].n_matches, rule->n_matches);
			assert_memory_equal(rule[-1].matches, rule->matches, sizeof(rule->matches));
		}
	}
	assert_int_equal(drops, 7 + (8 + 5) + (8 + 2 + 1) + (1 + 1) + (3 + 1));
	assert_int_equal(silent, 2); /* what a bridge sends to all its ports */
	end(&f);
}

/* Without a match on it nft looks at the EtherType, which a VLAN tag changes. */
static void test_protocol_first(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	compile(&f, DS_A(", \"extra\": [\"10.9.0.0/16\", \"02:00:00:00:00:99\"]"));
	for (size_t i = 0; i < f.plan.n_chains; i++)
		for (size_t k = 0; k < f.plan.chains[i]->n_rules; k++) {
			const struct plan_rule *rule = &f.plan.chains[i]->rules[k];

			for (size_t m = 0; m < rule->n_matches; m++) {
				const struct match *match = &rule->matches[m];
				bool arp = match->kind == MATCH_FIELD_SET &&
					   (match->u.field_set.field == FIELD_ARP_SENDER ||
					    match->u.field_set.field == FIELD_ARP_SENDER_MAC);

				if (match->kind == MATCH_ICMP ||
				    match->kind == MATCH_FIELD_PREFIX || arp)
					assert_int_equal(rule->matches[0].kind, MATCH_PROTOCOL);
			}
		}
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),	     cmocka_unit_test(test_modes),
		cmocka_unit_test(test_no_subnet6),   cmocka_unit_test(test_to_unknown),
		cmocka_unit_test(test_two_networks), cmocka_unit_test(test_off),
		cmocka_unit_test(test_elsewhere),    cmocka_unit_test(test_dockside),
		cmocka_unit_test(test_extra),	     cmocka_unit_test(test_draining),
		cmocka_unit_test(test_reports),	     cmocka_unit_test(test_protocol_first),
	};

	return cmocka_run_group_tests_name("compile_bind", tests, NULL, NULL);
}
